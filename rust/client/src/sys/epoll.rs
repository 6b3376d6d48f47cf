//! The reader's own readiness queue (epoll).
//!
//! Not an async runtime's: a leave-one-byte drain never meets `EAGAIN`, so the runtime's idea of
//! readiness would have to be cleared by hand; its descriptors would take the small numbers that
//! belong to mailboxes; and a queue inside a queue costs a second system call per wake-up.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// A set of descriptors, each with a 64 bit key.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

/// Most events of one wait.
pub(crate) const BATCH: usize = 64;
const BATCH_INT: i32 = 64;

/// What happened on one descriptor.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) key: u64,
    /// End of stream, reset or error.
    pub(crate) ended: bool,
}

impl Epoll {
    pub(crate) fn new() -> io::Result<Self> {
        // SAFETY: takes a flag, returns a descriptor or -1.
        let fd = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a new descriptor that nobody else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        Ok(Self(super::fd::move_high(fd)))
    }

    fn control(&self, op: i32, fd: RawFd, events: i32, key: u64) -> io::Result<()> {
        let mut event = libc::epoll_event {
            events: events.cast_unsigned(),
            u64: key,
        };
        // SAFETY: `event` is live; the kernel copies it.
        let result = unsafe { libc::epoll_ctl(self.0.as_raw_fd(), op, fd, &raw mut event) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(())
    }

    /// Watches `fd` for input, edge-triggered. Reports at once what is already there.
    pub(crate) fn add(&self, fd: RawFd, key: u64) -> io::Result<()> {
        let events = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET;
        self.control(libc::EPOLL_CTL_ADD, fd, events, key)
    }

    /// The same, but only for arrivals that nobody takes who waits at a gate of `fd`
    /// ([`gate`](Self::gate)).
    pub(crate) fn add_last(&self, fd: RawFd, key: u64) -> io::Result<()> {
        // EPOLLRDHUP is not allowed here; the end of a stream counts as input.
        let events = libc::EPOLLIN | libc::EPOLLET | libc::EPOLLEXCLUSIVE;
        self.control(libc::EPOLL_CTL_ADD, fd, events, key)
    }

    /// A set of `fd` alone, for receivers to wait at. As long as one waits there, an arrival wakes it
    /// and not a set to which `fd` is added later by [`add_last`](Self::add_last): the kernel goes
    /// through exclusive waiters in the order of their adding until one has a thread to wake.
    pub(crate) fn gate(fd: RawFd) -> io::Result<Self> {
        let gate = Self::new()?;
        let events = libc::EPOLLIN | libc::EPOLLEXCLUSIVE;
        gate.control(libc::EPOLL_CTL_ADD, fd, events, 0)?;
        Ok(gate)
    }

    /// The set's own number.
    pub(crate) fn raw(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Goes on watching `fd`, added by [`add`](Self::add), or rests until it is to go on. Where it goes
    /// on, what is there already is reported at once. An error: see [`remove`](Self::remove).
    pub(crate) fn set_watching(&self, fd: RawFd, key: u64, watching: bool) -> io::Result<()> {
        let events = if watching {
            libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET
        } else {
            // Hang-ups and errors are reported whatever is asked for.
            libc::EPOLLET
        };
        self.control(libc::EPOLL_CTL_MOD, fd, events, key)
    }

    /// Watches `fd` for its peer's going only.
    pub(crate) fn add_hangup(&self, fd: RawFd, key: u64) -> io::Result<()> {
        self.control(
            libc::EPOLL_CTL_ADD,
            fd,
            libc::EPOLLRDHUP | libc::EPOLLET,
            key,
        )
    }

    /// Stops watching. An error tells that the number does not stand for the watched file any more.
    pub(crate) fn remove(&self, fd: RawFd) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_DEL, fd, 0, 0)
    }

    /// Watches `fd` for input, level-triggered: until it is read, or closed at the other end.
    pub(crate) fn add_level(&self, fd: RawFd, key: u64) -> io::Result<()> {
        self.control(libc::EPOLL_CTL_ADD, fd, libc::EPOLLIN, key)
    }

    /// Waits for at most `timeout_ms` (negative: without limit) and fills `into`; returns how many.
    pub(crate) fn wait(&self, into: &mut [Ready; BATCH], timeout_ms: i32) -> usize {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; BATCH];
        // SAFETY: `events` is a live array of `BATCH`.
        let count = unsafe {
            libc::epoll_wait(
                self.0.as_raw_fd(),
                events.as_mut_ptr(),
                BATCH_INT,
                timeout_ms,
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        let gone = (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR).cast_unsigned();
        for (slot, event) in into.iter_mut().zip(&events[..count]) {
            *slot = Ready {
                key: event.u64,
                ended: event.events & gone != 0,
            };
        }
        count
    }
}
