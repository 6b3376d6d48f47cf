//! Every use of a caller's pointer.
#![expect(
    unsafe_code,
    reason = "the one place where callers' pointers are looked at"
)]

use std::ffi::{CStr, c_char, c_int};

/// A C string as text. Null is the empty string; other bytes than UTF-8 are replaced, which no
/// option, name or command has.
///
/// # Safety
/// `text` is null, or a string that ends with a NUL and does not change meanwhile.
pub(crate) unsafe fn text(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: not null, and a string as the caller grants.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// Writes as much of `text` as fits, and a NUL behind it if there is any room.
///
/// # Safety
/// `to` is null, or writable for `room` bytes.
pub(crate) unsafe fn write(to: *mut c_char, room: c_int, text: &str) {
    let Some(last) = usize::try_from(room)
        .ok()
        .and_then(|room| room.checked_sub(1))
    else {
        return;
    };
    if to.is_null() {
        return;
    }
    let count = text.len().min(last);
    // SAFETY: `count` bytes fit, as the caller grants, and a `String` does not lie in its memory.
    unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), to.cast::<u8>(), count) };
    // SAFETY: `count` is at most `room - 1`.
    let end = unsafe { to.add(count) };
    // SAFETY: within the caller's memory, as before.
    unsafe { end.write(0) };
}
