//! Faults of single connections and sessions, set from outside.

use spread_proto::Name;

use super::{Progress, Shell, greet};
use crate::core::{Link, SessionId};
use crate::event::{Ending, Event};
use crate::fault::{CloseHow, SessionInfo, StreamFault};

/// What awaits one of the next callers of a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Gets this code: an authentication code once it has chosen its methods, any other one for its
    /// connect message.
    Refused(i8),
    /// Gets nothing, ever.
    Ignored,
    /// The connection is closed as soon as it is there.
    HungUp,
    /// The connection is made, with this fault.
    Faulty(StreamFault),
}

impl Shell {
    pub(crate) fn sessions(&self) -> Vec<SessionInfo> {
        let mut sessions: Vec<_> = self
            .core
            .sessions()
            .map(|session| SessionInfo {
                private_group: session.group.to_string(),
                daemon: session.daemon,
                waiting: session
                    .link
                    .and_then(|link| self.io.get(link))
                    .map_or(0, |conn| conn.out.len()),
                ghost: session.link.is_none(),
            })
            .collect();
        sessions.sort_by(|a, b| (a.daemon, &a.private_group).cmp(&(b.daemon, &b.private_group)));
        sessions
    }

    fn find(&self, group: &str) -> Option<(SessionId, Option<Link>)> {
        self.core.find(&Name::new(group.as_bytes()))
    }

    /// Adds a fault to a session's stream. False if there is no such session with a connection.
    pub(crate) fn add_fault(&mut self, group: &str, fault: StreamFault) -> bool {
        let Some((_, Some(link))) = self.find(group) else {
            return false;
        };
        self.io.note(&Event::Fault(format!("{group}: {fault}")));
        self.set_fault(link, fault);
        true
    }

    fn set_fault(&mut self, link: Link, fault: StreamFault) {
        let now = self.io.now;
        if let Some(conn) = self.io.get_mut(link) {
            conn.out.add_fault(fault, now);
        }
    }

    /// Ends all faults of a session's stream.
    pub(crate) fn clear_faults(&mut self, group: &str) -> bool {
        let Some((_, Some(link))) = self.find(group) else {
            return false;
        };
        self.io.note(&Event::Fault(format!("{group}: faults end")));
        if let Some(conn) = self.io.get_mut(link) {
            conn.out.clear_faults();
        }
        self.io.flush(link);
        true
    }

    /// Ends a session's connection.
    pub(crate) fn close_session(&mut self, group: &str, how: CloseHow) -> bool {
        let Some((session, Some(link))) = self.find(group) else {
            return false;
        };
        self.io
            .note(&Event::Fault(format!("{group}: close {how:?}")));
        if how == CloseHow::Reset
            && let Some(conn) = self.io.get(link)
        {
            conn.stream.reset_on_close();
        }
        if how == CloseHow::Ghost {
            self.core.detach(session);
            self.io.close(link);
        } else {
            self.end(link, Ending::Fault);
        }
        true
    }

    /// Takes a private name without a client.
    pub(crate) fn hold_name(&mut self, daemon: usize, name: &[u8]) -> Result<(), i8> {
        let (_, group) = self.core.reserve(daemon, name, false, None)?;
        self.io.note(&Event::Fault(format!("{group} is held")));
        Ok(())
    }

    /// Ends a session that has no connection.
    pub(crate) fn release(&mut self, group: &str) -> bool {
        let Some((session, None)) = self.find(group) else {
            return false;
        };
        self.io.note(&Event::Fault(format!("{group} is released")));
        self.core.ended(session, Ending::Fault, 0, &mut self.io);
        true
    }

    /// Prepares for the next callers of a daemon, behind what is prepared already.
    pub(crate) fn prepare(&mut self, daemon: usize, count: usize, caller: &Caller) {
        let name = self.core.daemon_name(daemon);
        self.io.note(&Event::Fault(format!(
            "{name}: {caller:?} for {count} of the next connections"
        )));
        let next = &mut self.desks[daemon].next;
        next.extend(std::iter::repeat_n(caller.clone(), count));
    }

    /// The next connections are dealt with as usual.
    pub(crate) fn prepare_nothing(&mut self, daemon: usize) {
        self.desks[daemon].next.clear();
    }

    /// Does to a new connection what is prepared for it. False if it is gone.
    pub(super) fn surprise(&mut self, daemon: usize, link: Link) -> bool {
        let Some(caller) = self.desks[daemon].next.pop_front() else {
            return true;
        };
        match caller {
            Caller::Refused(code) => {
                if let Some(conn) = self.io.get_mut(link) {
                    conn.refuse_with = Some(code);
                }
            }
            Caller::Ignored => self.ignore(link),
            Caller::HungUp => {
                self.refuse(link, None);
                return false;
            }
            Caller::Faulty(fault) => self.set_fault(link, fault),
        }
        true
    }

    fn ignore(&mut self, link: Link) {
        if let Some(conn) = self.io.get_mut(link) {
            conn.stage = greet::Stage::Silent;
        }
    }

    /// Reads and drops what a client says that gets no answer.
    pub(super) fn listen_silently(&mut self, link: Link) -> Progress {
        let mut buffer = [0; 4096];
        let Some(conn) = self.io.get_mut(link) else {
            return Progress::Gone;
        };
        match conn.stream.read(&mut buffer) {
            Ok(0) => {}
            Ok(_) => return Progress::More,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                return Progress::Drained;
            }
            Err(_) => {}
        }
        self.io.close(link);
        Progress::Gone
    }
}
