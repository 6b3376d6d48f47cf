//! The messages that daemons make themselves.

use std::sync::Arc;

use spread_proto::limits::{MAX_GROUPS, NAME_FIELD};
use spread_proto::{
    ByteOrder, Frame, GroupId, HEADER_LEN, Header, Hint, MembershipBody, Name, service,
    transition_body,
};

use super::Message;
use super::groups::Group;

/// Makes messages in the byte order of the daemons.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Views {
    pub(crate) order: ByteOrder,
}

impl Views {
    /// A view caused by one member: `cause` is one of the join, leave and disconnect bits.
    pub(crate) fn single(self, name: Name, group: &Group, cause: u32, who: Name) -> Message {
        let body = MembershipBody {
            gid: group.gid,
            vs_sets: vec![vec![who]],
            my_set: 0,
        };
        self.view(name, group, cause, &body)
    }

    /// A view caused by the network, one message for the members of each set.
    pub(crate) fn network(
        self,
        name: Name,
        group: &Group,
        vs_sets: Vec<Vec<Name>>,
    ) -> Vec<Message> {
        let mut body = MembershipBody {
            gid: group.gid,
            vs_sets,
            my_set: 0,
        };
        (0..body.vs_sets.len())
            .map(|set| {
                body.my_set = set;
                self.view(name, group, service::CAUSED_BY_NETWORK, &body)
            })
            .collect()
    }

    fn view(self, name: Name, group: &Group, cause: u32, body: &MembershipBody) -> Message {
        self.message(
            service::REG_MEMB_MESS | cause,
            name,
            group.names(),
            body.encode(self.order),
        )
    }

    /// The sign that the guarantees of the view `gid` end.
    pub(crate) fn transition(self, name: Name, gid: GroupId) -> Message {
        let body = transition_body(gid, self.order).to_vec();
        self.message(service::TRANSITION_MESS, name, Vec::new(), body)
    }

    /// What a session gets that has left a group.
    pub(crate) fn self_leave(self, name: Name) -> Message {
        self.message(service::CAUSED_BY_LEAVE, name, Vec::new(), Vec::new())
    }

    /// A refused frame on its way back: with its own kind behind the header, and with the sender as
    /// one more group, or as the last one if there is no room for more.
    pub(crate) fn reject(self, own: Name, header: &Header, frame: &[u8]) -> Message {
        let rest = frame.get(HEADER_LEN..).unwrap_or_default();
        let count = usize::try_from(header.num_groups).unwrap_or_default();
        let (groups, body) = rest
            .split_at_checked(count * NAME_FIELD)
            .unwrap_or_default();
        let mut groups: Vec<Name> = groups
            .as_chunks()
            .0
            .iter()
            .map(|raw| Name::from_raw(*raw))
            .collect();
        groups.truncate(MAX_GROUPS - 1);
        groups.push(own);
        let old_kind = match header.kind & service::REQUEST_MASK {
            service::JOIN => header.kind & !service::JOIN | service::CAUSED_BY_JOIN,
            service::LEAVE => header.kind & !service::LEAVE | service::CAUSED_BY_LEAVE,
            _ => header.kind,
        };
        let mut reject = Frame::new(
            service::REJECT_MESS,
            own,
            header.hint,
            self.order,
            groups,
            body.to_vec(),
        );
        reject.old_kind = Some(old_kind);
        Arc::from(reject.encode())
    }

    fn message(self, kind: u32, name: Name, groups: Vec<Name>, body: Vec<u8>) -> Message {
        let hint = Hint::new(0, self.order);
        Arc::from(Frame::new(kind, name, hint, self.order, groups, body).encode())
    }
}
