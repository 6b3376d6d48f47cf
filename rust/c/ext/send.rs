//! `SPX_multicast`, `SPX_drain`.

use std::ffi::{c_char, c_int};
use std::io::IoSlice;

use spread_client::{Error, Outgoing, Send};

use crate::cancel::Cancel;
use crate::errors;
use crate::ext::receive::limit;
use crate::guard::{guard, guard_or};
use crate::ptr;
use crate::sp::send::{Groups, drive};
use crate::types::{GroupName, Int16, Mailbox, Service};

/// Sends a message to groups, waiting for a limited time.
///
/// As `SP_multigroup_multicast`, but where the daemon does not take more it waits for at most
/// `timeout_ms` (negative: no limit, 0: not at all) until the first byte can be handed over. With
/// `failover=auto` it does not wait longer for a connection either. With `send_window` it does not wait
/// longer for room in the window, whatever `send_window_ms` says; with a negative `timeout_ms` it waits
/// for that as the `SP_` calls do: `send_window_ms`, and then the message is sent all the same.
///
/// Returns as `SP_multigroup_multicast`, or `SPX_TRY_AGAIN`: nothing has been sent, the same call can
/// be made again. Once a part of a message is handed over the rest is waited for, so that the
/// connection stays usable.
///
/// # Safety
/// As `SP_multigroup_multicast`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SPX_multicast(
    mbox: Mailbox,
    service_type: Service,
    num_groups: c_int,
    groups: *const GroupName,
    mess_type: Int16,
    mess_len: c_int,
    mess: *const c_char,
    timeout_ms: c_int,
) -> c_int {
    let cancel = Cancel::forbid();
    // SAFETY: the caller's contract.
    let groups = unsafe { Groups::list(groups, num_groups) };
    // SAFETY: the caller's contract.
    let body = unsafe { ptr::in_slice(mess, mess_len) };
    let (piece, missing) = match body {
        Ok(Some(body)) => (body, false),
        _ => (&[][..], true),
    };
    let pieces = [IoSlice::new(piece)];
    let message = Outgoing {
        service: service_type,
        num_groups: groups.said(),
        groups: groups.bytes(),
        mess_type,
        body: &pieces,
        body_len: u64::try_from(mess_len).unwrap_or(0),
        refusal: groups
            .refusal()
            .or_else(|| missing.then_some(Error::IllegalMessage)),
    };
    let begun = guard_or(Err(Error::Bug), || {
        let send = Send::multicast(mbox, &message)?;
        Ok(match limit(timeout_ms) {
            Some(limit) => send.within(limit),
            None => send,
        })
    });
    drive(cancel, begun)
}

/// Waits until the daemon has taken what was sent.
///
/// On a unix socket until the daemon has read it, on TCP until its machine has acknowledged it; for
/// at most `timeout_ms` (negative: no limit). That it has been delivered to others is not waited for:
/// for that a program sends to itself, too. `SP_disconnect` waits by itself. Not a point of
/// cancellation.
///
/// Returns 0, `SPX_TIMEOUT`, `CONNECTION_CLOSED` or `NET_ERROR_ON_SESSION` if the connection is lost,
/// `ILLEGAL_SESSION`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_drain(mbox: Mailbox, timeout_ms: c_int) -> c_int {
    guard(|| match spread_client::drain(mbox, limit(timeout_ms)) {
        Ok(()) => 0,
        Err(error) => errors::code(error),
    })
}
