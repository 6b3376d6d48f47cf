//! What one wait looks at: the array for poll, and whom each element of it belongs to.

use std::os::fd::RawFd;

use super::FdKind;
use super::registry::Priority;

/// Tells which descriptors stand for an attached one.
///
/// Usually an attached descriptor stands for itself ([`ItselfOnly`]). A mailbox may be readable by
/// what happens on another descriptor as well: then it is ready when *any* of its descriptors is.
///
/// Called with the lock of the event loop held, before every wait and for every watched
/// registration: it must be quick, must not block, and any lock it takes comes after that of the
/// event loop.
pub trait FdSources {
    /// Calls `add` once for each descriptor to poll on behalf of `fd`, waiting for `kind`.
    ///
    /// A closed one other than `fd` itself makes the registration ready in every round.
    fn sources(&mut self, fd: RawFd, kind: FdKind, add: &mut dyn FnMut(RawFd));
}

/// Every descriptor stands for itself alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct ItselfOnly;

impl FdSources for ItselfOnly {
    fn sources(&mut self, fd: RawFd, _kind: FdKind, add: &mut dyn FnMut(RawFd)) {
        add(fd);
    }
}

/// The registration for which an element of the array was put in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    pub(super) priority: Priority,
    pub(super) place: usize,
    pub(super) generation: u64,
}

/// The array for one wait. It keeps its memory, so that waits allocate nothing in the long run.
///
/// Each loop fills a set of its own before a wait, and nobody else touches it until the results
/// have been handed back: that is what lets a driver give the kernel a bare pointer into it and
/// hold no lock meanwhile.
#[derive(Debug)]
pub struct PollSet {
    /// One or more for each registration, the highest priority first, and at the end the wake
    /// descriptor (-1: none, which poll ignores). Poll is quick about all that come after the
    /// first ready one, as it does not prepare to be woken by them.
    fds: Vec<libc::pollfd>,
    /// Whom the elements belong to; the last one has no owner.
    owners: Vec<Owner>,
    /// Counts the fillings.
    serial: u64,
}

impl Default for PollSet {
    fn default() -> Self {
        Self::new()
    }
}

impl PollSet {
    /// An empty set.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            fds: Vec::new(),
            owners: Vec::new(),
            serial: 0,
        }
    }

    /// The array to poll.
    pub fn fds_mut(&mut self) -> &mut [libc::pollfd] {
        &mut self.fds
    }

    /// The array, with the results of the last wait.
    #[must_use]
    pub fn fds(&self) -> &[libc::pollfd] {
        &self.fds
    }

    /// The number of this filling. A driver that finds another number after its wait has been
    /// overtaken (by a signal handler that ran a loop of its own) and has no results.
    #[must_use]
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// What poll reported for the wake descriptor; 0 if there is none.
    #[must_use]
    pub fn wake_revents(&self) -> i16 {
        self.fds.last().map_or(0, |wake| wake.revents)
    }

    pub(super) fn start(&mut self) {
        self.serial = self.serial.wrapping_add(1);
        self.fds.clear();
        self.owners.clear();
    }

    pub(super) fn push(&mut self, fd: RawFd, kind: FdKind, owner: Owner) {
        self.fds.push(libc::pollfd {
            fd,
            events: kind.events(),
            revents: 0,
        });
        self.owners.push(owner);
    }

    pub(super) fn finish(&mut self, wake: Option<RawFd>) {
        self.fds.push(libc::pollfd {
            fd: wake.unwrap_or(-1),
            events: libc::POLLIN,
            revents: 0,
        });
    }

    pub(super) fn results(&self) -> impl Iterator<Item = (Owner, &libc::pollfd)> {
        self.owners.iter().copied().zip(&self.fds)
    }
}
