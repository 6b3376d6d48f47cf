//! Waiting for a descriptor in a task of tokio.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A descriptor that belongs to a session.
#[derive(Debug)]
pub(crate) struct Mailbox(pub(crate) RawFd);

impl AsRawFd for Mailbox {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// Has the runtime of the calling task watch a mailbox for arrivals.
pub(crate) fn register(mailbox: RawFd) -> io::Result<AsyncFd<Mailbox>> {
    // SAFETY: the number is that of an open mailbox, and its session is ended only after what is
    // made here is dropped. A program that closes the number itself has to answer for it, as with
    // every use of it.
    let registered =
        unsafe { AsyncFd::register_with_interest(Mailbox(mailbox), Interest::READABLE) };
    registered.map_err(io::Error::from)
}
