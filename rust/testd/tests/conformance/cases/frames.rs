use spread_proto::service::{
    AGREED_MESS, CAUSED_BY_DISCONNECT, DROP_RECV, FIFO_MESS, JOIN, KILL, LEAVE, REJECT_MESS,
    SAFE_MESS,
};
use spread_proto::{ByteOrder, Frame, Header, Hint, Name};

use super::daemons;
use crate::runner::cases;
use crate::world::World;

cases! {
    message_types: daemons(2) => message_types;
    byte_orders: daemons(2) => byte_orders;
    extra_type_bits: daemons(2) => extra_type_bits;
    fatal_frames: daemons(2) => fatal_frames;
    requests_with_surplus: daemons(1) => requests_with_surplus;
    split_frames: daemons(1) => split_frames;
    sizes: daemons(2) => sizes;
}

fn pair(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 1);
    w.join("a", "g");
    w.settle();
    w.join("b", "g");
    w.settle();
}

fn message_types(w: &mut World) {
    pair(w);
    for mess_type in [0, 1, 127, 128, 255, 256, 0x0102, i16::MAX, i16::MIN, -1] {
        let frame = w.client("a").message(FIFO_MESS, &["g"], mess_type, b"");
        w.client("a").send(&frame);
        w.settle();
    }
}

fn byte_orders(w: &mut World) {
    pair(w);
    for order in [ByteOrder::Little, ByteOrder::Big] {
        for hint_order in [ByteOrder::Little, ByteOrder::Big] {
            let own = w.client("a").group;
            let frame = Frame::new(
                AGREED_MESS,
                own,
                Hint::new(258, hint_order),
                order,
                vec![Name::new(b"g")],
                b"body".to_vec(),
            );
            w.client("a").send(&frame);
            w.note(format!("{order:?} with a hint in {hint_order:?}"));
            w.settle();
        }
    }
    // Requests as well.
    let own = w.client("a").group;
    for kind in [LEAVE, JOIN] {
        let hint = Hint::new(0, ByteOrder::Big);
        let group = vec![Name::new(b"g")];
        let frame = Frame::new(kind, own, hint, ByteOrder::Big, group, Vec::new());
        w.client("a").send(&frame);
        w.settle();
    }
}

fn extra_type_bits(w: &mut World) {
    pair(w);
    for extra in [
        DROP_RECV,
        0x4000,
        0x8000,
        0x0020_0000,
        0x0080_0000,
        0x4000_0000,
    ] {
        w.send("a", AGREED_MESS | extra, &["g"], "extra");
        w.settle();
    }
}

/// Frames that end their session, and what the others see of it.
fn fatal_frames(w: &mut World) {
    w.connect("w", 1);
    w.join("w", "g");
    w.settle();
    let good = |own: Name, kind: u32| {
        Frame::new(
            kind,
            own,
            Hint::NONE,
            ByteOrder::NATIVE,
            vec![own],
            Vec::new(),
        )
    };
    type Make = fn(&mut Header);
    let kinds = [
        ("no service", 0),
        ("self-discard alone", 0x40),
        ("two services", FIFO_MESS | SAFE_MESS),
        ("join and service", JOIN | FIFO_MESS),
        ("join and leave", JOIN | LEAVE),
        ("kill and service", KILL | SAFE_MESS),
        ("reject alone", REJECT_MESS),
        ("a membership", 0x1100),
    ];
    let headers: [(&str, Make); 8] = [
        ("another's name", |h| h.name = Name::new(b"#w#d2")),
        ("no name", |h| h.name = Name::EMPTY),
        ("101 groups", |h| h.num_groups = 101),
        ("-1 groups", |h| h.num_groups = -1),
        ("length -1", |h| h.data_len = -1),
        ("length 143953 - 32", |h| h.data_len = 143_953 - 32),
        ("the largest length", |h| h.data_len = i32::MAX),
        ("bits in the hint", |h| {
            h.hint = Hint::from_wire([0x81, 0, 0, 0x80]);
        }),
    ];
    let count = kinds.len() + headers.len();
    for index in 0..count {
        w.connect("a", 0);
        w.join("a", "g");
        w.settle();
        let own = w.client("a").group;
        let (what, bytes) = match kinds.get(index) {
            Some((what, kind)) => (*what, good(own, *kind).encode()),
            None => {
                let (what, make) = headers[index - kinds.len()];
                let mut header = good(own, FIFO_MESS).header;
                make(&mut header);
                (what, header.encode().to_vec())
            }
        };
        w.note(what);
        w.client("a").socket.write_all(&bytes).unwrap();
        w.read_to_end("a");
        w.wait_for("w", CAUSED_BY_DISCONNECT);
        w.settle();
    }
}

fn requests_with_surplus(w: &mut World) {
    w.connect("a", 0);
    let own = w.client("a").group;
    let groups = vec![Name::new(b"g"), Name::new(b"h")];
    for kind in [JOIN, LEAVE] {
        w.note(format!(
            "{kind:#x} with two groups, a body and another hint"
        ));
        let frame = Frame::new(
            kind,
            own,
            Hint::new(77, ByteOrder::NATIVE),
            ByteOrder::NATIVE,
            groups.clone(),
            b"surplus".to_vec(),
        );
        w.client("a").send(&frame);
        w.settle();
        w.multicast("a", &["h"], "to h");
        w.settle();
    }
    // What follows the NUL of a name does not count.
    let mut raw = *Name::new(b"g").raw();
    raw[10] = b'x';
    let frame = Frame::join(own, Name::from_raw(raw));
    w.client("a").send(&frame);
    w.settle();
    w.multicast("a", &["g"], "to g");
    w.settle();
}

fn split_frames(w: &mut World) {
    w.connect("a", 0);
    let own = w.client("a").group.to_string();
    let frame = w
        .client("a")
        .message(SAFE_MESS, &[&own], 5, b"in pieces")
        .encode();
    for at in [1, 47, 48, 49, 79, 80, 81, frame.len() - 1] {
        w.client("a").socket.write_all(&frame[..at]).unwrap();
        // Long enough to be read alone.
        std::thread::sleep(std::time::Duration::from_millis(20));
        w.client("a").socket.write_all(&frame[at..]).unwrap();
        w.settle();
    }
    w.client("a").socket.write_all(&frame.repeat(5)).unwrap();
    w.settle();
}

fn sizes(w: &mut World) {
    pair(w);
    for size in [1, 1351, 1352, 1353, 10_000, 100_000, 143_120] {
        let body = vec![b'x'; size];
        let frame = w.client("a").message(SAFE_MESS, &["g"], 0, &body);
        w.client("a").send(&frame);
        w.settle();
    }
}
