//! Taking a message that waits, the short way.
//!
//! Under load nearly every receive finds its message in the inbox, in one piece, with nothing to be
//! reworked. Such a call makes no system call and waits for nothing, so all that the general machine
//! ([`Receive`](super::Receive)) does for waiting threads would only cost. Whatever is not of this
//! kind is left untouched for the machine.

use spread_proto::{ByteOrder, Direction, FrameLayout, HEADER_LEN, Header, Name, service};

use crate::room::{Room, terminate};
use crate::session::{Kind, Session};
use crate::{reader, table};

/// A data message that was taken whole: the outputs of the call, all of them known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Type of the message.
    pub service: u32,
    /// Sender's private group.
    pub sender: Name,
    /// Number of groups.
    pub num_groups: i32,
    /// The program's own type.
    pub mess_type: i16,
    /// Whether the sender's byte order differs.
    pub endian_mismatch: bool,
    /// Length of the body.
    pub body: usize,
}

/// Takes the next message of `mailbox` into `room` if that needs neither waiting nor rework. Never a
/// point of cancellation: no system call is made. `None`: nothing has been touched.
#[inline]
pub fn take_waiting(mailbox: i32, room: &mut Room<'_, '_>) -> Option<Taken> {
    table::with_recent(mailbox, |session| take(session, room))
}

fn take(session: &Session, room: &mut Room<'_, '_>) -> Option<Taken> {
    if session.has_failed() || session.claim.is_shared() {
        return None;
    }
    let mut rx = session.rx_now()?;
    if rx.owner.is_some() || rx.refused || !reader::is_content(&rx) {
        return None;
    }
    let front = rx.inbox.front();
    let (raw, rest) = front.split_first_chunk::<HEADER_LEN>()?;
    let header = Header::decode(raw);
    let plain = header.kind & service::REGULAR_MESS != 0
        && header.kind & service::MEMBERSHIP_MESS == 0
        && !service::is_reject(header.kind)
        && header.order == ByteOrder::NATIVE;
    if !plain {
        return None;
    }
    let layout = FrameLayout::of(&header, Direction::ToClient).ok()?;
    let fits = i64::from(header.num_groups) <= room.for_groups()
        && i64::from(header.data_len) <= room.max_body;
    if !fits || rest.len() < layout.total() {
        return None;
    }
    if session.kind == Kind::Stable && rx.inbox.len() == HEADER_LEN + layout.total() {
        // The token is to be taken out.
        return None;
    }
    let (groups, rest) = rest.split_at(layout.groups);
    room.groups.write_at(0, groups);
    for (row, name) in groups.as_chunks::<32>().0.iter().enumerate() {
        if name[31] != 0 {
            let mut name = *name;
            terminate(&mut name);
            room.groups.write_at(row * 32, &name);
        }
    }
    room.write_body(0, &rest[..layout.body]);
    rx.inbox.skip_front(HEADER_LEN + layout.total());
    rx.watch.taken = true;
    rx.gives(1, HEADER_LEN + layout.total());
    if rx.queued > 0 {
        session.rx_free.notify_one();
    }
    drop(rx);
    Some(Taken {
        service: header.kind,
        sender: header.name.cleaned(),
        num_groups: header.num_groups,
        mess_type: header.hint.mess_type(),
        endian_mismatch: header.hint.order() != ByteOrder::NATIVE,
        body: layout.body,
    })
}
