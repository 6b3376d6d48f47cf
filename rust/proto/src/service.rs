//! The bits of the type word: service levels, flags, membership causes, control requests.
//!
//! All predicates take a *kind*: a type word in host order without the [`MARKERS`](crate::MARKERS).

/// No guarantee of delivery.
pub const UNRELIABLE_MESS: u32 = 0x0000_0001;
/// Delivered, in any order.
pub const RELIABLE_MESS: u32 = 0x0000_0002;
/// Delivered in the order of each sender.
pub const FIFO_MESS: u32 = 0x0000_0004;
/// Delivered in causal order.
pub const CAUSAL_MESS: u32 = 0x0000_0008;
/// Delivered in one order that all receivers share.
pub const AGREED_MESS: u32 = 0x0000_0010;
/// As agreed, and only once every daemon is known to have the message.
pub const SAFE_MESS: u32 = 0x0000_0020;
/// Mask of the six service levels.
pub const REGULAR_MESS: u32 = 0x0000_003f;

/// The sender does not want its own message back.
pub const SELF_DISCARD: u32 = 0x0000_0040;

/// Membership: a member joined. In the old type of a reject message: the refused request was a
/// join.
pub const CAUSED_BY_JOIN: u32 = 0x0000_0100;
/// Membership: a member left; alone, it is the self-leave message.
pub const CAUSED_BY_LEAVE: u32 = 0x0000_0200;
/// Membership: a member's session ended.
pub const CAUSED_BY_DISCONNECT: u32 = 0x0000_0400;
/// Membership: daemons came or went.
pub const CAUSED_BY_NETWORK: u32 = 0x0000_0800;
/// Mask of the four causes of a membership.
pub const CAUSED_BY_MASK: u32 = 0x0000_0f00;
/// A regular membership message: the new list of members.
pub const REG_MEMB_MESS: u32 = 0x0000_1000;
/// A transitional membership message: guarantees of the old membership end here.
pub const TRANSITION_MESS: u32 = 0x0000_2000;
/// Mask of all membership bits.
pub const MEMBERSHIP_MESS: u32 = 0x0000_3f00;

/// Bits that the classic header reserves; they travel unchanged.
pub const RESERVED: u32 = 0x003f_c000;

/// Control: join the first group of the frame. Client to daemon only.
pub const JOIN: u32 = 0x0001_0000;
/// Control: leave the first group of the frame. Client to daemon only.
pub const LEAVE: u32 = 0x0002_0000;
/// Control: end this session. Client to daemon only.
pub const KILL: u32 = 0x0004_0000;
/// Control between daemons. A client that sends it makes a real daemon abort.
pub const GROUPS: u32 = 0x0008_0000;
/// Mask of the four control bits.
pub const CONTROL_MASK: u32 = JOIN | LEAVE | KILL | GROUPS;

/// The daemon has refused a request of this session; the refused type follows the header (see
/// [`has_old_type`]).
pub const REJECT_MESS: u32 = 0x0040_0000;

/// Argument of the receive calls: drop what does not fit. Not a wire bit, but it travels if a
/// client sends it.
pub const DROP_RECV: u32 = 0x0100_0000;

/// The bits of which a frame to the daemon carries exactly one, else the daemon closes the
/// connection.
pub const REQUEST_MASK: u32 = REGULAR_MESS | JOIN | LEAVE | KILL;

/// Bits that a client must not send with a message: a real daemon drops the sender ([`JOIN`],
/// [`LEAVE`], [`KILL`] beside a service), aborts ([`GROUPS`]) or sends an echo that cannot be told
/// from a reject message ([`REJECT_MESS`]).
pub const NEVER_SENT: u32 = CONTROL_MASK | REJECT_MESS;

/// True for a kind with at least one service level, unless it is a reject message.
#[inline]
#[must_use]
pub const fn is_regular(kind: u32) -> bool {
    kind & REGULAR_MESS != 0 && !is_reject(kind)
}

/// True for a kind with any membership bit, unless it is a reject message.
#[inline]
#[must_use]
pub const fn is_membership(kind: u32) -> bool {
    kind & MEMBERSHIP_MESS != 0 && !is_reject(kind)
}

/// True for a regular membership message, whatever its cause.
#[inline]
#[must_use]
pub const fn is_regular_membership(kind: u32) -> bool {
    kind & REG_MEMB_MESS != 0
}

/// True for a transitional membership message.
#[inline]
#[must_use]
pub const fn is_transition(kind: u32) -> bool {
    kind & TRANSITION_MESS != 0
}

/// True for the message that tells a session that its own leave has taken effect.
#[inline]
#[must_use]
pub const fn is_self_leave(kind: u32) -> bool {
    kind & CAUSED_BY_LEAVE != 0 && kind & (REG_MEMB_MESS | TRANSITION_MESS) == 0
}

/// True for a membership caused by a join.
#[inline]
#[must_use]
pub const fn is_caused_by_join(kind: u32) -> bool {
    kind & CAUSED_BY_JOIN != 0
}

/// True for a membership caused by a leave.
#[inline]
#[must_use]
pub const fn is_caused_by_leave(kind: u32) -> bool {
    kind & CAUSED_BY_LEAVE != 0
}

/// True for a membership caused by a disconnect.
#[inline]
#[must_use]
pub const fn is_caused_by_disconnect(kind: u32) -> bool {
    kind & CAUSED_BY_DISCONNECT != 0
}

/// True for a membership caused by a change of the network.
#[inline]
#[must_use]
pub const fn is_caused_by_network(kind: u32) -> bool {
    kind & CAUSED_BY_NETWORK != 0
}

/// True for a kind with the reject bit.
#[inline]
#[must_use]
pub const fn is_reject(kind: u32) -> bool {
    kind & REJECT_MESS != 0
}

/// True for a message that its sender does not get back.
#[inline]
#[must_use]
pub const fn is_self_discard(kind: u32) -> bool {
    kind & SELF_DISCARD != 0
}

/// True if a frame of this kind *from* a daemon has the four byte old type between header and
/// groups.
///
/// A reject message made by a daemon has no service level in its own type: that is in the old type.
/// A kind with both is the echo of a client that has set the bit itself, and a real daemon sends
/// that without an old type. The classic library takes four bytes of the group for the old type
/// there and then waits for four bytes that never come.
#[inline]
#[must_use]
pub const fn has_old_type(kind: u32) -> bool {
    is_reject(kind) && kind & REGULAR_MESS == 0
}

/// True for exactly one service level, as a message to the daemon must have.
#[inline]
#[must_use]
pub const fn is_single_service(kind: u32) -> bool {
    (kind & REGULAR_MESS).is_power_of_two()
}

/// The kind that a receive call reports: for a reject message the refused kind with [`REJECT_MESS`]
/// added.
///
/// `old_kind` is what followed the header, if anything did.
#[inline]
#[must_use]
pub const fn reported_kind(kind: u32, old_kind: Option<u32>) -> u32 {
    match old_kind {
        Some(old) => old | REJECT_MESS,
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_the_sum_of_their_bits() {
        assert_eq!(
            REGULAR_MESS,
            UNRELIABLE_MESS | RELIABLE_MESS | FIFO_MESS | CAUSAL_MESS | AGREED_MESS | SAFE_MESS
        );
        assert_eq!(
            CAUSED_BY_MASK,
            CAUSED_BY_JOIN | CAUSED_BY_LEAVE | CAUSED_BY_DISCONNECT | CAUSED_BY_NETWORK
        );
        assert_eq!(
            MEMBERSHIP_MESS,
            CAUSED_BY_MASK | REG_MEMB_MESS | TRANSITION_MESS
        );
    }

    #[test]
    fn reject_bit_hides_service_and_membership_as_in_the_classic_macros() {
        assert!(is_regular(FIFO_MESS));
        assert!(!is_regular(FIFO_MESS | REJECT_MESS));
        assert!(is_membership(CAUSED_BY_JOIN | REG_MEMB_MESS));
        assert!(!is_membership(CAUSED_BY_JOIN | REJECT_MESS));
        assert!(!is_regular(SELF_DISCARD));
    }

    #[test]
    fn self_leave_is_the_leave_cause_without_a_membership() {
        assert!(is_self_leave(CAUSED_BY_LEAVE));
        assert!(!is_self_leave(CAUSED_BY_LEAVE | REG_MEMB_MESS));
        assert!(!is_self_leave(CAUSED_BY_LEAVE | TRANSITION_MESS));
        assert!(!is_self_leave(CAUSED_BY_JOIN));
    }

    #[test]
    fn old_type_follows_only_reject_messages_that_a_daemon_made() {
        assert!(has_old_type(REJECT_MESS));
        assert!(has_old_type(REJECT_MESS | SELF_DISCARD));
        assert!(!has_old_type(REJECT_MESS | FIFO_MESS));
        assert!(!has_old_type(FIFO_MESS));
    }

    #[test]
    fn single_service_wants_one_bit() {
        assert!(is_single_service(SAFE_MESS | SELF_DISCARD | DROP_RECV));
        assert!(!is_single_service(SAFE_MESS | FIFO_MESS));
        assert!(!is_single_service(SELF_DISCARD));
    }

    #[test]
    fn reported_kind_of_a_reject_message_is_the_refused_kind() {
        assert_eq!(
            reported_kind(REJECT_MESS, Some(CAUSED_BY_JOIN)),
            0x0040_0100
        );
        assert_eq!(reported_kind(FIFO_MESS | REJECT_MESS, None), 0x0040_0004);
        assert_eq!(reported_kind(FIFO_MESS, None), FIFO_MESS);
    }
}
