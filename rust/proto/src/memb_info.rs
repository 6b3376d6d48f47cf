//! The lookups behind `SP_get_memb_info`, `SP_get_vs_sets_info` and `SP_get_vs_set_members`, and
//! their scatter twins.
//!
//! They work on the body of a received membership message, integers in native order, wherever it
//! is: in one slice, in pieces, or behind a raw pointer of unknown length. A [`Source`] hides the
//! difference. Nothing outside the source's limit is asked for, and no arithmetic on counts and
//! offsets of the body wraps: such a body is [`IllegalMessage`](LookupError::IllegalMessage).

use std::cell::Cell;
use std::fmt;

use crate::limits::{CLASSIC_MAX_MESSAGE, NAME_FIELD};
use crate::membership::{GROUP_ID_LEN, GroupId, NUM_SETS_AT, SET_OFFSET_AT, SETS_AT};
use crate::name::Name;
use crate::service;

/// The bytes of a membership body.
pub trait Source {
    /// Bytes that may be asked for: the body's length, or [`UNKNOWN_LENGTH`] if the caller does not
    /// know it.
    fn limit(&self) -> usize;

    /// Copies the bytes from `offset` on into `out`. Called only with `offset + out.len() <=
    /// limit()`.
    fn read(&self, offset: usize, out: &mut [u8]);
}

/// The limit for a body of unknown length: no message is longer.
pub const UNKNOWN_LENGTH: usize = CLASSIC_MAX_MESSAGE;

/// A body in one piece.
impl Source for [u8] {
    fn limit(&self) -> usize {
        self.len()
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        if let Some(bytes) = self.get(offset..).and_then(|rest| rest.get(..out.len())) {
            out.copy_from_slice(bytes);
        }
    }
}

/// A body read by a function, for callers with raw memory.
#[derive(Clone, Copy)]
pub struct ReadFn<F> {
    limit: usize,
    read: F,
}

impl<F> fmt::Debug for ReadFn<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadFn")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl<F: Fn(usize, &mut [u8])> ReadFn<F> {
    /// A source of `limit` bytes ([`UNKNOWN_LENGTH`] if not known). `read(offset, out)` fills
    /// `out`; it is called with `offset + out.len() <= limit` only.
    pub const fn new(limit: usize, read: F) -> Self {
        Self { limit, read }
    }
}

impl<F: Fn(usize, &mut [u8])> Source for ReadFn<F> {
    fn limit(&self) -> usize {
        self.limit
    }

    fn read(&self, offset: usize, out: &mut [u8]) {
        (self.read)(offset, out);
    }
}

/// A body in pieces, each of any length; fields may lie across their borders.
pub struct Pieces<L, C> {
    count: usize,
    len: L,
    copy: C,
    total: usize,
    /// A piece that was read last and its offset. Lookups go forward, so they need not count from
    /// the start each time.
    last: Cell<(usize, usize)>,
}

impl<L, C> fmt::Debug for Pieces<L, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pieces")
            .field("count", &self.count)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}

impl<L: Fn(usize) -> usize, C: Fn(usize, usize, &mut [u8])> Pieces<L, C> {
    /// A source of `count` pieces. `len(i)` tells the length of piece `i`, the same each time;
    /// `copy(i, at, out)` fills `out` from piece `i`, beginning at its byte `at`, and is never
    /// asked beyond its length.
    pub fn new(count: usize, len: L, copy: C) -> Self {
        let total = (0..count).fold(0usize, |sum, i| sum.saturating_add(len(i)));
        Self {
            count,
            len,
            copy,
            total,
            last: Cell::new((0, 0)),
        }
    }
}

impl<L: Fn(usize) -> usize, C: Fn(usize, usize, &mut [u8])> Source for Pieces<L, C> {
    fn limit(&self) -> usize {
        self.total
    }

    fn read(&self, offset: usize, mut out: &mut [u8]) {
        let (first, mut start) = match self.last.get() {
            (piece, start) if start <= offset => (piece, start),
            _ => (0, 0),
        };
        for i in first..self.count {
            let len = (self.len)(i);
            let skip = offset.saturating_sub(start);
            if skip < len {
                let here = (len - skip).min(out.len());
                let (part, rest) = out.split_at_mut(here);
                (self.copy)(i, skip, part);
                self.last.set((i, start));
                if rest.is_empty() {
                    return;
                }
                out = rest;
            }
            start = start.saturating_add(len);
        }
    }
}

/// A body in slices.
pub fn slices<'a>(pieces: &'a [&'a [u8]]) -> impl Source + 'a {
    Pieces::new(
        pieces.len(),
        |i| pieces[i].len(),
        |i, at, part: &mut [u8]| part.copy_from_slice(&pieces[i][at..at + part.len()]),
    )
}

/// Why a lookup fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum LookupError {
    /// Not a membership message, or counts and offsets that point outside it.
    #[error("not a membership message, or a broken one")]
    IllegalMessage,
    /// The caller's array is smaller than the number of entries.
    #[error("the array is too small")]
    BufferTooShort,
}

/// Where a set of members is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct VsSetInfo {
    /// Members in the set.
    pub num_members: u32,
    /// Where their names start, counted from the start of the body.
    pub members_offset: u32,
}

/// What to do with the `changed_member` of the caller's structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangedMember {
    /// The member that has joined, left or gone: the first name of the first set. Empty if the body
    /// has none.
    Member(Name),
    /// The cause is the network: 32 zero bytes.
    Network,
    /// This kind has none, and the field is left as it is.
    Untouched,
}

/// What a membership message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MembInfo {
    /// The membership's id; of a transitional message, the id of the one that ends. Zeros for
    /// self-leaves and refused requests, which have none.
    pub gid: GroupId,
    /// The member that it is about.
    pub changed_member: ChangedMember,
    /// Number of sets.
    pub num_vs_sets: u32,
    /// The receiver's own set. Its count is what stands at the place that the body names,
    /// believable or not; [`vs_set_members`] checks it.
    pub my_vs_set: VsSetInfo,
}

/// `SP_get_memb_info`: what the message says, apart from the names of its sets.
///
/// `service_type` is what the receive call has reported.
///
/// # Errors
///
/// [`IllegalMessage`](LookupError::IllegalMessage) for a type without any membership bit, and for a
/// body that does not reach as far as its type and counts say.
pub fn memb_info(
    body: &(impl Source + ?Sized),
    service_type: u32,
) -> Result<MembInfo, LookupError> {
    if service_type & service::MEMBERSHIP_MESS == 0 {
        return Err(LookupError::IllegalMessage);
    }
    let mut info = MembInfo {
        gid: GroupId::default(),
        changed_member: ChangedMember::Untouched,
        num_vs_sets: 0,
        my_vs_set: VsSetInfo::default(),
    };
    let regular = service::is_regular_membership(service_type);
    if !regular && !service::is_transition(service_type) {
        // A self-leave or a refused request has no group id, and perhaps no body. The classic
        // library shows what happens to be in the buffer.
        return Ok(info);
    }
    info.gid = group_id(body)?;
    if !regular {
        return Ok(info);
    }
    info.num_vs_sets = word(body, NUM_SETS_AT)?;
    let offset = word(body, SET_OFFSET_AT)?;
    let at = (offset as usize)
        .checked_add(SETS_AT)
        .filter(|&at| at <= body.limit())
        .ok_or(LookupError::IllegalMessage)?;
    let members_offset = at
        .checked_add(4)
        .and_then(|at| u32::try_from(at).ok())
        .ok_or(LookupError::IllegalMessage)?;
    // Without sets there are no counts and no names to read.
    let any = info.num_vs_sets > 0;
    info.my_vs_set = VsSetInfo {
        num_members: if any { word(body, at)? } else { 0 },
        members_offset,
    };
    // The network bit counts only without another cause, as in the classic library.
    let one_member =
        service::CAUSED_BY_JOIN | service::CAUSED_BY_LEAVE | service::CAUSED_BY_DISCONNECT;
    if service_type & one_member != 0 {
        let there = any && word(body, SETS_AT)? > 0;
        info.changed_member = ChangedMember::Member(if there {
            name(body, SETS_AT + 4)?
        } else {
            Name::EMPTY
        });
    } else if service::is_caused_by_network(service_type) {
        info.changed_member = ChangedMember::Network;
    }
    Ok(info)
}

/// `SP_get_vs_sets_info`: where the sets are.
///
/// `room` is the size of the caller's array. `put(index, set)` is called for each set in order, and
/// only if all of them are good. Returns the number of sets and the index of the receiver's own
/// one, if the body's offset is the start of a set.
///
/// # Errors
///
/// [`BufferTooShort`](LookupError::BufferTooShort) if there are more sets than `room`, compared as
/// signed numbers as in the classic library; [`IllegalMessage`](LookupError::IllegalMessage) if the
/// sets do not fit into the body.
pub fn vs_sets_info(
    body: &(impl Source + ?Sized),
    room: i32,
    mut put: impl FnMut(usize, VsSetInfo),
) -> Result<(i32, Option<u32>), LookupError> {
    let num_sets = word(body, NUM_SETS_AT)?;
    if room < num_sets.cast_signed() {
        return Err(LookupError::BufferTooShort);
    }
    let offset = word(body, SET_OFFSET_AT)?;
    let my_set = each_set(body, num_sets, offset, |_, _| {})?;
    each_set(body, num_sets, offset, &mut put)?;
    Ok((num_sets.cast_signed(), my_set))
}

/// Walks over the sets. Each takes four bytes or more of the body, so the limit bounds the walk.
fn each_set(
    body: &(impl Source + ?Sized),
    num_sets: u32,
    offset: u32,
    mut put: impl FnMut(usize, VsSetInfo),
) -> Result<Option<u32>, LookupError> {
    let mut my_set = None;
    let mut at = SETS_AT;
    for index in 0..num_sets {
        if at - SETS_AT == offset as usize {
            my_set = Some(index);
        }
        let num_members = word(body, at)?;
        let members_offset = u32::try_from(at + 4).map_err(|_| LookupError::IllegalMessage)?;
        at = end_of_names(body, at + 4, num_members)?;
        put(
            index as usize,
            VsSetInfo {
                num_members,
                members_offset,
            },
        );
    }
    Ok(my_set)
}

/// `SP_get_vs_set_members`: the names of one set.
///
/// `room` is the size of the caller's array. `put(index, name)` is called for each member in order,
/// with the field as it is in the body, and only if all of them are there. Returns the number of
/// members.
///
/// # Errors
///
/// [`BufferTooShort`](LookupError::BufferTooShort) if there are more members than `room`;
/// [`IllegalMessage`](LookupError::IllegalMessage) if the names do not fit into the body.
pub fn vs_set_members(
    body: &(impl Source + ?Sized),
    set: VsSetInfo,
    room: i32,
    mut put: impl FnMut(usize, &[u8; NAME_FIELD]),
) -> Result<i32, LookupError> {
    if room < set.num_members.cast_signed() {
        return Err(LookupError::BufferTooShort);
    }
    let start = set.members_offset as usize;
    end_of_names(body, start, set.num_members)?;
    for index in 0..set.num_members as usize {
        put(index, name(body, start + index * NAME_FIELD)?.raw());
    }
    Ok(set.num_members.cast_signed())
}

/// Where `count` names from `start` on end, if that is in the body.
fn end_of_names(
    body: &(impl Source + ?Sized),
    start: usize,
    count: u32,
) -> Result<usize, LookupError> {
    (count as usize)
        .checked_mul(NAME_FIELD)
        .and_then(|len| len.checked_add(start))
        .filter(|&end| end <= body.limit())
        .ok_or(LookupError::IllegalMessage)
}

fn field<const N: usize>(body: &(impl Source + ?Sized), at: usize) -> Result<[u8; N], LookupError> {
    if at.checked_add(N).is_none_or(|end| end > body.limit()) {
        return Err(LookupError::IllegalMessage);
    }
    let mut out = [0; N];
    body.read(at, &mut out);
    Ok(out)
}

fn word(body: &(impl Source + ?Sized), at: usize) -> Result<u32, LookupError> {
    field(body, at).map(u32::from_ne_bytes)
}

fn name(body: &(impl Source + ?Sized), at: usize) -> Result<Name, LookupError> {
    field(body, at).map(Name::from_raw)
}

fn group_id(body: &(impl Source + ?Sized)) -> Result<GroupId, LookupError> {
    let raw: [u8; GROUP_ID_LEN] = field(body, 0)?;
    let mut words = [0; 3];
    for (to, &from) in words.iter_mut().zip(raw.as_chunks().0) {
        *to = i32::from_ne_bytes(from);
    }
    Ok(GroupId(words))
}
