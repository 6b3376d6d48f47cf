//! `SP_connect`, `SP_connect_timeout`.

use std::ffi::{c_char, c_int};

use spread_client::{
    Conf, Connect, ConnectArguments, ConnectProgress, Connected, Error, OLDEST_DAEMON, SpreadName,
    TimeLimit,
};

use crate::cancel::Cancel;
use crate::codes;
use crate::errors;
use crate::guard::guard_or;
use crate::ptr::{self, Out};
use crate::sp::auth::{self, Methods};
use crate::types::{GroupName, Mailbox, SpTime, group_name};

/// Longest name of a daemon that is looked at; longer than any host name and list of options.
const MAX_SPREAD_NAME: usize = 64 * 1024;

/// No options from the program.
pub(crate) static NO_CONF: Conf = Conf::new();

/// Longest private name that is looked at; the handshake cuts it to 10.
const MAX_PRIVATE_NAME: usize = 64;

/// Opens a session with a daemon.
///
/// `spread_name` says where the daemon is: `4803` is the unix socket of that port on this machine,
/// `4803@host` a port at a host name or address (IPv6 with or without brackets); null or empty
/// stands for `4803`. A list of such entries, with commas, semicolons or blanks between them, is
/// tried in its order, and every address of a host name. `private_name` (at most 10 characters,
/// the rest is cut off; null or empty: the daemon makes one up) must be unique at that daemon.
/// `priority` has no effect. With `group_membership` other than 0 the session gets membership
/// messages. `mbox` and `private_group` (32 bytes) are written on success only.
///
/// Returns `ACCEPT_SESSION` (1), or
///
/// - `ILLEGAL_SPREAD`: the name cannot be parsed, or the host is unknown;
/// - `COULD_NOT_CONNECT`: nobody listens there, or the resolver is in trouble;
/// - `CONNECTION_CLOSED`: the connection ended during the handshake, or the time limit was reached;
/// - `REJECT_QUOTA`, `REJECT_ILLEGAL_NAME`, `REJECT_NOT_UNIQUE`, `REJECT_VERSION`, `REJECT_AUTH`,
///   or another number: the daemon's own code, as it came.
///
/// Blocks as long as the daemon takes; signals do not end it, cancellation does. SIGPIPE is ignored
/// in the process from the first call on. `mbox` null is `ILLEGAL_SESSION`, `private_group` null
/// `CONNECTION_CLOSED`; nothing is tried then.
///
/// # Safety
/// The strings are null or C strings, `mbox` may be written, `private_group` for 32 bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_connect(
    spread_name: *const c_char,
    private_name: *const c_char,
    priority: c_int,
    group_membership: c_int,
    mbox: *mut Mailbox,
    private_group: *mut c_char,
) -> c_int {
    let call = Call {
        spread_name,
        private_name,
        priority,
        group_membership,
        mbox,
        private_group,
        time_out: SpTime { sec: 0, usec: 0 },
        conf: &NO_CONF,
    };
    // SAFETY: the caller's contract.
    unsafe { connect(call) }
}

/// Opens a session with a daemon within a time limit.
///
/// As `SP_connect`. `time_out` counts from the call and covers everything up to the daemon's last
/// answer; both fields 0 is no limit, negative has expired at once. An authentication callback is
/// not cut short, but its time counts.
///
/// Returns as `SP_connect`; `CONNECTION_CLOSED` when time is up, `ILLEGAL_TIME` if the fields have
/// opposite signs or there are a million microseconds or more.
///
/// # Safety
/// As `SP_connect`.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C-unwind" fn SP_connect_timeout(
    spread_name: *const c_char,
    private_name: *const c_char,
    priority: c_int,
    group_membership: c_int,
    mbox: *mut Mailbox,
    private_group: *mut c_char,
    time_out: SpTime,
) -> c_int {
    let call = Call {
        spread_name,
        private_name,
        priority,
        group_membership,
        mbox,
        private_group,
        time_out,
        conf: &NO_CONF,
    };
    // SAFETY: the caller's contract.
    unsafe { connect(call) }
}

/// What a program has asked for, by whichever function.
#[derive(Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) spread_name: *const c_char,
    pub(crate) private_name: *const c_char,
    pub(crate) priority: c_int,
    pub(crate) group_membership: c_int,
    pub(crate) mbox: *mut Mailbox,
    pub(crate) private_group: *mut c_char,
    /// Both fields 0: no limit.
    pub(crate) time_out: SpTime,
    pub(crate) conf: &'a Conf,
}

/// Connects.
///
/// # Safety
/// As `SP_connect`. This frame may be removed: no destructors.
pub(crate) unsafe fn connect(call: Call<'_>) -> c_int {
    let Call {
        spread_name,
        private_name,
        priority,
        group_membership,
        mbox,
        private_group,
        time_out,
        conf,
    } = call;
    let cancel = Cancel::forbid();
    let methods = auth::current();
    let begun = guard_or(Err(Error::Bug), || {
        // SAFETY: the caller's contract.
        let spread_name = unsafe { ptr::opt_cstr(spread_name, MAX_SPREAD_NAME) }.unwrap_or(&[]);
        // SAFETY: the caller's contract.
        let private_name = unsafe { ptr::opt_cstr(private_name, MAX_PRIVATE_NAME) }.unwrap_or(&[]);
        let limit = TimeLimit::from_parts(time_out.sec, time_out.usec)?;
        first_use(conf);
        SpreadName::parse(spread_name)?;
        if mbox.is_null() {
            return Err(Error::IllegalSession);
        }
        if private_group.is_null() {
            return Err(Error::ConnectionClosed);
        }
        let names: Vec<Vec<u8>> = methods.iter().map(|m| m.name().to_vec()).collect();
        Connect::begin(&ConnectArguments {
            spread_name,
            private_name,
            priority: priority >= 1,
            membership: group_membership != 0,
            methods: &names,
            again: methods.runner(),
            limit,
            conf,
            oldest_daemon: OLDEST_DAEMON,
        })
    });
    let mut operation = match begun {
        Ok(operation) => operation,
        Err(error) => {
            let code = errors::code(error);
            cancel.restore();
            return code;
        }
    };
    let result = loop {
        match guard_or(ConnectProgress::Done(Err(Error::Bug)), || operation.step()) {
            ConnectProgress::Done(result) => break result,
            ConnectProgress::Blocked => cancel.around(|| operation.call.run()),
            ConnectProgress::RunMethods(fd) => {
                let ok = cancel.around(|| run_all(&methods, fd));
                guard_or((), || operation.methods_done(ok));
            }
        }
    };
    let code = guard_or(codes::SP_BUG, || match result {
        Ok(connected) => {
            // SAFETY: the caller's contract; both were found not null above.
            unsafe { tell(connected, mbox, private_group) };
            codes::ACCEPT_SESSION
        }
        Err(error) => errors::code(error),
    });
    cancel.restore();
    code
}

/// What the first call that has to do with connecting does to the process.
pub(crate) fn first_use(conf: &Conf) {
    spread_client::log::start();
    spread_client::first_use(conf);
}

/// Calls all methods, also after one has failed. May never return.
fn run_all(methods: &Methods, fd: c_int) -> bool {
    let mut ok = true;
    for method in methods.iter() {
        // SAFETY: the program has registered the method for this.
        ok &= unsafe { method.run(fd) };
    }
    ok
}

/// # Safety
/// Both may be written, `private_group` for 32 bytes.
unsafe fn tell(connected: Connected, mbox: *mut Mailbox, private_group: *mut c_char) {
    let name = group_name(connected.private_group.raw());
    // SAFETY: the caller's contract.
    let group = unsafe { Out::new(private_group.cast::<GroupName>()) };
    // SAFETY: the caller's contract.
    let mailbox = unsafe { Out::new(mbox) };
    if let (Some(mut group), Some(mut mailbox)) = (group, mailbox) {
        group.write(name);
        mailbox.write(connected.mailbox);
    }
}
