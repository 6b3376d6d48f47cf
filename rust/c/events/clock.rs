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
    Time::from_clock(now.tv_sec, now.tv_nsec)
}

/// The wall clock, cut to microseconds.
pub(super) fn wall() -> Time {
    let now = read(libc::CLOCK_REALTIME);
    Time::new(now.tv_sec, now.tv_nsec / 1_000)
}

pub(super) fn from_c(time: SpTime) -> Time {
    Time::new(time.sec, time.usec)
}

pub(super) fn to_c(time: Time) -> SpTime {
    SpTime {
        sec: narrow(time.sec),
        usec: narrow(time.usec),
    }
}

/// A field as wide as C has it; times this library makes fit unless the program's did not.
fn narrow(field: i64) -> c_long {
    field as c_long
}
