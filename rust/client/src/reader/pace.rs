//! Whether a program keeps up with its daemon, so that the link may be left to it.
//!
//! A program that reads its link itself costs least when nobody else does. But one that is busy for a
//! while with each message would leave the daemon's buffer to fill, and be thrown out. A program keeps
//! up if it runs out of messages from time to time, or takes them about as fast as daemons send.

use std::time::{Duration, Instant};

/// Less is no measurement.
const LEAST: Duration = Duration::from_micros(500);

/// About what a daemon sends in a millisecond at most, of small messages and of large ones: each costs it
/// two system calls and some bookkeeping, its bytes are copied in and out.
const MESSAGES_PER_MS: u64 = 300;
const BYTES_PER_MS: u64 = 750_000;

/// What the program has taken in all, and what waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) messages: u64,
    pub(super) bytes: u64,
    pub(super) waiting: usize,
}

/// How fast a program has taken messages of late.
#[derive(Debug, Default)]
pub(super) struct Pace {
    since: Option<(Instant, Taken)>,
    slow: bool,
}

impl Pace {
    /// Measures, if the last time is long enough ago.
    pub(super) fn note(&mut self, now: Instant, taken: Taken) {
        if let Some((then, before)) = self.since {
            let time = now.saturating_duration_since(then);
            if time < LEAST {
                return;
            }
            let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
            let below = |count: u64, per_ms: u64| {
                count.saturating_mul(1000) < per_ms.saturating_mul(micros)
            };
            // One that had nothing to take was not slow.
            self.slow = before.waiting > 0
                && taken.waiting > 0
                && below(
                    taken.messages.saturating_sub(before.messages),
                    MESSAGES_PER_MS,
                )
                && below(taken.bytes.saturating_sub(before.bytes), BYTES_PER_MS);
        }
        self.since = Some((now, taken));
    }

    /// Whether the program has been seen to keep up when last measured.
    pub(super) fn keeps_up(&self) -> bool {
        !self.slow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(messages: u64, bytes: u64, waiting: usize) -> Taken {
        Taken {
            messages,
            bytes,
            waiting,
        }
    }

    #[test]
    fn who_takes_as_fast_as_daemons_send_keeps_up() {
        let start = Instant::now();
        for (messages, bytes, keeps_up) in [
            (300, 0, true),
            (299, 749_999, false),
            (1, 750_000, true),
            (0, 0, false),
            // 100 us with each message of 10 KB.
            (10, 100_000, false),
        ] {
            let mut pace = Pace::default();
            pace.note(start, taken(7, 1000, 1));
            assert!(pace.keeps_up(), "not known yet");
            let later = start + Duration::from_millis(1);
            pace.note(later, taken(7 + messages, 1000 + bytes, 1));
            assert_eq!(pace.keeps_up(), keeps_up, "{messages} {bytes}");
        }
    }

    #[test]
    fn who_has_nothing_to_take_keeps_up() {
        let start = Instant::now();
        for (before, after) in [(0, 1), (1, 0), (0, 0)] {
            let mut pace = Pace::default();
            pace.note(start, taken(0, 0, before));
            pace.note(start + Duration::from_secs(1), taken(1, 100, after));
            assert!(pace.keeps_up(), "{before} {after}");
        }
    }

    #[test]
    fn short_times_are_not_measured() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.note(start, taken(0, 0, 1));
        pace.note(start + Duration::from_micros(499), taken(0, 0, 1));
        assert!(pace.keeps_up());
        pace.note(start + Duration::from_micros(500), taken(0, 0, 1));
        assert!(!pace.keeps_up());
    }
}
