//! From a client's request to its delivery: checked, held, sequenced, executed.

use std::sync::Arc;
use std::time::Duration;

use spread_proto::limits::{MAX_DELIVERED_GROUPS, MAX_MESSAGE};
use spread_proto::{ByteOrder, HEADER_LEN, Header, Name, Violation, service, split_private_group};

use super::groups::{Member, Shrunk};
use super::session::{Phase, SessionId};
use super::views::Views;
use super::{Core, Delivery, Message, Sink};
use crate::daemons::DaemonSet;
use crate::event::{Ending, Event};

/// Something that has to go through the order.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    session: SessionId,
    what: What,
}

#[derive(Debug, Clone)]
enum What {
    Join(Name),
    Leave(Name),
    /// The end of the session. One that the daemon makes itself travels as SAFE.
    End {
        by_daemon: bool,
    },
    Message {
        kind: u32,
        groups: usize,
        frame: Message,
        /// Its own daemon has delivered it already.
        overtook: bool,
    },
}

impl Request {
    pub(crate) fn end_by_daemon(session: SessionId) -> Self {
        Self {
            session,
            what: What::End { by_daemon: true },
        }
    }

    fn is_safe(&self) -> bool {
        match self.what {
            What::Message { kind, .. } => kind & service::SAFE_MESS != 0,
            What::End { by_daemon } => by_daemon,
            What::Join(_) | What::Leave(_) => false,
        }
    }

    /// Of a service that the sender's own daemon delivers ahead of earlier messages.
    fn may_overtake(&self) -> bool {
        const UNORDERED: u32 = service::UNRELIABLE_MESS | service::RELIABLE_MESS;
        matches!(self.what, What::Message { kind, .. } if kind & UNORDERED != 0)
    }
}

/// What a frame makes a real daemon do to itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Taken.
    Accepted,
    /// The session has to be dropped.
    Drop(Violation),
    /// The daemon dies, by one of the reference's faults.
    DaemonAborts,
}

impl Core {
    /// Judges the header of a frame as soon as it is there.
    pub(crate) fn check(&self, id: SessionId, header: &Header) -> Verdict {
        let Some(session) = self.sessions.get(id) else {
            return Verdict::Drop(Violation::WrongSender);
        };
        let faults = self.config.faults;
        match spread_proto::Request::of(header, &session.group) {
            Err(Violation::DaemonOnly) if faults.abort_on_daemon_request => Verdict::DaemonAborts,
            Err(violation) => Verdict::Drop(violation),
            Ok(_) => {
                // Both are in range by the check.
                let bytes = usize::try_from(header.data_len).unwrap_or(usize::MAX)
                    + usize::try_from(header.num_groups).unwrap_or(usize::MAX) * 32;
                if bytes <= MAX_MESSAGE {
                    Verdict::Accepted
                } else if faults.abort_on_large_message {
                    Verdict::DaemonAborts
                } else {
                    Verdict::Drop(Violation::TooLong(bytes))
                }
            }
        }
    }

    /// Takes a whole frame whose header has been [accepted](Self::check). `frame` is as long as the
    /// header says; what the header becomes for the receivers is written into it.
    pub(crate) fn frame(
        &mut self,
        id: SessionId,
        header: &Header,
        frame: &mut [u8],
        sink: &mut impl Sink,
    ) {
        if self.sessions.get(id).is_none_or(|s| s.phase != Phase::Open) {
            return;
        }
        if self.config.denied.is_some() && self.is_denied(header, frame) {
            return self.reject(id, header, frame, sink);
        }
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let first_group = |frame: &[u8]| match frame.get(HEADER_LEN..).and_then(<[u8]>::first_chunk)
        {
            Some(raw) if header.num_groups > 0 => clean(Name::from_raw(*raw)),
            _ => Name::EMPTY,
        };
        let what = if header.kind & service::JOIN != 0 {
            What::Join(first_group(frame))
        } else if header.kind & service::LEAVE != 0 {
            What::Leave(first_group(frame))
        } else if header.kind & service::KILL != 0 {
            session.phase = Phase::Leaving;
            What::End { by_daemon: false }
        } else {
            What::Message {
                kind: header.kind,
                groups: usize::try_from(header.num_groups).unwrap_or_default(),
                frame: outgoing(header, session.group, frame, self.config.order),
                overtook: false,
            }
        };
        let daemon = session.daemon;
        self.submit(daemon, Request { session: id, what }, sink);
    }

    /// True for a request that the policy refuses. One without groups is none.
    fn is_denied(&self, header: &Header, frame: &[u8]) -> bool {
        let Some(prefix) = self.config.denied.as_deref() else {
            return false;
        };
        let groups = usize::try_from(header.num_groups).unwrap_or_default();
        let count = match header.kind & service::REQUEST_MASK {
            service::KILL => 0,
            service::JOIN | service::LEAVE => groups.min(1),
            _ => groups,
        };
        destinations(frame, count).any(|group| group.as_bytes().starts_with(prefix))
    }

    /// Sends a refused request back to its sender, if that wants its own messages.
    fn reject(&mut self, id: SessionId, header: &Header, frame: &[u8], sink: &mut impl Sink) {
        let Some(session) = self.sessions.get(id) else {
            return;
        };
        if header.kind & service::SELF_DISCARD != 0 {
            return;
        }
        let views = Views {
            order: self.config.order,
        };
        let message = views.reject(session.group, header, frame);
        if let Some(link) = session.link
            && sink.deliver(link, &message) == Delivery::Overflow
        {
            self.overflowed.push(id);
            self.end_overflowed(sink);
        }
    }

    /// Hands a request to the daemon's ring, or holds it.
    pub(super) fn submit(&mut self, daemon: usize, request: Request, sink: &mut impl Sink) {
        let at = &mut self.daemons[daemon];
        let key = at.ring;
        if at.held.is_empty() {
            let ring = self.rings.get_mut(key).and_then(Option::as_mut);
            match ring {
                Some(ring) if ring.intact => return self.sequence(key, request, sink),
                Some(ring) if ring.late_orders > 0 => {
                    ring.late_orders -= 1;
                    return self.sequence(key, request, sink);
                }
                _ => {}
            }
        }
        self.daemons[daemon].held.push_back(request);
    }

    fn sequence(&mut self, key: usize, mut request: Request, sink: &mut impl Sink) {
        let safe = self.config.timing.safe;
        let delay = if request.is_safe() {
            safe
        } else {
            Duration::ZERO
        };
        let overtakes = self.config.reliable_overtakes;
        let Some(ring) = self.ring_mut(key) else {
            return;
        };
        if ring.pipeline.is_empty() && delay.is_zero() && !overtakes {
            let scope = ring.members;
            return self.execute(key, request, scope, sink);
        }
        if overtakes && request.may_overtake() {
            self.overtake(key, &mut request, sink);
        }
        let at = self.now + delay;
        if let Some(ring) = self.ring_mut(key) {
            ring.pipeline.push_back((at, request));
        }
    }

    /// Delivers a message at its own daemon at once.
    fn overtake(&mut self, key: usize, request: &mut Request, sink: &mut impl Sink) {
        let Some(daemon) = self.sessions.get(request.session).map(|s| s.daemon) else {
            return;
        };
        self.execute(key, request.clone(), DaemonSet::only(daemon), sink);
        if let What::Message { overtook, .. } = &mut request.what {
            *overtook = true;
        }
    }

    /// Executes what is sequenced and due.
    pub(super) fn run_pipelines(&mut self, sink: &mut impl Sink) {
        let now = self.now;
        for key in 0..self.rings.len() {
            while let Some(ring) = self.ring_mut(key).filter(|ring| ring.intact)
                && ring.pipeline.front().is_some_and(|&(at, _)| at <= now)
                && let Some((_, request)) = ring.pipeline.pop_front()
            {
                let scope = ring.members;
                self.execute(key, request, scope, sink);
            }
        }
    }

    /// Sequences what daemons hold whose ring is intact again.
    pub(super) fn release_held(&mut self, sink: &mut impl Sink) {
        for daemon in 0..self.daemons.len() {
            let key = self.daemons[daemon].ring;
            while sink.accepts_held() && self.ring(key).is_some_and(|ring| ring.intact) {
                let Some(request) = self.daemons[daemon].held.pop_front() else {
                    break;
                };
                self.sequence(key, request, sink);
            }
        }
    }

    /// Executes a request at the daemons in `scope`, then ends the sessions that it overflowed.
    pub(super) fn execute(
        &mut self,
        key: usize,
        request: Request,
        scope: DaemonSet,
        sink: &mut impl Sink,
    ) {
        let is_message = matches!(request.what, What::Message { .. });
        let session = self.sessions.get(request.session);
        if !is_message && session.is_none_or(|session| !scope.contains(session.daemon)) {
            // Of a daemon that is on the other side by now, where it will be executed.
            return;
        }
        match request.what {
            What::Join(group) => self.join(key, request.session, group, scope, sink),
            What::Leave(group) => self.leave(key, request.session, group, scope, sink),
            What::End { .. } => self.end(key, request.session, scope, sink),
            What::Message {
                kind,
                groups,
                frame,
                overtook,
            } => {
                let scope = match self.sessions.get(request.session) {
                    Some(session) if overtook => scope.without(DaemonSet::only(session.daemon)),
                    _ => scope,
                };
                self.multicast(key, request.session, kind, groups, &frame, scope, sink);
            }
        }
        self.end_overflowed(sink);
    }

    pub(super) fn end_overflowed(&mut self, sink: &mut impl Sink) {
        // Each end may be executed at once, and its views may overflow others: a loop, not a
        // recursion that is as deep as there are sessions.
        if std::mem::replace(&mut self.ending, true) {
            return;
        }
        while let Some(id) = self.overflowed.pop() {
            let waiting = self.config.max_session_messages;
            self.ended(id, Ending::TooSlow, waiting, sink);
        }
        self.ending = false;
    }

    fn member(&self, id: SessionId) -> Option<Member> {
        let session = self.sessions.get(id)?;
        Some(Member {
            daemon: session.daemon,
            name: session.group,
            session: id,
        })
    }

    fn join(
        &mut self,
        key: usize,
        id: SessionId,
        name: Name,
        scope: DaemonSet,
        sink: &mut impl Sink,
    ) {
        // A session that is gone joins nevertheless: the others see it come and go.
        let Some(member) = self.member(id) else {
            return;
        };
        let Some(mut post) = self.post(key, scope, sink) else {
            return;
        };
        let ring = post.ring;
        if post.groups.add(name, member, ring).is_some() {
            post.view(name, service::CAUSED_BY_JOIN, member.name);
        }
    }

    fn leave(
        &mut self,
        key: usize,
        id: SessionId,
        name: Name,
        scope: DaemonSet,
        sink: &mut impl Sink,
    ) {
        let Some(member) = self.member(id) else {
            return;
        };
        let Some(mut post) = self.post(key, scope, sink) else {
            return;
        };
        let shrunk = post.groups.remove(&name, &member);
        if shrunk == Shrunk::Unchanged {
            return;
        }
        let message = post.views.self_leave(name);
        post.give_member(&member, &message);
        if shrunk == Shrunk::Smaller {
            post.view(name, service::CAUSED_BY_LEAVE, member.name);
        }
    }

    fn end(&mut self, key: usize, id: SessionId, scope: DaemonSet, sink: &mut impl Sink) {
        let Some(member) = self.member(id) else {
            return;
        };
        if let Some(mut post) = self.post(key, scope, sink) {
            for name in post.groups.of_member(&member) {
                if post.groups.remove(&name, &member) == Shrunk::Smaller {
                    post.view(name, service::CAUSED_BY_DISCONNECT, member.name);
                }
            }
        }
        let Some(session) = self.sessions.remove(id) else {
            return;
        };
        if session.phase == Phase::Leaving
            && let Some(link) = session.link
        {
            sink.note(Event::Ended {
                session: session.group,
                why: Ending::Killed,
                waiting: 0,
            });
            sink.close(link, Ending::Killed);
        }
        self.release_later(session.daemon, &session.group, id);
    }

    fn release_later(&mut self, daemon: usize, group: &Name, id: SessionId) {
        let Some((private_name, _)) = split_private_group(group) else {
            return;
        };
        let delay = self.config.timing.name_release;
        if delay.is_zero() {
            self.release_name(daemon, private_name, id);
        } else {
            let release = (self.now + delay, daemon, private_name.to_vec(), id);
            self.releases.push_back(release);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of one message")]
    fn multicast(
        &mut self,
        key: usize,
        sender: SessionId,
        kind: u32,
        groups: usize,
        frame: &Message,
        scope: DaemonSet,
        sink: &mut impl Sink,
    ) {
        if sink.notes_messages() {
            sink.note(Event::Message {
                sender: header_of(frame).map_or(Name::EMPTY, |header| header.name),
                kind,
                group: destinations(frame, groups).next().unwrap_or_default(),
                groups,
                bytes: frame.len(),
            });
        }
        if groups > MAX_DELIVERED_GROUPS && self.config.faults.lose_many_groups {
            return;
        }
        self.messages += 1;
        let number = self.messages;
        let Some(mut post) = self.post(key, scope, sink) else {
            return;
        };
        if kind & service::SELF_DISCARD != 0
            && let Some(session) = post.sessions.get_mut(sender)
        {
            // As if it had got it already.
            session.last_message = number;
        }
        for name in destinations(frame, groups) {
            if name.raw()[0] == b'#' {
                post.give_private_group(&name, number, frame);
            } else {
                post.give_group(&name, number, frame);
            }
        }
    }
}

/// The destinations in a frame of ours.
fn destinations(frame: &[u8], groups: usize) -> impl Iterator<Item = Name> {
    frame
        .get(HEADER_LEN..)
        .unwrap_or_default()
        .as_chunks()
        .0
        .iter()
        .take(groups)
        .map(|raw| Name::from_raw(*raw))
}

fn header_of(frame: &[u8]) -> Option<Header> {
    frame.first_chunk().map(Header::decode)
}

/// A client's message as its receivers get it: in the daemons' byte order, except for the hint.
fn outgoing(header: &Header, sender: Name, frame: &mut [u8], order: ByteOrder) -> Message {
    let header = Header {
        order,
        name: sender,
        ..*header
    };
    if let Some(wire) = frame.first_chunk_mut() {
        *wire = header.encode();
    }
    Arc::from(&*frame)
}

/// Without what a client has left after the NUL.
fn clean(name: Name) -> Name {
    let bytes = name.as_bytes();
    if bytes.len() < name.raw().len() {
        Name::new(bytes)
    } else {
        name
    }
}
