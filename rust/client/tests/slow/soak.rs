//! A day in miniature: bursts and idleness for minutes, and memory comes back to where it was.

use std::time::{Duration, Instant};

use spread_testd::Network;

use crate::support::{Sender, joined, number, receive, wait_for};

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

/// What allocators and the network keep for themselves.
const SLACK: usize = 24 << 20;

#[test]
#[ignore = "takes minutes: SOAK_SECONDS (180)"]
fn memory_returns_after_every_burst() {
    let seconds = std::env::var("SOAK_SECONDS").map_or(180, |text| {
        text.parse().expect("SOAK_SECONDS is a number of seconds")
    });
    let folder = tempfile::tempdir().unwrap();
    // It is about memory: a machine that is busy with other things must not end it.
    let network = Network::builder()
        .max_session_messages(200_000)
        .start()
        .unwrap();
    let options = format!(
        "recv_policy=spill&recv_max_bytes=8M&spill_dir={}",
        folder.path().display()
    );
    let in_memory = joined(&network, "", false);
    let on_disk = joined(&network, &options, true);
    // The first one hears of the second.
    assert!(receive(&in_memory).is_regular_membership());
    let mut sender = Sender::new(&network);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut round, mut next) = (0_u32, 0);
    let (mut peaks, mut after) = (Vec::new(), Vec::new());
    while Instant::now() < end {
        // From a trickle to 60 MB and back.
        let burst = [10, 1000, 60_000, 100, 20_000][round as usize % 5];
        sender.send(burst);
        wait_for(&on_disk, "the burst", |s| {
            s.waiting_messages + 1 >= u64::from(burst)
        });
        let peak = resident();
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
        // Idle, so that nobody has a reason to keep anything; memory goes back once a second at most.
        std::thread::sleep(Duration::from_millis(1500));
        if burst == 60_000 {
            peaks.push(peak);
            after.push(resident());
        }
    }
    let first = *after.first().expect("at least one large burst");
    let last = *after.last().expect("at least one large burst");
    assert!(last < first + SLACK, "{after:?}, peaks {peaks:?}");
    // What is kept between bursts is a small part of what they take.
    assert!(last < BURST / 2, "{after:?}, peaks {peaks:?}");
}
