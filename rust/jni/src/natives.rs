//! The methods of `spread.Native`. What each means is said there.
#![expect(
    clippy::needless_pass_by_value,
    reason = "the JVM's references come by value, to all of these functions"
)]

use std::io::IoSlice;
use std::time::Duration;

use jni::errors::Result;
use jni::objects::{JByteArray, JByteBuffer, JClass, JLongArray};
use jni::sys::{jboolean, jint, jlong, jshort, jsize};
use jni::{Env, NativeMethod, native_method};
use spread_client::{ByteOrder, Error, Outgoing, Progress, Send, SessionHandle};

use crate::connecting::{self, Request};
use crate::policy::Status;
use crate::{buffer, events, status, table};

/// All of them; the symbols are found by their names.
#[expect(
    dead_code,
    reason = "the JVM finds the methods by their exported names"
)]
const METHODS: &[NativeMethod<'_>] = &[
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn interface_version() -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn connect(daemons: jbyte[], private_name: jbyte[], method: jbyte[],
        priority: jboolean, membership: jboolean, timeout_ms: jint, options: jbyte[]) -> jlong },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn finish_connect(ok: jboolean) -> jlong },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn next_authentication(session: jlong, seen: jlong) -> jlong },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn authenticated(session: jlong, number: jlong, ok: jboolean) },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn complaint(text: jbyte[]) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn private_group(session: jlong, name: jbyte[]) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn receive(session: jlong, buffer: JByteBuffer, timeout_ms: jint) -> jlong },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn ready(session: jlong) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn address(buffer: JByteBuffer) -> jlong },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn multicast(session: jlong, buffer: JByteBuffer, address: jlong, service: jint,
        groups: jint, mess_type: jshort, length: jint, behind: jint, more: jboolean) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn join(session: jlong, group: jbyte[]) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn leave(session: jlong, group: jbyte[]) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn event(session: jlong, text: jbyte[], timeout_ms: jint) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn daemon(session: jlong, text: jbyte[]) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn push(session: jlong) },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn takes_many(session: jlong) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn stats(session: jlong, numbers: jlong[], text: jbyte[]) -> jint },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn wake(session: jlong) },
    native_method! { java_type = "spread.Native", error_policy = Status,
    static extern fn disconnect(session: jlong) -> jint },
];

/// Changes with the methods and what their arguments mean. The same in `spread.Native`.
const INTERFACE: jint = 3;

fn interface_version(_env: &mut Env<'_>, _class: JClass<'_>) -> Result<jint> {
    Ok(INTERFACE)
}

/// The bytes of an array, or of null.
fn bytes(env: &Env<'_>, array: &JByteArray<'_>) -> Result<Option<Vec<u8>>> {
    if array.is_null() {
        return Ok(None);
    }
    env.convert_byte_array(array).map(Some)
}

/// Writes as much of `text` as fits; answers how much that is.
fn fill(env: &Env<'_>, array: &JByteArray<'_>, text: &[u8]) -> Result<jint> {
    let count = array.len(env)?.min(text.len());
    let signed: Vec<i8> = text[..count]
        .iter()
        .map(|byte| byte.cast_signed())
        .collect();
    array.set_region(env, 0, &signed)?;
    Ok(jsize::try_from(count).unwrap_or(jsize::MAX))
}

#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the Java method"
)]
fn connect<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    daemons: JByteArray<'l>,
    private_name: JByteArray<'l>,
    method: JByteArray<'l>,
    priority: jboolean,
    membership: jboolean,
    timeout_ms: jint,
    options: JByteArray<'l>,
) -> Result<jlong> {
    let daemons = bytes(env, &daemons)?.unwrap_or_default();
    let private_name = bytes(env, &private_name)?.unwrap_or_default();
    let method = bytes(env, &method)?;
    let options = bytes(env, &options)?.unwrap_or_default();
    Ok(connecting::begin(&Request {
        daemons: &daemons,
        private_name: &private_name,
        method: method.as_deref(),
        priority,
        membership,
        timeout_ms: u32::try_from(timeout_ms).unwrap_or(0),
        options: &String::from_utf8_lossy(&options),
    }))
}

fn finish_connect(_env: &mut Env<'_>, _class: JClass<'_>, ok: jboolean) -> Result<jlong> {
    Ok(connecting::finish(ok))
}

fn next_authentication(
    _env: &mut Env<'_>,
    _class: JClass<'_>,
    session: jlong,
    seen: jlong,
) -> Result<jlong> {
    let asks = table::asks(session);
    Ok(asks
        .and_then(|asks| asks.next(seen))
        .unwrap_or_else(|| status::NO_SESSION.into()))
}

fn authenticated(
    _env: &mut Env<'_>,
    _class: JClass<'_>,
    session: jlong,
    number: jlong,
    ok: jboolean,
) -> Result<()> {
    if let Some(asks) = table::asks(session) {
        asks.answer(number, ok);
    }
    Ok(())
}

fn complaint<'l>(env: &mut Env<'l>, _class: JClass<'l>, text: JByteArray<'l>) -> Result<jint> {
    fill(env, &text, connecting::complaint().as_bytes())
}

fn private_group<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    session: jlong,
    name: JByteArray<'l>,
) -> Result<jint> {
    match table::get(session) {
        Some(session) => fill(env, &name, session.receiving_as().as_bytes()),
        None => Ok(status::NO_SESSION),
    }
}

fn receive<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    session: jlong,
    buffer: JByteBuffer<'l>,
    timeout_ms: jint,
) -> Result<jlong> {
    let Some(session) = table::get(session) else {
        return Ok(status::NO_SESSION.into());
    };
    let Some(mut room) = buffer::to_write(env, &buffer) else {
        return Ok(status::BUG.into());
    };
    let patience = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    Ok(status::of_received(
        session.receive_frames(&mut room, patience),
    ))
}

fn ready(_env: &mut Env<'_>, _class: JClass<'_>, session: jlong) -> Result<jint> {
    Ok(match table::get(session) {
        Some(session) => session.is_ready().into(),
        None => status::NO_SESSION,
    })
}

fn address<'l>(env: &mut Env<'l>, _class: JClass<'l>, buffer: JByteBuffer<'l>) -> Result<jlong> {
    Ok(buffer::address(env, &buffer).unwrap_or_else(|| status::BUG.into()))
}

/// `buffer` holds the groups, 32 bytes each, the body, and `behind` bytes of whole frames.
#[expect(
    clippy::too_many_arguments,
    reason = "the arguments of the Java method"
)]
fn multicast<'l>(
    _env: &mut Env<'l>,
    _class: JClass<'l>,
    session: jlong,
    buffer: JByteBuffer<'l>,
    address: jlong,
    service: jint,
    groups: jint,
    mess_type: jshort,
    length: jint,
    behind: jint,
    more: jboolean,
) -> Result<jint> {
    let Some(session) = table::get(session) else {
        return Ok(status::NO_SESSION);
    };
    let (Ok(count), Ok(body_len), Ok(behind)) = (
        usize::try_from(groups),
        usize::try_from(length),
        usize::try_from(behind),
    ) else {
        return Ok(status::BUG);
    };
    let groups_len = count.saturating_mul(32);
    let all = groups_len.saturating_add(body_len).saturating_add(behind);
    let Some(bytes) = buffer::to_read(&buffer, address, all) else {
        return Ok(status::BUG);
    };
    let (names, body) = bytes.split_at(groups_len);
    let (body, frames) = body.split_at(body_len);
    let body = [IoSlice::new(body), IoSlice::new(frames)];
    let message = Outgoing {
        service,
        num_groups: groups,
        groups: names,
        mess_type,
        body: &body,
        body_len: body_len as u64,
        refusal: None,
    };
    if frames.is_empty() {
        let send = session.multicast(&message);
        return Ok(run(if more {
            send.map(Send::with_more_to_come)
        } else {
            send
        }));
    }
    Ok(run(session.multicast_with(&message, frames)))
}

fn join<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    session: jlong,
    group: JByteArray<'l>,
) -> Result<jint> {
    let group = bytes(env, &group)?.unwrap_or_default();
    Ok(control(session, |session| session.join(&group)))
}

fn leave<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    session: jlong,
    group: JByteArray<'l>,
) -> Result<jint> {
    let group = bytes(env, &group)?.unwrap_or_default();
    Ok(control(session, |session| session.leave(&group)))
}

/// 0: there is none.
fn event<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    session: jlong,
    text: JByteArray<'l>,
    timeout_ms: jint,
) -> Result<jint> {
    let Some(session) = table::get(session) else {
        return Ok(status::NO_SESSION);
    };
    let patience = u64::try_from(timeout_ms).ok().map(Duration::from_millis);
    match session.next_event(patience) {
        Some(event) => fill(env, &text, events::text(&event).as_bytes()),
        None if session.is_closed() => Ok(status::NO_SESSION),
        None => Ok(0),
    }
}

fn daemon<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    session: jlong,
    text: JByteArray<'l>,
) -> Result<jint> {
    match table::get(session) {
        Some(session) => fill(env, &text, session.daemon().as_bytes()),
        None => Ok(status::NO_SESSION),
    }
}

fn push(_env: &mut Env<'_>, _class: JClass<'_>, session: jlong) -> Result<()> {
    if let Some(session) = table::get(session) {
        session.push();
    }
    Ok(())
}

fn takes_many(_env: &mut Env<'_>, _class: JClass<'_>, session: jlong) -> Result<jint> {
    Ok(table::get(session).map_or(status::NO_SESSION, |session| session.takes_many().into()))
}

/// The numbers in the order of `spread.ext.Statistics`, the texts with tabs between them.
fn stats<'l>(
    env: &mut Env<'l>,
    _class: JClass<'l>,
    session: jlong,
    numbers: JLongArray<'l>,
    text: JByteArray<'l>,
) -> Result<jint> {
    let Some(session) = table::get(session) else {
        return Ok(status::NO_SESSION);
    };
    let stats = session.stats();
    let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let values = [
        stats.messages_in,
        stats.bytes_in,
        stats.messages_out,
        stats.bytes_out,
        stats.waiting_messages,
        stats.waiting_bytes,
        stats.spilled_bytes,
        stats.peak_messages,
        stats.peak_bytes,
        nanos(stats.oldest),
        nanos(stats.send_blocked),
        stats.reconnects,
        stats.dropped_messages,
        stats.dropped_bytes,
    ]
    .map(|value| jlong::try_from(value).unwrap_or(jlong::MAX));
    numbers.set_region(env, 0, &values)?;
    let line = format!(
        "{}\t{}\t{}\t{}",
        stats.state.name(),
        stats.daemon,
        events::name(stats.private_group),
        stats.last_loss
    );
    fill(env, &text, line.as_bytes())
}

fn wake(_env: &mut Env<'_>, _class: JClass<'_>, session: jlong) -> Result<()> {
    if let Some(session) = table::get(session) {
        session.wake();
    }
    Ok(())
}

fn disconnect(_env: &mut Env<'_>, _class: JClass<'_>, session: jlong) -> Result<jint> {
    let Some(session) = table::remove(session) else {
        return Ok(status::NO_SESSION);
    };
    Ok(session
        .disconnect()
        .map_or_else(status::of, |()| status::OK))
}

fn control(
    session: jlong,
    begin: impl FnOnce(&SessionHandle) -> std::result::Result<Send<'static>, Error>,
) -> jint {
    table::get(session).map_or(status::NO_SESSION, |session| run(begin(&session)))
}

/// Sends to the end, waiting where the daemon does not read. Java clients write big-endian, on every
/// machine.
fn run(begun: std::result::Result<Send<'_>, Error>) -> jint {
    let mut send = match begun {
        Ok(send) => send.in_order(ByteOrder::Big),
        Err(error) => return status::of(error),
    };
    loop {
        match send.step() {
            Progress::Done(result) => return result.map_or_else(status::of, |_| status::OK),
            Progress::Blocked => send.call.run(),
        }
    }
}
