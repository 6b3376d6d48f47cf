//! Bells (eventfds) by which one thread wakes another that waits.
//!
//! They are known by their numbers alone, also in signal handlers, and are never closed but used
//! again: who rings one late only wakes somebody for nothing.

use std::os::fd::{IntoRawFd as _, RawFd};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::fd;

/// Bells that nobody has.
static SPARE: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

fn lock() -> MutexGuard<'static, Vec<RawFd>> {
    SPARE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A silent bell. `None`: no descriptor is left.
pub(crate) fn take() -> Option<RawFd> {
    let spare = lock().pop();
    spare.or_else(|| Some(fd::move_high(fd::bell().ok()?).into_raw_fd()))
}

/// Has others use a bell. A negative number is none.
pub(crate) fn put(bell: RawFd) {
    if bell >= 0 {
        fd::silence_number(bell);
        lock().push(bell);
    }
}

/// The spare bells, locked for the time of a fork.
pub(crate) struct ForkLock(MutexGuard<'static, Vec<RawFd>>);

/// Locks what a fork must find whole.
pub(crate) fn lock_for_fork() -> ForkLock {
    ForkLock(lock())
}

impl ForkLock {
    /// In the child: the bells are shared with the parent, and another process's threads may take what
    /// is rung here. New ones are made when they are needed.
    pub(crate) fn forget_in_child(&mut self) {
        self.0.clear();
    }
}
