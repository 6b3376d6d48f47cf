//! Sessions that go to another daemon though theirs is well.

use std::time::{Duration, Instant};

use spread_client::{Error, Event};
use spread_testd::{Network, Timing};

use crate::auto::{list, three};
use crate::client::{connect, say};

#[test]
fn a_move_loses_nothing_that_was_sent() {
    let (network, name) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    observer.join_and_see("g");
    let mut client = connect(&format!("{name}?failover=auto"), "bob").unwrap();
    client.join_and_see("g");
    observer.next();
    let count = 2000;
    for number in 0..count {
        if number == count / 2 {
            spread_client::reconnect(client.mailbox).unwrap();
        }
        client
            .multicast("g", format!("{number}").as_bytes())
            .unwrap();
    }
    let how = client.reconnected();
    assert_eq!(how.private_group.as_bytes(), b"#bob#d2");
    say(format_args!("moved: gap {:?}", how.gap));
    client.multicast("g", b"end").unwrap();
    let mut numbers = Vec::new();
    for line in observer.until("data #bob#d2 end") {
        if let Some(number) = line.strip_prefix("data ").and_then(|l| l.split(' ').nth(1)) {
            numbers.push(number.to_owned());
        }
    }
    let expected: Vec<_> = (0..count)
        .map(|n| n.to_string())
        .chain(["end".to_owned()])
        .collect();
    assert_eq!(numbers, expected);
    // The session itself has received all its own up to the mark.
    let own = client.until("data #bob#d2 end");
    let mark = own.iter().position(|line| line == "transition g").unwrap();
    assert!(
        own[..mark]
            .iter()
            .all(|line| line.starts_with("data #bob#d1 "))
    );
    assert!(own[mark + 1].starts_with("view g #bob#d2"));
}

#[test]
fn a_daemon_that_says_nothing_is_left_all_the_same() {
    let (network, name) = three();
    let mut client = connect(&format!("{name}?failover=auto"), "bob").unwrap();
    client.join_and_see("g");
    network.freeze(0).unwrap();
    spread_client::reconnect(client.mailbox).unwrap();
    // It does not read the good-bye, and gets a second for it.
    let how = client.reconnected();
    assert_eq!(how.private_group.as_bytes(), b"#bob#d2");
    assert_eq!(client.next(), "transition g");
    client.until("view g #bob#d2 me=0");
    network.thaw(0).unwrap();
    client.multicast("g", b"well").unwrap();
    client.until("data #bob#d2 well");
}

#[test]
fn with_nowhere_to_go_a_session_stays() {
    let (network, _) = three();
    let name = list(&network, &[0]);
    let mut client = connect(&format!("{name}?failover=auto"), "bob").unwrap();
    client.join_and_see("g");
    spread_client::reconnect(client.mailbox).unwrap();
    client.multicast("g", b"here").unwrap();
    assert_eq!(client.next(), "data #bob#d1 here");
    assert_eq!(client.name(), "#bob#d1");
    assert!(matches!(client.event(), Event::Connected { .. }));
    assert_eq!(spread_client::next_event(client.mailbox), Ok(None));
}

#[test]
fn a_session_that_does_not_come_back_cannot_be_moved() {
    let (_network, name) = three();
    let client = connect(&name, "bob").unwrap();
    assert_eq!(
        spread_client::reconnect(client.mailbox),
        Err(Error::NetError)
    );
    assert_eq!(spread_client::reconnect(-1), Err(Error::IllegalSession));
}

#[test]
fn a_session_goes_back_to_its_first_daemon() {
    let (network, _) = three();
    let name = list(&network, &[0, 1]);
    let options = "failover=auto&failback_ms=50&avoid_ms=0";
    let mut client = connect(&format!("{name}?{options}"), "bob").unwrap();
    client.join_and_see("g");
    network.kill(0).unwrap();
    assert_eq!(client.reconnected().private_group.as_bytes(), b"#bob#d2");
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(client.name(), "#bob#d2");
    network.restart(0).unwrap();
    assert_eq!(client.reconnected().private_group.as_bytes(), b"#bob#d1");
    assert_eq!(client.until("view g #bob#d1 me=0").len(), 4);
}

#[test]
fn a_session_that_began_elsewhere_goes_back_too() {
    let (network, _) = three();
    let name = list(&network, &[0, 1]);
    network.kill(0).unwrap();
    let options = "failover=auto&failback_ms=50&avoid_ms=0";
    let mut client = connect(&format!("{name}?{options}"), "bob").unwrap();
    assert_eq!(client.name(), "#bob#d2");
    network.restart(0).unwrap();
    assert_eq!(client.reconnected().private_group.as_bytes(), b"#bob#d1");
}

#[test]
fn going_home_loses_nothing_that_was_sent_and_says_so() {
    let (network, name) = three();
    let observer = connect(&network.daemon(2).spread_name(), "eve").unwrap();
    observer.join_and_see("g");
    let options = "failover=auto&failback_ms=50&avoid_ms=0";
    let mut client = connect(&format!("{name}?{options}"), "bob").unwrap();
    client.join_and_see("g");
    network.kill(0).unwrap();
    let away = client.reconnected();
    assert_eq!(away.private_group.as_bytes(), b"#bob#d2");
    client.multicast("g", b"away").unwrap();
    network.restart(0).unwrap();
    // It sends all the time while it moves.
    let mut count = 0;
    let mut home = None;
    while home.is_none() {
        client
            .multicast("g", format!("{count}").as_bytes())
            .unwrap();
        count += 1;
        while let Some(event) = spread_client::next_event(client.mailbox).unwrap() {
            client.events.push(event.clone());
            if let Event::Reconnected(how) = event {
                home = Some(how);
            }
        }
        // What it has received is taken, or it would not be between two messages for long.
        while client.receive_within(Duration::ZERO).is_some() {}
    }
    let home = home.unwrap();
    assert_eq!(home.old_private_group.as_bytes(), b"#bob#d2");
    assert_eq!(home.private_group.as_bytes(), b"#bob#d1");
    assert_eq!((home.groups, home.outages), (1, 1));
    client.multicast("g", b"end").unwrap();
    let sent: Vec<String> = observer
        .until("data #bob#d1 end")
        .into_iter()
        .skip_while(|line| line != "data #bob#d2 away")
        .filter(|line| line.starts_with("data "))
        .map(|line| line.rsplit(' ').next().unwrap().to_owned())
        .collect();
    let expected: Vec<String> = std::iter::once("away".to_owned())
        .chain((0..count).map(|n| n.to_string()))
        .chain(["end".to_owned()])
        .collect();
    assert_eq!(sent, expected);
    // Lost twice, back twice, and no word of more.
    let states: Vec<_> = client
        .events
        .iter()
        .map(|event| match event {
            Event::Connected { .. } => "connected",
            Event::DaemonLost { .. } => "lost",
            Event::Reconnected(_) => "back",
            _ => "",
        })
        .filter(|word| !word.is_empty())
        .collect();
    assert_eq!(states, ["connected", "lost", "back", "lost", "back"]);
}

#[test]
fn a_daemon_that_orders_nothing_yet_is_not_gone_to() {
    let starts = Duration::from_secs(1);
    let network = Network::builder()
        .daemons(2)
        .unix(false)
        .timing(Timing {
            restart: starts,
            ..Timing::FAST
        })
        .start()
        .unwrap();
    let name = list(&network, &[0, 1]);
    let options = "failover=auto&failback_ms=20&avoid_ms=0";
    let mut client = connect(&format!("{name}?{options}"), "bob").unwrap();
    client.join_and_see("g");
    network.kill(0).unwrap();
    client.reconnected();
    assert_eq!(client.name(), "#bob#d2");
    let restarted = Instant::now();
    network.restart(0).unwrap();
    // It accepts at once.
    while !matches!(client.event(), Event::DaemonLost { .. }) {}
    assert!(restarted.elapsed() >= starts, "{:?}", restarted.elapsed());
    let home = client.reconnected();
    assert_eq!(home.private_group.as_bytes(), b"#bob#d1");
    // What shows that a daemon is in order is not for the program.
    client.multicast("g", b"end").unwrap();
    let lines = client.until("data #bob#d1 end");
    let data = lines
        .iter()
        .filter(|line| line.starts_with("data "))
        .count();
    assert_eq!(data, 1, "{lines:?}");
}
