//! `make bench`: C programs on this library, and where `SPREAD_CLASSIC_LIB` names the folder of the classic one, on that too, in turns
//! and against the same traffic.
//!
//! | environment | |
//! | --- | --- |
//! | `BENCH_LIB` | the folder of our `libspread.so.3` (default `build/lib`) |
//! | `SPREAD_CLASSIC_LIB` | that of the classic one |
//! | `SPREAD_DAEMON` | a real daemon's binary, for round trips on a real network too |
//! | `BENCH_ROUNDS` | rounds of each measurement, in turns (default 5); the medians are told |
//! | `BENCH_SCALE` | multiplies all numbers of messages (default 1.0) |
//!
//! Arguments choose measurements by parts of their names. Columns: ours, classic, and the ratio ours / classic.
#![expect(clippy::print_stdout, reason = "a benchmark's report")]

mod places;
mod run;
mod table;

use std::error::Error;

use places::{Embedded, Real, Transport};
use run::{Bench, Source};
use table::Table;

use Transport::{Tcp, Unix};

/// How a program waits before it receives.
const WAITS: [(&str, &str); 5] = [
    ("b", "blocking"),
    ("s", "select"),
    ("p", "poll"),
    ("e", "epoll"),
    ("l", "E_ loop"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with("--"))
        .collect();
    let bench = Bench::new(wanted)?;
    println!("{}", bench.describe());
    receive(&bench)?;
    waits(&bench)?;
    calls(&bench)?;
    send(&bench)?;
    paced(&bench)?;
    round_trips(&bench)?;
    backlog(&bench)?;
    sessions(&bench)?;
    footprint(&bench)?;
    Ok(())
}

/// Messages as fast as they are taken, of all sizes.
fn receive(bench: &Bench) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new("receive: blocking, fast source", &["wall_us", "cpu_us"]);
    for transport in [Unix, Tcp] {
        for (length, count) in [
            (16, 2_000_000),
            (100, 2_000_000),
            (1_000, 500_000),
            (10_000, 100_000),
            (100_000, 20_000),
        ] {
            let source = Source::new(transport, "flood", length, bench.scaled(count));
            let what = format!("receive {transport} {length} B");
            bench.compare(&mut table, &what, &source, "receive", &["b"])?;
            bench.floor(
                &mut table,
                &format!("  floor {transport} {length} B"),
                &source,
            )?;
        }
    }
    table.print();
    Ok(())
}

/// The same for programs that wait in some other way before each receive.
fn waits(bench: &Bench) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(
        "receive 100 B: waiting before each receive",
        &["wall_us", "cpu_us"],
    );
    for transport in [Unix, Tcp] {
        let source = Source::new(transport, "flood", 100, bench.scaled(500_000));
        for (how, name) in WAITS {
            bench.compare(
                &mut table,
                &format!("waits {transport} {name}"),
                &source,
                "receive",
                &[how],
            )?;
        }
    }
    table.print();
    Ok(())
}

/// System calls of the library's own: without the waits that a program makes.
fn calls(bench: &Bench) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new("system calls of the library per message", &["calls"]);
    for transport in [Unix, Tcp] {
        for length in [100, 10_000, 100_000] {
            let source = Source::new(
                transport,
                "flood",
                length,
                bench.scaled(20_000_000 / (length + 100)),
            );
            bench.count_calls(
                &mut table,
                &format!("calls receive {transport} {length} B"),
                &source,
                "receive",
                &["b"],
            )?;
        }
        let source = Source::new(transport, "flood", 100, bench.scaled(200_000));
        for (how, name) in &WAITS[1..] {
            bench.count_calls(
                &mut table,
                &format!("calls receive {transport} 100 B, {name}"),
                &source,
                "receive",
                &[how],
            )?;
        }
        let source = Source::new(transport, "sink", 100, bench.scaled(200_000));
        for (pieces, threads) in [("1", "1"), ("10", "1"), ("100", "1"), ("1", "2")] {
            let what = format!("calls send {transport} 100 B, {pieces} pieces, {threads} threads");
            bench.count_calls(&mut table, &what, &source, "send", &[pieces, threads])?;
        }
        let source = Source::new(transport, "echo", 100, bench.scaled(50_000));
        for (how, name) in [("b", "blocking"), ("s", "select"), ("l", "E_ loop")] {
            bench.count_calls(
                &mut table,
                &format!("calls round trip {transport}, {name}"),
                &source,
                "roundtrip",
                &[how],
            )?;
        }
    }
    table.print();
    Ok(())
}

fn send(bench: &Bench) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new("send, a source that only reads", &["wall_us", "cpu_us"]);
    for transport in [Unix, Tcp] {
        for (length, pieces, threads, count) in [
            (100, "1", "1", 500_000),
            (100, "10", "1", 500_000),
            (100, "100", "1", 200_000),
            (100, "1", "2", 500_000),
            (1_000, "1", "1", 500_000),
            (10_000, "1", "1", 100_000),
            (100_000, "1", "1", 20_000),
        ] {
            let source = Source::new(transport, "sink", length, bench.scaled(count));
            let what = format!("send {transport} {length} B, {pieces} pieces, {threads} threads");
            bench.compare(&mut table, &what, &source, "send", &[pieces, threads])?;
        }
    }
    table.print();
    Ok(())
}

/// Messages that come one by one.
fn paced(bench: &Bench) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new("paced delivery, 100 B", &["p50_us", "p99_us", "cpu_us"]);
    for transport in [Unix, Tcp] {
        for (rate, count) in [("1000", 2_000), ("20000", 40_000)] {
            let mut source = Source::new(transport, "pace", 100, bench.scaled(count));
            source.rate = Some(rate);
            for (how, name) in [("b", "blocking"), ("s", "select"), ("l", "E_ loop")] {
                bench.compare(
                    &mut table,
                    &format!("paced {transport} {rate}/s {name}"),
                    &source,
                    "paced",
                    &[how],
                )?;
            }
        }
    }
    table.print();
    Ok(())
}

/// Requests with answers: to a fast echo, through an embedded daemon, and through a real one.
fn round_trips(bench: &Bench) -> Result<(), Box<dyn Error>> {
    const COLUMNS: [&str; 5] = ["p50_us", "p90_us", "p99_us", "p99.9_us", "cpu_us"];
    const MODES: [(&str, &str); 4] = [
        ("b", "blocking"),
        ("s", "select"),
        ("l", "E_ loop"),
        ("h", "select + receive in the handler"),
    ];
    let mut table = Table::new("round trip, 100 B, echo", &COLUMNS);
    for transport in [Unix, Tcp] {
        let source = Source::new(transport, "echo", 100, bench.scaled(20_000));
        for (how, name) in MODES {
            bench.compare(
                &mut table,
                &format!("round trip echo {transport} {name}"),
                &source,
                "roundtrip",
                &[how],
            )?;
        }
    }
    table.print();
    let mut table = Table::new("round trip, 100 B, embedded daemon", &COLUMNS);
    if bench.wants("round trip embedded") {
        let daemon = Embedded::start()?;
        for transport in [Unix, Tcp] {
            for (how, name) in MODES {
                let what = format!("round trip embedded {transport} {name}");
                bench.compare_at(
                    &mut table,
                    &what,
                    daemon.name(transport),
                    "roundtrip",
                    &["100", &bench.scaled(20_000).to_string(), how],
                )?;
            }
        }
    }
    table.print();
    let mut table = Table::new("round trip, 100 B, real daemon", &COLUMNS);
    if bench.wants("round trip real")
        && let Some(daemon) = Real::start()?
    {
        for transport in [Unix, Tcp] {
            for (how, name) in MODES {
                let what = format!("round trip real {transport} {name}");
                bench.compare_at(
                    &mut table,
                    &what,
                    daemon.name(transport),
                    "roundtrip",
                    &["100", &bench.scaled(10_000).to_string(), how],
                )?;
            }
            let what = format!("round trip real {transport} blocking, 1000/s");
            bench.compare_at(
                &mut table,
                &what,
                daemon.name(transport),
                "roundtrip",
                &["100", &bench.scaled(1_000).to_string(), "b", "1000"],
            )?;
        }
    }
    table.print();
    Ok(())
}

/// What has piled up behind a program, of which the classic library cannot have more than the kernel's buffers hold.
fn backlog(bench: &Bench) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(
        "backlog",
        &["wall_us", "cpu_us", "memory_bytes", "memory_ratio"],
    );
    for transport in [Unix, Tcp] {
        for (length, count) in [
            (100, 10_000),
            (100, 100_000),
            (100, 1_000_000),
            (1_000, 200_000),
            (10_000, 20_000),
        ] {
            let source = Source::new(transport, "flood", length, bench.scaled(count));
            bench.ours_only(
                &mut table,
                &format!("backlog {transport} {length} B x {count}"),
                &source,
                "backlog",
                &[],
            )?;
        }
    }
    table.print();
    Ok(())
}

fn sessions(bench: &Bench) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(
        "idle sessions",
        &[
            "connect_us",
            "session_bytes",
            "threads",
            "idle_cpu_us_per_s",
            "idle_wakeups",
        ],
    );
    for transport in [Unix, Tcp] {
        for count in [1, 100, 1_000, 6_000, 10_000] {
            let source = Source::new(transport, "idle", 0, count);
            let what = format!("sessions {transport} {count}");
            // A session over TCP takes three descriptors of ours.
            if !Bench::has_descriptors(3 * count) {
                println!("skipped: {what}, as the limit of open files is too low\n");
            // The classic library has a limit of its own.
            } else if count <= 1_000 {
                bench.compare(&mut table, &what, &source, "sessions", &[])?;
            } else {
                bench.ours_only(&mut table, &what, &source, "sessions", &[])?;
            }
        }
    }
    table.print();
    Ok(())
}

fn footprint(bench: &Bench) -> Result<(), Box<dyn Error>> {
    let mut table = Table::new(
        "footprint of a connected program",
        &["connect_us", "resident_kib", "run_us"],
    );
    for transport in [Unix, Tcp] {
        let source = Source::new(transport, "idle", 1, 1);
        bench.compare(
            &mut table,
            &format!("footprint {transport}"),
            &source,
            "start",
            &[],
        )?;
    }
    table.print();
    if bench.wants("footprint") {
        println!("{}\n", bench.library_size()?);
    }
    Ok(())
}
