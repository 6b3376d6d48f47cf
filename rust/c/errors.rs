//! The engine's errors as the codes of `sp.h`.

use std::ffi::c_int;

use spread_client::{Error, reason};

use crate::codes;
use crate::ext::codes::{SPX_INTERRUPTED, SPX_TIMEOUT, SPX_TRY_AGAIN};

/// The code of a call that has failed, and the end of it: its reason is kept for `SPX_last_error`.
pub(crate) fn code(error: Error) -> c_int {
    reason::failed(error);
    number(error)
}

/// The one mapping.
fn number(error: Error) -> c_int {
    match error {
        Error::IllegalSpread => codes::ILLEGAL_SPREAD,
        Error::CouldNotConnect => codes::COULD_NOT_CONNECT,
        // As it came, even where it is no known code.
        Error::Refused(code) => c_int::from(code),
        Error::Authentication => codes::REJECT_AUTH,
        Error::Version => codes::REJECT_VERSION,
        Error::ConnectionClosed => codes::CONNECTION_CLOSED,
        Error::NetError => codes::NET_ERROR_ON_SESSION,
        Error::IllegalSession => codes::ILLEGAL_SESSION,
        Error::IllegalService => codes::ILLEGAL_SERVICE,
        Error::IllegalMessage => codes::ILLEGAL_MESSAGE,
        Error::IllegalGroup => codes::ILLEGAL_GROUP,
        Error::BufferTooShort => codes::BUFFER_TOO_SHORT,
        Error::GroupsTooShort => codes::GROUPS_TOO_SHORT,
        Error::MessageTooLong => codes::MESSAGE_TOO_LONG,
        Error::IllegalTime => codes::ILLEGAL_TIME,
        // Only of `SPX_` calls.
        Error::TryAgain => SPX_TRY_AGAIN,
        Error::TimedOut => SPX_TIMEOUT,
        Error::Interrupted => SPX_INTERRUPTED,
        // `Error` may grow; what has no code of its own is a defect until it has.
        _ => codes::SP_BUG,
    }
}

/// A length as a result. Bodies are below the message limit, received ones below `i32::MAX`.
pub(crate) fn length(length: usize) -> c_int {
    c_int::try_from(length).unwrap_or(c_int::MAX)
}

/// A finished call's result.
pub(crate) fn result(outcome: Result<usize, Error>) -> c_int {
    match outcome {
        Ok(count) => length(count),
        Err(error) => code(error),
    }
}
