//! Flush Spread through the C interface: the recorded traces of the classic layer, call by call against our library, and faults
//! of a simulated network (`network.rs`).
//!
//! Each `fl-*` trace is played: what the daemon had sent is sent, the program's calls are made, and
//! what the library sends and answers is compared with what the classic library sent and answered.
//! `known.rs` lists where it was a defect of the classic library, and what ours does instead.

mod answer;
mod daemon;
mod known;
mod library;
mod network;
mod player;
#[path = "../support/mod.rs"]
mod support;
mod value;

use std::sync::{Mutex, MutexGuard, PoisonError};

use daemon::Kind;
use library::Library;
use player::Trace;

/// Held by each test while it has sessions. Traces make calls on mailboxes that have been closed: meanwhile another session of
/// this process may have got the number.
static SESSIONS: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    SESSIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Every trace of the flush layer that there is.
const TRACES: usize = 52;

fn play_all(kind: Kind) {
    let _alone = alone();
    let library = Library::load();
    let traces = Trace::all();
    assert_eq!(traces.len(), TRACES, "the folder of traces has changed");
    let only = std::env::var("FLUSH_TRACE").ok();
    let mut failures = Vec::new();
    for trace in traces {
        if only.as_ref().is_some_and(|only| *only != trace.name) {
            continue;
        }
        let differences = trace.play(library, kind);
        failures.extend(differences.iter().map(|d| format!("{}: {d}", trace.name)));
    }
    assert!(failures.is_empty(), "\n{}", failures.join("\n"));
}

#[test]
fn known_differences_belong_to_traces() {
    let traces = Trace::all();
    for name in known::traces() {
        assert!(traces.iter().any(|trace| trace.name == name), "{name}");
    }
}

#[test]
fn traces_play_on_unix_sockets() {
    play_all(Kind::Unix);
}

#[test]
fn traces_play_on_tcp() {
    play_all(Kind::Tcp);
}
