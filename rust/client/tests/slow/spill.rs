//! Policy `spill`: what does not fit into memory goes to disk and comes back in order.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::Command;

use spread_client::{Connection, Event};

use crate::support::{Sender, events, joined, network, number, on_both, receive, wait_for};

/// Memory for some 90 messages; what is beyond goes to `folder`.
fn options(folder: &Path, more: &str) -> String {
    format!(
        "recv_policy=spill&recv_max_bytes=100K&spill_dir={}{more}",
        folder.display()
    )
}

fn take(slow: &Connection, next: &mut u32, count: u32) {
    for _ in 0..count {
        assert_eq!(number(&receive(slow)), *next);
        *next += 1;
    }
}

fn reasons(events: &[Event]) -> Vec<String> {
    let blocked = events.iter().filter_map(|event| match event {
        Event::Blocked { reason } => Some(reason.clone()),
        _ => None,
    });
    blocked.collect()
}

#[test]
fn all_comes_back_in_order_from_a_file_that_has_no_name() {
    on_both(|tcp| {
        let folder = tempfile::tempdir().unwrap();
        let network = network();
        let slow = joined(&network, &options(folder.path(), ""), tcp);
        let mut sender = Sender::new(&network);
        sender.send(6000);
        let stats = wait_for(&slow, "messages on disk", |s| {
            s.waiting_messages >= 5999 && s.spilled_bytes > 4 << 20
        });
        assert_eq!(
            std::fs::read_dir(folder.path()).unwrap().count(),
            0,
            "{stats:?}"
        );
        let mut next = 0;
        take(&slow, &mut next, 6000);
        let stats = slow.stats().unwrap();
        assert_eq!(
            (
                stats.waiting_messages,
                stats.waiting_bytes,
                stats.spilled_bytes
            ),
            (0, 0, 0)
        );
        assert_eq!(stats.dropped_messages, 0);
        let events = events(&slow);
        assert!(
            matches!(events[..], [Event::Slow { .. }, Event::SlowCleared { .. }]),
            "{events:?}"
        );
    });
}

/// Has the system forget what it holds in memory of files without a name in this folder.
fn make_cold(folder: &Path) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
        let path = entry.unwrap().path();
        let is_it = std::fs::read_link(&path).is_ok_and(|target| target.starts_with(folder));
        if is_it && let Ok(file) = std::fs::File::open(&path) {
            file.sync_all().unwrap();
            // SAFETY: takes numbers only and touches no memory of ours.
            unsafe { libc::posix_fadvise(file.as_raw_fd(), 0, 0, libc::POSIX_FADV_DONTNEED) };
            found += 1;
        }
    }
    found
}

#[test]
fn what_must_come_from_the_disk_comes_in_order_while_more_arrives() {
    on_both(|tcp| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().canonicalize().unwrap();
        let network = network();
        let slow = joined(&network, &options(&path, ""), tcp);
        let mut sender = Sender::new(&network);
        sender.send(8000);
        wait_for(&slow, "messages on disk", |s| {
            s.waiting_messages >= 7999 && s.spilled_bytes > 6 << 20
        });
        std::thread::scope(|scope| {
            scope.spawn(|| sender.send(8000));
            let mut next = 0;
            for _ in 0..16 {
                assert_eq!(make_cold(&path), 1);
                take(&slow, &mut next, 500);
            }
            take(&slow, &mut next, 8000);
        });
        let stats = slow.stats().unwrap();
        assert_eq!((stats.waiting_bytes, stats.spilled_bytes), (0, 0));
    });
}

#[test]
fn a_reader_may_catch_up_and_fall_behind_ten_times() {
    on_both(|tcp| {
        let folder = tempfile::tempdir().unwrap();
        let network = network();
        let slow = joined(&network, &options(folder.path(), ""), tcp);
        let mut sender = Sender::new(&network);
        let (mut next, mut sent) = (0, 0);
        for round in 0..10 {
            sender.send(2500);
            sent += 2500;
            wait_for(&slow, "messages on disk", |s| s.spilled_bytes > 1 << 20);
            if round % 2 == 0 {
                // Not quite: the next burst comes while there is still something on disk.
                take(&slow, &mut next, 1000);
            } else {
                let rest = sent - next;
                take(&slow, &mut next, rest);
                assert_eq!(slow.stats().unwrap().spilled_bytes, 0);
            }
        }
        assert_eq!(next, 25_000);
        assert_eq!(slow.stats().unwrap().waiting_bytes, 0);
    });
}

#[test]
fn at_the_limit_of_the_disk_reading_stops_and_nothing_is_lost() {
    on_both(|tcp| {
        let folder = tempfile::tempdir().unwrap();
        let network = network();
        let slow = joined(
            &network,
            &options(folder.path(), "&spill_max_bytes=1M"),
            tcp,
        );
        let mut sender = Sender::new(&network);
        // Memory, disk and a part of what the daemon holds.
        sender.send(1700);
        wait_for(&slow, "a full disk", |s| s.waiting_messages >= 900);
        let mut next = 0;
        take(&slow, &mut next, 1700);
        let reasons = reasons(&events(&slow));
        assert_eq!(
            reasons.first().map(String::as_str),
            Some("spill_max_bytes is reached")
        );
        // There is room again.
        sender.send(500);
        take(&slow, &mut next, 500);
    });
}

#[test]
fn without_a_folder_it_is_as_block() {
    let network = network();
    let slow = joined(&network, &options(Path::new("/nonexistent"), ""), true);
    let mut sender = Sender::new(&network);
    sender.send(500);
    wait_for(&slow, "a full inbox", |s| s.waiting_bytes >= 100 << 10);
    let mut next = 0;
    take(&slow, &mut next, 500);
    let reasons = reasons(&events(&slow));
    assert!(
        reasons[0].starts_with("no file in /nonexistent:"),
        "{reasons:?}"
    );
}

/// A file system of 2 MiB; only root can have one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"])
            .arg(folder.path())
            .output()
            .is_ok_and(|output| output.status.success());
        mounted.then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let Some(disk) = SmallDisk::new() else {
        let why = "skipped: a full disk, as only root can mount a small one";
        // A skip must be seen; past the capturing of test output.
        let _ = writeln!(std::io::stderr(), "{why}");
        return;
    };
    on_both(|tcp| {
        let network = network();
        let slow = joined(&network, &options(disk.0.path(), ""), tcp);
        let mut sender = Sender::new(&network);
        sender.send(3000);
        let mut told = Vec::new();
        wait_for(&slow, "a full disk", |_| {
            told.extend(events(&slow));
            !reasons(&told).is_empty()
        });
        let mut next = 0;
        take(&slow, &mut next, 3000);
        let reasons = reasons(&told);
        assert!(
            reasons[0].starts_with("cannot write: No space left"),
            "{reasons:?}"
        );
        // The disk is free again, and used again.
        sender.send(1500);
        wait_for(&slow, "messages on disk", |s| s.spilled_bytes > 1 << 20);
        take(&slow, &mut next, 1500);
    });
}
