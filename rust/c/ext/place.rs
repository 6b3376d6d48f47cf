//! `SPX_private_group`, `SPX_daemon`, `SPX_reconnect`: where a session is.

use std::ffi::{c_char, c_int};

use spread_client::Error;

use crate::errors;
use crate::guard::guard;
use crate::ptr::{self, Out};
use crate::types::{GroupName, Mailbox, group_name};

/// Tells the name of a session at its daemon, its private group.
///
/// With `failover=auto` it changes when the session goes to another daemon; the event
/// `SPX_EVENT_RECONNECTED` tells the old and the new one. `private_group` has room for
/// `MAX_GROUP_NAME` bytes.
///
/// Returns 0, `ILLEGAL_SESSION`, or `ILLEGAL_MESSAGE` if `private_group` is null. Any thread may call
/// this.
///
/// # Safety
/// `private_group` is null or may be written for 32 bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_private_group(
    mbox: Mailbox,
    private_group: *mut c_char,
) -> c_int {
    guard(|| match spread_client::private_group(mbox) {
        Ok(name) => {
            // SAFETY: the caller's contract.
            match unsafe { Out::new(private_group.cast::<GroupName>()) } {
                Some(mut out) => {
                    out.write(group_name(name.raw()));
                    0
                }
                None => errors::code(Error::IllegalMessage),
            }
        }
        Err(error) => errors::code(error),
    })
}

/// Tells where the daemon of a session is, or was if it is lost.
///
/// `127.0.0.1:4803`, `[::1]:4803`, or the path of a unix socket, with a NUL at its end, cut to
/// `max_len` bytes. With a null `text`, or room for nothing, nothing is written.
///
/// Returns the length of the whole text, so that a cut is seen (as `snprintf`), `ILLEGAL_SESSION`, or
/// `ILLEGAL_MESSAGE` for a negative `max_len`. Any thread may call this.
///
/// # Safety
/// `text` is null or may be written for `max_len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_daemon(
    mbox: Mailbox,
    max_len: c_int,
    text: *mut c_char,
) -> c_int {
    guard(|| match spread_client::daemon(mbox) {
        Ok(daemon) => {
            // SAFETY: the caller's contract.
            if unsafe { ptr::put_text(text, max_len, &daemon) }.is_err() {
                return errors::code(Error::IllegalMessage);
            }
            errors::length(daemon.len())
        }
        Err(error) => errors::code(error),
    })
}

/// Has a session with `failover=auto` go to another daemon of its name.
///
/// A connection to another daemon is made first; then the present one is told good-bye, and all that
/// it has still sent is received. What the program sends meanwhile waits, up to `send_wait_ms`. The
/// groups are joined again, as after a loss: see docs/GUARANTEES.md. Where no other daemon accepts,
/// the session stays where it is.
///
/// Returns 0 at once, before the move: `SPX_EVENT_RECONNECTED` tells when it is done.
/// `ILLEGAL_SESSION`, or `NET_ERROR_ON_SESSION` if the session has ended or does not have
/// `failover=auto`. Any thread may call this.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_reconnect(mbox: Mailbox) -> c_int {
    guard(|| match spread_client::reconnect(mbox) {
        Ok(()) => 0,
        Err(error) => errors::code(error),
    })
}
