//! Tests of the core as a whole, in virtual time.

mod lab;
mod limits;

mod properties;
mod timelines;
