//! A simulated Spread network.
#![forbid(unsafe_code)]
