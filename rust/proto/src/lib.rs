//! The protocol between a Spread client and a Spread daemon, without any I/O.
//!
//! Everything here turns bytes into values and values into bytes; sockets, clocks and threads
//! belong to the callers. The wire format is that of Spread 5.0.1 (the same since 4.0).
//!
//! | to do this | use |
//! | --- | --- |
//! | read or write one header, without allocating | [`Header`], [`FrameLayout`] |
//! | cut a byte stream into frames | [`Decoder`], [`Frame`] |
//! | connect as a client | [`ClientHandshake`] |
//! | accept a client as a daemon | [`parse_connect`], [`choose_methods`], [`encode_accept`] |
//! | check a frame of a client as a daemon does | [`Request`] |
//! | make or take apart the body of a membership message | [`MembershipBody`], [`transition_body`], [`flip_to_native`] |
//! | the lookups behind `SP_get_memb_info` and its kin | [`memb_info`] |
//! | virtual synchrony above a daemon's memberships (Flush Spread) | [`flush::Machine`] |
//! | bits of the type word | [`service`] |
//! | sizes and counts | [`limits`] |
//!
//! # Input from the network
//!
//! No function panics, loops without bound or allocates more than a small multiple of the bytes it
//! was given, whatever those bytes are. Lengths are checked against a limit before anything is
//! reserved for them.
#![forbid(unsafe_code)]

pub mod decoder;
pub mod error;
pub mod flush;
pub mod frame;
pub mod handshake;
pub mod header;
pub mod limits;
pub mod memb_info;
pub mod membership;
pub mod name;
pub mod order;
pub mod request;
pub mod service;

pub use decoder::{Decoder, Limits};
pub use error::DecodeError;
pub use frame::{Direction, Frame, FrameLayout};
pub use handshake::client::{
    Accepted, ClientHandshake, ConnectRequest, HandshakeFailure, HandshakeStep, OLDEST_DAEMON,
};
pub use handshake::reject;
pub use handshake::server::{
    ClientVersion, ConnectMessage, ConnectRefusal, choose_methods, encode_accept, encode_auth_list,
    parse_auth_choice, parse_connect,
};
pub use header::{HEADER_LEN, Header, Hint};
pub use membership::{GroupId, MembershipBody, flip_to_native, flip_words, transition_body};
pub use name::{Name, is_legal_group, is_legal_private_name, private_group, split_private_group};
pub use order::{ByteOrder, MARKERS};
pub use request::{Request, Violation};
