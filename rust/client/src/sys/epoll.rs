//! The reader's own readiness queue (epoll).
//!
//! The reader does not hand link sockets to the async runtime: a leave-one-byte drain never meets
//! `EAGAIN`, so the runtime's idea of readiness would have to be cleared by hand. The queue is
//! itself one descriptor that the runtime watches.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the async runtime of this thread watch `fd` for input.
pub(crate) fn watch_readable(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: the descriptor is owned by the result, which deregisters it before it is closed, and
    // nobody else changes what its number stands for.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(Into::into)
}

/// A set of descriptors, each with a 64 bit key.
#[derive(Debug)]
pub(crate) struct Epoll(OwnedFd);

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
        Ok(Self(super::fd::move_high(fd, 1024)))
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

    /// A second descriptor for the same set, to be watched itself.
    pub(crate) fn duplicate(&self) -> io::Result<OwnedFd> {
        Ok(super::fd::move_high(self.0.try_clone()?, 1024))
    }

    /// Watches `fd` for input, edge-triggered. Reports at once what is already there.
    pub(crate) fn add(&self, fd: RawFd, key: u64) -> io::Result<()> {
        let events = libc::EPOLLIN | libc::EPOLLRDHUP | libc::EPOLLET;
        self.control(libc::EPOLL_CTL_ADD, fd, events, key)
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

    /// What is ready now, without waiting; fills `into` and returns how many.
    pub(crate) fn ready(&self, into: &mut [Ready; 64]) -> usize {
        let mut events = [libc::epoll_event { events: 0, u64: 0 }; 64];
        // SAFETY: `events` is a live array of 64.
        let count = unsafe { libc::epoll_wait(self.0.as_raw_fd(), events.as_mut_ptr(), 64, 0) };
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

impl AsRawFd for Epoll {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
