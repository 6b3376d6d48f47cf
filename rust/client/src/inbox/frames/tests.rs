use std::collections::VecDeque;

use proptest::prelude::*;
use spread_proto::{ByteOrder, Frame, Hint, Name};

use super::*;
use crate::inbox::tap::Tap;

/// The bytes of a frame whose body is made of its number.
const SENDER: &[u8] = b"#sender#daemon";

fn bytes(number: u32, data: bool, body: usize) -> Vec<u8> {
    let kind = if data {
        service::AGREED_MESS
    } else {
        service::REG_MEMB_MESS | service::CAUSED_BY_JOIN
    };
    let body = number
        .to_le_bytes()
        .into_iter()
        .cycle()
        .take(body)
        .collect();
    let group = Name::new(b"group");
    let sender = Name::new(SENDER);
    let hint = Hint::new(1, ByteOrder::NATIVE);
    Frame::new(kind, sender, hint, ByteOrder::NATIVE, vec![group], body).encode()
}

#[derive(Clone, Debug)]
struct One {
    data: bool,
    bytes: Vec<u8>,
}

/// What the inbox should hold: whole frames, then a part of one.
#[derive(Debug, Default)]
struct Model {
    frames: VecDeque<One>,
    /// How many of them were there at the last look.
    looked_at: usize,
    part: Vec<u8>,
}

impl Model {
    fn bytes(&self) -> Vec<u8> {
        let whole = self.frames.iter().flat_map(|one| one.bytes.iter());
        whole.chain(&self.part).copied().collect()
    }

    fn len(&self) -> usize {
        self.frames.iter().map(|one| one.bytes.len()).sum::<usize>() + self.part.len()
    }

    fn drop_oldest(&mut self, limits: Limits, spare_first: bool) -> Dropped {
        let mut dropped = Dropped::default();
        let mut at = 0;
        while limits.are_passed_by(self.len(), self.frames.len() as u64)
            && at + 1 < self.frames.len()
        {
            if at == 0 && spare_first {
                // Once spared, it is spared until it is taken.
                self.frames[at].data = false;
            }
            if self.frames[at].data {
                let one = self.frames.remove(at).unwrap();
                dropped.add(one.bytes.len());
            } else {
                at += 1;
            }
        }
        self.looked_at = self.frames.len();
        dropped
    }

    fn drop_newest(&mut self, limits: Limits) -> Dropped {
        let mut dropped = Dropped::default();
        let fresh: Vec<One> = self.frames.drain(self.looked_at..).collect();
        let mut before: usize = self.frames.iter().map(|one| one.bytes.len()).sum();
        for one in fresh {
            let waiting = before + one.bytes.len();
            let full = limits.are_passed_by(waiting, self.frames.len() as u64 + 1);
            if full && one.data && !self.frames.is_empty() {
                dropped.add(one.bytes.len());
            } else {
                before = waiting;
                self.frames.push_back(one);
            }
        }
        self.looked_at = self.frames.len();
        dropped
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// A frame, put in in pieces of this size.
    Put {
        data: bool,
        body: usize,
        piece: usize,
    },
    /// The first so many percent of a frame; the rest comes with the next one.
    PutPart {
        data: bool,
        body: usize,
        percent: usize,
    },
    Take,
    Look,
    DropOldest {
        limits: Limits,
        spare_first: bool,
    },
    DropNewest {
        limits: Limits,
    },
}

fn limits() -> impl Strategy<Value = Limits> {
    (0..200_000_usize, 0..20_u64).prop_map(|(bytes, messages)| Limits { bytes, messages })
}

fn body() -> impl Strategy<Value = usize> {
    prop_oneof![0..300_usize, 0..300_usize, 0..100_000_usize]
}

fn step() -> impl Strategy<Value = Step> {
    let data = || prop::bool::weighted(0.7);
    prop_oneof![
        6 => (data(), body(), 1..70_000_usize)
            .prop_map(|(data, body, piece)| Step::Put { data, body, piece }),
        1 => (data(), body(), 0..100_usize)
            .prop_map(|(data, body, percent)| Step::PutPart { data, body, percent }),
        3 => Just(Step::Take),
        1 => Just(Step::Look),
        2 => (limits(), any::<bool>())
            .prop_map(|(limits, spare_first)| Step::DropOldest { limits, spare_first }),
        2 => limits().prop_map(|limits| Step::DropNewest { limits }),
    ]
}

/// Runs one history on both sides.
fn agree(steps: Vec<Step>) -> Result<(), TestCaseError> {
    let (mut inbox, mut model) = (Inbox::default(), Model::default());
    let (mut number, mut taken) = (0, 0);
    // Whatever is dropped or moved about, each message is seen once, as it arrives.
    inbox.set_tap(Some(Tap::new(Name::new(SENDER))));
    let mut arrived = 0;
    // The rest of a frame of which a part has been put in.
    let mut rest: Option<(One, Vec<u8>)> = None;
    for step in steps {
        // Frames come whole one after the other.
        if matches!(step, Step::Put { .. } | Step::PutPart { .. })
            && let Some((one, tail)) = rest.take()
        {
            inbox.push(&tail);
            arrived += u64::from(one.data && model.part.len() < HEADER_LEN);
            model.part.clear();
            model.frames.push_back(one);
        }
        match step {
            Step::Put { data, body, piece } => {
                number += 1;
                let bytes = bytes(number, data, body);
                // Not too many pieces: the test should not take long.
                for piece in bytes.chunks(piece.max(bytes.len() / 100)) {
                    inbox.push(piece);
                }
                arrived += u64::from(data);
                model.frames.push_back(One { data, bytes });
            }
            Step::PutPart {
                data,
                body,
                percent,
            } => {
                number += 1;
                let bytes = bytes(number, data, body);
                let tail = bytes[bytes.len() * percent / 100..].to_vec();
                let part = &bytes[..bytes.len() - tail.len()];
                inbox.push(part);
                arrived += u64::from(data && part.len() >= HEADER_LEN);
                model.part = part.to_vec();
                rest = Some((One { data, bytes }, tail));
            }
            Step::Take => {
                if let Some(one) = model.frames.pop_front() {
                    let mut out = Vec::new();
                    inbox.take(one.bytes.len(), |piece| out.extend_from_slice(piece));
                    prop_assert!(out == one.bytes);
                    taken += 1;
                    model.looked_at = model.looked_at.saturating_sub(1);
                }
            }
            Step::Look => {
                prop_assert_eq!(inbox.messages(taken), model.frames.len() as u64);
                model.looked_at = model.frames.len();
            }
            Step::DropOldest {
                limits,
                spare_first,
            } => {
                let expected = model.drop_oldest(limits, spare_first);
                prop_assert_eq!(inbox.drop_oldest(taken, limits, spare_first), expected);
            }
            Step::DropNewest { limits } => {
                let expected = model.drop_newest(limits);
                prop_assert_eq!(inbox.drop_newest(taken, limits), expected);
            }
        }
        prop_assert_eq!(inbox.len(), model.len());
        prop_assert!(inbox.all() == model.bytes());
    }
    let news = inbox.take_tap().and_then(|mut tap| tap.take_news());
    prop_assert_eq!(news.map_or(0, |news| news.back.ordered), arrived);
    // Accounting returns to zero exactly.
    let left = inbox.len();
    let mut out = 0;
    inbox.take(left, |piece| out += piece.len());
    prop_assert_eq!((inbox.len(), out), (0, left));
    inbox.shrink();
    prop_assert!(inbox.only_head());
    prop_assert_eq!((inbox.lead, inbox.head.len), (0, 0));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_happens_the_stream_stays_one_of_whole_frames(
        steps in prop::collection::vec(step(), 0..50),
    ) {
        agree(steps)?;
    }
}

fn filled(frames: &[(bool, usize)]) -> Inbox {
    let mut inbox = Inbox::default();
    for (number, (data, body)) in (0..).zip(frames) {
        inbox.push(&bytes(number, *data, *body));
    }
    inbox
}

#[test]
fn memberships_survive_the_oldest_being_dropped_in_their_order() {
    let mut inbox = filled(&[(false, 10), (true, 10), (true, 10), (false, 20), (true, 10)]);
    let limits = Limits {
        bytes: 0,
        messages: 0,
    };
    let dropped = inbox.drop_oldest(0, limits, false);
    assert_eq!(
        dropped,
        Dropped {
            messages: 2,
            bytes: 2 * (48 + 32 + 10)
        }
    );
    let kept = [bytes(0, false, 10), bytes(3, false, 20), bytes(4, true, 10)];
    assert_eq!(inbox.all(), kept.concat());
    assert_eq!(inbox.messages(0), 3);
    // What comes now is younger, and is what goes next.
    inbox.push(&bytes(5, true, 10));
    assert_eq!(inbox.drop_oldest(0, limits, false).messages, 1);
    let kept = [bytes(0, false, 10), bytes(3, false, 20), bytes(5, true, 10)];
    assert_eq!(inbox.all(), kept.concat());
}

#[test]
fn a_refused_message_at_the_head_is_spared() {
    let mut inbox = filled(&[(true, 1), (true, 2), (true, 3)]);
    let limits = Limits {
        bytes: 0,
        messages: 1,
    };
    assert_eq!(inbox.drop_oldest(0, limits, true).messages, 1);
    assert_eq!(inbox.all(), [bytes(0, true, 1), bytes(2, true, 3)].concat());
}

#[test]
fn a_broken_header_ends_the_walk() {
    let mut inbox = filled(&[(true, 1)]);
    let mut broken = bytes(1, true, 1);
    // The length of the body, negative.
    broken[44..48].copy_from_slice(&(-1_i32).to_le_bytes());
    inbox.push(&broken);
    inbox.push(&bytes(2, true, 1));
    let limits = Limits {
        bytes: 0,
        messages: 1,
    };
    assert_eq!(inbox.messages(0), 1);
    assert_eq!(inbox.drop_oldest(0, limits, false), Dropped::default());
    assert_eq!(inbox.drop_newest(0, limits), Dropped::default());
}
