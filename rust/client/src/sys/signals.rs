//! Signals: our thread takes none of the program's, and a broken connection kills nobody.

use std::io;
use std::mem::MaybeUninit;
use std::thread::JoinHandle;

/// Starts `body` on a thread of its own that has every signal blocked.
///
/// The mask goes through libc: with a raw system call the thread would also miss the signals that
/// the C library uses itself, and a later `setuid` of the program would hang.
pub(crate) fn spawn_masked(
    name: &str,
    stack_bytes: usize,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let mut all = MaybeUninit::<libc::sigset_t>::uninit();
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: sigfillset writes the whole set.
    unsafe { libc::sigfillset(all.as_mut_ptr()) };
    // SAFETY: `all` is initialised, `before` is writable.
    let code =
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, all.as_ptr(), before.as_mut_ptr()) };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    let spawned = std::thread::Builder::new()
        .name(name.to_owned())
        .stack_size(stack_bytes)
        .spawn(body);
    // SAFETY: `before` was filled by the call above, which has succeeded.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    spawned
}

/// Ignores SIGPIPE for the process. To be called once, at the first connect, as the classic library
/// does: a program that sets it again afterwards keeps its choice.
pub(crate) fn ignore_sigpipe() {
    // SAFETY: SIG_IGN is a valid disposition; no handler of ours is installed.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Whether the program runs with more rights than its caller (set-uid and the like), so that its
/// environment must not be trusted.
pub(crate) fn is_privileged() -> bool {
    #[cfg(target_os = "linux")]
    {
        // SAFETY: reads a word of the process's auxiliary vector.
        unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
    }
    #[cfg(not(target_os = "linux"))]
    {
        // SAFETY: reads a flag of the process.
        unsafe { libc::issetugid() != 0 }
    }
}
