//! `SP_set_auth_method`, `SP_set_auth_methods`: how this program proves who it is.

use std::ffi::{c_char, c_int, c_void};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use spread_client::MethodRunner;

use crate::guard::guard;
use crate::ptr;
use crate::sp::connect::{NO_CONF, first_use};

/// A program's authentication callback: gets the connected socket, in blocking mode, and the data
/// pointer; answers 0 for failure. It may leave with `longjmp` or `pthread_exit`.
pub(crate) type AuthFunction = Option<unsafe extern "C-unwind" fn(c_int, *mut c_void) -> c_int>;

/// Methods at a time.
pub(crate) const MAX_METHODS: usize = 3;

/// Bytes of a method's name, its NUL included.
const MAX_NAME: usize = 30;

/// One method. The data pointer is the program's and is only handed back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Method {
    name: [u8; MAX_NAME],
    function: unsafe extern "C-unwind" fn(c_int, *mut c_void) -> c_int,
    data: usize,
}

impl Method {
    /// The name without padding.
    pub(crate) fn name(&self) -> &[u8] {
        self.name.split(|&byte| byte == 0).next().unwrap_or(&[])
    }

    /// Runs it. May never return.
    ///
    /// # Safety
    /// The program has registered this function for such a call.
    pub(crate) unsafe fn run(&self, fd: c_int) -> bool {
        // SAFETY: as the caller grants; the data is as the program gave it.
        let answer = unsafe { (self.function)(fd, self.data as *mut c_void) };
        answer != 0
    }
}

/// The methods of a process, plain data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Methods {
    list: [Option<Method>; MAX_METHODS],
}

impl Methods {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Method> {
        self.list.iter().flatten()
    }

    /// What runs them when the library reconnects by itself; none where there is only the one that
    /// always succeeds.
    pub(crate) fn runner(&self) -> Option<MethodRunner> {
        let own = |method: &Method| method.function as *const () != always_fine as *const ();
        self.iter().any(own).then(|| {
            let methods = *self;
            // The process in which they run, or 0. A forked child does not have the thread.
            let running = AtomicU32::new(0);
            MethodRunner(Arc::new(move |fd| {
                let here = std::process::id();
                // Those of an attempt that was given up: programs do not expect two at a time.
                if running.swap(here, Ordering::AcqRel) == here {
                    return false;
                }
                let ok = Apart::run(methods, fd);
                running.store(0, Ordering::Release);
                ok
            }))
        })
    }
}

/// Methods that run where the library reconnects by itself: on a thread that is theirs alone. They may
/// end it, and no frame of a thread that Rust has started may be left so.
#[derive(Debug)]
struct Apart {
    methods: Methods,
    fd: c_int,
    ok: AtomicBool,
}

impl Apart {
    /// Runs them, and waits for them. One that ends the thread has failed.
    fn run(methods: Methods, fd: c_int) -> bool {
        let ok = AtomicBool::new(false);
        let apart = Self { methods, fd, ok };
        let data = (&raw const apart).cast_mut().cast();
        // SAFETY: the two types differ only in that the function may be left by `pthread_exit`, which
        // is what the C library has this function called for.
        let start = unsafe {
            std::mem::transmute::<
                extern "C-unwind" fn(*mut c_void) -> *mut c_void,
                extern "C" fn(*mut c_void) -> *mut c_void,
            >(Self::on_its_thread)
        };
        let mut thread = MaybeUninit::uninit();
        // SAFETY: `apart` outlives the thread, which is waited for; no attributes are the usual ones.
        let code =
            unsafe { libc::pthread_create(thread.as_mut_ptr(), std::ptr::null(), start, data) };
        if code != 0 {
            return false;
        }
        // SAFETY: the call that has succeeded has written it.
        let thread = unsafe { thread.assume_init() };
        // SAFETY: the thread has been started, and nobody else waits for it.
        unsafe { libc::pthread_join(thread, std::ptr::null_mut()) };
        apart.ok.load(Ordering::Acquire)
    }

    /// Owns nothing, as it may be left at any method.
    extern "C-unwind" fn on_its_thread(data: *mut c_void) -> *mut c_void {
        // SAFETY: it is an `Apart`, which its thread does not outlive, and is only read.
        let apart = unsafe { &*data.cast::<Self>() };
        let mut ok = true;
        for method in apart.methods.iter() {
            // SAFETY: the program has registered the method for this.
            ok &= unsafe { method.run(apart.fd) };
        }
        apart.ok.store(ok, Ordering::Release);
        std::ptr::null_mut()
    }
}

unsafe extern "C-unwind" fn always_fine(_fd: c_int, _data: *mut c_void) -> c_int {
    1
}

const fn null_method() -> Method {
    let mut name = [0; MAX_NAME];
    name[0] = b'N';
    name[1] = b'U';
    name[2] = b'L';
    name[3] = b'L';
    Method {
        name,
        function: always_fine,
        data: 0,
    }
}

static METHODS: Mutex<Methods> = Mutex::new(Methods {
    list: [Some(null_method()), None, None],
});

/// The methods that a connect uses now.
pub(crate) fn current() -> Methods {
    *METHODS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads one method of a program. `None` for a name of 30 bytes or more, or a null pointer.
///
/// # Safety
/// `name` is null or a C string.
unsafe fn method(name: *const c_char, function: AuthFunction, data: *mut c_void) -> Option<Method> {
    // SAFETY: the caller's contract.
    let text = unsafe { ptr::opt_cstr(name, MAX_NAME) }?;
    if text.len() >= MAX_NAME {
        return None;
    }
    let mut padded = [0; MAX_NAME];
    padded[..text.len()].copy_from_slice(text);
    Some(Method {
        name: padded,
        function: function?,
        data: data as usize,
    })
}

/// One entry of a caller's array; `None` if there is no array.
///
/// # Safety
/// `array` is null, or readable for more than `at` entries.
unsafe fn entry<T: Copy>(array: *mut T, at: usize) -> Option<T> {
    if array.is_null() {
        return None;
    }
    // SAFETY: an entry of the array, by the caller's contract.
    unsafe { ptr::in_value(array.wrapping_add(at)) }
}

fn replace(list: [Option<Method>; MAX_METHODS]) -> c_int {
    first_use(&NO_CONF);
    *METHODS.lock().unwrap_or_else(PoisonError::into_inner) = Methods { list };
    1
}

/// Sets the one authentication method that every later connect of this process uses.
///
/// `auth_name` has fewer than 30 characters; a daemon must offer it. `auth_function` is called
/// during each connect, on the connecting thread, with the connected socket in blocking mode and
/// `auth_data`; it answers 0 for failure, anything else for success. It replaces all methods set
/// before; at the start there is one, `NULL`, that always succeeds.
///
/// Returns 1. Returns 0, and changes nothing, if the name is too long or a pointer (but
/// `auth_data`) is null. Any thread may call this; connects that have begun are not affected.
///
/// # Safety
/// `auth_name` is null or a C string; `auth_function` may be called with `auth_data` during every
/// later connect.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_set_auth_method(
    auth_name: *const c_char,
    auth_function: AuthFunction,
    auth_data: *mut c_void,
) -> c_int {
    guard(|| {
        first_use(&NO_CONF);
        // SAFETY: the caller's contract.
        match unsafe { method(auth_name, auth_function, auth_data) } {
            Some(one) => replace([Some(one), None, None]),
            None => 0,
        }
    })
}

/// Sets up to 3 authentication methods that every later connect of this process uses, all of them,
/// in this order.
///
/// The arrays have `num_methods` entries each, with the rules of `SP_set_auth_method`. All callbacks
/// are called, even if an early one fails. With 0 methods every connect fails with `REJECT_AUTH`.
///
/// Returns 1. Returns 0, and changes nothing, if there are more than 3 or fewer than 0, a name is
/// too long, or a pointer (but the data) is null.
///
/// # Safety
/// Each array may be read for `num_methods` entries, each name is null or a C string, and each
/// function may be called with its data during every later connect.
#[unsafe(no_mangle)]
pub(crate) unsafe extern "C" fn SP_set_auth_methods(
    num_methods: c_int,
    auth_name: *mut *const c_char,
    auth_function: *mut AuthFunction,
    auth_data: *mut *mut c_void,
) -> c_int {
    guard(|| {
        first_use(&NO_CONF);
        let Some(count) = usize::try_from(num_methods)
            .ok()
            .filter(|&count| count <= MAX_METHODS)
        else {
            return 0;
        };
        let mut list = [None; MAX_METHODS];
        for (at, slot) in list.iter_mut().take(count).enumerate() {
            // SAFETY: the caller's contract.
            let name = unsafe { entry(auth_name, at) };
            // SAFETY: the caller's contract.
            let function = unsafe { entry(auth_function, at) };
            // SAFETY: the caller's contract.
            let data = unsafe { entry(auth_data, at) };
            let (Some(name), Some(function)) = (name, function) else {
                return 0;
            };
            // SAFETY: the caller's contract.
            *slot = unsafe { method(name, function, data.unwrap_or(std::ptr::null_mut())) };
            if slot.is_none() {
                return 0;
            }
        }
        replace(list)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    /// Succeeds at once for this descriptor.
    const PROMPT: c_int = -2;

    /// Meets the test twice: when it has begun, and before it ends.
    unsafe extern "C-unwind" fn slow(fd: c_int, data: *mut c_void) -> c_int {
        if fd == PROMPT {
            return 1;
        }
        // SAFETY: the test's own barrier, which outlives the call.
        let barrier = unsafe { &*data.cast::<Barrier>() };
        barrier.wait();
        barrier.wait();
        1
    }

    fn slow_runner(barrier: &Barrier) -> MethodRunner {
        let method = Method {
            name: null_method().name,
            function: slow,
            data: std::ptr::from_ref(barrier) as usize,
        };
        let list = [Some(method), None, None];
        Methods { list }.runner().unwrap()
    }

    #[test]
    fn methods_of_an_attempt_that_was_given_up_are_not_run_a_second_time() {
        let barrier = Barrier::new(2);
        let runner = slow_runner(&barrier);
        for _ in 0..2 {
            std::thread::scope(|scope| {
                let first = scope.spawn(|| (runner.0)(-1));
                barrier.wait();
                assert!(!(runner.0)(-1));
                barrier.wait();
                assert!(first.join().unwrap());
            });
        }
    }

    #[test]
    fn methods_that_run_at_a_fork_run_in_the_child_too() {
        let barrier = Barrier::new(2);
        let runner = slow_runner(&barrier);
        std::thread::scope(|scope| {
            let first = scope.spawn(|| (runner.0)(-1));
            barrier.wait();
            // SAFETY: the child makes no call but these two.
            let child = unsafe { libc::fork() };
            if child == 0 {
                let status = c_int::from(!(runner.0)(PROMPT));
                // SAFETY: ends the child, with nothing of the parent's run.
                unsafe { libc::_exit(status) };
            }
            let mut status = -1;
            // SAFETY: the status may be written.
            let ended = unsafe { libc::waitpid(child, &raw mut status, 0) };
            barrier.wait();
            assert!(first.join().unwrap());
            assert_eq!((ended, status), (child, 0), "not run");
        });
    }
}
