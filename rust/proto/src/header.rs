//! The 48 byte header in front of every frame.

use crate::limits::NAME_FIELD;
use crate::name::Name;
use crate::order::{ByteOrder, MARKERS};

/// Size of a header on the wire.
pub const HEADER_LEN: usize = 48;

// Where the fields are. All words are four bytes in the order that the type's markers tell, but for
// the hint.
const TYPE: usize = 0;
const NAME: usize = 4;
const NUM_GROUPS: usize = 36;
const HINT: usize = 40;
const DATA_LEN: usize = 44;

/// The application's message type, with the byte order of the machine that sent the message.
///
/// It is kept as it is on the wire, because a daemon passes it on untouched, whatever its own byte
/// order: this is how a receiver learns the order in which the sender has written the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hint([u8; 4]);

impl Hint {
    /// The hint of all frames without an application's type: joins, leaves, memberships (type 0,
    /// native order).
    pub const NONE: Self = Self::new(0, ByteOrder::NATIVE);

    /// A hint that carries `mess_type`, as a machine of `order` writes it.
    #[inline]
    #[must_use]
    pub const fn new(mess_type: i16, order: ByteOrder) -> Self {
        let word = (mess_type.cast_unsigned() as u32) << 8;
        Self(order.put_u32(word | order.markers()))
    }

    /// A hint exactly as on the wire.
    #[inline]
    #[must_use]
    pub const fn from_wire(wire: [u8; 4]) -> Self {
        Self(wire)
    }

    /// The four bytes for the wire.
    #[inline]
    #[must_use]
    pub const fn wire(self) -> [u8; 4] {
        self.0
    }

    /// The application's message type.
    #[inline]
    #[must_use]
    pub const fn mess_type(self) -> i16 {
        match self.order() {
            ByteOrder::Little => i16::from_le_bytes([self.0[1], self.0[2]]),
            ByteOrder::Big => i16::from_be_bytes([self.0[1], self.0[2]]),
        }
    }

    /// The byte order of the sender. Receive calls report an `endian_mismatch` if it is not the
    /// receiver's.
    #[inline]
    #[must_use]
    pub const fn order(self) -> ByteOrder {
        ByteOrder::of_word(self.0)
    }

    /// True if bits outside message type and markers are set. A daemon closes the connection of a
    /// client that sends such.
    #[inline]
    #[must_use]
    pub const fn has_illegal_bits(self) -> bool {
        (self.0[0] | self.0[3]) & 0x7f != 0
    }
}

/// A decoded header.
///
/// Equality compares the values; the name by what stands before its NUL, see [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The type word in host order, without markers; see [`service`](crate::service).
    pub kind: u32,
    /// To a daemon: the sender's own private group. From a daemon: the sender's private group, or
    /// the group of a membership message.
    pub name: Name,
    /// Number of 32 byte names that follow. Untrusted; see
    /// [`FrameLayout::of`](crate::FrameLayout::of).
    pub num_groups: i32,
    /// Application's message type and the sender's byte order.
    pub hint: Hint,
    /// Bytes of the body. Untrusted.
    pub data_len: i32,
    /// Order of type, `num_groups`, `data_len`, the old type and the integers in a membership body
    /// on the wire.
    pub order: ByteOrder,
}

impl Header {
    /// Reads a header. Every 48 bytes are one; whether its lengths make sense is for
    /// [`FrameLayout::of`](crate::FrameLayout::of).
    #[inline]
    #[must_use]
    pub const fn decode(wire: &[u8; HEADER_LEN]) -> Self {
        let kind = field(wire, TYPE);
        let order = ByteOrder::of_word(kind);
        Self {
            kind: order.get_u32(kind) & !MARKERS,
            name: Name::from_raw(field::<NAME_FIELD>(wire, NAME)),
            num_groups: order.get_i32(field(wire, NUM_GROUPS)),
            hint: Hint::from_wire(field(wire, HINT)),
            data_len: order.get_i32(field(wire, DATA_LEN)),
            order,
        }
    }

    /// Writes the header in its own [`order`](Self::order), with the markers of that order.
    #[inline]
    #[must_use]
    pub const fn encode(&self) -> [u8; HEADER_LEN] {
        let mut wire = [0; HEADER_LEN];
        let kind = (self.kind & !MARKERS) | self.order.markers();
        put(&mut wire, TYPE, &self.order.put_u32(kind));
        put(&mut wire, NAME, self.name.raw());
        put(&mut wire, NUM_GROUPS, &self.order.put_i32(self.num_groups));
        put(&mut wire, HINT, &self.hint.wire());
        put(&mut wire, DATA_LEN, &self.order.put_i32(self.data_len));
        wire
    }
}

/// The `N` bytes at `at`. Inlined with constants, the checks vanish.
#[inline]
const fn field<const N: usize>(wire: &[u8; HEADER_LEN], at: usize) -> [u8; N] {
    match wire.split_at(at).1.first_chunk() {
        Some(bytes) => *bytes,
        None => [0; N],
    }
}

#[inline]
const fn put<const N: usize>(wire: &mut [u8; HEADER_LEN], at: usize, bytes: &[u8; N]) {
    if let Some(to) = wire.split_at_mut(at).1.first_chunk_mut() {
        *to = *bytes;
    }
}

const _: () = assert!(DATA_LEN + 4 == HEADER_LEN && NAME + NAME_FIELD == NUM_GROUPS);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::FIFO_MESS;

    /// The example of the protocol description: FIFO, `room`, type 258, from `#alice#wd1`, five
    /// bytes.
    fn example(order: ByteOrder) -> Header {
        Header {
            kind: FIFO_MESS,
            name: Name::new(b"#alice#wd1"),
            num_groups: 1,
            hint: Hint::new(258, order),
            data_len: 5,
            order,
        }
    }

    #[test]
    fn little_endian_header_has_the_documented_bytes() {
        let wire = example(ByteOrder::Little).encode();
        assert_eq!(wire[..4], [0x84, 0, 0, 0x80]);
        assert_eq!(wire[4..15], *b"#alice#wd1\0");
        assert_eq!(wire[36..], [1, 0, 0, 0, 0x80, 2, 1, 0x80, 5, 0, 0, 0]);
        assert_eq!(Header::decode(&wire), example(ByteOrder::Little));
    }

    #[test]
    fn big_endian_header_has_no_markers() {
        let wire = example(ByteOrder::Big).encode();
        assert_eq!(wire[..4], [0, 0, 0, 4]);
        assert_eq!(wire[36..], [0, 0, 0, 1, 0, 1, 2, 0, 0, 0, 0, 5]);
        assert_eq!(Header::decode(&wire), example(ByteOrder::Big));
    }

    #[test]
    fn header_and_hint_have_independent_orders() {
        let mixed = Header {
            hint: Hint::new(-2, ByteOrder::Big),
            ..example(ByteOrder::Little)
        };
        let back = Header::decode(&mixed.encode());
        assert_eq!(
            (back.order, back.hint.order(), back.hint.mess_type()),
            (ByteOrder::Little, ByteOrder::Big, -2)
        );
    }

    #[test]
    fn hints_carry_all_message_types() {
        assert_eq!(
            Hint::new(-1, ByteOrder::Little).wire(),
            [0x80, 0xff, 0xff, 0x80]
        );
        assert_eq!(Hint::new(0, ByteOrder::Little).wire(), [0x80, 0, 0, 0x80]);
        assert_eq!(Hint::new(0x0102, ByteOrder::Big).wire(), [0, 1, 2, 0]);
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for mess_type in i16::MIN..=i16::MAX {
                let hint = Hint::new(mess_type, order);
                assert_eq!(
                    (hint.mess_type(), hint.order(), hint.has_illegal_bits()),
                    (mess_type, order, false)
                );
            }
        }
    }

    #[test]
    fn bits_outside_type_and_markers_are_illegal_in_a_hint() {
        for byte in [0, 3] {
            for bit in 0..7 {
                let mut wire = [0x80, 0, 0, 0x80];
                wire[byte] |= 1 << bit;
                assert!(Hint::from_wire(wire).has_illegal_bits());
            }
        }
    }

    #[test]
    fn negative_lengths_survive() {
        let header = Header {
            num_groups: -1,
            data_len: i32::MIN,
            ..example(ByteOrder::Big)
        };
        assert_eq!(Header::decode(&header.encode()), header);
    }
}
