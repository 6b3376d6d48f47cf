//! The lookups of `SP_get_memb_info` and its kin against the recorded results of the classic
//! library.

use serde_json::Value;
use spread_proto::memb_info::{
    ChangedMember, LookupError, MembInfo, Pieces, ReadFn, Source, UNKNOWN_LENGTH, VsSetInfo,
    memb_info, slices, vs_set_members, vs_sets_info,
};
use spread_proto::{ByteOrder, GroupId, MembershipBody, Name, service};

use crate::traces::{json, unhex};

/// A body as the plain C functions see it: no length, and zeros behind it in memory.
fn plain(body: &[u8]) -> impl Source {
    ReadFn::new(UNKNOWN_LENGTH, |offset, out: &mut [u8]| {
        assert!(offset + out.len() <= UNKNOWN_LENGTH);
        for (i, to) in out.iter_mut().enumerate() {
            *to = body.get(offset + i).copied().unwrap_or(0);
        }
    })
}

/// A body in pieces of `size`, an empty one before each.
fn scattered(body: &[u8], size: usize) -> Vec<&[u8]> {
    body.chunks(size)
        .flat_map(|piece| [&[][..], piece])
        .collect()
}

fn error_code(error: LookupError) -> i64 {
    match error {
        LookupError::IllegalMessage => -13,
        LookupError::BufferTooShort => -15,
    }
}

fn unsigned(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap()).unwrap()
}

fn set_of(value: &Value) -> VsSetInfo {
    VsSetInfo {
        num_members: unsigned(&value["num_members"]),
        members_offset: unsigned(&value["members_offset"]),
    }
}

fn check_info(body: &(impl Source + ?Sized), kind: u32, expected: &Value, note: &str) {
    let info = match memb_info(body, kind) {
        Err(error) => {
            return assert_eq!(expected["ret"].as_i64(), Some(error_code(error)), "{note}");
        }
        Ok(info) => info,
    };
    assert_eq!(expected["ret"], 1, "{note}");
    let gid: Vec<i64> = expected["gid"]
        .as_array()
        .unwrap()
        .iter()
        .map(|word| word.as_i64().unwrap())
        .collect();
    assert_eq!(info.gid.0.map(i64::from).as_slice(), gid, "{note}");
    let changed = match (
        expected["changed_member"].as_str().unwrap(),
        service::is_caused_by_network(kind),
    ) {
        ("untouched", _) => ChangedMember::Untouched,
        ("", true) => ChangedMember::Network,
        (name, _) => ChangedMember::Member(Name::new(name.as_bytes())),
    };
    assert_eq!(info.changed_member, changed, "{note}");
    assert_eq!(
        info.num_vs_sets,
        unsigned(&expected["num_vs_sets"]),
        "{note}"
    );
    assert_eq!(info.my_vs_set, set_of(&expected["my_vs_set"]), "{note}");
}

fn check_sets(body: &(impl Source + ?Sized), expected: &Value, note: &str) {
    let room = i32::try_from(expected["num_vs_sets_arg"].as_i64().unwrap()).unwrap();
    let mut sets = Vec::new();
    let result = vs_sets_info(body, room, |index, set| {
        assert_eq!(index, sets.len());
        sets.push(set);
    });
    let (count, my_set) = match result {
        Err(error) => {
            assert!(sets.is_empty());
            return assert_eq!(expected["ret"].as_i64(), Some(error_code(error)), "{note}");
        }
        Ok(found) => found,
    };
    assert_eq!(expected["ret"].as_i64(), Some(i64::from(count)), "{note}");
    let expected_sets: Vec<VsSetInfo> = expected["vs_sets"]
        .as_array()
        .unwrap()
        .iter()
        .map(set_of)
        .collect();
    assert_eq!(sets, expected_sets, "{note}");
    assert_eq!(
        my_set.map(u64::from),
        expected["my_vs_set_index"].as_u64(),
        "{note}"
    );
}

fn check_members(body: &(impl Source + ?Sized), sets: &Value, members: &Value, note: &str) {
    for (set, expected) in sets
        .as_array()
        .unwrap()
        .iter()
        .zip(members.as_array().unwrap())
    {
        let set = set_of(set);
        let room = i32::try_from(set.num_members).unwrap();
        let mut names = Vec::new();
        let count =
            vs_set_members(body, set, room, |_, name| names.push(Name::from_raw(*name))).unwrap();
        assert_eq!(expected["ret"].as_i64(), Some(i64::from(count)), "{note}");
        let expected: Vec<Name> = expected["members"]
            .as_array()
            .unwrap()
            .iter()
            .map(|name| Name::new(name.as_str().unwrap().as_bytes()))
            .collect();
        assert_eq!(names, expected, "{note}");
    }
}

fn check_case(body: &(impl Source + ?Sized), case: &Value) {
    let note = case["note"].as_str().unwrap();
    let kind = u32::from_str_radix(
        case["service_type"]
            .as_str()
            .unwrap()
            .trim_start_matches("0x"),
        16,
    )
    .unwrap();
    check_info(body, kind, &case["SP_get_memb_info"], note);
    if let Some(expected) = case.get("SP_get_vs_sets_info") {
        check_sets(body, expected, note);
        if let Some(members) = case.get("SP_get_vs_set_members") {
            check_members(body, &expected["vs_sets"], members, note);
        }
    }
}

#[test]
fn lookups_give_the_recorded_results_however_the_body_lies_in_memory() {
    let cases = json("api-membership-parse.json");
    let cases = cases["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 17);
    for case in cases {
        let body = unhex(case["body"].as_str().unwrap());
        check_case(&plain(&body), case);
        check_case(body.as_slice(), case);
        for size in 1..=body.len() + 1 {
            check_case(&slices(&scattered(&body, size)), case);
        }
    }
}

fn native(sets: &[&[&str]], my_set: usize) -> Vec<u8> {
    let vs_sets = sets
        .iter()
        .map(|set| set.iter().map(|name| Name::new(name.as_bytes())).collect())
        .collect();
    MembershipBody {
        gid: GroupId([1, 2, 3]),
        vs_sets,
        my_set,
    }
    .encode(ByteOrder::NATIVE)
}

fn with_word(mut body: Vec<u8>, at: usize, value: u32) -> Vec<u8> {
    body[at..at + 4].copy_from_slice(&value.to_ne_bytes());
    body
}

/// All combinations of membership bits, as Spread 5.0.1 answers them for this body.
#[test]
fn every_combination_of_membership_bits_is_read_as_by_the_classic_library() {
    let body = native(&[&["a"], &["b", "c"]], 1);
    for bits in 0..0x40 {
        for extra in [0, service::FIFO_MESS, service::REJECT_MESS] {
            let kind = bits << 8 | extra;
            let info = memb_info(body.as_slice(), kind);
            if bits == 0 {
                assert_eq!(info, Err(LookupError::IllegalMessage));
                continue;
            }
            let (regular, transition) = (
                kind & service::REG_MEMB_MESS != 0,
                kind & service::TRANSITION_MESS != 0,
            );
            let changed = match kind & service::CAUSED_BY_MASK {
                _ if !regular => ChangedMember::Untouched,
                0 => ChangedMember::Untouched,
                service::CAUSED_BY_NETWORK => ChangedMember::Network,
                _ => ChangedMember::Member(Name::new(b"a")),
            };
            let expected = MembInfo {
                // The classic library reads the id from the body of every kind, also where there is
                // none.
                gid: GroupId(if regular || transition {
                    [1, 2, 3]
                } else {
                    [0; 3]
                }),
                changed_member: changed,
                num_vs_sets: if regular { 2 } else { 0 },
                my_vs_set: if regular {
                    VsSetInfo {
                        num_members: 2,
                        members_offset: 60,
                    }
                } else {
                    VsSetInfo::default()
                },
            };
            assert_eq!(info, Ok(expected), "{kind:#x}");
        }
    }
}

#[test]
fn nothing_is_read_from_a_message_without_a_body() {
    let untouchable = ReadFn::new(UNKNOWN_LENGTH, |_, _: &mut [u8]| panic!("read"));
    for kind in [
        service::CAUSED_BY_LEAVE,
        service::REJECT_MESS | service::CAUSED_BY_JOIN,
    ] {
        let info = memb_info(&untouchable, kind).unwrap();
        assert_eq!((info.gid, info.num_vs_sets), (GroupId::default(), 0));
    }
}

#[test]
fn a_join_without_sets_has_no_member_and_reads_no_further() {
    let body = native(&[], 0);
    let info = memb_info(body.as_slice(), 0x1100).unwrap();
    assert_eq!(
        (info.changed_member, info.num_vs_sets),
        (ChangedMember::Member(Name::EMPTY), 0)
    );
    assert_eq!(
        info.my_vs_set,
        VsSetInfo {
            num_members: 0,
            members_offset: 24
        }
    );
    let empty_set = native(&[&[]], 0);
    assert_eq!(
        memb_info(empty_set.as_slice(), 0x1100)
            .unwrap()
            .changed_member,
        ChangedMember::Member(Name::EMPTY)
    );
}

#[test]
fn counts_and_offsets_outside_the_body_are_illegal() {
    let body = native(&[&["a"], &["b", "c"]], 1);
    for len in 0..body.len() {
        let cut = &body[..len];
        assert_eq!(
            vs_sets_info(cut, 9, |_, _| panic!("filled in")),
            Err(LookupError::IllegalMessage),
            "{len}"
        );
        assert_eq!(memb_info(cut, 0x1800).is_ok(), len >= 60, "{len}");
    }
    for offset in [
        UNKNOWN_LENGTH - 20 - 3,
        UNKNOWN_LENGTH,
        0x7fff_fff0,
        0xffff_fff0,
        0xffff_ffff,
    ] {
        let offset = u32::try_from(offset).unwrap();
        let body = with_word(body.clone(), 16, offset);
        assert_eq!(
            memb_info(&plain(&body), 0x1800),
            Err(LookupError::IllegalMessage),
            "{offset:#x}"
        );
        let no_sets = with_word(body, 12, 0);
        let expected = if offset as usize <= UNKNOWN_LENGTH - 20 {
            Ok(0)
        } else {
            Err(LookupError::IllegalMessage)
        };
        assert_eq!(
            memb_info(&plain(&no_sets), 0x1800).map(|info| info.my_vs_set.num_members),
            expected,
            "{offset:#x}"
        );
    }
    for members in [4500, 0x0800_0000, 0x7fff_ffff, 0xffff_ffff] {
        let body = with_word(body.clone(), 20, members);
        assert_eq!(
            vs_sets_info(&plain(&body), 9, |_, _| panic!("filled in")),
            Err(LookupError::IllegalMessage)
        );
        let set = VsSetInfo {
            num_members: members,
            members_offset: 24,
        };
        assert_eq!(
            vs_set_members(&plain(&body), set, i32::MAX, |_, _| panic!("copied")),
            Err(LookupError::IllegalMessage)
        );
    }
    let outside = VsSetInfo {
        num_members: 1,
        members_offset: 0xffff_fff0,
    };
    assert_eq!(
        vs_set_members(&plain(&body), outside, 1, |_, _| panic!("copied")),
        Err(LookupError::IllegalMessage)
    );
}

#[test]
fn more_sets_or_members_than_room_are_told_before_anything_else() {
    let body = with_word(native(&[&["a"]], 0), 12, 0x7fff_ffff);
    assert_eq!(
        vs_sets_info(body.as_slice(), 5, |_, _| panic!("filled in")),
        Err(LookupError::BufferTooShort)
    );
    let set = VsSetInfo {
        num_members: 0x7fff_ffff,
        members_offset: 0xffff_ffff,
    };
    assert_eq!(
        vs_set_members(body.as_slice(), set, 5, |_, _| panic!("copied")),
        Err(LookupError::BufferTooShort)
    );
    // A count that is negative as a signed number passes that comparison; it still does not fit
    // into the body.
    let negative = with_word(native(&[&["a"]], 0), 12, 0xffff_ffff);
    assert_eq!(
        vs_sets_info(&plain(&negative), 0, |_, _| panic!("filled in")),
        Err(LookupError::IllegalMessage)
    );
}

#[test]
fn an_empty_set_needs_no_room() {
    let body = native(&[&["a"]], 0);
    let set = VsSetInfo {
        num_members: 0,
        members_offset: 24,
    };
    assert_eq!(
        vs_set_members(body.as_slice(), set, 0, |_, _| panic!("copied")),
        Ok(0)
    );
    assert_eq!(
        vs_set_members(body.as_slice(), set, -1, |_, _| panic!("copied")),
        Err(LookupError::BufferTooShort)
    );
}

#[test]
fn empty_sets_have_starts_of_their_own() {
    let body = native(&[&[], &[], &["a"]], 1);
    let mut sets = Vec::new();
    let found = vs_sets_info(body.as_slice(), 16, |_, set| {
        sets.push((set.num_members, set.members_offset));
    });
    assert_eq!(found, Ok((3, Some(1))));
    assert_eq!(sets, [(0, 24), (0, 28), (1, 32)]);
}

#[test]
fn pieces_add_up_without_overflow() {
    let pieces = Pieces::new(3, |_| usize::MAX, |_, _, _: &mut [u8]| {});
    assert_eq!(pieces.limit(), usize::MAX);
}
