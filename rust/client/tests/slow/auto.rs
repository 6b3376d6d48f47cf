//! Policies of sessions that lose their daemon while much waits for the program.

use spread_client::{Connection, Ending, Error, Event, Message};
use spread_proto::service;
use spread_testd::{Network, Timing};

use crate::support::{LIMIT, Sender, dropped, events, number, open, receive, wait_for};

/// Two daemons; a session at the first one that goes over to the second, where the sender is.
struct Two {
    network: Network,
    slow: Connection,
    sender: Sender,
}

fn two(options: &str) -> Two {
    let network = Network::builder()
        .daemons(2)
        .timing(Timing::FAST)
        .start()
        .unwrap();
    let names = [0, 1].map(|at| network.daemon(at).spread_name());
    let options = format!("failover=auto&shuffle=off&{options}");
    let slow = open(&names.join(","), &options);
    slow.join("group").unwrap();
    assert!(receive(&slow).is_regular_membership());
    assert!(matches!(events(&slow)[..], [Event::Connected { .. }]));
    let sender = Sender::at(&names[1]);
    Two {
        network,
        slow,
        sender,
    }
}

impl Two {
    /// The first daemon dies, and the session is at the second one.
    fn go_over(&self) {
        self.network.control().kill(0).unwrap();
        wait_for(&self.slow, "another daemon", |s| s.reconnects == 1);
    }
}

/// What the session receives until all figures of waiting are 0: numbers, and where between them the gap is.
fn take_all(slow: &Connection) -> (Vec<u32>, Vec<(usize, Message)>) {
    let (mut numbers, mut others) = (Vec::new(), Vec::new());
    while slow.stats().unwrap().waiting_messages > 0 {
        let message = receive(slow);
        if message.is_membership() {
            others.push((numbers.len(), message));
        } else {
            numbers.push(number(&message));
        }
    }
    (numbers, others)
}

/// Exactly one mark, and behind it the view with the new name.
fn assert_gap(slow: &Connection, others: &[(usize, Message)]) -> usize {
    let [(at, mark), (behind, view)] = others else {
        panic!("{others:?}");
    };
    assert!(service::is_transition(mark.service), "{mark:?}");
    assert_eq!(mark.sender.as_bytes(), b"group");
    assert!(view.is_regular_membership(), "{view:?}");
    assert_eq!((view.groups.len(), view.mess_type), (1, 0));
    assert_ne!(view.groups[0], slow.private_group());
    assert_eq!(at, behind);
    *at
}

#[test]
fn what_was_spilled_before_the_loss_comes_before_the_mark_and_what_is_spilled_after_it_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut two = two(&format!(
        "recv_policy=spill&recv_max_bytes=100K&spill_dir={}",
        folder.path().display()
    ));
    two.sender.send(4000);
    wait_for(&two.slow, "all before the loss", |s| {
        s.waiting_messages == 4000 && s.spilled_bytes > 1 << 20
    });
    two.go_over();
    let spilled = two.slow.stats().unwrap().spilled_bytes;
    two.sender.send(4000);
    wait_for(&two.slow, "all after the loss", |s| {
        s.waiting_messages >= 8000 && s.spilled_bytes > spilled + (1 << 20)
    });
    let (numbers, others) = take_all(&two.slow);
    assert_eq!(numbers, (0..8000).collect::<Vec<_>>());
    assert_eq!(assert_gap(&two.slow, &others), 4000);
    let stats = two.slow.stats().unwrap();
    assert_eq!((stats.waiting_bytes, stats.spilled_bytes), (0, 0));
    assert_eq!(stats.dropped_messages, 0);
    assert_eq!(stats.messages_in, 8000 + 3);
    // And as if nothing had been.
    two.sender.send(10);
    for expected in 8000..8010 {
        assert_eq!(number(&receive(&two.slow)), expected);
    }
    let told = events(&two.slow);
    let count = |what: fn(&Event) -> bool| told.iter().filter(|event| what(event)).count();
    assert_eq!(count(|e| matches!(e, Event::Reconnected(_))), 1, "{told:?}");
    assert_eq!(count(|e| matches!(e, Event::SlowCleared { .. })), 1);
    assert_eq!(count(|e| matches!(e, Event::Blocked { .. })), 0);
}

#[test]
fn drops_on_both_sides_of_the_gap_are_counted_and_no_mark_is_dropped() {
    for (policy, newest) in [("drop_oldest", false), ("drop_newest", true)] {
        let mut two = two(&format!("recv_policy={policy}&recv_max_bytes=100K"));
        two.sender.send(500);
        wait_for(&two.slow, "drops", |s| {
            s.waiting_messages + s.dropped_messages == 500
        });
        two.go_over();
        two.sender.send(500);
        wait_for(&two.slow, "more drops", |s| {
            s.waiting_messages + s.dropped_messages >= 1000
        });
        let (numbers, others) = take_all(&two.slow);
        let stats = two.slow.stats().unwrap();
        assert!(numbers.is_sorted(), "{numbers:?}");
        assert_eq!(
            numbers.len() as u64 + stats.dropped_messages,
            1000,
            "{policy}"
        );
        assert_eq!(dropped(&events(&two.slow)), stats.dropped_messages);
        // The gap is where it belongs, whatever is missing on either side.
        let at = assert_gap(&two.slow, &others);
        assert!(numbers[..at].iter().all(|number| *number < 500), "{policy}");
        assert!(
            numbers[at..].iter().all(|number| *number >= 500),
            "{policy}"
        );
        assert!(at > 50, "{policy}: {at}");
        if newest {
            assert_eq!(
                numbers[..at],
                (0..u32::try_from(at).unwrap()).collect::<Vec<_>>()
            );
        } else {
            assert_eq!(numbers.last(), Some(&999));
            assert_eq!(numbers[at - 1], 499);
        }
        // There is room again.
        two.sender.send(5);
        for expected in 1000..1005 {
            assert_eq!(number(&receive(&two.slow)), expected);
        }
    }
}

#[test]
fn a_session_that_closes_at_the_limit_is_not_restored() {
    let mut two = two("recv_policy=close&recv_max_bytes=100K");
    two.sender.send(30);
    wait_for(&two.slow, "some", |s| s.waiting_messages == 30);
    two.go_over();
    two.sender.send(500);
    let mut told = Vec::new();
    wait_for(&two.slow, "the end", |_| {
        told.extend(two.slow.next_event().unwrap());
        matches!(told.last(), Some(Event::Closed(_)))
    });
    assert_eq!(told.last(), Some(&Event::Closed(Ending::Overflow)));
    let (mut numbers, mut others) = (Vec::new(), Vec::new());
    let error = loop {
        match two.slow.receive_for(LIMIT) {
            Ok(message) => {
                let message = message.unwrap();
                if message.is_membership() {
                    others.push((numbers.len(), message));
                } else {
                    numbers.push(number(&message));
                }
            }
            Err(error) => break error,
        }
    };
    assert_eq!(error, Error::ConnectionClosed);
    assert_eq!(assert_gap(&two.slow, &others), 30);
    // What had come of both, without a hole.
    let count = u32::try_from(numbers.len()).unwrap();
    assert!(count > 60, "{count}");
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
    assert_eq!(two.slow.receive_for(LIMIT), Err(Error::NetError));
    assert_eq!(two.slow.stats().unwrap().reconnects, 1);
}
