//! The wake descriptor: what makes a waiting loop look again.
//!
//! A pair of connected sockets, made on first use and again in a forked child: shared between
//! processes, each would eat the other's wake-ups. The loop polls one end; a byte sent to the
//! other wakes it. Sending is what [`notify_async`] may do in a signal handler.
//!
//! Programs close descriptors they know nothing of (a daemon closes all numbers when it starts),
//! and the kernel gives the numbers away again. So nothing is written to, read from or closed
//! before fstat has told that it is still ours; a socket, unlike an eventfd, can be told apart.

use std::ffi::c_int;
use std::os::fd::{IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

/// Numbers below 1024 belong to the program: `FD_SET` of classic programs ends there. Where the limit
/// of the process does so too, ours are at least far from the next free one.
const FLOORS: [c_int; 3] = [1024, 512, 64];

/// The sending end for signal handlers: process id in the upper half, number in the lower; 0 is
/// none. The identity is stored before it, so whoever sees a number sees no older identity; one
/// that does not match sends nothing, and the loop, which looks at the exit flag after publishing
/// its descriptor and before it waits, misses nothing.
static SENDER: AtomicU64 = AtomicU64::new(0);
static SENDER_DEVICE: AtomicU64 = AtomicU64::new(0);
static SENDER_INODE: AtomicU64 = AtomicU64::new(0);

/// What tells one open socket from another file with the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    device: u64,
    inode: u64,
}

/// One end of the pair.
#[derive(Clone, Copy, Debug)]
struct End {
    fd: RawFd,
    identity: Identity,
}

#[derive(Clone, Copy, Debug)]
struct Pair {
    receiver: End,
    sender: End,
}

/// The wake descriptor of this process.
#[derive(Debug)]
pub(super) struct Wake {
    pair: Option<Pair>,
    /// A byte is on its way that no loop has taken yet.
    pending: bool,
}

impl Wake {
    pub(super) const fn new() -> Self {
        Self {
            pair: None,
            pending: false,
        }
    }

    /// The descriptor to poll; makes it if there is none. `None`: no descriptors are left.
    pub(super) fn ensure(&mut self) -> Option<RawFd> {
        if let Some(pair) = self.pair {
            return Some(pair.receiver.fd);
        }
        let (receiver, sender) = make_pair()?;
        SENDER_DEVICE.store(sender.identity.device, Ordering::SeqCst);
        SENDER_INODE.store(sender.identity.inode, Ordering::SeqCst);
        SENDER.store(pack(std::process::id(), sender.fd), Ordering::SeqCst);
        self.pair = Some(Pair { receiver, sender });
        Some(receiver.fd)
    }

    /// Wakes the loops that wait, unless they are being woken already.
    pub(super) fn notify(&mut self) {
        if let Some(pair) = self.pair
            && !self.pending
        {
            self.pending = pair.sender.is_ours() && send_byte(pair.sender.fd);
        }
    }

    /// Takes the bytes out, after poll has reported something. If the number is not ours any more
    /// the next [`ensure`](Self::ensure) makes a new one.
    pub(super) fn drain(&mut self) {
        self.pending = false;
        let Some(pair) = self.pair else {
            return;
        };
        if !pair.receiver.is_ours() || !pair.sender.is_ours() {
            self.close();
            return;
        }
        let mut bytes = [0_u8; 64];
        loop {
            let room = bytes.len();
            // SAFETY: `bytes` is valid for `room` bytes; the socket is ours and non-blocking.
            let taken = unsafe { libc::recv(pair.receiver.fd, bytes.as_mut_ptr().cast(), room, 0) };
            if usize::try_from(taken) != Ok(room) {
                return;
            }
        }
    }

    /// Gives the descriptor up; the next wait makes a new one. A forked child closes its copy of
    /// the parent's, which the parent does not notice.
    pub(super) fn close(&mut self) {
        SENDER.store(0, Ordering::SeqCst);
        self.pending = false;
        if let Some(pair) = self.pair.take() {
            for end in [pair.receiver, pair.sender] {
                if end.is_ours() {
                    close_fd(end.fd);
                }
            }
        }
    }
}

impl End {
    fn is_ours(&self) -> bool {
        identify(self.fd) == Some(self.identity)
    }
}

/// Wakes the loops that wait. Async-signal-safe; errno is kept.
pub(super) fn notify_async() {
    let sender = SENDER.load(Ordering::SeqCst);
    if sender == 0 {
        return;
    }
    let saved = errno::get();
    if let Some(fd) = unpack(sender, std::process::id()) {
        let published = Identity {
            device: SENDER_DEVICE.load(Ordering::SeqCst),
            inode: SENDER_INODE.load(Ordering::SeqCst),
        };
        if identify(fd) == Some(published) {
            send_byte(fd);
        }
    }
    errno::set(saved);
}

fn pack(process: u32, fd: RawFd) -> u64 {
    u64::from(process) << 32 | u64::from(fd.unsigned_abs())
}

/// The number, if it was published by this process.
fn unpack(sender: u64, process: u32) -> Option<RawFd> {
    if sender >> 32 != u64::from(process) {
        return None;
    }
    RawFd::try_from(sender & u64::from(u32::MAX)).ok()
}

fn make_pair() -> Option<(End, End)> {
    let (receiver, sender) = UnixStream::pair().ok()?;
    receiver.set_nonblocking(true).ok()?;
    sender.set_nonblocking(true).ok()?;
    let ends = [receiver, sender].map(|end| {
        let fd = move_out_of_the_way(end.into_raw_fd());
        identify(fd).map(|identity| End { fd, identity })
    });
    let [Some(receiver), Some(sender)] = ends else {
        return None;
    };
    Some((receiver, sender))
}

/// Moves a descriptor to a number that classic programs do not expect to be theirs, as far as the
/// limit allows.
fn move_out_of_the_way(fd: RawFd) -> RawFd {
    for floor in FLOORS {
        // SAFETY: duplicates a descriptor of ours; no memory is involved.
        let moved = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, floor) };
        if moved >= 0 {
            close_fd(fd);
            return moved;
        }
    }
    fd
}

fn close_fd(fd: RawFd) {
    // SAFETY: the caller has made sure that the number is ours, and forgets it.
    unsafe { libc::close(fd) };
}

fn identify(fd: RawFd) -> Option<Identity> {
    let mut status = std::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: `status` is valid for the write.
    if unsafe { libc::fstat(fd, status.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: fstat has succeeded, so it has filled the struct.
    let status = unsafe { status.assume_init() };
    Some(Identity {
        device: status.st_dev,
        inode: status.st_ino,
    })
}

/// Sends one byte; tells whether one is there now (a full socket holds some as well).
fn send_byte(fd: RawFd) -> bool {
    let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
    // SAFETY: one byte of a constant; the socket is ours and does not block or raise a signal.
    let sent = unsafe { libc::send(fd, ptr::from_ref(&1_u8).cast(), 1, flags) };
    sent == 1 || errno::get() == libc::EAGAIN
}

/// errno of this thread, without the detour over an `io::Error`: readable in a frame that owns
/// nothing, writable by a signal handler.
pub(super) mod errno {
    use std::ffi::c_int;

    pub(in super::super) fn get() -> c_int {
        // SAFETY: no precondition.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: points to errno of this thread.
        unsafe { *errno }
    }

    pub(in super::super) fn set(value: c_int) {
        // SAFETY: no precondition.
        let errno = unsafe { libc::__errno_location() };
        // SAFETY: points to errno of this thread.
        unsafe { *errno = value };
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    fn readable(fd: RawFd) -> bool {
        let mut element = libc::pollfd {
            fd,
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one element, valid for the call.
        unsafe { libc::poll(&raw mut element, 1, 0) == 1 }
    }

    /// One test for all, as what is published for signal handlers is one per process.
    #[test]
    fn wakes_until_drained_and_touches_no_file_of_the_program() {
        let mut wake = Wake::new();
        wake.notify();
        notify_async();
        let fd = wake.ensure().expect("descriptors");
        assert_eq!(wake.ensure(), Some(fd));
        assert!(!readable(fd));

        wake.notify();
        assert!(readable(fd));
        wake.drain();
        assert!(!readable(fd));
        wake.notify();
        assert!(readable(fd), "a drained one can be notified again");
        for _ in 0..100_000 {
            notify_async();
        }
        wake.drain();
        assert!(!readable(fd));

        errno::set(12_345);
        notify_async();
        assert_eq!(errno::get(), 12_345);

        // The program closes what it does not know, and opens something of its own.
        let (mine, other) = UnixStream::pair().expect("a pair");
        let pair = wake.pair.expect("a pair");
        for end in [pair.receiver.fd, pair.sender.fd] {
            // SAFETY: both are descriptors of this test.
            assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), end) }, end);
        }
        notify_async();
        wake.notify();
        assert!(!readable(mine.as_raw_fd()));
        wake.drain();
        assert!(wake.pair.is_none());
        for end in [pair.receiver.fd, pair.sender.fd] {
            assert!(identify(end).is_some(), "closed a file of the program");
            close_fd(end);
        }
        assert!(wake.ensure().is_some());
        wake.close();
    }

    #[test]
    fn only_the_process_that_has_published_a_descriptor_uses_it() {
        assert_eq!(unpack(pack(17, 1_030), 17), Some(1_030));
        assert_eq!(unpack(pack(17, 1_030), 18), None);
        assert_eq!(
            unpack(pack(u32::MAX, RawFd::MAX), u32::MAX),
            Some(RawFd::MAX)
        );
    }
}
