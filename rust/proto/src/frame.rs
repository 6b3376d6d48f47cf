//! Whole frames: header, old type of a reject message, groups, body.

use crate::error::DecodeError;
use crate::header::{HEADER_LEN, Header, Hint};
use crate::limits::NAME_FIELD;
use crate::name::Name;
use crate::order::{ByteOrder, MARKERS};
use crate::service;

/// Which way a frame goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From a client; never has an old type.
    ToDaemon,
    /// From a daemon; reject messages have an old type.
    ToClient,
}

/// The sizes of what follows a header, each checked for sign. Not checked against any limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FrameLayout {
    /// Bytes of the old type: 0 or 4.
    pub old_type: usize,
    /// Bytes of all groups. Saturated where `usize` has 32 bits.
    pub groups: usize,
    /// Bytes of the body.
    pub body: usize,
}

impl FrameLayout {
    /// The sizes that `header` announces.
    ///
    /// # Errors
    ///
    /// [`NegativeGroups`](DecodeError::NegativeGroups),
    /// [`NegativeLength`](DecodeError::NegativeLength): the stream is out of step from here on.
    #[inline]
    pub const fn of(header: &Header, direction: Direction) -> Result<Self, DecodeError> {
        if header.num_groups < 0 {
            return Err(DecodeError::NegativeGroups(header.num_groups));
        }
        if header.data_len < 0 {
            return Err(DecodeError::NegativeLength(header.data_len));
        }
        let old_type =
            matches!(direction, Direction::ToClient) && service::has_old_type(header.kind);
        Ok(Self {
            old_type: if old_type { 4 } else { 0 },
            groups: (header.num_groups.cast_unsigned() as usize).saturating_mul(NAME_FIELD),
            body: header.data_len.cast_unsigned() as usize,
        })
    }

    /// Bytes after the header, `usize::MAX` if that is too small a type.
    #[inline]
    #[must_use]
    pub const fn total(&self) -> usize {
        self.old_type
            .saturating_add(self.groups)
            .saturating_add(self.body)
    }

    /// Number of groups.
    #[inline]
    #[must_use]
    pub const fn num_groups(&self) -> usize {
        self.groups / NAME_FIELD
    }
}

/// A whole frame in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The header. Its `num_groups` and `data_len` are not looked at when encoding.
    pub header: Header,
    /// The refused kind of a reject message, in host order, without markers.
    pub old_kind: Option<u32>,
    /// Destinations, or the members of a membership message.
    pub groups: Vec<Name>,
    /// The body as it is on the wire.
    pub body: Vec<u8>,
}

impl Frame {
    /// A frame without an old type.
    #[must_use]
    pub fn new(
        kind: u32,
        name: Name,
        hint: Hint,
        order: ByteOrder,
        groups: Vec<Name>,
        body: Vec<u8>,
    ) -> Self {
        let header = Header {
            kind,
            name,
            num_groups: count(groups.len()),
            hint,
            data_len: count(body.len()),
            order,
        };
        Self {
            header,
            old_kind: None,
            groups,
            body,
        }
    }

    /// A client's request to join `group`.
    #[must_use]
    pub fn join(private_group: Name, group: Name) -> Self {
        Self::control(service::JOIN, private_group, group)
    }

    /// A client's request to leave `group`.
    #[must_use]
    pub fn leave(private_group: Name, group: Name) -> Self {
        Self::control(service::LEAVE, private_group, group)
    }

    /// A client's good-bye.
    #[must_use]
    pub fn kill(private_group: Name) -> Self {
        Self::control(service::KILL, private_group, private_group)
    }

    fn control(kind: u32, private_group: Name, group: Name) -> Self {
        Self::new(
            kind,
            private_group,
            Hint::NONE,
            ByteOrder::NATIVE,
            vec![group],
            Vec::new(),
        )
    }

    /// The bytes for the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.encode_into(&mut out);
        out
    }

    /// Appends the bytes for the wire to `out`.
    ///
    /// The counts in the header are those of `groups` and `body`, so the frame is always
    /// consistent; an old type is written if there is one. (To write a header with other counts,
    /// use [`Header::encode`].)
    pub fn encode_into(&self, out: &mut Vec<u8>) {
        let header = Header {
            num_groups: count(self.groups.len()),
            data_len: count(self.body.len()),
            ..self.header
        };
        out.reserve(HEADER_LEN + 4 + self.groups.len() * NAME_FIELD + self.body.len());
        out.extend_from_slice(&header.encode());
        if let Some(old) = self.old_kind {
            let word = (old & !MARKERS) | header.order.markers();
            out.extend_from_slice(&header.order.put_u32(word));
        }
        for group in &self.groups {
            out.extend_from_slice(group.raw());
        }
        out.extend_from_slice(&self.body);
    }

    /// Takes apart what followed `header`. `rest` has exactly the bytes of `layout`.
    pub(crate) fn from_parts(header: Header, layout: FrameLayout, rest: &[u8]) -> Self {
        let (old_type, rest) = rest.split_at(layout.old_type);
        let (groups, body) = rest.split_at(layout.groups);
        Self {
            header,
            old_kind: old_type
                .first_chunk()
                .map(|&word| header.order.get_u32(word) & !MARKERS),
            groups: groups
                .as_chunks()
                .0
                .iter()
                .map(|&raw| Name::from_raw(raw))
                .collect(),
            body: body.to_vec(),
        }
    }
}

/// A length for the wire. More than `i32::MAX` groups or bytes cannot be framed and no limit comes
/// near it.
fn count(len: usize) -> i32 {
    i32::try_from(len).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::{FIFO_MESS, REJECT_MESS};

    fn header(kind: u32, num_groups: i32, data_len: i32) -> Header {
        Header {
            kind,
            name: Name::EMPTY,
            num_groups,
            hint: Hint::NONE,
            data_len,
            order: ByteOrder::NATIVE,
        }
    }

    #[test]
    fn layout_counts_every_part() {
        let layout = FrameLayout::of(&header(FIFO_MESS, 3, 10), Direction::ToClient).unwrap();
        assert_eq!(
            layout,
            FrameLayout {
                old_type: 0,
                groups: 96,
                body: 10
            }
        );
        assert_eq!((layout.total(), layout.num_groups()), (106, 3));
    }

    #[test]
    fn only_reject_messages_of_a_daemon_have_an_old_type() {
        let of = |kind, direction| {
            FrameLayout::of(&header(kind, 0, 0), direction)
                .unwrap()
                .old_type
        };
        assert_eq!(of(REJECT_MESS, Direction::ToClient), 4);
        assert_eq!(of(REJECT_MESS, Direction::ToDaemon), 0);
        assert_eq!(of(REJECT_MESS | FIFO_MESS, Direction::ToClient), 0);
    }

    #[test]
    fn negative_counts_are_errors_and_huge_ones_are_not() {
        let of =
            |groups, len| FrameLayout::of(&header(FIFO_MESS, groups, len), Direction::ToClient);
        assert_eq!(of(-1, 0), Err(DecodeError::NegativeGroups(-1)));
        assert_eq!(of(0, -1), Err(DecodeError::NegativeLength(-1)));
        assert_eq!(of(-7, -1), Err(DecodeError::NegativeGroups(-7)));
        let huge = of(i32::MAX, i32::MAX).unwrap();
        assert!(huge.total() >= usize::try_from(i32::MAX).unwrap());
    }

    #[test]
    fn control_frames_name_the_session_and_carry_one_group() {
        let (me, room) = (Name::new(b"#me#d"), Name::new(b"room"));
        for (frame, kind, group) in [
            (Frame::join(me, room), service::JOIN, room),
            (Frame::leave(me, room), service::LEAVE, room),
            (Frame::kill(me), service::KILL, me),
        ] {
            assert_eq!(
                (frame.header.kind, frame.header.name, frame.groups[0]),
                (kind, me, group)
            );
            assert_eq!((frame.header.num_groups, frame.header.data_len), (1, 0));
            assert_eq!(frame.header.hint, Hint::new(0, ByteOrder::NATIVE));
            assert_eq!(frame.encode().len(), 80);
        }
    }

    #[test]
    fn encoding_takes_counts_from_the_parts() {
        let mut frame = Frame::join(Name::new(b"#me#d"), Name::new(b"room"));
        frame.header.num_groups = 77;
        frame.header.data_len = -3;
        frame.body = b"xy".to_vec();
        let wire = frame.encode();
        let header = Header::decode(wire.first_chunk().unwrap());
        assert_eq!((header.num_groups, header.data_len, wire.len()), (1, 2, 82));
    }
}
