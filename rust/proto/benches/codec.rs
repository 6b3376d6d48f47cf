//! What decoding and encoding cost per message: `cargo bench -p spread-proto`.
#![expect(clippy::unwrap_used, reason = "a benchmark of frames of its own")]

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use spread_proto::service::AGREED_MESS;
use spread_proto::{
    ByteOrder, Decoder, Direction, Frame, FrameLayout, HEADER_LEN, Header, Hint, Limits, Name,
};

fn main() {
    divan::main();
}

fn frame(body: usize) -> Frame {
    Frame::new(
        AGREED_MESS,
        Name::new(b"#sender#daemon"),
        Hint::new(7, ByteOrder::NATIVE),
        ByteOrder::NATIVE,
        vec![Name::new(b"room")],
        vec![0x5a; body],
    )
}

#[divan::bench]
fn header_decode(bencher: Bencher<'_, '_>) {
    let bytes: [u8; HEADER_LEN] = frame(100).header.encode();
    bencher.bench(|| {
        let header = Header::decode(black_box(&bytes));
        FrameLayout::of(&header, Direction::ToClient).map(|layout| layout.total())
    });
}

#[divan::bench]
fn header_encode(bencher: Bencher<'_, '_>) {
    let header = frame(100).header;
    bencher.bench(|| black_box(&header).encode());
}

#[divan::bench]
fn name_cleaned(bencher: Bencher<'_, '_>) {
    let name = Name::new(b"#sender#daemon");
    bencher.bench(|| black_box(&name).cleaned());
}

/// A stream of many messages, in reads of 64 KiB.
#[divan::bench(args = [16, 100, 1_000, 10_000])]
fn decode_stream(bencher: Bencher<'_, '_>, body: usize) {
    const MANY: usize = 200;
    let mut stream = Vec::new();
    for _ in 0..MANY {
        stream.extend_from_slice(&frame(body).encode());
    }
    bencher.counter(ItemsCount::new(MANY)).bench(|| {
        let mut decoder = Decoder::new(Direction::ToClient, Limits::CLIENT);
        let mut count = 0;
        for piece in stream.chunks(64 * 1024) {
            decoder.feed(piece);
            while decoder.next_frame().unwrap().is_some() {
                count += 1;
            }
        }
        assert_eq!(count, MANY);
    });
}
