//! The Everspread engine.
#![deny(unsafe_code)]

pub use spread_proto::memb_info;
