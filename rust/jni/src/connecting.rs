//! Connecting. An authentication method is Java code and runs between two native calls of its thread,
//! so nothing of Java is called from here.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use jni::sys::jlong;
use spread_client::{
    Conf, Connect, ConnectArguments, ConnectProgress, Error, MethodRunner, SessionHandle,
    TimeLimit, reason,
};

use crate::asks::Asks;
use crate::{status, table};

/// What the classic Java client accepts. (The C library is content with 3.0.)
const OLDEST_DAEMON: [u8; 2] = [3, 1];

thread_local! {
    /// The connect of this thread that waits for its method.
    static WAITING: RefCell<Option<Waiting>> = const { RefCell::new(None) };
}

/// A connect with a method of the program's own.
#[derive(Debug)]
struct Waiting {
    connect: Connect,
    asks: Arc<Asks>,
}

/// What a connect is asked for.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    pub(crate) daemons: &'a [u8],
    pub(crate) private_name: &'a [u8],
    /// The program's own method; `None`: the usual one, which does nothing.
    pub(crate) method: Option<&'a [u8]>,
    pub(crate) priority: bool,
    pub(crate) membership: bool,
    /// 0: no limit.
    pub(crate) timeout_ms: u32,
    /// `name=value` lines.
    pub(crate) options: &'a str,
}

/// Begins to connect. The number of the session, [`status::RUN_METHOD`], or a failure.
pub(crate) fn begin(request: &Request<'_>) -> jlong {
    WAITING.set(None);
    let conf = match conf(request.options) {
        Ok(conf) => conf,
        Err(error) => {
            reason::failed_with(error);
            return status::BAD_OPTION.into();
        }
    };
    let method = request.method.unwrap_or(b"NULL").to_vec();
    let asks = request.method.map(|_| Arc::new(Asks::default()));
    let begun = Connect::begin(&ConnectArguments {
        spread_name: request.daemons,
        private_name: request.private_name,
        priority: request.priority,
        membership: request.membership,
        methods: &[method],
        limit: if request.timeout_ms == 0 {
            TimeLimit::None
        } else {
            TimeLimit::After(Duration::from_millis(request.timeout_ms.into()))
        },
        again: asks
            .clone()
            .map(|asks| MethodRunner(Arc::new(move |_| asks.ask()))),
        conf: &conf,
        oldest_daemon: OLDEST_DAEMON,
    });
    match begun {
        Ok(connect) => advance(connect, asks),
        Err(error) => failed(error, None),
    }
}

/// The program's own options, and the one that this library needs.
fn conf(options: &str) -> Result<Conf, String> {
    let mut conf = Conf::new();
    for item in options.split('\n').filter(|item| !item.is_empty()) {
        let (name, value) = item
            .split_once('=')
            .ok_or_else(|| format!("{item:?} is not of the form name=value"))?;
        conf.set(name, value).map_err(|error| error.to_string())?;
    }
    // Receivers wait inside the library, and must be wakeable.
    conf.set("mailbox", "stable")
        .map_err(|error| error.to_string())?;
    Ok(conf)
}

fn failed(error: Error, version: Option<[u8; 3]>) -> jlong {
    reason::failed(error);
    status::of_connect(error, version)
}

/// Goes on after the method has run. One that has failed ends the connect: no other daemon is tried.
pub(crate) fn finish(ok: bool) -> jlong {
    let Some(Waiting { mut connect, asks }) = WAITING.take() else {
        return status::BUG.into();
    };
    connect.methods_done(ok);
    if ok {
        return advance(connect, Some(asks));
    }
    // Told to the daemon by closing the connection, which the machine does.
    loop {
        match connect.step() {
            ConnectProgress::Blocked => connect.call.run(),
            ConnectProgress::RunMethods(_) => connect.methods_done(false),
            ConnectProgress::Done(Ok(connected)) => {
                if let Some(session) = SessionHandle::of(connected.mailbox) {
                    let _ = session.disconnect();
                }
                return status::NOT_AUTHENTICATED.into();
            }
            ConnectProgress::Done(Err(_)) => return status::NOT_AUTHENTICATED.into(),
        }
    }
}

/// `asks`: there is a method of the program's own, and it runs for every daemon that is tried.
fn advance(mut connect: Connect, asks: Option<Arc<Asks>>) -> jlong {
    loop {
        match connect.step() {
            ConnectProgress::Blocked => connect.call.run(),
            ConnectProgress::RunMethods(_) => match asks {
                None => connect.methods_done(true),
                Some(asks) => {
                    WAITING.set(Some(Waiting { connect, asks }));
                    return status::RUN_METHOD;
                }
            },
            ConnectProgress::Done(Ok(connected)) => {
                return match SessionHandle::of(connected.mailbox) {
                    Some(session) => table::insert(session, asks),
                    None => failed(Error::Bug, None),
                };
            }
            ConnectProgress::Done(Err(error)) => return failed(error, connect.too_old),
        }
    }
}

/// Why the last connect of this thread has failed.
pub(crate) fn complaint() -> String {
    reason::last_error().unwrap_or_default()
}
