use std::time::{Duration, Instant};

use spread_proto::{ConnectRequest, HandshakeFailure, reject};
use spread_testd::Network;

use crate::client::{Client, Socket};

fn connect_message(name: &[u8]) -> Vec<u8> {
    let len = u8::try_from(name.len()).unwrap();
    [&[5, 0, 1, 1, len][..], name].concat()
}

fn code(code: i8) -> Vec<u8> {
    vec![code.cast_unsigned()]
}

/// Bytes that the daemon sends before it closes, after all of `bytes` came in one write.
fn answer_to(network: &Network, bytes: &[u8]) -> Vec<u8> {
    let mut socket = Socket::tcp(network.daemon(0).addr()).unwrap();
    socket.write_all(bytes).unwrap();
    socket.read_to_end()
}

#[test]
fn connect_messages_that_a_daemon_turns_away() {
    let network = Network::builder().start().unwrap();
    let cases: &[(&str, Vec<u8>, Vec<u8>)] = &[
        (
            "version 3.0.9",
            vec![3, 0, 9, 1, 1, b'a'],
            code(reject::VERSION),
        ),
        (
            "version -1",
            vec![255, 0, 0, 1, 1, b'a'],
            code(reject::VERSION),
        ),
        (
            "name of 11",
            connect_message(&[b'a'; 11]),
            code(reject::ILLEGAL_NAME),
        ),
        (
            "name of -1",
            vec![5, 0, 1, 1, 255, b'a'],
            code(reject::ILLEGAL_NAME),
        ),
        (
            "name cut",
            vec![5, 0, 1, 1, 5, b'a'],
            code(reject::ILLEGAL_NAME),
        ),
        (
            "name too long for its length",
            vec![5, 0, 1, 1, 2, b'a', b'b', b'c'],
            code(reject::ILLEGAL_NAME),
        ),
        (
            "blank in name",
            connect_message(b"a b"),
            code(reject::ILLEGAL_NAME),
        ),
        (
            "hash in name",
            connect_message(b"a#b"),
            code(reject::ILLEGAL_NAME),
        ),
        (
            "high byte in name",
            connect_message(b"\xe4"),
            code(reject::ILLEGAL_NAME),
        ),
        ("two bytes", vec![5, 0], Vec::new()),
        ("no name length", vec![5, 0, 1, 1], Vec::new()),
        ("no name", vec![5, 0, 1, 1, 3], Vec::new()),
    ];
    for (what, bytes, expected) in cases {
        assert_eq!(answer_to(&network, bytes), *expected, "{what}");
    }
}

#[test]
fn choices_that_a_daemon_turns_away() {
    let network = Network::builder().start().unwrap();
    let slots = |names: &[&str]| {
        let mut choice = vec![0; 90];
        for (slot, name) in choice.chunks_exact_mut(30).zip(names) {
            slot[..name.len()].copy_from_slice(name.as_bytes());
        }
        choice
    };
    for (what, choice) in [
        ("unknown", slots(&["WHAT"])),
        ("second unknown", slots(&["NULL", "WHAT"])),
        ("none", slots(&[])),
        ("all slots", slots(&["NULL", "NULL", "NULL"])),
        ("short", slots(&["NULL"])[..89].to_vec()),
    ] {
        let mut socket = Socket::tcp(network.daemon(0).addr()).unwrap();
        socket.write_all(&connect_message(b"me")).unwrap();
        let mut list = [0; 6];
        let count = socket.read(&mut list).unwrap();
        assert_eq!(&list[..count], b"\x05NULL ");
        socket.write_all(&choice).unwrap();
        assert_eq!(socket.read_to_end(), code(reject::AUTH), "{what}");
    }
}

#[test]
fn a_name_is_taken_from_the_connect_message_until_the_session_ends() {
    let network = Network::builder().daemons(2).start().unwrap();
    let try_connect = |daemon: usize| {
        let socket = Socket::tcp(network.daemon(daemon).addr()).unwrap();
        Client::try_connect(socket, "alice", true)
    };

    let mut early = Socket::tcp(network.daemon(0).addr()).unwrap();
    early.write_all(&connect_message(b"alice")).unwrap();
    let mut list = [0; 6];
    assert!(early.read(&mut list).unwrap() > 0);
    let refused = HandshakeFailure::Code(reject::NOT_UNIQUE);
    assert_eq!(try_connect(0).err(), Some(refused));
    assert_eq!(try_connect(1).unwrap().name(), "#alice#d2");

    drop(early);
    let start = Instant::now();
    let mut alice = loop {
        match try_connect(0) {
            Ok(client) => break client,
            Err(failure) => assert_eq!(failure, refused),
        }
        assert!(start.elapsed() < Duration::from_secs(10));
    };
    alice.kill();
    assert_eq!(alice.frame(), None);
    assert!(try_connect(0).is_ok());
}

#[test]
fn nameless_sessions_get_names() {
    let network = Network::builder().start().unwrap();
    let clients: Vec<_> = (0..5)
        .map(|_| Client::connect(network.daemon(0), ""))
        .collect();
    for client in &clients {
        let name = client.name();
        let made_up = name.strip_prefix("#r").and_then(|n| n.strip_suffix("#d1"));
        assert!(
            made_up.is_some_and(|n| n.len() <= 8 && n.contains('-')),
            "{name}"
        );
        assert_eq!(clients.iter().filter(|c| c.name() == name).count(), 1);
    }
}

#[test]
fn a_daemon_that_is_full_says_so_before_it_reads() {
    let network = Network::builder().max_sessions(2).start().unwrap();
    let _first = Client::connect(network.daemon(0), "a");
    let second = Client::connect(network.daemon(0), "b");
    let mut third = Socket::tcp(network.daemon(0).addr()).unwrap();
    assert_eq!(third.read_to_end(), code(reject::QUOTA));
    drop(second);
    let start = Instant::now();
    while Client::try_connect(Socket::tcp(network.daemon(0).addr()).unwrap(), "c", true).is_err() {
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}

#[test]
fn a_silent_connection_keeps_others_waiting_for_a_second() {
    let network = Network::builder().start().unwrap();
    let mut silent = Socket::tcp(network.daemon(0).addr()).unwrap();
    let start = Instant::now();
    Client::connect(network.daemon(0), "a");
    let waited = start.elapsed();
    assert!(waited > Duration::from_millis(900), "{waited:?}");
    assert!(silent.read_to_end().is_empty());
}

#[test]
fn old_libraries_connect_without_methods() {
    let network = Network::builder().start().unwrap();
    for (message, answer) in [
        (&[3, 14, 1, 1, b'a'][..], &b"\x01\x05\x00\x05#a#d1"[..]),
        (&[3, 15, 0, 1, 1, b'b'], b"\x01\x05\x00\x01\x05#b#d1"),
    ] {
        let mut socket = Socket::tcp(network.daemon(0).addr()).unwrap();
        socket.write_all(message).unwrap();
        let mut read = Vec::new();
        while read.len() < answer.len() {
            let mut buffer = [0; 64];
            let count = socket.read(&mut buffer).unwrap();
            assert_ne!(count, 0);
            read.extend_from_slice(&buffer[..count]);
        }
        assert_eq!(read, answer);
    }
}

#[test]
fn connect_message_of_the_protocol_crate_is_what_these_tests_send() {
    let request = ConnectRequest {
        version: [5, 0, 1],
        membership: true,
        priority: false,
        private_name: b"me".to_vec(),
    };
    assert_eq!(request.encode(), connect_message(b"me"));
}

#[test]
fn a_caller_that_hangs_up_at_once_keeps_nobody_waiting() {
    let network = Network::builder().start().unwrap();
    let daemon = network.daemon(0);
    for round in 0..50 {
        // Its end may be seen in the very turn in which the other caller has come.
        drop(Socket::tcp(daemon.addr()).unwrap());
        let start = Instant::now();
        let mut client = Client::connect_unix(daemon, &format!("n{round}"));
        assert!(start.elapsed() < Duration::from_secs(4), "round {round}");
        client.kill();
    }
}
