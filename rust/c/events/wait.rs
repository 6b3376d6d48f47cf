//! The system calls in which a loop waits, with the caller's cancellation state and signal mask.
//!
//! They are cancellation points, so they may unwind. They are declared here, and only functions
//! are used of which no other crate in the library makes a declaration: the `libc` crate says that
//! its functions do not unwind, the standard library declares `poll` so, and the linker's
//! optimiser believes the strictest declaration of a symbol. Nothing in this file owns anything.

use std::ffi::{c_int, c_long, c_ulong};
use std::ptr;

use super::wake::errno;

unsafe extern "C-unwind" {
    fn ppoll(
        fds: *mut libc::pollfd,
        count: libc::nfds_t,
        timeout: *const libc::timespec,
        mask: *const libc::sigset_t,
    ) -> c_int;
    fn pselect(
        limit: c_int,
        read: *mut c_ulong,
        write: *mut c_ulong,
        except: *mut c_ulong,
        timeout: *const libc::timespec,
        mask: *const libc::sigset_t,
    ) -> c_int;
}

/// A set of more elements than this is looked at once without waiting. Preparing to be woken by
/// each descriptor costs several times what a look does, and where there is traffic a look is
/// enough.
const LOOK_FIRST_ABOVE: usize = 8;

/// Microseconds in a second.
const MICROS: i64 = 1_000_000;

/// What to wait for. The pointers lead into sets that only this thread touches.
#[derive(Clone, Copy, Debug)]
pub(super) enum Target {
    Poll {
        fds: *mut libc::pollfd,
        count: usize,
    },
    Select {
        sets: [*mut c_ulong; 3],
        limit: c_int,
    },
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Waited {
    /// As the system call has returned it.
    pub(super) result: c_int,
    /// If `result` is negative.
    pub(super) errno: c_int,
}

/// A timeout; a negative one is none at all. Longer than seconds of 32 bits can say (68 years) is
/// not needed: a wait that ends early is repeated.
fn timespec(timeout_us: i64) -> libc::timespec {
    let timeout_us = timeout_us.clamp(0, i64::from(i32::MAX) * MICROS);
    libc::timespec {
        tv_sec: (timeout_us / MICROS) as libc::time_t,
        tv_nsec: (timeout_us % MICROS * 1_000) as c_long,
    }
}

/// Waits, with this signal mask.
///
/// # Safety
/// The pointers of `target` are valid for the arrays they were taken from, and nothing else uses
/// these until the call has ended in whatever way.
pub(super) unsafe fn wait(
    target: Target,
    timeout_us: Option<i64>,
    mask: &libc::sigset_t,
) -> Waited {
    let mask = ptr::from_ref(mask);
    let spec = timespec(timeout_us.unwrap_or(0));
    let timeout = if timeout_us.is_some() {
        ptr::from_ref(&spec)
    } else {
        ptr::null()
    };
    let result = match target {
        Target::Poll { fds, count } => {
            let at_once = timespec(0);
            let mut result = 0;
            if count > LOOK_FIRST_ABOVE && timeout_us != Some(0) {
                // SAFETY: as promised by the caller; the timeout and the mask are valid.
                result = unsafe { ppoll(fds, count as libc::nfds_t, &raw const at_once, mask) };
            }
            if result == 0 {
                // SAFETY: as promised by the caller; `timeout` is null or valid, the mask valid.
                result = unsafe { ppoll(fds, count as libc::nfds_t, timeout, mask) };
            }
            result
        }
        Target::Select {
            sets: [r, w, e],
            limit,
        } => {
            // SAFETY: as promised by the caller; `timeout` is null or valid, the mask valid.
            unsafe { pselect(limit, r, w, e, timeout, mask) }
        }
    };
    Waited {
        result,
        errno: if result < 0 { errno::get() } else { 0 },
    }
}

/// Looks without waiting, with the signal mask as it is; the result of poll.
///
/// # Safety
/// `fds` is valid for `count` elements, and stays so.
pub(super) unsafe fn look(fds: *mut libc::pollfd, count: usize) -> c_int {
    let at_once = timespec(0);
    // SAFETY: as promised by the caller; the timeout is valid, no mask means none is put in place.
    unsafe { ppoll(fds, count as libc::nfds_t, &raw const at_once, ptr::null()) }
}

/// Sleeps, or until a signal comes.
pub(super) fn sleep(timeout_us: i64) {
    let spec = timespec(timeout_us);
    // SAFETY: no descriptors, a valid timeout and no mask.
    unsafe { ppoll(ptr::null_mut(), 0, ptr::from_ref(&spec), ptr::null()) };
}
