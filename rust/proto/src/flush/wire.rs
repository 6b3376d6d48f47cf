//! What the members of a flush group add to their messages.
//!
//! | kind | `mess_type` in the header | behind the program's body |
//! | --- | --- | --- |
//! | `FLUSH_OK`: the sender has flushed for this membership | -32768 | group id |
//! | `FLUSH_RECV`: the sender has installed this view | -32767 | group id |
//! | vulnerable: may overtake a `FLUSH_OK` on its way | -32766 | own `mess_type` (2), group id of the sender's view |
//! | plain | as the program says | nothing |
//!
//! Subgroup messages have the group's name (32 bytes) behind all that. There are no length fields,
//! so the parts are taken off from the end. Integers are in the sender's byte order.

use crate::limits::NAME_FIELD;
use crate::membership::{GROUP_ID_LEN, GroupId};
use crate::name::Name;
use crate::order::ByteOrder;

/// The sender has flushed for the membership with this group id.
pub const FLUSH_OK: i16 = i16::MIN;
/// The sender has installed the view with this group id.
pub const FLUSH_RECV: i16 = FLUSH_OK + 1;
/// A message that could arrive before a `FLUSH_OK` that it follows.
pub const VULNERABLE: i16 = FLUSH_RECV + 1;
/// The least `mess_type` that programs may use.
pub const MIN_MESS_TYPE: i16 = VULNERABLE + 1;

/// A receive that does not wait; also the bit that programs may set in a message.
pub const DONT_BLOCK: u32 = 0x1000_0000;
/// The kind of a request to flush. Never on the wire.
pub const FLUSH_REQ_MESS: u32 = 0x2000_0000;
/// A message to some members of a group.
pub const SUBGROUP_CAST: u32 = 0x4000_0000;

/// The most that is added to a body.
pub const MAX_SUFFIX: usize = 2 + GROUP_ID_LEN + NAME_FIELD;

/// What is added to a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suffix {
    bytes: [u8; MAX_SUFFIX],
    len: usize,
}

impl Suffix {
    /// Nothing.
    pub const NONE: Self = Self {
        bytes: [0; MAX_SUFFIX],
        len: 0,
    };

    /// The whole body of `FLUSH_OK` and `FLUSH_RECV`.
    #[must_use]
    pub fn of_control(gid: GroupId) -> Self {
        Self::NONE.and(&group_id_bytes(gid))
    }

    /// The suffix of a program's message: vulnerable in the view `gid` with the program's own type,
    /// to some members of a group, both or neither.
    #[must_use]
    pub fn of_message(vulnerable: Option<(i16, GroupId)>, subgroup_of: Option<&Name>) -> Self {
        let mut suffix = Self::NONE;
        if let Some((mess_type, gid)) = vulnerable {
            suffix = suffix
                .and(&mess_type.to_ne_bytes())
                .and(&group_id_bytes(gid));
        }
        if let Some(group) = subgroup_of {
            suffix = suffix.and(Name::new(group.as_bytes()).raw());
        }
        suffix
    }

    /// The bytes in native order.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn and(mut self, more: &[u8]) -> Self {
        let end = self.len + more.len();
        self.bytes[self.len..end].copy_from_slice(more);
        self.len = end;
        self
    }
}

/// A group id in native order.
#[must_use]
pub fn group_id_bytes(gid: GroupId) -> [u8; GROUP_ID_LEN] {
    crate::membership::transition_body(gid, ByteOrder::NATIVE)
}

/// What a message of a flush group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meaning {
    /// A program's message without the vulnerable form.
    Plain,
    /// A program's message that was sent in this view, with this type.
    Vulnerable(i16, GroupId),
    /// A vote for this membership.
    FlushOk(GroupId),
    /// This view is installed.
    FlushRecv(GroupId),
}

/// A message without its suffix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peeled {
    /// What it is.
    pub meaning: Meaning,
    /// The group of a subgroup message.
    pub subgroup_of: Option<Name>,
    /// Bytes of the body that are the program's.
    pub body_len: usize,
}

/// Takes off what a member has added. `None` for a body that is shorter than that.
#[must_use]
pub fn peel(kind: u32, mess_type: i16, order: ByteOrder, body: &[u8]) -> Option<Peeled> {
    let mut rest = body;
    let subgroup_of = if kind & SUBGROUP_CAST == 0 {
        None
    } else {
        let (before, name) = rest.split_last_chunk::<NAME_FIELD>()?;
        rest = before;
        Some(Name::from_raw(*name))
    };
    let mut group_id = || {
        let (before, words) = rest.split_last_chunk::<GROUP_ID_LEN>()?;
        rest = before;
        let mut gid = GroupId::default();
        for (to, &word) in gid.0.iter_mut().zip(words.as_chunks().0) {
            *to = order.get_i32(word);
        }
        Some(gid)
    };
    let meaning = match mess_type {
        FLUSH_OK => Meaning::FlushOk(group_id()?),
        FLUSH_RECV => Meaning::FlushRecv(group_id()?),
        VULNERABLE => {
            let gid = group_id()?;
            let (before, own_type) = rest.split_last_chunk::<2>()?;
            rest = before;
            let own_type = match order {
                ByteOrder::Little => i16::from_le_bytes(*own_type),
                ByteOrder::Big => i16::from_be_bytes(*own_type),
            };
            Meaning::Vulnerable(own_type, gid)
        }
        MIN_MESS_TYPE.. => Meaning::Plain,
    };
    Some(Peeled {
        meaning,
        subgroup_of,
        body_len: rest.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GID: GroupId = GroupId([0x0102_0304, -2, 3]);

    fn whole(body: &[u8], suffix: &Suffix) -> Vec<u8> {
        [body, suffix.as_bytes()].concat()
    }

    #[test]
    fn suffixes_have_the_documented_sizes() {
        let group = Name::new(b"g");
        let vulnerable = Some((1, GID));
        for (suffix, size) in [
            (Suffix::of_message(None, None), 0),
            (Suffix::of_message(vulnerable, None), 14),
            (Suffix::of_message(None, Some(&group)), 32),
            (Suffix::of_message(vulnerable, Some(&group)), 46),
            (Suffix::of_control(GID), 12),
        ] {
            assert_eq!(suffix.as_bytes().len(), size);
        }
    }

    /// The example of the protocol description, a little-endian sender.
    #[test]
    fn vulnerable_message_has_the_documented_bytes() {
        let body = [
            0x76, 0x75, 0x6c, 0x31, 0x36, 0x12, 0x26, 0x97, 0xc5, 0x1c, 0x62, 0x4f, 0x03, 0x6b, 2,
            0, 0, 0,
        ];
        let peeled = peel(4, VULNERABLE, ByteOrder::Little, &body).unwrap();
        let gid = GroupId([0x1cc5_9726, 0x6b03_4f62, 2]);
        assert_eq!(peeled.meaning, Meaning::Vulnerable(0x1236, gid));
        assert_eq!((peeled.body_len, peeled.subgroup_of), (4, None));
    }

    #[test]
    fn parts_come_off_in_the_order_in_which_they_were_put_on() {
        let group = Name::new(b"room");
        let suffix = Suffix::of_message(Some((-7, GID)), Some(&group));
        let body = whole(b"body", &suffix);
        let kind = 4 | SUBGROUP_CAST;
        let peeled = peel(kind, VULNERABLE, ByteOrder::NATIVE, &body).unwrap();
        assert_eq!(peeled.meaning, Meaning::Vulnerable(-7, GID));
        assert_eq!((peeled.body_len, peeled.subgroup_of), (4, Some(group)));

        let control = Suffix::of_control(GID);
        let ok = peel(4, FLUSH_OK, ByteOrder::NATIVE, control.as_bytes()).unwrap();
        assert_eq!(ok.meaning, Meaning::FlushOk(GID));
        let installed = peel(4, FLUSH_RECV, ByteOrder::NATIVE, control.as_bytes()).unwrap();
        assert_eq!(installed.meaning, Meaning::FlushRecv(GID));
    }

    #[test]
    fn words_are_in_the_order_of_the_sender() {
        let body = [1, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
        let peeled = peel(4, VULNERABLE, ByteOrder::Big, &body).unwrap();
        assert_eq!(
            peeled.meaning,
            Meaning::Vulnerable(0x0102, GroupId([1, 2, 3]))
        );
    }

    #[test]
    fn body_that_is_too_short_for_its_suffix_is_none() {
        for (kind, mess_type, needed) in [
            (4, FLUSH_OK, 12),
            (4, FLUSH_RECV, 12),
            (4, VULNERABLE, 14),
            (4 | SUBGROUP_CAST, 0, 32),
            (4 | SUBGROUP_CAST, VULNERABLE, 46),
        ] {
            let body = vec![0; needed];
            let of = |len| peel(kind, mess_type, ByteOrder::Little, &body[..len]);
            assert!((0..needed).all(|len| of(len).is_none()), "{mess_type}");
            assert_eq!(of(needed).unwrap().body_len, 0);
        }
        assert_eq!(peel(4, 0, ByteOrder::Little, b"").unwrap().body_len, 0);
    }
}
