//! `SP_poll`: how much waits.

use crate::claim::Taken;
use crate::error::Error;
use crate::reader;
use crate::session::Session;
use crate::sys::fd;
use crate::table;
use spread_proto::HEADER_LEN;

/// Bytes of the daemon's stream that the program has not been given yet, less the header of a
/// message that was refused as too short (the classic library has taken that out of the socket). At
/// the end of the stream 1, until a call has reported the loss. Never waits.
///
/// # Errors
/// [`Error::IllegalSession`], also where the program has closed the number itself.
pub fn waiting_bytes(mailbox: i32) -> Result<usize, Error> {
    let session = table::find(mailbox).ok_or(Error::IllegalSession)?;
    let taken = session.claim.take();
    let mut rx = session.rx();
    if taken != Taken::Held {
        session.now_mine(&mut rx, taken);
        drop(rx);
        reader::claimed(&session);
        rx = session.rx();
    }
    if !session.mailbox.is_ours() {
        return Err(Error::IllegalSession);
    }
    let in_socket = fd::unread(session.link_fd()).map_err(|_| Error::IllegalSession)?;
    let refused = if rx.refused { HEADER_LEN } else { 0 };
    let count = (rx.waiting_bytes() + rx.in_hand + in_socket)
        .saturating_add(rx.spilled_bytes())
        .saturating_sub(refused);
    // While a link is being restored, a receive would wait.
    let over = if session.comes_back().is_some() {
        rx.ended && !rx.outage
    } else {
        rx.ended || at_end(&session)
    };
    if count == 0 && !session.has_failed() && over {
        return Ok(1);
    }
    Ok(count)
}

/// With nothing in the socket: whether that is because the stream has ended.
fn at_end(session: &Session) -> bool {
    fd::ready_now(session.link_fd(), libc::POLLIN) != 0
        && fd::unread(session.link_fd()).is_ok_and(|count| count == 0)
}
