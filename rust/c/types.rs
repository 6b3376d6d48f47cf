//! The types of the C interface.

use std::ffi::c_long;

/// Seconds and microseconds, each with its own sign: a point in time or a length of time.
///
/// Values made by the library are within one second in `usec` and have one sign; the functions
/// accept any pair.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpTime {
    /// Seconds.
    pub sec: c_long,
    /// Microseconds.
    pub usec: c_long,
}

const _: () = assert!(size_of::<SpTime>() == 2 * size_of::<c_long>());
const _: () = assert!(align_of::<SpTime>() == align_of::<c_long>());
