//! The system calls in which a program's thread waits, as plain data.
//!
//! Programs end a blocked receiver with `pthread_cancel`, or leave it with `siglongjmp` from a
//! signal handler. Both remove frames without asking them. So the call is described by a
//! [`BlockingCall`] without any destructor, made by [`BlockingCall::run`] through declarations
//! that may unwind, and every resource it stands for is registered elsewhere
//! ([`crate::held`]) while it runs.

use std::os::fd::RawFd;

use libc::{c_int, c_void, epoll_event, msghdr, nfds_t, pollfd, sigset_t, size_t, ssize_t};

// The libc crate declares these as functions that never unwind; the compiler then drops the
// unwind tables of the callers and a cancelled thread aborts the process.
unsafe extern "C-unwind" {
    fn recv(fd: c_int, buf: *mut c_void, len: size_t, flags: c_int) -> ssize_t;
    fn poll(fds: *mut pollfd, nfds: nfds_t, timeout: c_int) -> c_int;
    // Not epoll_wait, which the reader uses and which the libc crate declares.
    fn epoll_pwait(
        set: c_int,
        events: *mut epoll_event,
        most: c_int,
        timeout: c_int,
        mask: *const sigset_t,
    ) -> c_int;
}

/// What a blocking call asks of the kernel.
#[derive(Clone, Copy, Debug)]
enum Request {
    Nothing,
    Recv {
        fd: RawFd,
        buf: *mut u8,
        len: usize,
    },
    Gate {
        set: RawFd,
        event: epoll_event,
    },
    Poll {
        fds: [pollfd; 2],
        count: usize,
        timeout_ms: c_int,
    },
}

/// One system call that may block, and its result. Owns nothing.
#[derive(Clone, Copy, Debug)]
pub struct BlockingCall {
    request: Request,
    result: isize,
    errno: i32,
}

impl BlockingCall {
    /// No call: [`run`](Self::run) returns at once.
    pub(crate) const NONE: Self = Self {
        request: Request::Nothing,
        result: 0,
        errno: 0,
    };

    /// A blocking `recv` into memory that outlives the call, whoever abandons it.
    pub(crate) fn recv(fd: RawFd, landing: &super::fd::Landing, offset: usize) -> Self {
        let (buf, len) = landing.tail(offset);
        Self {
            request: Request::Recv { fd, buf, len },
            ..Self::NONE
        }
    }

    /// Waits at a gate ([`Epoll::gate`](super::epoll::Epoll::gate)).
    pub(crate) fn gate(set: RawFd) -> Self {
        Self {
            request: Request::Gate {
                set,
                event: epoll_event { events: 0, u64: 0 },
            },
            ..Self::NONE
        }
    }

    /// Waits until `fd` is ready for `events`, or for `timeout_ms` (negative: without limit).
    pub(crate) fn poll(fd: RawFd, events: i16, timeout_ms: i32) -> Self {
        let one = pollfd {
            fd,
            events,
            revents: 0,
        };
        Self {
            request: Request::Poll {
                fds: [one, one],
                count: 1,
                timeout_ms,
            },
            ..Self::NONE
        }
    }

    /// Waits until `fd` is ready for `events` or `bell` for reading, or for `timeout_ms`.
    pub(crate) fn poll_two(fd: RawFd, events: i16, bell: RawFd, timeout_ms: i32) -> Self {
        let one = |fd, events| pollfd {
            fd,
            events,
            revents: 0,
        };
        Self {
            request: Request::Poll {
                fds: [one(fd, events), one(bell, libc::POLLIN)],
                count: 2,
                timeout_ms,
            },
            ..Self::NONE
        }
    }

    /// Waits for `timeout_ms`.
    pub(crate) fn pause(timeout_ms: i32) -> Self {
        Self {
            request: Request::Poll {
                fds: [pollfd {
                    fd: -1,
                    events: 0,
                    revents: 0,
                }; 2],
                count: 0,
                timeout_ms,
            },
            ..Self::NONE
        }
    }

    /// Makes the call. May block; may be left by cancellation or a long jump and then never
    /// returns. Keep this frame and its callers free of destructors.
    #[inline]
    pub fn run(&mut self) {
        self.result = match &mut self.request {
            Request::Nothing => 0,
            Request::Recv { fd, buf, len } => {
                // SAFETY: `buf` is the tail of a `Landing`, `len` bytes long, which its session
                // keeps alive for as long as a receiver is registered on it.
                unsafe { recv(*fd, buf.cast(), *len, 0) }
            }
            Request::Gate { set, event } => {
                // SAFETY: `event` is live, an array of one; no mask is given.
                let ready = unsafe { epoll_pwait(*set, event, 1, -1, std::ptr::null()) };
                ready as isize
            }
            Request::Poll {
                fds,
                count,
                timeout_ms,
            } => {
                let number = *count as nfds_t;
                // SAFETY: `fds` is a live array of two, `count` is 1 or 2.
                let ready = unsafe { poll(fds.as_mut_ptr(), number, *timeout_ms) };
                ready as isize
            }
        };
        if self.result < 0 {
            self.errno = super::fd::errno();
        }
    }

    /// Makes the call without waiting. False: it would have to wait, and nothing has been done.
    pub(crate) fn run_now(&mut self) -> bool {
        match &mut self.request {
            Request::Nothing => self.result = 0,
            Request::Recv { fd, buf, len } => {
                // SAFETY: as in `run`.
                self.result = unsafe { recv(*fd, buf.cast(), *len, libc::MSG_DONTWAIT) };
                if self.result < 0 {
                    self.errno = super::fd::errno();
                    return !super::fd::would_block(self.errno);
                }
            }
            // A set is readable itself as soon as something in it is ready.
            Request::Gate { set, .. } => {
                let ready = super::fd::ready_now(*set, libc::POLLIN);
                self.result = isize::from(ready != 0);
                return ready != 0;
            }
            Request::Poll { fds, count, .. } => {
                let one = fds.iter_mut().take(*count);
                let ready = one.filter_map(|one| {
                    one.revents = super::fd::ready_now(one.fd, one.events);
                    (one.revents != 0).then_some(())
                });
                self.result = isize::try_from(ready.count()).unwrap_or(0);
                return self.result > 0;
            }
        }
        true
    }

    /// A wait for readiness with a time limit instead of its own, uncancellable. True: ready.
    pub(crate) fn poll_for(&self, timeout_ms: i32) -> bool {
        match self.request {
            Request::Poll { fds, .. } => {
                super::fd::wait_ready(fds[0].fd, fds[0].events, timeout_ms) != 0
            }
            Request::Nothing | Request::Recv { .. } | Request::Gate { .. } => true,
        }
    }

    /// The descriptor that the call waits for, and for what.
    pub(crate) fn waits_for(&self) -> Option<(RawFd, i16)> {
        match self.request {
            Request::Poll { fds, count, .. } if count > 0 => Some((fds[0].fd, fds[0].events)),
            Request::Recv { fd, .. } => Some((fd, libc::POLLIN)),
            Request::Gate { set, .. } => Some((set, libc::POLLIN)),
            Request::Poll { .. } | Request::Nothing => None,
        }
    }

    /// How long the call waits at most.
    pub(crate) fn limit(&self) -> Option<std::time::Duration> {
        match self.request {
            Request::Poll { timeout_ms, .. } => u64::try_from(timeout_ms)
                .ok()
                .map(std::time::Duration::from_millis),
            Request::Recv { .. } | Request::Gate { .. } | Request::Nothing => None,
        }
    }

    /// The number the kernel returned, or the error.
    pub(crate) fn outcome(&self) -> Result<usize, i32> {
        usize::try_from(self.result).map_err(|_| self.errno)
    }
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
pub(crate) const SEND_FLAGS: c_int = libc::MSG_NOSIGNAL;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
pub(crate) const SEND_FLAGS: c_int = 0;

/// A `msghdr` for `count` parts; it has no destructor and borrows by pointer.
pub(super) fn message_of(iov: *const libc::iovec, count: usize) -> msghdr {
    // SAFETY: `msghdr` is plain data for which all zeroes is a valid (empty) value.
    let mut message: msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = iov.cast_mut();
    message.msg_iovlen = count as _;
    message
}
