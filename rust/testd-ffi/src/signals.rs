//! The program's signals belong on the program's threads.
#![expect(unsafe_code, reason = "neither std nor the network has signal masks")]

use std::mem::MaybeUninit;

/// As long as it lives, this thread takes no signals, and threads that it starts never will.
#[derive(Debug)]
pub(crate) struct Blocked(libc::sigset_t);

impl Blocked {
    /// `None` if the system refuses, which it has no reason to.
    pub(crate) fn all() -> Option<Self> {
        let mut all = MaybeUninit::uninit();
        let mut before = MaybeUninit::uninit();
        // SAFETY: writes the set.
        if unsafe { libc::sigfillset(all.as_mut_ptr()) } != 0 {
            return None;
        }
        // SAFETY: `all` has been written; the old mask is written to `before`.
        let result =
            unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, all.as_ptr(), before.as_mut_ptr()) };
        if result != 0 {
            return None;
        }
        // SAFETY: written by the call that has just succeeded.
        Some(Self(unsafe { before.assume_init() }))
    }
}

impl Drop for Blocked {
    fn drop(&mut self) {
        // SAFETY: a mask that the system has given; no result is wanted.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.0, std::ptr::null_mut())
        };
    }
}
