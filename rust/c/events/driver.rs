//! The loop itself: asks the engine what to do, and does it with no lock held.
//!
//! Programs leave the loop out of a callback, or out of the wait, by `longjmp`, `pthread_exit`, a
//! C++ exception or a cancelled thread. So the frame of [`run`] owns nothing: all its locals are
//! plain data, everything that has a destructor lives and dies inside of a step.

use std::sync::atomic::{AtomicBool, Ordering};

use spread_client::events::{Action, Lone, Mailboxes, Outcome, Run};

use super::caller::CallerState;
use super::shared::{FdCall, Parts, Shared, TimerCall, changes, step};
use super::wait::{Target, Waited, look, wait};
use super::{clock, wake};
use crate::cancel::Cancel;

/// With no wake descriptor to be had, how often the loop looks by itself, in microseconds.
const UNWAKEABLE_US: i64 = 100_000;

/// How long a wait that failed for want of memory is put off.
const FAILED_WAIT: std::time::Duration = std::time::Duration::from_millis(1);

/// An exit has been asked for. Cleared by the next [`run`], so the exit of an inner loop ends the
/// outer ones too.
static EXIT: AtomicBool = AtomicBool::new(false);

/// What the loop does next, as plain data.
#[derive(Clone, Copy, Debug)]
enum Step {
    Timer(TimerCall),
    Fd(i32, FdCall, Option<Again>),
    Wait(Wait),
    Return,
}

#[derive(Clone, Copy, Debug)]
struct Wait {
    target: Target,
    timeout_us: Option<i64>,
    serial: u64,
    changes: u64,
    began: i64,
}

/// A wait that took no longer has not slept, in microseconds.
const AT_ONCE_US: i64 = 3;

/// On what condition a callback is called again without a step: see [`serve_again`].
#[derive(Clone, Copy, Debug)]
struct Again {
    lone: Lone,
    changes: u64,
}

/// Ends all loops. Async-signal-safe; errno is kept.
pub(super) fn exit() {
    let caller = Cancel::forbid();
    EXIT.store(true, Ordering::SeqCst);
    wake::notify_async();
    caller.restore();
}

/// Runs until an exit.
pub(super) fn run() {
    let mut caller = CallerState::suspended();
    EXIT.store(false, Ordering::SeqCst);
    let mut run = Run::new();
    let mut waited = None;
    let mut busy = None;
    loop {
        let step = step(Step::Return, |shared| {
            next(shared, &mut run, waited.take(), &mut busy)
        });
        match step {
            Step::Timer(call) => {
                if let Some(function) = call.function {
                    let data = call.data.pointer();
                    caller.resume();
                    // SAFETY: the program has queued this function with this argument.
                    unsafe { function(call.code, data) };
                    caller.suspend();
                }
            }
            Step::Fd(fd, call, again) => {
                let data = call.data.pointer();
                caller.resume();
                // SAFETY: the program has attached this function with this argument.
                unsafe { (call.function)(fd, call.code, data) };
                if let Some(again) = again {
                    serve_again(fd, call, again);
                }
                caller.suspend();
            }
            Step::Wait(request) => {
                caller.resume_cancel();
                // SAFETY: the sets belong to this thread and stay as they are until its next step.
                let result = unsafe { wait(request.target, request.timeout_us, caller.mask()) };
                caller.suspend_cancel();
                waited = Some((request, result));
            }
            Step::Return => break,
        }
    }
    caller.resume();
}

/// Calls back for as long as the descriptor is found ready, alone, at the first look, and nothing else is
/// to be done. With the caller's signal mask and cancellation state, so without two system calls for
/// each message; that is sound as there is no lock and nothing that could be left half done.
fn serve_again(fd: i32, call: FdCall, mut again: Again) {
    let unchanged = |again: &Again| {
        changes() == again.changes
            && !EXIT.load(Ordering::SeqCst)
            && again
                .lone
                .due
                .is_none_or(|due| clock::monotonic().to_micros() < due)
    };
    while unchanged(&again) {
        let fds = again.lone.fds_mut();
        let (fds, count) = (fds.as_mut_ptr(), fds.len());
        // SAFETY: the array is in this frame, of which a cancelled thread or a jump leaves nothing in use.
        let result = unsafe { look(fds, count) };
        if !again.lone.is_ready_alone(result) || !unchanged(&again) {
            return;
        }
        let data = call.data.pointer();
        // SAFETY: the program has attached this function with this argument, and has not detached it.
        unsafe { (call.function)(fd, call.code, data) };
    }
}

fn next(
    shared: &mut Shared,
    run: &mut Run,
    waited: Option<(Wait, Waited)>,
    busy: &mut Option<Wait>,
) -> Step {
    let now = clock::monotonic().to_micros();
    if let Some((request, result)) = waited {
        // A look that finds nothing would only cost a program that waits for each message.
        *busy = (now - request.began <= AT_ONCE_US).then_some(request);
        finish(shared, run, now, request, result);
    }
    match shared.events.next(run, now, EXIT.load(Ordering::SeqCst)) {
        Action::CallTimer(call) => Step::Timer(call),
        Action::CallFd { fd, callback } => {
            let Parts { events, waiter, .. } = shared.parts();
            let again = busy
                // Else a loop inside of a callback has waited meanwhile.
                .filter(|request| request.serial == waiter.set.serial())
                .and_then(|request| {
                    let lone = events.lone(run, &waiter.set, fd)?;
                    let changes = request.changes;
                    Some(Again { lone, changes })
                });
            Step::Fd(fd, callback, again)
        }
        Action::Poll { timeout_us, select } => prepare(shared, now, timeout_us, select),
        Action::Return => Step::Return,
    }
}

/// Makes the sets of this thread ready for a wait.
fn prepare(shared: &mut Shared, now: i64, timeout_us: Option<i64>, select: bool) -> Step {
    let wake = shared.wake_fd();
    // Only now: an exit before the descriptor was there has not sent anything to it.
    if EXIT.load(Ordering::SeqCst) {
        return Step::Return;
    }
    let mut timeout_us = match wake {
        Some(_) => timeout_us,
        None => Some(timeout_us.map_or(UNWAKEABLE_US, |timeout| timeout.min(UNWAKEABLE_US))),
    };
    let Parts { events, waiter, .. } = shared.parts();
    let changes = changes();
    events.fill(now, wake, &mut Mailboxes, &mut waiter.set);
    waiter.waiting = true;
    let target = if select {
        if waiter.select.load(&mut waiter.set, is_open) {
            timeout_us = Some(0);
        }
        let (sets, limit) = waiter.select.arrays();
        Target::Select { sets, limit }
    } else {
        let fds = waiter.set.fds_mut();
        Target::Poll {
            count: fds.len(),
            fds: fds.as_mut_ptr(),
        }
    };
    Step::Wait(Wait {
        target,
        timeout_us,
        serial: waiter.set.serial(),
        changes,
        began: now,
    })
}

/// Hands the results of a wait to the engine.
fn finish(shared: &mut Shared, run: &mut Run, now: i64, request: Wait, waited: Waited) {
    let Parts {
        events,
        wake,
        waiter,
    } = shared.parts();
    waiter.waiting = false;
    let select = matches!(request.target, Target::Select { .. });
    let outcome = if waiter.set.serial() != request.serial {
        Outcome::Overtaken
    } else if waited.result >= 0 {
        if select {
            waiter.select.store(&mut waiter.set);
        }
        // Select does not count those that were found closed before it began.
        if waiter.set.fds().iter().any(|element| element.revents != 0) {
            Outcome::Ready
        } else {
            Outcome::TimedOut
        }
    } else {
        match waited.errno {
            libc::EINTR => Outcome::Interrupted,
            libc::EINVAL if !select => Outcome::Refused,
            // Closed by another thread after `load` had looked.
            libc::EBADF if select => Outcome::Overtaken,
            _ => {
                std::thread::sleep(FAILED_WAIT);
                Outcome::Interrupted
            }
        }
    };
    // An exit leaves the byte where it is, for the loops of other threads.
    if outcome == Outcome::Ready && waiter.set.wake_revents() != 0 && !EXIT.load(Ordering::SeqCst) {
        wake.drain();
    }
    events.polled(run, now, &waiter.set, outcome);
}

fn is_open(fd: i32) -> bool {
    // SAFETY: asks for the flags of a number, open or not; no memory is involved.
    unsafe { libc::fcntl(fd, libc::F_GETFD) != -1 }
}
