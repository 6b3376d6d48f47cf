//! Sessions, their machines and programs, and the daemons between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use spread_proto::flush::wire::FLUSH_REQ_MESS;
use spread_proto::flush::{Machine, Message, Refusal, SendRequest};
use spread_proto::service::{
    CAUSED_BY_DISCONNECT, CAUSED_BY_JOIN, CAUSED_BY_LEAVE, CAUSED_BY_NETWORK, FIFO_MESS,
    REG_MEMB_MESS, REGULAR_MESS, TRANSITION_MESS,
};
use spread_proto::{ByteOrder, GroupId, MembershipBody, Name};

/// Sessions; few, so that they meet.
pub(crate) const MEMBERS: usize = 4;

fn group() -> Name {
    Name::new(b"room")
}

/// One message on its way to one session.
#[derive(Debug, Clone)]
struct Item {
    message: Message,
    /// May be overtaken by no one.
    is_wall: bool,
    /// May overtake what others have sent.
    is_fifo: bool,
}

/// What a program has seen and said.
#[derive(Debug, Default)]
struct Program {
    view: Option<GroupId>,
    /// A request is open.
    asked: bool,
    transition_told: bool,
    /// Views in their order, each with the set in its body and the messages received in it.
    views: Vec<Seen>,
}

#[derive(Debug)]
struct Seen {
    gid: GroupId,
    set: Vec<Name>,
    messages: BTreeSet<u32>,
}

#[derive(Debug)]
pub(crate) struct Session {
    name: Name,
    machine: Machine,
    program: Program,
    /// The daemons count it among the members.
    is_member: bool,
    inbox: VecDeque<Item>,
    /// Sessions with the same number can reach each other.
    side: usize,
    renamed: u32,
}

#[derive(Debug)]
pub(crate) struct Network {
    sessions: Vec<Session>,
    next_gid: i32,
    next_message: u32,
    /// The view in which each message was sent.
    sent_in: BTreeMap<u32, GroupId>,
    /// The members of each view, as the first one to install it had them.
    views: BTreeMap<GroupId, Vec<Name>>,
}

impl Network {
    pub(crate) fn new() -> Self {
        let sessions = (0..MEMBERS).map(|number| Session {
            name: Name::new(format!("#m{number}#d").as_bytes()),
            machine: Machine::new(),
            program: Program::default(),
            is_member: false,
            inbox: VecDeque::new(),
            side: 0,
            renamed: 0,
        });
        Self {
            sessions: sessions.collect(),
            next_gid: 1,
            next_message: 1,
            sent_in: BTreeMap::new(),
            views: BTreeMap::new(),
        }
    }

    /// Members on a side, in the order of the daemons.
    fn members(&self, side: usize) -> Vec<Name> {
        let mut names: Vec<Name> = self
            .sessions
            .iter()
            .filter(|session| session.is_member && session.side == side)
            .map(|session| session.name)
            .collect();
        names.sort();
        names
    }

    /// Tells the members of a side of a change; `sets` are the sets of the message.
    fn tell(&mut self, side: usize, cause: u32, sets: &[Vec<Name>]) {
        let members = self.members(side);
        let gid = GroupId([7, 7, self.next_gid]);
        self.next_gid += 1;
        for session in &mut self.sessions {
            let Some(index) = members.iter().position(|name| *name == session.name) else {
                continue;
            };
            let my_set = sets
                .iter()
                .position(|set| set.contains(&session.name))
                .unwrap_or(0);
            let body = MembershipBody {
                gid,
                vs_sets: sets.to_vec(),
                my_set,
            };
            session.inbox.push_back(Item {
                message: Message {
                    kind: REG_MEMB_MESS | cause,
                    sender: group(),
                    groups: members.clone(),
                    mess_type: i16::try_from(index).unwrap(),
                    order: ByteOrder::NATIVE,
                    body: body.encode(ByteOrder::NATIVE),
                },
                // Nothing reaches a session as a member before it is one.
                is_wall: cause == CAUSED_BY_NETWORK
                    || cause == CAUSED_BY_JOIN && sets[0].contains(&session.name),
                is_fifo: false,
            });
        }
    }

    fn notice(kind: u32) -> Item {
        Item {
            message: Message {
                kind,
                sender: group(),
                groups: Vec::new(),
                mess_type: -1,
                order: ByteOrder::NATIVE,
                body: if kind == TRANSITION_MESS {
                    vec![0; 12]
                } else {
                    Vec::new()
                },
            },
            is_wall: true,
            is_fifo: false,
        }
    }

    pub(crate) fn join(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        if session.is_member || session.machine.check_join(&group()).is_err() {
            return;
        }
        session.is_member = true;
        let (side, set) = (session.side, vec![session.name]);
        self.tell(side, CAUSED_BY_JOIN, &[set]);
    }

    pub(crate) fn leave(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        if session.machine.leave(&group()).is_err() {
            return;
        }
        session.is_member = false;
        session.inbox.push_back(Self::notice(CAUSED_BY_LEAVE));
        let (side, set) = (session.side, vec![session.name]);
        self.tell(side, CAUSED_BY_LEAVE, &[set]);
    }

    /// The session ends, and begins again under another name, knowing nothing.
    pub(crate) fn disconnect(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        let (side, set) = (session.side, vec![session.name]);
        let was_member = std::mem::take(&mut session.is_member);
        session.rename();
        session.machine = Machine::new();
        session.program = Program::default();
        session.inbox.clear();
        if was_member {
            self.tell(side, CAUSED_BY_DISCONNECT, &[set]);
        }
    }

    /// The connection is lost, and restored at another daemon: what had come stays, then a signal, and the own join.
    pub(crate) fn reconnect(&mut self, at: usize, kept: usize) {
        let session = &mut self.sessions[at];
        if !session.is_member {
            return;
        }
        let (side, set) = (session.side, vec![session.name]);
        let kept = kept % (session.inbox.len() + 1);
        session.inbox.truncate(kept);
        session.inbox.push_back(Self::notice(TRANSITION_MESS));
        session.is_member = false;
        session.rename();
        self.tell(side, CAUSED_BY_DISCONNECT, &[set]);
        self.sessions[at].is_member = true;
        let set = vec![self.sessions[at].name];
        self.tell(side, CAUSED_BY_JOIN, &[set]);
    }

    /// Sessions change sides: `sides` says who comes where.
    pub(crate) fn regroup(&mut self, sides: &[usize]) {
        let old: Vec<usize> = self.sessions.iter().map(|session| session.side).collect();
        let before: BTreeMap<usize, Vec<Name>> =
            old.iter().map(|&side| (side, self.members(side))).collect();
        for (session, &side) in self.sessions.iter_mut().zip(sides) {
            session.side = side;
        }
        for &side in &BTreeSet::from_iter(sides.iter().copied()) {
            let members = self.members(side);
            let sets: Vec<Vec<Name>> = before
                .values()
                .map(|set| {
                    set.iter()
                        .copied()
                        .filter(|name| members.contains(name))
                        .collect()
                })
                .filter(|set: &Vec<Name>| !set.is_empty())
                .collect();
            // Nothing has changed for a group whose members are the same as before.
            if members.is_empty() || before.values().any(|set| *set == members) {
                continue;
            }
            for session in &mut self.sessions {
                if session.is_member && session.side == side {
                    session.inbox.push_back(Self::notice(TRANSITION_MESS));
                }
            }
            self.tell(side, CAUSED_BY_NETWORK, &sets);
        }
    }

    /// One session's message to all members it can reach.
    fn multicast(&mut self, from: usize, kind: u32, mess_type: i16, body: &[u8]) {
        let (side, sender) = (self.sessions[from].side, self.sessions[from].name);
        for session in &mut self.sessions {
            if session.is_member && session.side == side {
                session.inbox.push_back(Item {
                    message: Message {
                        kind,
                        sender,
                        groups: vec![group()],
                        mess_type,
                        order: ByteOrder::NATIVE,
                        body: body.to_vec(),
                    },
                    is_wall: false,
                    is_fifo: kind == FIFO_MESS,
                });
            }
        }
    }

    pub(crate) fn send(&mut self, from: usize, service: u32) {
        let session = &self.sessions[from];
        let request = SendRequest {
            service,
            group: group(),
            receivers: None,
            mess_type: 1,
            pieces: 1,
        };
        let answer = session.machine.envelope(&request);
        let Some(view) = session.program.view else {
            assert_eq!(answer, Err(Refusal::IllegalGroup));
            return;
        };
        let Ok(envelope) = answer else { return };
        let number = self.next_message;
        self.next_message += 1;
        self.sent_in.insert(number, view);
        let mut body = number.to_ne_bytes().to_vec();
        body.extend_from_slice(envelope.suffix.as_bytes());
        self.multicast(from, envelope.kind, envelope.mess_type, &body);
    }

    pub(crate) fn flush(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        let answer = session.machine.flush(&group());
        assert_eq!(
            answer.is_ok(),
            session.program.asked && answer != Err(Refusal::IllegalGroup),
            "{answer:?}"
        );
        if answer.is_ok() {
            session.program.asked = false;
            assert_eq!(session.machine.flush(&group()), Err(Refusal::IllegalState));
        }
        self.send_controls(at);
    }

    fn send_controls(&mut self, at: usize) {
        while let Some(control) = self.sessions[at].machine.poll_control() {
            assert_eq!(control.group, group());
            let body = control.body();
            self.multicast(at, FIFO_MESS, control.mess_type, body.as_bytes());
        }
    }

    /// The session takes its next message in, and its program all that comes of it.
    pub(crate) fn step(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        let Some(item) = session.inbox.pop_front() else {
            return;
        };
        let me = session.name;
        session.machine.handle(&me, item.message).unwrap();
        while let Some(delivery) = self.sessions[at].machine.take_next() {
            self.receive(at, &delivery);
        }
        self.send_controls(at);
    }

    fn receive(&mut self, at: usize, delivery: &spread_proto::flush::Delivery) {
        let program = &mut self.sessions[at].program;
        if delivery.kind & REGULAR_MESS != 0 {
            let number = u32::from_ne_bytes(delivery.user_body().try_into().unwrap());
            assert_eq!(
                program.view,
                Some(self.sent_in[&number]),
                "message {number} in another view"
            );
            let seen = program.views.last_mut().unwrap();
            assert!(seen.messages.insert(number), "message {number} came twice");
        } else if delivery.kind == FLUSH_REQ_MESS {
            assert!(!program.asked, "asked twice");
            program.asked = true;
        } else if delivery.kind == TRANSITION_MESS {
            assert!(program.view.is_some() && !program.transition_told);
            program.transition_told = true;
        } else if delivery.kind == CAUSED_BY_LEAVE {
            *program = Program::default();
        } else {
            assert!(!program.asked, "a view without a flush");
            let body = delivery.user_body();
            let mut gid = GroupId::default();
            for (word, bytes) in gid.0.iter_mut().zip(body.as_chunks().0) {
                *word = i32::from_ne_bytes(*bytes);
            }
            let set = body[16..]
                .as_chunks()
                .0
                .iter()
                .map(|&raw| Name::from_raw(raw))
                .collect();
            let first = self
                .views
                .entry(gid)
                .or_insert_with(|| delivery.groups.clone());
            assert_eq!(
                *first, delivery.groups,
                "view {gid:?} has two sets of members"
            );
            let own = usize::try_from(delivery.mess_type).unwrap();
            assert!(
                delivery.groups[own] == self.sessions[at].name || self.sessions[at].renamed > 0
            );
            let program = &mut self.sessions[at].program;
            program.view = Some(gid);
            program.transition_told = false;
            program.views.push(Seen {
                gid,
                set,
                messages: BTreeSet::new(),
            });
        }
    }

    /// What one sender has sent overtakes what others have, as far as the daemons do not promise
    /// otherwise.
    pub(crate) fn overtake(&mut self, at: usize, who: usize) {
        let sender = self.sessions[who].name;
        let inbox = &mut self.sessions[at].inbox;
        for place in 1..inbox.len() {
            if !inbox[place].is_fifo || inbox[place].message.sender != sender {
                continue;
            }
            let mut to = place;
            while to > 0 && !inbox[to - 1].is_wall && inbox[to - 1].message.sender != sender {
                inbox.swap(to - 1, to);
                to -= 1;
            }
        }
    }

    /// The network is whole, and calm.
    pub(crate) fn settle(&mut self) {
        self.regroup(&[0; MEMBERS]);
        self.calm();
    }

    /// All programs flush, until nothing happens any more.
    pub(crate) fn calm(&mut self) {
        for _ in 0..10_000 {
            let mut quiet = true;
            for at in 0..MEMBERS {
                quiet &= self.sessions[at].inbox.is_empty() && !self.sessions[at].program.asked;
                self.step(at);
                if self.sessions[at].program.asked {
                    self.flush(at);
                }
            }
            if quiet {
                return;
            }
        }
        panic!("the members never agree: {self:#?}");
    }

    pub(crate) fn check_at_the_end(&mut self) {
        let members = self.members(0);
        for at in 0..MEMBERS {
            let session = &self.sessions[at];
            if session.is_member {
                let view = session.program.view.expect("every member has a view");
                assert_eq!(self.views[&view], members, "{:?}", session.name);
            }
            // Votes for what came to nothing, at the most.
            assert!(
                session.machine.held_bytes() < 64 * 1024,
                "{}",
                session.machine.held_bytes()
            );
        }
        // Everybody reaches everybody.
        for from in 0..MEMBERS {
            if self.sessions[from].is_member {
                self.send(from, FIFO_MESS);
            }
        }
        let sent = members.len();
        self.settle();
        for session in &self.sessions {
            if session.is_member {
                let last = session.program.views.last().unwrap();
                assert!(last.messages.len() >= sent);
            }
        }
        self.check_together();
    }

    /// Whoever went from a view to the next one together has had the same messages in it.
    fn check_together(&self) {
        let mut seen: BTreeMap<(GroupId, GroupId, Vec<Name>), &BTreeSet<u32>> = BTreeMap::new();
        for session in &self.sessions {
            for pair in session.program.views.windows(2) {
                // A lone mover has nobody to agree with; a set of a join has the joiner only.
                if pair[1].set.len() < 2 {
                    continue;
                }
                let key = (pair[0].gid, pair[1].gid, pair[1].set.clone());
                let first = seen.entry(key).or_insert(&pair[0].messages);
                assert_eq!(
                    **first, pair[0].messages,
                    "{:?} to {:?}",
                    pair[0].gid, pair[1].gid
                );
            }
        }
        self.check_joins_together();
    }

    /// The same where the view's body names only who has come or gone: all others have moved together.
    fn check_joins_together(&self) {
        let mut seen: BTreeMap<(GroupId, GroupId), &BTreeSet<u32>> = BTreeMap::new();
        for session in self.sessions.iter().filter(|session| session.renamed == 0) {
            for pair in session.program.views.windows(2) {
                if pair[1].set.len() != 1 || pair[1].set[0] == session.name {
                    continue;
                }
                let first = seen
                    .entry((pair[0].gid, pair[1].gid))
                    .or_insert(&pair[0].messages);
                assert_eq!(
                    **first, pair[0].messages,
                    "{:?} to {:?}",
                    pair[0].gid, pair[1].gid
                );
            }
        }
    }
}

impl Session {
    fn rename(&mut self) {
        self.renamed += 1;
        let name = format!(
            "{}x{}",
            self.name.to_string().split('x').next().unwrap(),
            self.renamed
        );
        self.name = Name::new(name.as_bytes());
    }
}
