//! The border that no panic crosses.
//!
//! An unwind out of an `extern "C"` function aborts the program that uses us. So every entry point
//! runs inside [`guard`], which turns a panic (always a defect of ours) into the answer that the
//! function's return type has for it.
//!
//! A cancelled thread unwinds too, and that unwind aborts in `catch_unwind` as well. So
//! cancellation is off inside: a request waits until the program's own code.
//!
//! Not for calls that block, which programs cancel and `longjmp` out of. They have a shape of their
//! own.

use std::ffi::c_int;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cancel::Cancel;
use crate::codes;
use crate::types::SpTime;

/// What a function answers when it has panicked.
pub(crate) trait PanicAnswer {
    /// That answer.
    fn panic_answer() -> Self;
}

/// Codes: `SP_BUG`.
impl PanicAnswer for c_int {
    fn panic_answer() -> Self {
        codes::SP_BUG
    }
}

/// Pointers: null.
impl<T> PanicAnswer for *const T {
    fn panic_answer() -> Self {
        std::ptr::null()
    }
}

/// Pointers: null.
impl<T> PanicAnswer for *mut T {
    fn panic_answer() -> Self {
        std::ptr::null_mut()
    }
}

/// Times: zero.
impl PanicAnswer for SpTime {
    fn panic_answer() -> Self {
        Self::default()
    }
}

/// Nothing: nothing.
impl PanicAnswer for () {
    fn panic_answer() -> Self {}
}

/// Runs the body of an entry point.
///
/// What the body has half changed is not looked at again by it (it has ended), and the engine's own
/// locks recover from poisoning or close their session; hence [`AssertUnwindSafe`].
pub(crate) fn guard<R: PanicAnswer>(body: impl FnOnce() -> R) -> R {
    let _no_cancel = NoCancel::enter();
    catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|_| R::panic_answer())
}

/// The same with an answer of the caller's own, for the steps of calls that block. Cancellation is
/// off around those already.
pub(crate) fn guard_or<R>(answer: R, body: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(answer)
}

/// The same for a body that fails with anything that stands for a code.
pub(crate) fn guard_code<E: Into<c_int>>(body: impl FnOnce() -> Result<c_int, E>) -> c_int {
    guard(|| body().unwrap_or_else(Into::into))
}

/// As long as it lives, this thread cannot be cancelled.
struct NoCancel(Cancel);

impl NoCancel {
    fn enter() -> Self {
        Self(Cancel::forbid())
    }
}

impl Drop for NoCancel {
    fn drop(&mut self) {
        self.0.restore();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_becomes_sp_bug_where_a_code_is_returned() {
        assert_eq!(guard(|| -> c_int { panic!("on purpose") }), codes::SP_BUG);
    }

    #[test]
    fn panic_becomes_sp_bug_where_the_body_has_errors() {
        let body = || -> Result<c_int, c_int> { panic!("on purpose") };
        assert_eq!(guard_code(body), codes::SP_BUG);
    }

    #[test]
    fn panic_becomes_null_where_a_pointer_is_returned() {
        assert!(guard(|| -> *const u8 { panic!("on purpose") }).is_null());
        assert!(guard(|| -> *mut u8 { panic!("on purpose") }).is_null());
    }

    #[test]
    fn panic_becomes_zero_where_a_time_is_returned() {
        let time = guard(|| -> SpTime { panic!("on purpose") });
        assert_eq!(time, SpTime { sec: 0, usec: 0 });
    }

    #[test]
    fn panic_is_swallowed_where_nothing_is_returned() {
        guard(|| -> () { panic!("on purpose") });
    }

    #[test]
    fn answers_pass_through() {
        assert_eq!(guard(|| 7), 7);
        assert_eq!(guard_code(|| Ok::<_, c_int>(7)), 7);
        assert_eq!(guard_code(|| Err::<c_int, _>(codes::ILLEGAL_GROUP)), -14);
    }

    /// As C sees it: through a real `extern "C"` function.
    #[test]
    fn panic_does_not_cross_an_extern_c_function() {
        extern "C" fn entry(value: c_int) -> c_int {
            guard(|| {
                assert!(value >= 0, "on purpose");
                value
            })
        }
        let entry: extern "C" fn(c_int) -> c_int = entry;
        assert_eq!(entry(3), 3);
        assert_eq!(entry(-3), codes::SP_BUG);
    }
}
