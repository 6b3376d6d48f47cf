//! What waits to be written to one client.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};

use super::stream::Stream;
use crate::core::Message;

/// Messages per write. Also how many may gather before they are written.
pub(super) const BATCH: usize = 128;

/// Whole messages, the first of which may be written in part.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    queue: VecDeque<Message>,
    /// Bytes of the first message that are written.
    sent: usize,
    /// Bytes of all messages.
    bytes: usize,
    /// The kernel takes no more for now.
    blocked: bool,
}

impl Outbox {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    #[inline]
    pub(super) fn is_blocked(&self) -> bool {
        self.blocked
    }

    #[inline]
    pub(super) fn push(&mut self, message: Message) {
        self.bytes += message.len();
        self.queue.push_back(message);
    }

    /// Writes as much as the kernel takes.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    pub(super) fn flush(&mut self, stream: &Stream) -> io::Result<()> {
        self.blocked = false;
        while !self.queue.is_empty() {
            let mut slices = [IoSlice::new(&[]); BATCH];
            let mut offered = 0;
            let mut used = 0;
            for (slice, message) in slices.iter_mut().zip(&self.queue) {
                let from = if used == 0 { self.sent } else { 0 };
                let bytes = &message[from..];
                offered += bytes.len();
                *slice = IoSlice::new(bytes);
                used += 1;
            }
            match stream.write(&slices[..used]) {
                Ok(written) => {
                    self.took(written);
                    if written < offered {
                        self.blocked = true;
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.blocked = true;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Forgets what has been written.
    fn took(&mut self, mut written: usize) {
        while let Some(front) = self.queue.front() {
            let left = front.len() - self.sent;
            if written < left {
                self.sent += written;
                return;
            }
            written -= left;
            self.bytes -= front.len();
            self.sent = 0;
            self.queue.pop_front();
        }
    }
}
