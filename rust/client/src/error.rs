//! What can go wrong, in the words of the domain. The numbers that C programs see are made in the
//! C library.

/// Why a call on a session did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The daemon's name cannot be parsed, or its host is unknown.
    #[error("the name of the daemon cannot be parsed, or its host is unknown")]
    IllegalSpread,
    /// Nobody listens there, or there is no way to it.
    #[error("could not connect to the daemon")]
    CouldNotConnect,
    /// The daemon answered with this code instead of accepting, as it came over the wire.
    #[error("the daemon refused the connection with code {0}")]
    Refused(i8),
    /// The daemon does not offer the program's authentication methods, or one of them failed.
    #[error("authentication failed")]
    Authentication,
    /// Library and daemon do not understand each other.
    #[error("the daemon is too old")]
    Version,
    /// The connection ended during this call, or before it and this is the first call to tell.
    #[error("the connection is closed")]
    ConnectionClosed,
    /// The connection ended, and an earlier call has told.
    #[error("the connection was lost earlier")]
    NetError,
    /// No session has this mailbox number.
    #[error("no such session")]
    IllegalSession,
    /// The service type has no service bit, or a bit that daemons punish.
    #[error("illegal service type")]
    IllegalService,
    /// A broken frame from the daemon, or an illegal body to send.
    #[error("illegal message")]
    IllegalMessage,
    /// A group name, or a number of groups, that cannot be.
    #[error("illegal group")]
    IllegalGroup,
    /// The message's body does not fit. It stays, and comes again.
    #[error("the buffer is too short")]
    BufferTooShort,
    /// The message's groups do not fit. It stays, and comes again.
    #[error("the list of groups is too short")]
    GroupsTooShort,
    /// Body and groups are more than a daemon takes.
    #[error("the message is too long")]
    MessageTooLong,
    /// A time out of range.
    #[error("illegal time")]
    IllegalTime,
    /// The call would have to wait, and was asked not to. Only of calls that can be asked so.
    #[error("the call would have to wait")]
    TryAgain,
    /// The time limit was reached. Only of calls that are given one and have no other error for it.
    #[error("the time limit was reached")]
    TimedOut,
    /// [`interrupt`](crate::interrupt) has ended the wait.
    #[error("the call was interrupted")]
    Interrupted,
    /// A defect of this library.
    #[error("internal error")]
    Bug,
}
