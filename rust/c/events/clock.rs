//! The two clocks, and the classic time value in its C and its Rust shape.

use std::ffi::c_long;

use spread_client::events::Time;

use crate::types::SpTime;

fn read(clock: libc::clockid_t) -> libc::timespec {
    let mut now = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: `now` is valid for the write. The call cannot fail for the two clocks used here; if
    // it did, the time would be 0.
    unsafe { libc::clock_gettime(clock, &raw mut now) };
    now
}

/// The monotonic clock, to the nearest microsecond.
pub(super) fn monotonic() -> Time {
    let now = read(libc::CLOCK_MONOTONIC);
    Time::from_clock(wide(now.tv_sec), wide(now.tv_nsec))
}

/// The wall clock, cut to microseconds.
pub(super) fn wall() -> Time {
    let now = read(libc::CLOCK_REALTIME);
    Time::new(wide(now.tv_sec), wide(now.tv_nsec) / 1_000)
}

pub(super) fn from_c(time: SpTime) -> Time {
    Time::new(wide(time.sec), wide(time.usec))
}

/// Wraps where a long is shorter than the sum of two of them.
pub(super) fn to_c(time: Time) -> SpTime {
    SpTime {
        sec: time.sec as c_long,
        usec: time.usec as c_long,
    }
}

/// A C number as the engine has it, whatever its width is on this machine.
fn wide<T: Into<i64>>(field: T) -> i64 {
    field.into()
}
