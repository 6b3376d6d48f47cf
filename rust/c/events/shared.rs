//! The one event loop state of the process, and its lock.
//!
//! The lock is held for short steps only: never while user code runs, never while a loop waits,
//! and never by a frame through which a thread may be cancelled or a program may jump.

use std::cell::{Cell, RefCell};
use std::ffi::{c_int, c_void};
use std::hash::{Hash, Hasher};
use std::os::fd::RawFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use spread_client::events::{Events, Mailboxes, PollSet, SelectSet};

use super::wake::Wake;
use crate::cancel::Cancel;

/// `void f(int code, void *data)`.
pub(super) type TimerFn = unsafe extern "C-unwind" fn(c_int, *mut c_void);
/// `void f(int fd, int code, void *data)`.
pub(super) type FdFn = unsafe extern "C-unwind" fn(c_int, c_int, *mut c_void);

/// What identifies a timer, and all that is needed to call it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimerCall {
    /// Null is accepted, as classic; there is nothing to call then.
    pub(super) function: Option<TimerFn>,
    pub(super) code: c_int,
    pub(super) data: Data,
}

impl TimerCall {
    /// The triple that names the timer. The function comes from C, where its address is its
    /// identity.
    fn key(&self) -> (usize, c_int, Data) {
        let address = self.function.map_or(0, |function| function as usize);
        (address, self.code, self.data)
    }
}

impl PartialEq for TimerCall {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for TimerCall {}

impl Hash for TimerCall {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// All that is needed to call back for a descriptor, but its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct FdCall {
    pub(super) function: FdFn,
    pub(super) code: c_int,
    pub(super) data: Data,
}

/// A pointer of the program, kept as a number: the library never looks behind it, and only hands
/// it back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Data(usize);

impl Data {
    pub(super) fn of(pointer: *mut c_void) -> Self {
        Self(pointer.expose_provenance())
    }

    pub(super) fn pointer(self) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.0)
    }
}

/// What one thread needs for its waits. Only that thread touches the sets, so they may be in the
/// hands of the kernel while the lock is not held. A wait that is never finished (the thread was
/// cancelled, a signal handler jumped out) leaves nothing to clean up: the thread's next wait uses
/// the same sets, and its end drops them.
#[derive(Debug)]
pub(super) struct Waiter {
    thread: u64,
    pub(super) set: PollSet,
    pub(super) select: SelectSet,
    /// It waits, or has not told yet that it does not any more: wake it up after a change.
    pub(super) waiting: bool,
}

/// Everything that the loops of this process share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) events: Events<TimerCall, FdCall>,
    wake: Wake,
    waiters: Vec<Waiter>,
}

/// What a thread needs from [`Shared`] for one wait.
#[derive(Debug)]
pub(super) struct Parts<'a> {
    pub(super) events: &'a mut Events<TimerCall, FdCall>,
    pub(super) wake: &'a mut Wake,
    pub(super) waiter: &'a mut Waiter,
}

impl Shared {
    const fn new() -> Self {
        Self {
            events: Events::new(),
            wake: Wake::new(),
            waiters: Vec::new(),
        }
    }

    /// With the sets of the calling thread.
    pub(super) fn parts(&mut self) -> Parts<'_> {
        let thread = this_thread();
        let found = self.waiters.iter().position(|w| w.thread == thread);
        let at = found.unwrap_or_else(|| {
            self.waiters.push(Waiter {
                thread,
                set: PollSet::new(),
                select: SelectSet::new(),
                waiting: false,
            });
            self.waiters.len() - 1
        });
        Parts {
            events: &mut self.events,
            wake: &mut self.wake,
            waiter: &mut self.waiters[at],
        }
    }

    /// The descriptor that wakes this process's loops, if it can have one.
    pub(super) fn wake_fd(&mut self) -> Option<RawFd> {
        if FORKED.swap(false, Ordering::Relaxed) {
            // The fork has not taken the other threads along, and the descriptor is the parent's.
            let thread = this_thread();
            self.waiters.retain(|waiter| waiter.thread == thread);
            self.wake.close();
        }
        self.wake.ensure()
    }

    /// Makes the waiting loops look at what has changed.
    pub(super) fn rouse(&mut self) {
        if self.waiters.iter().any(|waiter| waiter.waiting) {
            self.wake.notify();
        }
    }
}

static SHARED: Mutex<Shared> = Mutex::new(Shared::new());

/// Counts what may have changed something that a loop goes by.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// How often anything may have been changed, by whatever thread, or a fork.
pub(super) fn changes() -> u64 {
    CHANGES.load(Ordering::SeqCst)
}

/// This process is a forked child that has not waited yet.
static FORKED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Number of this thread, 0 until it has one. Without a destructor, so that it can be asked
    /// for at any time, also while the thread ends.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    static AT_END: AtEnd = const { AtEnd };
    /// This thread is between `lock` and the end of the guard.
    static LOCKED: Cell<bool> = const { Cell::new(false) };
    /// The lock, held across a fork.
    static FORKING: RefCell<Option<Guard>> = const { RefCell::new(None) };
}

/// Drops the sets of a thread that ends.
struct AtEnd;

impl Drop for AtEnd {
    fn drop(&mut self) {
        let thread = THREAD.get();
        step((), |shared| {
            shared.waiters.retain(|waiter| waiter.thread != thread);
        });
    }
}

fn this_thread() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    if THREAD.get() == 0 {
        THREAD.set(NEXT.fetch_add(1, Ordering::Relaxed));
        // Registers the destructor. Where it is too late for that (a destructor of the program
        // runs a loop), the sets stay until the process ends.
        let _ = AT_END.try_with(|_| ());
    }
    THREAD.get()
}

struct Guard {
    shared: MutexGuard<'static, Shared>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        LOCKED.set(false);
    }
}

fn lock() -> Guard {
    // A poisoned lock means a bug of ours in some other step; the state is a set of independent
    // entries, so what the others have put in is still worth serving.
    let shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    LOCKED.set(true);
    Guard { shared }
}

/// Runs one step under the lock. The step must not call user code, wait, or take this lock.
///
/// `failed` is the answer if the step panics, and if this thread is in a step already: a signal
/// handler has interrupted one and calls what is not async-signal-safe, or has jumped out of one.
/// Waiting for the lock would be for ever.
pub(super) fn step<R: Copy>(failed: R, step: impl FnOnce(&mut Shared) -> R) -> R {
    if LOCKED.get() {
        return failed;
    }
    hold_across_forks();
    catch_unwind(AssertUnwindSafe(|| step(&mut lock().shared))).unwrap_or(failed)
}

/// A whole entry point that does not block: one step, uncancelled.
pub(super) fn entry<R: Copy>(failed: R, run: impl FnOnce(&mut Shared) -> R) -> R {
    let caller = Cancel::forbid();
    let result = step(failed, |shared| {
        CHANGES.fetch_add(1, Ordering::SeqCst);
        run(shared)
    });
    caller.restore();
    result
}

/// Registers, once, that a fork waits for the lock: the child would find it held for ever by a
/// thread that it does not have.
///
/// Handlers run before a fork in the reverse order of registration. Those for the sessions' locks,
/// which [`Mailboxes`] takes with this one held, are registered first, so that this one is the outer
/// lock in both places.
fn hold_across_forks() {
    static REGISTERED: AtomicBool = AtomicBool::new(false);
    if !REGISTERED.load(Ordering::Relaxed) && !REGISTERED.swap(true, Ordering::Relaxed) {
        Mailboxes::before_own_fork_handlers();
        let (before, parent, child) = (before_fork, after_fork_in_parent, after_fork_in_child);
        // SAFETY: the three functions live as long as the process, since the library is never
        // unloaded. Without memory for them forks are as they would be without handlers.
        unsafe { libc::pthread_atfork(Some(before), Some(parent), Some(child)) };
    }
}

extern "C" fn before_fork() {
    // A signal handler that forks in the middle of a step: both processes come back to the step,
    // which lets go of the lock.
    if LOCKED.get() {
        return;
    }
    let _ = FORKING.try_with(|forking| {
        if let Ok(mut forking) = forking.try_borrow_mut() {
            *forking = Some(lock());
        }
    });
}

extern "C" fn after_fork_in_parent() {
    release();
}

extern "C" fn after_fork_in_child() {
    FORKED.store(true, Ordering::Relaxed);
    CHANGES.fetch_add(1, Ordering::SeqCst);
    release();
}

fn release() {
    let _ = FORKING.try_with(|forking| {
        if let Ok(mut forking) = forking.try_borrow_mut() {
            *forking = None;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_panics_answers_and_leaves_the_lock_usable() {
        let failed = entry(-1, |_| -> c_int { panic!("on purpose") });
        assert_eq!(failed, -1);
        assert_eq!(step(-1, |_| 5), 5);
    }

    #[test]
    fn a_step_inside_a_step_does_not_wait_for_itself() {
        assert_eq!(step(-1, |_| step(-2, |_| 5)), -2);
        assert_eq!(step(-1, |_| 5), 5);
    }

    #[test]
    fn a_thread_that_ends_takes_its_sets_along() {
        let thread = std::thread::spawn(|| {
            step(0, |shared| {
                shared.parts();
                this_thread()
            })
        });
        let number = thread.join().expect("the thread");
        let left = step(true, |shared| {
            shared.waiters.iter().any(|waiter| waiter.thread == number)
        });
        assert!(!left);
    }

    #[test]
    fn timers_are_told_apart_by_all_three_parts() {
        unsafe extern "C-unwind" fn f(_: c_int, _: *mut c_void) {}
        let call = |function: Option<TimerFn>, code, data: usize| TimerCall {
            function,
            code,
            data: Data(data),
        };
        assert_eq!(call(Some(f), 1, 2), call(Some(f), 1, 2));
        assert_ne!(call(Some(f), 1, 2), call(None, 1, 2));
        assert_ne!(call(Some(f), 1, 2), call(Some(f), 2, 2));
        assert_ne!(call(Some(f), 1, 2), call(Some(f), 1, 3));
    }
}
