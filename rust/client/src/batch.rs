//! Receiving many messages at once, as frames.
//!
//! For callers to whom a call is expensive: the Java binding crosses the border once for as many
//! messages as are there. The frames are handed over as they came from the daemon, so whoever takes
//! them decodes them.

use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use spread_proto::{Direction, FrameLayout, HEADER_LEN, Header, Name, service};

use crate::claim::Taken;
use crate::epoch::NextEpoch;
use crate::error::Error;
use crate::handle::SessionHandle;
use crate::held;
use crate::inbox::{Inbox, SLAB_LEN};
use crate::notice::Ending;
use crate::reader;
use crate::receive::{note_view, own_name};
use crate::session::{Rx, Session};
use crate::sys::out::OutSlice;
use crate::sys::{fd, wait};

/// Largest frame that is handed over; a frame that announces more is broken. A daemon's largest has
/// less than 300 KiB.
pub const MAX_FRAME: usize = 16 << 20;

/// What a receive of frames has brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Whole frames, so many bytes of them; at least one.
    Frames(usize),
    /// The next frame has so many bytes, more than there was room for. It stays.
    NeedsRoom(usize),
    /// Nothing came within the time.
    TimedOut,
    /// [`SessionHandle::wake`] was called.
    Woken,
    /// What comes next came over another link: the session has another name there, which
    /// [`SessionHandle::receiving_as`] tells.
    Renamed,
    /// The connection has ended, and all whole messages have been taken. Said again by every call.
    Ended(Cut),
}

/// Where in a message the daemon's stream has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Between messages, or within a header.
    Header,
    /// Before the refused type of a reject message.
    RejectType,
    /// Within the names.
    Groups,
    /// Within the body.
    Body,
}

/// How the look at the front of the inbox went.
enum Front {
    Took(usize),
    TooLong(usize),
    /// No whole frame is there.
    Incomplete,
    Broken,
}

impl SessionHandle {
    /// Takes as many whole frames as are there and fit into `out`; waits for the first one, for as
    /// long as `patience` (`None`: without limit) allows. The frames are as on the wire: header, old
    /// type of a reject message, groups, body, in the daemon's byte order.
    ///
    /// Callers take turns; a caller that waits for its turn longer than `patience` gets
    /// [`Received::TimedOut`].
    ///
    /// # Errors
    /// [`Error::IllegalSession`] after [`disconnect`](Self::disconnect), [`Error::IllegalMessage`]
    /// once if the daemon sends what makes no sense; the session has ended then.
    pub fn receive_frames(
        &self,
        out: &mut OutSlice<'_>,
        patience: Option<Duration>,
    ) -> Result<Received, Error> {
        let session = &*self.0;
        // Beyond what the clock can tell there is no limit.
        let deadline = patience.and_then(|patience| Instant::now().checked_add(patience));
        self.claim();
        let mut rx = session.rx();
        while rx.owner.is_some() && !session.closed.load(Ordering::Acquire) {
            rx.queued += 1;
            rx = wait_for_turn(session, rx, deadline);
            rx.queued -= 1;
            if deadline.is_some_and(|end| Instant::now() >= end) && rx.owner.is_some() {
                return Ok(Received::TimedOut);
            }
        }
        let result = loop {
            if session.closed.load(Ordering::Acquire) {
                break Err(Error::IllegalSession);
            }
            if std::mem::take(&mut rx.woken) {
                break Ok(Received::Woken);
            }
            let mut frames = 0;
            let front = if session.auto.is_some() {
                take_seen(session, &mut rx, out, &mut frames)
            } else {
                take_frames(&mut rx.inbox, out, &mut frames)
            };
            let mut in_outage = false;
            match front {
                Front::Took(count) => {
                    rx.refused = false;
                    rx.gives(frames, count);
                    break Ok(Received::Frames(count));
                }
                Front::TooLong(total) => break Ok(Received::NeedsRoom(total)),
                Front::Broken => {
                    session.fail();
                    session.shut_down();
                    // Nothing behind this header can be trusted.
                    rx.inbox = Inbox::default();
                    rx.later.clear();
                    session.finish(&mut rx, Ending::BrokenFrame);
                    break Err(Error::IllegalMessage);
                }
                Front::Incomplete if rx.spill.is_some() => {
                    rx = session.wait_for_disk(rx);
                    reader::refill(session, &mut rx);
                    continue;
                }
                Front::Incomplete if rx.is_over() => {
                    let before = rx.own;
                    match rx.next_epoch() {
                        NextEpoch::Here if rx.own == before => continue,
                        NextEpoch::Here => break Ok(Received::Renamed),
                        NextEpoch::NotYet => in_outage = true,
                        NextEpoch::None => {
                            session.fail();
                            break Ok(Received::Ended(cut(&rx.inbox)));
                        }
                    }
                }
                Front::Incomplete => {}
            }
            if rx.bulk && !in_outage {
                rx.bulk = read_bulk(session, &mut rx);
                continue;
            }
            let Some(timeout_ms) = left_ms(deadline) else {
                // A last look, as the caller may have come with no patience at all.
                rx.bulk = read_bulk(session, &mut rx);
                if take_would_succeed(&rx) {
                    continue;
                }
                break Ok(Received::TimedOut);
            };
            // A token for what was left behind would end the wait at once.
            session.drop_token(&mut rx);
            rx.owner = Some(held::token());
            if in_outage {
                // A token tells that the link is back, or never will be.
                drop(rx);
                fd::wait_ready(session.mailbox(), libc::POLLIN, timeout_ms);
            } else {
                reader::before_wait(session, &mut rx);
                drop(rx);
                wait::for_either(session.link_fd(), session.mailbox(), timeout_ms);
            }
            rx = session.rx();
            rx.owner = None;
            if session.is_gone_here() {
                session.end(&mut rx);
            } else {
                rx.bulk = read_bulk(session, &mut rx);
            }
        };
        session.settle_token(&mut rx);
        reader::returned(session, &mut rx);
        if rx.queued > 0 {
            session.rx_free.notify_one();
        }
        result
    }

    /// Whether [`receive_frames`](Self::receive_frames) would return frames, or the end of the
    /// connection, without waiting. What another thread waits for is that thread's.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        let session = &*self.0;
        self.claim();
        let mut rx = session.rx();
        while !take_would_succeed(&rx) && rx.owner.is_none() {
            // What is on disk comes before what is in the socket.
            let more = if rx.spill.is_some() {
                reader::refill(session, &mut rx)
            } else {
                read_bulk(session, &mut rx)
            };
            if !more {
                break;
            }
        }
        let ready = take_would_succeed(&rx);
        session.settle_token(&mut rx);
        reader::returned(session, &mut rx);
        ready
    }

    /// The session's name on the link that the next frames came over.
    #[must_use]
    pub fn receiving_as(&self) -> Name {
        own_name(&self.0, &self.0.rx())
    }

    /// After a fork the first to receive in a process gets the claim of reading.
    fn claim(&self) {
        let session = &self.0;
        let taken = session.claim.take();
        if taken != Taken::Held {
            session.now_mine(&mut session.rx(), taken);
            reader::claimed(session);
        }
    }
}

/// Waits until the turn may be free.
fn wait_for_turn<'s>(
    session: &'s Session,
    rx: MutexGuard<'s, Rx>,
    deadline: Option<Instant>,
) -> MutexGuard<'s, Rx> {
    let Some(end) = deadline else {
        let waited = session.rx_free.wait(rx);
        return waited.unwrap_or_else(PoisonError::into_inner);
    };
    let left = end.saturating_duration_since(Instant::now());
    let waited = session.rx_free.wait_timeout(rx, left);
    waited.unwrap_or_else(PoisonError::into_inner).0
}

/// Milliseconds that may be waited, -1 for ever; `None`: none are left.
fn left_ms(deadline: Option<Instant>) -> Option<i32> {
    let Some(deadline) = deadline else {
        return Some(-1);
    };
    let left = deadline.saturating_duration_since(Instant::now());
    // Rounded up, so that the clock has run out when the wait has.
    let ms = left.as_micros().div_ceil(1000);
    (ms > 0).then(|| i32::try_from(ms).unwrap_or(i32::MAX))
}

/// Reads what waits, up to a slab, without waiting. True: there may be more.
fn read_bulk(session: &Session, rx: &mut Rx) -> bool {
    if rx.is_over() {
        return false;
    }
    reader::has_read(rx);
    let link = session.link_fd();
    let mut room = 0;
    let got = rx.inbox.fill(SLAB_LEN, |slab| {
        room = (slab.capacity() - slab.len()).min(SLAB_LEN);
        fd::read_into(link, slab, room)
    });
    match got {
        Ok(0) => {
            session.end(rx);
            false
        }
        Ok(count) => count == room,
        Err(error) => match error.raw_os_error() {
            Some(libc::EINTR) => true,
            Some(code) if fd::would_block(code) => false,
            _ => {
                session.end(rx);
                false
            }
        },
    }
}

/// Whether there is something to say about the front of the inbox without reading.
fn take_would_succeed(rx: &Rx) -> bool {
    if rx.spill.is_some() {
        return true;
    }
    let here = rx
        .inbox
        .header()
        .is_some_and(|header| match length(&header) {
            Some(total) => rx.inbox.len() >= total,
            None => true,
        });
    // At the end of one link's stream it is for that to say which knows of the next.
    here || rx.is_over() && rx.has_something()
}

/// The same as [`take_frames`] for a session that outlives its link, which has to know what views the
/// program has seen.
fn take_seen(session: &Session, rx: &mut Rx, out: &mut OutSlice<'_>, frames: &mut u64) -> Front {
    let mut taken = 0;
    while let Some(header) = rx.inbox.header() {
        let Some(total) = length(&header) else {
            if taken == 0 {
                return Front::Broken;
            }
            break;
        };
        if rx.inbox.len() < total {
            break;
        }
        if total > out.len() - taken {
            if taken == 0 {
                return Front::TooLong(total);
            }
            break;
        }
        if service::is_membership(header.kind) {
            see(session, rx, &header);
        }
        *frames += 1;
        rx.inbox
            .take(total, |piece| taken += out.write_at(taken, piece));
    }
    if taken == 0 {
        Front::Incomplete
    } else {
        Front::Took(taken)
    }
}

/// A membership message at the front of the inbox is going to the program.
fn see(session: &Session, rx: &mut Rx, header: &Header) {
    let own = own_name(session, rx);
    let groups = usize::try_from(header.num_groups).unwrap_or(0);
    let with_us = (0..groups).any(|at| {
        let mut name = [0; 32];
        rx.inbox.peek(HEADER_LEN + at * 32, &mut name) && Name::from_raw(name) == own
    });
    note_view(session, rx, header, with_us, HEADER_LEN + groups * 32);
}

/// Bytes of a frame with its header; `None` if it cannot be.
fn length(header: &Header) -> Option<usize> {
    let layout = FrameLayout::of(header, Direction::ToClient).ok()?;
    let total = layout.total().saturating_add(HEADER_LEN);
    (total <= MAX_FRAME).then_some(total)
}

/// Moves whole frames from the front of the inbox into `out`, and counts them.
fn take_frames(inbox: &mut Inbox, out: &mut OutSlice<'_>, frames: &mut u64) -> Front {
    let mut taken = 0;
    loop {
        // Usually many frames lie in one piece, and go over in one piece.
        let (run, number) = whole_frames(inbox.front(), out.len() - taken);
        let count = if run > 0 {
            *frames += number;
            run
        } else {
            let Some(header) = inbox.header() else { break };
            let Some(total) = length(&header) else {
                if taken == 0 {
                    return Front::Broken;
                }
                break;
            };
            if inbox.len() < total {
                break;
            }
            if total > out.len() - taken {
                if taken == 0 {
                    return Front::TooLong(total);
                }
                break;
            }
            *frames += 1;
            total
        };
        inbox.take(count, |piece| taken += out.write_at(taken, piece));
    }
    if taken == 0 {
        Front::Incomplete
    } else {
        Front::Took(taken)
    }
}

/// Bytes of the whole and sound frames at the start of `piece`, at most `room`, and their number.
fn whole_frames(piece: &[u8], room: usize) -> (usize, u64) {
    let most = piece.len().min(room);
    let (mut end, mut number) = (0, 0);
    while let Some(raw) = piece.get(end..).and_then(|rest| rest.first_chunk()) {
        match length(&Header::decode(raw)) {
            Some(total) if end + total <= most => end += total,
            _ => break,
        }
        number += 1;
    }
    (end, number)
}

/// Where the stream has ended, with what is left of a frame.
fn cut(inbox: &Inbox) -> Cut {
    let Some(header) = inbox.header() else {
        return Cut::Header;
    };
    let Ok(layout) = FrameLayout::of(&header, Direction::ToClient) else {
        return Cut::Header;
    };
    let came = inbox.len() - HEADER_LEN;
    if came < layout.old_type {
        Cut::RejectType
    } else if came - layout.old_type < layout.groups {
        Cut::Groups
    } else {
        Cut::Body
    }
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use spread_proto::{ByteOrder, Frame, Hint};

    use super::*;

    fn frame(length: usize) -> Vec<u8> {
        Frame::new(
            service::FIFO_MESS,
            Name::new(b"#a#d"),
            Hint::NONE,
            ByteOrder::Big,
            vec![Name::new(b"room")],
            vec![7; length],
        )
        .encode()
    }

    /// Takes frames from an inbox that got `bytes` in pieces of `step`.
    fn take(bytes: &[u8], step: usize, room: usize) -> (Front, usize) {
        let mut inbox = Inbox::default();
        for piece in bytes.chunks(step) {
            inbox.push(piece);
        }
        let mut memory = vec![MaybeUninit::uninit(); room];
        let before = inbox.messages(0);
        let mut frames = 0;
        let front = take_frames(&mut inbox, &mut OutSlice::new(&mut memory), &mut frames);
        assert_eq!(inbox.messages(frames), before - frames);
        (front, inbox.len())
    }

    #[test]
    fn whole_frames_are_taken_as_far_as_they_fit() {
        let one = frame(10);
        let mut bytes = [&one[..], &one, &frame(1000), &one].concat();
        bytes.truncate(bytes.len() - 1);
        for step in [1, 47, 48, 100, 5000] {
            for (room, taken) in [
                (one.len(), one.len()),
                (2 * one.len() + 5, 2 * one.len()),
                (10_000, bytes.len() - (one.len() - 1)),
            ] {
                let (front, left) = take(&bytes, step, room);
                assert!(matches!(front, Front::Took(count) if count == taken));
                assert_eq!(left, bytes.len() - taken, "pieces of {step}");
            }
            let (front, left) = take(&bytes, step, one.len() - 1);
            assert!(matches!(front, Front::TooLong(total) if total == one.len()));
            assert_eq!(left, bytes.len());
        }
        assert!(matches!(take(&one[..47], 7, 999).0, Front::Incomplete));
        assert!(matches!(take(&one[..90 - 1], 7, 999).0, Front::Incomplete));
    }

    #[test]
    fn impossible_frames_are_told_once_all_others_are_taken() {
        let good = frame(1);
        for (at, bad) in [(36, -1), (44, -1), (44, 16 << 20), (36, 1 << 19)] {
            let mut broken = good.clone();
            broken[at..at + 4].copy_from_slice(&i32::to_be_bytes(bad));
            let both = [&good[..], &broken].concat();
            let (front, left) = take(&both, 9999, 9999);
            assert!(matches!(front, Front::Took(count) if count == good.len()));
            assert_eq!(left, broken.len());
            assert!(matches!(take(&broken, 9999, 9999).0, Front::Broken));
        }
    }

    #[test]
    fn the_cut_is_found_by_what_is_missing() {
        let whole = frame(5);
        for (length, expected) in [
            (0, Cut::Header),
            (47, Cut::Header),
            (48, Cut::Groups),
            (79, Cut::Groups),
            (80, Cut::Body),
            (84, Cut::Body),
        ] {
            let mut inbox = Inbox::default();
            inbox.push(&whole[..length]);
            assert_eq!(cut(&inbox), expected, "{length} bytes");
        }
    }
}
