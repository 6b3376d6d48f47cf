//! The simulated Spread network for C programs: `libspread_testd.so`, `sp_testnet.h`.
//!
//! Networks are numbers, as mailboxes are: one that is used after its end is an error and no
//! undefined behaviour. Every function checks its arguments, calls `spread-testd`, and maps the
//! result; why the last call of a thread failed is told by `SPT_error`.
#![deny(unsafe_code)]

mod calls;
mod error;
mod ptr;
mod signals;
mod table;
