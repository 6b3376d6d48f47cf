//! What the reader's thread does: waits for arrivals, requests and its own clock, and drains.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::pace::Taken as PaceTaken;
use super::{Request, SECOND_LOOK, Shared, TICK, flow, lock};
use crate::claim::Taken;
use crate::cork::{self, Flushed};
use crate::fork;
use crate::session::{Kind, Rx, Session};
use crate::sys::epoll::{BATCH, Ready};
use crate::sys::{clock, fd, memory};
use crate::window;

/// The bell's key in the epoll set.
pub(super) const BELL_KEY: u64 = u64::MAX;

/// The timer's key in the epoll set.
pub(super) const TIMER_KEY: u64 = u64::MAX - 2;

/// Further off than anybody waits for.
const NEVER: Duration = Duration::from_secs(1 << 30);

/// When a batch is tried again for which the daemon had no room.
const FULL: Duration = Duration::from_millis(1);

/// The key of all pipes to children.
const CHILD_KEY: u64 = u64::MAX - 1;

/// How long an arrival on a socket mailbox is left to the program's own receive.
const REST: Duration = Duration::from_millis(1);

/// With so much in the inbox of a stable mailbox there is no hurry to add to it.
const PLENTY: usize = crate::inbox::SLAB_LEN;

/// With more than that in the inbox a program is behind, however fast it takes.
const MUCH: usize = 16 << 20;

/// Free memory is given back not more often than this: it takes the allocator some milliseconds.
const TRIM_AGAIN: Duration = Duration::from_secs(1);

/// So many reads within a tick are not worth a tick: their receivers can arm and disarm.
const FEW_READS: u32 = 8;

/// With less than that in a socket the daemon has room for more, whose arrival will be reported.
const LITTLE: usize = 4 * 1024;

/// Most bytes drained from one link before the others get their turn.
const TURN_BYTES: usize = 1 << 20;

/// A disarmed link that the tick looks at.
struct Ticking {
    session: Arc<Session>,
    reads: u32,
    /// Nobody waited on it at the last look.
    suspect: bool,
}

/// An arrival that may be left to the program for a moment.
struct Resting {
    until: Instant,
    session: Arc<Session>,
    reads: u32,
}

/// What the thread knows by itself.
#[derive(Default)]
struct State {
    ticking: Vec<Ticking>,
    next_tick: Option<Instant>,
    resting: Vec<Resting>,
    /// Links whose turn ended before they were dry.
    again: Vec<Arc<Session>>,
    children: Vec<OwnedFd>,
    /// When free memory is to be given back, and when it was last.
    trim_at: Option<Instant>,
    trimmed: Option<Instant>,
}

/// Runs for the life of the process.
pub(super) fn run(shared: &Shared) {
    super::set_starting(false);
    fd::make_roomy();
    let mut state = State::default();
    let mut ready = [Ready {
        key: 0,
        ended: false,
    }; BATCH];
    let mut patience = 0;
    loop {
        let count = shared.epoll.wait(&mut ready, patience);
        let at_work = super::hold_still();
        shared.awake.store(true, Ordering::SeqCst);
        for one in &ready[..count] {
            state.arrival(shared, *one);
        }
        state.requests(shared);
        state.rested(shared);
        state.tick(shared);
        state.trim();
        for session in std::mem::take(&mut state.again) {
            state.drain(session);
        }
        patience = state.patience(shared);
        drop(at_work);
    }
}

/// The program has closed or shut down a mailbox number of the stable kind, a usual way to wake a
/// blocked receiver.
fn mailbox_closed(session: &Session) {
    let mut rx = session.rx();
    session.ended_by_program.store(true, Ordering::Release);
    session.shut_down();
    if session.mailbox.is_ours() {
        session.end(&mut rx);
    } else {
        session.number_is_gone(&mut rx);
    }
    session.settle_token(&mut rx);
}

/// Sends what has been collected for long enough.
fn flush_due(shared: &Shared) {
    let now = Instant::now();
    let mut due = Vec::new();
    {
        let mut flushes = lock(&shared.flushes);
        flushes.retain(|(at, key)| {
            let later = *at > now;
            if !later {
                due.push(*key);
            }
            later
        });
        // Silences the timer too.
        let next = flushes.iter().map(|(at, _)| at.duration_since(now)).min();
        clock::set_timer(&shared.timer, next.unwrap_or(NEVER));
    }
    for key in due {
        if let Some(session) = shared.session(key)
            && cork::flush_now(&session) == Flushed::Later
        {
            shared.flush_after(key, FULL);
        }
    }
}

impl State {
    /// Milliseconds to sleep at most; tells threads whether they have to wake us.
    fn patience(&mut self, shared: &Shared) -> i32 {
        if self.ticking.is_empty() {
            self.next_tick = None;
        } else if self.next_tick.is_none() {
            let suspects = self.ticking.iter().any(|entry| entry.suspect);
            let wait = if suspects { SECOND_LOOK } else { TICK };
            self.next_tick = Some(Instant::now() + wait);
        }
        shared
            .ticking
            .store(self.next_tick.is_some(), Ordering::SeqCst);
        shared.awake.store(false, Ordering::SeqCst);
        // A request that was left while the flag was still up is not slept over.
        if !self.again.is_empty() || !lock(&shared.requests).is_empty() {
            return 0;
        }
        let next = self
            .resting
            .iter()
            .map(|rest| rest.until)
            .chain(self.next_tick)
            .chain(self.trim_at)
            .min();
        next.map_or(-1, |next| {
            let left = next.saturating_duration_since(Instant::now());
            // Rounded up: waking early would only spin.
            i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
        })
    }

    fn arrival(&mut self, shared: &Shared, one: Ready) {
        match one.key {
            BELL_KEY => fd::silence(&shared.bell),
            CHILD_KEY => self.children_gone(shared),
            TIMER_KEY => flush_due(shared),
            key => {
                let Some(session) = shared.session(key / 2) else {
                    return;
                };
                if one.ended && session.kind == Kind::Socket {
                    flow::note_hang_up(&mut session.rx());
                    window::link_is_over(&session);
                }
                if key % 2 == 1 {
                    mailbox_closed(&session);
                } else if one.ended || !self.may_rest(shared, &session) {
                    self.drain(session);
                }
            }
        }
    }

    /// An arrival is first left to a program that keeps up. On a socket mailbox, where the kernel has woken it too, as long
    /// as it has not stayed away before; a small one for good. On a stable one where the program reads the link itself, or has much to
    /// take and is at it, or an event loop of ours waits for the link too. True: nothing to do now.
    fn may_rest(&mut self, shared: &Shared, session: &Arc<Session>) -> bool {
        let mut rx = session.rx();
        let waiting = fd::unread(session.link_fd()).unwrap_or(usize::MAX);
        note_pace(&mut rx, waiting);
        let comes = rx.watch.reads != rx.watch.stayed_away;
        let have = rx.inbox.len();
        let rests = match session.kind {
            Kind::Socket => comes && keeps_up(&rx),
            Kind::Stable if rx.watch.polled => true,
            Kind::Stable => {
                let at_it = comes && have > 0 || rx.watch.taken && have >= PLENTY;
                at_it && rx.owner.is_none() && !session.claim.is_shared() && keeps_up(&rx)
            }
        };
        if !rests {
            return false;
        }
        if session.kind == Kind::Socket && waiting < LITTLE {
            return true;
        }
        if session.kind == Kind::Stable && !rx.watch.polled {
            rx.watch.left = waiting > 0;
            // Being woken by each further arrival would only cost.
            rx.watch.aside = super::leave(shared, session, &mut rx);
        }
        self.rest(session, &mut rx);
        true
    }

    /// Comes back to a session in a moment.
    fn rest(&mut self, session: &Arc<Session>, rx: &mut Rx) {
        let known = self
            .resting
            .iter()
            .any(|rest| rest.session.key() == session.key());
        if !known {
            self.resting.push(Resting {
                until: Instant::now() + REST,
                session: Arc::clone(session),
                reads: rx.watch.reads,
            });
        }
    }

    fn trim(&mut self) {
        if self.trim_at.is_some_and(|at| at <= Instant::now()) {
            self.trim_at = None;
            self.trimmed = Some(Instant::now());
            memory::trim();
        }
    }

    fn requests(&mut self, shared: &Shared) {
        // The list is unlocked again before anything of a session is locked.
        let list = std::mem::take(&mut *lock(&shared.requests));
        for request in list {
            match request {
                Request::Look(key) => {
                    if let Some(session) = shared.session(key) {
                        self.look(shared, session);
                    }
                }
                Request::Trim => {
                    let now = Instant::now();
                    let at = self.trimmed.map_or(now, |last| now.max(last + TRIM_AGAIN));
                    self.trim_at.get_or_insert(at);
                }
                Request::Tick(key) => {
                    if let Some(session) = shared.session(key) {
                        let mut rx = session.rx();
                        note_pace(&mut rx, fd::unread(session.link_fd()).unwrap_or(0));
                        let reads = rx.watch.reads;
                        drop(rx);
                        self.ticking.push(Ticking {
                            session,
                            reads,
                            suspect: false,
                        });
                    }
                }
                Request::Child(pipe) => {
                    if shared.epoll.add_level(pipe.as_raw_fd(), CHILD_KEY).is_ok() {
                        self.children.push(pipe);
                    }
                }
            }
        }
    }

    /// A receiver has left something for us.
    fn look(&mut self, shared: &Shared, session: Arc<Session>) {
        let mut rx = session.rx();
        if rx.watch.armed || rx.watch.ticking || rx.owner.is_some() {
            let armed = rx.watch.armed;
            drop(rx);
            if !armed || !self.may_rest(shared, &session) {
                self.drain(session);
            }
        } else {
            // What waits is reported at once.
            arm(shared, &session, &mut rx);
        }
    }

    /// Looks whether the programs have come back to their disarmed links.
    fn tick(&mut self, shared: &Shared) {
        if self.next_tick.is_none_or(|next| Instant::now() < next) {
            return;
        }
        self.next_tick = None;
        self.ticking.retain_mut(|entry| {
            let session = &entry.session;
            // Waiting for the lock would hold up the program that has it, and so has come back.
            let Some(mut rx) = session.rx_now() else {
                return true;
            };
            let reads = rx.watch.reads.wrapping_sub(entry.reads);
            entry.reads = rx.watch.reads;
            if session.closed.load(Ordering::Acquire) {
                rx.watch.ticking = false;
                return false;
            }
            let enough = if entry.suspect { 0 } else { FEW_READS };
            note_pace(&mut rx, fd::unread(session.link_fd()).unwrap_or(0));
            if reads > enough && (rx.owner.is_some() || keeps_up(&rx)) {
                // A busy program mostly waits; one that does not may just have left.
                entry.suspect = !entry.suspect && rx.owner.is_none();
                return true;
            }
            rx.watch.ticking = false;
            rx.watch.streak = 0;
            if rx.owner.is_some() && !rx.at_disk && session.kind == Kind::Socket {
                // The kernel makes its mailbox readable, whatever becomes of the owner.
                rx.watch.parked = true;
            } else {
                if reads == 0 {
                    rx.watch.stayed_away = rx.watch.reads;
                }
                arm(shared, session, &mut rx);
            }
            false
        });
    }

    /// Drains the socket mailboxes whose arrival has rested. A program that has read its link
    /// meanwhile is left alone for as long again.
    fn rested(&mut self, shared: &Shared) {
        let now = Instant::now();
        let mut due = Vec::new();
        self.resting.retain_mut(|rest| {
            if rest.until > now {
                return true;
            }
            if !rest.session.closed.load(Ordering::Acquire) {
                // A thread that has the lock is there, too.
                let stays = rest.session.rx_now().is_none_or(|mut rx| {
                    let reads = std::mem::replace(&mut rest.reads, rx.watch.reads);
                    let waiting = fd::unread(rest.session.link_fd()).unwrap_or(0);
                    note_pace(&mut rx, waiting);
                    reads != rx.watch.reads && keeps_up(&rx)
                });
                if stays {
                    rest.until = now + REST;
                    return true;
                }
            }
            due.push(Arc::clone(&rest.session));
            false
        });
        for session in due {
            {
                let mut rx = session.rx();
                if rx.watch.aside {
                    super::rearm(shared, &session, &mut rx);
                }
            }
            if !call_back(&session) {
                self.drain(session);
            }
        }
    }

    /// Moves what a link holds into its inbox, for one turn.
    fn drain(&mut self, session: Arc<Session>) {
        let mut rx = session.rx();
        if session.closed.load(Ordering::Acquire) {
            return;
        }
        if session.claim.is_free() {
            announce(&session, &rx);
            return;
        }
        if !session.claim.is_mine() {
            return;
        }
        if rx.owner.is_some() && !rx.at_disk {
            rx.watch.wants = true;
            // The owner may have left by a long jump, and nobody would notice on a stable mailbox.
            if session.kind == Kind::Stable {
                self.rest(&session, &mut rx);
            }
            return;
        }
        if rx.ended || session.has_failed() {
            return;
        }
        // The program may close a number that it knows at any moment, and have another file there: so
        // it is read through a number of our own.
        let held = match session.kind {
            Kind::Socket => session.link.fd.hold(),
            Kind::Stable => Ok(None),
        };
        let link = match &held {
            Ok(Some(own)) => own.as_raw_fd(),
            // Without a descriptor to spare the moment between the look and the read remains.
            Ok(None) if session.kind == Kind::Socket || !session.link_is_ours() => {
                session.number_is_gone(&mut rx);
                return;
            }
            Err(_) if !session.link_is_ours() => {
                session.number_is_gone(&mut rx);
                return;
            }
            _ => session.link_fd(),
        };
        rx.watch.stayed_away = rx.watch.reads;
        rx.watch.polled = false;
        rx.watch.taken = false;
        rx.watch.left = false;
        // It was woken by something.
        note_pace(&mut rx, 1);
        let more = drain_some(&session, &mut rx, link);
        // Before the lock, which a fork waits for: no child inherits it.
        drop(held);
        drop(rx);
        if more {
            self.again.push(session);
        }
    }

    /// Children that are gone, or have replaced their program, leave the connections to us.
    fn children_gone(&mut self, shared: &Shared) {
        self.children.retain(|pipe| {
            let gone = fd::ready_now(pipe.as_raw_fd(), libc::POLLIN) != 0;
            if gone {
                let _ = shared.epoll.remove(pipe.as_raw_fd());
                fork::child_gone();
            }
            !gone
        });
        let sessions: Vec<_> = lock(&shared.sessions).values().cloned().collect();
        for session in sessions {
            // A fork takes this lock first, so it has been counted or comes later.
            let mut rx = session.rx();
            let alone = !fork::has_children();
            if alone {
                let taken = session.claim.alone_again();
                if taken != Taken::Held {
                    session.now_mine(&mut rx, taken);
                }
            }
            drop(rx);
            if alone {
                // Closed by the program while a child still held the connection.
                if session.ended_by_program.load(Ordering::Acquire) {
                    session.shut_down();
                }
                self.drain(session);
            }
        }
    }
}

/// Whether the program keeps up with what comes.
fn keeps_up(rx: &Rx) -> bool {
    let far_behind = rx.inbox.len() > MUCH || rx.spill.is_some() || !rx.later.is_empty();
    !far_behind && rx.watch.pace.keeps_up()
}

/// Measures the program's pace; so many bytes wait in the link.
fn note_pace(rx: &mut Rx, in_link: usize) {
    let taken = PaceTaken {
        messages: rx.taken,
        bytes: rx.taken_bytes,
        waiting: rx.inbox.len().saturating_add(in_link),
    };
    rx.watch.pace.note(Instant::now(), taken);
}

/// Has arrivals wake the reader again. What is there already is reported at once.
fn arm(shared: &Shared, session: &Session, rx: &mut Rx) {
    if rx.watch.armed || rx.ended {
        return;
    }
    if !session.link_is_ours() {
        session.number_is_gone(rx);
        return;
    }
    let waiting = fd::unread(session.link_fd()).is_ok_and(|count| count > 0);
    if waiting && matches!(session.kind, Kind::Stable) {
        // The program had not come back for it: be slower to disarm the next time.
        rx.watch.needed = rx.watch.needed.saturating_mul(2);
    }
    rx.watch.streak = 0;
    rx.inbox.shrink();
    super::rearm(shared, session, rx);
}

/// Data came, and its receiver has not taken it. It is only slow, and takes the token out again when
/// it returns; or it has left by a long jump, and the program must learn that the mailbox is
/// readable. False: there is no receiver at the link, or the kernel tells the program itself.
fn call_back(session: &Session) -> bool {
    let mut rx = session.rx();
    if session.kind != Kind::Stable || rx.owner.is_none() || rx.at_disk {
        return false;
    }
    if let Some(far) = &rx.far
        && rx.watch.wants
        && !rx.token
        && fd::ready_now(session.link_fd(), libc::POLLIN) != 0
    {
        rx.token = fd::write_now(far.as_raw_fd(), &[1]).is_ok();
    }
    true
}

/// Nobody has claimed this mailbox since a fork: the program must still wake from a `select()`.
fn announce(session: &Session, rx: &Rx) {
    if let Some(far) = &rx.far
        && fd::ready_now(session.link_fd(), libc::POLLIN) != 0
    {
        session.claim.announce(|| {
            let _ = fd::write_now(far.as_raw_fd(), &[1]);
        });
    }
}

/// Reads for one turn. True: there may be more.
fn drain_some(session: &Session, rx: &mut Rx, link: RawFd) -> bool {
    let mut turn = TURN_BYTES;
    let mut arrived = false;
    // Something has come of which the mailbox has not told.
    let mut untold = false;
    let more = loop {
        if turn == 0 {
            break true;
        }
        let mut room = flow::room(session, rx).min(turn);
        // Of a socket mailbox the last byte stays, and so the end of the stream is not come to.
        let of_rest = room == 0 && session.kind == Kind::Stable;
        if of_rest {
            room = flow::rest(rx, link).min(turn);
        }
        if room == 0 {
            // It has ended by its policy.
            arrived |= rx.ended;
            break false;
        }
        let limit = match session.kind {
            // The last byte stays, so that the kernel keeps the mailbox readable.
            Kind::Socket => fd::unread(link).unwrap_or(0).saturating_sub(1).min(room),
            Kind::Stable => room,
        };
        if limit == 0 {
            flow::one_left(rx);
            break false;
        }
        match flow::target(rx).fill(limit, |slab| fd::read_into(link, slab, limit)) {
            Ok(0) => {
                session.end(rx);
                arrived = true;
                untold = true;
                break false;
            }
            Ok(count) => {
                untold = true;
                if !rx.token {
                    // The program need not wait for the rest of the turn.
                    session.settle_token(rx);
                    untold = !rx.token;
                }
                arrived = true;
                turn -= count.min(turn);
                if of_rest {
                    flow::took_of_rest(rx, count);
                }
                flow::took(session, rx, count);
            }
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(code) if fd::would_block(code) => {
                    flow::dry(rx);
                    break false;
                }
                _ => {
                    session.end(rx);
                    arrived = true;
                    untold = true;
                    break false;
                }
            },
        }
    };
    if arrived {
        // The program has not come before it.
        rx.watch.streak = 0;
        if untold {
            session.renew_token(rx);
        } else {
            session.settle_token(rx);
        }
    }
    more
}
