//! The Everspread engine.
#![deny(unsafe_code)]

pub mod events;
