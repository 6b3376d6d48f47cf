//! The calls of `sp_func.h` that have to do with sessions.
//!
//! Those that may block have a shape of their own: a machine of the engine is stepped inside
//! [`guard`](crate::guard), and the blocking call itself is made from a frame without destructors,
//! in an `extern "C-unwind"` function, as the thread may be cancelled in it or leave with
//! `siglongjmp`.

mod auth;
pub(crate) mod connect;
pub(crate) mod receive;
pub(crate) mod send;
mod session;
