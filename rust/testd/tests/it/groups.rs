use spread_proto::service::{
    CAUSED_BY_DISCONNECT, CAUSED_BY_JOIN, CAUSED_BY_LEAVE, SAFE_MESS, SELF_DISCARD,
};
use spread_testd::Network;

use crate::client::{Client, Event};

fn view(cause: u32, members: &[&str], index: i32, who: &str) -> Event {
    Event::View {
        cause,
        group: "g".into(),
        members: members.iter().map(|&m| m.into()).collect(),
        index,
        sets: vec![vec![who.into()]],
        mine: 0,
    }
}

fn end_of_g(client: &mut Client, expected: &Event) {
    assert_eq!(client.next(), *expected, "at {client:?}");
}

#[test]
fn joins_leaves_and_disconnects_are_seen_by_all_members_in_one_order() {
    let network = Network::builder().daemons(3).start().unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let mut z = Client::connect(network.daemon(0), "Z");
    let mut b = Client::connect(network.daemon(1), "b");
    let mut c = Client::connect(network.daemon(2), "c");
    let mut n = Client::connect_without_membership(network.daemon(0), "n");

    a.join("g");
    end_of_g(&mut a, &view(CAUSED_BY_JOIN, &["#a#d1"], 1, "#a#d1"));
    b.join("g");
    for client in [&mut a, &mut b] {
        end_of_g(
            client,
            &view(CAUSED_BY_JOIN, &["#a#d1", "#b#d2"], 2, "#b#d2"),
        );
    }
    z.join("g");
    let members = ["#Z#d1", "#a#d1", "#b#d2"];
    for client in [&mut a, &mut b, &mut z] {
        end_of_g(client, &view(CAUSED_BY_JOIN, &members, 3, "#Z#d1"));
    }
    c.join("g");
    let members = ["#Z#d1", "#a#d1", "#b#d2", "#c#d3"];
    for client in [&mut a, &mut b, &mut z, &mut c] {
        end_of_g(client, &view(CAUSED_BY_JOIN, &members, 4, "#c#d3"));
    }
    n.join("g");
    let members = ["#Z#d1", "#a#d1", "#n#d1", "#b#d2", "#c#d3"];
    for client in [&mut a, &mut b, &mut z, &mut c] {
        end_of_g(client, &view(CAUSED_BY_JOIN, &members, 5, "#n#d1"));
    }

    // Neither of these changes anything.
    a.join("g");
    a.leave("h");
    a.expect_nothing();

    z.leave("g");
    let members = ["#a#d1", "#n#d1", "#b#d2", "#c#d3"];
    for client in [&mut a, &mut b, &mut c] {
        end_of_g(client, &view(CAUSED_BY_LEAVE, &members, 6, "#Z#d1"));
    }
    end_of_g(&mut z, &Event::SelfLeave("g".into()));
    n.leave("g");
    for client in [&mut a, &mut b, &mut c] {
        end_of_g(
            client,
            &view(CAUSED_BY_LEAVE, &["#a#d1", "#b#d2", "#c#d3"], 7, "#n#d1"),
        );
    }
    n.expect_nothing();
    b.kill();
    for client in [&mut a, &mut c] {
        end_of_g(
            client,
            &view(CAUSED_BY_DISCONNECT, &["#a#d1", "#c#d3"], 8, "#b#d2"),
        );
    }
    end_of_g(&mut b, &Event::End);
    drop(c);
    end_of_g(&mut a, &view(CAUSED_BY_DISCONNECT, &["#a#d1"], 9, "#c#d3"));
    a.leave("g");
    end_of_g(&mut a, &Event::SelfLeave("g".into()));
    a.expect_nothing();
}

#[test]
fn a_message_comes_once_however_many_of_its_groups_match() {
    let network = Network::builder().daemons(2).start().unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let mut b = Client::connect(network.daemon(1), "b");
    for group in ["g", "h"] {
        b.join(group);
        assert_eq!(b.view(CAUSED_BY_JOIN), ["#b#d2"]);
    }
    for groups in [
        &["g", "h"][..],
        &["g", "g"],
        &["nosuch", "#b#d2", "h"],
        &["#b#d2"],
    ] {
        a.multicast(groups, "once");
        match b.next() {
            Event::Data {
                sender,
                groups: seen,
                body,
                ..
            } => {
                assert_eq!((sender.as_str(), body.as_slice()), ("#a#d1", &b"once"[..]));
                assert_eq!(seen, groups);
            }
            other => panic!("{other:?}"),
        }
    }
    // To nobody, without an error.
    for group in ["#xxx#d2", "#xxx#d9", "#b", "b#d2", "nosuch", ""] {
        a.multicast(&[group], "lost");
    }
    a.multicast(&[], "lost");
    a.expect_nothing();
    b.expect_nothing();
}

#[test]
fn self_discard_keeps_a_message_from_its_sender_alone() {
    let network = Network::builder().start().unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let mut b = Client::connect(network.daemon(0), "b");
    a.join("g");
    assert_eq!(a.view(CAUSED_BY_JOIN).len(), 1);
    b.join("g");
    assert_eq!(b.view(CAUSED_BY_JOIN).len(), 2);
    assert_eq!(a.view(CAUSED_BY_JOIN).len(), 2);
    let frame = a.message(SAFE_MESS | SELF_DISCARD, &["#a#d1", "g"], 7, b"x");
    a.send(&frame);
    match b.next() {
        Event::Data {
            kind, mess_type, ..
        } => {
            assert_eq!((kind, mess_type), (SAFE_MESS | SELF_DISCARD, 7));
        }
        other => panic!("{other:?}"),
    }
    a.expect_nothing();
}

#[test]
fn a_client_sees_its_requests_take_effect_in_the_order_in_which_it_sent_them() {
    let network = Network::builder().start().unwrap();
    let mut watcher = Client::connect(network.daemon(0), "w");
    watcher.join("g");
    assert_eq!(watcher.view(CAUSED_BY_JOIN).len(), 1);

    let mut a = Client::connect(network.daemon(0), "a");
    a.join("g");
    a.multicast(&["g"], "one");
    a.leave("g");
    a.multicast(&["g"], "two");
    assert_eq!(a.view(CAUSED_BY_JOIN).len(), 2);
    assert_eq!(a.text(), "one");
    assert_eq!(a.next(), Event::SelfLeave("g".into()));
    a.join("g");
    drop(a);

    assert_eq!(watcher.view(CAUSED_BY_JOIN).len(), 2);
    assert_eq!(watcher.text(), "one");
    assert_eq!(watcher.view(CAUSED_BY_LEAVE), ["#w#d1"]);
    assert_eq!(watcher.text(), "two");
    assert_eq!(watcher.view(CAUSED_BY_JOIN), ["#a#d1", "#w#d1"]);
    assert_eq!(watcher.view(CAUSED_BY_DISCONNECT), ["#w#d1"]);
}

#[test]
fn what_came_before_a_good_bye_is_delivered_and_nothing_after_it() {
    let network = Network::builder().start().unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let own = a.name();
    for index in 0..50 {
        a.multicast(&[&own], &index.to_string());
    }
    a.kill();
    a.multicast(&[&own], "late");
    for index in 0..50 {
        assert_eq!(a.text(), index.to_string());
    }
    assert_eq!(a.next(), Event::End);
}

#[test]
fn any_bytes_are_a_group_name() {
    let network = Network::builder().start().unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    for name in ["", "#x", "a b", "\u{1}", "#a#d1"] {
        a.join(name);
        assert_eq!(a.view(CAUSED_BY_JOIN), ["#a#d1"], "{name:?}");
    }
    // A private group addresses its session, whoever has joined a group of that name.
    let mut b = Client::connect(network.daemon(0), "b");
    b.join("#a#d1");
    assert_eq!(b.view(CAUSED_BY_JOIN).len(), 2);
    assert_eq!(a.view(CAUSED_BY_JOIN).len(), 2);
    b.multicast(&["#a#d1"], "to a");
    assert_eq!(a.text(), "to a");
    b.expect_nothing();
}
