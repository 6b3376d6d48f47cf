//! A session held by reference instead of by its mailbox number.
//!
//! For callers that wait inside the library and need no descriptor, such as the Java binding. Where a
//! number may be handed out again by the kernel, a handle stands for one session for ever.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use spread_proto::Name;

use crate::error::Error;
use crate::send::{self, Outgoing, Send};
use crate::session::{Kind, Session};
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

    /// Bytes that have been received and not taken, over all links.
    #[must_use]
    pub fn waiting_bytes(&self) -> usize {
        self.0.rx().waiting_bytes()
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

fn check_length(group: &[u8]) -> Result<(), Error> {
    if group.len() > spread_proto::limits::MAX_GROUP_NAME {
        return Err(Error::IllegalGroup);
    }
    Ok(())
}
