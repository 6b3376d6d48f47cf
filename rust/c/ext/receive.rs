//! `SPX_receive`, `SPX_message_free`, `SPX_interrupt`.

use std::ffi::{c_char, c_int};
use std::time::Duration;

use spread_client::{Error, Message, MessageProgress, ReceiveMessage};

use crate::cancel::Cancel;
use crate::codes::{ILLEGAL_SESSION, SP_BUG};
use crate::errors;
use crate::guard::{guard, guard_or};
use crate::ptr::Out;
use crate::types::{GroupName, Int16, Mailbox, Service, group_name};

/// `SPX_message`, laid out as the header has it, and behind that what it points to.
#[repr(C)]
#[derive(Debug)]
pub(crate) struct SpxMessage {
    service_type: Service,
    num_groups: c_int,
    groups: *const GroupName,
    mess_len: usize,
    mess: *const c_char,
    sender: GroupName,
    mess_type: Int16,
    reserved: Int16,
    endian_mismatch: c_int,
    /// Not in the header: what `groups` and `mess` point to.
    owned: (Vec<GroupName>, Vec<u8>),
}

#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(std::mem::offset_of!(SpxMessage, groups) == 8);
    assert!(std::mem::offset_of!(SpxMessage, mess_len) == 16);
    assert!(std::mem::offset_of!(SpxMessage, sender) == 32);
    assert!(std::mem::offset_of!(SpxMessage, mess_type) == 64);
    assert!(std::mem::offset_of!(SpxMessage, endian_mismatch) == 68);
    assert!(std::mem::offset_of!(SpxMessage, owned) == 72);
};

impl SpxMessage {
    fn new(message: Message) -> Box<Self> {
        let groups: Vec<GroupName> = message.groups.iter().map(|g| group_name(g.raw())).collect();
        let mut body = message.body;
        let mess_len = body.len();
        // Programs print bodies as strings.
        body.push(0);
        Box::new(Self {
            service_type: message.service.cast_signed(),
            num_groups: errors::length(groups.len()),
            groups: groups.as_ptr(),
            mess_len,
            mess: body.as_ptr().cast(),
            sender: group_name(message.sender.raw()),
            mess_type: message.mess_type,
            reserved: 0,
            endian_mismatch: c_int::from(message.endian_mismatch),
            owned: (groups, body),
        })
    }
}

/// It lives in a frame that may be removed.
const _: () = assert!(!std::mem::needs_drop::<ReceiveMessage>());

/// A time in milliseconds as programs give it: negative is no limit.
pub(crate) fn limit(timeout_ms: c_int) -> Option<Duration> {
    u64::try_from(timeout_ms).ok().map(Duration::from_millis)
}

/// Receives the next message, of any size, within a time limit.
///
/// The message is the program's: `*message` stays until `SPX_message_free`, also after the session's
/// end. Nothing can be too short. `timeout_ms` negative is no limit, 0 does not wait. A readable
/// mailbox means, as for `SP_receive`, that something has come; where it is a part of a message, a
/// call with 0 says `SPX_TRY_AGAIN`.
///
/// Returns the length of the body, or
///
/// - `SPX_TRY_AGAIN` (only with 0), `SPX_TIMEOUT`, `SPX_INTERRUPTED`: no message was taken;
/// - `CONNECTION_CLOSED` once when the connection is lost and all that came before is received, then
///   `NET_ERROR_ON_SESSION`; also after a send has failed what waits is delivered (which
///   `SP_receive` does not);
/// - `ILLEGAL_SESSION`; `ILLEGAL_MESSAGE` for a broken frame, or if `message` is null.
///
/// `*message` is written on success only. The thread may be cancelled while it waits.
///
/// # Safety
/// `message` is null or may be written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SPX_receive(
    mbox: Mailbox,
    message: *mut *mut SpxMessage,
    timeout_ms: c_int,
) -> c_int {
    let cancel = Cancel::forbid();
    let mut operation = ReceiveMessage::new(mbox, limit(timeout_ms));
    let code = loop {
        // What is received is handed over inside: nothing with a destructor is in this frame.
        let done = guard_or(Some(SP_BUG), || {
            if message.is_null() {
                let result = spread_client::check_session(mbox).err();
                return Some(errors::code(result.unwrap_or(Error::IllegalMessage)));
            }
            match operation.step() {
                MessageProgress::Blocked => None,
                MessageProgress::Done(Err(error)) => Some(errors::code(error)),
                MessageProgress::Done(Ok(received)) => {
                    let length = errors::length(received.body.len());
                    // SAFETY: not null, and the caller's contract.
                    if let Some(mut out) = unsafe { Out::new(message) } {
                        out.write(Box::into_raw(SpxMessage::new(received)));
                    }
                    Some(length)
                }
            }
        });
        match done {
            Some(code) => break code,
            None => cancel.around(|| operation.call.run()),
        }
    };
    cancel.restore();
    code
}

/// Frees a message that `SPX_receive` has given. Null is nothing to do.
///
/// # Safety
/// `message` is null or from `SPX_receive`, not freed yet, and nobody uses it from now on.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_message_free(message: *mut SpxMessage) {
    guard(|| {
        if !message.is_null() {
            // SAFETY: comes from `Box::into_raw` above and is not used any more.
            drop(unsafe { Box::from_raw(message) });
        }
    });
}

/// Ends the wait of a thread in `SPX_receive`, or of the next one.
///
/// The call that waits on this mailbox now, or else the next that is to wait, returns
/// `SPX_INTERRUPTED`; messages that have come are delivered first. Not for `SP_receive`. Several calls
/// before that are one. May be called from any thread, and from a signal handler: it takes no lock,
/// and leaves `errno` alone.
///
/// Returns 0 or `ILLEGAL_SESSION`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_interrupt(mbox: Mailbox) -> c_int {
    // No `guard`, and no text for `SPX_last_error`: a handler may have stopped this thread anywhere.
    match spread_client::interrupt(mbox) {
        Ok(()) => 0,
        Err(_) => ILLEGAL_SESSION,
    }
}
