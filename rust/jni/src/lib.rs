//! The native half of the Java client: what the private methods of `spread.Native` do.
//!
//! A session is a number for Java, the key of a table ([`table`]); numbers are never used again, so a
//! stale one is an error and no crash. Every method answers with a status ([`status`]) that Java turns
//! into the exceptions of its interface: nothing is thrown from here, and nothing is called back.
//!
//! | what | where |
//! | --- | --- |
//! | the methods | [`natives`] |
//! | connecting, in several calls where authentication methods have to run between | [`connecting`] |
//! | having them run again when a session is restored | [`asks`] |
//! | events as text | [`events`] |
//! | memory of direct buffers | [`buffer`] |
#![deny(unsafe_code)]

mod asks;
mod buffer;
mod connecting;
mod events;
mod natives;
mod policy;
mod status;
mod table;
