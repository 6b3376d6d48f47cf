//! The byte order of a 32-bit word and the marker bits that tell it.

/// The marker bits of a type or hint word: both set by a little-endian writer, both clear from a
/// big-endian one.
///
/// The pattern is the same when the four bytes are reversed, so it can be tested before the order
/// is known.
pub const MARKERS: u32 = 0x8000_0080;

/// Which end of a 32-bit word comes first on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ByteOrder {
    /// Least significant byte first (x86, ARM as usually run).
    Little,
    /// Most significant byte first.
    Big,
}

impl ByteOrder {
    /// The order of the machine that this was compiled for.
    pub const NATIVE: Self = if cfg!(target_endian = "little") {
        Self::Little
    } else {
        Self::Big
    };

    /// The order of the machine that wrote `wire`, a type or hint word as it came.
    ///
    /// Bit 7 of the first and bit 7 of the last byte decide: both set is [`Little`](Self::Little),
    /// anything else is [`Big`](Self::Big). One bit without the other is written by nobody.
    #[inline]
    #[must_use]
    pub const fn of_word(wire: [u8; 4]) -> Self {
        if wire[0] & wire[3] & 0x80 != 0 {
            Self::Little
        } else {
            Self::Big
        }
    }

    /// The marker bits that a machine of this order sets in a type or hint word.
    #[inline]
    #[must_use]
    pub const fn markers(self) -> u32 {
        match self {
            Self::Little => MARKERS,
            Self::Big => 0,
        }
    }

    /// Reads an unsigned word.
    #[inline]
    #[must_use]
    pub const fn get_u32(self, wire: [u8; 4]) -> u32 {
        match self {
            Self::Little => u32::from_le_bytes(wire),
            Self::Big => u32::from_be_bytes(wire),
        }
    }

    /// Reads a signed word.
    #[inline]
    #[must_use]
    pub const fn get_i32(self, wire: [u8; 4]) -> i32 {
        self.get_u32(wire).cast_signed()
    }

    /// Writes an unsigned word.
    #[inline]
    #[must_use]
    pub const fn put_u32(self, value: u32) -> [u8; 4] {
        match self {
            Self::Little => value.to_le_bytes(),
            Self::Big => value.to_be_bytes(),
        }
    }

    /// Writes a signed word.
    #[inline]
    #[must_use]
    pub const fn put_i32(self, value: i32) -> [u8; 4] {
        self.put_u32(value.cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_look_the_same_from_both_ends() {
        assert_eq!(MARKERS.swap_bytes(), MARKERS);
        assert_eq!(
            ByteOrder::of_word(ByteOrder::Little.put_u32(MARKERS)),
            ByteOrder::Little
        );
        assert_eq!(
            ByteOrder::of_word(ByteOrder::Big.put_u32(MARKERS)),
            ByteOrder::Little
        );
    }

    #[test]
    fn both_markers_make_little_and_all_else_is_big() {
        for (wire, order) in [
            ([0x84, 0, 0, 0x80], ByteOrder::Little),
            ([0, 0, 0, 4], ByteOrder::Big),
            ([0x80, 0, 0, 0], ByteOrder::Big),
            ([0, 0, 0, 0x80], ByteOrder::Big),
            ([0x7f, 0xff, 0xff, 0x7f], ByteOrder::Big),
        ] {
            assert_eq!(ByteOrder::of_word(wire), order, "{wire:02x?}");
        }
    }

    #[test]
    fn words_read_back_as_written_in_both_orders() {
        for order in [ByteOrder::Little, ByteOrder::Big] {
            for value in [0, 1, -1, i32::MIN, i32::MAX, 0x0102_0304] {
                assert_eq!(order.get_i32(order.put_i32(value)), value);
            }
        }
        assert_eq!(ByteOrder::Little.put_u32(0x0102_0304), [4, 3, 2, 1]);
        assert_eq!(ByteOrder::Big.put_u32(0x0102_0304), [1, 2, 3, 4]);
        assert_eq!(ByteOrder::NATIVE.put_u32(7), 7u32.to_ne_bytes());
    }
}
