//! Waiting for one of two descriptors, for callers whose threads are never cancelled.

use std::os::fd::RawFd;

/// Waits until `link` or `wake` is readable (or at its end), or for `timeout_ms`; negative: without
/// limit. A signal ends the wait early. Whoever calls looks for itself what has happened.
pub(crate) fn for_either(link: RawFd, wake: RawFd, timeout_ms: i32) {
    let readable = |fd| libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let mut both = [readable(link), readable(wake)];
    // SAFETY: `both` is a live array of two.
    unsafe { libc::poll(both.as_mut_ptr(), 2, timeout_ms) };
}
