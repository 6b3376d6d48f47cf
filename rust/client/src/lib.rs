//! The Everspread engine.
#![deny(unsafe_code)]
