use spread_proto::service::{AGREED_MESS, CAUSED_BY_JOIN, FIFO_MESS, SAFE_MESS};
use spread_proto::{ByteOrder, Frame, Hint, Name};
use spread_testd::{Network, ReferenceFaults};

use crate::client::{Client, Event};

#[test]
fn all_receivers_on_all_daemons_see_one_order() {
    let network = Network::builder().daemons(3).start().unwrap();
    let mut receivers: Vec<_> = (0..3)
        .map(|i| Client::connect(network.daemon(i), &format!("r{i}")))
        .collect();
    for receiver in &mut receivers {
        receiver.join("g");
        let own = receiver.name();
        while !receiver.view(CAUSED_BY_JOIN).contains(&own) {}
    }
    let senders: Vec<_> = (0..2)
        .map(|i| {
            let mut sender = Client::connect(network.daemon(i), &format!("s{i}"));
            std::thread::spawn(move || {
                for number in 0..300 {
                    let kind = 1 << (number % 6);
                    let text = format!("{i} {number}");
                    let frame = sender.message(kind, &["g"], 0, text.as_bytes());
                    sender.send(&frame);
                }
                sender.kill();
                assert_eq!(sender.next(), Event::End);
            })
        })
        .collect();
    let mut orders = Vec::new();
    for receiver in &mut receivers {
        let mut order = Vec::new();
        while order.len() < 600 {
            if let Event::Data { body, .. } = receiver.next() {
                order.push(String::from_utf8(body).unwrap());
            }
        }
        orders.push(order);
    }
    for sender in senders {
        sender.join().unwrap();
    }
    assert_eq!(orders[0], orders[1]);
    assert_eq!(orders[0], orders[2]);
    for sender in ["0 ", "1 "] {
        let own: Vec<_> = orders[0].iter().filter(|t| t.starts_with(sender)).collect();
        let sent: Vec<_> = (0..300).map(|n| format!("{sender}{n}")).collect();
        assert!(own.iter().copied().eq(&sent));
    }
}

#[test]
fn headers_come_in_the_daemons_byte_order_and_hints_in_the_senders() {
    for daemons in [ByteOrder::Little, ByteOrder::Big] {
        let network = Network::builder().byte_order(daemons).start().unwrap();
        let mut a = Client::connect(network.daemon(0), "a");
        for sender in [ByteOrder::Little, ByteOrder::Big] {
            let frame = Frame::new(
                FIFO_MESS,
                a.group,
                Hint::new(258, sender),
                sender,
                vec![a.group],
                b"body".to_vec(),
            );
            a.send(&frame);
            let back = a.frame().unwrap();
            assert_eq!(back.header.order, daemons);
            assert_eq!(back.header.hint, Hint::new(258, sender));
            assert_eq!((back.groups, back.body), (frame.groups, frame.body));
        }
        a.join("g");
        let view = a.frame().unwrap();
        assert_eq!(view.header.order, daemons);
        assert_eq!(
            crate::client::decode(&view),
            Event::View {
                cause: CAUSED_BY_JOIN,
                group: "g".into(),
                members: vec!["#a#d1".into()],
                index: 1,
                sets: vec![vec!["#a#d1".into()]],
                mine: 0,
            }
        );
    }
}

#[test]
fn extra_type_bits_pass_unchanged() {
    let network = Network::builder().start().unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let own = a.name();
    for extra in [0x0100_4000, 0x1000, 0x2000, 0x0020_8000, 0x4000_0000] {
        let frame = a.message(AGREED_MESS | extra, &[&own], 0, b"");
        a.send(&frame);
        assert_eq!(a.frame().unwrap().header.kind, AGREED_MESS | extra);
    }
}

/// Frames after which a daemon closes the connection.
fn broken_frames(own: Name) -> Vec<(&'static str, Vec<u8>)> {
    let good = |kind| {
        Frame::new(
            kind,
            own,
            Hint::NONE,
            ByteOrder::NATIVE,
            vec![own],
            Vec::new(),
        )
    };
    let with = |change: fn(&mut spread_proto::Header)| {
        let mut header = good(FIFO_MESS).header;
        change(&mut header);
        header.encode().to_vec()
    };
    vec![
        ("no service", good(0).encode()),
        ("two services", good(FIFO_MESS | SAFE_MESS).encode()),
        ("join and service", good(0x0001_0000 | FIFO_MESS).encode()),
        (
            "a request between daemons",
            good(0x0008_0000 | FIFO_MESS).encode(),
        ),
        ("wrong sender", with(|h| h.name = Name::new(b"#b#d1"))),
        ("101 groups", with(|h| h.num_groups = 101)),
        ("-1 groups", with(|h| h.num_groups = -1)),
        ("length -1", with(|h| h.data_len = -1)),
        ("143153 bytes", with(|h| h.data_len = 143_153 - 32)),
        ("a lot of bytes", with(|h| h.data_len = i32::MAX)),
        (
            "bits in the hint",
            with(|h| h.hint = Hint::from_wire([0x81, 0, 0, 0x80])),
        ),
    ]
}

#[test]
fn a_broken_frame_ends_the_session_and_others_see_it_go() {
    let network = Network::builder().start().unwrap();
    let mut watcher = Client::connect(network.daemon(0), "w");
    watcher.join("g");
    assert_eq!(watcher.view(CAUSED_BY_JOIN).len(), 1);
    let count = broken_frames(Name::EMPTY).len();
    for index in 0..count {
        let mut a = Client::connect(network.daemon(0), "a");
        a.join("g");
        assert_eq!(a.view(CAUSED_BY_JOIN).len(), 2);
        let (what, bytes) = &broken_frames(a.group)[index];
        a.socket.write_all(bytes).unwrap();
        assert_eq!(a.next(), Event::End, "{what}");
        assert_eq!(watcher.view(CAUSED_BY_JOIN).len(), 2, "{what}");
        assert_eq!(
            watcher
                .view(spread_proto::service::CAUSED_BY_DISCONNECT)
                .len(),
            1,
            "{what}"
        );
    }
}

#[test]
fn the_largest_message_and_the_most_groups_arrive() {
    let network = Network::builder().start().unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let own = a.name();
    let body: Vec<u8> = (0..143_120_u32).map(|i| i.to_le_bytes()[0]).collect();
    let frame = a.message(SAFE_MESS, &[&own], 0, &body);
    a.send(&frame);
    assert!(a.frame().unwrap().body == body);
    let groups = vec![own.as_str(); 100];
    let frame = a.message(SAFE_MESS, &groups, 0, b"100");
    a.send(&frame);
    assert_eq!(a.frame().unwrap().groups.len(), 100);
    a.expect_nothing();
}

#[test]
fn the_references_defects_come_on_demand() {
    let network = Network::builder()
        .daemons(2)
        .reference_faults(ReferenceFaults::ALL)
        .start()
        .unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let own = a.name();
    for (count, comes) in [(43, true), (44, false)] {
        let groups = vec![own.as_str(); count];
        let frame = a.message(SAFE_MESS, &groups, 0, b"many");
        a.send(&frame);
        if comes {
            assert_eq!(a.text(), "many");
        }
        a.expect_nothing();
    }
    for (what, index) in [("a request between daemons", 0), ("143153 bytes", 1)] {
        let mut victim = Client::connect(network.daemon(index), "v");
        let mut other = Client::connect(network.daemon(index), "o");
        let frames = broken_frames(victim.group);
        let (_, bytes) = frames.iter().find(|(name, _)| *name == what).unwrap();
        victim.socket.write_all(bytes).unwrap();
        assert_eq!(other.next(), Event::End, "{what}: the daemon lives");
    }
}
