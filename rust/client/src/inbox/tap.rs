//! Finding a session's own messages in what arrives.

use std::collections::BTreeSet;

use spread_proto::{Direction, FrameLayout, HEADER_LEN, Header, Name, service};

/// Services whose messages are ordered with joins and leaves of their sender.
pub(crate) const ORDERED: u32 =
    service::FIFO_MESS | service::CAUSAL_MESS | service::AGREED_MESS | service::SAFE_MESS;

/// Messages that count, by what is known of their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Load {
    /// FIFO and above.
    pub(crate) ordered: u64,
    pub(crate) reliable: u64,
}

impl Load {
    /// One message of this kind, or none if the kind does not count.
    pub(crate) fn of_kind(kind: u32) -> Self {
        Self {
            ordered: u64::from(kind & ORDERED != 0),
            reliable: u64::from(kind & service::RELIABLE_MESS != 0),
        }
    }

    pub(crate) fn is_none(self) -> bool {
        self == Self::default()
    }

    pub(crate) fn total(self) -> u64 {
        self.ordered + self.reliable
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.ordered += other.ordered;
        self.reliable += other.reliable;
    }

    /// More than there is may come back: what was sent before it counted, or by another process.
    pub(crate) fn take(&mut self, other: Self) {
        self.ordered = self.ordered.saturating_sub(other.ordered);
        self.reliable = self.reliable.saturating_sub(other.reliable);
    }
}

/// What has been found since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct News {
    /// Messages of the session that have come back.
    pub(crate) back: Load,
    /// Groups in which it has seen itself.
    pub(crate) joined: Vec<[u8; 32]>,
    /// Groups whose leave it has been told.
    pub(crate) left: Vec<[u8; 32]>,
}

/// Follows the frames of one link's stream, in whatever pieces it comes.
///
/// A message counts as soon as its header is there: on a socket mailbox the last byte of the newest
/// message stays in the socket.
#[derive(Debug)]
pub(crate) struct Tap {
    own: Name,
    /// A header, or a name of a list of members, as far as it has come.
    part: [u8; HEADER_LEN],
    have: usize,
    /// Bytes of the present frame that tell nothing.
    skip: usize,
    /// The members of the present view that are still to come, and its group.
    view: Option<(usize, [u8; 32])>,
    /// The rest of the frame behind the members.
    behind: usize,
    /// Groups whose views need not be looked at any more.
    seen: BTreeSet<[u8; 32]>,
    /// Nothing that comes can be trusted any more.
    broken: bool,
    news: News,
}

impl Tap {
    /// For the stream of a session of this name, from a border of frames on.
    pub(crate) fn new(own: Name) -> Box<Self> {
        Box::new(Self {
            own,
            part: [0; HEADER_LEN],
            have: 0,
            skip: 0,
            view: None,
            behind: 0,
            seen: BTreeSet::new(),
            broken: false,
            news: News::default(),
        })
    }

    /// These bytes have come.
    pub(crate) fn see(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() && !self.broken {
            if self.skip > 0 {
                let part = self.skip.min(rest.len());
                self.skip -= part;
                rest = &rest[part..];
                continue;
            }
            let wanted = if self.view.is_some() { 32 } else { HEADER_LEN };
            let part = (wanted - self.have).min(rest.len());
            self.part[self.have..self.have + part].copy_from_slice(&rest[..part]);
            self.have += part;
            rest = &rest[part..];
            if self.have == wanted {
                self.have = 0;
                match self.view.take() {
                    Some((left, group)) => self.member(left, group),
                    None => self.header(),
                }
            }
        }
    }

    fn header(&mut self) {
        let header = Header::decode(&self.part);
        let Ok(layout) = FrameLayout::of(&header, Direction::ToClient) else {
            self.broken = true;
            return;
        };
        self.skip = layout.total();
        let kind = header.kind;
        if service::is_reject(kind) {
            // A message that the daemon has refused is back, too; of which kind it was stands behind.
            if header.name == self.own {
                self.news.back.ordered += 1;
            }
        } else if service::is_regular_membership(kind) {
            let group = *header.name.cleaned().raw();
            if !self.seen.contains(&group) && layout.num_groups() > 0 {
                self.skip = layout.old_type;
                self.behind = layout.body;
                self.view = Some((layout.num_groups(), group));
            }
        } else if service::is_membership(kind) {
            if service::is_self_leave(kind) {
                let group = *header.name.cleaned().raw();
                self.seen.remove(&group);
                self.news.left.push(group);
            }
        } else if header.name == self.own {
            self.news.back.add(Load::of_kind(kind));
        }
    }

    /// One member of a view.
    fn member(&mut self, left: usize, group: [u8; 32]) {
        let mut name = [0; 32];
        name.copy_from_slice(&self.part[..32]);
        let is_own = Name::from_raw(name) == self.own;
        if is_own && self.seen.insert(group) {
            self.news.joined.push(group);
        }
        let more = left - 1;
        if is_own || more == 0 {
            self.skip = more * 32 + self.behind;
        } else {
            self.view = Some((more, group));
        }
    }

    /// What has been found since the last call, if anything.
    pub(crate) fn take_news(&mut self) -> Option<News> {
        let news = std::mem::take(&mut self.news);
        (news != News::default()).then_some(news)
    }
}

#[cfg(test)]
mod tests {
    use spread_proto::{ByteOrder, Frame, Hint};

    use super::*;

    const OWN: &[u8] = b"#me#d";

    fn frame(kind: u32, sender: &[u8], groups: &[&[u8]], body: usize) -> Vec<u8> {
        Frame::new(
            kind,
            Name::new(sender),
            Hint::NONE,
            ByteOrder::Big,
            groups.iter().map(|name| Name::new(name)).collect(),
            vec![9; body],
        )
        .encode()
    }

    fn group(name: &str) -> [u8; 32] {
        *Name::new(name.as_bytes()).raw()
    }

    #[test]
    fn own_messages_and_views_are_found_in_any_pieces() {
        let view = service::REG_MEMB_MESS | service::CAUSED_BY_JOIN;
        let stream = [
            frame(view, b"room", &[b"#a#d", OWN, b"#z#d"], 40),
            frame(view, b"other", &[b"#a#d"], 40),
            frame(service::AGREED_MESS, OWN, &[b"room"], 700),
            frame(service::AGREED_MESS, b"#a#d", &[b"room"], 3),
            frame(service::RELIABLE_MESS, OWN, &[b"room", b"x"], 0),
            frame(service::UNRELIABLE_MESS, OWN, &[b"room"], 0),
            frame(service::TRANSITION_MESS, b"room", &[], 12),
            frame(view, b"room", &[b"#a#d", OWN], 40),
            frame(service::CAUSED_BY_LEAVE, b"room", &[], 0),
            frame(view, b"room", &[OWN], 40),
            frame(service::FIFO_MESS, OWN, &[b"room"], 1),
        ]
        .concat();
        for step in [1, 7, 31, 32, 47, 48, 49, 80, 10_000] {
            let mut tap = Tap::new(Name::new(OWN));
            assert_eq!(tap.take_news(), None);
            for piece in stream.chunks(step) {
                tap.see(piece);
            }
            let news = tap.take_news().unwrap();
            let back = Load {
                ordered: 2,
                reliable: 1,
            };
            assert_eq!(news.back, back, "pieces of {step}");
            assert_eq!(news.joined, [group("room"), group("room")]);
            assert_eq!(news.left, [group("room")]);
            assert_eq!(tap.take_news(), None);
        }
    }

    #[test]
    fn a_message_is_back_before_its_last_byte() {
        let mut tap = Tap::new(Name::new(OWN));
        let stream = frame(service::FIFO_MESS, OWN, &[b"room"], 0);
        tap.see(&stream[..stream.len() - 1]);
        assert_eq!(tap.take_news().unwrap().back.ordered, 1);
    }

    #[test]
    fn nothing_behind_a_broken_header_counts() {
        let mut tap = Tap::new(Name::new(OWN));
        let good = frame(service::FIFO_MESS, OWN, &[b"room"], 0);
        let mut bad = good.clone();
        bad[44] = 0xff;
        tap.see(&[&bad[..], &good].concat());
        assert_eq!(tap.take_news(), None);
    }
}
