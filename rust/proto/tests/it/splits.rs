//! However a stream is cut into pieces, the same frames come out.

use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;
use spread_proto::{Decoder, Direction, Frame};

use crate::traces::{self, NO_LIMITS, frames};

/// Feeds a stream in the given pieces and takes what there is after each. The frames, written
/// again, and whether it broke.
fn decode<'a>(
    direction: Direction,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Frame>, bool, usize) {
    let mut decoder = Decoder::new(direction, NO_LIMITS);
    let mut frames = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        while let Ok(Some(frame)) = decoder.next_frame() {
            frames.push(frame);
        }
    }
    (frames, decoder.next_frame().is_err(), decoder.buffered())
}

fn whole(direction: Direction, stream: &[u8]) -> (Vec<Frame>, bool, usize) {
    let (frames, decoder, error) = frames(direction, stream);
    (frames, error.is_some(), decoder.buffered())
}

/// All recorded streams but the empty ones, each once.
fn streams() -> &'static [(Direction, Vec<u8>)] {
    static STREAMS: LazyLock<Vec<(Direction, Vec<u8>)>> = LazyLock::new(|| {
        let mut streams: Vec<_> = traces::sessions()
            .iter()
            .flat_map(|session| {
                session
                    .streams()
                    .map(|(direction, stream)| (direction, stream.to_vec()))
            })
            .filter(|(_, stream)| !stream.is_empty())
            .collect();
        streams.sort_by(|a, b| (a.0 as u8, &a.1).cmp(&(b.0 as u8, &b.1)));
        streams.dedup();
        streams
    });
    &STREAMS
}

/// A broken stream keeps what came with the bad header; how much that was depends on the pieces.
fn assert_same(split: &(Vec<Frame>, bool, usize), whole: &(Vec<Frame>, bool, usize)) {
    assert_eq!(split.0, whole.0);
    assert_eq!(split.1, whole.1);
    assert!(
        split.2 == whole.2 || whole.1,
        "{} left over, {} in one piece",
        split.2,
        whole.2
    );
}

#[test]
fn recorded_streams_byte_by_byte() {
    for &(direction, ref stream) in streams() {
        assert_same(
            &decode(direction, stream.chunks(1)),
            &whole(direction, stream),
        );
    }
}

#[test]
fn recorded_streams_cut_in_two_everywhere() {
    let small: Vec<_> = streams()
        .iter()
        .filter(|(_, stream)| stream.len() <= 1200)
        .collect();
    assert!(small.len() > 100, "only {} streams", small.len());
    for &(direction, ref stream) in small {
        let expected = whole(direction, stream);
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_same(&decode(direction, [head, tail]), &expected);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn recorded_streams_in_random_pieces(
        sizes in vec(1usize..400, 1..40),
        pick in any::<prop::sample::Index>(),
    ) {
        let (direction, stream) = pick.get(streams());
        let mut rest = stream.as_slice();
        let mut pieces = Vec::new();
        for size in sizes.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*size).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        assert_same(&decode(*direction, pieces), &whole(*direction, stream));
    }
}
