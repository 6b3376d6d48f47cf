//! Random runs, and what Extended Virtual Synchrony promises to each client in them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use spread_proto::{MembershipBody, service};

use super::lab::{Got, Lab, ViewNumber};
use crate::config::{Config, Timing};
use crate::core::Health;

const DAEMONS: usize = 4;
const NAMES: usize = 8;
const GROUPS: [&str; 3] = ["g", "h", "i"];

/// One step of a run. Clients are chosen by number from those that are connected.
#[derive(Debug, Clone)]
enum Step {
    Connect {
        name: usize,
        daemon: usize,
    },
    Join {
        who: usize,
        group: usize,
    },
    Leave {
        who: usize,
        group: usize,
    },
    Send {
        who: usize,
        groups: Vec<usize>,
        service: u32,
        discard: bool,
    },
    GoodBye {
        who: usize,
    },
    HangUp {
        who: usize,
    },
    /// The client's queue is full from now on.
    Fill {
        who: usize,
    },
    Kill(usize),
    Restart(usize),
    Freeze(usize),
    Thaw(usize),
    Partition(Vec<usize>),
    Heal,
    Pass(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (who, group, daemon) = (0..NAMES, 0..GROUPS.len(), 0..DAEMONS);
    prop_oneof![
        6 => (0..NAMES, daemon.clone()).prop_map(|(name, daemon)| Step::Connect { name, daemon }),
        8 => (who.clone(), group.clone()).prop_map(|(who, group)| Step::Join { who, group }),
        3 => (who.clone(), group.clone()).prop_map(|(who, group)| Step::Leave { who, group }),
        20 => (who.clone(), prop::collection::vec(group, 1..4), 0..6_u32, any::<bool>()).prop_map(
            |(who, groups, bit, discard)| Step::Send { who, groups, service: 1 << bit, discard }
        ),
        1 => who.clone().prop_map(|who| Step::GoodBye { who }),
        1 => who.clone().prop_map(|who| Step::HangUp { who }),
        1 => who.prop_map(|who| Step::Fill { who }),
        1 => daemon.clone().prop_map(Step::Kill),
        2 => daemon.clone().prop_map(Step::Restart),
        1 => daemon.clone().prop_map(Step::Freeze),
        2 => daemon.prop_map(Step::Thaw),
        2 => prop::collection::vec(0..3_usize, DAEMONS).prop_map(Step::Partition),
        2 => Just(Step::Heal),
        8 => (0..60_u64).prop_map(Step::Pass),
    ]
}

/// A client's life as the checks see it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    View {
        number: ViewNumber,
        gid: [i32; 3],
        cause: u32,
        members: Vec<String>,
        own_set: Vec<String>,
    },
    Transition([i32; 3]),
    SelfLeave,
    Message(u32),
}

/// A client, and the messages that it got on its way from one view to the next.
type Travelled<'a> = (&'a String, Vec<u32>);

#[derive(Debug)]
struct Sent {
    sender: String,
    groups: BTreeSet<String>,
    /// The sender does not want it back.
    discard: bool,
}

struct Run {
    lab: Lab,
    /// Connected clients.
    alive: Vec<String>,
    connected: u32,
    sent: u32,
    /// All messages by number.
    messages: BTreeMap<u32, Sent>,
}

impl Run {
    fn new(safe_ms: u64, orders_after_crash: u32) -> Self {
        let mut config = Config::new(DAEMONS);
        config.timing = Timing {
            safe: Duration::from_millis(safe_ms),
            name_release: Duration::from_millis(safe_ms),
            ..Timing::FAST
        };
        config.orders_after_crash = orders_after_crash;
        config.epoch_s = 1_000_000;
        Self {
            lab: Lab::new(config),
            alive: Vec::new(),
            connected: 0,
            sent: 0,
            messages: BTreeMap::new(),
        }
    }

    fn pick(&self, who: usize) -> Option<String> {
        let count = self.alive.len();
        // A frozen daemon hears nothing.
        let key = self.alive.get(who.checked_rem(count)?)?;
        (self.lab.core.health(self.lab.daemon(key)) == Health::Alive).then(|| key.clone())
    }

    fn forget_closed(&mut self) {
        let lab = &self.lab;
        self.alive.retain(|key| !lab.is_closed(key));
    }

    fn go(&mut self, step: &Step) {
        match step {
            Step::Connect { name, daemon } => {
                if self.lab.core.health(*daemon) == Health::Alive {
                    self.connected += 1;
                    let key = format!("client {}", self.connected);
                    if self.lab.connect(&key, &format!("n{name}"), *daemon, true) {
                        self.alive.push(key);
                    }
                }
            }
            Step::Join { who, group } => {
                if let Some(key) = self.pick(*who) {
                    self.lab.join(&key, GROUPS[*group]);
                }
            }
            Step::Leave { who, group } => {
                if let Some(key) = self.pick(*who) {
                    self.lab.leave(&key, GROUPS[*group]);
                }
            }
            Step::Send {
                who,
                groups,
                service,
                discard,
            } => {
                if let Some(key) = self.pick(*who) {
                    self.send(&key, groups, *service, *discard);
                }
            }
            Step::GoodBye { who } => {
                if let Some(key) = self.pick(*who) {
                    self.lab.kill_client(&key);
                    self.alive.retain(|alive| *alive != key);
                }
            }
            Step::HangUp { who } => {
                if let Some(key) = self.pick(*who) {
                    self.lab.hang_up(&key);
                }
            }
            Step::Fill { who } => {
                if let Some(key) = self.pick(*who) {
                    let link = self.lab.link(&key);
                    self.lab.sink.full.push(link);
                }
            }
            Step::Kill(daemon) => self.lab.kill(*daemon),
            Step::Restart(daemon) => self.lab.restart(*daemon),
            Step::Freeze(daemon) => self.lab.freeze(*daemon),
            Step::Thaw(daemon) => self.lab.thaw(*daemon),
            Step::Partition(sides) => {
                let set =
                    |side| -> Vec<usize> { (0..DAEMONS).filter(|d| sides[*d] == side).collect() };
                let sets: Vec<Vec<usize>> = (0..3).map(set).collect();
                let sets: Vec<&[usize]> = sets.iter().map(Vec::as_slice).collect();
                self.lab.partition(&sets);
            }
            Step::Heal => self.lab.heal(),
            Step::Pass(ms) => {
                let end = self.lab.now + Duration::from_millis(*ms);
                self.lab.pass_until(end);
            }
        }
        self.forget_closed();
    }

    fn send(&mut self, key: &str, groups: &[usize], service: u32, discard: bool) {
        self.sent += 1;
        let groups: Vec<&str> = groups.iter().map(|group| GROUPS[*group]).collect();
        let sent = Sent {
            sender: key.to_owned(),
            groups: groups.iter().map(|&group| group.to_owned()).collect(),
            discard,
        };
        self.messages.insert(self.sent, sent);
        let kind = if discard {
            service | service::SELF_DISCARD
        } else {
            service
        };
        self.lab.send(key, kind, &groups, 0, &self.sent.to_string());
    }

    /// Brings all daemons together again, and lets everything happen that is under way.
    fn finish(&mut self) {
        for daemon in 0..DAEMONS {
            match self.lab.core.health(daemon) {
                Health::Alive => {}
                Health::Frozen => self.lab.thaw(daemon),
                Health::Dead => self.lab.restart(daemon),
            }
        }
        self.lab.heal();
        self.lab.pass_until(self.lab.now + Duration::from_secs(1));
        self.forget_closed();
    }

    /// What a client has seen of one group, and of messages to it.
    fn seen(&self, key: &str, group: &str) -> Vec<Seen> {
        let mut seen = Vec::new();
        for (got, number) in self.lab.numbered(key) {
            let Got::Frame(_, frame) = got else {
                continue;
            };
            let kind = frame.header.kind;
            if service::is_regular(kind) {
                let id: u32 = std::str::from_utf8(&frame.body).unwrap().parse().unwrap();
                if self.messages[&id].groups.contains(group) {
                    seen.push(Seen::Message(id));
                }
                continue;
            }
            if frame.header.name.to_string() != group {
                continue;
            }
            let word = |at: usize| {
                let bytes = frame.body[at..at + 4].try_into().unwrap();
                frame.header.order.get_i32(bytes)
            };
            if service::is_self_leave(kind) {
                seen.push(Seen::SelfLeave);
            } else if service::is_transition(kind) {
                seen.push(Seen::Transition([word(0), word(4), word(8)]));
            } else {
                let body = MembershipBody::parse(&frame.body, frame.header.order).unwrap();
                let names = |names: &[spread_proto::Name]| {
                    names.iter().map(ToString::to_string).collect::<Vec<_>>()
                };
                seen.push(Seen::View {
                    number,
                    gid: body.gid.0,
                    cause: kind & service::CAUSED_BY_MASK,
                    members: names(&frame.groups),
                    own_set: names(&body.vs_sets[body.my_set]),
                });
            }
        }
        seen
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let keys = self.lab.keys();
        for key in &keys {
            self.check_messages(key)?;
        }
        self.check_one_order(&keys)?;
        for group in GROUPS {
            let lives: BTreeMap<&String, Vec<Seen>> = keys
                .iter()
                .map(|key| (key, self.seen(key, group)))
                .collect();
            for (key, life) in &lives {
                self.check_life(key, life)?;
            }
            self.check_views(&lives)?;
            self.check_end(&lives)?;
        }
        Ok(())
    }

    /// Nothing twice, nothing that was not sent, each sender's messages in its order.
    fn check_messages(&self, key: &str) -> Result<(), TestCaseError> {
        let mut last: BTreeMap<&String, u32> = BTreeMap::new();
        for id in self.messages_of(key) {
            let sender = &self.messages[&id].sender;
            // Numbers grow with time, for each sender as well.
            let before = last.insert(sender, id);
            prop_assert!(
                before.is_none_or(|before| before < id),
                "{key} got {id} of {sender} after {before:?}"
            );
        }
        Ok(())
    }

    fn messages_of(&self, key: &str) -> Vec<u32> {
        let frames = self.lab.got(key).iter().filter_map(|got| match got {
            Got::Frame(_, frame) if service::is_regular(frame.header.kind) => Some(frame),
            _ => None,
        });
        let ids = frames.map(|frame| std::str::from_utf8(&frame.body).unwrap().parse().unwrap());
        ids.collect()
    }

    /// Any two clients got the messages that both got in the same order.
    fn check_one_order(&self, keys: &[String]) -> Result<(), TestCaseError> {
        let all: Vec<Vec<u32>> = keys.iter().map(|key| self.messages_of(key)).collect();
        for (index, one) in all.iter().enumerate() {
            let in_one: BTreeSet<_> = one.iter().collect();
            for other in &all[..index] {
                let in_other: BTreeSet<_> = other.iter().collect();
                let a: Vec<_> = one.iter().filter(|id| in_other.contains(id)).collect();
                let b: Vec<_> = other.iter().filter(|id| in_one.contains(id)).collect();
                prop_assert_eq!(a, b);
            }
        }
        Ok(())
    }

    /// What one client may see of a group, whatever the others see.
    fn check_life(&self, key: &str, life: &[Seen]) -> Result<(), TestCaseError> {
        let own = self.lab.group(key).to_string();
        let mut current: Option<[i32; 3]> = None;
        let mut in_transition = false;
        for seen in life {
            match seen {
                Seen::View {
                    gid,
                    cause,
                    members,
                    own_set,
                    ..
                } => {
                    prop_assert!(members.contains(&own), "{key} is not in its own view");
                    match current {
                        // Who joins within a change sees that.
                        None => prop_assert!(
                            [service::CAUSED_BY_JOIN, service::CAUSED_BY_NETWORK].contains(cause)
                        ),
                        // Never the same id twice in a row, and in one ring they grow.
                        Some(before) if before[..2] == gid[..2] => {
                            prop_assert!(before[2] < gid[2], "{before:?} then {gid:?}");
                        }
                        Some(_) => prop_assert_eq!(*cause, service::CAUSED_BY_NETWORK),
                    }
                    if *cause == service::CAUSED_BY_NETWORK {
                        prop_assert!(own_set.contains(&own), "{key} is not in its own set");
                        prop_assert!(own_set.iter().all(|name| members.contains(name)));
                    }
                    if in_transition {
                        prop_assert_eq!(*cause, service::CAUSED_BY_NETWORK);
                    }
                    in_transition = false;
                    current = Some(*gid);
                }
                Seen::Transition(gid) => {
                    prop_assert_eq!(current, Some(*gid));
                    prop_assert!(!in_transition, "two transitions of {gid:?}");
                    in_transition = true;
                }
                Seen::SelfLeave => {
                    prop_assert!(current.is_some());
                    current = None;
                    in_transition = false;
                }
                Seen::Message(_) => prop_assert!(
                    // Or another of its groups did.
                    current.is_some() || GROUPS.len() > 1
                ),
            }
        }
        Ok(())
    }

    /// What clients see of the same views of a group.
    fn check_views(&self, lives: &BTreeMap<&String, Vec<Seen>>) -> Result<(), TestCaseError> {
        /// A view, and what its receivers agree on.
        type Agreed = ([i32; 3], u32, Vec<String>);
        let mut views: BTreeMap<ViewNumber, Agreed> = BTreeMap::new();
        // Messages from one view to the next, for each client that went that way.
        let mut ways: BTreeMap<(ViewNumber, ViewNumber), Vec<Travelled<'_>>> = BTreeMap::new();
        // View before a network view, for each set of it.
        let mut origins: BTreeMap<(ViewNumber, Vec<String>), BTreeSet<ViewNumber>> =
            BTreeMap::new();
        for (key, life) in lives {
            let mut before: Option<ViewNumber> = None;
            let mut messages = Vec::new();
            for seen in life {
                match seen {
                    Seen::View {
                        number,
                        gid,
                        cause,
                        members,
                        own_set,
                    } => {
                        let agreed = (*gid, *cause, members.clone());
                        let known = views.entry(*number).or_insert_with(|| agreed.clone());
                        prop_assert_eq!(&*known, &agreed);
                        if let Some(before) = before {
                            let way = (before, *number);
                            let messages = std::mem::take(&mut messages);
                            ways.entry(way).or_default().push((key, messages));
                            if *cause == service::CAUSED_BY_NETWORK {
                                let origin = (*number, own_set.clone());
                                origins.entry(origin).or_default().insert(before);
                            }
                        }
                        before = Some(*number);
                        messages.clear();
                    }
                    Seen::Message(id) => messages.push(*id),
                    Seen::SelfLeave => before = None,
                    Seen::Transition(_) => {}
                }
            }
        }
        for (way, travellers) in &ways {
            // The order has been checked. Senders may miss what they did not want back.
            let all: BTreeSet<u32> = travellers
                .iter()
                .flat_map(|(_, m)| m.iter().copied())
                .collect();
            for (key, messages) in travellers {
                let missed = all.iter().filter(|id| !messages.contains(id));
                for id in missed {
                    let sent = &self.messages[id];
                    prop_assert!(
                        sent.discard && sent.sender == **key,
                        "on the way {way:?} {key} missed {id}"
                    );
                }
            }
        }
        for ((view, set), from) in &origins {
            prop_assert_eq!(
                from.len(),
                1,
                "set {:?} of view {} comes from {:?}",
                set,
                view,
                from
            );
        }
        Ok(())
    }

    /// Once all is quiet, all who are in a group have the same view of it: themselves.
    fn check_end(&self, lives: &BTreeMap<&String, Vec<Seen>>) -> Result<(), TestCaseError> {
        let mut inside = Vec::new();
        let mut views = BTreeSet::new();
        for key in &self.alive {
            let last = lives[key]
                .iter()
                .rev()
                .find(|seen| !matches!(seen, Seen::Message(_)));
            match last {
                Some(Seen::View {
                    number, members, ..
                }) => {
                    inside.push(self.lab.group(key).to_string());
                    views.insert((*number, members.clone()));
                }
                Some(Seen::SelfLeave) | None => {}
                other => prop_assert!(false, "{key} is left with {other:?}"),
            }
        }
        prop_assert!(views.len() <= 1, "different views in the end: {views:?}");
        if let Some((_, members)) = views.first() {
            let (mut members, mut inside) = (members.clone(), inside);
            members.sort();
            inside.sort();
            prop_assert_eq!(members, inside);
        }
        Ok(())
    }
}

proptest! {
    #[test]
    fn random_networks_keep_extended_virtual_synchrony(
        steps in prop::collection::vec(step(), 1..150),
        safe_ms in prop_oneof![Just(0_u64), Just(5)],
        orders_after_crash in 0..2_u32,
    ) {
        let mut run = Run::new(safe_ms, orders_after_crash);
        for step in &steps {
            run.go(step);
        }
        run.finish();
        run.check()?;
    }
}
