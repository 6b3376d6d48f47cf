//! Giving messages to their receivers.

use spread_proto::{Name, service, split_private_group};

use super::groups::{Groups, Member};
use super::session::{SessionId, Sessions};
use super::views::Views;
use super::{Core, Daemon, Delivery, Message, Sink};
use crate::daemons::DaemonSet;
use crate::event::{Cause, Event};

impl Core {
    pub(super) fn post<'a, S: Sink>(
        &'a mut self,
        key: usize,
        scope: DaemonSet,
        sink: &'a mut S,
    ) -> Option<Post<'a, S>> {
        let ring = self.rings.get_mut(key)?.as_mut()?;
        Some(Post {
            groups: &mut ring.groups,
            in_transition: &ring.in_transition,
            ring: ring.id,
            sessions: &mut self.sessions,
            daemons: &self.daemons,
            overflowed: &mut self.overflowed,
            views: Views {
                order: self.config.order,
            },
            scope,
            sink,
        })
    }
}

/// What it takes to deliver: a ring's groups and the ways to its clients.
pub(super) struct Post<'a, S> {
    pub(super) groups: &'a mut Groups,
    in_transition: &'a [Name],
    pub(super) ring: [i32; 2],
    pub(super) sessions: &'a mut Sessions,
    daemons: &'a [Daemon],
    overflowed: &'a mut Vec<SessionId>,
    pub(super) views: Views,
    scope: DaemonSet,
    pub(super) sink: &'a mut S,
}

impl<S: Sink> Post<'_, S> {
    /// Delivers the view of a group after a change by one member.
    ///
    /// Where the guarantees of the group's view have ended already it is the view of a network
    /// change, and the guarantees of that one end at once.
    pub(super) fn view(&mut self, name: Name, cause: u32, who: Name) {
        let in_transition = self.in_transition.contains(&name);
        let Self {
            groups,
            sessions,
            overflowed,
            views,
            scope,
            sink,
            ..
        } = self;
        let Some(group) = groups.0.get_mut(&name) else {
            return;
        };
        if in_transition {
            group.members.retain(|m| scope.contains(m.daemon));
        }
        sink.note(Event::View {
            group: name,
            gid: group.gid,
            members: group.members.len(),
            cause: match cause {
                _ if in_transition => Cause::Network,
                service::CAUSED_BY_JOIN => Cause::Join(who),
                service::CAUSED_BY_LEAVE => Cause::Leave(who),
                _ => Cause::Disconnect(who),
            },
        });
        if !in_transition {
            let message = views.single(name, group, cause, who);
            for member in &group.members {
                give_view(sessions, overflowed, *scope, *sink, member, &message);
            }
            return;
        }
        // A new member has come through nothing with the others.
        let (new, old): (Vec<Name>, Vec<Name>) = group
            .names()
            .into_iter()
            .partition(|member| cause == service::CAUSED_BY_JOIN && *member == who);
        let sets: Vec<Vec<Name>> = [old, new].into_iter().filter(|s| !s.is_empty()).collect();
        let messages = views.network(name, group, sets.clone());
        for member in &group.members {
            let own = sets.iter().position(|set| set.contains(&member.name));
            if let Some(message) = own.and_then(|own| messages.get(own)) {
                give_view(sessions, overflowed, *scope, *sink, member, message);
            }
        }
        self.transition(name);
    }

    /// Tells the members that the guarantees of the group's view end.
    pub(super) fn transition(&mut self, name: Name) {
        let Self {
            groups,
            sessions,
            overflowed,
            views,
            scope,
            sink,
            ..
        } = self;
        let Some(group) = groups.get(&name) else {
            return;
        };
        let message = views.transition(name, group.gid);
        for member in &group.members {
            give_view(sessions, overflowed, *scope, *sink, member, &message);
        }
    }

    /// Delivers a membership message to a member, if it wants such.
    pub(super) fn give_member(&mut self, member: &Member, message: &Message) {
        give_view(
            self.sessions,
            self.overflowed,
            self.scope,
            self.sink,
            member,
            message,
        );
    }

    pub(super) fn give_group(&mut self, name: &Name, number: u64, message: &Message) {
        let Some(group) = self.groups.get(name) else {
            return;
        };
        for member in &group.members {
            if self.scope.contains(member.daemon) {
                give(
                    self.sessions,
                    self.overflowed,
                    self.sink,
                    member.session,
                    number,
                    message,
                );
            }
        }
    }

    pub(super) fn give_private_group(&mut self, name: &Name, number: u64, message: &Message) {
        let Some((private_name, daemon)) = split_private_group(name) else {
            return;
        };
        let found = self
            .daemons
            .iter()
            .enumerate()
            .find(|(index, d)| self.scope.contains(*index) && d.name.as_bytes() == daemon);
        if let Some(id) = found.and_then(|(_, d)| d.names.get(private_name).copied()) {
            give(
                self.sessions,
                self.overflowed,
                self.sink,
                id,
                number,
                message,
            );
        }
    }
}

fn give_view(
    sessions: &Sessions,
    overflowed: &mut Vec<SessionId>,
    scope: DaemonSet,
    sink: &mut impl Sink,
    member: &Member,
    message: &Message,
) {
    if !scope.contains(member.daemon) {
        return;
    }
    if let Some(session) = sessions.get(member.session)
        && session.membership
        && session.receives()
        && let Some(link) = session.link
        && sink.deliver(link, message) == Delivery::Overflow
    {
        overflowed.push(member.session);
    }
}

/// Delivers message `number` to a session that has not got it yet.
#[inline]
fn give(
    sessions: &mut Sessions,
    overflowed: &mut Vec<SessionId>,
    sink: &mut impl Sink,
    id: SessionId,
    number: u64,
    message: &Message,
) {
    if let Some(session) = sessions.get_mut(id)
        && session.last_message != number
        && session.receives()
        && let Some(link) = session.link
    {
        session.last_message = number;
        if sink.deliver(link, message) == Delivery::Overflow {
            overflowed.push(id);
        }
    }
}
