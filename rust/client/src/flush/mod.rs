//! Sessions with virtual synchrony: the machine of [`spread_proto::flush`] on a session.
//!
//! A session gets this layer by [`attach`], right after it was opened with membership messages. The
//! layer has no thread and no clock of its own: what the members' libraries tell each other is
//! taken in and sent inside [`FlushReceive`] and [`FlushSend`] only.
//!
//! Do not use [`Receive`](crate::Receive), [`Send::join`](crate::Send::join) or
//! [`Send::leave`](crate::Send::leave) on such a session.

mod receive;
mod send;
mod state;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::error::Error;
use crate::session::Session;

pub use receive::{FlushReceive, How};
pub use send::{FlushMessage, FlushSend, Request};
pub use spread_proto::flush::Refusal;
pub(crate) use state::{Flush, State};

/// Why a call did not do what it was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The session below says so.
    #[error(transparent)]
    Session(#[from] Error),
    /// The layer refuses.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is nothing to receive, and the call was not to wait.
    #[error("nothing to receive")]
    WouldBlock,
}

/// How far a call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<T> {
    /// Finished.
    Done(Result<T, Failure>),
    /// Make the blocking call, then step again.
    Blocked,
}

/// Gives a session this layer.
///
/// # Errors
/// [`Error::IllegalSession`].
pub fn attach(mailbox: i32) -> Result<(), Error> {
    let session = crate::table::find(mailbox).ok_or(Error::IllegalSession)?;
    session.flush.get_or_init(Flush::default);
    Ok(())
}

/// Ends a session as [`disconnect`](crate::disconnect) does.
///
/// # Errors
/// [`Error::IllegalSession`], also for a session without this layer, and for one whose loss a call
/// has told.
pub fn disconnect(mailbox: i32) -> Result<(), Failure> {
    find(mailbox)?;
    Ok(crate::close::disconnect(mailbox)?)
}

/// Messages that wait inside the layer.
///
/// # Errors
/// [`Error::IllegalSession`].
pub fn waiting_messages(mailbox: i32) -> Result<usize, Failure> {
    let session = find(mailbox)?;
    let flush = flush_of(&session)?;
    Ok(flush.lock().machine.waiting())
}

/// Bytes that wait: in the layer, in the measure of the classic library, and in the session. More
/// than 0 does not mean that a message can be received.
///
/// # Errors
/// [`Error::IllegalSession`].
pub fn waiting_bytes(mailbox: i32) -> Result<usize, Failure> {
    /// What the classic library counts for a message beside groups and body.
    const PER_MESSAGE: usize = 88;
    let session = find(mailbox)?;
    let queued: usize = flush_of(&session)?
        .lock()
        .machine
        .deliveries()
        .map(|message| PER_MESSAGE + 32 * message.groups.len() + message.body_len)
        .sum();
    Ok(queued + crate::waiting_bytes(mailbox)?)
}

/// The session with this mailbox, if it has the layer and has not ended.
fn find(mailbox: i32) -> Result<Arc<Session>, Failure> {
    crate::table::find(mailbox)
        .filter(|session| session.flush.get().is_some())
        .ok_or(Failure::Session(Error::IllegalSession))
}

fn flush_of(session: &Session) -> Result<&Flush, Failure> {
    session
        .flush
        .get()
        .ok_or(Failure::Session(Error::IllegalSession))
}

/// What the end of the session looks like to the program: the loss is told once, and then there is
/// no session any more. A session that is being restored has not ended, also if a send did not want
/// to wait for that any longer.
fn ending(session: &Arc<Session>, failure: Failure) -> Failure {
    match failure {
        Failure::Session(Error::ConnectionClosed | Error::NetError)
            if session.has_failed() || session.closed.load(Ordering::Acquire) =>
        {
            crate::close::lost(session);
            Error::ConnectionClosed.into()
        }
        other => other,
    }
}
