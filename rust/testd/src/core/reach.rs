//! Which daemons are alive and can reach each other, and when that is noticed.

use std::time::Duration;

use super::{Core, Health, Phase, Ring, Sink};
use crate::daemons::DaemonSet;
use crate::event::{Ending, Event};

/// Daemons that are going to form a ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pending {
    pub(crate) daemons: DaemonSet,
    pub(crate) at: Duration,
}

/// What happened to the network; it decides how long others take to notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Start,
    Crash,
    Partition,
    Heal,
    Thaw,
    Restart,
}

impl Core {
    pub(super) fn start_all(&mut self, sink: &mut impl Sink) {
        for daemon in 0..self.daemons.len() {
            self.boot(daemon);
        }
        self.notice(Change::Start, sink);
        self.form_due_rings(sink);
    }

    /// A daemon in a ring of its own, in which nothing is ordered before it has been formed.
    fn boot(&mut self, daemon: usize) {
        let key = self.add_ring(Ring {
            id: [self.daemons[daemon].id, self.last_ring_time],
            members: DaemonSet::only(daemon),
            formed: false,
            intact: false,
            late_orders: 0,
            groups: super::Groups::default(),
            in_transition: Vec::new(),
            pipeline: std::collections::VecDeque::new(),
        });
        let at = &mut self.daemons[daemon];
        at.health = Health::Alive;
        at.ring = key;
    }

    /// A daemon dies and forgets everything; closing its clients' connections is for the caller.
    /// Nothing if it is dead already.
    pub(crate) fn kill(&mut self, daemon: usize, sink: &mut impl Sink) {
        if self.daemons[daemon].health == Health::Dead {
            return;
        }
        let key = self.daemons[daemon].ring;
        let was_intact = self.ring(key).is_some_and(|ring| ring.intact);
        self.bury(daemon, sink);
        self.notice(Change::Crash, sink);
        let orders = self.config.orders_after_crash;
        if let Some(ring) = self.ring_mut(key).filter(|_| was_intact) {
            ring.late_orders = orders;
        }
    }

    /// What a daemon takes with it when it dies. Its place in rings is for [`notice`](Self::notice).
    pub(super) fn bury(&mut self, daemon: usize, sink: &mut impl Sink) {
        let at = &mut self.daemons[daemon];
        at.health = Health::Dead;
        at.names.clear();
        at.held.clear();
        let dead: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.daemon == daemon)
            .map(|(id, _)| id)
            .collect();
        for id in dead {
            if let Some(session) = self.sessions.remove(id)
                && matches!(session.phase, Phase::Open | Phase::Leaving)
            {
                sink.note(Event::Ended {
                    session: session.group,
                    why: Ending::DaemonDied,
                    waiting: 0,
                });
            }
        }
    }

    /// A daemon stops doing anything, but its connections stay. Nothing unless it is alive.
    pub(crate) fn freeze(&mut self, daemon: usize, sink: &mut impl Sink) {
        if self.daemons[daemon].health == Health::Alive {
            self.daemons[daemon].health = Health::Frozen;
            self.notice(Change::Crash, sink);
        }
    }

    /// A frozen daemon goes on. Nothing unless it is frozen.
    pub(crate) fn thaw(&mut self, daemon: usize, sink: &mut impl Sink) {
        if self.daemons[daemon].health == Health::Frozen {
            self.daemons[daemon].health = Health::Alive;
            self.notice(Change::Thaw, sink);
        }
    }

    /// A daemon starts that remembers nothing; one that is not dead is killed first.
    pub(crate) fn restart(&mut self, daemon: usize, sink: &mut impl Sink) {
        self.kill(daemon, sink);
        self.boot(daemon);
        self.notice(Change::Restart, sink);
    }

    /// Splits the network. Each set can reach only itself; daemons in no set stay together.
    pub(crate) fn partition(&mut self, sets: &[DaemonSet], sink: &mut impl Sink) {
        for (index, daemon) in self.daemons.iter_mut().enumerate() {
            let set = sets.iter().position(|set| set.contains(index));
            daemon.side = set.map_or(0, |set| set + 1);
        }
        self.notice(Change::Partition, sink);
    }

    /// Every daemon can reach every other one again.
    pub(crate) fn heal(&mut self, sink: &mut impl Sink) {
        for daemon in &mut self.daemons {
            daemon.side = 0;
        }
        self.notice(Change::Heal, sink);
    }

    /// The daemons that are alive and can reach each other, set by set.
    fn reachable_sets(&self) -> Vec<DaemonSet> {
        let mut sets: Vec<(usize, DaemonSet)> = Vec::new();
        for (index, daemon) in self.daemons.iter().enumerate() {
            if daemon.health != Health::Alive {
                continue;
            }
            match sets.iter_mut().find(|(side, _)| *side == daemon.side) {
                Some((_, set)) => set.insert(index),
                None => sets.push((daemon.side, DaemonSet::only(index))),
            }
        }
        sets.into_iter().map(|(_, set)| set).collect()
    }

    /// Looks which rings are broken or whole again, and plans new ones.
    pub(super) fn notice(&mut self, change: Change, sink: &mut impl Sink) {
        let sets = self.reachable_sets();
        for key in 0..self.rings.len() {
            self.look_at_ring(key, &sets, sink);
        }
        let before = std::mem::take(&mut self.pending);
        for daemons in sets {
            let is_ring = self
                .rings
                .iter()
                .flatten()
                .any(|ring| ring.intact && ring.members == daemons);
            if is_ring {
                continue;
            }
            let at = match before.iter().find(|pending| pending.daemons == daemons) {
                Some(same) => same.at,
                None => self.noticed_at(change, daemons, &before),
            };
            self.pending.push(Pending { daemons, at });
        }
    }

    fn look_at_ring(&mut self, key: usize, sets: &[DaemonSet], sink: &mut impl Sink) {
        let Some(ring) = self.ring(key) else {
            return;
        };
        let (members, was_intact) = (ring.members, ring.intact);
        let all_there =
            |d: usize| self.daemons[d].health == Health::Alive && self.daemons[d].ring == key;
        let intact = ring.formed
            && members.iter().all(all_there)
            && sets.iter().any(|set| members.without(*set).is_empty());
        if was_intact && !intact {
            sink.note(Event::Broken {
                daemons: self.names_of(members),
            });
        }
        if let Some(ring) = self.ring_mut(key) {
            ring.intact = intact;
            ring.late_orders = 0;
        }
    }

    fn noticed_at(&self, change: Change, daemons: DaemonSet, before: &[Pending]) -> Duration {
        let timing = &self.config.timing;
        let delay = match change {
            Change::Start => timing.start,
            Change::Crash => timing.crash,
            Change::Partition => timing.partition,
            Change::Heal => timing.heal,
            Change::Thaw => timing.thaw,
            Change::Restart => timing.restart,
        };
        let at = self.now + delay;
        if change != Change::Restart {
            return at;
        }
        // The others may be about to notice its death: they do so now, and take it in at once.
        match before.iter().find(|p| p.daemons.intersects(daemons)) {
            Some(pending) => pending.at.min(self.now + timing.fast_restart),
            None => at,
        }
    }
}
