//! Why the last failing call of a thread has failed: more than a code can tell.

use std::cell::RefCell;

use crate::error::Error;

#[derive(Debug, Default)]
struct Last {
    text: Option<String>,
    error: Option<Error>,
    /// What a call that is about to fail has found.
    found: Option<String>,
}

thread_local! {
    static LAST: RefCell<Last> = RefCell::new(Last::default());
}

/// The present call fails because of this. To be followed by [`failed`] on the same thread.
pub(crate) fn because(text: String) {
    let _ = LAST.try_with(|last| last.borrow_mut().found = Some(text));
}

/// A call of this thread has failed, with whatever reason it has found. For the borders of the
/// engine (C, Java); the text comes with [`last_error`].
pub fn failed(error: Error) {
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        last.text = last.found.take();
        last.error = Some(error);
    });
}

/// The same for a reason that no [`Error`] stands for, such as an option that cannot be.
pub fn failed_with(text: String) {
    let _ = LAST.try_with(|last| {
        let mut last = last.borrow_mut();
        last.found = None;
        last.text = Some(text);
    });
}

/// Why the last failing call of this thread has failed. `None`: none has.
#[must_use]
pub fn last_error() -> Option<String> {
    LAST.try_with(|last| {
        let last = last.borrow();
        last.text
            .clone()
            .or_else(|| last.error.map(|error| error.to_string()))
    })
    .ok()
    .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_belongs_to_one_failure() {
        assert_eq!(last_error(), None);
        because("the moon is full".to_owned());
        failed(Error::CouldNotConnect);
        assert_eq!(last_error().as_deref(), Some("the moon is full"));
        failed(Error::IllegalSession);
        assert_eq!(last_error(), Some(Error::IllegalSession.to_string()));
        let other = std::thread::spawn(last_error).join().unwrap();
        assert_eq!(other, None);
    }
}
