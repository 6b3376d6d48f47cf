//! Names: of groups, of sessions, of daemons.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use crate::limits::{MAX_GROUP_NAME, MAX_PRIVATE_NAME, NAME_FIELD};

/// A 32 byte name field of the wire.
///
/// The name is what stands before the first NUL, and only that counts in comparisons and hashes;
/// the order is that of its bytes (C's `strncmp`), in which daemons list the members of a group.
/// What a peer has written after the NUL is kept, so that a frame can be written back as it came.
///
/// The bytes can be anything: daemons do not check group names.
#[derive(Clone, Copy)]
pub struct Name([u8; NAME_FIELD]);

impl Name {
    /// The empty name.
    pub const EMPTY: Self = Self([0; NAME_FIELD]);

    /// A name of `bytes` up to their first NUL, cut to 31 bytes and padded with zeros.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut raw = [0; NAME_FIELD];
        let len = bytes.len().min(MAX_GROUP_NAME);
        raw[..len].copy_from_slice(&bytes[..len]);
        Self(raw).cleaned()
    }

    /// A name field exactly as on the wire.
    #[inline]
    #[must_use]
    pub const fn from_raw(raw: [u8; NAME_FIELD]) -> Self {
        Self(raw)
    }

    /// The field as on the wire, with what follows the NUL.
    #[inline]
    #[must_use]
    pub const fn raw(&self) -> &[u8; NAME_FIELD] {
        &self.0
    }

    /// The name: the bytes up to the first NUL, all 32 if there is none.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        let len = self.0.iter().position(|&b| b == 0).unwrap_or(NAME_FIELD);
        &self.0[..len]
    }

    /// The same name with zeros from its NUL on, cut to 31 bytes: [`new`](Self::new) of
    /// [`as_bytes`](Self::as_bytes), without looking at single bytes.
    #[inline]
    #[must_use]
    pub fn cleaned(&self) -> Self {
        const ONES: u64 = u64::from_ne_bytes([1; 8]);
        const HIGHS: u64 = ONES << 7;
        let mut clean = [0; NAME_FIELD];
        let words = self.0.as_chunks::<8>().0;
        for (to, from) in clean.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            let word = u64::from_le_bytes(*from);
            // The lowest of these bits stands in the first byte that is zero; higher ones may err.
            let zeros = word.wrapping_sub(ONES) & !word & HIGHS;
            if zeros != 0 {
                let before = (1 << (zeros.trailing_zeros() & !7)) - 1;
                *to = (word & before).to_le_bytes();
                break;
            }
            *to = *from;
        }
        Self(clean).terminated()
    }

    /// True for a name of no bytes.
    #[inline]
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0[0] == 0
    }

    /// The same field with its last byte zero, safe to hand out as a C string.
    ///
    /// A peer may fill all 32 bytes; such a name loses its last one here.
    #[inline]
    #[must_use]
    pub const fn terminated(mut self) -> Self {
        self.0[NAME_FIELD - 1] = 0;
        self
    }
}

impl PartialEq for Name {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        // Whole fields are compared at once; byte by byte only as far as they agree.
        self.0 == other.0
            || self
                .0
                .iter()
                .zip(&other.0)
                .find(|(a, b)| a != b || **a == 0)
                .is_none_or(|(a, b)| a == b)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl Default for Name {
    fn default() -> Self {
        Self::EMPTY
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.as_bytes().escape_ascii())
    }
}

/// The name with everything outside printable ASCII escaped as in a Rust byte string.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().escape_ascii().fmt(f)
    }
}

/// The private group of a session: `#private_name#daemon`, cut to 31 bytes.
///
/// A legal private name (1 to 10 bytes) and daemon name (1 to 19) always fit.
#[must_use]
pub fn private_group(private_name: &[u8], daemon: &[u8]) -> Name {
    let mut raw = [0; NAME_FIELD];
    let bytes = [b"#".as_slice(), private_name, b"#", daemon];
    for (to, &from) in raw[..MAX_GROUP_NAME]
        .iter_mut()
        .zip(bytes.into_iter().flatten())
    {
        *to = from;
    }
    Name::new(&raw)
}

/// Takes a private group apart: private name and daemon name. `None` for any other name.
///
/// Both parts have at least one byte, and neither has a `#`.
#[must_use]
pub fn split_private_group(name: &Name) -> Option<(&[u8], &[u8])> {
    let rest = name.as_bytes().strip_prefix(b"#")?;
    let at = rest.iter().position(|&b| b == b'#')?;
    let (private_name, daemon) = (&rest[..at], &rest[at + 1..]);
    (!private_name.is_empty() && !daemon.is_empty() && !daemon.contains(&b'#'))
        .then_some((private_name, daemon))
}

/// True if the classic library joins and leaves a group of this name: 1 to 31 bytes, all in
/// `$`..=`~`.
///
/// So no blank, no `!`, `"` or `#`, no control and no high bytes. Daemons do not check, and sends
/// accept any name.
#[must_use]
pub fn is_legal_group(name: &[u8]) -> bool {
    (1..=MAX_GROUP_NAME).contains(&name.len()) && all_graphic(name)
}

/// True if daemons accept this private name: 1 to 10 bytes, all in `$`..=`~`.
///
/// An empty private name is legal in a connect message as well: the daemon then makes one up.
#[must_use]
pub fn is_legal_private_name(name: &[u8]) -> bool {
    (1..=MAX_PRIVATE_NAME).contains(&name.len()) && all_graphic(name)
}

fn all_graphic(name: &[u8]) -> bool {
    name.iter().all(|b| (b'$'..=b'~').contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleaned_is_the_name_without_what_follows_it() {
        let mut raw = [0xff; NAME_FIELD];
        for at in 0..=NAME_FIELD {
            for junk in [0, 1, 0x7f, 0x80, 0xff] {
                raw[..at].fill(0x81);
                raw[at.min(NAME_FIELD)..].fill(junk);
                if at < NAME_FIELD {
                    raw[at] = 0;
                }
                let name = Name::from_raw(raw);
                let mut plain = [0; NAME_FIELD];
                let len = at.min(MAX_GROUP_NAME);
                plain[..len].copy_from_slice(&raw[..len]);
                assert_eq!(name.cleaned().raw(), &plain, "{at} bytes, then {junk}");
                assert_eq!(Name::new(name.as_bytes()).raw(), &plain);
                assert_eq!(Name::new(&raw).raw(), &plain);
            }
        }
        assert_eq!(Name::EMPTY.cleaned().raw(), Name::EMPTY.raw());
    }

    #[test]
    fn new_cuts_at_the_first_nul_and_at_31_bytes() {
        assert_eq!(Name::new(b"a\0b").as_bytes(), b"a");
        assert_eq!(Name::new(b"a\0b").raw()[1..], [0; 31]);
        assert_eq!(Name::new(&[b'x'; 40]).as_bytes(), [b'x'; 31]);
        assert!(Name::new(b"").is_empty());
        assert!(Name::new(b"\0x").is_empty());
    }

    #[test]
    fn bytes_after_the_nul_are_kept_but_do_not_count() {
        let mut raw = [0; 32];
        raw[0] = b'a';
        raw[5] = 9;
        let name = Name::from_raw(raw);
        assert_eq!(name, Name::new(b"a"));
        assert_eq!(name.cmp(&Name::new(b"a")), Ordering::Equal);
        assert_eq!(name.raw(), &raw);
    }

    #[test]
    fn a_full_field_has_no_nul_until_terminated() {
        let full = Name::from_raw([b's'; 32]);
        assert_eq!(full.as_bytes().len(), 32);
        assert_eq!(full.terminated().as_bytes(), [b's'; 31]);
    }

    #[test]
    fn order_is_that_of_bytes_with_the_shorter_first() {
        let mut names: Vec<_> = [
            &b"~"[..],
            b"b",
            b"a",
            b"_z",
            b"B",
            b"9",
            b"10",
            b"$x",
            b"a\xff",
            b"aa",
        ]
        .into_iter()
        .map(Name::new)
        .collect();
        names.sort();
        let sorted: Vec<_> = names.iter().map(Name::to_string).collect();
        assert_eq!(
            sorted,
            ["$x", "10", "9", "B", "_z", "a", "aa", "a\\xff", "b", "~"]
        );
    }

    #[test]
    fn private_groups_join_and_split() {
        let name = private_group(b"alice", b"wd1");
        assert_eq!(name.as_bytes(), b"#alice#wd1");
        assert_eq!(
            split_private_group(&name),
            Some((&b"alice"[..], &b"wd1"[..]))
        );
        assert_eq!(private_group(&[b'a'; 10], &[b'd'; 19]).as_bytes().len(), 31);
        for not in [
            &b"room"[..],
            b"",
            b"#",
            b"#a",
            b"##d",
            b"#a#",
            b"#a#d#",
            b"a#b#c",
        ] {
            assert_eq!(
                split_private_group(&Name::new(not)),
                None,
                "{}",
                not.escape_ascii()
            );
        }
    }

    #[test]
    fn legal_names_are_short_and_graphic() {
        assert!(is_legal_group(b"room"));
        assert!(is_legal_group(b"$~"));
        assert!(is_legal_group(&[b'a'; 31]));
        for bad in [
            &b""[..],
            &[b'a'; 32],
            b"a b",
            b"#a",
            b"!",
            b"\"",
            b"a\n",
            b"\x7f",
            b"\xe4",
        ] {
            assert!(!is_legal_group(bad), "{}", bad.escape_ascii());
        }
        assert!(is_legal_private_name(&[b'a'; 10]));
        assert!(!is_legal_private_name(&[b'a'; 11]));
        assert!(!is_legal_private_name(b""));
    }

    #[test]
    fn text_forms_are_escaped() {
        let name = Name::new(b"a\n\xff");
        assert_eq!(name.to_string(), "a\\n\\xff");
        assert_eq!(format!("{name:?}"), "\"a\\n\\xff\"");
    }
}
