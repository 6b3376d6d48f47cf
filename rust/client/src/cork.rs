//! Messages that are collected and sent together, for programs that ask for it: between
//! [`cork`] and [`Send::uncork`](crate::Send::uncork), or with the option `send_batch_us`.
//!
//! A batch goes out when it is full, when it is asked for, before anything else is sent, before a
//! receive of the session waits, and with `send_batch_us` when its first message has become that
//! old. Its order is that of the calls. A loss is reported by the call that sends the collected.

use std::sync::atomic::Ordering;

use crate::error::Error;
use crate::send::live_session;
use crate::session::{Session, Tx};
use crate::sys::fd;

/// Most bytes of a collected. A larger message goes out by itself, uncopied.
pub(crate) const MOST: usize = 64 * 1024;

/// Frames that wait to be sent together; part of the session's sending half.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// The program has corked the mailbox.
    pub(crate) corked: bool,
    bytes: Vec<u8>,
    /// So many of them are out.
    sent: usize,
}

/// What has become of a batch that was to be sent without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flushed {
    /// It is out, or somebody else is sending it.
    Done,
    /// The daemon pushes back.
    Later,
}

impl Collected {
    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.sent == self.bytes.len()
    }

    /// Whether a frame of `total` bytes still goes in.
    pub(crate) fn has_room(&self, total: usize) -> bool {
        self.bytes.len().saturating_add(total) <= MOST
    }

    /// Adds a part of a frame.
    pub(crate) fn add(&mut self, part: &[u8]) {
        self.bytes.extend_from_slice(part);
    }

    /// What is not out yet.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// The kernel has taken `count` more bytes.
    pub(crate) fn took(&mut self, count: usize) {
        self.sent += count;
        if self.is_empty() {
            self.clear();
        }
    }

    /// Forgets what waits. The memory is kept for the next collected.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.sent = 0;
    }
}

/// Has the messages that are sent on `mailbox` from now on collected.
///
/// # Errors
/// [`Error::IllegalSession`], [`Error::NetError`].
pub fn cork(mailbox: i32) -> Result<(), Error> {
    let session = live_session(mailbox)?;
    session.tx().collected.corked = true;
    Ok(())
}

/// Sends what waits, as far as that goes without waiting. A loss puts the session into the error
/// state.
pub(crate) fn flush_now(session: &Session) -> Flushed {
    let mut tx = session.tx();
    if tx.owner.is_some() {
        // That thread is in the middle of it.
        return Flushed::Done;
    }
    let flushed = send_rest(session, &mut tx);
    match flushed {
        Ok(true) | Err(()) => Flushed::Done,
        Ok(false) => Flushed::Later,
    }
}

/// Sends what the kernel takes of the collected. `Ok(false)`: not all of it. `Err`: the connection is
/// lost, and the session in error.
pub(crate) fn send_rest(session: &Session, tx: &mut Tx) -> Result<bool, ()> {
    while !tx.collected.is_empty() {
        match fd::write_now(session.link_fd(), tx.collected.rest()) {
            Ok(count) => tx.collected.took(count),
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(code) if fd::would_block(code) || code == libc::ENOBUFS => return Ok(false),
                _ => {
                    tx.collected.clear();
                    session.fail();
                    if let Some(window) = &tx.window {
                        window.wake_all();
                    }
                    return Err(());
                }
            },
        }
    }
    session.batched.store(false, Ordering::Release);
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_keeps_order_and_ends_empty() {
        let mut collected = Collected::default();
        assert!(collected.is_empty());
        collected.add(&[1, 2, 3]);
        collected.add(&[4]);
        assert_eq!(collected.rest(), [1, 2, 3, 4]);
        collected.took(3);
        collected.add(&[5]);
        assert_eq!(collected.rest(), [4, 5]);
        collected.took(2);
        assert!(collected.is_empty());
        assert!(collected.has_room(MOST));
        assert!(!collected.has_room(MOST + 1));
        collected.add(&[0]);
        assert!(!collected.has_room(MOST));
        assert!(!collected.has_room(usize::MAX));
    }
}
