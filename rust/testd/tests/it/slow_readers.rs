use std::time::Duration;

use spread_proto::service::{CAUSED_BY_DISCONNECT, CAUSED_BY_JOIN};
use spread_testd::{Daemon, Network};

use crate::client::{Client, Event};

type Connect = fn(&Daemon, &str) -> Client;

/// A reader that reads nothing gets all that the kernel holds, perhaps a part of one more message,
/// and the end. The message that ends it is the one after `max` more.
fn reader_is_dropped_at(max: usize, grace: Duration, size: usize, connect: Connect) {
    let network = Network::builder()
        .max_session_messages(max)
        .receiver_grace(grace)
        .start()
        .unwrap();
    let mut slow = connect(network.daemon(0), "slow");
    let mut sender = Client::connect(network.daemon(0), "s");
    slow.join("g");
    assert_eq!(slow.view(CAUSED_BY_JOIN).len(), 1);
    sender.join("g");
    assert_eq!(sender.view(CAUSED_BY_JOIN).len(), 2);
    assert_eq!(slow.view(CAUSED_BY_JOIN).len(), 2);
    let body = "x".repeat(size);
    let mut sent = 0;
    let end = loop {
        sender.multicast(&["g"], &body);
        match sender.next() {
            Event::Data { .. } => sent += 1,
            other => break other,
        }
        assert!(sent < 100_000);
    };
    // The end of the session is ordered right behind the message that caused it.
    match end {
        Event::View { cause, members, .. } => {
            assert_eq!((cause, members.len()), (CAUSED_BY_DISCONNECT, 1));
            assert_eq!(sender.text(), body);
        }
        other => panic!("{other:?}"),
    }
    let mut received = 0;
    while let Some(frame) = slow.frame() {
        assert_eq!(frame.body.len(), size);
        received += 1;
    }
    assert_eq!(sent, received + max + 1, "partial {}", slow.partial());
}

#[test]
fn a_reader_that_reads_nothing_is_dropped_one_message_after_the_limit() {
    for connect in [Client::connect as Connect, Client::connect_unix] {
        reader_is_dropped_at(1000, Duration::ZERO, 1000, connect);
        reader_is_dropped_at(10, Duration::ZERO, 100, connect);
        reader_is_dropped_at(10, Duration::from_millis(5), 10_000, connect);
    }
}
