//! `SPX_cork`, `SPX_uncork`.

use std::ffi::c_int;

use spread_client::{Error, Send};

use crate::cancel::Cancel;
use crate::errors;
use crate::guard::{guard, guard_or};
use crate::sp::send::drive;
use crate::types::Mailbox;

/// Collects the messages that are sent on a mailbox, until `SPX_uncork`.
///
/// For programs that send many small messages and want throughput rather than each message on its way
/// when the call returns: up to 64 KiB of messages go out in one system call. The order stays that of
/// the calls. What is collected is sent when it fills 64 KiB, by `SPX_uncork`, before a join, a leave, a
/// disconnect, and before a receive on the same mailbox waits; not before a `select()` of the program, and
/// not by `SP_kill`. A message of more than 64 KiB goes out at once, after what was collected before it.
/// Corking twice is as once. With failover=auto nothing is collected, as messages must not outlive the
/// connection that they were made for.
///
/// Calls that only collect succeed as long as the session is not known to be lost; the call that sends
/// the collected messages reports the loss.
///
/// Returns 0; `ILLEGAL_SESSION`, `NET_ERROR_ON_SESSION`. Does not block. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_cork(mbox: Mailbox) -> c_int {
    guard(|| errors::result(spread_client::cork(mbox).map(|()| 0)))
}

/// Sends what has been collected since `SPX_cork`, and collects no more.
///
/// Without a cork it sends what the option `send_batch_us` has collected.
///
/// Returns 0 when all has been handed to the kernel; `ILLEGAL_SESSION`, `NET_ERROR_ON_SESSION`,
/// `CONNECTION_CLOSED` if the connection is lost, and with it what was collected. Blocks as long as
/// the daemon does not take it; a cancellation point. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn SPX_uncork(mbox: Mailbox) -> c_int {
    let cancel = Cancel::forbid();
    let begun = guard_or(Err(Error::Bug), || Send::uncork(mbox));
    drive(cancel, begun)
}
