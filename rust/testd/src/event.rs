//! What happens in a network, one readable line each.

use std::fmt;

use spread_proto::{GroupId, Name, Violation};

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The client said good-bye.
    Killed,
    /// The client's connection ended, without a good-bye.
    Closed,
    /// More messages than `MaxSessionMessages` were waiting for the client.
    TooSlow,
    /// The client sent what a daemon does not take.
    Violation(Violation),
    /// The daemon died.
    DaemonDied,
    /// A fault command ended the connection.
    Fault,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Killed => f.write_str("disconnected"),
            Self::Closed => f.write_str("connection closed by the client"),
            Self::TooSlow => f.write_str("dropped: reads too slowly"),
            Self::Violation(violation) => write!(f, "dropped: {violation}"),
            Self::DaemonDied => f.write_str("its daemon died"),
            Self::Fault => f.write_str("connection closed by a fault command"),
        }
    }
}

/// What made a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// This member joined.
    Join(Name),
    /// This member left.
    Leave(Name),
    /// This member's session ended.
    Disconnect(Name),
    /// Daemons came or went.
    Network,
}

/// Something that happened in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A daemon accepts clients at this place.
    Listening {
        /// The daemon.
        daemon: Name,
        /// Socket address or path.
        at: String,
    },
    /// A session was opened.
    Connected {
        /// Its private group.
        session: Name,
        /// It gets membership messages.
        membership: bool,
        /// The client's address.
        peer: String,
    },
    /// A client was turned away in the handshake.
    Refused {
        /// The daemon.
        daemon: Name,
        /// The code that it was sent, if any.
        code: Option<i8>,
        /// The client's address.
        peer: String,
    },
    /// A session's connection ended. The others learn it once it has been ordered.
    Ended {
        /// The session's private group.
        session: Name,
        /// Why.
        why: Ending,
        /// Messages that were still waiting for it.
        waiting: usize,
    },
    /// A group has a new view.
    View {
        /// The group.
        group: Name,
        /// The view's id.
        gid: GroupId,
        /// Members in it.
        members: usize,
        /// What made it.
        cause: Cause,
    },
    /// A message was ordered. Only logged on demand.
    Message {
        /// The sender's private group.
        sender: Name,
        /// Its type bits.
        kind: u32,
        /// First destination.
        group: Name,
        /// Number of destinations.
        groups: usize,
        /// Bytes of the whole frame.
        bytes: usize,
    },
    /// Daemons formed a ring: they order messages together.
    Ring {
        /// The daemons.
        daemons: Vec<Name>,
        /// First two words of the ids of the views made in it.
        id: [i32; 2],
    },
    /// A ring is broken: nothing is ordered in it until new ones are formed.
    Broken {
        /// The daemons that were in it.
        daemons: Vec<Name>,
    },
    /// Somebody changed the network by hand.
    Fault(String),
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening { daemon, at } => write!(f, "{daemon} listening at {at}"),
            Self::Connected {
                session,
                membership,
                peer,
            } => {
                let note = if *membership { "" } else { ", no membership" };
                write!(f, "{session} connected from {peer}{note}")
            }
            Self::Refused {
                daemon,
                code: Some(code),
                peer,
            } => write!(f, "{daemon} refused {peer}: code {code}"),
            Self::Refused {
                daemon,
                code: None,
                peer,
            } => write!(f, "{daemon} refused {peer} without a word"),
            Self::Ended {
                session,
                why,
                waiting,
            } => {
                write!(f, "{session} ended: {why}")?;
                if *waiting > 0 {
                    write!(f, " ({waiting} messages lost)")?;
                }
                Ok(())
            }
            Self::View {
                group,
                gid: GroupId([id, time, index]),
                members,
                cause,
            } => {
                write!(f, "view {group} {id}/{time}/{index}, {members} members: ")?;
                match cause {
                    Cause::Join(who) => write!(f, "{who} joined"),
                    Cause::Leave(who) => write!(f, "{who} left"),
                    Cause::Disconnect(who) => write!(f, "{who} disconnected"),
                    Cause::Network => f.write_str("network change"),
                }
            }
            Self::Message {
                sender,
                kind,
                group,
                groups,
                bytes,
            } => {
                write!(f, "message from {sender} to {group}")?;
                if *groups > 1 {
                    write!(f, " and {} more", groups - 1)?;
                }
                write!(f, ", type {kind:#x}, {bytes} bytes")
            }
            Self::Ring {
                daemons,
                id: [id, time],
            } => {
                f.write_str("ring formed of ")?;
                list(f, daemons)?;
                write!(f, ", {id}/{time}")
            }
            Self::Broken { daemons } => {
                f.write_str("ring broken of ")?;
                list(f, daemons)
            }
            Self::Fault(what) => write!(f, "fault: {what}"),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, names: &[Name]) -> fmt::Result {
    for (index, name) in names.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{name}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_one_line_and_names_are_escaped() {
        let line = Event::Ended {
            session: Name::new(b"#a\nb#d1"),
            why: Ending::TooSlow,
            waiting: 1000,
        }
        .to_string();
        assert_eq!(
            line,
            "#a\\nb#d1 ended: dropped: reads too slowly (1000 messages lost)"
        );
        let line = Event::Ring {
            daemons: vec![Name::new(b"d1"), Name::new(b"d2")],
            id: [-5, 7],
        }
        .to_string();
        assert_eq!(line, "ring formed of d1, d2, -5/7");
    }
}
