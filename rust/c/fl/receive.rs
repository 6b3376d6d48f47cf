//! `FL_receive`, `FL_scat_receive`.

use std::ffi::{c_char, c_int};
use std::mem::ManuallyDrop;

use spread_client::flush::{Failure, FlushReceive, How, Refusal, Step};
use spread_client::{Error, OutSlice, Room};

use super::codes;
use crate::cancel::Cancel;
use crate::guard::guard_or;
use crate::ptr::{self, Out};
use crate::sp::receive::{DROP_RECV, OutPointers, put, rooms};
use crate::types::{GroupName, Int16, MAX_CLIENT_SCATTER_ELEMENTS, Mailbox, Scatter, Service};

/// The bit of `service_type` for a receive that does not wait.
const DONT_BLOCK: Service = 0x1000_0000;

/// Receives the next message.
///
/// On entry the bits `DONT_BLOCK` and `DROP_RECV` of `service_type` count, so set the variable
/// before each call. What can come, beside messages of members:
///
/// - a request to flush (`FLUSH_REQ_MESS`; `sender` is the group, all else empty). The group is
///   about to change. Send what belongs to the present view, then call `FL_flush`;
/// - a view (`REG_MEMB_MESS` and its cause): the group has changed, and all members have flushed.
///   `groups` are its members, `mess_type` the index of the own private group among them; the body
///   is told of at `FL_get_vs_set_offset_memb_mess`, and none for `SP_get_memb_info`;
/// - a transitional signal (`TRANSITION_MESS`; all else empty), once in a view: from here on members
///   who have gone may have missed messages;
/// - the end of the own membership (`CAUSED_BY_LEAVE` alone; `mess_type` -1, all else empty).
///
/// Messages of members come in the view in which they were sent; those of others do not come.
/// Messages to the own private group belong to no view. A message to a part of a group has
/// `SUBGROUP_CAST`, and the group is the last of `groups`, behind the receivers.
///
/// Returns the length of the body, and in `more_messes` how many messages wait inside the library.
/// `ILLEGAL_PARAM` for negative `max_groups`; `WOULD_BLOCK` with `DONT_BLOCK` if no message is there.
/// If the message does not fit nothing is lost: `GROUPS_TOO_SHORT` or `BUFFER_TOO_SHORT`, with minus
/// the number of groups in `num_groups` and minus the size in `endian_mismatch`, each 0 if that part
/// would fit; the next call gets the same message. (The size is that of the message on its way,
/// which is up to 46 bytes more than the body.) With `DROP_RECV` the message is taken and cut, and
/// the same codes are returned. `CONNECTION_CLOSED` when the connection is found broken, after
/// everything that came before it: the mailbox is gone then, and every later call returns
/// `ILLEGAL_SESSION`. `ILLEGAL_MESSAGE` if an output pointer is null or the daemon makes no sense.
///
/// Blocks until a message is there; signals do not end it, cancellation does. A member that does not
/// receive keeps the others from their next view. Any thread; several receivers take turns.
///
/// # Safety
/// Each output may be written: `sender` for 32 bytes, `groups` for `max_groups` names, `mess` for
/// `max_mess_len` bytes. `more_messes` may be null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_receive(
    mbox: Mailbox,
    service_type: *mut Service,
    sender: *mut c_char,
    max_groups: c_int,
    num_groups: *mut c_int,
    groups: *mut GroupName,
    mess_type: *mut Int16,
    endian_mismatch: *mut c_int,
    max_mess_len: c_int,
    mess: *mut c_char,
    more_messes: *mut c_int,
) -> c_int {
    let cancel = Cancel::forbid();
    let out = OutPointers {
        service_type,
        sender,
        num_groups,
        mess_type,
        endian_mismatch,
    };
    // SAFETY: the caller's contract.
    let room = unsafe { ptr::out_slice(mess, max_mess_len) }.unwrap_or(&mut []);
    let max_body = if mess.is_null() {
        max_mess_len.min(0)
    } else {
        max_mess_len
    };
    let mut pieces = [OutSlice::new(room)];
    // SAFETY: the caller's contract.
    unsafe {
        receive(
            cancel,
            mbox,
            out,
            max_groups,
            groups,
            Some(&mut pieces),
            i64::from(max_body),
            more_messes,
        )
    }
}

/// Receives the next message into pieces.
///
/// As `FL_receive`; the body goes into the elements of `mess` in their order, empty ones left out.
/// Their lengths are not changed. `ILLEGAL_MESSAGE` if `mess` is null or has more than
/// `MAX_CLIENT_SCATTER_ELEMENTS` elements.
///
/// # Safety
/// As `FL_receive`; `mess` is null, or readable and each of its elements may be written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_scat_receive(
    mbox: Mailbox,
    service_type: *mut Service,
    sender: *mut c_char,
    max_groups: c_int,
    num_groups: *mut c_int,
    groups: *mut GroupName,
    mess_type: *mut Int16,
    endian_mismatch: *mut c_int,
    mess: *mut Scatter,
    more_messes: *mut c_int,
) -> c_int {
    let cancel = Cancel::forbid();
    let out = OutPointers {
        service_type,
        sender,
        num_groups,
        mess_type,
        endian_mismatch,
    };
    let mut inline = [OutSlice::EMPTY; MAX_CLIENT_SCATTER_ELEMENTS];
    // SAFETY: the caller's contract.
    let count = unsafe { ptr::scatter_elements(mess) }.map(|elements| elements.len());
    let mut max_body = 0;
    let pieces = if count.is_some_and(|count| count <= inline.len()) {
        // Stays empty: so few elements are listed in place.
        let mut many = ManuallyDrop::new(Vec::new());
        // SAFETY: the caller's contract.
        unsafe { rooms(mess, &mut inline, &mut many) }.map(|(count, room)| {
            max_body = room;
            &mut inline[..count]
        })
    } else {
        None
    };
    // SAFETY: the caller's contract.
    unsafe {
        receive(
            cancel,
            mbox,
            out,
            max_groups,
            groups,
            pieces,
            max_body,
            more_messes,
        )
    }
}

/// `pieces` is `None` for a scatter that is none.
///
/// # Safety
/// As `FL_receive`. This frame may be removed: no destructors.
#[expect(clippy::too_many_arguments, reason = "those of the C function")]
unsafe fn receive(
    cancel: Cancel,
    mbox: Mailbox,
    out: OutPointers,
    max_groups: c_int,
    groups: *mut GroupName,
    pieces: Option<&mut [OutSlice<'_>]>,
    max_body: i64,
    more_messes: *mut c_int,
) -> c_int {
    let begun = guard_or(Err(Error::Bug.into()), || {
        if max_groups < 0 {
            return Err(Refusal::IllegalParam.into());
        }
        let Some(pieces) = pieces.filter(|_| !out.any_null()) else {
            spread_client::flush::waiting_messages(mbox)?;
            return Err(Failure::Session(Error::IllegalMessage));
        };
        // SAFETY: the caller's contract.
        let rows = unsafe { ptr::out_names(groups, max_groups) }.unwrap_or(&mut []);
        // SAFETY: not null, and readable by the caller's contract.
        let service = unsafe { ptr::in_value(out.service_type) }.unwrap_or(0);
        let room = Room {
            groups: OutSlice::new(rows),
            max_groups,
            body: pieces,
            max_body,
        };
        let how = How {
            dont_block: service & DONT_BLOCK != 0,
            drop_recv: service & DROP_RECV != 0,
        };
        FlushReceive::begin(mbox, room, how)
    });
    let mut operation = match begun {
        Ok(operation) => operation,
        Err(failure) => {
            cancel.restore();
            return codes::code(failure);
        }
    };
    let result = loop {
        match guard_or(Step::Done(Err(Error::Bug.into())), || operation.step()) {
            Step::Done(result) => break result,
            Step::Blocked => cancel.around(|| operation.call.run()),
        }
    };
    // SAFETY: none is null, as was seen above, and each may be written.
    unsafe { out.write(&operation.out) };
    if result.is_ok() {
        let more = c_int::try_from(operation.more_messages).unwrap_or(c_int::MAX);
        // SAFETY: the caller's contract.
        put(unsafe { Out::new(more_messes) }, Some(more));
    }
    cancel.restore();
    codes::result(result)
}
