//! A session held by reference instead of by its mailbox number.
//!
//! For callers that wait inside the library and need no descriptor, such as the Java binding. Where a
//! number may be handed out again by the kernel, a handle stands for one session for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use spread_proto::{Direction, FrameLayout, Header, Name, limits, service};

use crate::error::Error;
use crate::send::{self, Outgoing, Send};
use crate::session::{Kind, Session};
use crate::sys::fd;
use crate::{close, notice, table};

/// A session with a mailbox of the stable kind. Clones stand for the same session.
#[derive(Clone, Debug)]
pub struct SessionHandle(pub(crate) Arc<Session>);

impl SessionHandle {
    /// The session that has just been opened with this mailbox number. `None` if there is none, or
    /// if its mailbox is the link's socket (a receiver there cannot be woken).
    #[must_use]
    pub fn of(mailbox: i32) -> Option<Self> {
        let session = table::find(mailbox)?;
        matches!(session.kind, Kind::Stable).then_some(Self(session))
    }

    /// The session's name at its daemon, as it is now.
    #[must_use]
    pub fn private_group(&self) -> Name {
        self.0.private_group()
    }

    /// Whether [`disconnect`](Self::disconnect) has been called.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::Acquire)
    }

    /// As [`Send::multicast`].
    ///
    /// # Errors
    /// As [`Send::multicast`].
    pub fn multicast<'a>(&self, message: &Outgoing<'a>) -> Result<Send<'a>, Error> {
        send::check_service(message.service)?;
        Send::multicast_on(self.live()?, message)
    }

    /// Several multicasts, handed to the kernel together: `first`, and behind it the whole frames in
    /// `rest`, which is the last piece of the body of `first` and does not count in its length.
    ///
    /// # Errors
    /// As [`multicast`](Self::multicast), and [`Error::IllegalMessage`] if `rest` holds anything but
    /// frames of messages as [`multicast`](Self::multicast) sends them. Then nothing has been sent.
    /// A session that outlives its link takes none, as its name may change before they are out.
    pub fn multicast_with<'a>(
        &self,
        first: &Outgoing<'a>,
        rest: &'a [u8],
    ) -> Result<Send<'a>, Error> {
        let send = self.multicast(first)?;
        if self.0.auto.is_some() {
            return Err(Error::IllegalMessage);
        }
        let frames =
            count_messages(rest, self.0.link.private_group).ok_or(Error::IllegalMessage)?;
        Ok(send.with_frames_behind(frames, rest.len()))
    }

    /// Sends what was kept back, see [`Send::with_more_to_come`].
    pub fn push(&self) {
        if !self.is_closed() && self.0.link_is_ours() {
            fd::push(self.0.link_fd());
        }
    }

    /// Whether [`multicast_with`](Self::multicast_with) is to be had.
    #[must_use]
    pub fn takes_many(&self) -> bool {
        self.0.auto.is_none()
    }

    /// A join. Unlike [`Send::join`] only the length of the name is checked: the classic Java client
    /// joins the group without a name, and leaves private groups.
    ///
    /// # Errors
    /// [`Error::IllegalGroup`] above 31 bytes, then [`Error::IllegalSession`], [`Error::NetError`].
    pub fn join<'a>(&self, group: &[u8]) -> Result<Send<'a>, Error> {
        check_length(group)?;
        Ok(Send::join_on(self.live()?, group))
    }

    /// A leave; the name is checked as by [`join`](Self::join).
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn leave<'a>(&self, group: &[u8]) -> Result<Send<'a>, Error> {
        check_length(group)?;
        Ok(Send::leave_on(self.live()?, group))
    }

    /// The session, if it can still send.
    fn live(&self) -> Result<Arc<Session>, Error> {
        if self.is_closed() {
            return Err(Error::IllegalSession);
        }
        if self.0.has_failed() {
            return Err(Error::NetError);
        }
        Ok(Arc::clone(&self.0))
    }

    /// Ends the session, as [`crate::disconnect`] does. Receivers wake at once, before the daemon
    /// has been told, and get [`Error::IllegalSession`].
    ///
    /// # Errors
    /// [`Error::IllegalSession`] if that has been done before.
    pub fn disconnect(&self) -> Result<(), Error> {
        if self.0.closed.swap(true, Ordering::AcqRel) {
            return Err(Error::IllegalSession);
        }
        self.wake();
        notice::wake(&self.0);
        // The number is this session's own until `end` closes it, so nobody else stands there.
        drop(table::remove(self.0.mailbox()));
        close::end(&self.0);
        Ok(())
    }

    /// Where the daemon is (or was, while it is lost): an address and port.
    #[must_use]
    pub fn daemon(&self) -> String {
        self.0.daemon()
    }

    /// Makes the present or the next [`receive_frames`](Self::receive_frames) return
    /// [`Received::Woken`](crate::Received::Woken). Never waits for the network.
    pub fn wake(&self) {
        let mut rx = self.0.rx();
        rx.woken = true;
        if rx.owner.is_some() {
            self.0.put_token(&mut rx);
        }
        drop(rx);
        self.0.rx_free.notify_all();
    }
}

/// How many messages these are; `None` if they are anything but whole frames of messages, from this
/// sender, that a daemon takes.
fn count_messages(mut frames: &[u8], sender: Name) -> Option<u64> {
    let mut count = 0;
    while let Some((raw, behind)) = frames.split_first_chunk() {
        let header = Header::decode(raw);
        let layout = FrameLayout::of(&header, Direction::ToDaemon).ok()?;
        let size = layout.groups.saturating_add(layout.body);
        if header.name != sender
            || !service::is_single_service(header.kind)
            || header.kind & service::NEVER_SENT != 0
            || header.hint.has_illegal_bits()
            || layout.num_groups() > limits::MAX_GROUPS
            || size > limits::SAFE_MESSAGE
            || size > behind.len()
        {
            return None;
        }
        frames = &behind[size..];
        count += 1;
    }
    frames.is_empty().then_some(count)
}

fn check_length(group: &[u8]) -> Result<(), Error> {
    if group.len() > limits::MAX_GROUP_NAME {
        return Err(Error::IllegalGroup);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use spread_proto::{ByteOrder, Frame, Hint};

    use super::*;

    #[test]
    fn only_frames_that_a_daemon_takes_follow_a_message() {
        let me = Name::new(b"#me#d");
        let frame = |kind, sender: &[u8], groups: usize, hint| {
            Frame::new(
                kind,
                Name::new(sender),
                hint,
                ByteOrder::Big,
                vec![Name::new(b"room"); groups],
                vec![1; 10],
            )
            .encode()
        };
        let good = frame(service::FIFO_MESS, b"#me#d", 2, Hint::NONE);
        assert_eq!(count_messages(&[], me), Some(0));
        assert_eq!(count_messages(&[&good[..], &good].concat(), me), Some(2));
        let bad = [
            frame(service::KILL, b"#me#d", 1, Hint::NONE),
            frame(service::FIFO_MESS | service::JOIN, b"#me#d", 1, Hint::NONE),
            frame(
                service::FIFO_MESS | service::SAFE_MESS,
                b"#me#d",
                1,
                Hint::NONE,
            ),
            frame(service::FIFO_MESS, b"#you#d", 1, Hint::NONE),
            frame(service::FIFO_MESS, b"#me#d", 101, Hint::NONE),
            frame(
                service::FIFO_MESS,
                b"#me#d",
                1,
                Hint::from_wire([1, 0, 0, 0]),
            ),
            good[..good.len() - 1].to_vec(),
            good[..20].to_vec(),
        ];
        for frame in bad {
            assert_eq!(count_messages(&[&good[..], &frame].concat(), me), None);
        }
        let mut negative = good;
        negative[44] = 0xff;
        assert_eq!(count_messages(&negative, me), None);
    }
}
