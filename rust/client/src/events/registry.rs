//! Who waits for which descriptor: the registrations, one queue for each priority.

use std::collections::HashMap;
use std::collections::TryReserveError;
use std::os::fd::RawFd;

use super::timers::FixedState;

/// What a registration waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FdKind {
    /// A read would not block: data, end of stream or an error.
    Read,
    /// A write would not block.
    Write,
    /// Exceptional data (TCP urgent data, a state change of a terminal).
    Except,
}

impl FdKind {
    /// The `events` to ask poll for.
    #[must_use]
    pub const fn events(self) -> i16 {
        match self {
            Self::Read => libc::POLLIN,
            Self::Write => libc::POLLOUT,
            Self::Except => libc::POLLPRI,
        }
    }

    /// Whether these `revents` make a registration ready: the conditions for which select would
    /// report the descriptor in the set of this kind. Poll reports more, asked or not (a hang-up
    /// to one who waits for exceptional data only).
    #[must_use]
    pub const fn is_ready(self, revents: i16) -> bool {
        let ready = match self {
            Self::Read => libc::POLLIN | libc::POLLHUP | libc::POLLERR,
            Self::Write => libc::POLLOUT | libc::POLLERR,
            Self::Except => libc::POLLPRI,
        };
        revents & ready != 0
    }
}

/// The order in which ready descriptors are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// At most one of these in a round, in turn.
    Low,
    /// All ready ones, in rounds that serve no high one.
    Medium,
    /// All ready ones, first.
    High,
}

impl Priority {
    /// From the lowest to the highest.
    pub const ALL: [Self; 3] = [Self::Low, Self::Medium, Self::High];
}

/// What [`attach`](super::Events::attach) did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// The registration is new.
    New,
    /// One for the same descriptor, kind and priority existed: it has a new callback and is active.
    Replaced,
}

/// One descriptor attached for one kind in one priority.
#[derive(Debug)]
pub(super) struct Registration<C> {
    pub(super) fd: RawFd,
    pub(super) kind: FdKind,
    /// `None`: registered, but nothing to call, so never watched.
    pub(super) callback: Option<C>,
    pub(super) active: bool,
    /// The descriptor was found closed, and the callback has been told.
    pub(super) closed: bool,
    /// Differs for every attaching, also of a number that was attached before.
    pub(super) generation: u64,
    /// The round in which it is ready and not yet served; 0 is no round.
    pub(super) ready_in: u64,
}

/// The registrations of one priority, in the order of attaching, except that the last one moves
/// into the hole that a removed one leaves (the serving order of the classic library).
#[derive(Debug)]
pub(super) struct Queue<C> {
    pub(super) entries: Vec<Registration<C>>,
    /// Index in `entries`.
    places: HashMap<(RawFd, FdKind), usize, FixedState>,
}

impl<C> Queue<C> {
    const fn new() -> Self {
        Self {
            entries: Vec::new(),
            places: HashMap::with_hasher(FixedState::new()),
        }
    }

    pub(super) fn find_mut(&mut self, fd: RawFd, kind: FdKind) -> Option<&mut Registration<C>> {
        if self.entries.is_empty() {
            return None;
        }
        let place = *self.places.get(&(fd, kind))?;
        self.entries.get_mut(place)
    }
}

/// All registrations.
#[derive(Debug)]
pub(super) struct Registry<C> {
    /// Indexed by priority.
    queues: [Queue<C>; 3],
    next_generation: u64,
}

impl<C> Registry<C> {
    pub(super) const fn new() -> Self {
        Self {
            queues: [Queue::new(), Queue::new(), Queue::new()],
            next_generation: 1,
        }
    }

    pub(super) const fn queue(&self, priority: Priority) -> &Queue<C> {
        &self.queues[priority as usize]
    }

    pub(super) const fn queue_mut(&mut self, priority: Priority) -> &mut Queue<C> {
        &mut self.queues[priority as usize]
    }

    pub(super) fn attach(
        &mut self,
        fd: RawFd,
        kind: FdKind,
        priority: Priority,
        callback: Option<C>,
    ) -> Result<Attached, TryReserveError> {
        let generation = self.next_generation;
        let queue = &mut self.queues[priority as usize];
        queue.entries.try_reserve(1)?;
        queue.places.try_reserve(1)?;
        self.next_generation = generation.wrapping_add(1);
        let registration = Registration {
            fd,
            kind,
            callback,
            active: true,
            closed: false,
            generation,
            ready_in: 0,
        };
        if let Some(old) = queue.find_mut(fd, kind) {
            *old = registration;
            return Ok(Attached::Replaced);
        }
        queue.places.insert((fd, kind), queue.entries.len());
        queue.entries.push(registration);
        Ok(Attached::New)
    }

    /// Removes one registration; tells whether there was one.
    pub(super) fn detach(&mut self, fd: RawFd, kind: FdKind, priority: Priority) -> bool {
        let queue = &mut self.queues[priority as usize];
        let Some(place) = queue.places.remove(&(fd, kind)) else {
            return false;
        };
        queue.entries.swap_remove(place);
        if let Some(moved) = queue.entries.get(place) {
            queue.places.insert((moved.fd, moved.kind), place);
        }
        true
    }

    /// Sets the active flag in every priority; tells whether there is such a registration.
    pub(super) fn set_active(&mut self, fd: RawFd, kind: FdKind, active: bool) -> bool {
        let mut found = false;
        for queue in &mut self.queues {
            if let Some(entry) = queue.find_mut(fd, kind) {
                found = true;
                entry.active = active;
                entry.closed = false;
                if !active {
                    entry.ready_in = 0;
                }
            }
        }
        found
    }

    pub(super) fn clear(&mut self) {
        for queue in &mut self.queues {
            queue.entries.clear();
            queue.places.clear();
        }
    }
}

impl<C> Registration<C> {
    /// Whether it wants to be called when ready.
    pub(super) const fn is_watched(&self) -> bool {
        self.active && self.callback.is_some()
    }
}
