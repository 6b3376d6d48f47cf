//! Membership bodies: recorded ones taken apart and put together again, and turned from one byte
//! order into the other.

use serde_json::Value;
use spread_proto::service::{
    CAUSED_BY_JOIN, CAUSED_BY_LEAVE, FIFO_MESS, REG_MEMB_MESS, REJECT_MESS, TRANSITION_MESS,
};
use spread_proto::{
    ByteOrder, DecodeError, Direction, GroupId, MembershipBody, Name, flip_to_native, flip_words,
    service, transition_body,
};

use crate::traces::{self, frames, unhex};

const FOREIGN: ByteOrder = match ByteOrder::NATIVE {
    ByteOrder::Little => ByteOrder::Big,
    ByteOrder::Big => ByteOrder::Little,
};

fn names(set: &[&str]) -> Vec<Name> {
    set.iter().map(|name| Name::new(name.as_bytes())).collect()
}

fn sample() -> MembershipBody {
    MembershipBody {
        gid: GroupId([97_615_837, 1_795_379_127, -5]),
        vs_sets: vec![
            names(&["#a#d1"]),
            names(&["#b#d1", "#c#d2"]),
            vec![],
            names(&["#d#d3"]),
        ],
        my_set: 1,
    }
}

#[test]
fn recorded_bodies_parse_and_encode_to_the_same_bytes() {
    let (mut regular, mut transitional) = (0, 0);
    for session in traces::sessions() {
        for frame in frames(Direction::ToClient, &session.to_client).0 {
            let header = &frame.header;
            if header.kind & service::REGULAR_MESS != 0 || service::is_reject(header.kind) {
                continue;
            }
            if service::is_regular_membership(header.kind) {
                let Ok(body) = MembershipBody::parse(&frame.body, header.order) else {
                    panic!("{}: {:?}", session.label, frame.body)
                };
                assert_eq!(body.encode(header.order), frame.body, "{}", session.label);
                regular += 1;
            } else if service::is_transition(header.kind) {
                let words = frame.body.as_chunks().0;
                let gid = GroupId([0, 1, 2].map(|i| header.order.get_i32(words[i])));
                assert_eq!(
                    transition_body(gid, header.order).as_slice(),
                    frame.body,
                    "{}",
                    session.label
                );
                transitional += 1;
            } else {
                assert!(!service::is_self_leave(header.kind) || frame.body.is_empty());
            }
        }
    }
    assert!(
        regular > 400 && transitional >= 5,
        "only {regular} regular, {transitional} transitional"
    );
}

#[test]
fn bodies_of_the_three_daemon_recordings_say_what_was_decoded() {
    let mut count = 0;
    for file in traces::files("daemon-") {
        let trace = traces::json(&file);
        let Some(received) = trace.get("received").and_then(Value::as_object) else {
            continue;
        };
        for message in received.values().flat_map(|list| list.as_array().unwrap()) {
            let Some(decoded) = message
                .get("decoded")
                .filter(|decoded| decoded.get("vs_sets").is_some())
            else {
                continue;
            };
            let bytes = unhex(message["body_hex"].as_str().unwrap());
            let body = MembershipBody::parse(&bytes, ByteOrder::Little).unwrap();
            let gid = ["membership_proc_id", "membership_time", "index"].map(|key| {
                u32::try_from(decoded["gid"][key].as_i64().unwrap() & 0xffff_ffff)
                    .unwrap()
                    .cast_signed()
            });
            assert_eq!(body.gid, GroupId(gid), "{file}");
            let sets: Vec<Vec<Name>> = decoded["vs_sets"]
                .as_array()
                .unwrap()
                .iter()
                .map(|set| {
                    set.as_array()
                        .unwrap()
                        .iter()
                        .map(|name| Name::new(name.as_str().unwrap().as_bytes()))
                        .collect()
                })
                .collect();
            assert_eq!(body.vs_sets, sets, "{file}");
            let before: usize = sets[..body.my_set]
                .iter()
                .map(|set| 4 + 32 * set.len())
                .sum();
            assert_eq!(
                decoded["my_offset"].as_u64().unwrap(),
                u64::try_from(before).unwrap(),
                "{file}"
            );
            assert_eq!(body.encode(ByteOrder::Little), bytes, "{file}");
            count += 1;
        }
    }
    assert!(count > 100, "only {count} bodies");
}

#[test]
fn broken_bodies_are_refused_with_the_reason() {
    let order = ByteOrder::Big;
    let good = sample().encode(order);
    assert_eq!(MembershipBody::parse(&good, order), Ok(sample()));
    for cut in 0..good.len() {
        let Err(DecodeError::BodyTooShort { needed, len }) =
            MembershipBody::parse(&good[..cut], order)
        else {
            panic!("cut to {cut} bytes")
        };
        assert!(needed > len && len == cut, "cut to {cut}: needed {needed}");
    }
    let mut long = good.clone();
    long.extend_from_slice(b"abc");
    assert_eq!(
        MembershipBody::parse(&long, order),
        Err(DecodeError::TrailingBytes(3))
    );
    for offset in [4, 35, 37, 1000, u32::MAX] {
        let mut bad = good.clone();
        bad[16..20].copy_from_slice(&order.put_u32(offset));
        assert_eq!(
            MembershipBody::parse(&bad, order),
            Err(DecodeError::BadSetOffset(offset))
        );
    }
    let mut huge = good.clone();
    huge[12..16].copy_from_slice(&order.put_u32(u32::MAX));
    assert!(matches!(
        MembershipBody::parse(&huge, order),
        Err(DecodeError::BodyTooShort { .. })
    ));
    let mut members = good;
    members[20..24].copy_from_slice(&order.put_u32(u32::MAX));
    assert!(matches!(
        MembershipBody::parse(&members, order),
        Err(DecodeError::BodyTooShort { .. })
    ));
}

#[test]
fn a_body_without_sets_is_legal() {
    let empty = MembershipBody {
        gid: GroupId([1, 2, 3]),
        vs_sets: vec![],
        my_set: 0,
    };
    let bytes = empty.encode(ByteOrder::Little);
    assert_eq!(bytes.len(), 20);
    assert_eq!(MembershipBody::parse(&bytes, ByteOrder::Little), Ok(empty));
}

#[test]
fn flipping_makes_a_foreign_body_native() {
    let kind = REG_MEMB_MESS | CAUSED_BY_JOIN;
    let mut body = sample().encode(FOREIGN);
    flip_to_native(kind, FOREIGN, &mut body);
    assert_eq!(body, sample().encode(ByteOrder::NATIVE));
    flip_to_native(kind, ByteOrder::NATIVE, &mut body);
    assert_eq!(body, sample().encode(ByteOrder::NATIVE));

    let gid = GroupId([1, -2, 3]);
    let mut transitional = transition_body(gid, FOREIGN).to_vec();
    flip_to_native(TRANSITION_MESS, FOREIGN, &mut transitional);
    assert_eq!(transitional, transition_body(gid, ByteOrder::NATIVE));
}

#[test]
fn only_membership_bodies_are_flipped() {
    for kind in [
        0,
        FIFO_MESS,
        CAUSED_BY_LEAVE,
        CAUSED_BY_JOIN,
        REJECT_MESS,
        REJECT_MESS | REG_MEMB_MESS,
    ] {
        let mut body = sample().encode(FOREIGN);
        flip_to_native(kind, FOREIGN, &mut body);
        assert_eq!(body, sample().encode(FOREIGN), "{kind:#x}");
    }
}

#[test]
fn a_cut_body_is_flipped_as_far_as_it_goes() {
    let (foreign, native) = (sample().encode(FOREIGN), sample().encode(ByteOrder::NATIVE));
    let words = [0, 4, 8, 12, 16, 20, 56, 124, 128];
    for cut in 0..=foreign.len() {
        let mut body = foreign[..cut].to_vec();
        flip_to_native(REG_MEMB_MESS, FOREIGN, &mut body);
        for at in words {
            if at + 4 <= cut {
                assert_eq!(
                    body[at..at + 4],
                    native[at..at + 4],
                    "word at {at} of {cut}"
                );
            } else if at < cut {
                assert_eq!(
                    body[at..],
                    foreign[at..cut],
                    "part of the word at {at} of {cut}"
                );
            }
        }
    }
}

#[test]
fn counts_that_lie_do_not_lead_outside() {
    for (at, value) in [
        (12, u32::MAX),
        (20, u32::MAX),
        (20, 0x0800_0000),
        (56, 1 << 31),
        (12, 0),
    ] {
        let mut body = sample().encode(FOREIGN);
        body[at..at + 4].copy_from_slice(&FOREIGN.put_u32(value));
        let mut visited = Vec::new();
        let mut copy = body.clone();
        flip_words(REG_MEMB_MESS, FOREIGN, body.len(), |at| {
            visited.push(at);
            copy[at..at + 4].reverse();
            [copy[at], copy[at + 1], copy[at + 2], copy[at + 3]]
        });
        assert!(
            visited.is_sorted() && visited.iter().all(|at| at + 4 <= body.len()),
            "{visited:?}"
        );
        flip_to_native(REG_MEMB_MESS, FOREIGN, &mut body);
        assert_eq!(body, copy);
    }
}
