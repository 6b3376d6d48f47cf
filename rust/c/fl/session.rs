//! Connecting and disconnecting, and the calls that only tell something.

use std::ffi::{c_char, c_int};
use std::sync::atomic::{AtomicBool, Ordering};

use spread_client::flush;

use super::codes;
use crate::codes::{ACCEPT_SESSION, SP_BUG};
use crate::guard::guard;
use crate::ptr::{self, Out};
use crate::sp::connect::{Call, NO_CONF, connect};
use crate::types::{Mailbox, SpTime};

/// The version of the classic layer whose behaviour this one has.
const CLASSIC_VERSION: [c_int; 3] = [2, 0, 0];

/// Makes the library ready. Need not be called.
///
/// Returns 0, and `ILLEGAL_STATE` on every later call. Any thread may call this at any time.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn FL_lib_init() -> c_int {
    static CALLED: AtomicBool = AtomicBool::new(false);
    guard(|| {
        if CALLED.swap(true, Ordering::Relaxed) {
            codes::ILLEGAL_STATE
        } else {
            0
        }
    })
}

/// Tells the version of the classic layer that this one stands for: 2, 0, 0.
///
/// Any thread may call this at any time.
///
/// # Safety
/// Each pointer is null or points to an `int` that may be written.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn FL_version(
    major_version: *mut c_int,
    minor_version: *mut c_int,
    patch_version: *mut c_int,
) {
    let pointers = [major_version, minor_version, patch_version];
    guard(|| {
        for (to, part) in pointers.into_iter().zip(CLASSIC_VERSION) {
            // SAFETY: the caller's contract.
            if let Some(mut out) = unsafe { Out::new(to) } {
                out.write(part);
            }
        }
    });
}

/// Opens a session with a daemon, for the calls of this header.
///
/// As `SP_connect`, with membership messages. `user` null or empty: the daemon makes up a name. Do
/// not use `SP_receive`, `SP_join`, `SP_leave` or their kin on the mailbox; `SP_multicast` can be
/// used, but other members of a group do not take part in its guarantees.
///
/// Returns `ACCEPT_SESSION` (1), or the codes of `SP_connect`; `mbox` and `private_group` are
/// written on success only. Blocks as `SP_connect`.
///
/// # Safety
/// As `SP_connect`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn FL_connect(
    daemon_name: *const c_char,
    user: *const c_char,
    priority: c_int,
    mbox: *mut Mailbox,
    private_group: *mut c_char,
) -> c_int {
    let call = Call {
        spread_name: daemon_name,
        private_name: user,
        priority,
        group_membership: 1,
        mbox,
        private_group,
        time_out: SpTime { sec: 0, usec: 0 },
        conf: &NO_CONF,
    };
    // SAFETY: the caller's contract.
    let code = unsafe { connect(call) };
    if code != ACCEPT_SESSION {
        return code;
    }
    guard(|| {
        // SAFETY: a successful connect has just written it.
        let mailbox = unsafe { ptr::in_value(mbox) };
        match mailbox.map(flush::attach) {
            Some(Ok(())) => ACCEPT_SESSION,
            // Not reached: the session was opened a moment ago, and nobody knows its number.
            _ => SP_BUG,
        }
    })
}

/// Ends a session, as `SP_disconnect`.
///
/// Other members of its groups get a view without it, once they have flushed. A thread blocked in a
/// receive on this mailbox wakes with `CONNECTION_CLOSED`.
///
/// Returns 0; `ILLEGAL_SESSION` for a mailbox that `FL_connect` has not given, and for one whose
/// loss a call has reported.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn FL_disconnect(mbox: Mailbox) -> c_int {
    guard(|| codes::result(flush::disconnect(mbox).map(|()| 0)))
}

/// Tells how many messages wait inside the library.
///
/// The next so many receives do not block. More may wait in the connection: see `FL_poll`.
///
/// Returns that number, or `ILLEGAL_SESSION`. Never blocks. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn FL_more_msgs(mbox: Mailbox) -> c_int {
    guard(|| codes::result(flush::waiting_messages(mbox)))
}

/// Tells whether something waits.
///
/// Returns the number of bytes: inside the library (88 for each message, 32 for each of its groups,
/// and its body), and of the daemon's stream as `SP_poll` counts them, which may be messages that
/// the library takes in without giving any to the program. So more than 0 does not mean that a
/// receive would not block: use `DONT_BLOCK`. At the end of the connection 1, until a call has
/// reported the loss. `ILLEGAL_SESSION` for an unknown mailbox. Never blocks. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn FL_poll(mbox: Mailbox) -> c_int {
    guard(|| codes::result(flush::waiting_bytes(mbox)))
}

/// Where the group id is in the body of a view: at its start. It has 12 bytes, in the order of the
/// machine.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn FL_get_gid_offset_memb_mess() -> c_int {
    guard(|| 0)
}

/// Where the number of names is in the body of a view: an `int` at 12.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn FL_get_num_vs_offset_memb_mess() -> c_int {
    guard(|| 12)
}

/// Where the names begin in the body of a view: at 16, `MAX_GROUP_NAME` bytes each.
///
/// After a join, a leave or a disconnect it is one, of the member concerned. After a change of the
/// network it is those who have come from the previous view together with the receiver, itself
/// among them.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn FL_get_vs_set_offset_memb_mess() -> c_int {
    guard(|| 16)
}
