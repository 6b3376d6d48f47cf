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
    /// Checks a frame by its header as a Spread 5.0.1 daemon does. `own` is the session's private
    /// group.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::Hint;
    use crate::order::ByteOrder;

    fn header(kind: u32) -> Header {
        Header {
            kind,
            name: Name::new(b"#me#d"),
            num_groups: 1,
            hint: Hint::NONE,
            data_len: 0,
            order: ByteOrder::NATIVE,
        }
    }

    fn check(header: Header) -> Result<Request, Violation> {
        Request::of(&header, &Name::new(b"#me#d"))
    }

    #[test]
    fn exactly_one_service_or_request_is_wanted() {
        for bit in 0..6 {
            assert_eq!(check(header(1 << bit)), Ok(Request::Multicast));
        }
        assert_eq!(check(header(service::JOIN)), Ok(Request::Join));
        assert_eq!(check(header(service::LEAVE)), Ok(Request::Leave));
        assert_eq!(check(header(service::KILL)), Ok(Request::Kill));
        for kind in [
            0,
            service::SELF_DISCARD,
            service::SAFE_MESS | service::FIFO_MESS,
            service::JOIN | service::FIFO_MESS,
            service::KILL | service::LEAVE,
        ] {
            assert_eq!(check(header(kind)), Err(Violation::Kind(kind)));
        }
    }

    #[test]
    fn bits_outside_the_rule_pass() {
        let extra = service::SELF_DISCARD
            | service::DROP_RECV
            | service::MEMBERSHIP_MESS
            | service::REJECT_MESS
            | 0x0020_c000;
        assert_eq!(
            check(header(service::AGREED_MESS | extra)),
            Ok(Request::Multicast)
        );
    }

    #[test]
    fn a_message_between_daemons_is_refused_whatever_is_beside_it() {
        for beside in [0, service::FIFO_MESS, service::JOIN] {
            assert_eq!(
                check(header(service::GROUPS | beside)),
                Err(Violation::DaemonOnly)
            );
        }
    }

    #[test]
    fn the_sender_is_compared_up_to_its_nul() {
        let mut raw = *Name::new(b"#me#d").raw();
        raw[20] = b'x';
        let garbage = Header {
            name: Name::from_raw(raw),
            ..header(service::KILL)
        };
        assert_eq!(check(garbage), Ok(Request::Kill));
        let other = Header {
            name: Name::new(b"#me#d2"),
            ..header(service::KILL)
        };
        assert_eq!(check(other), Err(Violation::WrongSender));
    }

    #[test]
    fn sizes_are_bounded_on_both_sides() {
        let sized = |num_groups, data_len| {
            check(Header {
                num_groups,
                data_len,
                ..header(service::FIFO_MESS)
            })
        };
        assert_eq!(sized(0, 0), Ok(Request::Multicast));
        assert_eq!(sized(100, 143_952 - 3200), Ok(Request::Multicast));
        assert_eq!(sized(100, 143_953 - 3200), Err(Violation::TooLong(143_953)));
        assert_eq!(sized(101, 0), Err(Violation::Groups(101)));
        assert_eq!(sized(-1, 0), Err(Violation::Groups(-1)));
        assert_eq!(sized(i32::MIN, 0), Err(Violation::Groups(i32::MIN)));
        assert_eq!(sized(1, -1), Err(Violation::Length(-1)));
        assert!(matches!(sized(1, i32::MAX), Err(Violation::TooLong(_))));
    }

    #[test]
    fn hints_hold_a_type_and_markers_only() {
        let hinted = |wire| {
            check(Header {
                hint: Hint::from_wire(wire),
                ..header(service::FIFO_MESS)
            })
        };
        assert_eq!(hinted([0x80, 0xff, 0xff, 0x80]), Ok(Request::Multicast));
        assert_eq!(hinted([0, 1, 2, 0]), Ok(Request::Multicast));
        assert_eq!(hinted([0x81, 0, 0, 0x80]), Err(Violation::Hint));
        assert_eq!(hinted([0, 0, 0, 1]), Err(Violation::Hint));
    }
}
