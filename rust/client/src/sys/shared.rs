//! Words that a process shares with its forked children.

use std::io;
use std::ptr::NonNull;
use std::sync::atomic::AtomicU32;

/// A page of atomic words in a mapping that survives `fork` shared. Never unmapped: sessions of
/// both processes may refer to it until they end.
pub(crate) fn words() -> io::Result<&'static [AtomicU32; 1024]> {
    // SAFETY: an anonymous mapping at an address of the kernel's choice.
    let page = unsafe {
        libc::mmap(
            std::ptr::null_mut(),
            size_of::<[AtomicU32; 1024]>(),
            libc::PROT_READ | libc::PROT_WRITE,
            libc::MAP_SHARED | libc::MAP_ANONYMOUS,
            -1,
            0,
        )
    };
    if page == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    let page = NonNull::new(page)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ENOMEM))?
        .cast::<[AtomicU32; 1024]>();
    // SAFETY: the mapping is zeroed, aligned to a page, large enough, and never unmapped.
    Ok(unsafe { page.as_ref() })
}
