//! The sessions of all daemons.

use spread_proto::Name;

/// Names a session for as long as the network lives; never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct SessionId {
    slot: u32,
    generation: u32,
}

/// The shell's key for the connection of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Link(pub(crate) usize);

/// How far a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// In the handshake: holds its name, gets nothing.
    Connecting,
    /// At work.
    Open,
    /// Its KILL has come but is not ordered yet. It gets nothing any more.
    Leaving,
    /// Its connection has ended but that is not ordered yet.
    Gone,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) daemon: usize,
    /// `#private_name#daemon`.
    pub(crate) group: Name,
    pub(crate) membership: bool,
    pub(crate) phase: Phase,
    /// `None` for a ghost, which only holds a name.
    pub(crate) link: Option<Link>,
    /// Number of the last message given to it: a message to several of its groups comes once.
    pub(crate) last_message: u64,
}

impl Session {
    pub(crate) fn receives(&self) -> bool {
        self.phase == Phase::Open
    }
}

/// All sessions, by id.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    slots: Vec<(u32, Option<Session>)>,
    free: Vec<u32>,
}

impl Sessions {
    pub(crate) fn insert(&mut self, session: Session) -> SessionId {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let entry = &mut self.slots[slot as usize];
        entry.0 = entry.0.wrapping_add(1);
        entry.1 = Some(session);
        SessionId {
            slot,
            generation: entry.0,
        }
    }

    #[inline]
    pub(crate) fn get(&self, id: SessionId) -> Option<&Session> {
        match self.slots.get(id.slot as usize) {
            Some((generation, Some(session))) if *generation == id.generation => Some(session),
            _ => None,
        }
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, id: SessionId) -> Option<&mut Session> {
        match self.slots.get_mut(id.slot as usize) {
            Some((generation, Some(session))) if *generation == id.generation => Some(session),
            _ => None,
        }
    }

    pub(crate) fn remove(&mut self, id: SessionId) -> Option<Session> {
        self.get(id)?;
        let session = self.slots[id.slot as usize].1.take();
        self.free.push(id.slot);
        session
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SessionId, &Session)> {
        self.slots
            .iter()
            .zip(0..)
            .filter_map(|((generation, session), slot)| {
                let id = SessionId {
                    slot,
                    generation: *generation,
                };
                session.as_ref().map(|session| (id, session))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session {
            daemon: 0,
            group: Name::new(b"#a#d1"),
            membership: true,
            phase: Phase::Open,
            link: None,
            last_message: 0,
        }
    }

    #[test]
    fn the_id_of_a_removed_session_never_finds_its_successor() {
        let mut sessions = Sessions::default();
        let first = sessions.insert(session());
        assert!(sessions.remove(first).is_some());
        let second = sessions.insert(session());
        assert_ne!(first, second);
        assert!(sessions.get(first).is_none() && sessions.remove(first).is_none());
        assert!(sessions.get_mut(second).is_some());
        assert_eq!(sessions.iter().count(), 1);
    }
}
