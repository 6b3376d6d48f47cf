//! Cancellation of the calling thread, around the calls that block.
//!
//! Programs end a blocked receiver with `pthread_cancel`. Everything of ours runs with cancellation
//! off, and only the blocking system calls and the program's own callbacks run with the caller's
//! state. A [`Cancel`] has no destructor, as it lives in frames that may be removed.

use std::cell::Cell;
use std::ffi::c_int;

// Not in the `libc` crate for Linux. The numbers are those of glibc and musl. Putting a state back acts
// at once on a pending cancel in a thread of the asynchronous kind, so it may unwind.
#[cfg(target_os = "linux")]
unsafe extern "C-unwind" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
    fn pthread_setcanceltype(kind: c_int, old: *mut c_int) -> c_int;
}
#[cfg(target_os = "linux")]
const PTHREAD_CANCEL_DISABLE: c_int = 1;
#[cfg(target_os = "linux")]
const PTHREAD_CANCEL_DEFERRED: c_int = 0;

thread_local! {
    /// This thread has been seen with cancellation of the deferred kind, and never with the other.
    static DEFERRED: Cell<Option<bool>> = const { Cell::new(None) };
}

/// Whether the calling thread is known to be cancelled at points of cancellation only. Code
/// without such a point needs not switch cancellation off then.
///
/// Switching it off and on costs more than taking a message that waits. So the kind is looked at only
/// by calls that go the long way ([`Cancel::note_kind`]); a thread that has once asked for the
/// asynchronous kind (in which it may call nothing of ours, says POSIX) goes that way for ever.
#[inline]
pub(crate) fn only_at_points() -> bool {
    DEFERRED.get() == Some(true)
}

/// The caller's state of cancellation, put aside.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cancel(c_int);

impl Cancel {
    /// Switches cancellation off and remembers how it was.
    pub(crate) fn forbid() -> Self {
        let mut before = 0;
        #[cfg(target_os = "linux")]
        // SAFETY: a valid state and a place for the old one; it cannot fail then.
        unsafe {
            pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &raw mut before);
        }
        Self(before)
    }

    /// Has [`only_at_points`] know of this thread.
    pub(crate) fn note_kind(self) {
        if DEFERRED.get() == Some(false) {
            return;
        }
        #[cfg(target_os = "linux")]
        {
            let mut before = PTHREAD_CANCEL_DEFERRED;
            // SAFETY: a valid kind and a place for the old one.
            unsafe { pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &raw mut before) };
            if before != PTHREAD_CANCEL_DEFERRED {
                let mut ignored = 0;
                // SAFETY: as above. Cancellation is off, so nothing happens here.
                unsafe { pthread_setcanceltype(before, &raw mut ignored) };
                DEFERRED.set(Some(false));
                return;
            }
        }
        DEFERRED.set(Some(true));
    }

    /// As the caller had it.
    pub(crate) fn restore(self) {
        #[cfg(target_os = "linux")]
        {
            let mut ignored = 0;
            // SAFETY: a state that the system gave, and a place for the present one.
            unsafe { pthread_setcancelstate(self.0, &raw mut ignored) };
        }
    }

    /// Makes a blocking call (or a callback) with the caller's state.
    ///
    /// `call` must be free of destructors: it may never return.
    #[inline]
    pub(crate) fn around<R: Copy>(self, call: impl FnOnce() -> R) -> R {
        self.restore();
        let result = call();
        Self::forbid();
        result
    }
}
