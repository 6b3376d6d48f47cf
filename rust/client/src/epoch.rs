//! What a session receives over several links, one after the other.
//!
//! Each link's stream is an *epoch*. The receiver takes from the first that is not used up, the
//! reader adds to the last. Between two epochs stand the library's own marks: for each group in
//! which the program has seen itself a transitional membership (what was guaranteed ends here), and
//! for each group that it has left meanwhile the message that tells so. Marks are made when the
//! receiver comes to them, as only then it is known what the program has seen.

use std::collections::BTreeMap;

use spread_proto::{
    ByteOrder, Direction, Frame, FrameLayout, GroupId, HEADER_LEN, Header, Hint, Name, service,
    transition_body,
};

use crate::inbox::Inbox;
use crate::session::Rx;
use crate::spill::Spill;

/// A link's stream that the receiver has not come to.
#[derive(Debug)]
pub(crate) struct Epoch {
    /// What has come.
    pub(crate) inbox: Inbox,
    /// What comes after it, where that is on disk or on its way there.
    pub(crate) spill: Option<Box<Spill>>,
    /// The session's name on this link.
    pub(crate) own: Name,
    /// Groups that the program has left and not been told of.
    pub(crate) left: Vec<[u8; 32]>,
    /// The marks in front of it are still to be made.
    pub(crate) marks: bool,
}

/// The groups in which the program has seen itself, with the id of the last view.
pub(crate) type Views = BTreeMap<[u8; 32], GroupId>;

/// Where a receiver goes when the present epoch is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextEpoch {
    /// It goes on.
    Here,
    /// The connection is being restored.
    NotYet,
    /// That was the last one.
    None,
}

/// Whether an inbox begins with a whole message.
pub(crate) fn has_whole_message(inbox: &Inbox) -> bool {
    inbox.header().is_some_and(|header| {
        // A broken header is for the receiver to report.
        FrameLayout::of(&header, Direction::ToClient)
            .map_or(true, |layout| inbox.len() - HEADER_LEN >= layout.total())
    })
}

impl Epoch {
    /// How many marks are to come.
    fn count_marks(&self, views: &Views) -> usize {
        if self.marks {
            views.len() + self.left.len()
        } else {
            0
        }
    }

    /// Makes the marks.
    fn make_marks(&mut self, views: &mut Views) -> Inbox {
        let mut inbox = Inbox::default();
        self.marks = false;
        for (group, &gid) in views.iter() {
            inbox.push(&mark(
                service::TRANSITION_MESS,
                *group,
                &transition_body(gid, ByteOrder::NATIVE),
            ));
        }
        for group in std::mem::take(&mut self.left) {
            inbox.push(&mark(service::CAUSED_BY_LEAVE, group, &[]));
            views.remove(&group);
        }
        inbox
    }
}

fn mark(kind: u32, group: [u8; 32], body: &[u8]) -> Vec<u8> {
    Frame::new(
        kind,
        Name::from_raw(group),
        Hint::NONE,
        ByteOrder::NATIVE,
        Vec::new(),
        body.to_vec(),
    )
    .encode()
}

impl Rx {
    /// The inbox and the spill that the reader adds to.
    pub(crate) fn newest(&mut self) -> (&mut Inbox, &mut Option<Box<Spill>>) {
        match self.later.back_mut() {
            Some(epoch) => (&mut epoch.inbox, &mut epoch.spill),
            None => (&mut self.inbox, &mut self.spill),
        }
    }

    /// What has been spilled, over all epochs.
    pub(crate) fn spills(&mut self) -> impl Iterator<Item = &mut Box<Spill>> {
        let later = self
            .later
            .iter_mut()
            .filter_map(|epoch| epoch.spill.as_mut());
        self.spill.as_mut().into_iter().chain(later)
    }

    /// Bytes that have been spilled and wait, over all epochs.
    pub(crate) fn spilled_bytes(&mut self) -> usize {
        let bytes: u64 = self.spills().map(|spill| spill.len()).sum();
        usize::try_from(bytes).unwrap_or(usize::MAX)
    }

    /// Bytes that wait for the program, over all epochs.
    pub(crate) fn held_bytes(&self) -> usize {
        let later: usize = self.later.iter().map(|epoch| epoch.inbox.len()).sum();
        self.inbox.len() + later
    }

    /// The same, with what the marks to come will take.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let marks: usize = self
            .later
            .iter()
            .map(|epoch| epoch.count_marks(&self.views))
            .sum();
        self.held_bytes() + marks * HEADER_LEN
    }

    /// Nothing more is read into the present inbox.
    pub(crate) fn is_over(&self) -> bool {
        self.ended || !self.later.is_empty()
    }

    /// Whether a receive would not have to wait for the network. On the present link a part of a
    /// message counts, as in a socket.
    pub(crate) fn has_something(&self) -> bool {
        if self.spill.is_some() {
            return true;
        }
        if self.later.is_empty() && !self.outage {
            return self.ended || self.inbox.len() > 0;
        }
        if has_whole_message(&self.inbox) || (self.ended && !self.outage) {
            return true;
        }
        let live = self.later.len().wrapping_sub(1);
        self.later.iter().enumerate().any(|(at, epoch)| {
            epoch.count_marks(&self.views) > 0
                || has_whole_message(&epoch.inbox)
                || (at == live && !self.ended && epoch.inbox.len() > 0)
        })
    }

    /// The present epoch is used up, but for a part of a message that will never be whole.
    pub(crate) fn next_epoch(&mut self) -> NextEpoch {
        let Some(epoch) = self.later.front_mut() else {
            return if self.outage {
                NextEpoch::NotYet
            } else {
                NextEpoch::None
            };
        };
        self.refused = false;
        if epoch.count_marks(&self.views) > 0 {
            self.inbox = epoch.make_marks(&mut self.views);
        } else if let Some(epoch) = self.later.pop_front() {
            self.inbox = epoch.inbox;
            // Its messages were counted by themselves before.
            self.inbox.forget_count();
            self.spill = epoch.spill;
            self.own = Some(epoch.own);
        }
        NextEpoch::Here
    }

    /// A membership message goes to the program: `gid` as it stands in the body. Returns the group
    /// that it tells to have been left.
    pub(crate) fn note_view(
        &mut self,
        header: &Header,
        with_us: bool,
        gid: GroupId,
    ) -> Option<[u8; 32]> {
        // Without what stands behind its NUL.
        let group = *Name::new(header.name.as_bytes()).raw();
        if service::is_regular_membership(header.kind) {
            if with_us {
                self.views.insert(group, gid);
            }
        } else if service::is_self_leave(header.kind) {
            self.views.remove(&group);
            if let Some(next) = self.later.front_mut() {
                next.left.retain(|left| *left != group);
            }
            return Some(group);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str) -> [u8; 32] {
        *Name::new(name.as_bytes()).raw()
    }

    fn epoch(bytes: &[u8], left: &[&str]) -> Epoch {
        let mut inbox = Inbox::default();
        inbox.push(bytes);
        Epoch {
            inbox,
            spill: None,
            own: Name::new(b"#me#d2"),
            left: left.iter().map(|name| group(name)).collect(),
            marks: true,
        }
    }

    fn take(rx: &mut Rx) -> Vec<u8> {
        let mut out = Vec::new();
        let len = rx.inbox.len();
        rx.inbox.take(len, |piece| out.extend_from_slice(piece));
        out
    }

    #[test]
    fn epochs_come_one_after_the_other_with_their_marks_between() {
        let message = mark(service::FIFO_MESS, group("room"), b"hello");
        let mut rx = Rx::default();
        rx.inbox.push(&message[..20]);
        rx.ended = true;
        rx.outage = true;
        rx.views.insert(group("a"), GroupId([1, 2, 3]));
        rx.views.insert(group("b"), GroupId([4, 5, 6]));
        assert!(!rx.has_something(), "a part of a message is no message");
        assert_eq!(rx.next_epoch(), NextEpoch::NotYet);

        rx.later.push_back(epoch(&message, &["b"]));
        rx.ended = false;
        rx.outage = false;
        assert!(rx.has_something());
        assert_eq!(rx.next_epoch(), NextEpoch::Here);
        let mut marks = take(&mut rx);
        let second = marks.split_off(60);
        let third = marks.len() + 60;
        assert_eq!(third, 120);
        let header = |bytes: &[u8]| Header::decode(bytes.first_chunk().unwrap());
        assert_eq!(header(&marks).kind, service::TRANSITION_MESS);
        assert_eq!(header(&marks).name, Name::new(b"a"));
        assert_eq!(
            marks[48..],
            transition_body(GroupId([1, 2, 3]), ByteOrder::NATIVE)
        );
        assert_eq!(header(&second).name, Name::new(b"b"));
        assert_eq!(header(&second[60..]).kind, service::CAUSED_BY_LEAVE);
        assert_eq!(second.len(), 60 + 48);
        assert!(rx.views.contains_key(&group("a")) && !rx.views.contains_key(&group("b")));

        assert_eq!(rx.own, None, "marks belong to nobody's link");
        assert_eq!(rx.next_epoch(), NextEpoch::Here);
        assert_eq!(take(&mut rx), message);
        assert_eq!(rx.own, Some(Name::new(b"#me#d2")));
        assert!(!rx.is_over());
        rx.ended = true;
        assert_eq!(rx.next_epoch(), NextEpoch::None);
    }

    #[test]
    fn a_second_outage_adds_an_epoch() {
        let message = mark(service::FIFO_MESS, group("room"), b"hello");
        let mut rx = Rx::default();
        rx.later.push_back(epoch(&message, &[]));
        rx.newest().0.push(&message[..30]);
        assert_eq!(rx.held_bytes(), message.len() + 30);
        rx.ended = true;
        rx.outage = true;
        assert!(rx.has_something());
        assert_eq!(rx.next_epoch(), NextEpoch::Here);
        rx.inbox.take(message.len(), |_| ());
        assert!(!rx.has_something(), "only a part is left");
        rx.later.push_back(epoch(&message, &[]));
        assert_eq!(rx.next_epoch(), NextEpoch::Here);
        assert_eq!(take(&mut rx), message);
    }

    #[test]
    fn without_views_there_are_no_marks() {
        let mut rx = Rx::default();
        rx.later.push_back(epoch(&[], &[]));
        assert!(!rx.has_something());
        assert_eq!(rx.next_epoch(), NextEpoch::Here);
        assert_eq!(rx.inbox.len(), 0);
        assert!(rx.later.is_empty());
    }
}
