//! Getting more of the daemon's bytes into the inbox, with and without waiting.

use super::{Pending, Receive};
use crate::inbox::SLAB_LEN;
use crate::reader::{self, Way};
use crate::session::{Kind, Rx, Session};
use crate::sys::blocking::BlockingCall;
use crate::sys::fd;

/// First read of a receiver that has waited at the gate.
const FIRST_READ: usize = 2 * 1024;

/// Largest bulk read of a receiver.
const BULK: usize = SLAB_LEN;

/// How an attempt to get more bytes ended.
pub(super) enum Fill {
    Got,
    Ended,
    /// The caller has to wait first.
    Wait,
}

impl Receive<'_, '_> {
    /// Gets bytes of a header: in bulk where more is known to wait, else with a wait.
    pub(super) fn fill_header(&mut self, session: &Session, rx: &mut Rx) -> Fill {
        let through = self.pending == Pending::Gate;
        if through {
            self.pending = Pending::Readable;
        }
        if through || rx.watch.polled {
            match self.read_first(session, rx) {
                Fill::Wait => {}
                done => return done,
            }
        }
        if rx.bulk {
            if !reader::may_read(session, rx) {
                session.number_is_gone(rx);
                return Fill::Ended;
            }
            match self.read_bulk(session, rx) {
                Ok(Fill::Wait) => rx.bulk = false,
                Ok(done) => return done,
                Err(code) if code == libc::EINTR => return Fill::Got,
                Err(code) if fd::would_block(code) => {
                    reader::dry(rx);
                    rx.bulk = false;
                }
                Err(_) => return Fill::Ended,
            }
        }
        if self.patience.is_some() {
            return self.read_header_now(session, rx);
        }
        let code = match self.pending {
            Pending::Header(_) => self.call.outcome().err(),
            Pending::Start | Pending::Readable | Pending::Gate => None,
        };
        // A program may have made the mailbox non-blocking: wait for it instead of spinning.
        if code.is_some_and(fd::would_block) {
            self.pending = Pending::Readable;
            self.call = BlockingCall::poll(session.link_fd(), libc::POLLIN, -1);
            return Fill::Wait;
        }
        match reader::before_wait(session, rx) {
            Way::Gone => {
                session.number_is_gone(rx);
                return Fill::Ended;
            }
            Way::Gate(set) => {
                self.pending = Pending::Gate;
                self.call = BlockingCall::gate(set);
            }
            Way::Link => {
                // No byte more than the header: a message that is then refused must stay in the socket.
                let before = rx.inbox.len();
                self.pending = Pending::Header(before);
                self.call = BlockingCall::recv(session.link_fd(), &session.landing, before);
            }
        }
        Fill::Wait
    }

    /// Somebody who waited at the gate has been let through, or in an event loop: reads what is there of small messages, and
    /// of a large one so little that copying it is nothing. Only on stable mailboxes, where whole
    /// messages may leave the socket.
    fn read_first(&self, session: &Session, rx: &mut Rx) -> Fill {
        reader::has_read(rx);
        let link = session.link_fd();
        let got = rx
            .inbox
            .fill(FIRST_READ, |slab| fd::read_into(link, slab, FIRST_READ));
        match got {
            Ok(0) => Fill::Ended,
            Ok(count) => {
                reader::gave(rx, count);
                rx.watch.more = count == FIRST_READ;
                rx.bulk = rx.watch.more;
                Fill::Got
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => Fill::Wait,
                Some(code) if fd::would_block(code) => {
                    reader::dry(rx);
                    Fill::Wait
                }
                _ => Fill::Ended,
            },
        }
    }

    /// Reads what waits, up to a slab; on socket mailboxes all but the last byte, where there is nothing
    /// more than that, [`Fill::Wait`].
    fn read_bulk(&self, session: &Session, rx: &mut Rx) -> Result<Fill, i32> {
        reader::has_read(rx);
        let link = session.link_fd();
        let limit = match session.kind {
            Kind::Socket => fd::unread(link)
                .map_err(|e| e.raw_os_error().unwrap_or(0))?
                .saturating_sub(1),
            Kind::Stable => BULK,
        };
        if limit == 0 {
            reader::one_left(rx);
            return Ok(Fill::Wait);
        }
        let got = rx
            .inbox
            .fill(limit.min(BULK), |slab| {
                fd::read_into(link, slab, limit.min(BULK))
            })
            .map_err(|e| e.raw_os_error().unwrap_or(0))?;
        if got == 0 {
            return Ok(Fill::Ended);
        }
        reader::gave(rx, got);
        rx.watch.more = true;
        Ok(Fill::Got)
    }

    /// Gets more of a message whose header is there.
    pub(super) fn fill_slab(&mut self, session: &Session, rx: &mut Rx, limit: usize) -> Fill {
        reader::has_read(rx);
        let link = session.link_fd();
        let limit = match session.kind {
            Kind::Socket if rx.bulk => {
                let waiting = fd::unread(link).unwrap_or(0).saturating_sub(1);
                limit.max(waiting.min(BULK))
            }
            Kind::Socket => limit,
            Kind::Stable => limit.max(BULK),
        };
        let mut asked = limit;
        let got = rx.inbox.fill(limit, |slab| {
            asked = limit.min(slab.capacity() - slab.len());
            fd::read_into(link, slab, limit)
        });
        match got {
            Ok(0) => Fill::Ended,
            Ok(count) => {
                reader::gave(rx, count);
                // All that was asked for came: more is waiting.
                rx.bulk = count == asked;
                rx.watch.more = rx.bulk;
                Fill::Got
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => Fill::Got,
                Some(code) if fd::would_block(code) => {
                    reader::dry(rx);
                    self.call = match reader::before_wait(session, rx) {
                        Way::Gone => return Fill::Ended,
                        Way::Gate(set) => BlockingCall::gate(set),
                        Way::Link => BlockingCall::poll(link, libc::POLLIN, -1),
                    };
                    self.pending = Pending::Readable;
                    Fill::Wait
                }
                _ => Fill::Ended,
            },
        }
    }
}
