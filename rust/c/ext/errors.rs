//! `SPX_last_error`, `SPX_strerror`, `SPX_version`.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char, c_int};

use spread_client::reason;

use crate::ext::codes;
use crate::guard::guard;

thread_local! {
    /// The text that the program holds a pointer to.
    static TEXT: RefCell<CString> = RefCell::default();
}

/// Tells why the last failing call of this thread has failed.
///
/// Counts `SP_` and `SPX_` calls that have to do with sessions and options. Unlike a code the text
/// tells what really happened: which option, what became of each address of a daemon, why the
/// connection was lost. Calls that succeed leave it alone, so ask right after the failure.
///
/// Returns a text in English, empty if no call has failed yet; never null. It stays until the next
/// call of this function on the same thread, and may not be freed or changed.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_last_error() -> *const c_char {
    guard(|| {
        let text = reason::last_error().unwrap_or_default().replace('\0', " ");
        let text = CString::new(text).unwrap_or_default();
        TEXT.try_with(|place| {
            let mut place = place.borrow_mut();
            *place = text;
            place.as_ptr()
        })
        // The thread is at its end, and what it keeps is gone.
        .unwrap_or(c"".as_ptr())
    })
}

/// Tells the text of a result code, classic or of an `SPX_` call.
///
/// As `SP_strerror`, which does not know the codes from -101 down. The text is constant. Any thread
/// may call this at any time.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_strerror(code: c_int) -> *const c_char {
    guard(|| codes::text(code).as_ptr())
}

/// The release of Everspread; `SP_version` tells the classic one that it stands for.
const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => c"",
    };

/// Tells the version of Everspread, such as `0.1.0`.
///
/// Returns a constant text. Any thread may call this at any time. That the symbol exists tells a
/// program that looks for it with `dlsym` that it runs on Everspread.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_version() -> *const c_char {
    guard(|| VERSION.as_ptr())
}
