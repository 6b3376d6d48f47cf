//! New rings: transitional messages, what was on its way, views with their sets.

use std::collections::{BTreeMap, VecDeque};

use spread_proto::limits::MAX_NETWORK_MEMBERS;
use spread_proto::{GroupId, Name};

use super::groups::{Group, Groups};
use super::{Core, Ring, Sink};
use crate::daemons::DaemonSet;
use crate::event::{Cause, Event};

/// A previous ring of daemons that are about to form a new one.
struct Previous {
    key: usize,
    id: [i32; 2],
    /// Those of its members that come along.
    survivors: DaemonSet,
    /// Others were lost.
    shrinks: bool,
}

/// A group in the making of a new ring.
#[derive(Default)]
struct Merged {
    /// Per previous ring with members of the group, in the order of the rings.
    parts: Vec<Group>,
    /// It lost members, or comes from several rings: there will be a view.
    changed: bool,
}

impl Core {
    pub(super) fn add_ring(&mut self, ring: Ring) -> usize {
        match self.rings.iter().position(Option::is_none) {
            Some(key) => {
                self.rings[key] = Some(ring);
                key
            }
            None => {
                self.rings.push(Some(ring));
                self.rings.len() - 1
            }
        }
    }

    pub(super) fn form_due_rings(&mut self, sink: &mut impl Sink) {
        while let Some(at) = self.pending.iter().position(|p| p.at <= self.now) {
            let daemons = self.pending.remove(at).daemons;
            self.form_ring(daemons, sink);
        }
    }

    /// These daemons, all alive, form a ring now.
    fn form_ring(&mut self, daemons: DaemonSet, sink: &mut impl Sink) {
        let previous = self.previous_rings(daemons);
        for old in &previous {
            if let Some(ring) = self.ring_mut(old.key) {
                // What comes from now on belongs to the new ring.
                ring.intact = false;
                ring.late_orders = 0;
            }
        }
        let mut merged: BTreeMap<Name, Merged> = BTreeMap::new();
        for ring in &previous {
            let (groups, changed) = self.leave_ring(ring, sink);
            for (name, group) in groups.0 {
                let entry = merged.entry(name).or_default();
                entry.changed |= changed.contains(&name);
                entry.parts.push(group);
            }
        }

        let id = self.new_ring_id(daemons);
        sink.note(Event::Ring {
            daemons: self.names_of(daemons),
            id,
        });
        let key = self.add_ring(Ring {
            id,
            members: daemons,
            formed: true,
            intact: true,
            late_orders: 0,
            groups: Groups::default(),
            in_transition: Vec::new(),
            pipeline: VecDeque::new(),
        });
        for daemon in daemons.iter() {
            self.daemons[daemon].ring = key;
        }
        self.drop_deserted_rings();

        let too_large = |group: &Merged| {
            let members: usize = group.parts.iter().map(|part| part.members.len()).sum();
            (group.changed || group.parts.len() > 1) && members > MAX_NETWORK_MEMBERS
        };
        if self.config.faults.abort_on_large_group && merged.values().any(too_large) {
            sink.note(Event::Fault(format!(
                "a group of more than {MAX_NETWORK_MEMBERS} members: all daemons of the ring abort"
            )));
            for daemon in daemons.iter() {
                self.kill(daemon, sink);
            }
            return;
        }
        self.install_groups(key, id, merged, sink);
    }

    fn previous_rings(&self, daemons: DaemonSet) -> Vec<Previous> {
        let mut previous: Vec<Previous> = Vec::new();
        for daemon in daemons.iter() {
            let key = self.daemons[daemon].ring;
            match previous.iter_mut().find(|p| p.key == key) {
                Some(known) => known.survivors.insert(daemon),
                None => {
                    if let Some(ring) = self.ring(key) {
                        previous.push(Previous {
                            key,
                            id: ring.id,
                            survivors: DaemonSet::only(daemon),
                            shrinks: false,
                        });
                    }
                }
            }
        }
        for p in &mut previous {
            p.shrinks = self
                .ring(p.key)
                .is_some_and(|ring| !ring.members.without(p.survivors).is_empty());
        }
        // The order of the sets in views: by the rings' ids as signed numbers, then time.
        previous.sort_by_key(|p| p.id);
        previous
    }

    /// Ends the old ring for its survivors: transitional messages for groups that lose members,
    /// then what had been sequenced. Returns the groups that come along, and the changed ones.
    fn leave_ring(&mut self, old: &Previous, sink: &mut impl Sink) -> (Groups, Vec<Name>) {
        let Some(ring) = self.ring_mut(old.key) else {
            return (Groups::default(), Vec::new());
        };
        let lost = ring.members.without(old.survivors);
        // Daemons that stay behind end the ring on their own later, from the same state.
        let (groups, pipeline) = (ring.groups.clone(), ring.pipeline.clone());
        let mut changed: Vec<Name> = Vec::new();
        if old.shrinks {
            let touched = groups.0.iter().filter(|(_, g)| g.has_member_on(lost));
            changed = touched.map(|(name, _)| *name).collect();
        }
        ring.in_transition.clone_from(&changed);
        for name in &changed {
            self.transition(old, name, sink);
        }
        for (_, request) in pipeline {
            self.execute(old.key, request, old.survivors, sink);
        }
        let Some(ring) = self.ring_mut(old.key) else {
            return (Groups::default(), Vec::new());
        };
        ring.in_transition.clear();
        let mut left = std::mem::replace(&mut ring.groups, groups);
        left.keep(old.survivors);
        (left, changed)
    }

    fn transition(&mut self, old: &Previous, name: &Name, sink: &mut impl Sink) {
        let Some(mut post) = self.post(old.key, old.survivors, sink) else {
            return;
        };
        post.transition(*name);
    }

    fn new_ring_id(&mut self, daemons: DaemonSet) -> [i32; 2] {
        let seconds =
            i64::from(self.config.epoch_s) + 2 + i64::try_from(self.now.as_secs()).unwrap_or(0);
        let clock = i32::try_from(seconds).unwrap_or(i32::MAX);
        self.last_ring_time = clock.max(self.last_ring_time.saturating_add(1));
        let first = daemons.first().map_or(0, |first| self.daemons[first].id);
        [first, self.last_ring_time]
    }

    fn drop_deserted_rings(&mut self) {
        for key in 0..self.rings.len() {
            let deserted = !self
                .daemons
                .iter()
                .any(|d| d.health != super::Health::Dead && d.ring == key);
            if deserted {
                self.rings[key] = None;
            }
        }
    }

    fn install_groups(
        &mut self,
        key: usize,
        id: [i32; 2],
        merged: BTreeMap<Name, Merged>,
        sink: &mut impl Sink,
    ) {
        let mut views = Vec::new();
        let Some(ring) = self.ring_mut(key) else {
            return;
        };
        for (name, Merged { mut parts, changed }) in merged {
            if parts.len() == 1 && !changed {
                // Known on one side only: it keeps its id, and nobody notices.
                ring.groups.0.extend(parts.pop().map(|group| (name, group)));
                continue;
            }
            let sets: Vec<_> = parts.iter().map(Group::names).collect();
            let mut members: Vec<_> = parts.iter().flat_map(|part| part.members.clone()).collect();
            members.sort_by_key(|member| (member.daemon, member.name));
            let group = Group {
                gid: GroupId([id[0], id[1], 1]),
                members,
            };
            ring.groups.0.insert(name, group.clone());
            views.push((name, group, parts, sets));
        }
        for (name, group, parts, sets) in views {
            sink.note(Event::View {
                group: name,
                gid: group.gid,
                members: group.members.len(),
                cause: Cause::Network,
            });
            let scope = self.ring(key).map_or(DaemonSet::EMPTY, |ring| ring.members);
            if let Some(mut post) = self.post(key, scope, sink) {
                let messages = post.views.network(name, &group, sets);
                for (part, message) in parts.iter().zip(&messages) {
                    for member in &part.members {
                        post.give_member(member, message);
                    }
                }
            }
        }
        self.end_overflowed(sink);
    }
}
