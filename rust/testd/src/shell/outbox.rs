//! What waits to be written to one client.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice};
use std::time::Duration;

use super::stream::Stream;
use super::throttle::Throttle;
use crate::core::Message;
use crate::fault::StreamFault;

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
    throttle: Option<Box<Throttle>>,
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

    /// Adds a message, which may be written at once.
    #[inline]
    pub(super) fn push(&mut self, message: Message, now: Duration) {
        self.bytes += message.len();
        self.queue.push_back(message);
        if let Some(throttle) = &mut self.throttle {
            throttle.pushed(now);
        }
    }

    /// Makes something go wrong from here on.
    pub(super) fn add_fault(&mut self, fault: StreamFault, now: Duration) {
        let waiting = self.queue.len();
        let throttle = self.throttle.get_or_insert_default();
        throttle.add(fault, waiting, now);
    }

    /// Everything is well again.
    pub(super) fn clear_faults(&mut self) {
        self.throttle = None;
    }

    pub(super) fn throttle(&self) -> Option<&Throttle> {
        self.throttle.as_deref()
    }

    /// Writes as much as the kernel takes and faults allow.
    ///
    /// # Errors
    ///
    /// The connection is broken, or a fault has cut it.
    pub(super) fn flush(&mut self, stream: &Stream, now: Duration) -> io::Result<()> {
        self.blocked = false;
        while !self.queue.is_empty() && !self.blocked {
            let written = if self.throttle.is_some() {
                self.write_throttled(stream, now)
            } else {
                self.write(stream)
            };
            match written {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.blocked = true,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match &self.throttle {
            Some(throttle) if throttle.is_cut() => Err(ErrorKind::ConnectionAborted.into()),
            _ => Ok(()),
        }
    }

    /// Writes a batch.
    fn write(&mut self, stream: &Stream) -> io::Result<()> {
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
        let written = stream.write(&slices[..used])?;
        self.took(written);
        self.blocked = written < offered;
        Ok(())
    }

    /// Writes what faults allow, at most one message.
    fn write_throttled(&mut self, stream: &Stream, now: Duration) -> io::Result<()> {
        let (Some(throttle), Some(front)) = (&mut self.throttle, self.queue.front()) else {
            return Ok(());
        };
        if throttle.messages(self.queue.len(), now) == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let left = &front[self.sent..];
        let mut bytes = left[..left.len().min(throttle.bytes())].to_vec();
        throttle.corrupt(&mut bytes);
        let written = stream.write(&[IoSlice::new(&bytes)])?;
        throttle.wrote(written, now);
        self.blocked = written < bytes.len();
        self.took(written);
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
            if let Some(throttle) = &mut self.throttle {
                throttle.popped();
            }
        }
    }
}
