//! `SP_strerror` and `SP_error`.

use std::ffi::{c_char, c_int};

use crate::codes;
use crate::guard::guard;

/// Tells the text of a result code.
///
/// Returns a text in English for every number, never null. A number that is no error code, 0 and
/// `ACCEPT_SESSION` among them, gives `Unrecognized error.` The text is constant: do not free or
/// change it. Any thread may call this at any time.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SP_strerror(error: c_int) -> *const c_char {
    guard(|| codes::text(error).as_ptr())
}

/// Prints a result code and its text on standard output.
///
/// Writes `SP_error: (-8) Connection closed by Spread.` and a newline through the C library's
/// `stdout`, so it comes in order with what the program prints itself. Nothing else in this library
/// prints. Any thread may call this at any time.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SP_error(error: c_int) {
    guard(|| {
        let text = codes::text(error).as_ptr();
        // SAFETY: the format takes an int and a C string, and is given just these. There is nobody
        // to tell a failure to.
        unsafe { libc::printf(c"SP_error: (%d) %s\n".as_ptr(), error, text) };
    });
}
