//! Bytes from an enemy: no panic, no long loop, no more memory than a small multiple of the input.

use allocation_counter::measure;
use proptest::collection::vec;
use proptest::prelude::*;
use spread_proto::memb_info::{VsSetInfo, memb_info, slices, vs_set_members, vs_sets_info};
use spread_proto::{
    ByteOrder, ClientHandshake, ConnectRequest, Decoder, Direction, FrameLayout, HEADER_LEN,
    HandshakeStep, Header, Limits, MembershipBody, Name, Request, choose_methods, flip_to_native,
    parse_connect, service,
};

use crate::properties::{frame, name, order};

/// Gives `bytes` to everything that takes bytes from the network. A fuzz target needs nothing else.
pub(crate) fn fuzz_decode(bytes: &[u8]) {
    for direction in [Direction::ToDaemon, Direction::ToClient] {
        for limits in [
            Limits::DAEMON,
            Limits::CLIENT,
            Limits {
                max_groups: usize::MAX,
                max_frame: usize::MAX,
            },
        ] {
            decode_stream(bytes, direction, limits);
        }
    }
    for order in [ByteOrder::Little, ByteOrder::Big] {
        if let Ok(body) = MembershipBody::parse(bytes, order) {
            assert_eq!(body.encode(order), bytes);
        }
        for kind in [
            service::REG_MEMB_MESS,
            service::TRANSITION_MESS,
            service::FIFO_MESS,
            u32::MAX,
        ] {
            let mut body = bytes.to_vec();
            flip_to_native(kind, order, &mut body);
        }
    }
    look_up(bytes);
    let _ = (parse_connect(bytes), choose_methods(bytes, &[b"NULL"]));
    shake(bytes);
}

fn decode_stream(bytes: &[u8], direction: Direction, limits: Limits) {
    let mut decoder = Decoder::new(direction, limits);
    decoder.feed(bytes);
    let mut taken = 0;
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => {
                assert!(frame.groups.len() <= limits.max_groups);
                taken += frame.encode().len();
            }
            Ok(None) => break,
            Err(error) => {
                decoder.feed(bytes);
                assert_eq!(decoder.next_frame(), Err(error));
                break;
            }
        }
    }
    assert_eq!(taken + decoder.buffered(), bytes.len());
}

fn look_up(bytes: &[u8]) {
    let pieces: Vec<&[u8]> = bytes.chunks(7).collect();
    let pieces = slices(&pieces);
    for kind in [0x1100, 0x1800, 0x2000, 0x0200] {
        assert_eq!(memb_info(bytes, kind), memb_info(&pieces, kind));
    }
    let mut sets = [VsSetInfo::default(); 8];
    let mut put = |index: usize, set| {
        if let Some(to) = sets.get_mut(index) {
            *to = set;
        }
    };
    let found = vs_sets_info(bytes, i32::MAX, &mut put);
    assert_eq!(found, vs_sets_info(&pieces, i32::MAX, |_, _| {}));
    for set in sets {
        let mut names = 0;
        let count = vs_set_members(bytes, set, i32::MAX, |_, _| names += 1);
        assert!(count.is_err() || count == Ok(names));
    }
}

fn shake(bytes: &[u8]) {
    let request = ConnectRequest {
        version: [5, 0, 1],
        membership: true,
        priority: true,
        private_name: bytes.to_vec(),
    };
    let mut handshake = ClientHandshake::new(request, &[b"NULL".to_vec()]);
    let mut rest = bytes;
    loop {
        match handshake.step() {
            HandshakeStep::Write(out) => {
                assert!(out.len() <= 90);
                handshake.wrote();
            }
            HandshakeStep::Read(most) => {
                let (now, after) = rest.split_at(most.min(rest.len()));
                if now.is_empty() {
                    handshake.eof();
                } else {
                    handshake.input(now);
                }
                rest = after;
            }
            HandshakeStep::RunMethods => handshake.methods_done(true),
            HandshakeStep::Done(_) | HandshakeStep::Failed(_) => break,
        }
    }
}

/// Runs `fuzz_decode` and checks the most memory that it held at any time.
fn assert_bounded(bytes: &[u8]) {
    let most = measure(|| fuzz_decode(bytes)).bytes_max;
    let bound = 4096 + 40 * bytes.len() as u64;
    assert!(
        most <= bound,
        "{most} bytes held for {} bytes of input",
        bytes.len()
    );
}

/// A word that a count or an offset would rather not be.
fn nasty_word() -> impl Strategy<Value = u32> {
    prop_oneof![
        any::<u32>(),
        0u32..8,
        prop::sample::select(vec![
            0x7fff_ffff,
            0x8000_0000,
            0xffff_ffff,
            0x0800_0000,
            0x07ff_ffff,
            0x0400_0000,
            100,
            101,
            143_152,
            144_000,
        ]),
    ]
}

proptest! {
    #[test]
    fn arbitrary_bytes(bytes in vec(any::<u8>(), 0..2000)) {
        assert_bounded(&bytes);
    }

    #[test]
    fn headers_with_nasty_counts(
        order in order(),
        kind in any::<u32>(),
        counts in any::<prop::sample::Index>(),
        words in [nasty_word(), nasty_word()],
        tail in vec(any::<u8>(), 0..400),
    ) {
        let mut bytes = vec![0; HEADER_LEN];
        bytes[..4].copy_from_slice(&order.put_u32(kind & !spread_proto::MARKERS | order.markers()));
        // One of the counts may be harmless, so that the other gets its turn.
        let which = counts.index(3);
        for (at, word, skip) in [(36, words[0], 1), (44, words[1], 2)] {
            if which != skip {
                bytes[at..at + 4].copy_from_slice(&order.put_u32(word));
            }
        }
        bytes.extend(tail);
        assert_bounded(&bytes);
    }

    #[test]
    fn damaged_frames(
        frames in vec(frame(Direction::ToClient), 1..4),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
    ) {
        let mut bytes = Vec::new();
        frames.iter().for_each(|frame| frame.encode_into(&mut bytes));
        for (at, value) in damage {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        assert_bounded(&bytes);
    }

    #[test]
    fn memberships_with_nasty_words(
        order in order(),
        sets in vec(vec(name(), 0..3), 1..4),
        words in vec((any::<prop::sample::Index>(), nasty_word()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let gid = spread_proto::GroupId([1, 2, 3]);
        let body = MembershipBody { gid, vs_sets: sets.clone(), my_set: sets.len() - 1 };
        let mut bytes = body.encode(order);
        let mut places = vec![12, 16, 20];
        let mut at = 20;
        for set in &sets {
            places.push(at);
            at += 4 + 32 * set.len();
        }
        for (place, word) in words {
            let at = *place.get(&places);
            bytes[at..at + 4].copy_from_slice(&order.put_u32(word));
        }
        bytes.truncate(bytes.len() - cut.index(bytes.len()) / 2);
        assert_bounded(&bytes);
    }

    #[test]
    fn requests(wire in any::<[u8; HEADER_LEN]>(), own in name()) {
        let header = Header::decode(&wire);
        let _ = Request::of(&header, &own);
        if let Ok(layout) = FrameLayout::of(&header, Direction::ToClient) {
            prop_assert!(layout.total() >= layout.body);
        }
    }
}

#[test]
fn as_many_empty_sets_as_fit_cost_no_more_than_their_size() {
    for order in [ByteOrder::Little, ByteOrder::Big] {
        let count = 30_000u32;
        let mut bytes = vec![0; 20 + 4 * count as usize];
        bytes[12..16].copy_from_slice(&order.put_u32(count));
        assert_bounded(&bytes);
        bytes[12..16].copy_from_slice(&order.put_u32(u32::MAX));
        assert_bounded(&bytes);
    }
}

#[test]
fn an_announced_length_reserves_nothing() {
    let header = Header {
        kind: service::FIFO_MESS,
        name: Name::EMPTY,
        num_groups: i32::MAX,
        hint: spread_proto::Hint::NONE,
        data_len: i32::MAX,
        order: ByteOrder::NATIVE,
    };
    let wire = header.encode();
    let used = measure(|| {
        let mut decoder = Decoder::new(
            Direction::ToClient,
            Limits {
                max_groups: usize::MAX,
                max_frame: usize::MAX,
            },
        );
        decoder.feed(&wire);
        assert_eq!(decoder.next_frame(), Ok(None));
    });
    assert!(used.bytes_total <= 256, "{} bytes", used.bytes_total);
}

#[test]
fn headers_and_flips_do_not_allocate() {
    let body = MembershipBody {
        gid: spread_proto::GroupId([1, 2, 3]),
        vs_sets: vec![vec![Name::new(b"a")]],
        my_set: 0,
    };
    let mut wire = body.encode(ByteOrder::Big);
    let used = measure(|| {
        let header = Header::decode(&[7; HEADER_LEN]);
        let _ = FrameLayout::of(&header, Direction::ToClient);
        let _ = Request::of(&header, &Name::EMPTY);
        assert_eq!(Header::decode(&header.encode()), header);
        flip_to_native(service::REG_MEMB_MESS, ByteOrder::Big, &mut wire);
        assert!(memb_info(wire.as_slice(), 0x1100).is_ok());
    });
    assert_eq!(used.count_total, 0);
}
