//! `SP_join`, `SP_leave` and the four multicasts.

use std::ffi::{c_char, c_int};
use std::io::IoSlice;
use std::mem::ManuallyDrop;

use spread_client::{Error, Outgoing, Progress, Send, group_field};

use crate::cancel::Cancel;
use crate::errors;
use crate::guard::guard_or;
use crate::ptr;
use crate::types::{GroupName, Int16, MAX_CLIENT_SCATTER_ELEMENTS, Mailbox, Scatter, Service};

/// Groups that a message may have; the list of a call that says more is not looked at.
pub(crate) const MAX_GROUPS: c_int = 100;

/// Bytes of a group name that are looked at: one more than the longest legal one.
pub(crate) const MAX_GROUP_TEXT: usize = 32;

/// Joins a group.
///
/// `group` has 1 to 31 characters from `$` to `~`. The daemon's answer is a membership message that
/// lists the session, if it asked for those. Joining twice does nothing.
///
/// Returns 0 once the request is handed over. `ILLEGAL_GROUP` for a bad name, before the mailbox is
/// looked at; `ILLEGAL_SESSION`; `CONNECTION_CLOSED` when the connection is found broken, later
/// `NET_ERROR_ON_SESSION`. Blocks while the daemon does not read. Any thread.
///
/// # Safety
/// `group` is null or a C string.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_join(mbox: Mailbox, group: *const c_char) -> c_int {
    let cancel = Cancel::forbid();
    let begun = guard_or(Err(Error::Bug), || {
        // SAFETY: the caller's contract.
        let name = unsafe { ptr::opt_cstr(group, MAX_GROUP_TEXT) }.unwrap_or(&[]);
        Send::join(mbox, name)
    });
    drive(cancel, begun)
}

/// Leaves a group.
///
/// The last message for the group is the self-leave (type `CAUSED_BY_LEAVE` alone), if the session
/// asked for membership messages. Leaving a group that was not joined does nothing.
///
/// Returns as `SP_join`.
///
/// # Safety
/// `group` is null or a C string.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_leave(mbox: Mailbox, group: *const c_char) -> c_int {
    let cancel = Cancel::forbid();
    let begun = guard_or(Err(Error::Bug), || {
        // SAFETY: the caller's contract.
        let name = unsafe { ptr::opt_cstr(group, MAX_GROUP_TEXT) }.unwrap_or(&[]);
        Send::leave(mbox, name)
    });
    drive(cancel, begun)
}

/// Sends a message to a group.
///
/// `service_type` has exactly one of the service bits (`UNRELIABLE_MESS` to `SAFE_MESS`), and may
/// have `SELF_DISCARD`. `group` is a group, joined or not, or a private group; it is cut to 31 bytes
/// and not checked. `mess_type` reaches the receivers as it is. `mess` is `mess_len` bytes and may be
/// null if that is 0.
///
/// Returns `mess_len` once the message is handed to the system, in one piece. In this order:
/// `ILLEGAL_SERVICE` without a service bit, `ILLEGAL_SESSION`, `NET_ERROR_ON_SESSION` after a loss,
/// `MESSAGE_TOO_LONG` (body plus 32 bytes a group above 143144); then, where the classic library
/// would lose the session or the daemon, `ILLEGAL_SERVICE` (several service bits, or bits that are
/// not a client's), `ILLEGAL_GROUP`, `ILLEGAL_MESSAGE` (negative length, null); and
/// `CONNECTION_CLOSED` when the connection is found broken. Blocks while the daemon does not read.
/// Any thread; messages of several threads do not mix.
///
/// # Safety
/// `group` is null or a C string, `mess` null or readable for `mess_len` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_multicast(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    mess_type: Int16,
    mess_len: c_int,
    mess: *const c_char,
) -> c_int {
    // SAFETY: the caller's contract.
    let groups = unsafe { one_group(group) };
    // SAFETY: the caller's contract.
    unsafe { multicast(mbox, service_type, groups, mess_type, mess_len, mess) }
}

/// Sends a message in pieces to a group.
///
/// As `SP_multicast`; the body is the pieces of `mess` in their order. Receivers cannot see the
/// borders.
///
/// # Safety
/// `group` is null or a C string; `mess` is null or readable, with its pieces.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_scat_multicast(
    mbox: Mailbox,
    service_type: Service,
    group: *const c_char,
    mess_type: Int16,
    mess: *const Scatter,
) -> c_int {
    // SAFETY: the caller's contract.
    let groups = unsafe { one_group(group) };
    // SAFETY: the caller's contract.
    unsafe { scat_multicast(mbox, service_type, groups, mess_type, mess) }
}

/// Sends a message to several groups. A receiver in several of them gets it once.
///
/// As `SP_multicast`, with `num_groups` names of 32 bytes each, 0 to 100, else `ILLEGAL_GROUP`. A
/// 5.0.1 daemon accepts more than 43 and delivers to nobody then.
///
/// # Safety
/// `groups` may be read for `num_groups` names, `mess` for `mess_len` bytes; either may be null.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_multigroup_multicast(
    mbox: Mailbox,
    service_type: Service,
    num_groups: c_int,
    groups: *const GroupName,
    mess_type: Int16,
    mess_len: c_int,
    mess: *const c_char,
) -> c_int {
    // SAFETY: the caller's contract.
    let groups = unsafe { Groups::list(groups, num_groups) };
    // SAFETY: the caller's contract.
    unsafe { multicast(mbox, service_type, groups, mess_type, mess_len, mess) }
}

/// Sends a message in pieces to several groups.
///
/// As `SP_multigroup_multicast` and `SP_scat_multicast`.
///
/// # Safety
/// `groups` may be read for `num_groups` names or be null; `mess` is null or readable, with its
/// pieces.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_multigroup_scat_multicast(
    mbox: Mailbox,
    service_type: Service,
    num_groups: c_int,
    groups: *const GroupName,
    mess_type: Int16,
    mess: *const Scatter,
) -> c_int {
    // SAFETY: the caller's contract.
    let groups = unsafe { Groups::list(groups, num_groups) };
    // SAFETY: the caller's contract.
    unsafe { scat_multicast(mbox, service_type, groups, mess_type, mess) }
}

/// Destinations of a call. Plain data.
#[derive(Clone, Copy)]
pub(crate) enum Groups<'a> {
    One([u8; 32]),
    List {
        said: c_int,
        rows: &'a [[u8; 32]],
    },
    /// Null where there should be names.
    Missing(c_int),
}

impl<'a> Groups<'a> {
    /// # Safety
    /// `groups` is null, or readable for `count` names.
    pub(crate) unsafe fn list(groups: *const GroupName, count: c_int) -> Self {
        if !(0..=MAX_GROUPS).contains(&count) {
            return Self::List {
                said: count,
                rows: &[],
            };
        }
        // SAFETY: the caller's contract; the count is small.
        match unsafe { ptr::in_names(groups, count) } {
            Ok(Some(rows)) => Self::List { said: count, rows },
            _ => Self::Missing(count),
        }
    }

    pub(crate) fn said(&self) -> c_int {
        match self {
            Self::One(_) => 1,
            Self::List { said, .. } | Self::Missing(said) => *said,
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::One(field) => field,
            Self::List { rows, .. } => rows.as_flattened(),
            Self::Missing(_) => &[],
        }
    }

    pub(crate) fn refusal(&self) -> Option<Error> {
        matches!(self, Self::Missing(_)).then_some(Error::IllegalGroup)
    }
}

/// # Safety
/// `group` is null or a C string.
unsafe fn one_group<'a>(group: *const c_char) -> Groups<'a> {
    // SAFETY: the caller's contract.
    match unsafe { ptr::opt_cstr(group, MAX_GROUP_TEXT) } {
        Some(name) => Groups::One(group_field(name)),
        None => Groups::Missing(1),
    }
}

/// # Safety
/// `mess` is null, or readable for `mess_len` bytes. This frame may be removed: no destructors.
unsafe fn multicast(
    mbox: Mailbox,
    service_type: Service,
    groups: Groups<'_>,
    mess_type: Int16,
    mess_len: c_int,
    mess: *const c_char,
) -> c_int {
    let cancel = Cancel::forbid();
    // SAFETY: the caller's contract.
    let body = unsafe { ptr::in_slice(mess, mess_len) };
    let (piece, missing) = match body {
        Ok(Some(body)) => (body, false),
        _ => (&[][..], true),
    };
    let pieces = [IoSlice::new(piece)];
    let message = Outgoing {
        service: service_type,
        num_groups: groups.said(),
        groups: groups.bytes(),
        mess_type,
        body: &pieces,
        body_len: u64::try_from(mess_len).unwrap_or(0),
        refusal: groups
            .refusal()
            .or_else(|| missing.then_some(Error::IllegalMessage)),
    };
    let begun = guard_or(Err(Error::Bug), || Send::multicast(mbox, &message));
    drive(cancel, begun)
}

/// # Safety
/// `mess` is null, or readable with its pieces. This frame may be removed: no destructors.
unsafe fn scat_multicast(
    mbox: Mailbox,
    service_type: Service,
    groups: Groups<'_>,
    mess_type: Int16,
    mess: *const Scatter,
) -> c_int {
    let cancel = Cancel::forbid();
    let mut inline = [IoSlice::new(&[]); MAX_CLIENT_SCATTER_ELEMENTS];
    let mut many = ManuallyDrop::new(Vec::new());
    // SAFETY: the caller's contract.
    let read = unsafe { Pieces::read(mess, &mut inline, &mut many) };
    let message = Outgoing {
        service: service_type,
        num_groups: groups.said(),
        groups: groups.bytes(),
        mess_type,
        body: if read.count <= inline.len() {
            &inline[..read.count]
        } else {
            &many
        },
        body_len: read.total,
        refusal: groups
            .refusal()
            .or_else(|| read.missing.then_some(Error::IllegalMessage)),
    };
    let begun = guard_or(Err(Error::Bug), || Send::multicast(mbox, &message));
    let code = drive(cancel, begun);
    if read.count > inline.len() {
        // Nothing was removed: the list can go.
        drop(ManuallyDrop::into_inner(many));
    }
    code
}

/// What a scatter holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pieces {
    pub(crate) count: usize,
    pub(crate) total: u64,
    /// Null somewhere it must not be.
    pub(crate) missing: bool,
}

impl Pieces {
    /// Lists the pieces of a scatter in `inline`, or in `many` if there are more than it holds.
    ///
    /// # Safety
    /// `mess` is null, or readable with its pieces for `'a`.
    pub(crate) unsafe fn read<'a>(
        mess: *const Scatter,
        inline: &mut [IoSlice<'a>],
        many: &mut Vec<IoSlice<'a>>,
    ) -> Self {
        let mut read = Self {
            count: 0,
            total: 0,
            missing: false,
        };
        // SAFETY: the caller's contract.
        let Some(elements) = (unsafe { ptr::scatter_elements(mess) }) else {
            read.missing = true;
            return read;
        };
        read.count = elements.len();
        let on_heap = read.count > inline.len();
        for (at, element) in elements.enumerate() {
            read.total = read.total.saturating_add(element.len as u64);
            if read.total > u64::from(u32::MAX) {
                // Far too long whatever follows, and so refused: no need to list it.
                read.count = 0;
                return read;
            }
            // SAFETY: the caller's contract.
            let bytes = unsafe { ptr::element_bytes(element) };
            read.missing |= bytes.is_none();
            let piece = IoSlice::new(bytes.unwrap_or(&[]));
            if on_heap {
                many.push(piece);
            } else {
                inline[at] = piece;
            }
        }
        read
    }
}

/// Runs a send to its end. This frame may be removed: no destructors.
pub(crate) fn drive(cancel: Cancel, begun: Result<Send<'_>, Error>) -> c_int {
    let result = match begun {
        Ok(mut operation) => loop {
            match guard_or(Progress::Done(Err(Error::Bug)), || operation.step()) {
                Progress::Done(result) => break result,
                Progress::Blocked => cancel.around(|| operation.call.run()),
            }
        },
        Err(error) => Err(error),
    };
    let code = errors::result(result);
    cancel.restore();
    code
}
