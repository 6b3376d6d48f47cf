//! A daemon dies; what the program sees.

use std::time::{Duration, Instant};

use spread_client::{Ending, Error, Event};
use spread_testd::{AuthMethod, Network, Timing};

use crate::client::{Client, PATIENCE, connect, connect_with, line, readable, say};

/// A network of three daemons, and a name that lists them in order.
pub(crate) fn three() -> (Network, String) {
    let network = Network::builder()
        .daemons(3)
        .unix(false)
        .timing(Timing::FAST)
        .start()
        .expect("a network");
    let name = list(&network, &[0, 1, 2]);
    (network, name)
}

pub(crate) fn list(network: &Network, daemons: &[usize]) -> String {
    let names: Vec<_> = daemons
        .iter()
        .map(|&at| network.daemon(at).spread_name())
        .collect();
    names.join(",")
}

#[test]
fn a_session_goes_on_at_the_next_daemon() {
    let (network, name) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    observer.join_and_see("g1");
    let mut client = connect(&format!("{name}?failover=auto"), "bob").unwrap();
    assert_eq!(client.name(), "#bob#d1");
    client.join_and_see("g1");
    client.join_and_see("g2");
    assert_eq!(observer.next(), "view g1 #bob#d1,#eve#d3 me=1");
    observer.multicast("g1", b"before").unwrap();
    assert_eq!(client.next(), "data #eve#d3 before");

    let died = Instant::now();
    network.kill(0).unwrap();
    let how = client.reconnected();
    let took = died.elapsed();
    say(format_args!("on another daemon, rejoined: {took:?}"));
    assert_eq!(client.name(), "#bob#d2");
    assert_eq!(how.private_group.as_bytes(), b"#bob#d2");
    assert_eq!(how.old_private_group.as_bytes(), b"#bob#d1");
    assert_eq!((how.groups, how.outages), (2, 1));
    assert_eq!(how.daemon, network.daemon(1).addr().to_string());
    assert!(how.gap <= took + Duration::from_millis(1));

    // Two groups: their order on the new link is that of the joins, which is the set's.
    assert_eq!(client.next(), "transition g1");
    assert_eq!(client.next(), "transition g2");
    assert_eq!(client.next(), "view g1 #bob#d2,#eve#d3 me=0");
    assert_eq!(client.next(), "view g2 #bob#d2 me=0");
    let seen = observer.until("view g1 #bob#d2,#eve#d3 me=1");
    assert_eq!(
        seen[..3],
        [
            "data #eve#d3 before",
            "transition g1",
            "view g1 #eve#d3 me=0"
        ]
    );

    observer.multicast("g1", b"after").unwrap();
    assert_eq!(client.next(), "data #eve#d3 after");
    client.multicast("g1", b"me too").unwrap();
    assert_eq!(client.next(), "data #bob#d2 me too");
    assert!(
        matches!(
            &client.events[..],
            [
                Event::Connected { .. },
                Event::DaemonLost { .. },
                Event::Reconnected(_)
            ]
        ),
        "{:#?}",
        client.events
    );
}

#[test]
fn what_came_before_the_loss_comes_first_and_names_its_own_time() {
    let (network, name) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    let mut client = connect(&format!("{name}?failover=auto"), "bob").unwrap();
    client.join_and_see("g");
    for number in 0..50 {
        observer
            .multicast("g", format!("{number}").as_bytes())
            .unwrap();
    }
    observer.join("g").unwrap();
    assert_eq!(observer.next(), "view g #bob#d1,#eve#d3 me=1");
    network.kill(0).unwrap();
    client.reconnected();
    network.settle().unwrap();
    network.kill(1).unwrap();
    client.reconnected();
    observer.until("view g #bob#d3,#eve#d3 me=1");
    observer.multicast("g", b"end").unwrap();

    for number in 0..50 {
        assert_eq!(client.next(), format!("data #eve#d3 {number}"));
    }
    assert_eq!(client.next(), "view g #bob#d1,#eve#d3 me=0");
    assert_eq!(client.next(), "transition g");
    assert_eq!(client.next(), "view g #bob#d2,#eve#d3 me=0");
    assert_eq!(client.next(), "transition g");
    // The other member of the group is at the same daemon now.
    assert_eq!(client.next(), "view g #bob#d3,#eve#d3 me=0");
    assert_eq!(client.next(), "data #eve#d3 end");
}

/// As real daemons do: one join of a survivor is still ordered just after the crash, so that the old name
/// is listed beside the new one; everything else waits until the ring has formed again.
#[test]
fn the_old_name_may_still_be_listed() {
    let network = Network::builder()
        .daemons(2)
        .unix(false)
        .timing(Timing {
            crash: Duration::from_millis(400),
            ..Timing::FAST
        })
        .orders_after_crash(1)
        .start()
        .unwrap();
    let observer = connect(&network.daemon(1).spread_name(), "eve").unwrap();
    observer.join_and_see("g");
    let name = format!("{}?failover=auto", list(&network, &[0, 1]));
    let mut client = connect(&name, "bob").unwrap();
    client.join_and_see("g");
    client.join_and_see("h");
    observer.next();
    let died = Instant::now();
    network.kill(0).unwrap();
    let how = client.reconnected();
    assert!(died.elapsed() >= Duration::from_millis(300), "{how:?}");
    let lines: Vec<_> = (0..6).map(|_| client.next()).collect();
    assert_eq!(
        lines,
        [
            "transition g",
            "transition h",
            "view g #bob#d1,#bob#d2,#eve#d2 me=1",
            // From here on the daemon's own news of the crash.
            "transition g",
            "view g #bob#d2,#eve#d2 me=0",
            "view h #bob#d2 me=0",
        ]
    );
}

#[test]
fn a_receiver_that_waits_inside_goes_on_waiting() {
    let (network, name) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    let mut client = connect(&format!("{name}?failover=auto"), "bob").unwrap();
    client.join_and_see("g");
    let mailbox = client.mailbox;
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let twin = std::mem::ManuallyDrop::new(Client {
                mailbox,
                private_group: client.private_group,
                events: Vec::new(),
            });
            let mut lines = Vec::new();
            for _ in 0..3 {
                lines.push(line(&twin.receive().unwrap()));
            }
            lines
        });
        network.kill(0).unwrap();
        let fd = spread_client::event_fd(mailbox).expect("a session");
        let deadline = Instant::now() + PATIENCE;
        while spread_client::private_group(mailbox).unwrap().as_bytes() != b"#bob#d2" {
            assert!(Instant::now() < deadline);
            readable(fd, Duration::from_millis(20));
        }
        observer.multicast("g", b"hello").unwrap();
        assert_eq!(
            receiver.join().unwrap(),
            ["transition g", "view g #bob#d2 me=0", "data #eve#d3 hello"]
        );
    });
    client.reconnected();
}

#[test]
fn a_receiver_without_groups_finds_the_new_link() {
    let (network, name) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    let client = connect(&format!("{name}?failover=auto"), "bob").unwrap();
    std::thread::scope(|scope| {
        let receiver = scope.spawn(|| line(&client.receive().unwrap()));
        network.kill(0).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while client.name() != "#bob#d2" {
            assert!(Instant::now() < deadline);
            std::thread::yield_now();
        }
        network.settle().unwrap();
        observer.multicast("#bob#d2", b"hello").unwrap();
        assert_eq!(receiver.join().unwrap(), "data #eve#d3 hello");
    });
}

#[test]
fn without_auto_the_loss_is_the_programs() {
    let (network, name) = three();
    let mut client = connect(&name, "bob").unwrap();
    client.join_and_see("g");
    client.multicast("g", b"last").unwrap();
    network.settle().unwrap();
    network.kill(0).unwrap();
    assert_eq!(client.next(), "data #bob#d1 last");
    assert_eq!(client.receive(), Err(Error::ConnectionClosed));
    assert_eq!(client.receive(), Err(Error::NetError));
    assert_eq!(client.multicast("g", b"x"), Err(Error::NetError));
    client.event();
    assert!(matches!(client.event(), Event::DaemonLost { .. }));
    assert_eq!(client.event(), Event::Closed(Ending::DaemonGone));
    // The program's own loop reaches another daemon.
    drop(client);
    let client = connect(&name, "bob").unwrap();
    assert_eq!(client.name(), "#bob#d2");
}

#[test]
fn a_session_without_membership_messages_comes_back_silently() {
    let (network, name) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    let mut client = connect_with(
        &format!("{name}?failover=auto"),
        "bob",
        false,
        &[b"NULL".to_vec()],
        None,
    )
    .unwrap();
    observer.join_and_see("g");
    client.join("g").unwrap();
    assert_eq!(observer.next(), "view g #bob#d1,#eve#d3 me=1");
    network.kill(0).unwrap();
    assert_eq!(client.reconnected().groups, 1);
    observer.until("view g #bob#d2,#eve#d3 me=1");
    observer.multicast("g", b"hello").unwrap();
    assert_eq!(client.next(), "data #eve#d3 hello");
}

#[test]
fn authentication_methods_run_again() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    let network = Network::builder()
        .daemons(2)
        .unix(false)
        .auth_methods([AuthMethod::Challenge {
            name: "SAMPLE".into(),
            secret: b"secret".to_vec(),
        }])
        .start()
        .unwrap();
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let runner = spread_client::MethodRunner(Arc::new(move |fd| {
        use std::io::{Read as _, Write as _};
        use std::os::fd::{BorrowedFd, OwnedFd};
        counted.fetch_add(1, Ordering::SeqCst);
        // SAFETY: the library passes a descriptor that is open for the call.
        let socket: OwnedFd = unsafe { BorrowedFd::borrow_raw(fd) }
            .try_clone_to_owned()
            .unwrap();
        let mut socket = std::fs::File::from(socket);
        let mut challenge = [0; spread_testd::CHALLENGE_LEN];
        socket.read_exact(&mut challenge).unwrap();
        let answer: Vec<u8> = challenge
            .iter()
            .zip(b"secret".iter().cycle())
            .map(|(byte, secret)| byte ^ secret)
            .collect();
        socket.write_all(&answer).unwrap();
        true
    }));
    let name = format!("{}?failover=auto", list(&network, &[0, 1]));
    let mut client =
        connect_with(&name, "bob", true, &[b"SAMPLE".to_vec()], Some(&runner)).unwrap();
    client.join_and_see("g");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    network.kill(0).unwrap();
    client.reconnected();
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    assert_eq!(client.until("view g #bob#d2 me=0").len(), 2);
}

/// A method that hangs costs the attempt that it runs for, and no more.
#[test]
fn an_authentication_method_that_hangs_fails_one_attempt() {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::sync::{Arc, Mutex, mpsc};
    let network = Network::builder().daemons(2).unix(false).start().unwrap();
    let (release, hung) = mpsc::channel::<()>();
    let hung = Mutex::new(hung);
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let runner = spread_client::MethodRunner(Arc::new(move |_| {
        let call = counted.fetch_add(1, Ordering::SeqCst) + 1;
        // The first is that of the program's own connect.
        if call == 2 {
            let _ = hung.lock().unwrap().recv();
        }
        true
    }));
    let options = "failover=auto&attempt_timeout_ms=200&reconnect_min_ms=1&reconnect_max_ms=20";
    let name = format!("{}?{options}", list(&network, &[0, 1]));
    let mut client = connect_with(&name, "bob", true, &[b"NULL".to_vec()], Some(&runner)).unwrap();
    client.join_and_see("g");
    network.kill(0).unwrap();
    client.reconnected();
    assert_eq!(client.until("view g #bob#d2 me=0").len(), 2);
    assert!(calls.load(Ordering::SeqCst) >= 3);
    drop(release);
}

/// Waits until the session is at a daemon again.
fn wait_for_reconnected(mailbox: i32) {
    let fd = spread_client::event_fd(mailbox).expect("a session");
    loop {
        match spread_client::next_event(mailbox).expect("a session") {
            Some(Event::Reconnected(_)) => return,
            Some(_) => {}
            None => assert!(readable(fd, PATIENCE), "it does not come back"),
        }
    }
}

/// On another thread: this one is in the middle of a receive.
fn elsewhere<T: Send>(run: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(run).join()).expect("it runs to its end")
}

/// The receiver itself comes to the end of the link, and is not run again until there is another one under
/// the number: it must not be about to read from that.
#[test]
fn a_receiver_that_found_the_end_reads_nothing_of_the_next_link() {
    let (network, _) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    observer.join_and_see("g");
    let options = "failover=auto&avoid_ms=0&reconnect_min_ms=1&reconnect_max_ms=5";
    let name = format!("{}?{options}", list(&network, &[0, 1]));
    let client = connect(&name, "bob").unwrap();
    client.join_and_see("g");
    for round in 0..30 {
        let here = usize::from(client.name() == "#bob#d2");
        // A program that waits before its messages come reads the link itself.
        let own = format!("data {} own", client.name());
        for _ in 0..40 {
            let mut sent = false;
            let got = client.receive_held_up(|| {
                if !std::mem::replace(&mut sent, true) {
                    client.multicast("g", b"own").unwrap();
                }
            });
            assert_eq!(line(&got.unwrap()), own);
        }
        // A large message and many small ones, all there when it reads again: those it reads in bulk, to the last one.
        let last = format!("data #eve#d3 {round} 99");
        let mut sent = false;
        let first = client.receive_held_up(|| {
            if std::mem::replace(&mut sent, true) {
                return;
            }
            observer.multicast("g", &[b'x'; 50_000]).unwrap();
            for number in 0..100 {
                let text = format!("{round} {number}");
                observer.multicast("g", text.as_bytes()).unwrap();
            }
            elsewhere(|| observer.until(&last));
            network.settle().unwrap();
        });
        assert_eq!(first.unwrap().body.len(), 50_000);
        client.until(&last);
        let late = |number: i32| format!("late {round} {number}");
        while spread_client::next_event(client.mailbox).unwrap().is_some() {}
        network.kill(here).unwrap();
        let back = || {
            let lost = loop {
                match spread_client::next_event(client.mailbox).unwrap() {
                    Some(Event::DaemonLost { .. }) => break true,
                    Some(_) => {}
                    None => break false,
                }
            };
            if !lost {
                return;
            }
            wait_for_reconnected(client.mailbox);
            for number in 0..10 {
                observer.multicast("g", late(number).as_bytes()).unwrap();
            }
            elsewhere(|| observer.until(&format!("data #eve#d3 {}", late(9))));
            network.settle().unwrap();
        };
        let first = client.receive_held_up(back).unwrap();
        assert_eq!(line(&first), "transition g", "round {round}");
        let lines = client.until(&format!("data #eve#d3 {}", late(9)));
        let name = client.name();
        assert_eq!(lines[0], format!("view g {name},#eve#d3 me=0"));
        assert_eq!(lines.len(), 11, "round {round}: {lines:?}");
        network.restart(here).unwrap();
    }
}

/// 100 losses: each group is joined exactly once in the end, the events take turns, and none is
/// missing.
#[test]
fn after_a_hundred_losses_all_is_as_it_was() {
    let (network, _) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    observer.join_and_see("g");
    let options = "failover=auto&avoid_ms=0&reconnect_min_ms=1&reconnect_max_ms=20";
    let two = list(&network, &[0, 1]);
    let mut client = connect(&format!("{two}?{options}"), "bob").unwrap();
    client.join_and_see("g");
    client.join_and_see("h");
    let mut gaps = Vec::new();
    for round in 0..100 {
        let daemon = client.name().trim_start_matches("#bob#").to_owned();
        let session = client.name();
        if round % 2 == 0 {
            network
                .close_session(&session, spread_testd::CloseHow::Reset)
                .unwrap();
        } else {
            let at = if daemon == "d1" { 0 } else { 1 };
            network.kill(at).unwrap();
            network.restart(at).unwrap();
        }
        let how = client.reconnected();
        assert_eq!((how.groups, how.outages), (2, 1));
        gaps.push(how.gap);
    }
    gaps.sort();
    say(format_args!(
        "gaps: median {:?}, longest {:?}",
        gaps[50], gaps[99]
    ));
    observer.multicast("g", b"end").unwrap();
    let me = client.name();
    let lines = client.until("data #eve#d3 end");
    let marks = |what: &str| lines.iter().filter(|line| *line == what).count();
    assert_eq!((marks("transition g"), marks("transition h")), (100, 100));
    let last = lines.iter().rfind(|line| line.starts_with("view g"));
    assert_eq!(last.unwrap(), &format!("view g {me},#eve#d3 me=0"));
    // Exactly one membership: the message came once, and a leave ends it.
    client.leave("g").unwrap();
    client.leave("h").unwrap();
    client.until("self-leave h");
    observer.multicast("g", b"nobody").unwrap();
    observer.multicast(&me, b"done").unwrap();
    assert_eq!(client.next(), "data #eve#d3 done");
    let mut up = true;
    for event in &client.events {
        match event {
            Event::DaemonLost { .. } => {
                assert!(up);
                up = false;
            }
            Event::Reconnected(_) => {
                assert!(!up);
                up = true;
            }
            Event::Reconnecting { .. } => assert!(!up),
            _ => {}
        }
    }
    assert!(up);
}
