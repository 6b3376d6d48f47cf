//! The table of groups that the daemons of a ring share.

use std::collections::BTreeMap;

use spread_proto::{GroupId, Name};

use super::session::SessionId;
use crate::daemons::DaemonSet;

/// A member of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) daemon: usize,
    /// Its private group.
    pub(crate) name: Name,
    pub(crate) session: SessionId,
}

impl Member {
    /// Members are listed by daemon, then by name.
    fn place(&self) -> (usize, Name) {
        (self.daemon, self.name)
    }
}

/// A group with at least one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) gid: GroupId,
    /// In the order of [`Member::place`].
    pub(crate) members: Vec<Member>,
}

impl Group {
    pub(crate) fn names(&self) -> Vec<Name> {
        self.members.iter().map(|member| member.name).collect()
    }

    pub(crate) fn has_member_on(&self, daemons: DaemonSet) -> bool {
        self.members.iter().any(|m| daemons.contains(m.daemon))
    }
}

/// The groups, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Groups(pub(crate) BTreeMap<Name, Group>);

/// What became of a group by the loss of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shrunk {
    /// It had no such member.
    Unchanged,
    /// It was the last one; the group is forgotten.
    Emptied,
    /// Others are left.
    Smaller,
}

impl Groups {
    pub(crate) fn get(&self, name: &Name) -> Option<&Group> {
        self.0.get(name)
    }

    /// Adds a member. A new group starts at `ring` with index 1, another one counts on. `None` if
    /// it is a member already.
    pub(crate) fn add(&mut self, name: Name, member: Member, ring: [i32; 2]) -> Option<&Group> {
        let group = self.0.entry(name).or_insert_with(|| Group {
            gid: GroupId([ring[0], ring[1], 0]),
            members: Vec::new(),
        });
        let at = group
            .members
            .binary_search_by_key(&member.place(), Member::place)
            .err()?;
        group.members.insert(at, member);
        group.gid.0[2] = group.gid.0[2].wrapping_add(1);
        Some(group)
    }

    /// Removes a member, if it is one.
    pub(crate) fn remove(&mut self, name: &Name, member: &Member) -> Shrunk {
        let Some(group) = self.0.get_mut(name) else {
            return Shrunk::Unchanged;
        };
        let found = group
            .members
            .binary_search_by_key(&member.place(), Member::place);
        match found {
            Ok(at) if group.members[at].session == member.session => group.members.remove(at),
            _ => return Shrunk::Unchanged,
        };
        if group.members.is_empty() {
            self.0.remove(name);
            return Shrunk::Emptied;
        }
        group.gid.0[2] = group.gid.0[2].wrapping_add(1);
        Shrunk::Smaller
    }

    /// Names of the groups of a member.
    pub(crate) fn of_member(&self, member: &Member) -> Vec<Name> {
        self.0
            .iter()
            .filter(|(_, group)| {
                group
                    .members
                    .binary_search_by_key(&member.place(), Member::place)
                    .is_ok()
            })
            .map(|(name, _)| *name)
            .collect()
    }

    /// Forgets all members on other daemons, and groups without members.
    pub(crate) fn keep(&mut self, daemons: DaemonSet) {
        self.0.retain(|_, group| {
            group.members.retain(|m| daemons.contains(m.daemon));
            !group.members.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::session::{Phase, Session, Sessions};
    use super::*;

    fn member(sessions: &mut Sessions, daemon: usize, name: &[u8]) -> Member {
        let name = Name::new(name);
        let session = sessions.insert(Session {
            daemon,
            group: name,
            membership: true,
            phase: Phase::Open,
            link: None,
            last_message: 0,
        });
        Member {
            daemon,
            name,
            session,
        }
    }

    #[test]
    fn members_are_listed_by_daemon_then_name_not_by_time_of_join() {
        let mut sessions = Sessions::default();
        let mut groups = Groups::default();
        let room = Name::new(b"room");
        for (daemon, name) in [
            (1, &b"#a#d2"[..]),
            (0, b"#ab#d1"),
            (0, b"#a$#d1"),
            (0, b"#a#d1"),
        ] {
            let member = member(&mut sessions, daemon, name);
            assert!(groups.add(room, member, [1, 2]).is_some());
        }
        let group = groups.get(&room).unwrap();
        let names: Vec<_> = group.names().iter().map(Name::to_string).collect();
        assert_eq!(names, ["#a#d1", "#a$#d1", "#ab#d1", "#a#d2"]);
        assert_eq!(group.gid, GroupId([1, 2, 4]));
    }

    #[test]
    fn joining_twice_and_leaving_without_joining_change_nothing() {
        let mut sessions = Sessions::default();
        let mut groups = Groups::default();
        let room = Name::new(b"room");
        let a = member(&mut sessions, 0, b"#a#d1");
        let b = member(&mut sessions, 0, b"#b#d1");
        assert!(groups.add(room, a, [1, 2]).is_some());
        assert!(groups.add(room, a, [1, 2]).is_none());
        assert_eq!(groups.remove(&room, &b), Shrunk::Unchanged);
        assert_eq!(groups.get(&room).unwrap().gid, GroupId([1, 2, 1]));
        assert_eq!(groups.remove(&room, &a), Shrunk::Emptied);
        assert!(groups.get(&room).is_none());
        assert_eq!(groups.remove(&room, &a), Shrunk::Unchanged);
    }
}
