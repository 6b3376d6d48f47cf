//! The result codes of `sp.h` and their texts.
//!
//! Numbers and texts are part of the interface: programs compare the first and some print or match
//! the second. A number that the classic library has left out (-10) stays out.

use std::ffi::{CStr, c_int};

/// `SP_connect` has succeeded. Other calls answer 0, 1 or a count; their descriptions say which.
pub(crate) const ACCEPT_SESSION: c_int = 1;
/// The spread name cannot be parsed, or its host is unknown.
pub(crate) const ILLEGAL_SPREAD: c_int = -1;
/// No daemon answers there, or the resolver is in trouble.
pub(crate) const COULD_NOT_CONNECT: c_int = -2;
/// The daemon has as many sessions as it takes.
pub(crate) const REJECT_QUOTA: c_int = -3;
/// Reserved: no daemon answers it.
pub(crate) const REJECT_NO_NAME: c_int = -4;
/// The daemon dislikes the private name.
pub(crate) const REJECT_ILLEGAL_NAME: c_int = -5;
/// The private name is in use at this daemon.
pub(crate) const REJECT_NOT_UNIQUE: c_int = -6;
/// Library or daemon is too old for the other.
pub(crate) const REJECT_VERSION: c_int = -7;
/// The connection broke during this call, or the handshake failed or timed out.
pub(crate) const CONNECTION_CLOSED: c_int = -8;
/// Authentication failed, or no common method.
pub(crate) const REJECT_AUTH: c_int = -9;
/// No session has this mailbox.
pub(crate) const ILLEGAL_SESSION: c_int = -11;
/// No service bit, or bits that a daemon would punish.
pub(crate) const ILLEGAL_SERVICE: c_int = -12;
/// A broken frame came, or the message given is none of the demanded kind.
pub(crate) const ILLEGAL_MESSAGE: c_int = -13;
/// The group name is not legal.
pub(crate) const ILLEGAL_GROUP: c_int = -14;
/// The room for the body is too small.
pub(crate) const BUFFER_TOO_SHORT: c_int = -15;
/// The room for the group names is too small.
pub(crate) const GROUPS_TOO_SHORT: c_int = -16;
/// Body and group names are together more than a daemon takes.
pub(crate) const MESSAGE_TOO_LONG: c_int = -17;
/// The session broke in an earlier call.
pub(crate) const NET_ERROR_ON_SESSION: c_int = -18;
/// A defect of the library.
pub(crate) const SP_BUG: c_int = -19;
/// The time limit is not a time.
pub(crate) const ILLEGAL_TIME: c_int = -20;

/// The text of a code, as `SP_strerror` gives it.
pub(crate) const fn text(code: c_int) -> &'static CStr {
    const UNRECOGNIZED: &CStr = c"Unrecognized error.";
    match code {
        ILLEGAL_SPREAD => c"Illegal spread name provided.",
        COULD_NOT_CONNECT => c"Could not connect.",
        REJECT_QUOTA => c"Connection rejected, too many users.",
        REJECT_NO_NAME => c"Connection rejected, no name was supplied.",
        REJECT_ILLEGAL_NAME => c"Connection rejected, illegal name.",
        REJECT_NOT_UNIQUE => c"Connection rejected, name not unique.",
        REJECT_VERSION => c"Connection rejected, client library incompatible with daemon.",
        CONNECTION_CLOSED => c"Connection closed by Spread.",
        REJECT_AUTH => c"Connection rejected, authentication failed.",
        ILLEGAL_SESSION => c"Illegal session was supplied.",
        ILLEGAL_SERVICE => c"Illegal service request.",
        ILLEGAL_MESSAGE => c"Illegal message.",
        ILLEGAL_GROUP => c"Illegal group.",
        BUFFER_TOO_SHORT => c"Buffer too short.",
        GROUPS_TOO_SHORT => c"Groups list too short.",
        MESSAGE_TOO_LONG => c"Message (body + group names) too large.",
        NET_ERROR_ON_SESSION => c"Network socket error. SP_kill() the mailbox.",
        SP_BUG => c"Internal Spread bug detected.",
        ILLEGAL_TIME => c"Illegal time.",
        // Success has no text of its own.
        ACCEPT_SESSION => UNRECOGNIZED,
        _ => UNRECOGNIZED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recorded from the classic library.
    const GOLDEN: &str = include_str!("../../tests/fixtures/vectors/api-strerror.json");

    #[test]
    fn texts_are_those_of_the_classic_library() {
        let golden: serde_json::Value = serde_json::from_str(GOLDEN).unwrap();
        let cases = golden["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 25);
        for case in cases {
            let code = c_int::try_from(case["code"].as_i64().unwrap()).unwrap();
            assert_eq!(
                text(code).to_str().unwrap(),
                case["text"].as_str().unwrap(),
                "{code}"
            );
        }
    }

    #[test]
    fn any_other_number_has_a_text_too() {
        for code in [c_int::MIN, -101, -28, 3, c_int::MAX] {
            assert_eq!(text(code), c"Unrecognized error.");
        }
    }
}
