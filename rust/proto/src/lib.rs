//! The Spread client protocol.
#![forbid(unsafe_code)]
