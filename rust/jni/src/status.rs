//! The answers that Java gets: one number per kind, the same as in `spread.Native`.

use jni::sys::jlong;
use spread_client::{Cut, Error, Received};

/// A method did what it was asked for.
pub(crate) const OK: i32 = 0;
/// No session has this number, or it has been disconnected.
pub(crate) const NO_SESSION: i32 = -1;
/// The connection is lost.
pub(crate) const LOST: i32 = -2;
/// The daemon has sent what makes no sense.
pub(crate) const BROKEN: i32 = -3;
/// The service type must not be sent.
pub(crate) const BAD_SERVICE: i32 = -4;
/// A group, or the number of groups, cannot be.
pub(crate) const BAD_GROUP: i32 = -5;
/// The message is too long.
pub(crate) const TOO_LONG: i32 = -6;
/// The daemon's name cannot be parsed, or its host is unknown.
pub(crate) const BAD_DAEMON: i32 = -7;
/// No daemon could be reached.
pub(crate) const UNREACHABLE: i32 = -8;
/// The daemon closed the connection during the handshake, or time ran out.
pub(crate) const CLOSED: i32 = -9;
/// The daemon is too old: less its version, a byte for each number, counted from here.
pub(crate) const OLD: jlong = -(1 << 32);
/// The daemon does not offer the authentication method, or that has failed.
pub(crate) const NOT_AUTHENTICATED: i32 = -11;
/// A defect of this library.
pub(crate) const BUG: i32 = -12;
/// An option that cannot be; [`crate::connecting::complaint`] says which.
pub(crate) const BAD_OPTION: i32 = -13;
/// The daemon refused: less the code (-128 to 255) that it gave, counted from here.
pub(crate) const REFUSED: i32 = -1000;

/// Run the authentication method, then go on connecting.
pub(crate) const RUN_METHOD: jlong = 0;

// A receive answers with one of these in the upper half and a number in the lower one.
/// So many bytes of frames.
pub(crate) const FRAMES: i32 = 0;
/// The next frame has so many bytes.
pub(crate) const NEEDS_ROOM: i32 = 1;
/// Nothing came in time.
pub(crate) const TIMED_OUT: i32 = 2;
/// Somebody has called `wake`.
pub(crate) const WOKEN: i32 = 3;
/// What comes next was received under another name.
pub(crate) const RENAMED: i32 = 5;
/// The connection has ended; the number tells where in a message.
pub(crate) const ENDED: i32 = 4;

/// The status of a failure.
pub(crate) fn of(error: Error) -> i32 {
    match error {
        Error::IllegalSession => NO_SESSION,
        Error::ConnectionClosed | Error::NetError => LOST,
        Error::IllegalMessage => BROKEN,
        Error::IllegalService => BAD_SERVICE,
        Error::IllegalGroup => BAD_GROUP,
        Error::MessageTooLong => TOO_LONG,
        Error::IllegalSpread => BAD_DAEMON,
        Error::CouldNotConnect => UNREACHABLE,
        Error::Authentication => NOT_AUTHENTICATED,
        Error::Refused(code) => REFUSED - i32::from(code),
        // What the calls made here cannot say, and what is not known yet.
        _ => BUG,
    }
}

/// The status of a failed connect. `version`: of the daemon that was too old.
pub(crate) fn of_connect(error: Error, version: Option<[u8; 3]>) -> jlong {
    match error {
        Error::ConnectionClosed => CLOSED.into(),
        Error::Version => {
            let [major, minor, patch] = version.unwrap_or_default();
            OLD - jlong::from(u32::from_be_bytes([0, major, minor, patch]))
        }
        other => of(other).into(),
    }
}

/// The answer of a receive.
pub(crate) fn of_received(received: Result<Received, Error>) -> jlong {
    match received {
        Ok(Received::Frames(count)) => pair(FRAMES, count),
        Ok(Received::NeedsRoom(total)) => pair(NEEDS_ROOM, total),
        Ok(Received::TimedOut) => pair(TIMED_OUT, 0),
        Ok(Received::Woken) => pair(WOKEN, 0),
        Ok(Received::Renamed) => pair(RENAMED, 0),
        Ok(Received::Ended(cut)) => pair(
            ENDED,
            match cut {
                Cut::Header => 0,
                Cut::RejectType => 1,
                Cut::Groups => 2,
                Cut::Body => 3,
            },
        ),
        Err(error) => of(error).into(),
    }
}

/// Both halves. The numbers are bounded by [`spread_client::MAX_FRAME`].
fn pair(kind: i32, number: usize) -> jlong {
    jlong::from(kind) << 32 | jlong::from(u32::try_from(number).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_daemons_are_told_from_all_others() {
        for code in i8::MIN..=i8::MAX {
            let status = of(Error::Refused(code));
            assert!(status <= REFUSED + 128, "{code}");
            assert_eq!(REFUSED - status, i32::from(code));
        }
        const { assert!(BAD_OPTION > REFUSED + 128) };
    }

    #[test]
    fn versions_of_old_daemons_can_be_told() {
        assert_eq!(
            of_connect(Error::Version, Some([3, 0, 5])),
            OLD - 0x0003_0005
        );
        assert!(of_connect(Error::Refused(-128), None) > OLD);
    }

    #[test]
    fn answers_of_receives_have_two_halves() {
        let answer = of_received(Ok(Received::NeedsRoom(70_000)));
        assert_eq!((answer >> 32, answer & 0xffff_ffff), (1, 70_000));
        assert!(of_received(Err(Error::IllegalSession)) < 0);
    }
}
