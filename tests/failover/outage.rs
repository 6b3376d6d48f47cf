//! What a program may do while its session has no daemon.

use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use spread_client::{Ending, Error, Event};
use spread_testd::{CloseHow, StreamFault};

use crate::auto::{list, three};
use crate::client::{connect, readable, say};
use crate::support::is_asleep;

/// Of one daemon, so that killing it is an outage.
const QUICK: &str = "failover=auto&avoid_ms=0&reconnect_min_ms=5&reconnect_max_ms=20";

#[test]
fn joins_and_leaves_in_the_outage_count() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let mut client = connect(&format!("{name}?{QUICK}"), "bob").unwrap();
    for group in ["kept", "left", "both"] {
        client.join_and_see(group);
    }
    network.kill(0).unwrap();
    client.event();
    assert!(matches!(client.event(), Event::DaemonLost { .. }));
    client.leave("left").unwrap();
    client.leave("never").unwrap();
    client.join("new").unwrap();
    client.leave("both").unwrap();
    client.join("both").unwrap();
    assert!(
        !readable(client.mailbox, Duration::ZERO),
        "a receive would wait"
    );
    assert_eq!(spread_client::waiting_bytes(client.mailbox), Ok(0));
    network.restart(0).unwrap();
    assert_eq!(client.reconnected().groups, 3);
    let lines: Vec<_> = (0..8).map(|_| client.next()).collect();
    assert_eq!(
        lines,
        [
            "transition both",
            "transition kept",
            "transition left",
            "self-leave both",
            "self-leave left",
            "view both #bob#d1 me=0",
            "view kept #bob#d1 me=0",
            "view new #bob#d1 me=0",
        ]
    );
    client.multicast("new", b"end").unwrap();
    assert_eq!(client.next(), "data #bob#d1 end");
}

#[test]
fn a_leave_that_was_lost_with_its_daemon_is_told() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let mut client = connect(&format!("{name}?{QUICK}"), "bob").unwrap();
    for group in ["told", "lost", "kept"] {
        client.join_and_see(group);
    }
    // This one is told by the daemon, and waits in the inbox when it dies.
    client.leave("told").unwrap();
    assert!(readable(client.mailbox, Duration::from_secs(10)));
    network.fault("#bob#d1", StreamFault::StallReading).unwrap();
    client.leave("lost").unwrap();
    network.kill(0).unwrap();
    network.restart(0).unwrap();
    assert_eq!(client.reconnected().groups, 1);
    let lines: Vec<_> = (0..5).map(|_| client.next()).collect();
    assert_eq!(
        lines,
        [
            "self-leave told",
            "transition kept",
            "transition lost",
            "self-leave lost",
            "view kept #bob#d1 me=0",
        ]
    );
}

#[test]
fn a_send_waits_for_the_next_daemon() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let mut client = connect(&format!("{name}?{QUICK}"), "bob").unwrap();
    client.join_and_see("g");
    network.kill(0).unwrap();
    client.event();
    client.event();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| client.multicast("g", b"waited"));
        // A join does not have to wait for the sender.
        client.join("h").unwrap();
        assert!(!sender.is_finished());
        network.restart(0).unwrap();
        assert_eq!(sender.join().unwrap(), Ok(6));
    });
    client.until("data #bob#d1 waited");
}

#[test]
fn a_send_waits_no_longer_than_it_may_and_the_session_goes_on() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let mut client = connect(&format!("{name}?{QUICK}&send_wait_ms=60"), "bob").unwrap();
    client.join_and_see("g");
    network.kill(0).unwrap();
    client.event();
    client.event();
    let start = Instant::now();
    assert_eq!(
        client.multicast("g", b"in vain"),
        Err(Error::ConnectionClosed)
    );
    assert!(start.elapsed() >= Duration::from_millis(60));
    network.restart(0).unwrap();
    client.reconnected();
    assert_eq!(client.multicast("g", b"again"), Ok(5));
    let lines = client.until("data #bob#d1 again");
    assert!(!lines.contains(&"data #bob#d1 in vain".to_owned()));
}

#[test]
fn giving_up_is_a_classic_loss() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let mut client = connect(&format!("{name}?{QUICK}&reconnect_for_ms=150"), "bob").unwrap();
    client.join_and_see("g");
    client.multicast("g", b"last").unwrap();
    network.settle().unwrap();
    std::thread::scope(|scope| {
        let died = Instant::now();
        network.kill(0).unwrap();
        let sender = scope.spawn(|| {
            loop {
                // The first may still find room in the old link.
                if let Err(error) = client.multicast("g", b"x") {
                    return error;
                }
            }
        });
        assert_eq!(sender.join().unwrap(), Error::ConnectionClosed);
        assert!(died.elapsed() >= Duration::from_millis(150));
    });
    // A failed send ends receiving, as in the classic library.
    assert_eq!(client.receive(), Err(Error::NetError));
    assert_eq!(client.join("g"), Err(Error::NetError));
    loop {
        if let Event::Closed(why) = client.event() {
            assert_eq!(why, Ending::NotRestored);
            break;
        }
    }
}

#[test]
fn giving_up_wakes_a_receiver_after_all_that_came() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let client = connect(&format!("{name}?{QUICK}&reconnect_for_ms=100"), "bob").unwrap();
    client.join_and_see("g");
    client.multicast("g", b"last").unwrap();
    network.settle().unwrap();
    network.kill(0).unwrap();
    assert_eq!(client.next(), "data #bob#d1 last");
    // No mark: nothing was restored.
    assert_eq!(client.receive(), Err(Error::ConnectionClosed));
    spread_client::reason::failed(Error::ConnectionClosed);
    let why = spread_client::reason::last_error().unwrap();
    assert!(why.contains("reconnect_for_ms"), "{why}");
    assert_eq!(client.receive(), Err(Error::NetError));
    assert!(readable(client.mailbox, Duration::ZERO));
}

#[test]
fn a_ghost_of_its_own_is_waited_out() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let mut client = connect(&format!("{name}?{QUICK}"), "bob").unwrap();
    client.join_and_see("g");
    network.close_session("#bob#d1", CloseHow::Ghost).unwrap();
    client.event();
    client.event();
    // The daemon says that the name is taken, until it notices.
    assert!(matches!(
        client.event(),
        Event::Reconnecting { attempt: 1, .. }
    ));
    network.release("#bob#d1").unwrap();
    client.reconnected();
    assert_eq!(client.next(), "transition g");
    client.until("view g #bob#d1 me=0");
}

#[test]
fn a_loss_at_every_step_of_the_restore_begins_it_anew() {
    let (network, _) = three();
    let name = list(&network, &[0, 1]);
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    observer.join_and_see("g");
    let mut client = connect(&format!("{name}?{QUICK}"), "bob").unwrap();
    client.join_and_see("g");
    client.join_and_see("h");
    observer.next();
    // Bytes that a daemon sends before its connection breaks: none, in the handshake, in the first
    // view, in the second.
    for bytes in [0, 3, 7, 20, 60, 150, 250, 300, 330] {
        for daemon in [0, 1] {
            network
                .fault_next(daemon, 1, StreamFault::TruncateAt(bytes))
                .unwrap();
        }
        network
            .close_session(&client.name(), CloseHow::Normal)
            .unwrap();
        let how = client.reconnected();
        assert_eq!(how.groups, 2);
        for daemon in [0, 1] {
            network.clear_next(daemon).unwrap();
        }
        network.clear_faults(&client.name()).unwrap();
    }
    observer.multicast("g", b"end").unwrap();
    let lines = client.until("data #eve#d3 end");
    let marks = lines.iter().filter(|line| *line == "transition g").count();
    assert_eq!(marks, 9, "{lines:#?}");
    let own = client.name();
    let rejoined = lines
        .iter()
        .filter(|line| line.starts_with("view h"))
        .count();
    assert_eq!(rejoined, 9, "{own}: {lines:#?}");
}

#[test]
fn frames_that_are_cut_by_a_loss_go_out_once_and_whole() {
    let (network, _) = three();
    let name = list(&network, &[0, 1]);
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    observer.join_and_see("g");
    let client = connect(&format!("{name}?{QUICK}"), "bob").unwrap();
    let mut body = vec![b'.'; 100_000];
    let count = 300_u32;
    std::thread::scope(|scope| {
        let breaker = scope.spawn(|| {
            for _ in 0..20 {
                // Wherever the sender is just now.
                let _ = network.close_session(&client.name(), CloseHow::Reset);
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        let sender = scope.spawn(|| {
            for number in 0..count {
                body[..10].copy_from_slice(format!("{number:010}").as_bytes());
                assert_eq!(client.multicast("g", &body), Ok(100_000));
            }
        });
        let mut seen = Vec::new();
        while seen.last() != Some(&(count - 1)) {
            let got = observer.receive().unwrap();
            if got.body.len() == 100_000 {
                assert!(got.body[10..].iter().all(|&byte| byte == b'.'));
                let number = std::str::from_utf8(&got.body[..10]).unwrap();
                seen.push(number.parse::<u32>().unwrap());
            }
            if sender.is_finished() && !readable(observer.mailbox, Duration::from_secs(2)) {
                break;
            }
        }
        breaker.join().unwrap();
        sender.join().unwrap();
        // Some are lost with their connection, none comes twice or in another order.
        assert!(seen.windows(2).all(|two| two[0] < two[1]), "{seen:?}");
        say(format_args!(
            "{} of {count} arrived over 20 losses",
            seen.len()
        ));
    });
}

#[test]
fn a_program_that_ends_its_session_in_the_outage_is_not_held_up() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let mut client = connect(&format!("{name}?{QUICK}"), "bob").unwrap();
    client.join_and_see("g");
    network.kill(0).unwrap();
    client.event();
    client.event();
    let mailbox = client.mailbox;
    let threads = [const { AtomicI32::new(0) }; 2];
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            threads[0].store(thread_number(), Ordering::SeqCst);
            client.multicast("g", b"x")
        });
        let receiver = scope.spawn(|| {
            threads[1].store(thread_number(), Ordering::SeqCst);
            client.receive()
        });
        for thread in &threads {
            wait_until_asleep(thread);
        }
        let start = Instant::now();
        // Once: the number is free then, and may be another test's.
        spread_client::disconnect(mailbox).unwrap();
        assert!(start.elapsed() < Duration::from_secs(5));
        // Whoever is first reports the end; from then on the session is in error, until it is gone.
        let over = |error| {
            matches!(
                error,
                Error::ConnectionClosed | Error::NetError | Error::IllegalSession
            )
        };
        let sent = sender.join().unwrap();
        assert!(sent.is_err_and(over), "{sent:?}");
        let received = receiver.join().unwrap();
        assert!(received.as_ref().is_err_and(|&e| over(e)), "{received:?}");
    });
    client.mailbox = -1;
}

/// The kernel's number of this thread.
fn thread_number() -> i32 {
    // SAFETY: takes and touches nothing.
    unsafe { libc::gettid() }
}

/// Waits until the thread of this number sleeps and goes on sleeping: in its call, as it does nothing
/// else.
fn wait_until_asleep(thread: &AtomicI32) {
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut seen = 0;
    while seen < 5 {
        assert!(Instant::now() < deadline, "it does not wait");
        let asleep = is_asleep(thread.load(Ordering::SeqCst));
        seen = if asleep { seen + 1 } else { 0 };
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_program_that_shuts_its_number_down_ends_the_session() {
    let (network, name) = three();
    let client = connect(&format!("{name}?{QUICK}"), "bob").unwrap();
    // SAFETY: takes two ints.
    unsafe { libc::shutdown(client.mailbox, libc::SHUT_RDWR) };
    assert_eq!(client.receive(), Err(Error::ConnectionClosed));
    assert_eq!(client.receive(), Err(Error::NetError));
    network.settle().unwrap();
    assert_eq!(network.sessions().unwrap().len(), 0);
}
