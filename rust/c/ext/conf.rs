//! `SPX_conf_new`, `SPX_conf_set`, `SPX_conf_free`.

use std::ffi::{c_char, c_int};

use spread_client::{Conf, reason};

use crate::ext::codes::SPX_BAD_OPTION;
use crate::guard::guard;
use crate::ptr;
use crate::sp::connect::NO_CONF;

/// Longest name of an option, and longest value, that is looked at.
const MAX_TEXT: usize = 4096;

/// `SPX_conf`: options on their way to a connect.
#[derive(Debug)]
pub(crate) struct SpxConf(Conf);

impl SpxConf {
    /// The options behind a caller's pointer; null: none.
    ///
    /// # Safety
    /// `conf` is null or comes from `SPX_conf_new`, is not freed and nobody changes it during `'a`.
    pub(crate) unsafe fn options<'a>(conf: *const Self) -> &'a Conf {
        // SAFETY: the caller's contract.
        unsafe { conf.as_ref() }.map_or(&NO_CONF, |conf| &conf.0)
    }
}

/// Makes an empty set of options.
///
/// To be filled with `SPX_conf_set`, given to any number of `SPX_connect`, and freed with
/// `SPX_conf_free`. Sessions keep copies of what they need. Different sets may be used by different
/// threads at the same time; one set by one thread at a time, but several threads may connect with
/// it.
///
/// Returns the set, never null (where there is no memory, the program ends).
#[unsafe(no_mangle)]
pub(crate) extern "C" fn SPX_conf_new() -> *mut SpxConf {
    guard(|| Box::into_raw(Box::new(SpxConf(Conf::new()))))
}

/// Sets an option in a set.
///
/// `name` and `value` are texts, as docs/OPTIONS.md has them: `SPX_conf_set(conf, "recv_max_bytes",
/// "512M")`. What is set here goes before the same option in a daemon's name, in the environment
/// (`SPREAD_OPTIONS`) and in the file of options. A later value replaces an earlier one.
///
/// Returns 0, or `SPX_BAD_OPTION`, with the reason in `SPX_last_error`: there is no such option, it
/// does not take the value, or a pointer is null. Nothing is changed then.
///
/// # Safety
/// `conf` is null or a set that is not freed and not in use by another thread; the others are null or
/// C strings.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_conf_set(
    conf: *mut SpxConf,
    name: *const c_char,
    value: *const c_char,
) -> c_int {
    guard(|| {
        // SAFETY: the caller's contract.
        let conf = unsafe { conf.as_mut() };
        // SAFETY: the caller's contract.
        let name = unsafe { ptr::opt_cstr(name, MAX_TEXT + 1) };
        // SAFETY: the caller's contract.
        let value = unsafe { ptr::opt_cstr(value, MAX_TEXT + 1) };
        let (Some(conf), Some(name), Some(value)) = (conf, name, value) else {
            return refused("a null pointer".to_owned());
        };
        if name.len() > MAX_TEXT || value.len() > MAX_TEXT {
            return refused(format!("longer than {MAX_TEXT} bytes"));
        }
        let (Ok(name), Ok(value)) = (str::from_utf8(name), str::from_utf8(value)) else {
            return refused("not UTF-8".to_owned());
        };
        match conf.0.set(name, value) {
            Ok(_) => 0,
            Err(error) => refused(error.to_string()),
        }
    })
}

fn refused(reason: String) -> c_int {
    reason::failed_with(reason);
    SPX_BAD_OPTION
}

/// Frees a set of options. Null is nothing to do; sessions that were opened with it live on.
///
/// # Safety
/// `conf` is null or a set that is not freed yet, and nobody uses it from now on.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SPX_conf_free(conf: *mut SpxConf) {
    guard(|| {
        if !conf.is_null() {
            // SAFETY: comes from `SPX_conf_new` and is not used any more: the caller's contract.
            drop(unsafe { Box::from_raw(conf) });
        }
    });
}
