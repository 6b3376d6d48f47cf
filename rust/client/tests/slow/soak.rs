//! A day in miniature: bursts and idleness for minutes, and memory comes back to where it was.
//!
//! The network and the sender are in a process of their own, so that what is measured is the library's: this program
//! again, with another test ([`the_other_process`]).

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use spread_testd::Network;

use crate::support::{Sender, number, open, receive, wait_for};

/// Set for the other process.
const OTHER: &str = "SOAK_NETWORK";

/// Bytes of memory that the process has now, from the system.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux tells the memory");
    let pages: usize = text
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse().ok())
        .expect("a number of pages");
    pages * 4096
}

/// Bytes of the largest burst, in memory once.
const BURST: usize = 60_000 * 1112;

/// What may remain of it: slabs that are kept warm (1 MiB), what the allocator has in its pieces, the program's own.
const SLACK: usize = 4 << 20;

/// How long memory may take to come back: it is given back once a second at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// A network with a sender, in a process that ends with this one.
struct Other {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Other {
    /// Gives the names of a daemon's unix socket and port, too.
    fn start() -> (Self, String, String) {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--ignored", "--exact", "--nocapture"])
            .arg("soak::the_other_process")
            .env(OTHER, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let commands = process.stdin.take().unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        let mut other = Self {
            process,
            commands,
            answers,
        };
        let unix = other.answer("unix");
        let tcp = other.answer("tcp");
        (other, unix, tcp)
    }

    /// What stands behind this word, on the line that has it.
    fn answer(&mut self, word: &str) -> String {
        let mut line = String::new();
        while self.answers.read_line(&mut line).unwrap() > 0 {
            if let Some((_, rest)) = line.split_once(&format!("OTHER {word} ")) {
                return rest.trim().to_owned();
            }
            line.clear();
        }
        panic!("the other process has ended without saying {word:?}");
    }

    fn send(&mut self, count: u32) {
        writeln!(self.commands, "{count}").unwrap();
        assert_eq!(self.answer("sent"), count.to_string());
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "a part of the soak"]
fn the_other_process() {
    if std::env::var_os(OTHER).is_none() {
        return;
    }
    // It is about memory: a machine that is busy with other things must not end it.
    let network = Network::builder()
        .max_session_messages(200_000)
        .start()
        .unwrap();
    let say = |word: &str, what: &str| {
        writeln!(std::io::stdout(), "OTHER {word} {what}").unwrap();
    };
    say("unix", &network.daemon(0).unix_name().unwrap());
    say("tcp", &network.daemon(0).spread_name());
    let mut sender = Sender::new(&network);
    for line in std::io::stdin().lines() {
        let count = line.unwrap();
        sender.send(count.parse().unwrap());
        say("sent", &count);
    }
}

#[test]
#[ignore = "takes minutes: SOAK_SECONDS (180)"]
fn memory_returns_after_every_burst() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(180, |text| {
        text.parse().expect("SOAK_SECONDS is a number of seconds")
    });
    let folder = tempfile::tempdir().unwrap();
    let options = format!(
        "recv_policy=spill&recv_max_bytes=8M&spill_dir={}",
        folder.path().display()
    );
    let (mut other, unix, tcp) = Other::start();
    let in_memory = open(&unix, "");
    let on_disk = open(&tcp, &options);
    for slow in [&in_memory, &on_disk] {
        slow.join("group").unwrap();
        assert!(receive(slow).is_regular_membership());
    }
    // The first one hears of the second.
    assert!(receive(&in_memory).is_regular_membership());
    let start = resident();
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut round, mut next) = (0_u32, 0);
    let mut figures = Vec::new();
    while Instant::now() < end || round < 5 {
        // From a trickle to 60 MB and back.
        let burst = [10, 1000, 60_000, 100, 20_000][round as usize % 5];
        other.send(burst);
        for slow in [&in_memory, &on_disk] {
            wait_for(slow, "the burst", |s| {
                s.waiting_messages + 1 >= u64::from(burst)
            });
        }
        let peak = resident();
        if burst == 60_000 {
            assert!(peak > start + BURST, "it waits in memory: {peak}");
        }
        for slow in [&in_memory, &on_disk] {
            for expected in next..next + burst {
                assert_eq!(number(&receive(slow)), expected);
            }
            let stats = slow.stats().unwrap();
            assert_eq!(
                (
                    stats.waiting_messages,
                    stats.waiting_bytes,
                    stats.spilled_bytes
                ),
                (0, 0, 0)
            );
        }
        next += burst;
        round += 1;
        let late = Instant::now() + PATIENCE;
        while resident() > start + SLACK && Instant::now() < late {
            std::thread::sleep(Duration::from_millis(100));
        }
        figures.push((burst, peak >> 10, resident() >> 10));
        assert!(
            resident() <= start + SLACK,
            "start {} KiB; burst, peak and rest in KiB: {figures:?}",
            start >> 10
        );
    }
    let rests = figures.iter().map(|(_, _, rest)| *rest);
    let peaks = figures.iter().map(|(_, peak, _)| *peak);
    // For docs/VERIFICATION.md; past the capturing of test output.
    let _ = writeln!(
        std::io::stderr(),
        "{round} bursts, {next} messages to each; resident at the start {} KiB, most {:?} KiB, between bursts at most {:?} \
         KiB, last {:?} KiB",
        start >> 10,
        peaks.max().unwrap_or(0),
        rests.max().unwrap_or(0),
        figures.last().map_or(0, |(_, _, rest)| *rest),
    );
}
