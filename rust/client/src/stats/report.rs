//! `SPREAD_STATS_MS`: the figures of all sessions as lines of JSON, in a file or on standard error.
//!
//! For programs that nobody can change. A thread of its own writes, so that a slow disk holds up
//! nobody; it is made at the first connect, and only if the variable is set.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{Stats, of};
use crate::sys::{fd, file, signals};
use crate::{environment, log, table};

const EVERY: &str = "SPREAD_STATS_MS";
const FILE: &str = "SPREAD_STATS_FILE";

/// The shortest time between two reports.
const LEAST: Duration = Duration::from_millis(10);

const STDERR: i32 = 2;

/// The process that has the thread. A forked child has it not.
static REPORTER: AtomicU32 = AtomicU32::new(0);

/// Begins to report if the environment asks for it and this process does not yet.
pub(crate) fn begin() {
    let Some(every) = environment::text(EVERY) else {
        return;
    };
    let me = std::process::id();
    if REPORTER.swap(me, Ordering::SeqCst) == me {
        return;
    }
    let Some(every) = every.parse().ok().map(Duration::from_millis) else {
        tracing::warn!("{EVERY} cannot be {every:?}; it takes milliseconds");
        return;
    };
    if every.is_zero() {
        return;
    }
    let target = match Target::open() {
        Ok(target) => target,
        Err(reason) => {
            tracing::warn!("{FILE}: {reason}");
            return;
        }
    };
    let every = every.max(LEAST);
    let spawned = signals::spawn_masked("spread-stats", 256 * 1024, move || run(every, target));
    if let Err(error) = spawned {
        tracing::warn!("{EVERY}: no thread for it: {error}");
    }
}

enum Target {
    /// Unless it has become a socket, which may be a mailbox.
    Stderr {
        socket: bool,
    },
    File(File),
}

impl Target {
    fn open() -> Result<Self, String> {
        let Some(path) = environment::text(FILE) else {
            return Ok(Self::Stderr {
                socket: fd::is_socket(STDERR),
            });
        };
        let opened = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o640)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path);
        match opened {
            Ok(opened) => Ok(Self::File(file::move_high(opened))),
            Err(error) => Err(format!("{path}: {error}")),
        }
    }

    fn write(&mut self, lines: &str) {
        match self {
            Self::Stderr { socket } => {
                if *socket || !fd::is_socket(STDERR) {
                    fd::write_file(STDERR, lines.as_bytes());
                }
            }
            // There is nobody to tell a failure to.
            Self::File(file) => {
                let _ = file.write_all(lines.as_bytes());
            }
        }
    }
}

fn run(every: Duration, mut target: Target) {
    let mut before: HashMap<u64, (Instant, Stats)> = HashMap::new();
    loop {
        std::thread::sleep(every);
        let mut lines = String::new();
        let mut now = HashMap::new();
        for session in table::sessions() {
            let stats = of(&session);
            let at = Instant::now();
            let known = before.get(&session.key());
            lines.push_str(&line(session.mailbox(), &stats, at, known));
            now.insert(session.key(), (at, stats));
        }
        before = now;
        if !lines.is_empty() {
            target.write(&lines);
        }
    }
}

fn line(mailbox: i32, stats: &Stats, now: Instant, before: Option<&(Instant, Stats)>) -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let time = log::utc(since.unwrap_or_default());
    let json = stats.to_json();
    let rates = before.map_or_else(String::new, |(at, earlier)| {
        let seconds = now.saturating_duration_since(*at).as_secs_f64().max(1e-6);
        #[expect(clippy::cast_precision_loss, reason = "a rate is shown in whole numbers")]
        let rate = |new: u64, old: u64| (new.saturating_sub(old) as f64 / seconds).round();
        format!(
            ",\"messages_in_per_s\":{},\"bytes_in_per_s\":{},\"messages_out_per_s\":{},\"bytes_out_per_s\":{}",
            rate(stats.messages_in, earlier.messages_in),
            rate(stats.bytes_in, earlier.bytes_in),
            rate(stats.messages_out, earlier.messages_out),
            rate(stats.bytes_out, earlier.bytes_out),
        )
    });
    format!(
        "{{\"time\":\"{time}\",\"pid\":{},\"mailbox\":{mailbox},{}{rates}}}\n",
        std::process::id(),
        json.trim_start_matches('{').trim_end_matches('}'),
    )
}
