//! The Everspread engine: sessions with Spread daemons, drained in the background.
//!
//! | to do this | use |
//! | --- | --- |
//! | open a session | [`Connect`] |
//! | receive | [`Receive`] |
//! | send, join, leave | [`Send`] |
//! | see how much waits | [`waiting_bytes`] |
//! | end a session | [`disconnect`], [`kill`] |
//! | learn what happens to a session | [`next_event`], [`event_fd`], [`set_event_callback`] |
//! | run an event loop with timers and descriptors | [`events`] |
//! | options | [`Conf`], [`Options`] |
//! | why a call has failed | [`reason`] |
//!
//! Calls that may wait are machines of prompt steps and [`BlockingCall`]s, which the caller makes:
//! a thread can be cancelled, or jump out of a signal handler, in the blocking calls without
//! leaving anything locked behind (see the module `sys::blocking`).
#![deny(unsafe_code)]

mod batch;
mod claim;
mod close;
mod connect;
mod daemon_name;
mod endpoint;
mod environment;
mod error;
pub mod events;
mod fork;
mod held;
mod inbox;
mod known;
pub mod log;
mod notice;
mod options;
mod poll;
mod random;
mod reader;
pub mod reason;
mod receive;
mod redirect;
mod room;
mod search;
mod send;
mod session;
mod srv;
mod sweep;
mod sys;
mod table;

pub use batch::cork;
pub use close::{disconnect, kill};
pub use connect::{Connect, ConnectArguments, ConnectProgress, Connected, TimeLimit, first_use};
pub use daemon_name::{DEFAULT_PORT, DaemonName, SpreadName};
pub use error::Error;
pub use notice::{
    Ending, Event, EventCallback, Reconnected, event_fd, next_event, set_event_callback,
};
pub use options::{
    Conf, Failover, MailboxKind, OptionError, OptionRow, Options, Sigpipe, TABLE, options_page,
};
pub use poll::waiting_bytes;
pub use receive::Receive;
pub use receive::quick::{Taken, take_waiting};
pub use room::{Outputs, Progress, Room};
pub use send::{Outgoing, Send, check_service, check_session, group_field};
pub use spread_proto::Name;
pub use spread_proto::memb_info;
pub use sys::blocking::BlockingCall;
pub use sys::out::OutSlice;
