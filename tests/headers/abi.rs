//! What the classic headers show to a program, as facts: `tests/fixtures/abi` and the tables below.

use std::fmt::Write as _;

/// The dialects that the headers must compile in, without a warning.
pub(crate) const C_DIALECTS: [&str; 4] = ["c89", "c99", "c11", "c17"];
/// The same for C++.
pub(crate) const CXX_DIALECTS: [&str; 4] = ["c++98", "c++11", "c++17", "c++20"];

/// An object-like macro.
#[derive(Debug)]
pub(crate) struct Constant {
    pub(crate) name: &'static str,
    pub(crate) value: i64,
    pub(crate) header: &'static str,
}

/// The macros of all headers.
pub(crate) fn constants() -> Vec<Constant> {
    rows(include_str!("../fixtures/abi/abi-constants.tsv"))
        .map(|row| Constant {
            name: row[0],
            value: row[1].parse().expect("a number"),
            header: row[3],
        })
        .collect()
}

/// A function as the classic headers declare it.
#[derive(Debug)]
pub(crate) struct Prototype {
    pub(crate) header: &'static str,
    pub(crate) name: &'static str,
    returns: &'static str,
    parameters: &'static str,
}

impl Prototype {
    /// The declaration, without names of parameters.
    pub(crate) fn declaration(&self) -> String {
        // The sender of a receive. The table has pointers; for the compiler's type check an array
        // is the same, but it warns of one that is declared both ways.
        let parameters = self
            .parameters
            .replace("service *, char *, ", "service *, char [32], ");
        format!("{} {}({parameters});", self.returns, self.name)
    }
}

/// The functions of all headers.
pub(crate) fn prototypes() -> Vec<Prototype> {
    rows(include_str!("../fixtures/abi/abi-prototypes.tsv"))
        .map(|row| Prototype {
            header: row[0],
            name: row[1],
            returns: row[2],
            parameters: row[3],
        })
        .collect()
}

fn rows(tsv: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    tsv.lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .map(|line| line.split('\t').collect())
}

/// A type's layout on x86-64: size, alignment, and each field with offset and size.
pub(crate) type LayoutRow = (
    &'static str,
    usize,
    usize,
    &'static [(&'static str, usize, usize)],
);

pub(crate) const LAYOUTS: [LayoutRow; 10] = [
    ("mailbox", 4, 4, &[]),
    ("service", 4, 4, &[]),
    ("int16", 2, 2, &[]),
    ("int32", 4, 4, &[]),
    ("scat_element", 16, 8, &[("buf", 0, 8), ("len", 8, 8)]),
    (
        "scatter",
        1608,
        8,
        &[("num_elements", 0, 8), ("elements", 8, 1600)],
    ),
    ("group_id", 12, 4, &[("id", 0, 12)]),
    (
        "vs_set_info",
        8,
        4,
        &[("num_members", 0, 4), ("members_offset", 4, 4)],
    ),
    (
        "membership_info",
        56,
        4,
        &[
            ("gid", 0, 12),
            ("changed_member", 12, 32),
            ("num_vs_sets", 44, 4),
            ("my_vs_set", 48, 8),
        ],
    ),
    ("sp_time", 16, 8, &[("sec", 0, 8), ("usec", 8, 8)]),
];

/// Struct tags: C++ mangles on them.
pub(crate) const TAGS: [(&str, &str); 6] = [
    ("scat_element", "dummy_scat_element"),
    ("scatter", "dummy_scatter"),
    ("group_id", "dummy_group_id"),
    ("vs_set_info", "dummy_vs_set_info"),
    ("membership_info", "dummy_membership_info"),
    ("sp_time", "dummy_time"),
];

/// A line that compiles only if the condition holds, in every dialect of C and C++.
pub(crate) fn require(out: &mut String, condition: &str) {
    // A name of its own for each: C89 does not allow a typedef to be repeated.
    let number = out.lines().count();
    let _ = writeln!(
        out,
        "typedef char require_{number}[({condition}) ? 1 : -1]; /* {condition} */"
    );
}

/// What a function-like macro over a message type gives, in words of bits.
#[derive(Debug)]
pub(crate) struct TypeTest {
    pub(crate) name: &'static str,
    pub(crate) gives: fn(u32) -> u32,
}

const REJECT: u32 = 0x0040_0000;

pub(crate) const TYPE_TESTS: [TypeTest; 19] = [
    TypeTest {
        name: "Is_unreliable_mess",
        gives: |t| t & 0x1,
    },
    TypeTest {
        name: "Is_reliable_mess",
        gives: |t| t & 0x2,
    },
    TypeTest {
        name: "Is_fifo_mess",
        gives: |t| t & 0x4,
    },
    TypeTest {
        name: "Is_causal_mess",
        gives: |t| t & 0x8,
    },
    TypeTest {
        name: "Is_agreed_mess",
        gives: |t| t & 0x10,
    },
    TypeTest {
        name: "Is_safe_mess",
        gives: |t| t & 0x20,
    },
    TypeTest {
        name: "Is_regular_mess",
        gives: |t| u32::from(t & 0x3f != 0 && t & REJECT == 0),
    },
    TypeTest {
        name: "Is_self_discard",
        gives: |t| t & 0x40,
    },
    TypeTest {
        name: "Is_reg_memb_mess",
        gives: |t| t & 0x1000,
    },
    TypeTest {
        name: "Is_transition_mess",
        gives: |t| t & 0x2000,
    },
    TypeTest {
        name: "Is_caused_join_mess",
        gives: |t| t & 0x100,
    },
    TypeTest {
        name: "Is_caused_leave_mess",
        gives: |t| t & 0x200,
    },
    TypeTest {
        name: "Is_caused_disconnect_mess",
        gives: |t| t & 0x400,
    },
    TypeTest {
        name: "Is_caused_network_mess",
        gives: |t| t & 0x800,
    },
    TypeTest {
        name: "Is_membership_mess",
        gives: |t| u32::from(t & 0x3f00 != 0 && t & REJECT == 0),
    },
    TypeTest {
        name: "Is_reject_mess",
        gives: |t| t & REJECT,
    },
    TypeTest {
        name: "Is_self_leave",
        gives: |t| u32::from(t & 0x200 != 0 && t & 0x3000 == 0),
    },
    TypeTest {
        name: "Is_flush_req_mess",
        gives: |t| u32::from(t & 0x2000_0000 != 0),
    },
    TypeTest {
        name: "Is_subgroup_mess",
        gives: |t| u32::from(t & 0x4000_0000 != 0),
    },
];

/// Types to try the macros on: every bit alone, none, all, and the pairs that one bit decides.
pub(crate) fn types_to_try() -> Vec<u32> {
    let mut types: Vec<u32> = (0..32).map(|bit| 1 << bit).collect();
    types.extend([0, u32::MAX, 0x3f, 0x3f00]);
    types.extend([
        0x4 | REJECT,
        0x3f | REJECT,
        0x1100 | REJECT,
        0x3f00 | REJECT,
        0x1200,
        0x2200,
        0x3200,
        0x200 | REJECT,
        0x0200 | 0x40,
    ]);
    types
}
