//! The result codes of `fl.h`, which continue those of `sp.h`.

use std::ffi::{CStr, c_int};

use spread_client::flush::{Failure, Refusal};

use crate::codes;
use crate::errors;
use crate::guard::guard;
use crate::strings::SP_error;

/// A count that is negative.
pub(crate) const ILLEGAL_PARAM: c_int = -24;
/// Nothing to receive, and the call was not to wait.
pub(crate) const WOULD_BLOCK: c_int = -25;
/// A message type that the library keeps for itself.
pub(crate) const ILLEGAL_MESSAGE_TYPE: c_int = -26;
/// Not at this moment of a change of the group.
pub(crate) const ILLEGAL_STATE: c_int = -27;
/// A receiver that is not in the view.
pub(crate) const ILLEGAL_RECEIVERS: c_int = -28;

/// The one mapping.
pub(crate) fn code(failure: Failure) -> c_int {
    match failure {
        Failure::Session(error) => errors::code(error),
        Failure::WouldBlock => WOULD_BLOCK,
        Failure::Refused(refusal) => match refusal {
            Refusal::IllegalParam => ILLEGAL_PARAM,
            Refusal::IllegalService => codes::ILLEGAL_SERVICE,
            Refusal::IllegalMessageType => ILLEGAL_MESSAGE_TYPE,
            Refusal::IllegalMessage => codes::ILLEGAL_MESSAGE,
            Refusal::IllegalGroup => codes::ILLEGAL_GROUP,
            Refusal::IllegalState => ILLEGAL_STATE,
            Refusal::IllegalReceivers => ILLEGAL_RECEIVERS,
        },
    }
}

/// A finished call's result.
pub(crate) fn result(outcome: Result<usize, Failure>) -> c_int {
    outcome.map_or_else(code, errors::length)
}

const fn text(code: c_int) -> Option<&'static CStr> {
    Some(match code {
        ILLEGAL_PARAM => c"Illegal parameter.",
        WOULD_BLOCK => c"The call would have to wait.",
        ILLEGAL_MESSAGE_TYPE => c"Illegal message type.",
        ILLEGAL_STATE => c"Not allowed in the present state of the group.",
        ILLEGAL_RECEIVERS => c"A receiver is not in the present view of the group.",
        _ => return None,
    })
}

/// Prints a result code and its text on standard output.
///
/// Writes `FL_error: (-25) ` with a text and a newline for the codes of this header, and what
/// `SP_error` writes for all others. Any thread may call this at any time.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn FL_error(error: c_int) {
    let Some(text) = text(error) else {
        return SP_error(error);
    };
    guard(|| {
        // SAFETY: the format takes an int and a C string, and is given just these. There is nobody
        // to tell a failure to.
        unsafe { libc::printf(c"FL_error: (%d) %s\n".as_ptr(), error, text.as_ptr()) };
    });
}
