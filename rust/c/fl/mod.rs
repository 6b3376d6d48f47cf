//! The calls of `fl.h`: Flush Spread, virtual synchrony above the memberships of the daemon.
//!
//! The logic is in `spread_client::flush`; calls that may block have the same shape as those of
//! [`crate::sp`].

mod codes;
mod receive;
mod send;
mod session;
