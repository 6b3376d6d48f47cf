//! Reading the rest of a message straight into the caller's buffers.
//!
//! One `recvmsg` takes the groups, the body into all its pieces, and the beginning of the next header.
//! While a direct read goes on, what it has of the message is *in hand*: out of the inbox and the
//! socket, in buffers that are the caller's. So it waits for more only for moments, and without
//! letting the thread be cancelled; then it puts everything back into the inbox, where a thread that
//! never returns cannot take it along.

use spread_proto::{ByteOrder, Direction, FrameLayout, HEADER_LEN, Header, service};

use super::{AHEAD, Receive, own_name};
use crate::error::Error;
use crate::reader;
use crate::session::{Rx, Session};
use crate::sys::fd;
use crate::sys::out::DirectRead;

/// A remainder of at least this many bytes is read directly even where a bulk read is due: copying
/// it out of a slab would cost more than a system call of its own.
const WORTH_IT: usize = 16 * 1024;

/// How long a direct read waits for the next bytes before it puts the message back.
pub(super) const MOMENT_MS: i32 = 20;

/// A direct read that has begun. Plain data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Direct {
    header: Header,
    layout: FrameLayout,
    /// The header as it came. Its last byte may be a guess.
    raw: [u8; HEADER_LEN],
    /// Bytes of the header that are still to come: 0 or 1.
    guessed: usize,
    /// Bytes behind the header that are in the caller's buffers.
    filled: usize,
    /// The last wait was in vain.
    stalled: bool,
}

/// Where a direct read stands.
pub(super) enum Stand {
    Done(Result<usize, Error>),
    /// Nothing is there at the moment.
    Pause,
    /// It has put back what it had, or has not begun.
    Off,
}

impl Direct {
    /// Bytes of the message that are out of inbox and socket.
    pub(super) fn in_hand(&self) -> usize {
        HEADER_LEN - self.guessed + self.filled
    }
}

/// Whether a message of this layout is large enough to be read directly in any case.
pub(super) fn is_large(layout: &FrameLayout) -> bool {
    layout.total() >= WORTH_IT
}

impl Receive<'_, '_> {
    /// Begins to read the rest of the message at the head of the inbox directly, if that is worth it,
    /// it fits, and needs no rework. The whole header is there, the whole message is not.
    pub(super) fn begin_direct(
        &mut self,
        session: &Session,
        rx: &mut Rx,
        header: &Header,
        layout: &FrameLayout,
    ) -> bool {
        let have = rx.inbox.len() - HEADER_LEN;
        if !rx.inbox.only_head() && layout.total() - have < WORTH_IT {
            return false;
        }
        if !self.suits(session, header, layout) {
            return false;
        }
        let raw = match rx.inbox.take_head() {
            Some(raw) => raw,
            None => rx.inbox.take_array(),
        };
        self.start(rx, raw, 0, header, layout);
        true
    }

    /// With all but the last byte of a header in the inbox: begins to read a large message directly.
    /// That byte is the highest of the length in our own byte order, so it is known to be zero in
    /// all that a daemon sends; if it is not, everything is put back.
    pub(super) fn guess_direct(&mut self, session: &Session, rx: &mut Rx) -> bool {
        let mut raw = [0; HEADER_LEN];
        if ByteOrder::NATIVE != ByteOrder::Little
            || rx.inbox.len() != AHEAD
            || !rx.inbox.peek(0, &mut raw[..AHEAD])
        {
            return false;
        }
        let header = Header::decode(&raw);
        let Ok(layout) = FrameLayout::of(&header, Direction::ToClient) else {
            return false;
        };
        if !is_large(&layout) || !self.suits(session, &header, &layout) {
            return false;
        }
        if !reader::may_read(session, rx) {
            session.number_is_gone(rx);
            return false;
        }
        rx.inbox.take(AHEAD, |_| ());
        self.start(rx, raw, 1, &header, &layout);
        true
    }

    fn suits(&self, session: &Session, header: &Header, layout: &FrameLayout) -> bool {
        // A session that outlives its link has to know which views the program has seen.
        if session.auto.is_some() && service::is_membership(header.kind) {
            return false;
        }
        // Its own messages are found in the inbox.
        if session.options.send_window > 0 {
            return false;
        }
        let fits = i64::from(header.num_groups) <= self.room.for_groups()
            && i64::try_from(layout.body).is_ok_and(|body| body <= self.room.max_body);
        fits && layout.old_type == 0
            && header.order == ByteOrder::NATIVE
            && DirectRead::has_room_for(self.room.body.len())
    }

    fn start(
        &mut self,
        rx: &mut Rx,
        raw: [u8; HEADER_LEN],
        guessed: usize,
        header: &Header,
        layout: &FrameLayout,
    ) {
        let mut filled = 0;
        // Usually nothing. All there is belongs to this message.
        rx.inbox.take(rx.inbox.len(), |piece| {
            let of_groups = piece.len().min(layout.groups.saturating_sub(filled));
            self.room.groups.write_at(filled, &piece[..of_groups]);
            let at = (filled + of_groups) - layout.groups.min(filled + of_groups);
            self.room.write_body(at, &piece[of_groups..]);
            filled += piece.len();
        });
        self.direct = Some(Direct {
            header: *header,
            layout: *layout,
            raw,
            guessed,
            filled,
            stalled: false,
        });
    }

    /// Reads on. After a [`Stand::Pause`], `waited` tells whether more has come since.
    pub(super) fn go_on_direct(&mut self, session: &Session, rx: &mut Rx) -> Stand {
        let Some(mut direct) = self.direct.take() else {
            return Stand::Off;
        };
        if rx.is_over() {
            // The link was replaced while this waited: what is missing never comes.
            self.put_back(rx, &direct, &[]);
            return Stand::Off;
        }
        reader::has_read(rx);
        loop {
            let layout = direct.layout;
            let mut last = [0];
            let mut ahead = [0; AHEAD];
            let mut read = DirectRead::new();
            if direct.guessed > 0 {
                read.push_own(&mut last);
            }
            let in_groups = direct.filled.min(layout.groups);
            read.push(&self.room.groups, in_groups, layout.groups - in_groups);
            let mut skip = direct.filled - in_groups;
            let mut left = layout.total() - direct.filled;
            left -= layout.groups - in_groups;
            for piece in self.room.body.iter() {
                let part = left.min(piece.len().saturating_sub(skip));
                read.push(piece, skip.min(piece.len()), part);
                skip -= skip.min(piece.len());
                left -= part;
            }
            read.push_own(&mut ahead);
            let mut got = match read.run(session.link_fd()) {
                Ok(0) => {
                    session.end(rx);
                    self.put_back(rx, &direct, &[]);
                    return Stand::Off;
                }
                Ok(got) => got,
                Err(error) => match error.raw_os_error() {
                    Some(libc::EINTR) => continue,
                    Some(code) if fd::would_block(code) => {
                        // Only what is well on its way is worth waiting for like this.
                        if direct.filled == 0 || direct.stalled || !is_large(&layout) {
                            self.put_back(rx, &direct, &[]);
                            return Stand::Off;
                        }
                        direct.stalled = true;
                        self.direct = Some(direct);
                        return Stand::Pause;
                    }
                    _ => {
                        session.end(rx);
                        self.put_back(rx, &direct, &[]);
                        return Stand::Off;
                    }
                },
            };
            direct.stalled = false;
            if direct.guessed > 0 {
                direct.guessed = 0;
                direct.raw[HEADER_LEN - 1] = last[0];
                got -= 1;
            }
            let wanted = layout.total() - direct.filled;
            direct.filled += got.min(wanted);
            let extra = &ahead[..got.saturating_sub(wanted)];
            if direct.raw[HEADER_LEN - 1] != 0 && Header::decode(&direct.raw) != direct.header {
                self.put_back(rx, &direct, extra);
                return Stand::Off;
            }
            if direct.filled == layout.total() {
                return Stand::Done(self.finish_direct(session, rx, &direct, extra));
            }
        }
    }

    fn finish_direct(
        &mut self,
        session: &Session,
        rx: &mut Rx,
        direct: &Direct,
        extra: &[u8],
    ) -> Result<usize, Error> {
        let (header, layout) = (&direct.header, &direct.layout);
        rx.inbox.push(extra);
        // With large messages a bulk read would only bring the beginning of the next one.
        rx.watch.more = extra.len() == AHEAD;
        rx.bulk = rx.watch.more && !is_large(layout);
        rx.refused = false;
        rx.gives(1, HEADER_LEN + layout.total());
        let index = service::is_regular_membership(header.kind)
            .then(|| self.own_index_in_room(own_name(session, rx), layout.num_groups()));
        self.tell(header, header.kind, index.flatten(), header.num_groups);
        self.terminate_groups(layout.num_groups());
        Ok(layout.body)
    }

    /// Puts the message back into the inbox, as far as it has come, and what was read behind it.
    fn put_back(&self, rx: &mut Rx, direct: &Direct, extra: &[u8]) {
        rx.inbox.push(&direct.raw[..HEADER_LEN - direct.guessed]);
        if direct.filled > 0 {
            rx.inbox.fill(direct.filled, |slab| {
                let groups = direct.filled.min(direct.layout.groups);
                self.room.groups.copy_back(0, groups, slab);
                let mut left = direct.filled - groups;
                for piece in self.room.body.iter() {
                    let part = left.min(piece.len());
                    piece.copy_back(0, part, slab);
                    left -= part;
                }
            });
        }
        if !extra.is_empty() {
            rx.inbox.push(extra);
        }
    }
}
