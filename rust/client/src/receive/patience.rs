//! Receives that wait for a limited time only, and can be interrupted.
//!
//! They never sit in a blocking read: they poll the link and a bell, and read what is there. They
//! refuse a message as too short only when all of it is there, so that the call after it, which has
//! room, has nothing to wait for.

use std::os::fd::RawFd;
use std::sync::PoisonError;
use std::sync::{Arc, MutexGuard};
use std::time::{Duration, Instant};

use spread_proto::HEADER_LEN;

use super::{Fill, Receive};
use crate::error::Error;
use crate::room::Room;
use crate::session::{Rx, Session};
use crate::sys::blocking::BlockingCall;
use crate::sys::fd;
use crate::{interrupt, reader, table};

/// How often a thread that waits for its turn looks whether it has been interrupted.
const LOOK: Duration = Duration::from_millis(20);

/// How long a receive waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// `None`: without a limit.
    deadline: Option<Instant>,
    /// Not at all.
    never: bool,
    bell: RawFd,
}

impl Patience {
    fn new(session: &Session, limit: Option<Duration>) -> Self {
        let never = limit == Some(Duration::ZERO);
        Self {
            // Beyond what the clock can tell there is no limit.
            deadline: limit.and_then(|limit| Instant::now().checked_add(limit)),
            never,
            bell: if never { -1 } else { interrupt::bell(session) },
        }
    }

    /// Milliseconds to wait at most, for `poll`; or why there is no waiting.
    fn left(&self, session: &Session) -> Result<i32, Error> {
        if self.never {
            return Err(Error::TryAgain);
        }
        interrupt::silence(self.bell);
        if interrupt::is_wanted(session) {
            return Err(Error::Interrupted);
        }
        let Some(deadline) = self.deadline else {
            return Ok(-1);
        };
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::TimedOut);
        }
        // Rounded up, so that the time is over when the wait is.
        Ok(i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX))
    }

    /// The wait for `fd`, or why there is none.
    pub(super) fn wait(&self, session: &Session, fd: RawFd) -> Result<BlockingCall, Error> {
        let ms = self.left(session)?;
        Ok(if self.bell >= 0 {
            BlockingCall::poll_two(fd, libc::POLLIN, self.bell, ms)
        } else {
            BlockingCall::poll(fd, libc::POLLIN, ms)
        })
    }

    /// Waits for a while until the turn is free.
    pub(super) fn wait_for_turn<'s>(
        &self,
        session: &'s Arc<Session>,
        rx: MutexGuard<'s, Rx>,
    ) -> (MutexGuard<'s, Rx>, Result<(), Error>) {
        let most = match self.left(session) {
            Err(error) => return (rx, Err(error)),
            Ok(ms) => u64::try_from(ms).map_or(LOOK, |ms| LOOK.min(Duration::from_millis(ms))),
        };
        let (rx, _) = session
            .rx_free
            .wait_timeout(rx, most)
            .unwrap_or_else(PoisonError::into_inner);
        (rx, Ok(()))
    }
}

impl<'r, 'm> Receive<'r, 'm> {
    /// A receive that waits for at most `limit` (zero: not at all, `None`: without a limit), and can be
    /// interrupted. It also delivers what waits after a send has failed.
    ///
    /// # Errors
    /// [`Error::IllegalSession`]. The steps fail with [`Error::TryAgain`], [`Error::TimedOut`] or
    /// [`Error::Interrupted`] beside the usual errors; nothing is taken then.
    pub fn begin_patient(
        mailbox: i32,
        room: Room<'r, 'm>,
        limit: Option<Duration>,
    ) -> Result<Self, Error> {
        let session = table::find(mailbox).ok_or(Error::IllegalSession)?;
        let patience = Patience::new(&session, limit);
        let mut receive = Self::new(session, room, false);
        receive.patience = Some(patience);
        receive.whole = true;
        Ok(receive)
    }

    /// Reads what is there of a header, and no byte more.
    pub(super) fn read_header_now(&self, session: &Session, rx: &mut Rx) -> Fill {
        if !reader::may_read(session, rx) {
            session.number_is_gone(rx);
            return Fill::Ended;
        }
        reader::has_read(rx);
        let mut raw = [0; HEADER_LEN];
        let missing = HEADER_LEN.saturating_sub(rx.inbox.len());
        loop {
            return match fd::read_now(session.link_fd(), &mut raw[..missing]) {
                Ok(0) => Fill::Ended,
                Ok(count) => {
                    rx.inbox.push(&raw[..count]);
                    Fill::Got
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => continue,
                    Some(code) if fd::would_block(code) => Fill::Wait,
                    _ => Fill::Ended,
                },
            };
        }
    }
}
