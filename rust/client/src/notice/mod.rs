//! What happens to a session, told to programs that want to know: the daemon was lost, another one
//! has taken us, the program is slow.
//!
//! A session keeps its events, in order and bounded, until the program takes them or has them given
//! to a callback. What is merged to keep the bound loses no state: see [`queue`].

mod dispatch;
mod queue;
mod wait;

use std::fmt;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use spread_proto::Name;

use crate::error::Error;
use crate::session::Session;
use crate::table;

pub(crate) use dispatch::{Dispatcher, lock as lock_dispatcher};
use queue::Queue;
pub(crate) use wait::wake;

/// Why a session has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// The daemon, or the way to it, is gone.
    DaemonGone,
    /// So it is, and no other daemon could be reached in time.
    NotRestored,
    /// The program has closed or shut down the mailbox's number.
    ByProgram,
    /// The daemon has sent what is no message.
    BrokenFrame,
    /// More was received than may wait, and the session's policy is to end then.
    Overflow,
}

/// A session that goes on at another daemon (or again at the same).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconnected {
    /// The session's name before.
    pub old_private_group: Name,
    /// Its name now. Members of its groups see the old one leave and this one join.
    pub private_group: Name,
    /// Where the new daemon is.
    pub daemon: String,
    /// From the loss to the moment when all groups were joined again.
    pub gap: Duration,
    /// Groups that were joined again.
    pub groups: u32,
    /// Daemons that were asked, the one that accepted included.
    pub attempts: u32,
    /// How many gaps this event stands for. More than 1 only where a program has not taken its
    /// events for long; the gap is their sum then.
    pub outages: u32,
}

/// Something that has happened to a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// The session has begun.
    Connected {
        /// The session's name.
        private_group: Name,
        /// Where the daemon is.
        daemon: String,
    },
    /// The connection is lost. What was received before can still be taken.
    DaemonLost {
        /// Where the daemon was.
        daemon: String,
    },
    /// All that the name stands for was tried in vain; so long is the pause before the next try.
    Reconnecting {
        /// Vain tries since the loss.
        attempt: u32,
        /// Until the next one.
        pause: Duration,
    },
    /// The connection is restored.
    Reconnected(Box<Reconnected>),
    /// More waits for the program than a warning mark.
    Slow {
        /// Messages that wait.
        messages: u64,
        /// Bytes that they take.
        bytes: u64,
    },
    /// The program has caught up.
    SlowCleared {
        /// Messages that wait.
        messages: u64,
        /// Bytes that they take.
        bytes: u64,
    },
    /// So much waits that nothing more is read from the daemon until the program has caught up: the
    /// daemon may end the session.
    Blocked {
        /// Why: a limit is reached, or what does not fit cannot be written to disk.
        reason: String,
    },
    /// Messages were dropped, as the session's policy says.
    Dropped {
        /// How many since the last such event.
        messages: u64,
        /// Their bytes.
        bytes: u64,
    },
    /// The session has ended; a receive tells so once what has come before is taken.
    Closed(Ending),
}

/// What events are given to: it gets the mailbox number and the event.
pub type EventCallback = Box<dyn FnMut(i32, &Event) + Send>;

/// A program's callback. The lock is held while it runs.
type SharedCallback = Arc<Mutex<EventCallback>>;

/// The events of one session.
#[derive(Debug, Default)]
pub(crate) struct Notices {
    inner: Mutex<Inner>,
}

/// What the lock of a session's events protects.
#[derive(Default)]
pub(crate) struct Inner {
    queue: Queue,
    /// Readable while events wait. Made when the program asks for it.
    bell: Option<std::os::fd::OwnedFd>,
    callback: Option<SharedCallback>,
    /// The dispatcher knows that there is something for the callback.
    asked: bool,
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner")
            .field("queue", &self.queue)
            .field("callback", &self.callback.is_some())
            .finish_non_exhaustive()
    }
}

impl Inner {
    /// In a forked child: what has happened is the parent's to tell.
    pub(crate) fn forget_in_child(&mut self) {
        *self = Self::default();
    }
}

impl Notices {
    /// Locks them.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    /// Tells the program of something. Never waits for it, and may be called with the session's
    /// other locks held.
    pub(crate) fn tell(&self, event: Event) {
        let ask = {
            let mut inner = self.notices.lock();
            inner.queue.push(event);
            if let Some(bell) = &inner.bell {
                crate::sys::fd::ring(bell);
            }
            inner.callback.is_some() && !std::mem::replace(&mut inner.asked, true)
        };
        if ask && let Some(me) = self.me() {
            dispatch::ask(me);
        }
    }

    /// The next event for the callback, and the callback.
    fn next_for_callback(&self) -> Option<(SharedCallback, Event)> {
        let mut inner = self.notices.lock();
        let next = inner.callback.clone().zip(inner.queue.pop());
        if next.is_none() {
            inner.asked = false;
        }
        inner.settle();
        next
    }
}

impl Inner {
    /// Silences the bell where nothing waits.
    fn settle(&self) {
        if self.queue.is_empty()
            && let Some(bell) = &self.bell
        {
            crate::sys::fd::silence(bell);
        }
    }
}

fn find(mailbox: i32) -> Result<Arc<Session>, Error> {
    table::find(mailbox).ok_or(Error::IllegalSession)
}

/// A descriptor that is readable while events of `mailbox` wait: for `select` and the like, not to be
/// read or closed. It lives as long as the session, and is the same at every call.
///
/// # Errors
/// [`Error::IllegalSession`]; [`Error::Bug`] if the system has no descriptor left.
pub fn event_fd(mailbox: i32) -> Result<i32, Error> {
    let session = find(mailbox)?;
    let mut inner = session.notices.lock();
    if let Some(bell) = &inner.bell {
        return Ok(bell.as_raw_fd());
    }
    let bell = crate::sys::fd::bell().map_err(|_| Error::Bug)?;
    if !inner.queue.is_empty() {
        crate::sys::fd::ring(&bell);
    }
    let number = bell.as_raw_fd();
    inner.bell = Some(bell);
    Ok(number)
}

/// Takes the oldest event of `mailbox` that the program has not been told of. Never waits.
///
/// # Errors
/// [`Error::IllegalSession`]. A session that has ended by itself still has its events.
pub fn next_event(mailbox: i32) -> Result<Option<Event>, Error> {
    let session = find(mailbox)?;
    let mut inner = session.notices.lock();
    let event = inner.queue.pop();
    inner.settle();
    Ok(event)
}

/// Has all events of `mailbox` given to `callback`, those that wait included, on a thread of the
/// library's own, one at a time. It may make any call of this library. `None` ends that: when this
/// returns, no callback is running any more (but the one that it is called from), and none will.
/// The same holds for the return of [`crate::disconnect`] and [`crate::kill`].
///
/// # Errors
/// [`Error::IllegalSession`].
pub fn set_event_callback(mailbox: i32, callback: Option<EventCallback>) -> Result<(), Error> {
    let session = find(mailbox)?;
    let (old, ask) = {
        let mut inner = session.notices.lock();
        let old = inner.callback.take();
        inner.callback = callback.map(|callback| Arc::new(Mutex::new(callback)));
        let ask = inner.callback.is_some() && !inner.queue.is_empty() && !inner.asked;
        inner.asked |= ask;
        (old, ask)
    };
    wait_until_idle(old);
    if ask {
        dispatch::ask(session);
    }
    Ok(())
}

/// The session leaves: no callback runs any more when this returns.
pub(crate) fn end(session: &Session) {
    let old = session.notices.lock().callback.take();
    wait_until_idle(old);
}

/// Waits for a callback that is running, unless this is its own thread.
fn wait_until_idle(callback: Option<SharedCallback>) {
    if let Some(callback) = callback
        && !dispatch::is_this_thread()
    {
        drop(callback.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
