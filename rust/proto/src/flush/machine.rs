//! All groups of one session.

use std::collections::BTreeMap;

use crate::membership::MembershipBody;
use crate::name::Name;
use crate::order::{ByteOrder, MARKERS};
use crate::service::{
    self, CAUSED_BY_LEAVE, FIFO_MESS, MEMBERSHIP_MESS, REGULAR_MESS, RELIABLE_MESS, RESERVED,
    UNRELIABLE_MESS,
};

use super::group::{Group, Membership, Output};
use super::message::{Broken, Control, Delivery, Message, Refusal};
use super::wire::{self, Meaning, Suffix};

/// Most bytes that peers can make one session keep: messages of members who are ahead, and
/// memberships for which the program has not flushed. Far more than a group that works ever has.
pub const MAX_HELD_BYTES: usize = 64 << 20;

/// Bits in a service type that a program may not set.
const NOT_FOR_PROGRAMS: u32 = wire::FLUSH_REQ_MESS | MEMBERSHIP_MESS | MARKERS | RESERVED;

/// What a program wants to send.
#[derive(Debug, Clone, Copy)]
pub struct SendRequest<'a> {
    /// Service and other bits.
    pub service: u32,
    /// The group, or a private group.
    pub group: Name,
    /// The members who are to receive it; none: all.
    pub receivers: Option<&'a [[u8; 32]]>,
    /// The program's own type.
    pub mess_type: i16,
    /// Number of pieces of the body.
    pub pieces: usize,
}

/// How a program's message is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Envelope {
    /// Type bits for the header.
    pub kind: u32,
    /// Type for the header.
    pub mess_type: i16,
    /// What follows the program's body.
    pub suffix: Suffix,
}

/// One member's end of all its groups.
#[derive(Debug, Default)]
pub struct Machine {
    groups: BTreeMap<Name, Group>,
    out: Output,
}

impl Machine {
    /// Most pieces of a body.
    pub const MAX_PIECES: usize = 99;

    /// A machine that knows no group.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next message to be sent for the machine itself. In this order, and before whatever the
    /// program sends next.
    #[must_use]
    pub fn poll_control(&mut self) -> Option<Control> {
        self.out.controls.pop_front()
    }

    /// Whether [`poll_control`](Self::poll_control) has something.
    #[must_use]
    pub fn has_controls(&self) -> bool {
        !self.out.controls.is_empty()
    }

    /// Whether no group is on its way from one view to the next, and nothing waits to be sent.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        !self.has_controls() && self.groups.values().all(Group::is_steady)
    }

    /// What the program receives next. Changes with [`take_next`](Self::take_next) only.
    #[must_use]
    pub fn next(&self) -> Option<&Delivery> {
        self.out.deliveries.front()
    }

    /// Takes it.
    #[must_use]
    pub fn take_next(&mut self) -> Option<Delivery> {
        self.out.deliveries.pop_front()
    }

    /// Messages that the program can receive without anything new from the daemon.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.out.deliveries.len()
    }

    /// All of them, oldest first.
    pub fn deliveries(&self) -> impl Iterator<Item = &Delivery> {
        self.out.deliveries.iter()
    }

    /// Bytes that peers have made the machine keep.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.groups.values().map(Group::held_bytes).sum()
    }

    /// Whether a program may join: not if it is in the group already, or on its way in or out. A join
    /// whose membership has not come yet is no obstacle.
    ///
    /// # Errors
    /// [`Refusal::IllegalGroup`].
    pub fn check_join(&self, group: &Name) -> Result<(), Refusal> {
        if self.groups.contains_key(group) {
            return Err(Refusal::IllegalGroup);
        }
        Ok(())
    }

    /// The program leaves. The daemon has to be told; its answer ends the membership.
    ///
    /// # Errors
    /// [`Refusal::IllegalGroup`] unless a view of the group is installed and this is the first
    /// leave.
    pub fn leave(&mut self, group: &Name) -> Result<(), Refusal> {
        let group = self.groups.get_mut(group).ok_or(Refusal::IllegalGroup)?;
        group.leave()
    }

    /// The program flushes: it agrees to the next view, and sends no more to this one. Makes a
    /// control message.
    ///
    /// # Errors
    /// [`Refusal::IllegalGroup`] for a group that is not known, or is being left;
    /// [`Refusal::IllegalState`] without an unanswered request.
    pub fn flush(&mut self, group: &Name) -> Result<(), Refusal> {
        let group = self.groups.get_mut(group).ok_or(Refusal::IllegalGroup)?;
        group.flush(&mut self.out)
    }

    /// Checks a program's message, and says how it is to be sent.
    ///
    /// # Errors
    /// In this order: [`Refusal::IllegalService`], [`Refusal::IllegalMessageType`],
    /// [`Refusal::IllegalMessage`], [`Refusal::IllegalGroup`] for a group that this session is not
    /// in, [`Refusal::IllegalState`] between flush and view, [`Refusal::IllegalReceivers`].
    pub fn envelope(&self, request: &SendRequest<'_>) -> Result<Envelope, Refusal> {
        if request.service & NOT_FOR_PROGRAMS != 0 {
            return Err(Refusal::IllegalService);
        }
        if request.mess_type < wire::MIN_MESS_TYPE {
            return Err(Refusal::IllegalMessageType);
        }
        if request.pieces > Self::MAX_PIECES {
            return Err(Refusal::IllegalMessage);
        }
        let receivers = request.receivers.unwrap_or_default();
        let mut receivers = receivers.iter().map(|&raw| Name::from_raw(raw));
        let vulnerable = if is_private(&request.group) {
            if receivers.any(|name| name != request.group) {
                return Err(Refusal::IllegalReceivers);
            }
            None
        } else {
            let group = self.groups.get(&request.group);
            let group = group.ok_or(Refusal::IllegalGroup)?;
            let (gid, may_overtake) = group.may_send()?;
            if !receivers.all(|name| group.is_in_view(&name)) {
                return Err(Refusal::IllegalReceivers);
            }
            // Causal, agreed and safe messages cannot overtake the votes.
            let overtakes = request.service & (UNRELIABLE_MESS | RELIABLE_MESS | FIFO_MESS) != 0;
            (may_overtake && overtakes).then_some((request.mess_type, gid))
        };
        let subgroup_of = request.receivers.map(|_| &request.group);
        let kind = match subgroup_of {
            Some(_) => request.service | wire::SUBGROUP_CAST,
            None => request.service & !wire::SUBGROUP_CAST,
        };
        Ok(Envelope {
            kind,
            mess_type: vulnerable.map_or(request.mess_type, |_| wire::VULNERABLE),
            suffix: Suffix::of_message(vulnerable, subgroup_of),
        })
    }

    /// Takes in what the daemon has delivered to the session whose private group is `me`.
    ///
    /// Messages that no member of a flush group sends, or that are not for the program, vanish.
    ///
    /// # Errors
    /// [`Broken::Membership`]: the message is passed over. [`Broken::TooMuch`]: end the session.
    pub fn handle(&mut self, me: &Name, message: Message) -> Result<(), Broken> {
        if service::is_reject(message.kind) {
            return Ok(());
        }
        if message.kind & REGULAR_MESS != 0 {
            self.data(me, message);
        } else if service::is_transition(message.kind) {
            if let Some(group) = self.groups.get_mut(&message.sender) {
                group.transition(&mut self.out);
            }
        } else if service::is_regular_membership(message.kind) {
            self.membership(message)?;
        } else if service::is_self_leave(message.kind) {
            self.groups.remove(&message.sender);
            let notice = Delivery::notice(CAUSED_BY_LEAVE, message.sender, -1);
            self.out.deliveries.push_back(notice);
        }
        if self.held_bytes() > MAX_HELD_BYTES {
            return Err(Broken::TooMuch);
        }
        Ok(())
    }

    fn membership(&mut self, message: Message) -> Result<(), Broken> {
        let body = MembershipBody::parse(&message.body, ByteOrder::NATIVE)
            .map_err(|_| Broken::Membership)?;
        let index = usize::try_from(message.mess_type).map_err(|_| Broken::Membership)?;
        let me = *message.groups.get(index).ok_or(Broken::Membership)?;
        let own_set = body.vs_sets.get(body.my_set).cloned().unwrap_or_default();
        let cause = message.kind & service::CAUSED_BY_MASK;
        if own_set.is_empty() || cause == 0 {
            return Err(Broken::Membership);
        }
        let group = self
            .groups
            .entry(message.sender)
            .or_insert_with(|| Group::new(message.sender, me));
        let new = Membership {
            gid: body.gid,
            cause,
            members: message.groups,
            own_index: message.mess_type,
            me,
            own_set,
        };
        group.membership(new, &mut self.out);
        Ok(())
    }

    fn data(&mut self, me: &Name, mut message: Message) {
        let Some(peeled) = wire::peel(
            message.kind,
            message.mess_type,
            message.order,
            &message.body,
        ) else {
            return;
        };
        let Some(&first) = message.groups.first() else {
            return;
        };
        let group = self
            .groups
            .get_mut(peeled.subgroup_of.as_ref().unwrap_or(&first));
        let (mess_type, sent_in) = match peeled.meaning {
            Meaning::Plain => (message.mess_type, None),
            Meaning::Vulnerable(mess_type, gid) => (mess_type, Some(gid)),
            Meaning::FlushOk(gid) => {
                if let Some(group) = group {
                    group.flush_ok(message.sender, gid, &mut self.out);
                }
                return;
            }
            Meaning::FlushRecv(gid) => {
                if let Some(group) = group {
                    group.flush_recv(message.sender, gid);
                }
                return;
            }
        };
        message.groups.extend(peeled.subgroup_of);
        let delivery = Delivery {
            // A peer must not be able to fake a request to flush.
            kind: message.kind & !wire::FLUSH_REQ_MESS,
            sender: message.sender,
            groups: message.groups,
            mess_type,
            header_type: message.mess_type,
            order: message.order,
            body: message.body,
            body_len: peeled.body_len,
        };
        match group {
            Some(group) => group.data(delivery, sent_in, &mut self.out),
            // Private messages belong to no view.
            None if peeled.subgroup_of.is_none_or(|name| is_private(&name)) && first == *me => {
                self.out.deliveries.push_back(delivery);
            }
            None => {}
        }
    }
}

/// Whether a destination is a session and not a group. Group names have no such character.
fn is_private(name: &Name) -> bool {
    name.as_bytes().contains(&b'#')
}
