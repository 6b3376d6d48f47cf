//! What can go wrong with a network.

use std::io;

/// Why a network could not be started, or a command not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration makes no sense.
    #[error("{0}")]
    Config(String),
    /// An address cannot be had.
    #[error("cannot listen at {at}: {source}")]
    Listen {
        /// Address or path.
        at: String,
        /// What the system says.
        source: io::Error,
    },
    /// The system refused something else.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no daemon of this number.
    #[error("no daemon {index}: there are {count}, counted from 0")]
    NoSuchDaemon {
        /// What was asked for.
        index: usize,
        /// How many there are.
        count: usize,
    },
    /// There is no session of this private group, or not one that the command is for.
    #[error("no such session: {0}")]
    NoSuchSession(String),
    /// The private name is in use.
    #[error("private name {0} is taken")]
    NameTaken(String),
    /// The network has stopped.
    #[error("the network has stopped")]
    Stopped,
}
