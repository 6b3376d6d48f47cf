//! The membership functions give what the classic library gave for the same bodies, in one piece
//! and in any pieces.
#![expect(
    clippy::multiple_unsafe_ops_per_block,
    reason = "a table of calls has one contract: every pointer is null or points to something of ours"
)]

use std::ptr::{null, null_mut};

use serde_json::Value;

use super::*;
use crate::types::ScatElement;

/// Recorded from the classic library.
const GOLDEN: &str = include_str!("../../../tests/fixtures/vectors/api-membership-parse.json");

/// What outputs hold before a call, to see what was written.
const FILL: u8 = 0xa5;
const FILL_WORD: u32 = u32::from_ne_bytes([FILL; 4]);

fn cases() -> Vec<Value> {
    let golden: Value = serde_json::from_str(GOLDEN).expect("the fixture is JSON");
    golden["cases"].as_array().expect("it has cases").clone()
}

fn number<T: TryFrom<i64, Error: std::fmt::Debug>>(value: &Value) -> T {
    T::try_from(value.as_i64().expect("a number")).expect("in range")
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("a string").as_bytes();
    hex.chunks(2)
        .map(|pair| {
            let pair = str::from_utf8(pair).expect("ASCII");
            u8::from_str_radix(pair, 16).expect("hexadecimal")
        })
        .collect()
}

fn field(name: &str) -> GroupName {
    let mut field = [0; MAX_GROUP_NAME];
    for (to, from) in field.iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    field
}

fn set(value: &Value) -> VsSetInfo {
    VsSetInfo {
        num_members: number(&value["num_members"]),
        members_offset: number(&value["members_offset"]),
    }
}

const UNWRITTEN_SET: VsSetInfo = VsSetInfo {
    num_members: FILL_WORD,
    members_offset: FILL_WORD,
};

const UNWRITTEN_INFO: MembershipInfo = MembershipInfo {
    gid: GroupId {
        id: [FILL_WORD.cast_signed(); 3],
    },
    changed_member: [FILL.cast_signed(); MAX_GROUP_NAME],
    num_vs_sets: FILL_WORD,
    my_vs_set: UNWRITTEN_SET,
};

/// A body as a program may hold it.
enum Held {
    /// In one piece, beginning at an odd address.
    Plain(Vec<u8>),
    /// In a scatter.
    Pieces {
        scatter: Box<Scatter>,
        _memory: Vec<Vec<u8>>,
    },
}

impl Held {
    /// As the recording did it: with 64 zero bytes behind the body.
    fn plain(body: &[u8]) -> Self {
        let mut memory = vec![0];
        memory.extend_from_slice(body);
        memory.extend_from_slice(&[0; 64]);
        Self::Plain(memory)
    }

    /// In pieces of these lengths, in turn, and whatever is left in the last.
    fn pieces(body: &[u8], lens: &[usize]) -> Self {
        let mut memory = Vec::new();
        let mut rest = body;
        for &len in lens.iter().cycle().take(99) {
            let (piece, more) = rest.split_at(len.min(rest.len()));
            memory.push(piece.to_vec());
            rest = more;
        }
        memory.push(rest.to_vec());
        let mut elements = [ScatElement {
            buf: null_mut(),
            len: 0,
        }; 100];
        for (element, piece) in elements.iter_mut().zip(&mut memory) {
            *element = ScatElement {
                buf: piece.as_mut_ptr().cast(),
                len: piece.len(),
            };
        }
        Self::Pieces {
            scatter: Box::new(Scatter {
                num_elements: 100,
                elements,
            }),
            _memory: memory,
        }
    }

    fn memb_info(&self, service: Service) -> (c_int, MembershipInfo) {
        let mut info = UNWRITTEN_INFO;
        let out = &raw mut info;
        // SAFETY: a whole body and an output of ours.
        let ret = unsafe {
            match self {
                Self::Plain(memory) => SP_get_memb_info(memory[1..].as_ptr().cast(), service, out),
                Self::Pieces { scatter, .. } => {
                    SP_scat_get_memb_info(&raw const **scatter, service, out)
                }
            }
        };
        (ret, info)
    }

    /// Result, the array with one entry more than it was said to have, and the index.
    fn vs_sets(&self, room: c_int) -> (c_int, Vec<VsSetInfo>, c_uint) {
        let mut sets = vec![UNWRITTEN_SET; usize::try_from(room).unwrap_or(0) + 1];
        let mut index = FILL_WORD;
        let (out, index_out) = (sets.as_mut_ptr(), &raw mut index);
        // SAFETY: a whole body and outputs of ours.
        let ret = unsafe {
            match self {
                Self::Plain(memory) => {
                    SP_get_vs_sets_info(memory[1..].as_ptr().cast(), out, room, index_out)
                }
                Self::Pieces { scatter, .. } => {
                    SP_scat_get_vs_sets_info(&raw const **scatter, out, room, index_out)
                }
            }
        };
        (ret, sets, index)
    }

    fn members(&self, set: VsSetInfo, room: c_int) -> (c_int, Vec<GroupName>) {
        let unwritten = [FILL.cast_signed(); MAX_GROUP_NAME];
        let mut names = vec![unwritten; usize::try_from(room).unwrap_or(0) + 1];
        let out = names.as_mut_ptr();
        // SAFETY: a whole body and outputs of ours.
        let ret = unsafe {
            match self {
                Self::Plain(memory) => {
                    SP_get_vs_set_members(memory[1..].as_ptr().cast(), &raw const set, out, room)
                }
                Self::Pieces { scatter, .. } => {
                    SP_scat_get_vs_set_members(&raw const **scatter, &raw const set, out, room)
                }
            }
        };
        (ret, names)
    }
}

/// Checks one recorded case. Returns how many calls were compared.
fn check(case: &Value, held: &Held) -> usize {
    let note = &case["note"];
    let service = case["service_type"].as_str().expect("a string");
    let service = Service::from_str_radix(&service[2..], 16).expect("hexadecimal");
    let mut compared = 1;

    let golden = &case["SP_get_memb_info"];
    let (ret, info) = held.memb_info(service);
    assert_eq!(ret, number::<c_int>(&golden["ret"]), "{note}");
    if ret == 1 {
        let gid: Vec<c_int> = golden["gid"]
            .as_array()
            .expect("words")
            .iter()
            .map(number)
            .collect();
        assert_eq!(info.gid.id[..], gid[..], "{note}");
        let changed = match golden["changed_member"].as_str().expect("a string") {
            "untouched" => UNWRITTEN_INFO.changed_member,
            name => field(name),
        };
        assert_eq!(info.changed_member, changed, "{note}");
        assert_eq!(
            info.num_vs_sets,
            number::<u32>(&golden["num_vs_sets"]),
            "{note}"
        );
        assert_eq!(info.my_vs_set, set(&golden["my_vs_set"]), "{note}");
    } else {
        assert_eq!(info.gid, UNWRITTEN_INFO.gid, "{note}");
        assert_eq!(info.changed_member, UNWRITTEN_INFO.changed_member, "{note}");
        assert_eq!(info.num_vs_sets, FILL_WORD, "{note}");
        assert_eq!(info.my_vs_set, UNWRITTEN_SET, "{note}");
    }

    let golden = &case["SP_get_vs_sets_info"];
    if golden.is_null() {
        return compared;
    }
    compared += 1;
    let (ret, sets, index) = held.vs_sets(number(&golden["num_vs_sets_arg"]));
    assert_eq!(ret, number::<c_int>(&golden["ret"]), "{note}");
    let expected: Vec<VsSetInfo> = golden["vs_sets"]
        .as_array()
        .map(|sets| sets.iter().map(set).collect())
        .unwrap_or_default();
    assert_eq!(sets[..expected.len()], expected[..], "{note}");
    assert!(
        sets[expected.len()..].iter().all(|s| *s == UNWRITTEN_SET),
        "{note}"
    );
    match golden["my_vs_set_index"].as_i64() {
        Some(expected) => assert_eq!(i64::from(index), expected, "{note}"),
        None => assert_eq!(index, FILL_WORD, "{note}"),
    }

    let golden = case["SP_get_vs_set_members"].as_array();
    for (golden, set) in golden.into_iter().flatten().zip(expected) {
        compared += 1;
        let count = c_int::try_from(set.num_members).expect("small");
        let (ret, names) = held.members(set, count);
        assert_eq!(ret, number::<c_int>(&golden["ret"]), "{note}");
        let expected: Vec<GroupName> = golden["members"]
            .as_array()
            .expect("names")
            .iter()
            .map(|name| field(name.as_str().expect("a string")))
            .collect();
        assert_eq!(names[..expected.len()], expected[..], "{note}");
        assert_eq!(names[expected.len()][0], FILL.cast_signed(), "{note}");
        let (ret, names) = held.members(set, count - 1);
        assert_eq!(ret, BUFFER_TOO_SHORT, "{note}");
        assert!(names.iter().all(|n| n[0] == FILL.cast_signed()), "{note}");
    }
    compared
}

#[test]
fn bodies_in_one_piece_read_as_in_the_classic_library() {
    let compared: usize = cases()
        .iter()
        .map(|case| check(case, &Held::plain(&bytes(&case["body"]))))
        .sum();
    assert_eq!(compared, 41, "calls recorded in the fixture");
}

#[test]
fn bodies_in_any_pieces_read_the_same() {
    for case in cases() {
        let body = bytes(&case["body"]);
        for lens in [&[1][..], &[2], &[3], &[5, 0, 7], &[0, 0, 13], &[24], &[200]] {
            check(&case, &Held::pieces(&body, lens));
        }
    }
}

#[test]
fn scatter_shorter_than_its_own_counts_is_an_illegal_message() {
    let case = &cases()[4];
    let body = bytes(&case["body"]);
    let (ret, sets, _) = Held::plain(&body).vs_sets(2);
    assert_eq!(ret, 2);
    for cut in 0..body.len() {
        let held = Held::pieces(&body[..cut], &[7]);
        let (ret, after, index) = held.vs_sets(2);
        assert_eq!(ret, ILLEGAL_MESSAGE, "{cut}");
        assert_eq!(after[..2], [UNWRITTEN_SET; 2], "{cut}");
        assert_eq!(index, FILL_WORD, "{cut}");
        let (ret, names) = held.members(sets[1], 1);
        assert_eq!(ret, ILLEGAL_MESSAGE, "{cut}");
        assert_eq!(names[0][0], FILL.cast_signed(), "{cut}");
    }
}

#[test]
fn counts_and_offsets_beyond_any_message_are_illegal() {
    let mut body = bytes(&cases()[0]["body"]);
    let network = 0x1800;
    for (at, value) in [(16, u32::MAX), (16, 144_000), (16, 0x7fff_ffff)] {
        let mut broken = body.clone();
        broken[at..at + 4].copy_from_slice(&value.to_ne_bytes());
        assert_eq!(
            Held::plain(&broken).memb_info(network).0,
            ILLEGAL_MESSAGE,
            "offset {value:x}"
        );
    }
    for count in [u32::MAX, 0x8000_0000, 0x0800_0000, 4500] {
        body[20..24].copy_from_slice(&count.to_ne_bytes());
        assert_eq!(
            Held::plain(&body).vs_sets(1).0,
            ILLEGAL_MESSAGE,
            "count {count:x}"
        );
    }
    for set in [
        VsSetInfo {
            num_members: 1,
            members_offset: u32::MAX,
        },
        VsSetInfo {
            num_members: 1,
            members_offset: 143_969,
        },
        VsSetInfo {
            num_members: u32::MAX,
            members_offset: 24,
        },
    ] {
        assert_eq!(
            Held::plain(&body).members(set, 1).0,
            ILLEGAL_MESSAGE,
            "{set:?}"
        );
    }
}

#[test]
fn null_pointers_are_an_illegal_message() {
    let Held::Plain(memory) = Held::plain(&bytes(&cases()[0]["body"])) else {
        unreachable!("made plain");
    };
    let body: *const c_char = memory[1..].as_ptr().cast();
    let mut info = UNWRITTEN_INFO;
    let mut index = FILL_WORD;
    let mut sets = [UNWRITTEN_SET; 2];
    let mut names = [[0; MAX_GROUP_NAME]; 2];
    let one = VsSetInfo {
        num_members: 1,
        members_offset: 24,
    };
    let missing = Scatter {
        num_elements: 1,
        elements: [ScatElement {
            buf: null_mut(),
            len: 80,
        }; 100],
    };
    let (info, index) = (&raw mut info, &raw mut index);
    let (sets, names, one) = (sets.as_mut_ptr(), names.as_mut_ptr(), &raw const one);
    let missing = &raw const missing;
    // SAFETY: every pointer is null or points to something of ours.
    let results = unsafe {
        [
            SP_get_memb_info(null(), 0x1800, info),
            SP_get_memb_info(body, 0x1800, null_mut()),
            SP_get_vs_sets_info(null(), sets, 2, index),
            SP_get_vs_sets_info(body, null_mut(), 2, index),
            SP_get_vs_sets_info(body, sets, 2, null_mut()),
            SP_get_vs_set_members(null(), one, names, 2),
            SP_get_vs_set_members(body, null(), names, 2),
            SP_get_vs_set_members(body, one, null_mut(), 2),
            SP_scat_get_memb_info(null(), 0x1800, info),
            SP_scat_get_memb_info(missing, 0x1800, info),
            SP_scat_get_vs_sets_info(null(), sets, 2, index),
            SP_scat_get_vs_sets_info(missing, sets, 2, index),
            SP_scat_get_vs_set_members(null(), one, names, 2),
            SP_scat_get_vs_set_members(missing, one, names, 2),
        ]
    };
    assert_eq!(results, [ILLEGAL_MESSAGE; 14]);
    // SAFETY: as above. No room is asked for with null: programs probe so.
    let probes = unsafe {
        [
            SP_get_vs_sets_info(body, null_mut(), 0, index),
            SP_get_vs_set_members(body, one, null_mut(), 0),
        ]
    };
    assert_eq!(probes, [BUFFER_TOO_SHORT; 2]);
}

#[test]
fn unterminated_names_are_terminated() {
    let mut body = bytes(&cases()[0]["body"]);
    body[24..56].fill(b'x');
    let held = Held::plain(&body);
    let mut expected = [b'x'.cast_signed(); MAX_GROUP_NAME];
    expected[31] = 0;
    let (ret, info) = held.memb_info(0x1100);
    assert_eq!((ret, info.changed_member), (1, expected));
    let (ret, names) = held.members(info.my_vs_set, 1);
    assert_eq!((ret, names[0]), (1, expected));
}
