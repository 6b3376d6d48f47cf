//! What a daemon makes of a client's frame.

use crate::header::Header;
use crate::limits::{DAEMON_CLOSES_ABOVE, MAX_GROUPS, NAME_FIELD};
use crate::name::Name;
use crate::service;

/// What a client's frame asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// Join the first group.
    Join,
    /// Leave the first group.
    Leave,
    /// End the session.
    Kill,
    /// Deliver the message to the groups.
    Multicast,
}

/// Why a daemon closes the connection of the client that sent a frame, without a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Violation {
    /// The kind has not exactly one of the bits of [`service::REQUEST_MASK`].
    #[error("not exactly one request or service level (type {0:#010x})")]
    Kind(u32),
    /// The kind has [`service::GROUPS`]. A real daemon aborts.
    #[error("a request that only daemons send to each other")]
    DaemonOnly,
    /// The name in the header is not the session's own private group.
    #[error("sent in another session's name")]
    WrongSender,
    /// Less than no groups, or more than 100.
    #[error("{0} groups")]
    Groups(i32),
    /// A negative body length.
    #[error("body length {0}")]
    Length(i32),
    /// More than [`DAEMON_CLOSES_ABOVE`] bytes.
    #[error("{0} bytes after the header")]
    TooLong(usize),
    /// [`Hint::has_illegal_bits`](crate::Hint::has_illegal_bits).
    #[error("illegal bits in the hint")]
    Hint,
}

impl Request {
    /// Checks a frame by its header as a Spread 5.0.1 daemon does. `own` is the session's private group.
    ///
    /// # Errors
    ///
    /// The first rule that the header breaks; the daemon then drops the session.
    pub fn of(header: &Header, own: &Name) -> Result<Self, Violation> {
        if header.kind & service::GROUPS != 0 {
            return Err(Violation::DaemonOnly);
        }
        let asked = header.kind & service::REQUEST_MASK;
        if !asked.is_power_of_two() {
            return Err(Violation::Kind(header.kind));
        }
        if header.name != *own {
            return Err(Violation::WrongSender);
        }
        let groups = match usize::try_from(header.num_groups) {
            Ok(groups) if groups <= MAX_GROUPS => groups,
            _ => return Err(Violation::Groups(header.num_groups)),
        };
        let body =
            usize::try_from(header.data_len).map_err(|_| Violation::Length(header.data_len))?;
        let total = body.saturating_add(groups * NAME_FIELD);
        if total > DAEMON_CLOSES_ABOVE {
            return Err(Violation::TooLong(total));
        }
        if header.hint.has_illegal_bits() {
            return Err(Violation::Hint);
        }
        Ok(match asked {
            service::JOIN => Self::Join,
            service::LEAVE => Self::Leave,
            service::KILL => Self::Kill,
            _ => Self::Multicast,
        })
    }
}
