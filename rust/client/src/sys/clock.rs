//! A clock that costs next to nothing to look at.

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
