//! `SP_get_memb_info`, `SP_get_vs_sets_info`, `SP_get_vs_set_members` and their `SP_scat_` twins:
//! reading membership messages.
//!
//! The plain three are not told how long the message is. They read only what its own counts name,
//! and never beyond the largest message that there can be, but cannot know where the caller's
//! buffer ends.

use std::ffi::{c_char, c_int, c_uint};

use spread_client::memb_info::{self, ChangedMember, LookupError, Pieces, ReadFn, Source};

use crate::codes::{BUFFER_TOO_SHORT, ILLEGAL_MESSAGE};
use crate::guard::guard_code;
use crate::ptr::{self, Out, OutArray};
use crate::types::{
    GroupId, GroupName, MAX_GROUP_NAME, MembershipInfo, Scatter, Service, VsSetInfo, group_name,
};

/// Reads what a membership message says of the change of the group.
///
/// `memb_mess` is the body and `service_type` the type, both as `SP_receive` gave them. Of the
/// result
///
/// - `gid` is the identity of the membership (of a transitional message: of the one that ends);
/// - `changed_member` is who joined, left or was disconnected, and all zero after a change of the
///   network. Other messages leave it as it was;
/// - `num_vs_sets` is the number of sets of members that came here together, 1 unless the network
///   has changed, and `my_vs_set` tells where the receiver's own set is. Both are 0 for messages
///   that list nobody.
///
/// A self-leave has an empty body: its `gid` is zero.
///
/// Returns 1, or `ILLEGAL_MESSAGE` if the type is not that of a membership message, the body names
/// places that no message has, or a pointer is null. Nothing is written then. Any thread may call
/// this at any time.
///
/// # Safety
/// `memb_mess` points to the whole body of a received message; `info` may be written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_get_memb_info(
    memb_mess: *const c_char,
    service_type: Service,
    info: *mut MembershipInfo,
) -> c_int {
    guard_code(|| {
        // SAFETY: the caller's contract.
        let body = unsafe { plain_body(memb_mess) }?;
        // SAFETY: the caller's contract.
        unsafe { put_memb_info(&body, service_type, info) }
    })
}

/// Lists the sets of a membership message.
///
/// `memb_mess` is the body of a regular membership message as `SP_receive` gave it, `vs_sets` an
/// array of `num_vs_sets` entries. `SP_get_memb_info` tells how many are needed. Each entry filled
/// can be given to `SP_get_vs_set_members`. `my_vs_set_index` becomes the index of the receiver's
/// own set, if the message names one.
///
/// Returns the number of sets. `BUFFER_TOO_SHORT` if the array is too small; `ILLEGAL_MESSAGE` if
/// the body names places that no message has, or a pointer is null (`vs_sets` may be if
/// `num_vs_sets` is 0). Nothing is written then. Any thread may call this at any time.
///
/// # Safety
/// `memb_mess` points to the whole body of a received regular membership message; `vs_sets` may be
/// written for `num_vs_sets` entries, and `my_vs_set_index` for one number.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_get_vs_sets_info(
    memb_mess: *const c_char,
    vs_sets: *mut VsSetInfo,
    num_vs_sets: c_int,
    my_vs_set_index: *mut c_uint,
) -> c_int {
    guard_code(|| {
        // SAFETY: the caller's contract.
        let body = unsafe { plain_body(memb_mess) }?;
        // SAFETY: the caller's contract.
        unsafe { put_vs_sets_info(&body, vs_sets, num_vs_sets, my_vs_set_index) }
    })
}

/// Lists the members of one set of a membership message.
///
/// `memb_mess` is the body of a regular membership message as `SP_receive` gave it, `vs_set` one of
/// its sets as `SP_get_memb_info` or `SP_get_vs_sets_info` told it, `member_names` an array of
/// `member_names_count` names.
///
/// Returns the number of members. `BUFFER_TOO_SHORT` if the array is too small; `ILLEGAL_MESSAGE`
/// if the set lies where no message reaches, or a pointer is null (`member_names` may be if
/// `member_names_count` is 0). Nothing is written then. Any thread may call this at any time.
///
/// # Safety
/// `memb_mess` points to the whole body of a received regular membership message, `vs_set` to a set
/// of it; `member_names` may be written for `member_names_count` names.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_get_vs_set_members(
    memb_mess: *const c_char,
    vs_set: *const VsSetInfo,
    member_names: *mut GroupName,
    member_names_count: c_int,
) -> c_int {
    guard_code(|| {
        // SAFETY: the caller's contract.
        let body = unsafe { plain_body(memb_mess) }?;
        // SAFETY: the caller's contract.
        unsafe { put_vs_set_members(&body, vs_set, member_names, member_names_count) }
    })
}

/// `SP_get_memb_info` for a message received with `SP_scat_receive`.
///
/// The length of the scatter bounds what is read: a body that names places beyond it gives
/// `ILLEGAL_MESSAGE`, and fields may lie across the borders of elements. All else as there.
///
/// # Safety
/// `memb_mess` and its elements point to memory as they say; `info` may be written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_scat_get_memb_info(
    memb_mess: *const Scatter,
    service_type: Service,
    info: *mut MembershipInfo,
) -> c_int {
    guard_code(|| {
        // SAFETY: the caller's contract.
        let body = unsafe { scatter_body(memb_mess) }?;
        // SAFETY: the caller's contract.
        unsafe { put_memb_info(&body, service_type, info) }
    })
}

/// `SP_get_vs_sets_info` for a message received with `SP_scat_receive`.
///
/// The length of the scatter bounds what is read: a body that names places beyond it gives
/// `ILLEGAL_MESSAGE`, and fields may lie across the borders of elements. All else as there.
///
/// # Safety
/// `memb_mess` and its elements point to memory as they say; `vs_sets` may be written for
/// `num_vs_sets` entries, and `my_vs_set_index` for one number.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_scat_get_vs_sets_info(
    memb_mess: *const Scatter,
    vs_sets: *mut VsSetInfo,
    num_vs_sets: c_int,
    my_vs_set_index: *mut c_uint,
) -> c_int {
    guard_code(|| {
        // SAFETY: the caller's contract.
        let body = unsafe { scatter_body(memb_mess) }?;
        // SAFETY: the caller's contract.
        unsafe { put_vs_sets_info(&body, vs_sets, num_vs_sets, my_vs_set_index) }
    })
}

/// `SP_get_vs_set_members` for a message received with `SP_scat_receive`.
///
/// The length of the scatter bounds what is read: a body that names places beyond it gives
/// `ILLEGAL_MESSAGE`, and fields may lie across the borders of elements. All else as there.
///
/// # Safety
/// `memb_mess` and its elements point to memory as they say, `vs_set` to a set of the message;
/// `member_names` may be written for `member_names_count` names.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_scat_get_vs_set_members(
    memb_mess: *const Scatter,
    vs_set: *const VsSetInfo,
    member_names: *mut GroupName,
    member_names_count: c_int,
) -> c_int {
    guard_code(|| {
        // SAFETY: the caller's contract.
        let body = unsafe { scatter_body(memb_mess) }?;
        // SAFETY: the caller's contract.
        unsafe { put_vs_set_members(&body, vs_set, member_names, member_names_count) }
    })
}

/// A failed lookup as the code that a program sees.
const fn code(error: LookupError) -> c_int {
    match error {
        LookupError::IllegalMessage => ILLEGAL_MESSAGE,
        LookupError::BufferTooShort => BUFFER_TOO_SHORT,
    }
}

/// A body of unknown length.
///
/// # Safety
/// `body` is null, or points to a membership message that is readable as far as its counts name it
/// while the result is used.
unsafe fn plain_body(body: *const c_char) -> Result<impl Source, c_int> {
    if body.is_null() {
        return Err(ILLEGAL_MESSAGE);
    }
    Ok(ReadFn::new(
        memb_info::UNKNOWN_LENGTH,
        move |at, out: &mut [u8]| {
            // SAFETY: the place is one that the message's counts name.
            unsafe { ptr::copy_in(body, at, out) };
        },
    ))
}

/// A body in the elements of a scatter, empty ones and null ones among them.
///
/// # Safety
/// `scatter` is null, or its elements are readable as they say while the result is used.
unsafe fn scatter_body(scatter: *const Scatter) -> Result<impl Source, c_int> {
    // SAFETY: the caller's contract.
    let all = unsafe { ptr::scatter_elements(scatter) }.ok_or(ILLEGAL_MESSAGE)?;
    let mut elements = Vec::new();
    let mut room = 0_usize;
    for element in all {
        if element.buf.is_null() && element.len > 0 {
            return Err(ILLEGAL_MESSAGE);
        }
        room = room.saturating_add(element.len);
        elements.push(element);
        if room >= memb_info::UNKNOWN_LENGTH {
            // No message reaches beyond this; and it bounds what a number of elements that is
            // nonsense can do.
            break;
        }
    }
    let lens: Vec<usize> = elements.iter().map(|element| element.len).collect();
    Ok(Pieces::new(
        elements.len(),
        move |i| lens[i],
        move |i, at, out: &mut [u8]| {
            // SAFETY: a place inside an element, which is readable by the caller's contract.
            unsafe { ptr::copy_in(elements[i].buf, at, out) };
        },
    ))
}

/// # Safety
/// `info` is null or may be written.
unsafe fn put_memb_info(
    body: &impl Source,
    service_type: Service,
    info: *mut MembershipInfo,
) -> Result<c_int, c_int> {
    if info.is_null() {
        return Err(ILLEGAL_MESSAGE);
    }
    let found = memb_info::memb_info(body, service_type.cast_unsigned()).map_err(code)?;
    let changed_member = match found.changed_member {
        ChangedMember::Member(name) => Some(group_name(name.raw())),
        ChangedMember::Network => Some([0; MAX_GROUP_NAME]),
        ChangedMember::Untouched => None,
    };
    // SAFETY: not null, so it may be written by the caller's contract.
    unsafe {
        ptr::put_membership_info(
            info,
            GroupId { id: found.gid.0 },
            changed_member,
            found.num_vs_sets,
            vs_set(found.my_vs_set),
        );
    }
    Ok(1)
}

/// # Safety
/// `vs_sets` is null or may be written for `num_vs_sets` entries, `my_vs_set_index` is null or may
/// be written.
unsafe fn put_vs_sets_info(
    body: &impl Source,
    vs_sets: *mut VsSetInfo,
    num_vs_sets: c_int,
    my_vs_set_index: *mut c_uint,
) -> Result<c_int, c_int> {
    // SAFETY: the caller's contract.
    let mut sets = unsafe { OutArray::new(vs_sets, num_vs_sets) }.ok_or(ILLEGAL_MESSAGE)?;
    // SAFETY: the caller's contract.
    let mut index = unsafe { Out::new(my_vs_set_index) }.ok_or(ILLEGAL_MESSAGE)?;
    let put = |i, set| sets.write(i, vs_set(set));
    let (count, my_set) = memb_info::vs_sets_info(body, num_vs_sets, put).map_err(code)?;
    if let Some(my_set) = my_set {
        index.write(my_set);
    }
    Ok(count)
}

/// # Safety
/// `vs_set` is null or readable, `member_names` is null or may be written for `member_names_count`
/// names.
unsafe fn put_vs_set_members(
    body: &impl Source,
    vs_set: *const VsSetInfo,
    member_names: *mut GroupName,
    member_names_count: c_int,
) -> Result<c_int, c_int> {
    // SAFETY: the caller's contract.
    let set = unsafe { ptr::in_value(vs_set) }.ok_or(ILLEGAL_MESSAGE)?;
    // SAFETY: the caller's contract.
    let names = unsafe { OutArray::new(member_names, member_names_count) };
    let mut names = names.ok_or(ILLEGAL_MESSAGE)?;
    let set = memb_info::VsSetInfo {
        num_members: set.num_members,
        members_offset: set.members_offset,
    };
    let put = |i, raw: &[u8; MAX_GROUP_NAME]| names.write(i, group_name(raw));
    memb_info::vs_set_members(body, set, member_names_count, put).map_err(code)
}

const fn vs_set(set: memb_info::VsSetInfo) -> VsSetInfo {
    VsSetInfo {
        num_members: set.num_members,
        members_offset: set.members_offset,
    }
}

#[cfg(test)]
mod tests;
