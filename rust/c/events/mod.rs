//! `sp_events.h`: the `E_*` event loop.
//!
//! | where | what |
//! | --- | --- |
//! | here | the exported functions: check, call, map |
//! | `driver` | the loop: waits and calls back |
//! | `shared` | the state of the process, its lock, fork |
//! | `wake` | the wake descriptor |
//! | `wait` | the system calls that block |
//! | `caller` | thread cancellation and signal handlers of the caller |
//! | `clock` | clocks and time values |
//!
//! `caller` and `wait` declare functions of the C library, which cbindgen must not take for ours.
//!
//! All functions are `extern "C-unwind"`: a thread of the asynchronous cancellation kind may be
//! cancelled at the moment an entry point gives the caller its cancellation state back.

/// cbindgen:ignore
mod caller;
mod clock;
mod driver;
mod shared;
/// cbindgen:ignore
mod wait;
mod wake;

use std::cmp::Ordering;
use std::ffi::{c_int, c_void};
use std::os::fd::RawFd;

use spread_client::events::{Attached, FdKind, Priority};

use self::clock::{from_c, to_c};
use self::shared::{Data, FdCall, TimerCall, entry};
use crate::types::SpTime;

/// Forgets all timers and all attached descriptors and sets the threshold to `LOW_PRIORITY`.
///
/// Programs call it once before the loop is used; it may be called again for a fresh start, also
/// inside a callback: the loop that runs goes on with nothing to do. Not needed any more: the
/// loop works without.
///
/// Returns 0. Does not block. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_init() -> c_int {
    entry(0, |shared| {
        shared.events.clear();
        0
    })
}

/// The wall clock: seconds and microseconds since 1970. Steps when the clock is set.
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_get_time() -> SpTime {
    to_c(clock::wall())
}

/// The monotonic clock (`CLOCK_MONOTONIC`) to the nearest microsecond, which timers go by. Counts
/// from an arbitrary point and never steps.
///
/// `usec` is always below 1000000 (the classic library may return 1000000). Does not block. Any
/// thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_get_time_monotonic() -> SpTime {
    to_c(clock::monotonic())
}

/// `t` with both fields negated. Wraps where a field is the smallest long. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_neg_time(t: SpTime) -> SpTime {
    to_c(from_c(t).negated())
}

/// The sum of two times. Both fields of the result have the same sign and `usec` is within
/// (-1000000, 1000000), provided that it was in both operands: there is only one carry.
///
/// Seconds wrap at the ends of their range. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_add_time(t: SpTime, delta_t: SpTime) -> SpTime {
    to_c(from_c(t).plus(from_c(delta_t)))
}

/// The difference `t - delta_t`: `E_add_time(t, E_neg_time(delta_t))`. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_sub_time(t: SpTime, delta_t: SpTime) -> SpTime {
    to_c(from_c(t).minus(from_c(delta_t)))
}

/// 1 if `t1` is later than `t2`, -1 if it is earlier, 0 if both are equal.
///
/// Compares `sec`, then `usec`, as they are: {1, -900000} is later than {0, 999999}. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_compare_time(t1: SpTime, t2: SpTime) -> c_int {
    match from_c(t1).compare_fields(from_c(t2)) {
        Ordering::Less => -1,
        Ordering::Equal => 0,
        Ordering::Greater => 1,
    }
}

/// Calls `func(code, data)` once, from `E_handle_events`, when `delta_time` has passed.
///
/// There is one timer for each triple of func, code and data: queueing it again removes the one
/// before, so that the new time counts. Timers run in the order of their times, those of equal
/// times in the order of queueing; a negative time comes first. A timer is not in the queue any
/// more while it runs and may queue itself again; it then runs in a later round of the loop, so
/// that one without delay keeps neither descriptors nor other timers from being served (the
/// classic library serves nothing else then).
///
/// Returns 0, or -1 if there is no memory. Does not block. Any thread, also while another one is
/// in the loop, which is woken (the classic library is not thread-safe and does not wake).
/// Not async-signal-safe. A null `func` is accepted and not called.
///
/// # Safety
/// `func` may be called with `code` and `data` until it has run or is removed. `data` is handed
/// through untouched.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn E_queue(
    func: Option<unsafe extern "C-unwind" fn(code: c_int, data: *mut c_void)>,
    code: c_int,
    data: *mut c_void,
    delta_time: SpTime,
) -> c_int {
    let timer = timer(func, code, data);
    entry(-1, |shared| {
        let now = clock::monotonic().to_micros();
        if shared.events.queue(timer, now, from_c(delta_time)).is_err() {
            return -1;
        }
        shared.rouse();
        0
    })
}

/// Returns 1 if a timer of this triple is queued, else 0. A timer that is running is not queued.
///
/// Does not block. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_in_queue(
    func: Option<unsafe extern "C-unwind" fn(code: c_int, data: *mut c_void)>,
    code: c_int,
    data: *mut c_void,
) -> c_int {
    let timer = timer(func, code, data);
    entry(0, |shared| c_int::from(shared.events.is_queued(&timer)))
}

/// Removes the timer of this triple. What `data` points to is not touched.
///
/// Returns 0, or -1 if there is none. Does not block. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_dequeue(
    func: Option<unsafe extern "C-unwind" fn(code: c_int, data: *mut c_void)>,
    code: c_int,
    data: *mut c_void,
) -> c_int {
    let timer = timer(func, code, data);
    entry(-1, |shared| found(shared.events.dequeue(&timer)))
}

/// Sleeps for the time `t`, or until a signal handler has run; serves no events meanwhile.
///
/// Returns at once if a field of `t` is negative, or both are 0. A cancellation point. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_delay(t: SpTime) {
    if t.sec >= 0 && t.usec >= 0 {
        wait::sleep(from_c(t).to_micros());
    }
}

/// Calls `func(fd, code, data)` from `E_handle_events` whenever `fd` is ready.
///
/// `fd_type` is what to be ready for: `READ_FD` (data, end of stream, an error), `WRITE_FD` or
/// `EXCEPT_FD` (urgent data). Readiness is a state, not an event: `func` is called again until it
/// has read what there is, or has detached the descriptor (at the end of a stream it must).
/// `priority` is `LOW_PRIORITY`, `MEDIUM_PRIORITY` or `HIGH_PRIORITY`, see `E_handle_events`. The
/// same descriptor may be attached for every type and in every priority.
///
/// Returns 0 if the descriptor is new for this type and priority; 1 if it was attached, then func,
/// code and data are replaced and it is active; -1 for a negative descriptor, an unknown type or
/// priority, or if there is no memory. Any other number is accepted, of any size and as many as
/// there are (classic: up to 1024, and 2000 for each priority). One that is not open is called for
/// once, to meet the error; then it is left alone until it is open. A null `func` is accepted and
/// never called.
///
/// Does not block. Any thread, also while another one is in the loop, which is woken (the classic
/// library is not thread-safe and does not wake). Not async-signal-safe.
///
/// # Safety
/// `func` may be called with `fd`, `code` and `data` until the descriptor is detached. `data` is
/// handed through untouched.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn E_attach_fd(
    fd: c_int,
    fd_type: c_int,
    func: Option<unsafe extern "C-unwind" fn(fd: c_int, code: c_int, data: *mut c_void)>,
    code: c_int,
    data: *mut c_void,
    priority: c_int,
) -> c_int {
    let (Some(fd), Some(kind), Some(priority)) =
        (descriptor(fd), kind_of(fd_type), priority_of(priority))
    else {
        return -1;
    };
    let callback = func.map(|function| FdCall {
        function,
        code,
        data: Data::of(data),
    });
    entry(-1, |shared| {
        let attached = shared.events.attach(fd, kind, priority, callback);
        shared.rouse();
        match attached {
            Ok(Attached::New) => 0,
            Ok(Attached::Replaced) => 1,
            Err(_) => -1,
        }
    })
}

/// Detaches a descriptor of this type from every priority. It is not called any more, also if it
/// is ready already. The descriptor itself is not touched: detach it before closing it.
///
/// Returns 0, or -1 if it was not attached or the type is unknown. Does not block. Any thread; from
/// another one than the loop's, a call that has begun goes on.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_detach_fd(fd: c_int, fd_type: c_int) -> c_int {
    let Some(kind) = kind_of(fd_type) else {
        return -1;
    };
    entry(-1, |shared| found(shared.events.detach(fd, kind)))
}

/// Like `E_detach_fd`, from one priority only.
///
/// Returns 0, or -1 if it was not attached there, or type or priority are unknown (the classic
/// library does not check the priority).
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_detach_fd_priority(
    fd: c_int,
    fd_type: c_int,
    priority: c_int,
) -> c_int {
    let (Some(kind), Some(priority)) = (kind_of(fd_type), priority_of(priority)) else {
        return -1;
    };
    entry(-1, |shared| {
        found(shared.events.detach_priority(fd, kind, priority))
    })
}

/// Serve only descriptors of at least this priority, from now on. `LOW_PRIORITY`, the start,
/// serves all. Descriptors below stay attached.
///
/// Returns the priority, or -1 if it is unknown: nothing has changed then. Does not block. Any
/// thread; a loop that waits in another one is woken.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_set_active_threshold(priority: c_int) -> c_int {
    let Some(threshold) = priority_of(priority) else {
        return -1;
    };
    entry(-1, |shared| {
        shared.events.set_threshold(threshold);
        shared.rouse();
        priority
    })
}

/// Serves a descriptor of this type again, in every priority in which it is attached.
///
/// Returns 0, or -1 if it is not attached or the type is unknown. Does not block. Any thread; a
/// loop that waits in another one is woken.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_activate_fd(fd: c_int, fd_type: c_int) -> c_int {
    set_active(fd, fd_type, true)
}

/// Stops serving a descriptor of this type, in every priority, until it is activated or attached
/// again. It stays attached, and is not called any more even if it is ready already (the classic
/// library still calls it in the present round).
///
/// Returns 0, or -1 if it is not attached or the type is unknown. Does not block. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_deactivate_fd(fd: c_int, fd_type: c_int) -> c_int {
    set_active(fd, fd_type, false)
}

/// The number of active descriptors of a priority, whatever the threshold; -1 if the priority is
/// unknown. Does not block. Any thread.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_num_active(priority: c_int) -> c_int {
    let Some(priority) = priority_of(priority) else {
        return -1;
    };
    entry(-1, |shared| {
        c_int::try_from(shared.events.active_count(priority)).unwrap_or(c_int::MAX)
    })
}

/// Waits for timers and descriptors and calls back for them, until an exit is asked for by
/// `E_exit_events` or `E_exit_events_async_safe`. With nothing queued or attached it waits for
/// that alone.
///
/// It goes in rounds: the timers that are due at the start of the round, each once; then all ready
/// descriptors of `HIGH_PRIORITY`; if none of these was called, all ready ones of
/// `MEDIUM_PRIORITY`; then, in any case, one ready descriptor of `LOW_PRIORITY`, in turn. As in
/// the classic library no timer runs before the first round without a high or medium call, but
/// after 100 rounds they do (there, a descriptor that is always ready stops all timers).
///
/// Callbacks may call every function of this interface. What is attached meanwhile is served from
/// the next round on. A loop inside a callback works; its exit ends the outer ones as well.
/// Everything stays queued and attached for the next call.
///
/// Callbacks may leave by longjmp, `pthread_exit` or a C++ exception, and the thread may be cancelled
/// in them or in the wait: the loop can be used again. Signal handlers may run at any time; they
/// do not end the wait of a timer.
///
/// Blocks; a cancellation point. One thread at a time is meant to be in the loop; others may use
/// the other functions meanwhile. After a fork parent and child each have a loop of their own with
/// the same timers and descriptors.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_handle_events() {
    driver::run();
}

/// Makes `E_handle_events` return: in a callback, right after that callback. Without effect
/// outside, as the next call of `E_handle_events` forgets it.
///
/// Does not block. Any thread; a loop that waits in another one is woken. Async-signal-safe.
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_exit_events() {
    driver::exit();
}

/// Like `E_exit_events`, for signal handlers. Async-signal-safe; errno is kept.
///
/// Ends the wait at once, whenever the signal comes (the classic library may miss one that comes
/// just before the wait, until the wait is over).
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn E_exit_events_async_safe() {
    driver::exit();
}

fn set_active(fd: c_int, fd_type: c_int, active: bool) -> c_int {
    let Some(kind) = kind_of(fd_type) else {
        return -1;
    };
    entry(-1, |shared| {
        let result = found(shared.events.set_active(fd, kind, active));
        shared.rouse();
        result
    })
}

fn timer(function: Option<shared::TimerFn>, code: c_int, data: *mut c_void) -> TimerCall {
    TimerCall {
        function,
        code,
        data: Data::of(data),
    }
}

const fn found(found: bool) -> c_int {
    if found { 0 } else { -1 }
}

fn descriptor(fd: c_int) -> Option<RawFd> {
    (fd >= 0).then_some(fd)
}

/// `READ_FD`, `WRITE_FD`, `EXCEPT_FD`.
const fn kind_of(fd_type: c_int) -> Option<FdKind> {
    match fd_type {
        0 => Some(FdKind::Read),
        1 => Some(FdKind::Write),
        2 => Some(FdKind::Except),
        _ => None,
    }
}

/// `LOW_PRIORITY`, `MEDIUM_PRIORITY`, `HIGH_PRIORITY`.
const fn priority_of(priority: c_int) -> Option<Priority> {
    match priority {
        0 => Some(Priority::Low),
        1 => Some(Priority::Medium),
        2 => Some(Priority::High),
        _ => None,
    }
}
