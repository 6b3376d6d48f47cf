//! A simulated Spread network: several daemons in one process, for tests.
//!
//! The daemons behave towards their clients as those of Spread 5.0.1 do, share one total order of
//! messages, and can be killed, frozen, cut off from each other and so on from a test.
//!
//! ```
//! # fn main() -> Result<(), spread_testd::Error> {
//! use spread_testd::Network;
//!
//! let network = Network::builder().daemons(3).start()?;
//! let name = network.daemon(0).spread_name(); // for SP_connect, such as "43211@127.0.0.1"
//! # assert!(name.ends_with("@127.0.0.1"));
//! network.partition(&[&[0, 1][..], &[2]])?;
//! network.heal()?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
// The examples of the guide have to compile.
#![cfg_attr(doctest, doc = include_str!("../../../docs/TESTD.md"))]

mod auth;
mod builder;
mod config;
mod control;
mod control_socket;
mod core;
mod daemons;
mod error;
mod event;
mod fault;
mod network;
mod options;
mod script;
mod shell;

pub use auth::{AuthMethod, CHALLENGE_LEN};
pub use builder::Builder;
pub use config::{ReferenceFaults, Timing};
pub use control::Control;
pub use control_socket::ControlSocket;
pub use daemons::MAX_DAEMONS;
pub use error::Error;
pub use event::{Cause, Ending, Event};
pub use fault::{CloseHow, SessionInfo, StreamFault};
pub use network::{Daemon, Network};
pub use options::OPTIONS;
pub use script::COMMANDS;
