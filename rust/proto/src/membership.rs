//! The body of membership messages.
//!
//! A regular membership body is a group id (three words), the number of sets, the offset of the
//! receiver's own set, then the sets: a count and so many names. A set holds the members that have
//! come through a change together. The body of a transitional message is a group id alone.

use crate::error::DecodeError;
use crate::limits::NAME_FIELD;
use crate::name::Name;
use crate::order::ByteOrder;
use crate::service;

/// Size of a group id.
pub const GROUP_ID_LEN: usize = 12;
/// Where the number of sets is in a regular membership body.
pub const NUM_SETS_AT: usize = 12;
/// Where the offset of the receiver's own set is.
pub const SET_OFFSET_AT: usize = 16;
/// Where the sets start; the offset of the own set counts from here.
pub const SETS_AT: usize = 20;

/// Identifies one membership of a group.
///
/// Three words: the id of the daemon that represents the ring, the time of the ring, an index that
/// grows with each change. A group that has emptied and is joined again can start with the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct GroupId(pub [i32; 3]);

/// The body of a regular membership message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipBody {
    /// The membership's id.
    pub gid: GroupId,
    /// After a join, leave or disconnect one set with the member in question; after a network
    /// change the members that came from the same previous membership, per set.
    pub vs_sets: Vec<Vec<Name>>,
    /// Index of the receiver's own set in `vs_sets`; 0 if there are none.
    pub my_set: usize,
}

impl MembershipBody {
    /// The bytes for the wire, integers in `order`.
    ///
    /// A `my_set` beyond the last set is written as the offset of the end of the sets, which
    /// [`parse`](Self::parse) refuses.
    #[must_use]
    pub fn encode(&self, order: ByteOrder) -> Vec<u8> {
        let offset: usize = self
            .vs_sets
            .iter()
            .take(self.my_set)
            .map(|set| set_len(set.len()))
            .sum();
        let sets: usize = self.vs_sets.iter().map(|set| set_len(set.len())).sum();
        let mut out = Vec::with_capacity(SETS_AT + sets);
        out.extend_from_slice(&transition_body(self.gid, order));
        out.extend_from_slice(&order.put_u32(word(self.vs_sets.len())));
        out.extend_from_slice(&order.put_u32(word(offset)));
        for set in &self.vs_sets {
            out.extend_from_slice(&order.put_u32(word(set.len())));
            for member in set {
                out.extend_from_slice(member.raw());
            }
        }
        out
    }

    /// Takes a body apart whose integers are in `order`.
    ///
    /// Strict: what it returns encodes to the same bytes again. Memory is reserved only for names
    /// that are there.
    ///
    /// # Errors
    ///
    /// [`BodyTooShort`](DecodeError::BodyTooShort), [`TrailingBytes`](DecodeError::TrailingBytes),
    /// [`BadSetOffset`](DecodeError::BadSetOffset).
    pub fn parse(body: &[u8], order: ByteOrder) -> Result<Self, DecodeError> {
        let gid = GroupId([0, 4, 8].map(|at| order.get_i32(word_at(body, at).unwrap_or_default())));
        let head = |at| {
            word_at(body, at).ok_or(DecodeError::BodyTooShort {
                needed: SETS_AT,
                len: body.len(),
            })
        };
        let num_sets = order.get_u32(head(NUM_SETS_AT)?);
        let offset = order.get_u32(head(SET_OFFSET_AT)?);

        let mut vs_sets = Vec::new();
        let mut my_set = None;
        let mut at = SETS_AT;
        for index in 0..num_sets as usize {
            if at - SETS_AT == offset as usize {
                my_set = Some(index);
            }
            let short = |needed| DecodeError::BodyTooShort {
                needed,
                len: body.len(),
            };
            let members = order.get_u32(word_at(body, at).ok_or_else(|| short(at + 4))?) as usize;
            let names = at + 4;
            let end = names.saturating_add(members.saturating_mul(NAME_FIELD));
            let raw = body.get(names..end).ok_or_else(|| short(end))?;
            vs_sets.push(
                raw.as_chunks()
                    .0
                    .iter()
                    .map(|&name| Name::from_raw(name))
                    .collect(),
            );
            at = end;
        }
        if at < body.len() {
            return Err(DecodeError::TrailingBytes(body.len() - at));
        }
        let my_set = match my_set {
            Some(index) => index,
            None if num_sets == 0 && offset == 0 => 0,
            None => return Err(DecodeError::BadSetOffset(offset)),
        };
        Ok(Self {
            gid,
            vs_sets,
            my_set,
        })
    }
}

/// The body of a transitional message: the id of the membership that ends.
#[must_use]
pub fn transition_body(gid: GroupId, order: ByteOrder) -> [u8; GROUP_ID_LEN] {
    let mut out = [0; GROUP_ID_LEN];
    for (to, value) in out.as_chunks_mut().0.iter_mut().zip(gid.0) {
        *to = order.put_i32(value);
    }
    out
}

/// Turns the integers in the body of a membership message into native order, in place.
///
/// `kind` and `from` are those of the header. Regular memberships: the group id, the number of
/// sets, the offset, the count of each set. Transitional messages: the group id (the classic
/// library leaves it as it is). Any other kind, and a body in native order already, are left alone.
/// Whatever the counts claim, nothing outside `body` is touched: a body that ends early is turned
/// as far as it goes. Twice from the same order is not the same as once.
#[inline]
pub fn flip_to_native(kind: u32, from: ByteOrder, body: &mut [u8]) {
    let len = body.len();
    flip_words(kind, from, len, |at| {
        match body.get_mut(at..).and_then(<[u8]>::first_chunk_mut::<4>) {
            Some(word) => {
                word.reverse();
                *word
            }
            // Not reached: `at + 4 <= len`.
            None => [0; 4],
        }
    });
}

/// [`flip_to_native`] for a body that is not in one piece.
///
/// `reverse` reverses the four bytes at an offset and returns them as they are then. It is called
/// with ascending offsets, each at most `len - 4`, at most `len / 4` times.
pub fn flip_words(
    kind: u32,
    from: ByteOrder,
    len: usize,
    mut reverse: impl FnMut(usize) -> [u8; 4],
) {
    if from == ByteOrder::NATIVE || service::is_reject(kind) {
        return;
    }
    let mut flip = |at: usize| (at.checked_add(4)? <= len).then(|| u32::from_ne_bytes(reverse(at)));
    if service::is_regular_membership(kind) {
        let mut words = || {
            for at in [0, 4, 8] {
                flip(at)?;
            }
            let num_sets = flip(NUM_SETS_AT)?;
            flip(SET_OFFSET_AT)?;
            let mut at = SETS_AT;
            // Each round moves on by four bytes or more, so `len` bounds it, whatever `num_sets`
            // says.
            for _ in 0..num_sets {
                let members = flip(at)?;
                at = at
                    .checked_add(4)?
                    .checked_add((members as usize).checked_mul(NAME_FIELD)?)?;
            }
            Some(())
        };
        // `None` means that the body has ended, which is fine.
        let _: Option<()> = words();
    } else if service::is_transition(kind) {
        for at in [0, 4, 8] {
            flip(at);
        }
    }
}

/// Bytes that a set of `members` takes.
const fn set_len(members: usize) -> usize {
    4 + members * NAME_FIELD
}

fn word(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn word_at(body: &[u8], at: usize) -> Option<[u8; 4]> {
    body.get(at..)?.first_chunk().copied()
}
