//! Being told of `fork`.

use std::io;
use std::sync::Arc;

/// Registers handlers that run around every `fork` of the process: `prepare` before it in the
/// parent, `parent` and `child` after it.
pub(crate) fn on_fork(
    prepare: extern "C" fn(),
    parent: extern "C" fn(),
    child: extern "C" fn(),
) -> io::Result<()> {
    unsafe extern "C" {
        fn pthread_atfork(
            prepare: Option<extern "C" fn()>,
            parent: Option<extern "C" fn()>,
            child: Option<extern "C" fn()>,
        ) -> libc::c_int;
    }
    // SAFETY: three functions that live as long as the library, which is never unloaded.
    let code = unsafe { pthread_atfork(Some(prepare), Some(parent), Some(child)) };
    if code != 0 {
        return Err(io::Error::from_raw_os_error(code));
    }
    Ok(())
}

/// Locks of an object that are held over a fork, together with the object.
pub(crate) struct HeldOver<T: 'static, G> {
    /// Dropped first: it borrows from what `owner` keeps alive.
    guards: G,
    owner: Arc<T>,
}

impl<T, G> HeldOver<T, G> {
    /// Takes the locks with `lock`.
    pub(crate) fn lock(owner: Arc<T>, lock: impl FnOnce(&'static T) -> G) -> Self {
        // SAFETY: `owner` keeps the object alive and in its place until after `guards` has been
        // dropped, and nothing hands the guards out of this value.
        let object: &'static T = unsafe { &*Arc::as_ptr(&owner) };
        Self {
            guards: lock(object),
            owner,
        }
    }

    /// The object.
    pub(crate) fn owner(&self) -> &Arc<T> {
        &self.owner
    }

    /// What the locks protect.
    pub(crate) fn guards(&mut self) -> &mut G {
        &mut self.guards
    }
}
