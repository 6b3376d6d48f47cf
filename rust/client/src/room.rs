//! A caller's room for a message, and what a receive tells beside its result.

use spread_proto::Name;

use crate::error::Error;
use crate::sys::out::OutSlice;

/// What a call tells its caller beside its result; `None`: the caller's value stays untouched.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outputs {
    /// Type of the message.
    pub service: Option<u32>,
    /// Sender's private group, or the group of a membership message.
    pub sender: Option<Name>,
    /// Number of groups, negative where they did not fit.
    pub num_groups: Option<i32>,
    /// The program's own type, or the index of the own private group in a membership.
    pub mess_type: Option<i16>,
    /// Whether the sender's byte order differs, or minus the body's length where it did not fit.
    pub endian_mismatch: Option<i32>,
}

/// Where a machine of steps stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress<T> {
    /// Finished.
    Done(Result<T, Error>),
    /// Make the blocking call, then step again.
    Blocked,
}

/// The caller's room for a message.
#[derive(Debug)]
pub struct Room<'r, 'm> {
    /// For groups, 32 bytes each.
    pub groups: OutSlice<'m>,
    /// How many groups the caller says there is room for. May be negative, and may be more than
    /// `groups` holds only where that is empty for lack of memory (then counted as 0).
    pub max_groups: i32,
    /// For the body, in order.
    pub body: &'r mut [OutSlice<'m>],
    /// Bytes that the caller says there is room for; may be negative.
    pub max_body: i64,
}

impl Room<'_, '_> {
    /// Groups that there is room for; negative if the caller says so.
    pub(crate) fn for_groups(&self) -> i64 {
        if self.max_groups > 0 && self.groups.is_empty() {
            0
        } else {
            i64::from(self.max_groups)
        }
    }

    /// Writes `bytes` at `at` of the room for the body; what does not fit is left out.
    pub(crate) fn write_body(&mut self, at: usize, bytes: &[u8]) {
        write_pieces(self.body, at, bytes);
    }
}

/// Programs print group names as strings: one without any NUL gets one in its last byte.
pub(crate) fn terminate(name: &mut [u8; 32]) {
    if !name.contains(&0) {
        name[31] = 0;
    }
}

/// Writes `bytes` at `at` of the pieces taken as one; what does not fit is left out.
fn write_pieces(pieces: &mut [OutSlice<'_>], at: usize, bytes: &[u8]) {
    let mut skip = at;
    let mut rest = bytes;
    for piece in pieces {
        if rest.is_empty() {
            return;
        }
        if skip >= piece.len() {
            skip -= piece.len();
            continue;
        }
        let written = piece.write_at(skip, rest);
        skip = 0;
        rest = &rest[written..];
    }
}
