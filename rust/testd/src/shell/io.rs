//! All connections, and what the core sends to them.

use std::time::Duration;

use mio::{Registry, Token};

use super::conn::Conn;
use super::log::Log;
use super::outbox::BATCH;
use crate::core::{Delivery, Link, Message, Sink};
use crate::event::{Ending, Event};

/// How fast a receiver that is catching up is expected to read, in bytes per microsecond.
const CATCH_UP_BYTES_PER_US: usize = 200;

/// The connections.
#[derive(Debug)]
pub(super) struct Io {
    conns: Vec<Option<Conn>>,
    free: Vec<usize>,
    /// Connections per daemon.
    counts: Vec<usize>,
    registry: Registry,
    log: Log,
    /// Since the start; set once per turn of the loop.
    pub(super) now: Duration,
    max_session_messages: usize,
    grace: Duration,
    /// Daemons that write nothing now.
    frozen: Vec<bool>,
    /// Connections with something to write.
    dirty: Vec<Link>,
    /// Connections that a write has found broken.
    broken: Vec<Link>,
    /// Connections for which senders wait.
    graced: Vec<Link>,
    /// Connections whose socket takes no more for now.
    blocked: Vec<Link>,
}

impl Io {
    pub(super) fn new(
        registry: Registry,
        daemons: usize,
        log: Log,
        max_session_messages: usize,
        grace: Duration,
    ) -> Self {
        Self {
            conns: Vec::new(),
            free: Vec::new(),
            counts: vec![0; daemons],
            registry,
            log,
            now: Duration::ZERO,
            max_session_messages,
            grace,
            frozen: vec![false; daemons],
            dirty: Vec::new(),
            broken: Vec::new(),
            graced: Vec::new(),
            blocked: Vec::new(),
        }
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Takes a connection in. Fails if the system cannot watch it.
    pub(super) fn add(&mut self, mut conn: Conn) -> std::io::Result<Link> {
        let at = self.free.pop().unwrap_or_else(|| {
            self.conns.push(None);
            self.conns.len() - 1
        });
        if let Err(error) = conn.stream.register(&self.registry, Token(at)) {
            self.free.push(at);
            return Err(error);
        }
        self.counts[conn.daemon] += 1;
        self.conns[at] = Some(conn);
        Ok(Link(at))
    }

    #[inline]
    pub(super) fn get(&self, link: Link) -> Option<&Conn> {
        self.conns.get(link.0).and_then(Option::as_ref)
    }

    #[inline]
    pub(super) fn get_mut(&mut self, link: Link) -> Option<&mut Conn> {
        self.conns.get_mut(link.0).and_then(Option::as_mut)
    }

    pub(super) fn count(&self, daemon: usize) -> usize {
        self.counts[daemon]
    }

    pub(super) fn of_daemon(&self, daemon: usize) -> Vec<Link> {
        self.conns
            .iter()
            .enumerate()
            .filter(|(_, conn)| conn.as_ref().is_some_and(|conn| conn.daemon == daemon))
            .map(|(at, _)| Link(at))
            .collect()
    }

    /// Writes what the kernel takes of what is waiting, then closes. Returns the number of messages
    /// that were lost.
    pub(super) fn close(&mut self, link: Link) -> usize {
        let Some(mut conn) = self.conns.get_mut(link.0).and_then(Option::take) else {
            return 0;
        };
        self.free.push(link.0);
        self.counts[conn.daemon] -= 1;
        if !conn.out.is_blocked() {
            // A failure changes nothing any more.
            let _ = conn.out.flush(&conn.stream, self.now);
        }
        conn.stream.deregister(&self.registry);
        conn.out.len()
    }

    /// Bytes of the handshake: not counted as messages.
    pub(super) fn send(&mut self, link: Link, bytes: Vec<u8>) {
        let now = self.now;
        if let Some(conn) = self.get_mut(link) {
            conn.out.push(Message::from(bytes), now);
            self.mark_dirty(link);
        }
    }

    #[inline]
    fn mark_dirty(&mut self, link: Link) {
        if let Some(conn) = self.get_mut(link)
            && !std::mem::replace(&mut conn.dirty, true)
        {
            self.dirty.push(link);
        }
    }

    fn throttle_deadlines(&self) -> impl Iterator<Item = Duration> {
        self.blocked.iter().filter_map(|&link| {
            let out = &self.get(link)?.out;
            out.throttle()?.deadline(out.len())
        })
    }

    /// True if a throttled connection may go on now.
    pub(super) fn has_due_throttle(&self) -> bool {
        self.throttle_deadlines().any(|at| at <= self.now)
    }

    /// When a throttled connection may go on. What was due this turn and is still there waits for
    /// its client.
    pub(super) fn throttle_deadline(&self) -> Option<Duration> {
        self.throttle_deadlines().filter(|at| *at > self.now).min()
    }

    /// Writes to all connections that have something and are not known to be blocked.
    pub(super) fn flush_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for link in dirty.drain(..) {
            if let Some(conn) = self.get_mut(link) {
                conn.dirty = false;
                if !conn.out.is_blocked() {
                    self.flush(link);
                }
            }
        }
        self.dirty = dirty;
    }

    /// Tries again where the kernel took no more.
    pub(super) fn flush_blocked(&mut self) {
        for link in std::mem::take(&mut self.blocked) {
            if let Some(conn) = self.get_mut(link) {
                conn.in_blocked = false;
                self.flush(link);
            }
        }
    }

    pub(super) fn has_blocked(&self) -> bool {
        !self.blocked.is_empty()
    }

    pub(super) fn set_frozen(&mut self, daemon: usize, frozen: bool) {
        self.frozen[daemon] = frozen;
    }

    /// Writes what the kernel takes, unless the daemon is frozen.
    pub(super) fn flush(&mut self, link: Link) {
        let now = self.now;
        let Some(conn) = self.conns.get_mut(link.0).and_then(Option::as_mut) else {
            return;
        };
        if conn.broken {
            return;
        }
        if !self.frozen[conn.daemon] && conn.out.flush(&conn.stream, now).is_err() {
            conn.broken = true;
            self.broken.push(link);
            return;
        }
        let finished = conn.finishing && conn.out.is_empty();
        let waits = !conn.out.is_empty();
        if waits && !std::mem::replace(&mut conn.in_blocked, true) {
            self.blocked.push(link);
        }
        if finished {
            self.close(link);
        }
    }

    pub(super) fn take_broken(&mut self) -> Vec<Link> {
        std::mem::take(&mut self.broken)
    }

    /// Looks which receivers have caught up or used up their time. True if senders wait for some.
    pub(super) fn look_at_grace(&mut self) -> bool {
        let mut graced = std::mem::take(&mut self.graced);
        let (now, quarter) = (self.now, self.max_session_messages / 4);
        graced.retain(|&link| match self.get_mut(link) {
            Some(conn) => {
                let waits = conn.out.is_blocked()
                    && conn.out.len() > quarter
                    && conn.grace_until.is_some_and(|until| now < until);
                if !waits && conn.out.len() <= quarter {
                    // It may have time again when it falls behind the next time.
                    conn.grace_until = None;
                }
                waits
            }
            None => false,
        });
        self.graced = graced;
        self.is_in_grace()
    }

    #[inline]
    pub(super) fn is_in_grace(&self) -> bool {
        !self.graced.is_empty()
    }

    pub(super) fn grace_deadline(&self) -> Option<Duration> {
        self.graced
            .iter()
            .filter_map(|&link| self.get(link).and_then(|conn| conn.grace_until))
            .min()
    }

    /// A receiver is more than half way to being dropped: senders are made to wait for it, once.
    #[cold]
    fn start_grace(&mut self, link: Link) {
        let (now, grace) = (self.now, self.grace);
        if let Some(conn) = self.get_mut(link)
            && conn.grace_until.is_none()
        {
            let catch_up = conn.out.bytes() / CATCH_UP_BYTES_PER_US;
            let catch_up = Duration::from_micros(u64::try_from(catch_up).unwrap_or(u64::MAX));
            conn.grace_until = Some(now + grace + catch_up);
            self.graced.push(link);
        }
    }

    pub(super) fn note(&mut self, event: &Event) {
        self.log.line(self.now, event);
    }
}

impl Sink for Io {
    fn deliver(&mut self, link: Link, message: &Message) -> Delivery {
        let max = self.max_session_messages;
        let graceful = !self.grace.is_zero();
        let Some(conn) = self.conns.get_mut(link.0).and_then(Option::as_mut) else {
            // Broken a moment ago; the core will hear of it.
            return Delivery::Taken;
        };
        if conn.broken {
            return Delivery::Taken;
        }
        let full = conn.out.len() >= max;
        if full || (conn.out.len() >= BATCH && !conn.out.is_blocked()) {
            self.flush(link);
        }
        let Some(conn) = self.conns.get_mut(link.0).and_then(Option::as_mut) else {
            return Delivery::Taken;
        };
        if conn.out.len() >= max {
            self.close(link);
            return Delivery::Overflow;
        }
        conn.out.push(message.clone(), self.now);
        let behind = graceful && conn.out.is_blocked() && conn.out.len() > max / 2;
        if !conn.dirty {
            self.mark_dirty(link);
        }
        if behind {
            self.start_grace(link);
        }
        Delivery::Taken
    }

    fn close(&mut self, link: Link, _why: Ending) {
        Self::close(self, link);
    }

    fn accepts_held(&self) -> bool {
        !self.is_in_grace()
    }

    fn notes_messages(&self) -> bool {
        self.log.has_messages()
    }

    fn note(&mut self, event: Event) {
        Self::note(self, &event);
    }
}
