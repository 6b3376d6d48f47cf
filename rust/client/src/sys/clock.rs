//! A clock that costs next to nothing to look at, and a timer that other threads can set.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

/// The kernel's time of its last tick, some milliseconds old at most: in nanoseconds, never going
/// back. Two equal answers are from within one tick.
pub(crate) fn coarse() -> i64 {
    #[cfg(target_os = "linux")]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC_COARSE;
    #[cfg(not(target_os = "linux"))]
    const CLOCK: libc::clockid_t = libc::CLOCK_MONOTONIC;
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a valid clock, and a live structure to write to.
    unsafe { libc::clock_gettime(CLOCK, &raw mut time) };
    #[allow(
        clippy::useless_conversion,
        clippy::allow_attributes,
        reason = "the field types differ between systems"
    )]
    i64::from(time.tv_sec)
        .saturating_mul(1_000_000_000)
        .saturating_add(i64::from(time.tv_nsec))
}

/// A descriptor that becomes readable at a time that is set.
pub(crate) fn timer() -> io::Result<OwnedFd> {
    // SAFETY: takes two numbers, returns a descriptor or -1.
    let fd = unsafe {
        libc::timerfd_create(
            libc::CLOCK_MONOTONIC,
            libc::TFD_CLOEXEC | libc::TFD_NONBLOCK,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets `timer` to go off in `delay`, and not for what was set before. What has gone off already is
/// silenced.
pub(crate) fn set_timer(timer: &OwnedFd, delay: Duration) {
    let value = libc::timespec {
        tv_sec: libc::time_t::try_from(delay.as_secs()).unwrap_or(libc::time_t::MAX),
        // At least one, as none is "never".
        tv_nsec: libc::c_long::from(i32::try_from(delay.subsec_nanos().max(1)).unwrap_or(1)),
    };
    let once = libc::itimerspec {
        it_interval: libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        },
        it_value: value,
    };
    // SAFETY: `once` is a valid setting, and the old one is not asked for.
    unsafe { libc::timerfd_settime(timer.as_raw_fd(), 0, &raw const once, std::ptr::null_mut()) };
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_clock_goes_on() {
        let start = super::coarse();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while super::coarse() == start {
            assert!(std::time::Instant::now() < deadline, "stands still");
        }
        assert!(super::coarse() > start);
    }
}
