//! `send_window`: a session's own messages under way, on an embedded network.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use spread_client::{Connection, Error, Event, Service};
use spread_testd::Network;

use crate::support::{connect, number, on_both, open, receive, wait_for};

/// Nothing that is let in waits so long.
const FOR_EVER: &str = "send_window_ms=3600000";

fn joined(network: &Network, options: &str, tcp: bool) -> Connection {
    let daemon = network.daemon(0);
    let name = daemon.unix_name().filter(|_| !tcp);
    let name = name.unwrap_or_else(|| daemon.spread_name());
    let connection = open(&name, options);
    connection.join("group").unwrap();
    assert!(receive(&connection).is_regular_membership());
    connection
}

fn send(connection: &Connection, number: u32) {
    let mut body = [0; 500];
    body[..4].copy_from_slice(&number.to_le_bytes());
    connection
        .multicast(Service::Agreed, &["group"], 0, &body)
        .unwrap();
}

/// A message that is not waited for.
fn try_to_send(connection: &Connection) -> Result<(), Error> {
    let none = Some(Duration::ZERO);
    connection.multicast_within(Service::Fifo, &["group"], 0, b"last", none)
}

#[test]
fn a_frozen_daemon_holds_up_the_sender_and_nothing_is_lost() {
    on_both(|tcp| {
        let network = Network::builder().start().unwrap();
        let connection = joined(&network, &format!("send_window=20&{FOR_EVER}"), tcp);
        network.control().freeze(0).unwrap();
        for number in 0..20 {
            send(&connection, number);
        }
        assert_eq!(try_to_send(&connection), Err(Error::TryAgain));
        assert_eq!(connection.stats().unwrap().in_flight, 20);
        network.control().thaw(0).unwrap();
        // One thread, which receives only when all is sent.
        for number in 20..500 {
            send(&connection, number);
        }
        wait_for(&connection, "the last to come back", |s| s.in_flight == 0);
        for expected in 0..500 {
            assert_eq!(number(&receive(&connection)), expected);
        }
    });
}

#[test]
fn dropped_and_spilled_messages_have_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let spill = format!("recv_policy=spill&spill_dir={}", folder.path().display());
    on_both(|tcp| {
        for policy in ["recv_policy=drop_oldest", "recv_policy=drop_newest", &spill] {
            let network = Network::builder().start().unwrap();
            let options = format!("{policy}&recv_max_bytes=64K&send_window=10&{FOR_EVER}");
            let connection = joined(&network, &options, tcp);
            for number in 0..3000 {
                send(&connection, number);
            }
            let stats = wait_for(&connection, "the last to come back", |s| s.in_flight == 0);
            if policy == spill {
                // And over the way back from the disk to memory.
                for expected in 0..3000 {
                    assert_eq!(number(&receive(&connection)), expected);
                }
                for number in 3000..3100 {
                    send(&connection, number);
                }
                wait_for(&connection, "more to come back", |s| s.in_flight == 0);
            } else {
                assert!(stats.dropped_messages > 2000, "{stats:?}");
            }
        }
    });
}

#[test]
fn with_a_full_inbox_the_wait_ends_with_the_time() {
    on_both(|tcp| {
        let network = Network::builder().start().unwrap();
        let options = "recv_policy=block&recv_max_bytes=64K&send_window=5&send_window_ms=20";
        let connection = joined(&network, options, tcp);
        let peer = connect(&network, "");
        // The inbox is full of what others have sent.
        for number in 0..300 {
            send(&peer, number);
        }
        let mut told = Vec::new();
        wait_for(&connection, "a full inbox", |_| {
            told.extend(connection.next_event().unwrap());
            matches!(told.last(), Some(Event::Blocked { .. }))
        });
        let begin = Instant::now();
        for number in 300..305 {
            send(&connection, number);
        }
        assert_eq!(try_to_send(&connection), Err(Error::TryAgain));
        let some = Some(Duration::from_millis(30));
        let late = connection.multicast_within(Service::Fifo, &["group"], 0, b"late", some);
        assert_eq!(late, Err(Error::TryAgain));
        assert!(begin.elapsed() >= Duration::from_millis(30));
        // A caller without a limit gets its message out in the end.
        send(&connection, 305);
        for expected in 0..306 {
            assert_eq!(number(&receive(&connection)), expected);
        }
        wait_for(&connection, "the last to come back", |s| s.in_flight == 0);
    });
}

/// What a real daemon does: RELIABLE messages overtake what the same session has sent before, so also its
/// join.
#[test]
fn whatever_overtakes_what_nothing_stays_in_the_account() {
    const SERVICES: [Service; 5] = [
        Service::Reliable,
        Service::Fifo,
        Service::Unreliable,
        Service::Safe,
        Service::Causal,
    ];
    for membership in [true, false] {
        let network = Network::builder()
            .daemons(2)
            .reliable_overtakes(true)
            .start()
            .unwrap();
        let name = network.daemon(0).spread_name();
        let connection = Connection::to(&format!("{name}?send_window=3&{FOR_EVER}"))
            .membership(membership)
            .connect()
            .unwrap();
        for round in 0..200 {
            let group = ["a", "b", "c"][round % 3];
            connection.join(group).unwrap();
            for service in SERVICES {
                let groups = [group, "nobody is here", "b"];
                connection.multicast(service, &groups, 0, b"").unwrap();
            }
            connection.leave(group).unwrap();
        }
        wait_for(&connection, "everything to come back", |s| s.in_flight == 0);
        connection.close().unwrap();
    }
}

#[test]
fn a_restored_session_begins_with_an_empty_window() {
    let network = Network::builder().daemons(2).start().unwrap();
    let names = [0, 1].map(|at| network.daemon(at).spread_name());
    let options = format!("failover=auto&send_window=10&{FOR_EVER}");
    let connection = open(&names.join(","), &options);
    connection.join("group").unwrap();
    assert!(receive(&connection).is_regular_membership());
    network.control().freeze(0).unwrap();
    for number in 0..10 {
        send(&connection, number);
    }
    assert_eq!(try_to_send(&connection), Err(Error::TryAgain));
    std::thread::scope(|scope| {
        // It waits for the window when the daemon goes, and for another daemon then.
        let waiting = scope.spawn(|| send(&connection, 10));
        wait_for(&connection, "a waiting sender", |s| {
            !s.window_waited.is_zero()
        });
        network.control().kill(0).unwrap();
        waiting.join().unwrap();
    });
    // The new daemon has it, or them, and has let us send 10 more.
    for number in 11..200 {
        send(&connection, number);
    }
    wait_for(&connection, "the last to come back", |s| s.in_flight == 0);
    assert_eq!(connection.stats().unwrap().reconnects, 1);
    let mut next = None;
    while next != Some(200) {
        let message = receive(&connection);
        if !message.is_membership() {
            let number = number(&message);
            assert!(next.is_none_or(|next| number == next), "{number} {next:?}");
            next = Some(number + 1);
        }
    }
}

/// The sum of what many threads have under way is within the window, and each gets on.
#[test]
fn many_threads_share_one_window() {
    on_both(|tcp| {
        let network = Network::builder().daemons(2).start().unwrap();
        let connection = joined(&network, &format!("send_window=4&{FOR_EVER}"), tcp);
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let looks = scope.spawn(|| {
                let mut most = 0;
                while !over.load(Ordering::Relaxed) {
                    most = most.max(connection.stats().unwrap().in_flight);
                    std::thread::yield_now();
                }
                most
            });
            let senders: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        for number in 0..100 {
                            send(&connection, number);
                        }
                    })
                })
                .collect();
            for sender in senders {
                sender.join().unwrap();
            }
            over.store(true, Ordering::Relaxed);
            let most = looks.join().unwrap();
            assert!(most <= 4, "{most}");
        });
        for _ in 0..800 {
            receive(&connection);
        }
        assert_eq!(connection.receive_for(Duration::ZERO), Ok(None));
        assert_eq!(connection.stats().unwrap().in_flight, 0);
    });
}
