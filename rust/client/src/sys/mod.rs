//! The one place of this crate that talks to the operating system directly.
//!
//! Everything here is small, checked and knows nothing of sessions. Two families of calls:
//! *prompt* ones, made with cancellation switched off, and the three *blocking* ones of
//! [`blocking`], which may be left by a thread's cancellation or by `siglongjmp` and are
//! therefore made from frames that own nothing.
#![expect(
    unsafe_code,
    reason = "system calls; the only module of the crate that may"
)]

pub(crate) mod blocking;
pub(crate) mod clock;
pub(crate) mod epoll;
pub(crate) mod fd;
pub(crate) mod file;
pub(crate) mod fork;
pub(crate) mod out;
pub(crate) mod resolve;
pub(crate) mod shared;
pub(crate) mod signals;
pub(crate) mod wait;
