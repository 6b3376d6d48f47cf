//! Cancellation of the calling thread, around the calls that block.
//!
//! Programs end a blocked receiver with `pthread_cancel`. Everything of ours runs with cancellation
//! off, and only the blocking system calls and the program's own callbacks run with the caller's
//! state. A [`Cancel`] has no destructor, as it lives in frames that may be removed.

use std::ffi::c_int;

// Not in the `libc` crate for Linux. The numbers are those of glibc and musl. Putting a state back acts
// at once on a pending cancel in a thread of the asynchronous kind, so it may unwind.
#[cfg(target_os = "linux")]
unsafe extern "C-unwind" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}
#[cfg(target_os = "linux")]
const PTHREAD_CANCEL_DISABLE: c_int = 1;

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
