//! What must not happen in the middle of a step, and is the caller's business otherwise: the
//! cancellation of its thread, and its signal handlers.
//!
//! Cancelling a thread unwinds its stack, and such an unwind must never meet a destructor, a
//! `catch_unwind` or an `extern "C"` frame of Rust: that aborts the process. So every entry point
//! switches cancellation off before it does anything.
//!
//! A signal handler may jump out of the loop. It works out of the wait and out of callbacks; out
//! of a step it would leave the lock held for ever, so the loop blocks signals in its steps. In the
//! wait the system call itself puts the caller's mask in place.
//!
//! Both are given back only around the wait and the callbacks, in frames that own nothing; also between
//! callbacks for a descriptor that keeps the loop busy, where there is no step.

use std::ffi::c_int;
use std::mem::MaybeUninit;
use std::ptr;

use crate::cancel::Cancel;

/// Signals that a fault raises: blocked, they would end the process without a word.
const FAULTS: [c_int; 6] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGTRAP,
    libc::SIGSYS,
];

// Declared here, since it may unwind: giving the mask back runs signal handlers. See `wait` for why
// this function and not `pthread_sigmask`.
unsafe extern "C-unwind" {
    fn sigprocmask(how: c_int, set: *const libc::sigset_t, old: *mut libc::sigset_t) -> c_int;
}

/// All signals but the faults.
fn all_but_faults() -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is valid for the write.
    unsafe { libc::sigfillset(set.as_mut_ptr()) };
    for fault in FAULTS {
        // SAFETY: sigfillset has made it a set.
        unsafe { libc::sigdelset(set.as_mut_ptr(), fault) };
    }
    // SAFETY: sigfillset has filled it.
    unsafe { set.assume_init() }
}

/// Blocks these signals and returns the mask that was.
fn block(signals: &libc::sigset_t) -> libc::sigset_t {
    let mut mask = *signals;
    // SAFETY: both are valid sets.
    unsafe { sigprocmask(libc::SIG_SETMASK, ptr::from_ref(signals), &raw mut mask) };
    mask
}

/// What the loop keeps from happening in its steps, and how the caller had it.
#[derive(Clone, Copy, Debug)]
pub(super) struct CallerState {
    cancel: Cancel,
    mask: libc::sigset_t,
    blocked: libc::sigset_t,
}

impl CallerState {
    /// At the beginning: no signals and no cancellation from now on.
    pub(super) fn suspended() -> Self {
        let blocked = all_but_faults();
        let mask = block(&blocked);
        Self {
            cancel: Cancel::forbid(),
            mask,
            blocked,
        }
    }

    /// After a callback, which may have changed both. In this order: see [`resume`](Self::resume).
    pub(super) fn suspend(&mut self) {
        self.mask = block(&self.blocked);
        self.cancel = Cancel::forbid();
    }

    /// Before a callback or the return. Signal handlers may run here, and may not return: one that
    /// jumps out must find the cancellation state that the caller had.
    pub(super) fn resume(&self) {
        self.cancel.restore();
        // SAFETY: a valid set, and no old one is asked for.
        unsafe { sigprocmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut()) };
    }

    /// Before a wait, which puts the mask in place itself.
    pub(super) fn resume_cancel(&self) {
        self.cancel.restore();
    }

    /// After a wait.
    pub(super) fn suspend_cancel(&mut self) {
        self.cancel = Cancel::forbid();
    }

    /// The mask for a wait.
    pub(super) const fn mask(&self) -> &libc::sigset_t {
        &self.mask
    }
}
