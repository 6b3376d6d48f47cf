//! The library's log, for programs that know nothing of `tracing`: C and Java.
//!
//! The engine tells what happens as `tracing` events. A Rust program installs a subscriber of its
//! own for them; in `libspread.so`, which has a `tracing` of its own, [`start`] installs this one:
//! it writes warnings to standard error, or what `SPREAD_LOG` says to where `SPREAD_LOG_FILE` says.
//!
//! A line is one `write`, without a lock that a fork could find held.

use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::os::fd::RawFd;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::{Mutex, Once, TryLockError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::environment;
use crate::sys::fd::{self, SharedFd};

const STDERR: RawFd = 2;

/// The same warning is not given again for so long.
const REPEAT_AFTER: Duration = Duration::from_secs(60);

/// How many different warnings are remembered for that.
const REMEMBERED: usize = 32;

/// At most so many warnings in [`BURST_TIME`].
const BURST: u32 = 20;
const BURST_TIME: Duration = Duration::from_secs(10);

/// Has what the engine tells written to the log. The first call counts; a program that has
/// installed a subscriber before keeps that.
pub fn start() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let (level, wrong) = level_of(environment::text("SPREAD_LOG").as_deref());
        let (target, unopened) = Target::of(environment::text("SPREAD_LOG_FILE").as_deref());
        let log = Log {
            level,
            target,
            limiter: Mutex::default(),
        };
        // Fails if there is a subscriber already, which is fine.
        let _ = tracing::subscriber::set_global_default(log);
        for warning in wrong.into_iter().chain(unopened) {
            tracing::warn!("{warning}");
        }
    });
}

/// The level that `SPREAD_LOG` asks for, and what is wrong with it.
fn level_of(text: Option<&str>) -> (LevelFilter, Option<String>) {
    match text {
        None | Some("warn") => (LevelFilter::WARN, None),
        Some("off") => (LevelFilter::OFF, None),
        Some("error") => (LevelFilter::ERROR, None),
        Some("info") => (LevelFilter::INFO, None),
        Some("debug") => (LevelFilter::DEBUG, None),
        Some(other) => (
            LevelFilter::WARN,
            Some(format!(
                "SPREAD_LOG cannot be {other:?}; it takes off, error, warn, info, debug"
            )),
        ),
    }
}

/// Where lines go.
#[derive(Debug)]
enum Target {
    /// Standard error. Was it a socket at the start? Then it may be one later.
    Stderr {
        socket: bool,
    },
    File(SharedFd),
}

impl Target {
    fn of(path: Option<&str>) -> (Self, Option<String>) {
        let stderr = Self::Stderr {
            socket: fd::is_socket(STDERR),
        };
        let Some(path) = path else {
            return (stderr, None);
        };
        // Opening a pipe must not wait for a reader. The mode is that of a log of its user's own.
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(libc::O_NONBLOCK)
            .open(path);
        match opened {
            Ok(file) => (Self::File(SharedFd::new(fd::move_high(file.into()))), None),
            Err(error) => (stderr, Some(format!("SPREAD_LOG_FILE: {path}: {error}"))),
        }
    }

    fn write(&self, line: &[u8]) {
        match self {
            // A program that has closed number 2 may have got a socket there since, which need not
            // be its log: it may be a mailbox.
            Self::Stderr { socket } if *socket || !fd::is_socket(STDERR) => {
                fd::write_file(STDERR, line);
            }
            // A program may close all numbers that it does not know.
            Self::File(file) if file.is_ours() => fd::write_file(file.raw(), line),
            Self::Stderr { .. } | Self::File(_) => {}
        }
    }
}

/// Keeps a warning from being given all the time.
#[derive(Debug, Default)]
struct Limiter {
    recent: Vec<(u64, Instant)>,
    burst_since: Option<Instant>,
    burst: u32,
    left_out: u32,
}

impl Limiter {
    /// Whether a line may be written now; with how many have been left out before it.
    fn allow(&mut self, line: &str, now: Instant) -> Option<u32> {
        let mut hasher = DefaultHasher::new();
        line.hash(&mut hasher);
        let hash = hasher.finish();
        self.recent
            .retain(|(_, at)| now.saturating_duration_since(*at) < REPEAT_AFTER);
        if self.recent.iter().any(|(known, _)| *known == hash) {
            return None;
        }
        let fresh = self
            .burst_since
            .is_none_or(|since| now.saturating_duration_since(since) >= BURST_TIME);
        if fresh {
            self.burst_since = Some(now);
            self.burst = 0;
        }
        if self.burst == BURST {
            self.left_out = self.left_out.saturating_add(1);
            return None;
        }
        self.burst += 1;
        if self.recent.len() == REMEMBERED {
            self.recent.remove(0);
        }
        self.recent.push((hash, now));
        Some(std::mem::take(&mut self.left_out))
    }
}

#[derive(Debug)]
struct Log {
    level: LevelFilter,
    target: Target,
    limiter: Mutex<Limiter>,
}

impl Log {
    fn write(&self, level: Level, text: &str) {
        let word = word_of(level);
        let line = match self.target {
            Target::Stderr { .. } => format!("everspread: {word}: {text}\n"),
            Target::File(_) => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH);
                let time = utc(since.unwrap_or_default());
                format!(
                    "{time} everspread[{}]: {word}: {text}\n",
                    std::process::id()
                )
            }
        };
        self.target.write(line.as_bytes());
    }
}

fn word_of(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warning",
        Level::INFO => "info",
        _ => "debug",
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        let mut text = Text::default();
        event.record(&mut text);
        let text = text.finish();
        if level <= Level::WARN {
            let allowed = match self.limiter.try_lock() {
                Ok(mut limiter) => limiter.allow(&text, Instant::now()),
                Err(TryLockError::Poisoned(limiter)) => {
                    limiter.into_inner().allow(&text, Instant::now())
                }
                // Another thread is at it, perhaps one that a fork has left behind.
                Err(TryLockError::WouldBlock) => Some(0),
            };
            match allowed {
                None => return,
                Some(0) => {}
                Some(count) => self.write(level, &format!("{count} warnings were left out")),
            }
        }
        self.write(level, &text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The text of an event: its message, an `error` behind a colon, other fields in brackets.
#[derive(Debug, Default)]
struct Text {
    message: String,
    error: String,
    others: String,
}

impl Text {
    fn finish(self) -> String {
        let mut text = self.message;
        if !self.error.is_empty() {
            let _ = write!(text, ": {}", self.error);
        }
        if !self.others.is_empty() {
            let _ = write!(text, " ({})", self.others);
        }
        // One line, whatever names came from outside.
        if text.contains(char::is_control) {
            text = text
                .chars()
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
        }
        text
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            "error" => write!(self.error, "{value:?}"),
            name => {
                let comma = if self.others.is_empty() { "" } else { ", " };
                write!(self.others, "{comma}{name} {value:?}")
            }
        };
    }
}

/// A time since 1970 as `2026-11-24T12:40:11Z`.
pub(crate) fn utc(since: Duration) -> String {
    let seconds = since.as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years that begin in March, in eras of 400: then the leap day is the last of the year.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_795_524_011, "2026-11-24T12:40:11Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn a_warning_is_given_once_a_minute() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        assert_eq!(limiter.allow("a", start), Some(0));
        assert_eq!(limiter.allow("a", start + REPEAT_AFTER / 2), None);
        assert_eq!(limiter.allow("b", start + REPEAT_AFTER / 2), Some(0));
        assert_eq!(limiter.allow("a", start + REPEAT_AFTER), Some(0));
    }

    #[test]
    fn a_flood_of_warnings_is_cut_and_counted() {
        let mut limiter = Limiter::default();
        let start = Instant::now();
        let given = (0..100).filter(|n| limiter.allow(&format!("{n}"), start).is_some());
        assert_eq!(given.count(), 20);
        assert_eq!(limiter.allow("later", start + BURST_TIME), Some(80));
        assert!(limiter.recent.len() <= REMEMBERED);
    }

    #[test]
    fn levels_have_names() {
        assert_eq!(level_of(None).0, LevelFilter::WARN);
        assert_eq!(level_of(Some("off")).0, LevelFilter::OFF);
        let (level, wrong) = level_of(Some("loud"));
        assert_eq!(level, LevelFilter::WARN);
        assert!(wrong.unwrap().contains("\"loud\""));
    }
}
