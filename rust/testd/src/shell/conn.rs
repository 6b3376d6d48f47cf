//! The state of one connection.

use std::collections::VecDeque;
use std::time::Duration;

use spread_proto::ClientVersion;

use super::outbox::Outbox;
use super::stream::Stream;
use crate::auth::{AuthMethod, CHALLENGE_LEN};
use crate::core::SessionId;

/// How far a connection is.
#[derive(Debug)]
pub(super) enum Stage {
    /// The connect message is awaited until then.
    Connect {
        /// Since the start of the network.
        deadline: Duration,
    },
    /// The choice of methods is awaited, without limit.
    Choice { version: ClientVersion },
    /// Methods are run, the first of which awaits an answer.
    Methods {
        version: ClientVersion,
        /// Challenges whose answers are to come, in order.
        left: VecDeque<AuthMethod>,
        answer: [u8; CHALLENGE_LEN],
    },
    /// Accepted and never answered, on command.
    Silent,
    /// The session is open.
    Open,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) daemon: usize,
    pub(super) stream: Stream,
    pub(super) peer: String,
    pub(super) stage: Stage,
    /// The code that it gets in any case, on command.
    pub(super) refuse_with: Option<i8>,
    pub(super) session: Option<SessionId>,
    /// Read and not used up: less than one frame, unless `unparsed`.
    pub(super) partial: Vec<u8>,
    /// Reading was stopped with whole frames in `partial`.
    pub(super) unparsed: bool,
    /// The client has closed its side: read to the end.
    pub(super) read_closed: bool,
    /// In the queue of connections to be read, or parked.
    pub(super) queued: bool,
    pub(super) out: Outbox,
    /// In the list of connections to be written.
    pub(super) dirty: bool,
    /// In the list of connections that take no more.
    pub(super) in_blocked: bool,
    /// A write has failed.
    pub(super) broken: bool,
    /// To be closed once all is written.
    pub(super) finishing: bool,
    /// Senders wait for this receiver until then, or did. `None`: it has not fallen behind.
    pub(super) grace_until: Option<Duration>,
}

impl Conn {
    pub(super) fn new(daemon: usize, stream: Stream, peer: String, stage: Stage) -> Self {
        Self {
            daemon,
            stream,
            peer,
            stage,
            refuse_with: None,
            session: None,
            partial: Vec::new(),
            unparsed: false,
            read_closed: false,
            queued: false,
            out: Outbox::default(),
            dirty: false,
            in_blocked: false,
            broken: false,
            finishing: false,
            grace_until: None,
        }
    }
}
