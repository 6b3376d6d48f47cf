//! Flush Spread: virtual synchrony above the memberships of a daemon, as a state machine without I/O.
//!
//! A daemon tells a change of a group as it happens. This layer holds it back: every member is
//! asked to *flush*, may send to the old view until it does, and the view is delivered when all of
//! its members have flushed. So members that stay together have seen the same messages in a view,
//! and a sender knows who receives. The daemon knows nothing of it: members tell each other with
//! ordinary messages whose `mess_type` is reserved ([`wire`]).
//!
//! [`Machine`] is one member's end: [`Machine::handle`] takes what the daemon delivers,
//! [`Machine::poll_control`] gives what is to be sent, and [`Machine::next`] what the program
//! receives. It has no clock: everything happens in these calls.
//!
//! # Input from the network
//!
//! Votes count for members only, and each member once. What peers can make a machine keep is
//! bounded by [`MAX_HELD_BYTES`].

mod group;
mod machine;
mod message;
pub mod wire;

pub use machine::{Envelope, MAX_HELD_BYTES, Machine, SendRequest};
pub use message::{Broken, Control, Delivery, Message, Refusal};
