//! `SP_disconnect`, `SP_kill`, `SP_poll`.

use std::ffi::c_int;

use crate::errors;
use crate::guard::guard;
use crate::types::Mailbox;

/// Ends a session.
///
/// The daemon is told, and the other members of the session's groups get a membership message with
/// `CAUSED_BY_DISCONNECT`. Messages sent before arrive, also when the program exits right
/// afterwards: the call waits until the daemon has closed the connection, at most 1 second (option
/// `disconnect_ms`; 0 returns at once, as the classic library does, which loses messages). It does
/// not wait where nothing can be lost. What has not been received is dropped, and the mailbox number
/// is free. A thread blocked in a receive on this mailbox wakes with `CONNECTION_CLOSED`.
///
/// Returns 0, also for a session whose connection is lost. `ILLEGAL_SESSION` for an unknown mailbox.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SP_disconnect(mbox: Mailbox) -> c_int {
    guard(|| match spread_client::disconnect(mbox) {
        Ok(()) => 0,
        Err(error) => errors::code(error),
    })
}

/// Frees a mailbox without telling the daemon.
///
/// For a process that was forked and leaves the session to the other one, and for sessions in
/// error. If no other process holds the connection, the daemon sees it close and the others get a
/// membership message with `CAUSED_BY_DISCONNECT`; a thread blocked in a receive on this mailbox
/// wakes with `CONNECTION_CLOSED` then (in the classic library it stays blocked). An unknown mailbox
/// is nothing to do. Never blocks for long.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SP_kill(mbox: Mailbox) {
    guard(|| spread_client::kill(mbox));
}

/// Tells whether a message waits.
///
/// Returns the number of bytes of the daemon's stream that have come and have not been received, 0
/// if there are none. At the end of the connection 1, until a call has reported the loss (the
/// classic library: 0). `ILLEGAL_SESSION` for an unknown mailbox, or one whose number the program
/// has closed itself. Never blocks; any thread may call this, also while another is blocked in a
/// receive.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SP_poll(mbox: Mailbox) -> c_int {
    guard(|| errors::result(spread_client::waiting_bytes(mbox)))
}
