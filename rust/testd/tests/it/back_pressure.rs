use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use spread_proto::service::{CAUSED_BY_JOIN, FIFO_MESS};
use spread_testd::{Network, Timing};

use crate::client::{Client, DEADLINE, Event, Socket};

fn stream(client: &Client) -> &TcpStream {
    match &client.socket {
        Socket::Tcp(stream) => stream,
        Socket::Unix(_) => unreachable!("connected by TCP"),
    }
}

/// Writes frames until nothing more is taken for a while. Returns how many went, whole.
fn flood(client: &mut Client, frame: &[u8]) -> usize {
    let mut stream = stream(client);
    stream
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let mut written = 0;
    while written < 1_000_000_000 {
        let from = written % frame.len();
        match stream.write(&frame[from..]) {
            Ok(count) => written += count,
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) => panic!("{e}"),
        }
    }
    // The frame that was begun would be in the way of the next one.
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    written / frame.len()
}

#[test]
fn a_daemon_that_cannot_order_holds_500_messages_and_then_reads_from_nobody() {
    let network = Network::builder()
        .daemons(2)
        .max_session_messages(10_000)
        .timing(Timing {
            crash: Duration::from_secs(3600),
            ..Timing::FAST
        })
        .start()
        .unwrap();
    let mut a = Client::connect(network.daemon(0), "a");
    let mut b = Client::connect(network.daemon(0), "b");
    let mut c = Client::connect(network.daemon(1), "c");
    c.join("g");
    assert_eq!(c.view(CAUSED_BY_JOIN).len(), 1);
    network.freeze(1).unwrap();

    let frame = a.message(FIFO_MESS, &["g"], 0, &[b'x'; 1000]).encode();
    let taken = flood(&mut a, &frame);
    // 500 in the daemon; the rest is what socket buffers hold, at most some megabytes.
    assert!((500..20_000).contains(&taken), "{taken} messages taken");
    // Others wait as well, and so do those who want to connect.
    b.multicast(&["g"], "from b");
    let late = TcpStream::connect(network.daemon(0).addr()).unwrap();
    late.set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    let mut late = Socket::Tcp(late);
    late.write_all(&[5, 0, 1, 1, 4, b'l', b'a', b't', b'e'])
        .unwrap();
    let error = late.read(&mut [0; 6]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);

    network.thaw(1).unwrap();
    let (mut from_a, mut from_b) = (0, 0);
    while from_a < taken || from_b < 1 {
        match c.next() {
            Event::Data { sender, .. } if sender == "#a#d1" => from_a += 1,
            Event::Data { .. } => from_b += 1,
            other => panic!("{other:?}"),
        }
    }
    let start = Instant::now();
    let mut list = [0; 6];
    while late.read(&mut list).is_err() {
        assert!(start.elapsed() < DEADLINE);
    }
    assert_eq!(&list, b"\x05NULL ");
}

#[test]
fn a_sender_faster_than_a_reading_receiver_does_not_get_it_dropped() {
    let network = Network::builder().receiver_grace(DEADLINE).start().unwrap();
    let mut sender = Client::connect_unix(network.daemon(0), "s");
    let mut reader = Client::connect_unix(network.daemon(0), "r");
    reader.join("g");
    assert_eq!(reader.view(CAUSED_BY_JOIN).len(), 1);
    let count = 20_000;
    let frame = sender.message(FIFO_MESS, &["g"], 0, &[b'x'; 100]).encode();
    let writer = std::thread::spawn(move || {
        for _ in 0..count / 100 {
            sender.socket.write_all(&frame.repeat(100)).unwrap();
        }
        sender
    });
    for _ in 0..count {
        assert!(matches!(reader.next(), Event::Data { .. }));
    }
    writer.join().unwrap();
}

#[test]
fn messages_for_a_reader_that_has_stopped_are_bounded_in_number() {
    let network = Network::builder().max_session_messages(50).start().unwrap();
    let mut sender = Client::connect(network.daemon(0), "s");
    let mut stopped = Client::connect(network.daemon(0), "r");
    stopped.join("g");
    assert_eq!(stopped.view(CAUSED_BY_JOIN).len(), 1);
    let own = sender.name();
    let frame = sender.message(FIFO_MESS, &["g", &own], 0, &[b'x'; 10_000]);
    let start = Instant::now();
    while network.sessions().unwrap().len() == 2 {
        sender.send(&frame);
        assert!(matches!(sender.next(), Event::Data { .. }));
        let waiting = network.sessions().unwrap().iter().map(|s| s.waiting).max();
        assert!(waiting <= Some(50));
        assert!(start.elapsed() < DEADLINE);
    }
    while stopped.frame().is_some() {}
}
