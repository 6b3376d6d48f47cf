//! The variables of the environment that the library looks at.

use std::env::VarError;

use crate::sys::signals;

/// The text of a variable; `None` if it is not set, empty, no text, or not to be trusted: programs
/// with more rights than their caller do not look at any.
pub(crate) fn text(name: &str) -> Option<String> {
    if signals::is_privileged() {
        return None;
    }
    match std::env::var(name) {
        Ok(text) if text.is_empty() => None,
        Ok(text) => Some(text),
        Err(VarError::NotPresent) => None,
        Err(VarError::NotUnicode(_)) => {
            tracing::warn!("{name}: not UTF-8, ignored");
            None
        }
    }
}
