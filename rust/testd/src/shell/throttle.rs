//! The faults of one connection's stream, as seen by the daemon's writes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::fault::StreamFault;

/// What is wrong with a connection's stream.
#[derive(Debug, Default)]
pub(super) struct Throttle {
    trickle: Option<(usize, Duration)>,
    /// Nothing is written before.
    pause_until: Duration,
    delay: Option<Duration>,
    /// When each waiting message may be written.
    due: VecDeque<Duration>,
    pub(super) stall_reading: bool,
    stall_writing: bool,
    corrupt_at: Option<u64>,
    truncate_at: Option<u64>,
    /// Bytes written since positions are counted.
    written: u64,
}

impl Throttle {
    /// Adds a fault; one of the same kind is replaced. `waiting` messages are in the outbox.
    pub(super) fn add(&mut self, fault: StreamFault, waiting: usize, now: Duration) {
        match fault {
            StreamFault::Trickle { bytes, pause } => self.trickle = Some((bytes.max(1), pause)),
            StreamFault::Delay(delay) => {
                self.delay = Some(delay);
                self.due = std::iter::repeat_n(now + delay, waiting).collect();
            }
            StreamFault::StallReading => self.stall_reading = true,
            StreamFault::StallWriting => self.stall_writing = true,
            StreamFault::CorruptAt(at) => self.corrupt_at = Some(self.written.saturating_add(at)),
            StreamFault::TruncateAt(at) => self.truncate_at = Some(self.written.saturating_add(at)),
        }
    }

    pub(super) fn pushed(&mut self, now: Duration) {
        if let Some(delay) = self.delay {
            self.due.push_back(now + delay);
        }
    }

    pub(super) fn popped(&mut self) {
        self.due.pop_front();
    }

    /// How many waiting messages may be written now, at least in part.
    pub(super) fn messages(&self, waiting: usize, now: Duration) -> usize {
        if self.stall_writing || now < self.pause_until || self.is_cut() {
            0
        } else if self.delay.is_some() {
            self.due.iter().take_while(|&&due| due <= now).count()
        } else {
            waiting
        }
    }

    /// How many bytes may be written at once.
    pub(super) fn bytes(&self) -> usize {
        let trickle = self.trickle.map_or(usize::MAX, |(bytes, _)| bytes);
        let cut = self.truncate_at.map_or(usize::MAX, |at| {
            usize::try_from(at.saturating_sub(self.written)).unwrap_or(usize::MAX)
        });
        trickle.min(cut)
    }

    /// Inverts the byte that is to be corrupted, if it is among these, which are to be written
    /// next.
    pub(super) fn corrupt(&self, bytes: &mut [u8]) {
        let offset = self.corrupt_at.and_then(|at| at.checked_sub(self.written));
        if let Some(offset) = offset.and_then(|offset| usize::try_from(offset).ok())
            && let Some(byte) = bytes.get_mut(offset)
        {
            *byte = !*byte;
        }
    }

    /// Notes that so many bytes were written.
    pub(super) fn wrote(&mut self, bytes: usize, now: Duration) {
        self.written = self
            .written
            .saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
        if let Some((_, pause)) = self.trickle {
            self.pause_until = now + pause;
        }
    }

    /// The place where the stream is to be cut has been reached.
    pub(super) fn is_cut(&self) -> bool {
        self.truncate_at.is_some_and(|at| self.written >= at)
    }

    /// When there may be something to write again, if time alone decides that.
    pub(super) fn deadline(&self, waiting: usize) -> Option<Duration> {
        if waiting == 0 || self.stall_writing {
            return None;
        }
        match self.delay {
            Some(_) => self.due.front().map(|due| (*due).max(self.pause_until)),
            None => self.trickle.map(|_| self.pause_until),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn a_trickle_pauses_after_each_write() {
        let mut throttle = Throttle::default();
        let fault = StreamFault::Trickle {
            bytes: 3,
            pause: MS(10),
        };
        throttle.add(fault, 0, MS(0));
        assert_eq!((throttle.messages(2, MS(0)), throttle.bytes()), (2, 3));
        throttle.wrote(3, MS(5));
        assert_eq!(throttle.messages(2, MS(14)), 0);
        assert_eq!(throttle.deadline(2), Some(MS(15)));
        assert_eq!(throttle.messages(2, MS(15)), 2);
        assert_eq!(throttle.deadline(0), None);
    }

    #[test]
    fn delayed_messages_are_due_one_by_one() {
        let mut throttle = Throttle::default();
        throttle.add(StreamFault::Delay(MS(10)), 1, MS(0));
        throttle.pushed(MS(4));
        assert_eq!(throttle.messages(2, MS(9)), 0);
        assert_eq!(throttle.messages(2, MS(10)), 1);
        throttle.popped();
        assert_eq!(throttle.deadline(1), Some(MS(14)));
    }

    #[test]
    fn positions_count_from_the_setting_of_the_fault() {
        let mut throttle = Throttle::default();
        throttle.wrote(100, MS(0));
        throttle.add(StreamFault::CorruptAt(2), 0, MS(0));
        throttle.add(StreamFault::TruncateAt(4), 0, MS(0));
        let mut bytes = [0; 4];
        throttle.corrupt(&mut bytes);
        assert_eq!(bytes, [0, 0, 255, 0]);
        assert_eq!(throttle.bytes(), 4);
        throttle.wrote(4, MS(0));
        assert!(throttle.is_cut());
        let mut bytes = [0; 4];
        throttle.corrupt(&mut bytes);
        assert_eq!(bytes, [0; 4]);
    }
}
