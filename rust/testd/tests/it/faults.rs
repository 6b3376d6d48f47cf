use std::net::TcpStream;
use std::time::{Duration, Instant};

use spread_proto::service::{
    AGREED_MESS, CAUSED_BY_DISCONNECT, CAUSED_BY_JOIN, RELIABLE_MESS, SAFE_MESS,
};
use spread_proto::{HEADER_LEN, HandshakeFailure, reject};
use spread_testd::{AuthMethod, CHALLENGE_LEN, CloseHow, Error, Network, StreamFault, Timing};

use crate::client::{Client, DEADLINE, Event, Socket};

fn try_connect(network: &Network, name: &str) -> Result<Client, HandshakeFailure> {
    let socket = Socket::tcp(network.daemon(0).addr()).unwrap();
    Client::try_connect(socket, name, true)
}

#[test]
fn the_next_connections_are_turned_away_as_told() {
    let network = Network::builder().start().unwrap();
    network.refuse_next(0, 2, reject::QUOTA).unwrap();
    network.refuse_next(0, 1, reject::AUTH).unwrap();
    network.hang_up_next(0, 1).unwrap();
    for expected in [
        HandshakeFailure::Code(reject::QUOTA),
        HandshakeFailure::Code(reject::QUOTA),
        HandshakeFailure::Code(reject::AUTH),
        HandshakeFailure::Closed,
    ] {
        assert_eq!(try_connect(&network, "a").unwrap_err(), expected);
    }
    // The name was never kept.
    assert!(try_connect(&network, "a").is_ok());
    network.hang_up_next(0, 5).unwrap();
    network.clear_next(0).unwrap();
    assert!(try_connect(&network, "b").is_ok());
}

#[test]
fn an_ignored_connection_stays_silent_and_does_not_keep_others_waiting() {
    let network = Network::builder().start().unwrap();
    network.ignore_next(0, 1).unwrap();
    let stream = TcpStream::connect(network.daemon(0).addr()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut ignored = Socket::Tcp(stream);
    ignored.write_all(&[5, 0, 1, 1, 1, b'a']).unwrap();
    assert!(try_connect(&network, "a").is_ok());
    let error = ignored.read(&mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn a_held_name_is_taken_until_it_is_released() {
    let network = Network::builder().start().unwrap();
    network.hold_name(0, "a").unwrap();
    let taken = HandshakeFailure::Code(reject::NOT_UNIQUE);
    assert_eq!(try_connect(&network, "a").unwrap_err(), taken);
    network.release("#a#d1").unwrap();
    assert!(try_connect(&network, "a").is_ok());
    assert!(matches!(
        network.release("#a#d1"),
        Err(Error::NoSuchSession(_))
    ));
}

#[test]
fn a_ghost_stays_a_member_until_it_is_released() {
    let network = Network::builder().daemons(2).start().unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let mut b = Client::connect(network.daemon(1), "b");
    a.join("g");
    assert_eq!(a.view(CAUSED_BY_JOIN).len(), 1);
    b.join("g");
    assert_eq!(b.view(CAUSED_BY_JOIN).len(), 2);
    assert_eq!(a.view(CAUSED_BY_JOIN).len(), 2);
    network.close_session("#a#d1", CloseHow::Ghost).unwrap();
    assert_eq!(a.next(), Event::End);
    b.expect_nothing();
    let ghosts: Vec<_> = network.sessions().unwrap();
    assert_eq!(
        ghosts
            .iter()
            .map(|s| (s.private_group.as_str(), s.ghost))
            .collect::<Vec<_>>(),
        [("#a#d1", true), ("#b#d2", false)]
    );
    assert!(try_connect(&network, "a").is_err());
    network.release("#a#d1").unwrap();
    assert_eq!(b.view(CAUSED_BY_DISCONNECT), ["#b#d2"]);
}

#[test]
fn a_closed_session_is_a_disconnect_for_the_others() {
    let network = Network::builder().start().unwrap();
    let mut watcher = try_connect(&network, "w").unwrap();
    watcher.join("g");
    assert_eq!(watcher.view(CAUSED_BY_JOIN).len(), 1);
    for how in [CloseHow::Normal, CloseHow::Reset] {
        let mut a = try_connect(&network, "a").unwrap();
        a.join("g");
        assert_eq!(a.view(CAUSED_BY_JOIN).len(), 2);
        network.close_session("#a#d1", how).unwrap();
        let mut byte = [0];
        match how {
            CloseHow::Reset => {
                let error = a.socket.read(&mut byte).unwrap_err();
                assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
            }
            _ => assert_eq!(a.socket.read(&mut byte).unwrap(), 0),
        }
        assert_eq!(watcher.view(CAUSED_BY_JOIN).len(), 2);
        assert_eq!(watcher.view(CAUSED_BY_DISCONNECT), ["#w#d1"]);
    }
}

#[test]
fn a_trickle_delivers_everything_in_little_pieces() {
    let network = Network::builder().start().unwrap();
    let trickle = StreamFault::Trickle {
        bytes: 7,
        pause: Duration::from_millis(1),
    };
    network.fault_next(0, 1, trickle).unwrap();
    let mut a = try_connect(&network, "a").unwrap();
    let own = a.name();
    for index in 0..3 {
        a.multicast(&[&own], &format!("message {index}"));
    }
    let mut bytes = Vec::new();
    let all = 3 * (HEADER_LEN + 32 + "message 0".len());
    let mut pieces = 0;
    while bytes.len() < all {
        let mut buffer = [0; 1000];
        let count = a.socket.read(&mut buffer).unwrap();
        assert_ne!(count, 0);
        bytes.extend_from_slice(&buffer[..count]);
        pieces += 1;
    }
    assert_eq!(bytes.len(), all);
    assert!(bytes.ends_with(b"message 2"));
    // At most: a reader that comes late finds several pieces at once.
    assert!(pieces <= all / 7 + 3, "{pieces} pieces");
}

#[test]
fn a_corrupted_stream_has_one_wrong_byte_and_a_truncated_one_ends() {
    let network = Network::builder().start().unwrap();
    let mut a = try_connect(&network, "a").unwrap();
    let own = a.name();
    let at = HEADER_LEN as u64 + 32 + 1;
    network.fault("#a#d1", StreamFault::CorruptAt(at)).unwrap();
    a.multicast(&[&own], "abc");
    a.multicast(&[&own], "abc");
    let wrong = a.frame().unwrap();
    assert_eq!(wrong.body, [b'a', !b'b', b'c']);
    assert_eq!(a.text(), "abc");
    network.fault("#a#d1", StreamFault::TruncateAt(at)).unwrap();
    a.multicast(&[&own], "abc");
    assert_eq!(a.next(), Event::End);
    assert_eq!(a.partial() as u64, at);
}

#[test]
fn a_stalled_stream_goes_on_when_the_fault_is_cleared() {
    let network = Network::builder().start().unwrap();
    let mut a = try_connect(&network, "a").unwrap();
    let mut b = try_connect(&network, "b").unwrap();
    network.fault("#a#d1", StreamFault::StallWriting).unwrap();
    a.multicast(&["#a#d1", "#b#d1"], "one");
    assert_eq!(b.text(), "one");
    let waiting = |network: &Network| network.sessions().unwrap()[0].waiting;
    assert_eq!(waiting(&network), 1);
    network.clear_faults("#a#d1").unwrap();
    assert_eq!(a.text(), "one");

    network.fault("#a#d1", StreamFault::StallReading).unwrap();
    a.multicast(&["#a#d1", "#b#d1"], "two");
    b.expect_nothing();
    network.clear_faults("#a#d1").unwrap();
    assert_eq!(a.text(), "two");
    assert_eq!(b.text(), "two");
}

#[test]
fn delayed_messages_come_in_order_and_not_early() {
    let network = Network::builder().start().unwrap();
    let mut a = try_connect(&network, "a").unwrap();
    let own = a.name();
    let delay = Duration::from_millis(30);
    network.fault(&own, StreamFault::Delay(delay)).unwrap();
    let start = Instant::now();
    for text in ["one", "two", "three"] {
        a.multicast(&[&own], text);
    }
    assert_eq!(a.text(), "one");
    assert!(start.elapsed() >= delay);
    assert_eq!(a.text(), "two");
    assert_eq!(a.text(), "three");
}

#[test]
fn what_a_fault_holds_back_counts_as_waiting() {
    let network = Network::builder()
        .max_session_messages(5)
        .receiver_grace(Duration::ZERO)
        .start()
        .unwrap();
    let mut a = try_connect(&network, "a").unwrap();
    let own = a.name();
    network.fault(&own, StreamFault::StallWriting).unwrap();
    for index in 0..5 {
        a.multicast(&[&own], &index.to_string());
    }
    let mut b = try_connect(&network, "b").unwrap();
    let start = Instant::now();
    while network.sessions().unwrap()[0].waiting < 5 {
        assert!(start.elapsed() < DEADLINE);
    }
    b.multicast(&[&own], "one too many");
    assert_eq!(a.next(), Event::End);
}

/// Connects by hand with one method. Returns what `answer` makes of the challenge leads to.
fn connect_with_challenge(
    network: &Network,
    answer: impl FnOnce(&mut [u8; CHALLENGE_LEN]),
) -> Vec<u8> {
    let mut socket = Socket::tcp(network.daemon(0).addr()).unwrap();
    socket.write_all(&[5, 0, 1, 1, 1, b'a']).unwrap();
    let mut list = [0; 20];
    let count = socket.read(&mut list).unwrap();
    assert_eq!(&list[..count], b"\x0cNULL SAMPLE ");
    let mut choice = [0; 90];
    choice[..6].copy_from_slice(b"SAMPLE");
    socket.write_all(&choice).unwrap();
    let mut challenge = [0; CHALLENGE_LEN];
    let mut read = 0;
    while read < CHALLENGE_LEN {
        read += socket.read(&mut challenge[read..]).unwrap();
    }
    answer(&mut challenge);
    // In two pieces: methods are not tied to single reads.
    socket.write_all(&challenge[..5]).unwrap();
    socket.write_all(&challenge[5..]).unwrap();
    let mut result = vec![0; 64];
    let count = socket.read(&mut result).unwrap();
    result.truncate(count);
    result
}

#[test]
fn a_challenge_lets_in_who_knows_the_secret() {
    let sample = AuthMethod::Challenge {
        name: "SAMPLE".into(),
        secret: b"key".to_vec(),
    };
    let network = Network::builder()
        .auth_methods([AuthMethod::Null, sample])
        .start()
        .unwrap();
    let right = connect_with_challenge(&network, |challenge| {
        for (byte, key) in challenge.iter_mut().zip(b"key".iter().cycle()) {
            *byte ^= key;
        }
    });
    assert_eq!(right, b"\x01\x05\x00\x01\x05#a#d1");
    let wrong = connect_with_challenge(&network, |challenge| challenge[3] ^= 1);
    assert_eq!(wrong, [reject::AUTH.cast_unsigned()]);
    assert!(try_connect(&network, "null").is_ok());
}

#[test]
fn addresses_are_checked_for_tcp_and_never_right_at_the_unix_socket() {
    let loopback = "127.0.0.1".parse().unwrap();
    let other = "10.0.0.1".parse().unwrap();
    for (allowed, ok) in [(vec![other, loopback], true), (vec![other], false)] {
        let network = Network::builder()
            .required_auth_methods([AuthMethod::Ip(allowed)])
            .start()
            .unwrap();
        assert_eq!(try_connect(&network, "a").is_ok(), ok);
        let unix = Socket::unix(network.daemon(0).unix_path().unwrap()).unwrap();
        assert_eq!(
            Client::try_connect(unix, "u", true).unwrap_err(),
            HandshakeFailure::Code(reject::AUTH)
        );
    }
    let network = Network::builder().auth_methods([]).start().unwrap();
    assert!(try_connect(&network, "a").is_err());
}

#[test]
fn reliable_messages_overtake_at_their_own_daemon_only_on_demand() {
    for overtakes in [false, true] {
        let network = Network::builder()
            .daemons(2)
            .reliable_overtakes(overtakes)
            .timing(Timing {
                safe: Duration::from_millis(20),
                ..Timing::FAST
            })
            .start()
            .unwrap();
        let mut near = Client::connect(network.daemon(0), "near");
        let mut far = Client::connect(network.daemon(1), "far");
        for (kind, text) in [
            (SAFE_MESS, "safe"),
            (AGREED_MESS, "agreed"),
            (RELIABLE_MESS, "reliable"),
        ] {
            let frame = near.message(kind, &["#near#d1", "#far#d2"], 0, text.as_bytes());
            near.send(&frame);
        }
        let in_order = ["safe", "agreed", "reliable"];
        for text in in_order {
            assert_eq!(far.text(), text);
        }
        let expected = if overtakes {
            ["reliable", "safe", "agreed"]
        } else {
            in_order
        };
        for text in expected {
            assert_eq!(near.text(), text);
        }
    }
}
