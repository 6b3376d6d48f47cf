//! What went wrong in the last call of each thread, and the border that no panic crosses.

use std::cell::RefCell;
use std::ffi::{CString, c_char, c_int};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The result of every call that has failed.
pub(crate) const FAILED: c_int = -1;

thread_local! {
    static LAST: RefCell<CString> = RefCell::new(CString::default());
}

/// Keeps the text for [`last`].
fn set_last(text: &str) {
    // A NUL would end it early.
    let text = CString::new(text.replace('\0', "?")).unwrap_or_default();
    LAST.with(|last| last.replace(text));
}

/// The text of this thread's last failure, empty after a success. Valid until its next call.
pub(crate) fn last() -> *const c_char {
    LAST.with(|last| last.borrow().as_ptr())
}

/// Runs the body of an entry point: an error or a panic in it becomes `failed`, and a text.
pub(crate) fn guard<R>(failed: R, body: impl FnOnce() -> Result<R, String>) -> R {
    // Nothing of what the body has half changed is looked at by it again; the table of networks
    // recovers from poisoning.
    let result = catch_unwind(AssertUnwindSafe(body));
    match result {
        Ok(Ok(value)) => {
            set_last("");
            value
        }
        Ok(Err(text)) => {
            set_last(&text);
            failed
        }
        Err(_) => {
            set_last("a defect of libspread_testd: see standard error");
            failed
        }
    }
}
