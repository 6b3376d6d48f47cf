//! `SPX_connect`.

use std::ffi::{c_char, c_int};

use crate::ext::conf::SpxConf;
use crate::sp::connect::{Call, connect};
use crate::types::{Mailbox, SpTime};

/// Opens a session with a daemon, with options.
///
/// As `SP_connect_timeout`, and the session is used with the same calls; with `conf` (null: none) as
/// its options, which go before those of the name, the environment and the file. `timeout_ms` covers
/// the whole call; negative is no limit, 0 has expired at once.
///
/// Returns as `SP_connect`. When time is up, `CONNECTION_CLOSED`. `SPX_last_error` tells what became
/// of each address that was tried.
///
/// # Safety
/// The strings are null or C strings, `conf` is null or a set of options that nobody changes
/// meanwhile, `mbox` may be written, `private_group` for 32 bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SPX_connect(
    spread_name: *const c_char,
    private_name: *const c_char,
    group_membership: c_int,
    conf: *const SpxConf,
    timeout_ms: c_int,
    mbox: *mut Mailbox,
    private_group: *mut c_char,
) -> c_int {
    let call = Call {
        spread_name,
        private_name,
        priority: 0,
        group_membership,
        mbox,
        private_group,
        time_out: limit(timeout_ms),
        // SAFETY: the caller's contract.
        conf: unsafe { SpxConf::options(conf) },
    };
    // SAFETY: the caller's contract.
    unsafe { connect(call) }
}

/// A time in milliseconds as `SP_connect_timeout` takes it, for which two zeroes are no limit.
fn limit(timeout_ms: c_int) -> SpTime {
    match timeout_ms {
        ..0 => SpTime { sec: 0, usec: 0 },
        0 => SpTime { sec: -1, usec: 0 },
        ms => SpTime {
            sec: (ms / 1000).into(),
            usec: (ms % 1000 * 1000).into(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spread_client::TimeLimit;
    use std::time::Duration;

    #[test]
    fn milliseconds_are_a_time_limit() {
        let given = |ms| {
            let time = limit(ms);
            TimeLimit::from_parts(time.sec, time.usec).unwrap()
        };
        assert_eq!(given(-1), TimeLimit::None);
        assert_eq!(given(c_int::MIN), TimeLimit::None);
        assert_eq!(given(0), TimeLimit::After(Duration::ZERO));
        for ms in [1, 999, 1000, 61_001, c_int::MAX] {
            let expected = Duration::from_millis(u64::try_from(ms).unwrap());
            assert_eq!(given(ms), TimeLimit::After(expected));
        }
    }
}
