//! Thread cancellation: programs end a thread inside the event loop with `pthread_cancel`.
//!
//! Cancelling a thread unwinds its stack, and such an unwind must never meet a destructor, a
//! `catch_unwind` or an `extern "C"` frame of Rust: that aborts the process. So every entry point
//! switches cancellation off before it does anything, and puts the caller's state back only around
//! the wait and the callbacks, in frames that own nothing.

use std::ffi::c_int;

/// `PTHREAD_CANCEL_DISABLE` of Linux.
const DISABLE: c_int = 1;

// Putting the state back acts at once on a cancel that is pending in a thread of the asynchronous
// kind, so it may unwind.
unsafe extern "C-unwind" {
    fn pthread_setcancelstate(state: c_int, old: *mut c_int) -> c_int;
}

/// The cancellation state in which the program called.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallerState(c_int);

/// Switches cancellation off for this thread.
pub(super) fn disable() -> CallerState {
    let mut state = 0;
    // SAFETY: `state` is valid for the write; switching off does not unwind.
    unsafe { pthread_setcancelstate(DISABLE, &raw mut state) };
    CallerState(state)
}

/// Puts the caller's state back. May not return: the frames above must own nothing.
pub(super) fn restore(caller: CallerState) {
    let mut ignored = 0;
    // SAFETY: `ignored` is valid for the write, and the state came from this function.
    unsafe { pthread_setcancelstate(caller.0, &raw mut ignored) };
}
