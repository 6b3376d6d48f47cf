//! The simulated network for Java tests: what the private methods of `spread.testing.Native` do.
//!
//! A network is a number for Java, the key of a table; options and commands are text, as for C
//! programs. Failures become `IllegalArgumentException` (what was asked for cannot be done) and panics
//! `IllegalStateException`.
#![forbid(unsafe_code)]

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use jni::errors::{ErrorPolicy, Result as JniResult};
use jni::objects::{JClass, JString};
use jni::strings::JNIString;
use jni::sys::jlong;
use jni::{Env, NativeMethod, jni_str, native_method};
use network::Network;

/// All of them; the symbols are found by their names.
#[expect(
    dead_code,
    reason = "the JVM finds the methods by their exported names"
)]
const METHODS: &[NativeMethod<'_>] = &[
    native_method! { java_type = "spread.testing.Native", error_policy = Throw,
    static extern fn start(options: JString) -> jlong },
    native_method! { java_type = "spread.testing.Native", error_policy = Throw,
    static extern fn stop(network: jlong) },
    native_method! { java_type = "spread.testing.Native", error_policy = Throw,
    static extern fn daemons(network: jlong) -> JString },
    native_method! { java_type = "spread.testing.Native", error_policy = Throw,
    static extern fn command(network: jlong, text: JString) -> JString },
];

#[derive(Debug, Default)]
struct Table {
    last: jlong,
    networks: HashMap<jlong, Arc<Network>>,
}

static TABLE: LazyLock<Mutex<Table>> = LazyLock::new(Mutex::default);

fn table() -> MutexGuard<'static, Table> {
    // Entries are put in and taken out whole.
    TABLE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Why a method failed.
#[derive(Debug)]
enum Failure {
    /// The JVM has said so; usually an exception is pending.
    Jvm(jni::errors::Error),
    /// What was asked for cannot be done.
    Refused(String),
}

impl From<jni::errors::Error> for Failure {
    fn from(error: jni::errors::Error) -> Self {
        Self::Jvm(error)
    }
}

impl From<network::Error> for Failure {
    fn from(error: network::Error) -> Self {
        Self::Refused(error.to_string())
    }
}

/// Turns failures and panics into exceptions.
#[derive(Debug)]
struct Throw;

impl<T: Default> ErrorPolicy<T, Failure> for Throw {
    type Captures<'unowned_env_local: 'native_method, 'native_method> = ();

    fn on_error<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut Self::Captures<'unowned_env_local, 'native_method>,
        failure: Failure,
    ) -> JniResult<T> {
        let text = match failure {
            Failure::Jvm(jni::errors::Error::JavaException) => return Ok(T::default()),
            Failure::Jvm(error) => error.to_string(),
            Failure::Refused(text) => text,
        };
        // Says that an exception is pending, as is meant.
        let _ = env.throw_new(
            jni_str!("java/lang/IllegalArgumentException"),
            JNIString::from(text),
        );
        Ok(T::default())
    }

    fn on_panic<'unowned_env_local: 'native_method, 'native_method>(
        env: &mut Env<'unowned_env_local>,
        _captures: &mut Self::Captures<'unowned_env_local, 'native_method>,
        _payload: Box<dyn Any + Send + 'static>,
    ) -> JniResult<T> {
        let _ = env.throw_new(
            jni_str!("java/lang/IllegalStateException"),
            jni_str!("internal error of the simulated network"),
        );
        Ok(T::default())
    }
}

fn get(number: jlong) -> Result<Arc<Network>, Failure> {
    let found = table().networks.get(&number).cloned();
    found.ok_or_else(|| Failure::Refused("the network has been closed".to_owned()))
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the JVM's references come by value"
)]
fn start<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    options: JString<'l>,
) -> Result<jlong, Failure> {
    let options = options.try_to_string(env)?;
    let network = Network::builder().options(&options)?.start()?;
    let mut table = table();
    table.last += 1;
    let number = table.last;
    table.networks.insert(number, Arc::new(network));
    Ok(number)
}

fn stop(_env: &mut Env<'_>, _class: JClass<'_>, network: jlong) -> Result<(), Failure> {
    let removed = table().networks.remove(&network);
    // Ended here, outside the lock: that waits for the network's thread.
    drop(removed);
    Ok(())
}

/// One line for each daemon: its name, address, port, path of the unix socket or nothing.
fn daemons<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    network: jlong,
) -> Result<JString<'l>, Failure> {
    let network = get(network)?;
    let lines: Vec<String> = network
        .daemons()
        .iter()
        .map(|daemon| {
            let unix = daemon.unix_path();
            let unix = unix.map_or_else(String::new, |path| path.display().to_string());
            let (ip, port) = (daemon.addr().ip(), daemon.addr().port());
            format!("{}\t{ip}\t{port}\t{unix}", daemon.name())
        })
        .collect();
    Ok(env.new_string(lines.join("\n"))?)
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "the JVM's references come by value"
)]
fn command<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    network: jlong,
    command: JString<'l>,
) -> Result<JString<'l>, Failure> {
    let command = command.try_to_string(env)?;
    let answer = get(network)?.run_line(&command)?;
    Ok(env.new_string(answer)?)
}
