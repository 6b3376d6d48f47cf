//! A program that does not receive: its inbox is full, and reading has stopped. It is told of a loss, and comes
//! back, all the same.

use std::time::{Duration, Instant};

use spread_client::{Ending, Error, Event};
use spread_testd::{Network, Timing};

use crate::auto::list;
use crate::client::{Client, PATIENCE, connect, line, say};

/// The smallest inbox.
const LIMIT: usize = 64 << 10;

/// What the library reads beyond it once the daemon has hung up.
const REST: usize = 1 << 20;

/// Bytes of a body, and of its message on the wire: header, group, body.
const BODY: usize = 1000;
const FRAME: usize = 48 + 32 + BODY;

/// Messages that do not fit into the inbox, but into that and the socket's buffer.
const COUNT: usize = 100;

fn network(unix: bool) -> Network {
    Network::builder()
        .daemons(2)
        .unix(unix)
        .timing(Timing::FAST)
        .start()
        .expect("a network")
}

fn body(number: usize) -> Vec<u8> {
    let mut body = format!("{number} ").into_bytes();
    body.resize(BODY, b'.');
    body
}

/// A session with an inbox that is full, a part of its messages being in the socket still; the sender; the
/// bytes that wait.
fn full(network: &Network, name: &str, options: &str) -> (Client, Client, usize) {
    let sender = connect(&network.daemon(1).spread_name(), "sue").expect("a session");
    let name = format!("{name}?recv_max_bytes={LIMIT}&{options}");
    let mut client = connect(&name, "bob").expect("a session");
    client.join_and_see("g");
    sender.join_and_see("g");
    assert!(client.next().starts_with("view g "));
    for number in 0..COUNT {
        sender.multicast("g", &body(number)).expect("a send");
    }
    while !matches!(client.event(), Event::Blocked { .. }) {}
    let all = COUNT * FRAME;
    let deadline = Instant::now() + PATIENCE;
    while waiting(&client) < all {
        assert!(Instant::now() < deadline, "{} of {all}", waiting(&client));
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(waiting(&client), all);
    (client, sender, all)
}

fn waiting(client: &Client) -> usize {
    spread_client::waiting_bytes(client.mailbox).expect("a session")
}

/// The number of the next message, which must be data.
fn number(client: &Client) -> usize {
    let text = client.next();
    let word = text.strip_prefix("data #sue#d2 ").expect("data");
    word.split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number")
}

fn comes_back(unix: bool) {
    let network = network(unix);
    let name = if unix {
        format!(
            "{},{}",
            network.daemon(0).addr().port(),
            network.daemon(1).spread_name()
        )
    } else {
        list(&network, &[0, 1])
    };
    let (mut client, sender, all) = full(&network, &name, "failover=auto");
    assert_eq!(
        spread_client::daemon(client.mailbox)
            .expect("a session")
            .starts_with("/tmp/"),
        unix
    );
    network.kill(0).expect("a daemon");
    // Nobody receives.
    let how = client.reconnected();
    assert_eq!(how.private_group.as_bytes(), b"#bob#d2");
    say(format_args!("full inbox, unix {unix}: gap {:?}", how.gap));
    assert!(
        waiting(&client) > all,
        "the view of the new daemon waits too"
    );
    sender.multicast("g", b"after").expect("a send");
    for expected in 0..COUNT {
        assert_eq!(number(&client), expected);
    }
    assert_eq!(client.next(), "transition g");
    assert_eq!(client.next(), "view g #bob#d2,#sue#d2 me=0");
    assert_eq!(client.next(), "data #sue#d2 after");
}

#[test]
fn a_session_comes_back_by_tcp() {
    comes_back(false);
}

#[test]
fn a_session_comes_back_by_unix_socket() {
    comes_back(true);
}

#[test]
fn without_failover_everything_is_delivered_and_then_the_code() {
    for unix in [false, true] {
        let network = network(unix);
        let name = if unix {
            network.daemon(0).addr().port().to_string()
        } else {
            network.daemon(0).spread_name()
        };
        let (mut client, _sender, all) = full(&network, &name, "failover=connect");
        network.kill(0).unwrap();
        if !unix {
            // The number of a unix session is the socket, whose last byte stays in it.
            while !matches!(client.event(), Event::DaemonLost { .. }) {}
            assert_eq!(client.event(), Event::Closed(Ending::DaemonGone));
        }
        assert_eq!(waiting(&client), all);
        for expected in 0..COUNT {
            assert_eq!(number(&client), expected);
        }
        assert_eq!(waiting(&client), 1, "the loss can be received");
        assert_eq!(client.receive().unwrap_err(), Error::ConnectionClosed);
        assert_eq!(client.receive().unwrap_err(), Error::NetError);
    }
}

/// A daemon throws a slow reader out, again and again.
#[test]
fn what_waits_stays_bounded_whoever_throws_it_out() {
    const MOST: usize = 20;
    let network = Network::builder()
        .daemons(1)
        .max_session_messages(MOST)
        .receiver_grace(Duration::ZERO)
        .timing(Timing::FAST)
        .start()
        .unwrap();
    let port = network.daemon(0).addr().port();
    let sender = connect(&network.daemon(0).spread_name(), "sue").unwrap();
    let options = "failover=auto&avoid_ms=0&reconnect_min_ms=1";
    let name = format!("{port}?recv_max_bytes={LIMIT}&{options}");
    let mut client = connect(&name, "bob").unwrap();
    client.join_and_see("g");
    // The program sleeps while twenty times as much is sent as may wait, in pieces that let it come back.
    let mut losses = 0;
    let mut most = 0;
    let total = 20 * (LIMIT + REST) / FRAME;
    for number in 0..total {
        sender.multicast("g", &body(number)).unwrap();
        if number % 100 == 0 {
            network.settle().unwrap();
            most = most.max(waiting(&client));
            while let Some(event) = spread_client::next_event(client.mailbox).unwrap() {
                losses += usize::from(matches!(event, Event::DaemonLost { .. }));
                client.events.push(event);
            }
        }
    }
    // A unix socket's buffer, as far as SP_poll counts it.
    let bound = LIMIT + REST + (1 << 20);
    say(format_args!(
        "a sleeper that is thrown out: {losses} losses noticed, at most {most} bytes waited"
    ));
    assert!(most < bound, "{most}");
    assert!(losses > 0);
    // It wakes. All that came is in order, with marks where something is missing.
    let (mut last, mut marked, mut gaps) = (None, true, 0);
    sender.multicast("g", b"stop").unwrap();
    let deadline = Instant::now() + 4 * PATIENCE;
    loop {
        assert!(Instant::now() < deadline, "it does not end");
        // The last word may fall into a gap.
        let got = match client.receive_within(Duration::from_millis(300)) {
            Some(got) => line(&got.unwrap()),
            None => {
                sender.multicast("g", b"stop").unwrap();
                continue;
            }
        };
        if got == "transition g" {
            marked = true;
        } else if got.ends_with(" stop") {
            break;
        } else if let Some(data) = got.strip_prefix("data #sue#d1 ") {
            let number: usize = data.split(' ').next().unwrap().parse().unwrap();
            if let Some(last) = last {
                assert!(number > last, "{number} after {last}");
                if number != last + 1 {
                    assert!(marked, "{number} after {last} without a mark");
                    gaps += 1;
                }
            }
            last = Some(number);
            marked = false;
        }
    }
    assert!(gaps > 0);
}
