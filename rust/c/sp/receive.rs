//! `SP_receive`, `SP_scat_receive`.

use std::ffi::{c_char, c_int};
use std::mem::ManuallyDrop;

use spread_client::{Error, OutSlice, Outputs, Progress, Receive, Room, Taken};

use crate::cancel::{self, Cancel};
use crate::errors;
use crate::guard::guard_or;
use crate::ptr::{self, Out};
use crate::types::{
    GroupName, Int16, MAX_CLIENT_SCATTER_ELEMENTS, Mailbox, Scatter, Service, group_name,
};

/// The bit of `service_type` that is looked at on entry.
pub(crate) const DROP_RECV: Service = 0x0100_0000;

/// Receives the next message.
///
/// On entry only the bit `DROP_RECV` of `service_type` counts, so set the variable before the call.
/// Of the message come: its type in `service_type`; in `sender` (32 bytes) who sent it, or the group
/// of a membership message; in `groups` up to `max_groups` destinations, or the members of a regular
/// membership; `num_groups`; in `mess_type` the sender's own number, of a regular membership the
/// index of the own private group in `groups`, otherwise -1; in `endian_mismatch` 1 if the sender
/// has another byte order, else 0; in `mess` up to `max_mess_len` bytes, to which no NUL is added.
///
/// Returns the length of the body. If the message does not fit, nothing is lost:
/// `GROUPS_TOO_SHORT` or `BUFFER_TOO_SHORT`, with minus the number of groups in `num_groups` and
/// minus the length in `endian_mismatch`, each 0 if that part would fit; the next call gets the same
/// message. With `DROP_RECV` the message is taken in any case and cut: too few groups give minus
/// their number in `num_groups` and no error, too small a buffer `BUFFER_TOO_SHORT`.
///
/// `ILLEGAL_SESSION`; `CONNECTION_CLOSED` once when the connection is found broken, after everything
/// that came before it, later `NET_ERROR_ON_SESSION`; `ILLEGAL_MESSAGE` if what the daemon sent
/// makes no sense (the session is in error then), or an output pointer is null. `groups` and `mess`
/// may be null, for no room.
///
/// Blocks until a message is there; signals do not end it, cancellation does. Any thread; several
/// receivers take turns.
///
/// # Safety
/// Each output may be written: `sender` for 32 bytes, `groups` for `max_groups` names, `mess` for
/// `max_mess_len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_receive(
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
) -> c_int {
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
            mbox,
            out,
            max_groups,
            groups,
            &mut pieces,
            i64::from(max_body),
        )
    }
}

/// Receives the next message into pieces.
///
/// As `SP_receive`; the body goes into the elements of `mess` in their order. Their lengths are not
/// changed.
///
/// # Safety
/// As `SP_receive`; `mess` is readable and each of its elements may be written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_scat_receive(
    mbox: Mailbox,
    service_type: *mut Service,
    sender: *mut c_char,
    max_groups: c_int,
    num_groups: *mut c_int,
    groups: *mut GroupName,
    mess_type: *mut Int16,
    endian_mismatch: *mut c_int,
    mess: *mut Scatter,
) -> c_int {
    let out = OutPointers {
        service_type,
        sender,
        num_groups,
        mess_type,
        endian_mismatch,
    };
    let mut inline = [OutSlice::EMPTY; MAX_CLIENT_SCATTER_ELEMENTS];
    let mut many = ManuallyDrop::new(Vec::new());
    // SAFETY: the caller's contract.
    let Some((count, room)) = (unsafe { rooms(mess, &mut inline, &mut many) }) else {
        let cancel = Cancel::forbid();
        let result = guard_or(Err(Error::Bug), || spread_client::check_session(mbox));
        let code = errors::code(result.err().unwrap_or(Error::IllegalMessage));
        cancel.restore();
        return code;
    };
    let on_heap = count > inline.len();
    let pieces = if on_heap {
        &mut many[..]
    } else {
        &mut inline[..count]
    };
    // SAFETY: the caller's contract.
    let code = unsafe { receive(mbox, out, max_groups, groups, pieces, room) };
    if on_heap {
        // Nothing was removed: the list can go.
        drop(ManuallyDrop::into_inner(many));
    }
    code
}

/// Lists the elements of a scatter as room; their number and sum. `None` for null.
///
/// # Safety
/// `mess` is null or readable, and each of its elements may be written for `'a`.
pub(crate) unsafe fn rooms<'a>(
    mess: *mut Scatter,
    inline: &mut [OutSlice<'a>],
    many: &mut Vec<OutSlice<'a>>,
) -> Option<(usize, i64)> {
    // SAFETY: the caller's contract.
    let elements = unsafe { ptr::scatter_elements(mess) }?;
    let count = elements.len();
    let on_heap = count > inline.len();
    let mut total = 0_i64;
    for (at, element) in elements.enumerate() {
        // SAFETY: the caller's contract.
        let room = OutSlice::new(unsafe { ptr::element_room(element) });
        total = total.saturating_add(i64::try_from(room.len()).unwrap_or(i64::MAX));
        if on_heap {
            many.push(room);
        } else {
            inline[at] = room;
        }
    }
    Some((count, total))
}

/// Where the outputs go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutPointers {
    pub(crate) service_type: *mut Service,
    pub(crate) sender: *mut c_char,
    pub(crate) num_groups: *mut c_int,
    pub(crate) mess_type: *mut Int16,
    pub(crate) endian_mismatch: *mut c_int,
}

impl OutPointers {
    pub(crate) fn any_null(&self) -> bool {
        self.service_type.is_null()
            || self.sender.is_null()
            || self.num_groups.is_null()
            || self.mess_type.is_null()
            || self.endian_mismatch.is_null()
    }

    /// # Safety
    /// None is null, and each may be written.
    pub(crate) unsafe fn write(&self, out: &Outputs) {
        // SAFETY: the caller's contract, for this and the following.
        let service_type = unsafe { Out::new(self.service_type) };
        // SAFETY: as above.
        let sender = unsafe { Out::new(self.sender.cast::<GroupName>()) };
        // SAFETY: as above.
        let num_groups = unsafe { Out::new(self.num_groups) };
        // SAFETY: as above.
        let mess_type = unsafe { Out::new(self.mess_type) };
        // SAFETY: as above.
        let endian_mismatch = unsafe { Out::new(self.endian_mismatch) };
        put(service_type, out.service.map(u32::cast_signed));
        put(sender, out.sender.map(|name| group_name(name.raw())));
        put(num_groups, out.num_groups);
        put(mess_type, out.mess_type);
        put(endian_mismatch, out.endian_mismatch);
    }

    /// # Safety
    /// As [`write`](Self::write).
    #[inline]
    unsafe fn write_taken(&self, taken: &Taken) {
        // SAFETY: the caller's contract, for this and the following.
        unsafe { ptr::write_to(self.service_type, taken.service.cast_signed()) };
        // SAFETY: as above.
        unsafe { ptr::write_to(self.sender.cast(), *taken.sender.raw()) };
        // SAFETY: as above.
        unsafe { ptr::write_to(self.num_groups, taken.num_groups) };
        // SAFETY: as above.
        unsafe { ptr::write_to(self.mess_type, taken.mess_type) };
        // SAFETY: as above.
        unsafe { ptr::write_to(self.endian_mismatch, c_int::from(taken.endian_mismatch)) };
    }
}

/// Writes a value if there is one.
pub(crate) fn put<T>(to: Option<Out<T>>, value: Option<T>) {
    if let (Some(mut to), Some(value)) = (to, value) {
        to.write(value);
    }
}

/// # Safety
/// As `SP_receive`. This frame may be removed: no destructors.
unsafe fn receive(
    mbox: Mailbox,
    out: OutPointers,
    max_groups: c_int,
    groups: *mut GroupName,
    pieces: &mut [OutSlice<'_>],
    max_body: i64,
) -> c_int {
    // SAFETY: the caller's contract.
    let rows = unsafe { ptr::out_names(groups, max_groups) }.unwrap_or(&mut []);
    let mut room = Room {
        groups: OutSlice::new(rows),
        max_groups,
        body: pieces,
        max_body,
    };
    if cancel::only_at_points()
        && !out.any_null()
        && let Some(taken) = guard_or(None, || spread_client::take_waiting(mbox, &mut room))
    {
        // SAFETY: none is null, and each may be written.
        unsafe { out.write_taken(&taken) };
        return errors::result(Ok(taken.body));
    }
    let cancel = Cancel::forbid();
    cancel.note_kind();
    let begun = guard_or(Err(Error::Bug), || {
        if out.any_null() {
            spread_client::check_session(mbox)?;
            return Err(Error::IllegalMessage);
        }
        // SAFETY: not null, and readable by the caller's contract.
        let service = unsafe { ptr::in_value(out.service_type) }.unwrap_or(0);
        Receive::begin(mbox, room, service & DROP_RECV != 0)
    });
    let mut operation = match begun {
        Ok(operation) => operation,
        Err(error) => {
            let code = errors::code(error);
            cancel.restore();
            return code;
        }
    };
    let result = loop {
        match guard_or(Progress::Done(Err(Error::Bug)), || operation.step()) {
            Progress::Done(result) => break result,
            Progress::Blocked => cancel.around(|| operation.call.run()),
        }
    };
    // SAFETY: none is null, as was seen above, and each may be written.
    unsafe { out.write(&operation.out) };
    let code = errors::result(result);
    cancel.restore();
    code
}
