//! Waiting until the daemon has what was sent.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::sys::fd;
use crate::table;

/// The first and the longest pause between two looks.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(5);

/// Waits for at most `limit` until the daemon has taken from the system all that was sent before: on
/// a unix socket until it has read it, on TCP until its machine has acknowledged it. `Err` with
/// [`Error::TimedOut`]: it has not.
///
/// # Errors
/// [`Error::IllegalSession`]; [`Error::NetError`] or [`Error::ConnectionClosed`] if the connection is
/// lost, so that nobody can tell; [`Error::TimedOut`].
pub fn drain(mailbox: i32, limit: Option<Duration>) -> Result<(), Error> {
    let session = table::find(mailbox).ok_or(Error::IllegalSession)?;
    let until = limit.and_then(|limit| Instant::now().checked_add(limit));
    let mut pause = FIRST_PAUSE;
    loop {
        if session.has_failed() {
            return Err(Error::NetError);
        }
        if session.closed.load(Ordering::Acquire) {
            return Err(Error::IllegalSession);
        }
        if session.ended.load(Ordering::Acquire) {
            return Err(Error::ConnectionClosed);
        }
        let (sending, linked) = {
            let tx = session.tx();
            let down = session.auto.as_ref().is_some_and(|auto| auto.is_down());
            (tx.owner.is_some(), !down)
        };
        let waiting = fd::unsent(session.link_fd()).map_err(|_| Error::ConnectionClosed)?;
        if waiting == 0 && !sending && linked {
            return Ok(());
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            return Err(Error::TimedOut);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
