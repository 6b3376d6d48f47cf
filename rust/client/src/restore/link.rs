//! A link that belongs to no session yet: joins go out over it, and what comes is kept.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};

use spread_proto::{
    ByteOrder, Direction, Frame, FrameLayout, HEADER_LEN, Header, Hint, Name, service,
};

use super::plan::Group;
use crate::auto::Place;
use crate::inbox::Inbox;
use crate::search::Accepting;
use crate::sys::fd;

/// Bytes of one read.
const READ: usize = 64 * 1024;

/// Body of the message to ourselves that shows whether a daemon orders anything. Nobody else sends it
/// to us under our own name.
const PROBE: &[u8] = b"everspread: is this daemon in order?";

/// What has come of reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Came {
    /// All that there is.
    All,
    /// As much as may be kept.
    Full,
    /// The end of the stream, or nonsense.
    End,
}

/// See the module.
#[derive(Debug)]
pub(super) struct NewLink {
    socket: OwnedFd,
    pub(super) place: Place,
    out: Vec<u8>,
    came: Vec<u8>,
    /// Up to here `came` has been looked at.
    looked: usize,
    /// Groups that were left on it.
    pub(super) told: BTreeSet<Group>,
    /// The message to ourselves has come.
    pub(super) proven: bool,
}

impl NewLink {
    pub(super) fn new(accepting: Accepting) -> Self {
        Self {
            place: Place {
                // Cut at a NUL, as a string is.
                private_group: Name::new(accepting.accepted.private_group.as_bytes()),
                daemon: accepting.candidate.endpoint.to_string(),
                candidate: accepting.candidate,
            },
            socket: accepting.socket.into(),
            out: Vec::new(),
            came: Vec::new(),
            looked: 0,
            told: BTreeSet::new(),
            proven: false,
        }
    }

    /// Sends a message to ourselves. A daemon that has accepted may order nothing for seconds, as one
    /// does that has just been started.
    pub(super) fn probe(&mut self) {
        let own = self.place.private_group;
        Frame::new(
            service::AGREED_MESS,
            own,
            Hint::NONE,
            ByteOrder::NATIVE,
            vec![own],
            PROBE.to_vec(),
        )
        .encode_into(&mut self.out);
    }

    pub(super) fn join(&mut self, group: Group) {
        self.told.remove(&group);
        Frame::join(self.place.private_group, Name::from_raw(group)).encode_into(&mut self.out);
    }

    pub(super) fn leave(&mut self, group: Group) {
        self.told.insert(group);
        Frame::leave(self.place.private_group, Name::from_raw(group)).encode_into(&mut self.out);
    }

    /// Sends what the kernel takes. False: the link is at its end.
    pub(super) fn flush(&mut self) -> bool {
        while !self.out.is_empty() {
            match fd::write_now(self.socket.as_raw_fd(), &self.out) {
                Ok(count) => {
                    self.out.drain(..count);
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(code) if fd::would_block(code) || code == libc::ENOBUFS => break,
                    _ => return false,
                },
            }
        }
        true
    }

    /// Whether everything has gone out.
    pub(super) fn is_flushed(&self) -> bool {
        self.out.is_empty()
    }

    /// The descriptor, and what it is waited for.
    pub(super) fn waits_for(&self) -> (RawFd, i16) {
        let out = if self.is_flushed() { 0 } else { libc::POLLOUT };
        (self.socket.as_raw_fd(), libc::POLLIN | out)
    }

    /// Reads what there is, as long as no more than `most` bytes are kept; tells `own_view` the
    /// groups whose view shows us.
    pub(super) fn read(&mut self, most: usize, mut own_view: impl FnMut(Group)) -> Came {
        loop {
            if self.came.len() >= most {
                return Came::Full;
            }
            self.came.reserve(READ);
            match fd::read_into(self.socket.as_raw_fd(), &mut self.came, READ) {
                Ok(0) => return Came::End,
                Ok(_) => {
                    if !self.look(&mut own_view) {
                        return Came::End;
                    }
                }
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => {}
                    Some(code) if fd::would_block(code) => return Came::All,
                    _ => return Came::End,
                },
            }
        }
    }

    /// Goes over the messages that are whole now. False: there is one that cannot be.
    fn look(&mut self, own_view: &mut impl FnMut(Group)) -> bool {
        while let Some(raw) = self.came[self.looked..].first_chunk::<HEADER_LEN>() {
            let header = Header::decode(raw);
            let Ok(layout) = FrameLayout::of(&header, Direction::ToClient) else {
                return false;
            };
            let rest = &self.came[self.looked + HEADER_LEN..];
            if rest.len() < layout.total() {
                return true;
            }
            if !self.proven
                && header.name == self.place.private_group
                && rest[layout.old_type + layout.groups..].starts_with(PROBE)
                && layout.body == PROBE.len()
            {
                // Not for the program.
                let end = self.looked + HEADER_LEN + layout.total();
                self.came.drain(self.looked..end);
                self.proven = true;
                continue;
            }
            if service::is_regular_membership(header.kind) {
                let names = &rest[layout.old_type..layout.old_type + layout.groups];
                let with_us = names
                    .as_chunks::<32>()
                    .0
                    .iter()
                    .any(|name| Name::from_raw(*name) == self.place.private_group);
                if with_us {
                    own_view(*Name::new(header.name.as_bytes()).raw());
                }
            }
            self.looked += HEADER_LEN + layout.total();
        }
        true
    }

    /// The socket, with what has come over it.
    pub(super) fn into_parts(self) -> (OwnedFd, Inbox, Place, BTreeSet<Group>) {
        let mut inbox = Inbox::default();
        for piece in self.came.chunks(crate::inbox::SLAB_LEN / 2) {
            inbox.push(piece);
        }
        (self.socket, inbox, self.place, self.told)
    }

    /// Puts one together again that was taken apart.
    pub(super) fn from_parts(
        socket: OwnedFd,
        mut inbox: Inbox,
        place: Place,
        told: BTreeSet<Group>,
    ) -> Self {
        let mut came = Vec::with_capacity(inbox.len());
        let len = inbox.len();
        inbox.take(len, |piece| came.extend_from_slice(piece));
        let mut link = Self {
            socket,
            place,
            out: Vec::new(),
            came,
            looked: 0,
            told,
            proven: true,
        };
        // All views up to here have been told.
        link.look(&mut |_| ());
        link
    }
}
