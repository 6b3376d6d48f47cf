//! Each policy at its limit, with exact counts.

use std::time::Instant;

use spread_client::{Ending, Error, Event, Service};

use crate::support::{
    LIMIT, SENT_FRAME, Sender, connect, dropped, events, joined, network, number, on_both, receive,
    wait_for,
};

#[test]
fn nothing_is_lost_and_slowness_is_told_and_taken_back() {
    on_both(|tcp| {
        let network = network();
        let slow = joined(
            &network,
            "recv_max_bytes=1M&recv_high_pct=50&recv_low_pct=20",
            tcp,
        );
        let mut sender = Sender::new(&network);
        sender.send(600);
        let stats = wait_for(&slow, "messages", |s| s.waiting_messages >= 599);
        assert!(stats.waiting_bytes > 590 * SENT_FRAME);
        assert!(stats.peak_messages >= 599);
        for expected in 0..600 {
            assert_eq!(number(&receive(&slow)), expected);
        }
        let stats = slow.stats().unwrap();
        assert_eq!((stats.waiting_messages, stats.waiting_bytes), (0, 0));
        assert_eq!((stats.messages_in, stats.dropped_messages), (601, 0));
        let events = events(&slow);
        let [
            Event::Slow { bytes, .. },
            Event::SlowCleared { bytes: left, .. },
        ] = events[..]
        else {
            panic!("{events:?}");
        };
        assert!(bytes >= 512 << 10, "{bytes}");
        assert!(left <= 205 << 10, "{left}");
    });
}

#[test]
fn the_newest_are_dropped_beyond_the_limit_and_counted() {
    on_both(|tcp| {
        let network = network();
        let slow = joined(&network, "recv_policy=drop_newest&recv_max_bytes=100K", tcp);
        let mut sender = Sender::new(&network);
        sender.send(500);
        let fit = (100 << 10) / SENT_FRAME;
        let joiner = connect(&network, "");
        joiner.join("group").unwrap();
        receive(&joiner);
        // Where the mailbox is the socket, one byte of the newest message stays in it.
        wait_for(&slow, "drops", |s| {
            s.waiting_messages + s.dropped_messages >= 500
        });
        for expected in 0..u32::try_from(fit).unwrap() {
            assert_eq!(number(&receive(&slow)), expected);
        }
        // The change of the group is not dropped, and comes where it belongs: after all of them.
        let after = receive(&slow);
        assert!(after.is_regular_membership(), "{after:?}");
        assert_eq!(after.groups.len(), 2);
        let stats = slow.stats().unwrap();
        assert_eq!(stats.dropped_messages, 500 - fit);
        assert_eq!(stats.dropped_bytes, (500 - fit) * SENT_FRAME);
        assert_eq!(dropped(&events(&slow)), 500 - fit);
    });
}

#[test]
fn the_oldest_are_dropped_beyond_the_limit_and_counted() {
    on_both(|tcp| {
        let network = network();
        let slow = joined(&network, "recv_policy=drop_oldest&recv_max_bytes=100K", tcp);
        let mut sender = Sender::new(&network);
        sender.send(10);
        let joiner = connect(&network, "");
        joiner.join("group").unwrap();
        receive(&joiner);
        sender.send(490);
        wait_for(&slow, "drops", |s| {
            s.waiting_messages + s.dropped_messages >= 500
        });
        // The change of the group comes first now: what was before it is dropped.
        let first = receive(&slow);
        assert!(first.is_regular_membership(), "{first:?}");
        let next = number(&receive(&slow));
        for expected in next + 1..500 {
            assert_eq!(number(&receive(&slow)), expected);
        }
        let stats = slow.stats().unwrap();
        assert_eq!(stats.dropped_messages, u64::from(next));
        let kept = (100 << 10) / SENT_FRAME;
        assert!((500 - u64::from(next)).abs_diff(kept) <= 1, "{stats:?}");
        assert_eq!(dropped(&events(&slow)), u64::from(next));
    });
}

#[test]
fn a_limit_of_messages_counts_messages() {
    let network = network();
    let slow = joined(
        &network,
        "recv_policy=drop_newest&recv_max_messages=10",
        true,
    );
    let mut sender = Sender::new(&network);
    sender.send(200);
    wait_for(&slow, "drops", |s| {
        s.waiting_messages + s.dropped_messages >= 200
    });
    for expected in 0..10 {
        assert_eq!(number(&receive(&slow)), expected);
    }
    // There is room again.
    sender.send(1);
    assert_eq!(number(&receive(&slow)), 200);
    assert_eq!(slow.stats().unwrap().dropped_messages, 190);
}

#[test]
fn a_session_that_closes_at_the_limit_delivers_what_has_come() {
    on_both(|tcp| {
        let network = network();
        let slow = joined(&network, "recv_policy=close&recv_max_bytes=100K", tcp);
        let mut sender = Sender::new(&network);
        sender.send(500);
        let end = Instant::now() + LIMIT;
        let mut told = Vec::new();
        while !matches!(told.last(), Some(Event::Closed(_))) {
            told.extend(slow.next_event().unwrap());
            assert!(Instant::now() < end, "{told:?}");
        }
        assert_eq!(told.last(), Some(&Event::Closed(Ending::Overflow)));
        assert!(
            !told
                .iter()
                .any(|event| matches!(event, Event::DaemonLost { .. })),
            "{told:?}"
        );
        let mut next = 0;
        let error = loop {
            match slow.receive_for(LIMIT) {
                Ok(message) => assert_eq!(number(&message.unwrap()), next),
                Err(error) => break error,
            }
            next += 1;
        };
        assert_eq!(error, Error::ConnectionClosed);
        assert_eq!(u64::from(next), (100 << 10) / SENT_FRAME);
        assert_eq!(slow.receive_for(LIMIT), Err(Error::NetError));
    });
}

#[test]
fn a_message_larger_than_the_limit_still_comes() {
    for policy in ["block", "drop_newest", "drop_oldest"] {
        let network = network();
        let slow = joined(
            &network,
            &format!("recv_policy={policy}&recv_max_bytes=64K"),
            true,
        );
        let sender = connect(&network, "");
        sender
            .multicast(Service::Fifo, &["group"], 7, &vec![1; 100_000])
            .unwrap();
        let message = receive(&slow);
        assert_eq!(
            (message.mess_type, message.body.len()),
            (7, 100_000),
            "{policy}"
        );
    }
}
