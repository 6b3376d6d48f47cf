//! Which of several daemons a connect ends at, and what it says if it ends at none.

use std::io::ErrorKind;
use std::net::{Ipv6Addr, TcpListener};
use std::time::{Duration, Instant};

use spread_client::{Error, TimeLimit, reason};
use spread_testd::Network;

use crate::auto::{list, three};
use crate::client::{connect, connect_within};
use crate::support::skip;

/// Accepts connections (by the kernel) and says nothing, as a frozen daemon.
fn mute() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has one").port();
    (listener, format!("{port}@127.0.0.1"))
}

#[test]
fn a_mute_daemon_leaves_time_for_the_next() {
    let (network, _) = three();
    let (listener, silent) = mute();
    listener.set_nonblocking(true).unwrap();
    let name = format!("{silent},{}", network.daemon(0).spread_name());
    let limit = TimeLimit::After(Duration::from_secs(3));
    let start = Instant::now();
    let client = connect_within(&name, "bob", limit).unwrap();
    let took = start.elapsed();
    assert_eq!(client.name(), "#bob#d1");
    assert!(took >= Duration::from_millis(1500), "{took:?}");
    // The process remembers: the next one does not ask it again.
    connect_within(&name, "eve", limit).unwrap();
    assert!(listener.accept().is_ok());
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    // Alone it takes all the time there is.
    let limit = TimeLimit::After(Duration::from_millis(300));
    let alone = connect_within(&silent, "bob", limit);
    assert_eq!(alone.unwrap_err(), Error::ConnectionClosed);
}

#[test]
fn refusals_that_another_daemon_need_not_share_go_on_to_it() {
    let (network, name) = three();
    for code in [spread_proto::reject::QUOTA, spread_proto::reject::VERSION] {
        network.refuse_next(0, 1, code).unwrap();
        let client = connect(&format!("{name}?avoid_ms=0"), "bob").unwrap();
        assert_eq!(client.name(), "#bob#d2", "{code}");
    }
    network.hang_up_next(0, 1).unwrap();
    let client = connect(&format!("{name}?avoid_ms=0"), "bob").unwrap();
    assert_eq!(client.name(), "#bob#d2");
    // It comes last for a while.
    network.hang_up_next(0, 1).unwrap();
    drop(connect(&format!("{name}?avoid_ms=0"), "carl").unwrap());
    let client = connect(&name, "dave").unwrap();
    assert_eq!(client.name(), "#dave#d2");
}

#[test]
fn refusals_that_any_daemon_would_repeat_are_the_result() {
    let (network, name) = three();
    for code in [
        spread_proto::reject::AUTH,
        spread_proto::reject::NOT_UNIQUE,
        spread_proto::reject::ILLEGAL_NAME,
        spread_proto::reject::NO_NAME,
    ] {
        network.refuse_next(0, 1, code).unwrap();
        let refused = connect(&format!("{name}?avoid_ms=0"), "bob");
        assert_eq!(refused.unwrap_err(), Error::Refused(code));
    }
}

#[test]
fn a_daemon_with_an_ipv6_address_is_reached_with_brackets_and_without() {
    let network = Network::builder()
        .daemons(1)
        .unix(false)
        .bind([Ipv6Addr::LOCALHOST.into()])
        .start();
    let Ok(network) = network else {
        skip("this machine has no ::1");
        return;
    };
    let port = network.daemon(0).addr().port();
    let dead = "1@[::1]";
    for name in [
        format!("{port}@[::1]"),
        format!("{port}@::1"),
        format!("{dead},{port}@[::1]?failover=auto"),
    ] {
        let client = connect(&name, "bob").unwrap();
        assert_eq!(client.name(), "#bob#d1", "{name}");
        let place = spread_client::daemon(client.mailbox).unwrap();
        assert_eq!(place, format!("[::1]:{port}"));
        drop(client);
    }
}

#[test]
fn names_may_be_longer_than_the_classic_seventy_characters() {
    let (network, name) = three();
    let dead = vec!["1@127.0.0.1"; 20].join(",");
    let long = format!("{dead},{name}");
    assert!(long.len() > 200);
    let client = connect(&long, "bob").unwrap();
    assert_eq!(client.name(), "#bob#d1");
    drop(network);
}

#[test]
fn the_reason_of_a_failure_names_each_place() {
    let (network, _) = three();
    let two = list(&network, &[0, 1]);
    network.kill(0).unwrap();
    network.kill(1).unwrap();
    let error = connect(&two, "bob").unwrap_err();
    assert_eq!(error, Error::CouldNotConnect);
    reason::failed(error);
    let text = reason::last_error().unwrap();
    for daemon in [0, 1] {
        let place = network.daemon(daemon).addr().to_string();
        assert!(text.contains(&place), "{text:?} does not tell of {place}");
    }
}

#[test]
fn options_in_a_name_have_to_be_right() {
    let (network, _) = three();
    let name = network.daemon(0).spread_name();
    for (options, word) in [
        ("nosuch=1", "nosuch"),
        ("failover=perhaps", "failover"),
        ("shuffle", "shuffle"),
    ] {
        let error = connect(&format!("{name}?{options}"), "bob").unwrap_err();
        assert_eq!(error, Error::IllegalSpread, "{options}");
        reason::failed(error);
        let text = reason::last_error().unwrap();
        assert!(text.contains(word), "{text:?}");
    }
    connect(&format!("{name}?failover=off&shuffle=off"), "bob").unwrap();
}
