//! The background reader: one thread of the process that keeps the daemons' buffers drained.
//!
//! It reads a link only while no thread of the program does: everything of a session that both
//! touch is under the session's `rx` lock, which nobody holds while waiting for the network. A
//! thread that waits on the link is entered as the owner; the reader then notes `wants` and goes
//! away, and the owner sees the note under the same lock when it is done.
//!
//! A link is *armed* while the reader is woken by its arrivals. A program that keeps coming back to
//! receive before anything is there is served by its own thread, and waking the reader each time
//! would only cost; so such a receiver disarms the link, and a coarse tick arms it again when
//! nobody has come back. See [`Watch`].

mod flow;
mod thread;

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use flow::{Flow, dry, gave, note_loss, one_left, refill};

use crate::session::{Kind, Rx, Session};
use crate::sys::epoll::Epoll;
use crate::sys::{fd, signals};

/// How often disarmed links are looked at. A slow reader must be drained within milliseconds: a
/// real daemon has dropped a client that read nothing for 6 ms.
const TICK: Duration = Duration::from_millis(1);

/// Receives in a row that must come before their message until a stable link is disarmed.
const FIRST_STREAK: u32 = 16;

/// How the reader and one link stand; part of the session's receiving half.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The reader is woken by arrivals.
    armed: bool,
    /// The tick looks at this link.
    ticking: bool,
    /// The tick has stopped because a receiver was inside: whoever leaves has to wake the reader.
    parked: bool,
    /// The reader has found an owner; whoever leaves has to look for what is left.
    wants: bool,
    /// How the session stands with its limits.
    pub(crate) flow: Flow,
    /// Reads of the link by receivers. A program that takes what is in the inbox does not read: it
    /// may be slow, and the daemon's buffer is the reader's business then.
    reads: u32,
    /// `reads` when the reader last had to drain because the program had not read: no need to leave
    /// it further arrivals first until it has been here again.
    stayed_away: u32,
    /// Receives in a row that came before the reader, soon after the one before.
    streak: u32,
    /// How long the streak must be (stable kind).
    needed: u32,
    /// The present receive has read the link.
    has_read: bool,
    /// When the last receive ended that had read the link (stable kind, where it matters).
    last_return: Option<Instant>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            armed: false,
            ticking: false,
            parked: false,
            wants: false,
            flow: Flow::default(),
            reads: 0,
            stayed_away: 0,
            streak: 0,
            needed: FIRST_STREAK,
            has_read: false,
            last_return: None,
        }
    }
}

impl Watch {
    /// In a forked child: the reader that the notes were for is not there.
    pub(crate) fn reset(&mut self) {
        *self = Self::default();
    }
}

/// What threads of the program ask of the thread.
#[derive(Debug)]
enum Request {
    /// See whether the link has something.
    Look(u64),
    /// Give free memory back to the system.
    Trim,
    /// Begin to tick for it.
    Tick(u64),
    /// The end of this pipe tells that a forked child is gone or has replaced its program.
    Child(OwnedFd),
}

/// The part of the reader that both sides see.
#[derive(Debug)]
struct Shared {
    epoll: Epoll,
    /// Wakes the thread.
    bell: OwnedFd,
    requests: Mutex<Vec<Request>>,
    sessions: Mutex<HashMap<u64, Arc<Session>>>,
    /// The thread looks at the requests before it sleeps: nobody has to ring.
    awake: AtomicBool,
    /// The thread wakes by itself within a tick.
    ticking: AtomicBool,
}

static READER: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reader() -> Option<Arc<Shared>> {
    lock(&READER).clone()
}

/// The key of a link in the reader's epoll; that of the mailbox's far end is one more.
fn link_key(session: &Session) -> u64 {
    session.key() * 2
}

/// Starts the reader's thread if this process has none.
fn start() -> std::io::Result<Arc<Shared>> {
    let mut slot = lock(&READER);
    if let Some(shared) = &*slot {
        return Ok(Arc::clone(shared));
    }
    let shared = Arc::new(Shared {
        epoll: Epoll::new()?,
        bell: fd::move_high(fd::bell()?, 1024),
        requests: Mutex::default(),
        sessions: Mutex::default(),
        awake: AtomicBool::new(true),
        ticking: AtomicBool::new(false),
    });
    shared
        .epoll
        .add_level(shared.bell.as_raw_fd(), thread::BELL_KEY)?;
    let own = Arc::clone(&shared);
    signals::spawn_masked("spread-io", 256 * 1024, move || thread::run(&own))?;
    *slot = Some(Arc::clone(&shared));
    Ok(shared)
}

/// Enters a new session, armed.
pub(crate) fn watch(session: &Arc<Session>) -> std::io::Result<()> {
    let shared = start()?;
    lock(&shared.sessions).insert(session.key(), Arc::clone(session));
    let mut rx = session.rx();
    if let Some(far) = &rx.far {
        shared
            .epoll
            .add_hangup(far.as_raw_fd(), link_key(session) + 1)?;
    }
    shared.epoll.add(session.link_fd(), link_key(session))?;
    rx.watch.armed = true;
    Ok(())
}

/// Forgets a session, before its descriptors are closed.
pub(crate) fn forget(session: &Session) {
    let Some(shared) = reader() else { return };
    lock(&shared.sessions).remove(&session.key());
    let mut rx = session.rx();
    if rx.watch.armed && session.link_is_ours() {
        let _ = shared.epoll.remove(session.link_fd());
    }
    rx.watch.armed = false;
    if let Some(far) = &rx.far {
        let _ = shared.epoll.remove(far.as_raw_fd());
    }
}

/// A receiver is about to read the link itself, or to wait on it. False: the link's number does not
/// stand for the link any more, as the program has closed it, and nothing may be read from it.
pub(crate) fn before_wait(session: &Session, rx: &mut Rx) -> bool {
    if !rx.watch.armed {
        // Only a number that the program knows can be another file by now. An armed link tells by
        // itself, when it is disarmed.
        return !matches!(session.kind, Kind::Socket) || session.link_is_ours();
    }
    let early = match session.kind {
        Kind::Socket => true,
        Kind::Stable => {
            let soon = rx
                .watch
                .last_return
                .is_some_and(|last| last.elapsed() < TICK);
            rx.watch.streak = if soon { rx.watch.streak + 1 } else { 0 };
            rx.watch.streak >= rx.watch.needed
        }
    };
    if !early {
        return true;
    }
    let Some(shared) = reader() else { return true };
    rx.watch.armed = false;
    if shared.epoll.remove(session.link_fd()).is_err() {
        return false;
    }
    if !rx.watch.ticking {
        rx.watch.ticking = true;
        shared.ask_lazily(Request::Tick(session.key()));
    }
    true
}

/// A receiver has read the link.
pub(crate) fn has_read(rx: &mut Rx) {
    rx.watch.reads = rx.watch.reads.wrapping_add(1);
    rx.watch.has_read = true;
}

/// Whether the end of a receive that has read nothing would be nothing to the reader.
#[inline]
pub(crate) fn is_content(rx: &Rx) -> bool {
    let watch = &rx.watch;
    !(watch.wants || watch.parked || watch.has_read) && flow::is_content(rx)
}

/// A receive has ended (also one that never came to wait).
pub(crate) fn returned(session: &Session, rx: &mut Rx) {
    let watch = &mut rx.watch;
    if std::mem::take(&mut watch.has_read) && matches!(session.kind, Kind::Stable) {
        watch.last_return = Some(Instant::now());
    }
    let mut look = std::mem::take(&mut watch.wants);
    let eased = flow::eased(session, rx);
    look |= eased.read;
    // The tick has stopped for this link, so nobody else would notice if the program stays away.
    look |= std::mem::take(&mut rx.watch.parked);
    if look && let Some(shared) = reader() {
        shared.ask(Request::Look(session.key()));
    }
    if eased.trim
        && let Some(shared) = reader()
    {
        shared.ask(Request::Trim);
    }
}

/// The link is about to be replaced: its arrivals wake nobody any more.
pub(crate) fn unwatch_link(session: &Session, rx: &mut Rx) {
    if rx.watch.armed
        && let Some(shared) = reader()
    {
        let _ = shared.epoll.remove(session.link_fd());
    }
    rx.watch.armed = false;
}

/// A new link has taken the place of the old one.
pub(crate) fn watch_link(session: &Session, rx: &mut Rx) {
    let Some(shared) = reader() else { return };
    rx.watch.streak = 0;
    rx.watch.flow.resume();
    rx.watch.armed = shared
        .epoll
        .add(session.link_fd(), link_key(session))
        .is_ok();
}

/// Has the reader look at a session's link again.
pub(crate) fn look(session: &Session) {
    if let Some(shared) = reader() {
        shared.ask(Request::Look(session.key()));
    }
}

/// A claim has changed hands: this process reads now.
pub(crate) fn claimed(session: &Arc<Session>) {
    if let Ok(shared) = start() {
        let known = lock(&shared.sessions).contains_key(&session.key());
        if !known {
            let _ = watch(session);
        }
        shared.ask(Request::Look(session.key()));
    }
}

/// Has the reader watch for the end of a child.
pub(crate) fn watch_child(pipe: OwnedFd) {
    if let Some(shared) = reader() {
        shared.ask(Request::Child(pipe));
    }
}

/// The reader's place, locked for the time of a fork.
pub(crate) struct ForkLock(MutexGuard<'static, Option<Arc<Shared>>>);

/// Locks what a fork must find whole.
pub(crate) fn lock_for_fork() -> ForkLock {
    ForkLock(lock(&READER))
}

impl ForkLock {
    /// In the child: the reader's thread is not there. What it works with is left alone for ever,
    /// as locks in it may have been held, and its epoll set is shared with the parent.
    pub(crate) fn forget_in_child(&mut self) {
        *self.0 = None;
    }
}

impl Shared {
    /// Leaves a request. Rings only if the thread would sleep over it.
    fn ask(&self, request: Request) {
        lock(&self.requests).push(request);
        if !self.awake.swap(true, Ordering::SeqCst) {
            fd::ring(&self.bell);
        }
    }

    /// Leaves a request for the next time the thread is awake, at the latest after a tick if it is
    /// ticking; else rings.
    fn ask_lazily(&self, request: Request) {
        lock(&self.requests).push(request);
        if !self.ticking.load(Ordering::SeqCst) && !self.awake.swap(true, Ordering::SeqCst) {
            fd::ring(&self.bell);
        }
    }

    fn session(&self, key: u64) -> Option<Arc<Session>> {
        lock(&self.sessions).get(&key).cloned()
    }
}
