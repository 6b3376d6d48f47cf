//! The functions of `sp_testnet.h`.
#![expect(
    unsafe_code,
    reason = "entry points take C strings and have unmangled names"
)]

use std::ffi::{c_char, c_int};

use network::{Control, Error, Network};

use crate::error::{self, FAILED, guard};
use crate::ptr;
use crate::signals::Blocked;
use crate::table::{self, Strings};

/// Starts a simulated network. Its daemons listen when this returns.
///
/// `options` are `key=value` pairs with `&`, blanks or line ends between them, such as
/// `"daemons=3&max_session_messages=10"`; NULL or `""` is one daemon at any free port. `SPT_options` lists them.
///
/// Returns the network's number, which is greater than 0, or -1. The network lives until `SPT_stop`, or until the
/// process ends. Its threads take none of the program's signals. It does not survive in the child of a `fork`.
///
/// # Safety
/// `options` is null or a string.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPT_start(options: *const c_char) -> c_int {
    guard(FAILED, || {
        // SAFETY: the caller's promise.
        let options = unsafe { ptr::text(options) };
        let builder = Network::builder().options(&options).map_err(text)?;
        // For the network's threads, which inherit it.
        let _blocked = Blocked::all().ok_or("signals cannot be blocked")?;
        table::insert(builder.start().map_err(text)?)
    })
}

/// Ends a network: all connections are closed, and the unix socket is removed.
///
/// Strings of the network that were handed out are gone. Returns 0, or -1 for a number that is none.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_stop(network: c_int) -> c_int {
    guard(FAILED, || {
        drop(table::remove(network)?);
        Ok(0)
    })
}

/// Why the last `SPT_` call of this thread failed; `""` if it did not. Never NULL; valid until the next call.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_error() -> *const c_char {
    error::last()
}

/// The options of `SPT_start`, one per line, for a program's help. A constant.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_options() -> *const c_char {
    HELP.options.as_ptr()
}

/// The commands of `SPT_command`, one per line, for a program's help. A constant.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_commands() -> *const c_char {
    HELP.commands.as_ptr()
}

/// The number of daemons of a network, or -1.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_daemons(network: c_int) -> c_int {
    guard(FAILED, || {
        let count = table::get(network)?.count();
        c_int::try_from(count).map_err(|e| e.to_string())
    })
}

/// The name of a daemon, the second part of its clients' private groups. Daemons are counted from 0.
///
/// NULL if there is no such daemon or network. Valid until `SPT_stop`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_daemon_name(network: c_int, daemon: c_int) -> *const c_char {
    string(network, daemon, |strings| Ok(strings.name.as_ptr()))
}

/// What to pass to `SP_connect` to reach a daemon by TCP: `"43211@127.0.0.1"`.
///
/// NULL if there is no such daemon or network. Valid until `SPT_stop`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_spread_name(network: c_int, daemon: c_int) -> *const c_char {
    string(network, daemon, |strings| Ok(strings.spread_name.as_ptr()))
}

/// What to pass to `SP_connect` to reach a daemon by its unix socket: `"43211"`.
///
/// NULL if there is no such daemon or network, or it has no unix socket: only the first one has. Valid until `SPT_stop`.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_unix_name(network: c_int, daemon: c_int) -> *const c_char {
    string(network, daemon, |strings| {
        let name = strings.unix_name.as_ref();
        name.map(|name| name.as_ptr())
            .ok_or_else(|| "this daemon has no unix socket".to_owned())
    })
}

/// Kills a daemon, as SIGKILL does: its clients' connections are closed when this returns, and connects are refused.
/// The other daemons notice after the option `crash_ms`. Returns 0 or -1.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_kill(network: c_int, daemon: c_int) -> c_int {
    to_daemon(network, daemon, Control::kill)
}

/// Starts a daemon again, at its old port, with no memory. One that is alive is killed first. Returns 0 or -1.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_restart(network: c_int, daemon: c_int) -> c_int {
    to_daemon(network, daemon, Control::restart)
}

/// Makes a daemon do nothing at all, as SIGSTOP does; its connections stay. Returns 0 or -1.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_freeze(network: c_int, daemon: c_int) -> c_int {
    to_daemon(network, daemon, Control::freeze)
}

/// Lets a frozen daemon go on. Returns 0 or -1.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_thaw(network: c_int, daemon: c_int) -> c_int {
    to_daemon(network, daemon, Control::thaw)
}

/// Splits a network into sets of daemons that cannot reach each other.
///
/// `sets` are separated by blanks, the daemons of a set by commas, by name or by number: `"d1,d2 d3"`. Those in no set
/// form one more. Returns 0 or -1.
///
/// # Safety
/// `sets` is null or a string.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPT_partition(network: c_int, sets: *const c_char) -> c_int {
    guard(FAILED, || {
        // SAFETY: the caller's promise.
        let sets = unsafe { ptr::text(sets) };
        if sets.contains(['\n', '\r']) {
            return Err("a line end in the sets".to_owned());
        }
        run(network, &format!("partition {sets}")).map(|_| 0)
    })
}

/// Ends a partition. Returns 0 or -1.
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPT_heal(network: c_int) -> c_int {
    guard(FAILED, || run(network, "heal").map(|_| 0))
}

/// Carries out a command: faults of single connections, refused and ignored connects, held names, a list of sessions.
/// `SPT_commands` lists them. Example: `SPT_command(net, "fault #alice#d1 delay 50", NULL, 0)`.
///
/// What there is to say is written to `answer`, cut to `room` - 1 bytes, with a NUL behind it. Returns its whole
/// length, which is 0 for most commands and may be more than was written, or -1.
///
/// # Safety
/// `command` is null or a string; `answer` is null or writable for `room` bytes.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPT_command(
    network: c_int,
    command: *const c_char,
    answer: *mut c_char,
    room: c_int,
) -> c_int {
    guard(FAILED, || {
        // SAFETY: the caller's promise.
        let command = unsafe { ptr::text(command) };
        let said = run(network, &command)?;
        // SAFETY: the caller's promise.
        unsafe { ptr::write(answer, room, &said) };
        c_int::try_from(said.len()).map_err(|e| e.to_string())
    })
}

fn string(
    network: c_int,
    daemon: c_int,
    choose: impl FnOnce(&Strings) -> Result<*const c_char, String>,
) -> *const c_char {
    // The string lives in the table's entry, not in this handle on it.
    guard(std::ptr::null(), || {
        choose(table::get(network)?.daemon(daemon)?)
    })
}

fn to_daemon(
    network: c_int,
    daemon: c_int,
    change: impl FnOnce(&Control, usize) -> Result<(), Error>,
) -> c_int {
    guard(FAILED, || {
        let entry = table::get(network)?;
        entry.daemon(daemon)?;
        let daemon = usize::try_from(daemon).map_err(|e| e.to_string())?;
        change(entry.control(), daemon).map_err(text)?;
        Ok(0)
    })
}

fn run(network: c_int, line: &str) -> Result<String, String> {
    table::get(network)?.control().run_line(line).map_err(text)
}

#[expect(clippy::needless_pass_by_value, reason = "for map_err")]
fn text(error: Error) -> String {
    error.to_string()
}

struct Help {
    options: std::ffi::CString,
    commands: std::ffi::CString,
}

static HELP: std::sync::LazyLock<Help> = std::sync::LazyLock::new(|| Help {
    options: std::ffi::CString::new(network::OPTIONS).unwrap_or_default(),
    commands: std::ffi::CString::new(network::COMMANDS).unwrap_or_default(),
});
