//! Tests of the core as a whole, in virtual time.

mod lab;

mod properties;
mod timelines;
