//! What a queued message costs in the inbox itself: `cargo bench -p spread-client`.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use spread_proto::{ByteOrder, Frame, HEADER_LEN, Hint, Name, service};

// A private module of the library, which depends on nothing else there.
#[expect(dead_code, unused_imports, reason = "a benchmark uses a part of it")]
#[path = "../src/inbox.rs"]
mod inbox;

use inbox::Inbox;

fn main() {
    divan::main();
}

/// As many bytes as a bulk read brings at most.
const READ: usize = inbox::SLAB_LEN;

fn stream(body: usize, many: usize) -> Vec<u8> {
    let frame = Frame::new(
        service::AGREED_MESS,
        Name::new(b"#sender#daemon"),
        Hint::new(7, ByteOrder::NATIVE),
        ByteOrder::NATIVE,
        vec![Name::new(b"room")],
        vec![0x5a; body],
    );
    frame.encode().repeat(many)
}

/// Filled as by reads, taken message by message.
#[divan::bench(args = [16, 100, 1_000, 10_000])]
fn fill_and_take(bencher: Bencher<'_, '_>, body: usize) {
    let many = (1 << 20) / (body + 80);
    let bytes = stream(body, many);
    let mut room = vec![0; body + 32];
    bencher.counter(ItemsCount::new(many)).bench_local(|| {
        let mut inbox = Inbox::default();
        for piece in bytes.chunks(READ) {
            inbox.fill(piece.len(), |slab| slab.extend_from_slice(piece));
        }
        for _ in 0..many {
            let header = inbox.header();
            black_box(&header);
            let _: [u8; HEADER_LEN] = inbox.take_array();
            let mut at = 0;
            inbox.take(body + 32, |piece| {
                room[at..at + piece.len()].copy_from_slice(piece);
                at += piece.len();
            });
        }
        assert_eq!(inbox.len(), 0);
    });
}

/// What lies in one piece, taken as the short way does.
#[divan::bench(args = [16, 100, 1_000])]
fn take_from_the_front(bencher: Bencher<'_, '_>, body: usize) {
    let frame = body + 80;
    let many = READ / frame;
    let bytes = stream(body, many);
    let mut room = vec![0; body + 32];
    bencher.counter(ItemsCount::new(many)).bench_local(|| {
        let mut inbox = Inbox::default();
        inbox.fill(bytes.len(), |slab| slab.extend_from_slice(&bytes));
        for _ in 0..many {
            let front = inbox.front();
            room.copy_from_slice(&front[HEADER_LEN..frame]);
            inbox.skip_front(frame);
        }
        black_box(&room);
    });
}
