//! Giving memory back.

/// Has the allocator give to the system what it holds for nobody. After a backlog that is many
/// megabytes, which it would otherwise keep for ever: slabs are below the size that it maps alone.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes a number; the allocator locks itself.
    unsafe {
        libc::malloc_trim(0);
    }
}
