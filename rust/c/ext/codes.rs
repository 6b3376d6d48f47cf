//! The result codes that only `SPX_` calls have, and the texts of all.
//!
//! They start at -101: classic programs exit on codes that they do not know, and so get none.

use std::ffi::{CStr, c_int};

use crate::codes;

/// The call would have to wait, and was asked not to.
pub(crate) const SPX_TRY_AGAIN: c_int = -101;
/// The time limit was reached.
pub(crate) const SPX_TIMEOUT: c_int = -102;
/// `SPX_interrupt` has ended the wait.
pub(crate) const SPX_INTERRUPTED: c_int = -103;
/// There is no such option, or it does not take this value.
pub(crate) const SPX_BAD_OPTION: c_int = -104;

/// The text of a code, as `SPX_strerror` gives it.
pub(crate) const fn text(code: c_int) -> &'static CStr {
    match code {
        SPX_TRY_AGAIN => c"The call would have to wait.",
        SPX_TIMEOUT => c"The time limit was reached.",
        SPX_INTERRUPTED => c"The call was interrupted.",
        SPX_BAD_OPTION => c"No such option, or not a value for it.",
        0 => c"Success.",
        codes::ACCEPT_SESSION => c"Session accepted.",
        classic => codes::text(classic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_codes_have_texts_and_the_others_the_classic_ones() {
        for code in [SPX_TRY_AGAIN, SPX_TIMEOUT, SPX_INTERRUPTED, SPX_BAD_OPTION] {
            assert_ne!(text(code), c"Unrecognized error.", "{code}");
            assert_eq!(codes::text(code), c"Unrecognized error.", "{code}");
        }
        assert_eq!(text(-8), codes::text(-8));
        assert_eq!(text(-105), c"Unrecognized error.");
    }
}
