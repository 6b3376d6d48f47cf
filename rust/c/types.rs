//! The structures and scalar types that C programs share with the library, laid out as
//! `include/sp.h` and `include/sp_events.h` declare them.
//!
//! The headers are written by hand; the assertions below and `tests/headers.rs` keep the two sides
//! equal.

use std::ffi::{c_char, c_int, c_long, c_short, c_uint};

/// `MAX_GROUP_NAME`: the bytes of a name field, terminating NUL included.
pub(crate) const MAX_GROUP_NAME: usize = 32;

/// `MAX_CLIENT_SCATTER_ELEMENTS`: the entries of a [`Scatter`].
pub(crate) const MAX_CLIENT_SCATTER_ELEMENTS: usize = 100;

/// `mailbox`: a session, as the number of a descriptor that programs may wait on.
pub(crate) type Mailbox = c_int;

/// `service`: service and message type bits.
pub(crate) type Service = c_int;

/// `int16`: the application's own message type.
pub(crate) type Int16 = c_short;

/// One row of `char groups[][MAX_GROUP_NAME]`.
pub(crate) type GroupName = [c_char; MAX_GROUP_NAME];

/// A name field for a program: the bytes as they are, but with a NUL in the last if there is none
/// at all, as programs print them as strings.
pub(crate) fn group_name(raw: &[u8; MAX_GROUP_NAME]) -> GroupName {
    let mut name = raw.map(u8::cast_signed);
    if !raw.contains(&0) {
        name[MAX_GROUP_NAME - 1] = 0;
    }
    name
}

/// `scat_element`: one piece of a message body. Laid out like `struct iovec`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScatElement {
    /// The first byte; may be anything when `len` is 0.
    pub(crate) buf: *mut c_char,
    /// Bytes at `buf`.
    pub(crate) len: usize,
}

/// `scatter`: a message body in pieces.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scatter {
    /// How many of `elements` count. Comes from the program: may be anything.
    pub(crate) num_elements: usize,
    /// The pieces in the order of the message. Those behind `num_elements` are usually
    /// uninitialised.
    pub(crate) elements: [ScatElement; MAX_CLIENT_SCATTER_ELEMENTS],
}

/// `group_id`: names one membership of one group.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct GroupId {
    /// Compared as a whole; the parts have no meaning for programs.
    pub(crate) id: [c_int; 3],
}

/// `vs_set_info`: where the names of one virtual synchrony set are in a membership message.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct VsSetInfo {
    /// Names in the set.
    pub(crate) num_members: c_uint,
    /// Bytes from the start of the message body to the first name.
    pub(crate) members_offset: c_uint,
}

/// `membership_info`: what `SP_get_memb_info` tells of a membership message.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct MembershipInfo {
    /// The membership's identity.
    pub(crate) gid: GroupId,
    /// Who joined, left or was disconnected; empty after a change of the network.
    pub(crate) changed_member: GroupName,
    /// Virtual synchrony sets in the message.
    pub(crate) num_vs_sets: c_uint,
    /// The set that the receiving connection is in.
    pub(crate) my_vs_set: VsSetInfo,
}

/// `sp_time`: a time or a span of time.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct SpTime {
    /// Whole seconds.
    pub(crate) sec: c_long,
    /// Microseconds beside them, of the same sign.
    pub(crate) usec: c_long,
}

/// The layouts of the classic library on 64-bit systems. They follow from the field types, so other
/// widths are right as well, but nobody has looked at a classic library there.
#[cfg(target_pointer_width = "64")]
const _: () = {
    assert!(size_of::<Mailbox>() == 4);
    assert!(size_of::<Service>() == 4);
    assert!(size_of::<Int16>() == 2);
    assert!(size_of::<GroupName>() == 32);

    assert!(size_of::<ScatElement>() == 16);
    assert!(align_of::<ScatElement>() == 8);
    assert!(std::mem::offset_of!(ScatElement, buf) == 0);
    assert!(std::mem::offset_of!(ScatElement, len) == 8);

    assert!(size_of::<Scatter>() == 1608);
    assert!(align_of::<Scatter>() == 8);
    assert!(std::mem::offset_of!(Scatter, num_elements) == 0);
    assert!(std::mem::offset_of!(Scatter, elements) == 8);

    assert!(size_of::<GroupId>() == 12);
    assert!(align_of::<GroupId>() == 4);
    assert!(std::mem::offset_of!(GroupId, id) == 0);

    assert!(size_of::<VsSetInfo>() == 8);
    assert!(align_of::<VsSetInfo>() == 4);
    assert!(std::mem::offset_of!(VsSetInfo, num_members) == 0);
    assert!(std::mem::offset_of!(VsSetInfo, members_offset) == 4);

    assert!(size_of::<MembershipInfo>() == 56);
    assert!(align_of::<MembershipInfo>() == 4);
    assert!(std::mem::offset_of!(MembershipInfo, gid) == 0);
    assert!(std::mem::offset_of!(MembershipInfo, changed_member) == 12);
    assert!(std::mem::offset_of!(MembershipInfo, num_vs_sets) == 44);
    assert!(std::mem::offset_of!(MembershipInfo, my_vs_set) == 48);

    assert!(size_of::<SpTime>() == 16);
    assert!(align_of::<SpTime>() == 8);
    assert!(std::mem::offset_of!(SpTime, sec) == 0);
    assert!(std::mem::offset_of!(SpTime, usec) == 8);
};
