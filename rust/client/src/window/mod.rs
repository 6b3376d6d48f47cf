//! `send_window`: how many of its own messages a session may have under way.
//!
//! A message counts from its send until it has come back. It comes back for certain if the session is
//! in one of its groups when the daemons order it, and that is known when it is sent: a session's own
//! joins, leaves and messages are ordered as they were sent, but for services below FIFO, which may
//! overtake. So a RELIABLE message counts only once the session has seen itself in the group; an
//! UNRELIABLE one, which may be lost, never does.
//!
//! [`Window`] is the account, part of the sending half of a session; no I/O but the ringing of
//! bells. [`Tap`] finds what has come back in the stream of arriving bytes, before any policy drops
//! something of it. [`Admission`] is how a sender waits.

mod admission;

use std::collections::{BTreeSet, VecDeque};
use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use spread_proto::{Name, limits, service};

use crate::bells;
use crate::held::ThreadToken;
use crate::inbox::tap::ORDERED;
use crate::reader;
use crate::session::{Rx, Session, Tx};
use crate::sys::fd;

pub(crate) use crate::inbox::tap::{Load, News, Tap};
pub(crate) use admission::{Admission, Admitted, Place};

/// Warnings about one session are not given more often.
const WARN_AGAIN: Duration = Duration::from_secs(60);

/// A thread that waits for room.
#[derive(Debug)]
struct Waiter {
    number: u64,
    thread: ThreadToken,
    load: Load,
    /// Rung when it has been let in; -1: it looks by itself.
    bell: RawFd,
    since: Instant,
    /// Its messages count already.
    admitted: bool,
}

/// How a waiting thread stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Admitted,
    Waits,
    /// It is not in the queue any more.
    Gone,
}

/// The account of one session.
#[derive(Debug)]
pub(crate) struct Window {
    most: u64,
    in_flight: Load,
    /// Counts the times at which all that was under way was given up. What was sent before does not
    /// count any more.
    round: u64,
    /// Groups in which the session has seen itself.
    seen: BTreeSet<[u8; 32]>,
    /// First come, first served.
    queue: VecDeque<Waiter>,
    next: u64,
    /// The process has forked since: what came back may have gone to the other one.
    forked: bool,
    /// The link has been closed, and the session with it: a send will find that.
    over: bool,
    /// How long senders have waited that do so no more.
    waited: Duration,
    warned: Option<Instant>,
}

impl Window {
    /// An empty account. `None`: nothing is limited.
    pub(crate) fn new(most: u32) -> Option<Box<Self>> {
        (most > 0).then(|| {
            Box::new(Self {
                most: most.into(),
                in_flight: Load::default(),
                round: 0,
                seen: BTreeSet::new(),
                queue: VecDeque::new(),
                next: 0,
                forked: false,
                over: false,
                waited: Duration::ZERO,
                warned: None,
            })
        })
    }

    /// Messages that are under way.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.total()
    }

    /// What a message counts, by its kind and its groups (32 bytes each).
    fn load_of(&self, kind: u32, groups: &[u8], joined: &BTreeSet<[u8; 32]>, own: &Name) -> Load {
        let rows = groups.as_chunks::<32>().0;
        if kind & service::SELF_DISCARD != 0 || rows.len() > limits::MAX_DELIVERED_GROUPS {
            return Load::default();
        }
        let ordered = kind & ORDERED != 0;
        let comes_back = rows.iter().any(|row| {
            let name = Name::from_raw(*row);
            let group = name.cleaned();
            name == *own
                || joined.contains(group.raw()) && (ordered || self.seen.contains(group.raw()))
        });
        if comes_back {
            Load::of_kind(kind)
        } else {
            Load::default()
        }
    }

    /// A single message is let in however small the window, or a large batch would wait for ever.
    fn has_room_for(&self, load: Load) -> bool {
        self.in_flight.total() == 0 || self.in_flight.total() + load.total() <= self.most
    }

    /// Lets these messages in, unless there is no room or somebody else has come before.
    fn enter(&mut self, load: Load) -> bool {
        let free = self.queue.iter().all(|waiter| waiter.admitted) && self.has_room_for(load);
        if free {
            self.in_flight.add(load);
        }
        free
    }

    /// Lets them in, whether there is room or not.
    fn force(&mut self, load: Load) {
        self.in_flight.add(load);
    }

    /// Has a thread wait. Returns its number.
    fn queue(&mut self, thread: ThreadToken, load: Load, bell: RawFd) -> u64 {
        let number = self.next;
        self.next += 1;
        self.queue.push_back(Waiter {
            number,
            thread,
            load,
            bell,
            since: Instant::now(),
            admitted: false,
        });
        number
    }

    fn turn(&self, number: u64) -> Turn {
        match self.queue.iter().find(|waiter| waiter.number == number) {
            Some(waiter) if waiter.admitted => Turn::Admitted,
            Some(_) => Turn::Waits,
            None => Turn::Gone,
        }
    }

    /// Takes a thread out of the queue. What it has been let in with goes on to count.
    fn leave(&mut self, number: u64) {
        let at = self.queue.iter().position(|waiter| waiter.number == number);
        if let Some(waiter) = at.and_then(|at| self.queue.remove(at)) {
            self.waited += waiter.since.elapsed();
        }
    }

    /// A thread is gone, or has given up: what it waited for is nobody's.
    pub(crate) fn abandon(&mut self, thread: ThreadToken) {
        let mut free = Load::default();
        self.queue.retain(|waiter| {
            let stays = waiter.thread != thread;
            if !stays {
                self.waited += waiter.since.elapsed();
                bells::put(waiter.bell);
                if waiter.admitted {
                    free.add(waiter.load);
                }
            }
            stays
        });
        self.in_flight.take(free);
        self.let_in();
    }

    /// Messages that were let in are not sent after all.
    pub(crate) fn give_back(&mut self, place: Place) {
        if place.round == self.round {
            self.in_flight.take(place.load);
            self.let_in();
        }
    }

    /// Messages have been sent, which count so much: what they were let in with if nothing has changed
    /// since.
    pub(crate) fn sent(&mut self, place: Option<Place>, load: Load) {
        if let Some(place) = place
            && place.round == self.round
        {
            self.in_flight.take(place.load);
        }
        self.in_flight.add(load);
        self.let_in();
    }

    /// How long senders have waited, all together.
    pub(crate) fn waited(&self) -> Duration {
        let now = self.queue.iter().map(|waiter| waiter.since.elapsed());
        self.waited + now.sum::<Duration>()
    }

    /// Lets those in for whom there is room, in their order.
    fn let_in(&mut self) {
        while let Some(at) = self.queue.iter().position(|waiter| !waiter.admitted) {
            let load = self.queue[at].load;
            if !self.has_room_for(load) {
                return;
            }
            self.in_flight.add(load);
            self.queue[at].admitted = true;
            fd::ring_number(self.queue[at].bell);
        }
    }

    /// Wakes all who wait, to see that the session has ended.
    pub(crate) fn wake_all(&self) {
        for waiter in &self.queue {
            fd::ring_number(waiter.bell);
        }
    }

    /// This has been found in the stream. `in_groups`: the session is in a group, as far as it has
    /// asked.
    fn returned(&mut self, news: News, in_groups: bool) {
        self.in_flight.take(news.back);
        self.seen.extend(news.joined);
        for group in &news.left {
            self.seen.remove(group);
        }
        if !in_groups && !news.left.is_empty() {
            // After the leave of the last group nothing that was sent before can come.
            self.write_off();
        }
        self.let_in();
    }

    /// What is under way counts no more; who has been let in and has not sent counts anew.
    fn write_off(&mut self) {
        self.round += 1;
        self.in_flight = Load::default();
        for waiter in &mut self.queue {
            if waiter.admitted {
                self.in_flight.add(waiter.load);
            }
        }
    }

    /// Another link: what was under way on the old one is gone.
    pub(crate) fn restart(&mut self) {
        self.seen.clear();
        self.write_off();
        self.let_in();
    }

    /// The process is about to fork.
    pub(crate) fn note_fork(&mut self) {
        self.forked = true;
    }

    /// In a forked child: only the forking thread is there.
    pub(crate) fn forget_other_threads(&mut self) {
        self.queue.clear();
        self.write_off();
    }

    /// Whether to warn now that a sender has waited in vain.
    fn may_warn(&mut self) -> bool {
        let may = self.warned.is_none_or(|at| at.elapsed() >= WARN_AGAIN);
        if may {
            self.warned = Some(Instant::now());
        }
        may
    }
}

/// Takes what has been found in the stream into account. Called with the receiving half locked, by
/// whoever has read.
#[inline]
pub(crate) fn settle(session: &Session, rx: &mut Rx) {
    if session.options.send_window > 0 {
        settle_news(session, rx);
    }
}

fn settle_news(session: &Session, rx: &mut Rx) {
    let news = reader::target(rx).tap_mut().and_then(Tap::take_news);
    let failed = session.has_failed();
    if news.is_none() && !failed {
        return;
    }
    let mut tx = session.tx();
    let in_groups = !tx.joined.is_empty();
    if let Some(window) = &mut tx.window {
        if let Some(news) = news {
            window.returned(news, in_groups);
        }
        if failed {
            window.wake_all();
        }
    }
}

/// Wakes all senders that wait for room: the session has ended, one way or the other.
pub(crate) fn wake_all(session: &Session) {
    if session.options.send_window > 0
        && let Some(window) = &session.tx().window
    {
        window.wake_all();
    }
}

/// The daemon has closed the link. On a socket mailbox that is left for a receive to find, as the last
/// byte stays unread; a sender that waits must not wait for that.
pub(crate) fn link_is_over(session: &Session) {
    if session.options.send_window > 0
        && let Some(window) = &mut session.tx().window
    {
        window.over = true;
        window.wake_all();
    }
}

impl Tx {
    /// What a message counts in the window, by its kind and its groups (32 bytes each). Nothing where
    /// there is no window.
    pub(crate) fn load_of(&self, session: &Session, kind: u32, groups: &[u8]) -> Load {
        let Some(window) = &self.window else {
            return Load::default();
        };
        // What comes back may go to the other process.
        if session.claim.is_shared() {
            return Load::default();
        }
        let own = self
            .place
            .as_ref()
            .map_or(&session.link.private_group, |place| &place.private_group);
        window.load_of(kind, groups, &self.joined, own)
    }
}

#[cfg(test)]
mod tests;
