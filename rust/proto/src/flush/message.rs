//! What goes into a machine and comes out of it.

use crate::membership::GroupId;
use crate::name::Name;
use crate::order::ByteOrder;
use crate::service;

use super::wire::{self, Suffix};

/// A message as a daemon has delivered it, integers of memberships in native order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Type bits.
    pub kind: u32,
    /// The sender's private group, or the group of a membership message.
    pub sender: Name,
    /// Destinations, or the members.
    pub groups: Vec<Name>,
    /// The sender's type, or the index of the own private group among the members.
    pub mess_type: i16,
    /// The sender's byte order.
    pub order: ByteOrder,
    /// The body.
    pub body: Vec<u8>,
}

/// What the program receives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Type bits.
    pub kind: u32,
    /// The sender's private group, or the group of a membership message.
    pub sender: Name,
    /// The members of a view; the destinations of a message, of a subgroup message with the group
    /// as the last.
    pub groups: Vec<Name>,
    /// The sender's type, in a view the index of the own private group.
    pub mess_type: i16,
    /// The type in the message's header, which has a reserved value in vulnerable messages.
    pub header_type: i16,
    /// The sender's byte order.
    pub order: ByteOrder,
    /// The body, with what the sender's library has added.
    pub body: Vec<u8>,
    /// Bytes of `body` that are the program's.
    pub body_len: usize,
}

impl Delivery {
    /// A membership message of this layer without members and body.
    pub(super) const fn notice(kind: u32, group: Name, mess_type: i16) -> Self {
        Self {
            kind,
            sender: group,
            groups: Vec::new(),
            mess_type,
            header_type: mess_type,
            order: ByteOrder::NATIVE,
            body: Vec::new(),
            body_len: 0,
        }
    }

    /// A request to flush.
    pub(super) const fn flush_request(group: Name) -> Self {
        Self::notice(wire::FLUSH_REQ_MESS, group, 0)
    }

    /// The sign that members of the view may have missed messages.
    pub(super) const fn transition(group: Name) -> Self {
        Self::notice(service::TRANSITION_MESS, group, 0)
    }

    /// The program's part of the body.
    #[must_use]
    pub fn user_body(&self) -> &[u8] {
        &self.body[..self.body_len]
    }

    /// Bytes that it keeps.
    pub(super) fn held_bytes(&self) -> usize {
        size_of::<Self>() + self.groups.len() * size_of::<Name>() + self.body.len()
    }
}

/// A message between the members' libraries, to be sent with the FIFO service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Control {
    /// Its destination.
    pub group: Name,
    /// [`wire::FLUSH_OK`] or [`wire::FLUSH_RECV`].
    pub mess_type: i16,
    /// The membership or view that it is about.
    pub gid: GroupId,
}

impl Control {
    /// Its body.
    #[must_use]
    pub fn body(&self) -> Suffix {
        Suffix::of_control(self.gid)
    }
}

/// Why a call of the program is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A count that cannot be.
    #[error("illegal parameter")]
    IllegalParam,
    /// Bits in the service type that are not a program's to set.
    #[error("illegal service type")]
    IllegalService,
    /// A message type that the libraries keep for themselves.
    #[error("illegal message type")]
    IllegalMessageType,
    /// More pieces than a message can have here.
    #[error("illegal message")]
    IllegalMessage,
    /// Not in the group in the way that the call needs.
    #[error("illegal group")]
    IllegalGroup,
    /// Not at this moment of a change.
    #[error("illegal state")]
    IllegalState,
    /// A receiver that is not in the view.
    #[error("illegal receivers")]
    IllegalReceivers,
}

/// What a daemon or peers have sent cannot be worked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// A membership message that contradicts itself. It is passed over.
    #[error("a membership message that makes no sense")]
    Membership,
    /// More is waiting for a view than is kept. The session cannot go on.
    #[error("too much is waiting for a view")]
    TooMuch,
}
