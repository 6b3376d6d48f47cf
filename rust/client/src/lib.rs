//! The Everspread engine: sessions with Spread daemons, drained in the background.
//!
//! | to do this | use |
//! | --- | --- |
//! | everything, from Rust | [`Connection`]; the rest is what it and other languages are built on |
//! | open a session | [`Connect`] |
//! | receive | [`Receive`], [`receive_message`] |
//! | send, join, leave | [`Send`] |
//! | hold a session without its number, receive many messages at once | [`SessionHandle`] |
//! | see how much waits | [`waiting_bytes`] |
//! | virtual synchrony (Flush Spread) | [`flush`] |
//! | end a session | [`disconnect`], [`kill`] |
//! | learn what happens to a session | [`next_event`], [`event_fd`], [`set_event_callback`] |
//! | see where a session is, have it go elsewhere | [`private_group`], [`daemon`], [`reconnect`] |
//! | run an event loop with timers and descriptors | [`events`] |
//! | options | [`Conf`], [`Options`] |
//! | why a call has failed | [`reason`] |
//!
//! Calls that may wait are machines of prompt steps and [`BlockingCall`]s, which the caller makes:
//! a thread can be cancelled, or jump out of a signal handler, in the blocking calls without
//! leaving anything locked behind (see the module `sys::blocking`).
#![deny(unsafe_code)]

#[cfg(feature = "tokio")]
mod asynchronous;
mod auto;
mod batch;
mod bells;
mod claim;
mod close;
mod connect;
mod connection;
mod cork;
mod daemon_name;
mod drain;
mod endpoint;
mod environment;
mod epoch;
mod error;
pub mod events;
pub mod flush;
mod fork;
mod handle;
mod held;
mod inbox;
mod interrupt;
mod known;
pub mod log;
mod message;
mod notice;
mod options;
mod poll;
mod random;
mod reader;
pub mod reason;
mod receive;
mod redirect;
mod restore;
mod room;
mod search;
mod send;
mod session;
mod spill;
mod srv;
mod stats;
mod sweep;
mod sys;
mod table;
mod window;

#[cfg(feature = "tokio")]
pub use asynchronous::AsyncConnection;
pub use auto::{MethodRunner, daemon, private_group, reconnect};
pub use batch::{Cut, MAX_FRAME, Received};
pub use close::{disconnect, kill};
pub use connect::{Connect, ConnectArguments, ConnectProgress, Connected, TimeLimit, first_use};
pub use connection::{Builder, Connection, Service};
pub use cork::cork;
pub use daemon_name::{DEFAULT_PORT, DaemonName, SpreadName};
pub use drain::drain;
pub use error::Error;
pub use handle::SessionHandle;
pub use interrupt::interrupt;
pub use message::{Message, MessageProgress, ReceiveMessage, receive_message};
pub use notice::{
    Ending, Event, EventCallback, Reconnected, event_fd, next_event, set_event_callback,
};
pub use options::{
    Conf, Failover, MailboxKind, OptionError, OptionRow, Options, RecvPolicy, Sigpipe, TABLE,
    options_page,
};
pub use poll::waiting_bytes;
pub use receive::Receive;
pub use receive::quick::{Taken, take_waiting};
pub use room::{Outputs, Progress, Room};
pub use send::{Outgoing, Send, check_service, check_session, group_field};
pub use spread_proto::memb_info;
pub use spread_proto::{ByteOrder, Name, OLDEST_DAEMON};
pub use stats::{State, Stats, milliseconds, state, stats};
pub use sys::blocking::BlockingCall;
pub use sys::out::OutSlice;
