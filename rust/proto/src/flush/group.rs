//! One group of one member.

use std::collections::{BTreeSet, HashSet, VecDeque};

use crate::membership::GroupId;
use crate::name::Name;
use crate::order::ByteOrder;
use crate::service::{
    CAUSED_BY_DISCONNECT, CAUSED_BY_JOIN, CAUSED_BY_LEAVE, CAUSED_BY_MASK, CAUSED_BY_NETWORK,
    REG_MEMB_MESS,
};

use super::message::{Control, Delivery, Refusal};
use super::wire;

/// Memberships after which an early vote is forgotten.
const MAX_EARLY_AGE: u32 = 200;

/// Early votes that are kept for one group. They can come from anybody, and a member has one per
/// membership.
const MAX_EARLY_VOTES: usize = 16 * 1024;

/// How this member is in the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// No view has been installed.
    Joining,
    Joined,
    /// The program has left; the daemon has not confirmed it.
    Leaving,
}

/// Where this member is on the way from view to view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// All members of the view are known to have it.
    Steady,
    /// The program has been asked to flush.
    Authorize,
    /// It has flushed: waiting for the others.
    Agree,
    /// The view is installed; others may not have it yet.
    Verify,
}

/// The installed view.
#[derive(Debug)]
struct View {
    gid: GroupId,
    members: Vec<Name>,
    /// Those who have not left since.
    present: HashSet<Name>,
    /// The program knows that guarantees have ended.
    transition_told: bool,
}

/// A membership that the daemon has told, and that is not installed.
#[derive(Debug)]
struct Change {
    gid: GroupId,
    /// One of the bits `CAUSED_BY_*`.
    cause: u32,
    /// As the daemon has listed them.
    members: Vec<Name>,
    /// Those who have not left since.
    present: HashSet<Name>,
    /// Who joined, left or was disconnected.
    changed: Name,
    own_index: i16,
    /// Members who have voted.
    flushed: HashSet<Name>,
    /// How many members there are, each counted once.
    voters: usize,
}

/// Votes that came before their membership.
#[derive(Debug)]
struct Early {
    gid: GroupId,
    age: u32,
    voters: BTreeSet<Name>,
}

/// A regular membership of the daemon.
#[derive(Debug)]
pub(super) struct Membership {
    pub(super) gid: GroupId,
    /// Bits `CAUSED_BY_*`.
    pub(super) cause: u32,
    pub(super) members: Vec<Name>,
    pub(super) own_index: i16,
    pub(super) me: Name,
    /// The own set: who joined, left or was disconnected, or who has come here together.
    pub(super) own_set: Vec<Name>,
}

/// What a group wants to send and to deliver.
#[derive(Debug, Default)]
pub(super) struct Output {
    pub(super) controls: VecDeque<Control>,
    pub(super) deliveries: VecDeque<Delivery>,
}

/// See the module's comment.
#[derive(Debug)]
pub(super) struct Group {
    name: Name,
    me: Name,
    standing: Standing,
    phase: Phase,
    view: View,
    /// The members by the daemon's last word.
    latest: Vec<Name>,
    /// Oldest first.
    queue: VecDeque<Change>,
    /// The membership that is being agreed on, or was last.
    current: Option<GroupId>,
    early: Vec<Early>,
    /// Messages of members who have installed the next view already.
    postponed: Vec<Delivery>,
    /// What they hold, so that it need not be summed for each of them.
    postponed_bytes: usize,
    /// Who is known to have installed `current`.
    confirmed: HashSet<Name>,
}

impl Group {
    /// A group whose first membership is about to be taken in.
    pub(super) fn new(name: Name, me: Name) -> Self {
        Self {
            name,
            me,
            standing: Standing::Joining,
            // A joiner has nothing to flush.
            phase: Phase::Agree,
            view: View {
                gid: GroupId::default(),
                members: vec![me],
                present: HashSet::from([me]),
                transition_told: true,
            },
            latest: Vec::new(),
            queue: VecDeque::new(),
            current: None,
            early: Vec::new(),
            postponed: Vec::new(),
            postponed_bytes: 0,
            confirmed: HashSet::new(),
        }
    }

    /// Bytes that peers have made this group keep.
    pub(super) fn held_bytes(&self) -> usize {
        let name = size_of::<Name>();
        let queued: usize = self
            .queue
            .iter()
            .map(|c| (c.members.len() + c.present.len() + c.flushed.len()) * name)
            .sum();
        let early: usize = self.early.iter().map(|e| e.voters.len() * name).sum();
        queued + early + self.postponed_bytes
    }

    /// Whether the group is not on its way from one view to the next.
    pub(super) fn is_steady(&self) -> bool {
        self.standing == Standing::Joined
            && self.queue.is_empty()
            && matches!(self.phase, Phase::Steady | Phase::Verify)
    }

    /// The view's id, if a program may send to the group now. The flag: in the vulnerable form
    /// where the service does not keep the order of different senders.
    pub(super) fn may_send(&self) -> Result<(GroupId, bool), Refusal> {
        if self.standing != Standing::Joined {
            return Err(Refusal::IllegalGroup);
        }
        match self.phase {
            Phase::Agree => Err(Refusal::IllegalState),
            Phase::Steady => Ok((self.view.gid, false)),
            Phase::Authorize | Phase::Verify => Ok((self.view.gid, true)),
        }
    }

    /// Whether a name is in the view as it was installed.
    pub(super) fn is_in_view(&self, name: &Name) -> bool {
        self.view.present.contains(name) || self.view.members.contains(name)
    }

    /// The program leaves.
    pub(super) fn leave(&mut self) -> Result<(), Refusal> {
        if self.standing != Standing::Joined {
            return Err(Refusal::IllegalGroup);
        }
        self.standing = Standing::Leaving;
        Ok(())
    }

    /// The program flushes.
    pub(super) fn flush(&mut self, out: &mut Output) -> Result<(), Refusal> {
        match (self.standing, self.phase, self.current) {
            (Standing::Leaving, ..) => Err(Refusal::IllegalGroup),
            (_, Phase::Authorize, Some(gid)) => {
                self.phase = Phase::Agree;
                out.controls.push_back(self.control(wire::FLUSH_OK, gid));
                Ok(())
            }
            _ => Err(Refusal::IllegalState),
        }
    }

    const fn control(&self, mess_type: i16, gid: GroupId) -> Control {
        Control {
            group: self.name,
            mess_type,
            gid,
        }
    }

    /// The daemon tells a new membership.
    pub(super) fn membership(&mut self, new: Membership, out: &mut Output) {
        let restored = self.is_restored(&new);
        if restored {
            self.start_over(&new);
        }
        let before = self.view.present.len();
        let leavers = self.leavers(&new);
        self.view.present.retain(|name| !leavers.contains(name));
        for early in &mut self.early {
            early.age += 1;
        }
        self.early.retain(|early| early.age <= MAX_EARLY_AGE);

        let collapsed = self.collapse(&leavers);
        let by_network = collapsed || (restored && self.standing != Standing::Joining);
        self.enqueue(new, by_network);
        self.look_at_head(out);
        // After a restart whoever was in the view with us is gone.
        let shrunk = self.view.present.len() < before || (restored && self.view.members.len() > 1);
        if shrunk {
            self.transition(out);
        }
    }

    /// Whether the session was lost and has been restored: this member has just come into a group
    /// that it was in. Its private group may have changed.
    fn is_restored(&self, new: &Membership) -> bool {
        let is_joining = new.cause & CAUSED_BY_JOIN != 0 && new.own_set.first() == Some(&new.me);
        !self.latest.is_empty() && (is_joining || !self.latest.contains(&new.me))
    }

    /// Nobody of the old view has come along, and no vote for what was waiting will ever come.
    fn start_over(&mut self, new: &Membership) {
        for member in &mut self.view.members {
            if *member == self.me {
                *member = new.me;
            }
        }
        self.me = new.me;
        self.view.present = HashSet::from([new.me]);
        self.latest.clear();
        self.queue.clear();
        self.early.clear();
        drop(self.take_postponed());
        self.confirmed.clear();
        self.current = None;
    }

    /// Who is not together with this member any more.
    fn leavers(&self, new: &Membership) -> HashSet<Name> {
        let here: HashSet<Name> = if new.cause & CAUSED_BY_NETWORK == 0 {
            new.members.iter().copied().collect()
        } else {
            new.own_set.iter().copied().collect()
        };
        let gone = self.latest.iter().filter(|name| !here.contains(name));
        gone.copied().collect()
    }

    /// Drops what can never be agreed on, as someone has gone without a vote. True if it was the
    /// last in the queue: then the next change takes its place, and is one of the network.
    fn collapse(&mut self, leavers: &HashSet<Name>) -> bool {
        let mut dropped = false;
        self.queue.retain_mut(|change| {
            let gone: Vec<&Name> = leavers
                .iter()
                .filter(|name| change.present.contains(name))
                .collect();
            if gone.iter().any(|name| !change.flushed.contains(name)) {
                dropped = true;
                return false;
            }
            for name in gone {
                change.present.remove(name);
            }
            if std::mem::take(&mut dropped) {
                change.cause = CAUSED_BY_NETWORK;
            }
            true
        });
        dropped
    }

    fn enqueue(&mut self, new: Membership, by_network: bool) {
        let present: HashSet<Name> = new.members.iter().copied().collect();
        let voters = self
            .early
            .iter()
            .position(|early| early.gid == new.gid)
            .map(|at| self.early.swap_remove(at).voters)
            .unwrap_or_default();
        self.latest.clone_from(&new.members);
        self.queue.push_back(Change {
            gid: new.gid,
            cause: if by_network {
                CAUSED_BY_NETWORK
            } else {
                new.cause & CAUSED_BY_MASK
            },
            flushed: voters
                .into_iter()
                .filter(|name| present.contains(name))
                .collect(),
            members: new.members,
            voters: present.len(),
            present,
            changed: new.own_set.first().copied().unwrap_or_default(),
            own_index: new.own_index,
        });
    }

    fn take_postponed(&mut self) -> Vec<Delivery> {
        self.postponed_bytes = 0;
        std::mem::take(&mut self.postponed)
    }

    /// If another change is the next one now, the work for it begins.
    fn look_at_head(&mut self, out: &mut Output) {
        let head = self.queue.front().map(|change| change.gid);
        let Some(gid) = head.filter(|_| head != self.current) else {
            return;
        };
        self.current = Some(gid);
        self.confirmed.clear();
        drop(self.take_postponed());
        match self.phase {
            Phase::Steady | Phase::Verify => {
                self.phase = Phase::Authorize;
                out.deliveries.push_back(Delivery::flush_request(self.name));
            }
            // The request stands.
            Phase::Authorize => {}
            // Whoever has flushed has nothing more to flush. A leaver's voice would come too late.
            Phase::Agree if self.standing == Standing::Leaving => {}
            Phase::Agree => out.controls.push_back(self.control(wire::FLUSH_OK, gid)),
        }
    }

    /// Guarantees have ended in the installed view.
    pub(super) fn transition(&mut self, out: &mut Output) {
        if !std::mem::replace(&mut self.view.transition_told, true) {
            out.deliveries.push_back(Delivery::transition(self.name));
        }
    }

    /// A member has flushed for a membership.
    pub(super) fn flush_ok(&mut self, voter: Name, gid: GroupId, out: &mut Output) {
        if let Some(change) = self.queue.iter_mut().find(|change| change.gid == gid) {
            if change.present.contains(&voter) || change.members.contains(&voter) {
                change.flushed.insert(voter);
            }
        } else {
            self.early_vote(voter, gid);
        }
        // Only members are in there.
        let head = self.queue.front();
        let complete = head.is_some_and(|change| change.flushed.len() == change.voters);
        if self.phase == Phase::Agree
            && complete
            && let Some(change) = self.queue.pop_front()
        {
            self.install(change, out);
        }
    }

    fn early_vote(&mut self, voter: Name, gid: GroupId) {
        if let Some(early) = self.early.iter_mut().find(|early| early.gid == gid) {
            early.voters.insert(voter);
        } else {
            self.early.push(Early {
                gid,
                age: 0,
                voters: BTreeSet::from([voter]),
            });
        }
        let mut votes: usize = self.early.iter().map(|early| early.voters.len()).sum();
        while votes > MAX_EARLY_VOTES {
            votes -= self.early.remove(0).voters.len();
        }
    }

    fn install(&mut self, change: Change, out: &mut Output) {
        out.deliveries
            .push_back(view_message(self.name, &change, &self.view));
        self.phase = Phase::Verify;
        if self.standing == Standing::Joining {
            self.standing = Standing::Joined;
        }
        let left_meanwhile = change.present.len() < change.members.len();
        self.view = View {
            gid: change.gid,
            members: change.members,
            present: change.present,
            transition_told: false,
        };
        let waiting = self.take_postponed();
        if self.queue.is_empty() {
            out.controls
                .push_back(self.control(wire::FLUSH_RECV, self.view.gid));
            self.verify();
        } else {
            self.look_at_head(out);
        }
        if left_meanwhile {
            self.transition(out);
        }
        out.deliveries.extend(waiting);
    }

    /// A member has installed a view.
    pub(super) fn flush_recv(&mut self, member: Name, gid: GroupId) {
        let counts = match self.phase {
            Phase::Verify => gid == self.view.gid,
            Phase::Agree => Some(gid) == self.current,
            Phase::Steady | Phase::Authorize => false,
        };
        if counts && self.latest.contains(&member) {
            self.confirmed.insert(member);
            self.verify();
        }
    }

    /// Steady, if everybody who is still there has the view.
    fn verify(&mut self) {
        if self.phase == Phase::Verify && self.view.present.is_subset(&self.confirmed) {
            self.phase = Phase::Steady;
        }
    }

    /// A program's message to the group. `sent_in`: the sender's view, if it is vulnerable.
    pub(super) fn data(&mut self, message: Delivery, sent_in: Option<GroupId>, out: &mut Output) {
        if self.phase == Phase::Agree && sent_in.is_some() && sent_in == self.current {
            let head = self.queue.front();
            if head.is_some_and(|change| change.present.contains(&message.sender)) {
                let mut message = message;
                message.body.shrink_to_fit();
                self.postponed_bytes += message.held_bytes();
                self.postponed.push(message);
            }
        } else if self.view.present.contains(&message.sender) {
            out.deliveries.push_back(message);
        }
    }
}

/// The message with which a program learns of a view.
fn view_message(group: Name, change: &Change, old: &View) -> Delivery {
    let set: Vec<Name> = if change.cause & (CAUSED_BY_JOIN | CAUSED_BY_LEAVE | CAUSED_BY_DISCONNECT)
        != 0
        && change.cause & CAUSED_BY_NETWORK == 0
    {
        vec![change.changed]
    } else {
        let members: HashSet<&Name> = change.members.iter().collect();
        let along = |name: &&Name| old.present.contains(name) && members.contains(name);
        old.members.iter().filter(along).copied().collect()
    };
    let mut body = wire::group_id_bytes(change.gid).to_vec();
    let count = i32::try_from(set.len()).unwrap_or(i32::MAX);
    body.extend_from_slice(&count.to_ne_bytes());
    for name in &set {
        body.extend_from_slice(name.raw());
    }
    Delivery {
        kind: REG_MEMB_MESS | change.cause,
        sender: group,
        groups: change.members.clone(),
        mess_type: change.own_index,
        header_type: change.own_index,
        order: ByteOrder::NATIVE,
        body_len: body.len(),
        body,
    }
}
