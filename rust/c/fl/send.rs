//! `FL_join`, `FL_leave`, `FL_flush` and the six calls that send.

use std::ffi::{c_char, c_int};
use std::io::IoSlice;
use std::mem::ManuallyDrop;

use spread_client::flush::{Failure, FlushMessage, FlushSend, Request, Step};
use spread_client::{Error, Outgoing, group_field};

use super::codes;
use crate::cancel::Cancel;
use crate::guard::guard_or;
use crate::ptr;
use crate::sp::send::{MAX_GROUP_TEXT, MAX_GROUPS, Pieces};
use crate::types::{GroupName, Int16, Mailbox, Scatter, Service};

/// Most pieces of a message to send: one of a scatter's is the library's in the classic layer.
const MAX_PIECES: usize = 99;

/// Stands for a list of receivers that is null: nobody has this name.
const NOBODY: [[u8; 32]; 1] = [[0; 32]];

/// Joins a group.
///
/// The first view that lists the session is the answer; it comes when all other members have
/// flushed. `group` has the characters of `SP_join`. Joining again before the daemon's first answer
/// was taken in is harmless.
///
/// Returns 0 once the request is handed over. `ILLEGAL_SESSION`; `ILLEGAL_GROUP` for a bad name, or
/// if the session is in the group, or on its way in or out; `CONNECTION_CLOSED` when the connection
/// is found broken, after which the mailbox is gone. Blocks while the daemon does not read. Any
/// thread.
///
/// # Safety
/// `group` is null or a C string.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_join(mbox: Mailbox, group: *const c_char) -> c_int {
    let cancel = Cancel::forbid();
    // SAFETY: the caller's contract.
    let name = unsafe { ptr::opt_cstr(group, MAX_GROUP_TEXT) }.unwrap_or(&[]);
    drive(cancel, mbox, Request::Join(name))
}

/// Leaves a group.
///
/// Nothing can be sent to it any more. The last message for the group is the self-leave (type
/// `CAUSED_BY_LEAVE` alone).
///
/// Returns as `FL_join`; `ILLEGAL_GROUP` unless a view of the group has been received, and on a
/// second leave.
///
/// # Safety
/// `group` is null or a C string.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_leave(mbox: Mailbox, group: *const c_char) -> c_int {
    let cancel = Cancel::forbid();
    // SAFETY: the caller's contract.
    let name = unsafe { ptr::opt_cstr(group, MAX_GROUP_TEXT) }.unwrap_or(&[]);
    drive(cancel, mbox, Request::Leave(name))
}

/// Agrees to the next view of a group: the answer to a request to flush.
///
/// Until the view comes nothing can be sent to the group. Each request is answered once.
///
/// Returns 0. `ILLEGAL_SESSION`; `ILLEGAL_GROUP` for a group that is not known, or is being left;
/// `ILLEGAL_STATE` without an unanswered request; `CONNECTION_CLOSED` when the connection is found
/// broken, after which the mailbox is gone. Blocks while the daemon does not read. Any thread.
///
/// # Safety
/// `group` is null or a C string.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_flush(mbox: Mailbox, group: *const c_char) -> c_int {
    let cancel = Cancel::forbid();
    // SAFETY: the caller's contract.
    let name = unsafe { ptr::opt_cstr(group, MAX_GROUP_TEXT) }.unwrap_or(&[]);
    drive(cancel, mbox, Request::Flush(name))
}

/// Sends a message to all members of a group's view, or to a private group.
///
/// `service_type` has exactly one of the service bits (`UNRELIABLE_MESS` to `SAFE_MESS`), and may
/// have `SELF_DISCARD`. `group` is a group that the session is in, or a private group, which belongs
/// to no view. `mess_type` is at least `FL_MIN_LEGAL_MESS_TYPE`. `mess` is `mess_len` bytes and may
/// be null if that is 0.
///
/// Returns `mess_len`. In this order: `ILLEGAL_SESSION`; `ILLEGAL_SERVICE` for bits that are not a
/// program's to set; `ILLEGAL_MESSAGE_TYPE`; `ILLEGAL_GROUP` for a group of which no view has been
/// received, or that is being left; `ILLEGAL_STATE` between `FL_flush` and the view; then the codes
/// of `SP_multicast`, where `MESSAGE_TOO_LONG` counts up to 46 bytes that the library adds.
/// `CONNECTION_CLOSED` when the connection is found broken, after which the mailbox is gone. Blocks
/// while the daemon does not read. Any thread; messages of several threads do not mix.
///
/// # Safety
/// `group` is null or a C string, `mess` null or readable for `mess_len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_multicast(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    mess_type: Int16,
    mess_len: c_int,
    mess: *const c_char,
) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { whole(mbox, service_type, group, None, mess_type, mess_len, mess) }
}

/// Sends a message in pieces to all members of a group's view, or to a private group.
///
/// As `FL_multicast`; the body is the pieces of `mess` in their order, which are not changed.
/// `ILLEGAL_MESSAGE`, behind `ILLEGAL_MESSAGE_TYPE`, for more than `FL_MAX_SCATTER_ELEMENTS` pieces.
///
/// # Safety
/// `group` is null or a C string; `mess` is null or readable, with its pieces.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_scat_multicast(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    mess_type: Int16,
    mess: *const Scatter,
) -> c_int {
    // SAFETY: the caller's contract.
    unsafe { scattered(mbox, service_type, group, None, mess_type, mess) }
}

/// Sends a message to one member of a group's view.
///
/// As `FL_multicast`; `ILLEGAL_RECEIVERS`, behind `ILLEGAL_STATE`, if `recvr_name` is not in the view
/// (whoever has left since counts as there). To a private group, `recvr_name` must be the same.
///
/// # Safety
/// `group` and `recvr_name` are null or C strings, `mess` null or readable for `mess_len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_unicast(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    recvr_name: *const c_char,
    mess_type: Int16,
    mess_len: c_int,
    mess: *const c_char,
) -> c_int {
    // SAFETY: the caller's contract.
    let receiver = [unsafe { field(recvr_name) }];
    let receivers = Some((1, &receiver[..]));
    // SAFETY: the caller's contract.
    unsafe {
        whole(
            mbox,
            service_type,
            group,
            receivers,
            mess_type,
            mess_len,
            mess,
        )
    }
}

/// Sends a message in pieces to one member of a group's view.
///
/// As `FL_unicast` and `FL_scat_multicast`.
///
/// # Safety
/// `group` and `recvr_name` are null or C strings; `mess` is null or readable, with its pieces.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_scat_unicast(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    recvr_name: *const c_char,
    mess_type: Int16,
    mess: *const Scatter,
) -> c_int {
    // SAFETY: the caller's contract.
    let receiver = [unsafe { field(recvr_name) }];
    let receivers = Some((1, &receiver[..]));
    // SAFETY: the caller's contract.
    unsafe { scattered(mbox, service_type, group, receivers, mess_type, mess) }
}

/// Sends a message to some members of a group's view.
///
/// As `FL_unicast`, with `num_recvrs` names of 32 bytes each, 0 to 100 (`ILLEGAL_PARAM` for fewer,
/// before `ILLEGAL_SERVICE`; `ILLEGAL_GROUP` for more). A 5.0.1 daemon accepts more than 43 and
/// delivers to nobody then.
///
/// # Safety
/// `group` is null or a C string; `recvr_names` may be read for `num_recvrs` names, `mess` for
/// `mess_len` bytes; either may be null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_subgroupcast(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    num_recvrs: c_int,
    recvr_names: *mut GroupName,
    mess_type: Int16,
    mess_len: c_int,
    mess: *const c_char,
) -> c_int {
    // SAFETY: the caller's contract.
    let receivers = Some(unsafe { list(num_recvrs, recvr_names) });
    // SAFETY: the caller's contract.
    unsafe {
        whole(
            mbox,
            service_type,
            group,
            receivers,
            mess_type,
            mess_len,
            mess,
        )
    }
}

/// Sends a message in pieces to some members of a group's view.
///
/// As `FL_subgroupcast` and `FL_scat_multicast`.
///
/// # Safety
/// `group` is null or a C string; `recvr_names` may be read for `num_recvrs` names or be null;
/// `mess` is null or readable, with its pieces.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_scat_subgroupcast(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    num_recvrs: c_int,
    recvr_names: *mut GroupName,
    mess_type: Int16,
    mess: *const Scatter,
) -> c_int {
    // SAFETY: the caller's contract.
    let receivers = Some(unsafe { list(num_recvrs, recvr_names) });
    // SAFETY: the caller's contract.
    unsafe { scattered(mbox, service_type, group, receivers, mess_type, mess) }
}

/// How many receivers the caller says, and their names.
type Receivers<'a> = (c_int, &'a [[u8; 32]]);

/// # Safety
/// `names` is null, or readable for `count` names for `'a`.
unsafe fn list<'a>(count: c_int, names: *const GroupName) -> Receivers<'a> {
    if !(0..=MAX_GROUPS).contains(&count) {
        return (count, &[]);
    }
    // SAFETY: the caller's contract; the count is small.
    match unsafe { ptr::in_names(names, count) } {
        Ok(Some(rows)) => (count, rows),
        _ => (count, &NOBODY),
    }
}

/// # Safety
/// `name` is null or a C string.
unsafe fn field(name: *const c_char) -> [u8; 32] {
    // SAFETY: the caller's contract.
    group_field(unsafe { ptr::opt_cstr(name, MAX_GROUP_TEXT) }.unwrap_or(&[]))
}

/// # Safety
/// As `FL_multicast`. This frame may be removed: no destructors.
unsafe fn whole(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    receivers: Option<Receivers<'_>>,
    mess_type: Int16,
    mess_len: c_int,
    mess: *const c_char,
) -> c_int {
    let cancel = Cancel::forbid();
    // SAFETY: the caller's contract.
    let group = [unsafe { field(group) }];
    // SAFETY: the caller's contract.
    let (piece, missing) = match unsafe { ptr::in_slice(mess, mess_len) } {
        Ok(Some(body)) => (body, false),
        _ => (&[][..], true),
    };
    let pieces = [IoSlice::new(piece)];
    let message = Outgoing {
        service: service_type,
        num_groups: 0,
        groups: &[],
        mess_type,
        body: &pieces,
        body_len: u64::try_from(mess_len).unwrap_or(0),
        refusal: missing.then_some(Error::IllegalMessage),
    };
    let message = FlushMessage {
        group: &group,
        receivers,
        message,
        pieces: 1,
    };
    drive(cancel, mbox, Request::Message(message))
}

/// # Safety
/// As `FL_scat_multicast`. This frame may be removed: no destructors.
unsafe fn scattered(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    receivers: Option<Receivers<'_>>,
    mess_type: Int16,
    mess: *const Scatter,
) -> c_int {
    let cancel = Cancel::forbid();
    // SAFETY: the caller's contract.
    let group = [unsafe { field(group) }];
    let mut inline = [IoSlice::new(&[]); MAX_PIECES];
    // SAFETY: the caller's contract.
    let elements = unsafe { ptr::scatter_elements(mess) }.map(|elements| elements.len());
    let read = match elements {
        // Not looked at, and refused.
        Some(count) if count > MAX_PIECES => Pieces {
            count: 0,
            total: 0,
            missing: false,
        },
        _ => {
            // Stays empty: so few pieces are listed in place.
            let mut many = ManuallyDrop::new(Vec::new());
            // SAFETY: the caller's contract.
            unsafe { Pieces::read(mess, &mut inline, &mut many) }
        }
    };
    let message = Outgoing {
        service: service_type,
        num_groups: 0,
        groups: &[],
        mess_type,
        body: &inline[..read.count],
        body_len: read.total,
        refusal: read.missing.then_some(Error::IllegalMessage),
    };
    let message = FlushMessage {
        group: &group,
        receivers,
        message,
        pieces: elements.unwrap_or(0),
    };
    drive(cancel, mbox, Request::Message(message))
}

/// Runs a call to its end. This frame may be removed: no destructors.
fn drive(cancel: Cancel, mbox: Mailbox, request: Request<'_>) -> c_int {
    let begun = guard_or(Err(Failure::Session(Error::Bug)), || {
        FlushSend::begin(mbox, request)
    });
    let result = match begun {
        Ok(mut operation) => loop {
            match guard_or(Step::Done(Err(Error::Bug.into())), || operation.step()) {
                Step::Done(result) => break result,
                Step::Blocked => cancel.around(|| operation.call.run()),
            }
        },
        Err(failure) => Err(failure),
    };
    cancel.restore();
    codes::result(result)
}
