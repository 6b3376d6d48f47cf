use spread_proto::service::{AGREED_MESS, CAUSED_BY_DISCONNECT, FIFO_MESS, GROUPS, SAFE_MESS};
use spread_proto::{ByteOrder, Frame, Hint};

use super::daemons;
use crate::runner::cases;
use crate::world::{Setup, World};

const FAULTY: Setup = Setup {
    daemons: 2,
    max_session_messages: None,
    methods: crate::world::Methods::Unset,
    faults: true,
};

fn at_most(messages: usize) -> Setup {
    Setup {
        max_session_messages: Some(messages),
        ..daemons(2)
    }
}

cases! {
    many_groups: FAULTY => many_groups;
    abort_by_size: FAULTY => abort_by_size;
    abort_by_request: FAULTY => abort_by_request;
    slow_reader_10: at_most(10) => slow_reader;
    slow_reader_1000: at_most(1000) => slow_reader;
    no_messages_at_all: at_most(0) => no_messages_at_all;
}

fn many_groups(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 1);
    for name in ["a", "b"] {
        w.join(name, "g");
        w.settle();
    }
    for count in [2, 42, 43, 44, 60, 100] {
        w.note(format!("{count} groups"));
        let frame = w
            .client("a")
            .message(AGREED_MESS, &vec!["g"; count], 1, b"many");
        w.client("a").send(&frame);
        w.settle();
    }
}

fn abort_by_size(w: &mut World) {
    w.connect("a", 0);
    w.connect("other", 0);
    let body = vec![0; 143_153 - 32];
    let frame = w.client("a").message(FIFO_MESS, &["g"], 0, &body).encode();
    // The daemon may be gone before it has read everything.
    let _ = w.client("a").socket.write_all(&frame);
    w.read_to_end("a");
    w.read_to_end("other");
    // Its sockets are closed one by one.
    let start = std::time::Instant::now();
    while w.try_socket(0).is_ok() {
        assert!(
            start.elapsed() < crate::client::DEADLINE,
            "the daemon lives"
        );
    }
    w.note("the daemon is gone");
}

fn abort_by_request(w: &mut World) {
    w.connect("a", 0);
    w.connect("other", 0);
    let own = w.client("a").group;
    let frame = Frame::new(
        GROUPS | FIFO_MESS,
        own,
        Hint::NONE,
        ByteOrder::NATIVE,
        vec![own],
        Vec::new(),
    );
    w.client("a").send(&frame);
    w.read_to_end("a");
    w.read_to_end("other");
    // Its sockets are closed one by one.
    let start = std::time::Instant::now();
    while w.try_socket(0).is_ok() {
        assert!(
            start.elapsed() < crate::client::DEADLINE,
            "the daemon lives"
        );
    }
    w.note("the daemon is gone");
}

/// How many messages a reader that reads nothing costs is a matter of kernel buffers; what comes on
/// top of them is not.
fn slow_reader(w: &mut World) {
    w.connect("slow", 0);
    w.connect("s", 1);
    w.join("slow", "g");
    w.settle();
    let body = vec![b'x'; 1000];
    let mut sent = 0;
    w.join("s", "g");
    let mut watcher = w.clients.remove("s").unwrap();
    assert_eq!(watcher.view(spread_proto::service::CAUSED_BY_JOIN).len(), 2);
    let frame = watcher.message(SAFE_MESS, &["g"], 0, &body);
    loop {
        watcher.send(&frame);
        match watcher.next() {
            crate::client::Event::Data { .. } => sent += 1,
            crate::client::Event::View { cause, members, .. } => {
                let told = (cause == CAUSED_BY_DISCONNECT, members);
                w.note(format!("the sender sees a disconnect: {told:?}"));
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let mut slow = w.clients.remove("slow").unwrap();
    let mut received = 0;
    while slow.frame().is_some() {
        received += 1;
    }
    // It was to get the view of the sender's join, and the messages.
    let lost = 1 + sent - received;
    w.note(format!("it misses {lost} messages"));
}

fn no_messages_at_all(w: &mut World) {
    w.connect("a", 0);
    w.client("a").join("g");
    w.read_to_end("a");
}
