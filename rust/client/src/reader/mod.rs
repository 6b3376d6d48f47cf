//! The background reader: one thread of the process that keeps the daemons' buffers drained.
//!
//! It reads a link only while no thread of the program does: everything of a session that both
//! touch is under the session's `rx` lock, which nobody holds while waiting for the network. A
//! thread that waits on the link is entered as the owner; the reader then notes `wants` and goes
//! away, and the owner sees the note under the same lock when it is done.
//!
//! A link is *armed* while the reader is woken by its arrivals. Waking it for a receiver's own
//! messages would only cost. So a receiver that waits on a stable link waits at a *gate*, where the
//! kernel wakes it instead of the reader; one that waits on a socket mailbox disarms and arms again
//! when it leaves; and a program that keeps coming back soon has the link to itself, and a coarse tick
//! arms it again when nobody has come back. See [`Watch`].

mod flow;
mod pace;
mod thread;

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub(crate) use flow::{Flow, dry, gave, note_loss, one_left, refill, room_for_new_link, target};

use crate::session::{Kind, Rx, Session};
use crate::sys::epoll::Epoll;
use crate::sys::{clock, fd, signals};
use crate::window;

use self::pace::Pace;

/// How often links are looked at that are left to their programs. A slow reader must be drained within
/// milliseconds: a real daemon has dropped a client that read nothing for 6 ms. But each look costs a
/// busy program some microseconds.
const TICK: Duration = Duration::from_millis(2);

/// How soon a link is looked at again on which nobody was waiting.
const SECOND_LOOK: Duration = Duration::from_millis(1);

/// Receives in a row that must come before their message until a stable link is disarmed.
const FIRST_STREAK: u32 = 16;

/// Waits of a receiver within this time of the one before are a busy program's.
const SOON: Duration = Duration::from_micros(500);

/// How the reader and one link stand; part of the session's receiving half.
///
/// | | who sees an arrival |
/// | --- | --- |
/// | `armed` | the reader is woken (stable kind: unless a receiver waits at the gate) |
/// | `ticking` | the program's receivers, which keep coming back; the tick sees when they do not |
/// | `parked` | the receiver that is inside; when it leaves, it arms (socket kind) |
#[derive(Debug)]
pub(crate) struct Watch {
    /// The reader is woken by arrivals.
    armed: bool,
    /// The link is in the reader's set, armed or resting there.
    entered: bool,
    /// The tick looks at this link.
    ticking: bool,
    /// Nobody but the receiver that is inside sees an arrival: whoever leaves has to arm.
    parked: bool,
    /// The reader has found an owner; whoever leaves has to look for what is left.
    wants: bool,
    /// An event loop polls the link (stable kind), and nobody has read it since.
    pub(crate) polled: bool,
    /// The last read by a receiver got all that it had asked for, so that there may be more.
    pub(crate) more: bool,
    /// How the session stands with its limits.
    pub(crate) flow: Flow,
    /// Reads of the link by receivers. A program that takes what is in the inbox does not read: it
    /// may be slow, and the daemon's buffer is the reader's business then.
    reads: u32,
    /// `reads` when the reader last had to drain because the program had not read: no need to leave
    /// it further arrivals first until it has been here again.
    stayed_away: u32,
    /// The program has taken a message since the last drain.
    pub(crate) taken: bool,
    /// The link is out of the set while it is left to the program for a moment (stable kind).
    aside: bool,
    /// Bytes in the link have been left to the program, for which its mailbox stays readable (stable kind).
    pub(crate) left: bool,
    /// Whether the program takes what it is given fast enough.
    pace: Pace,
    /// Waits in a row of receivers that came before the reader, soon after the one before.
    streak: u32,
    /// How long the streak must be.
    needed: u32,
    /// The present receive has read the link.
    has_read: bool,
    /// The last wait of a receiver that found the link armed or parked.
    last_wait: Option<Instant>,
    /// Where receivers wait on a stable link.
    gate: Option<Epoll>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            armed: false,
            entered: false,
            ticking: false,
            parked: false,
            wants: false,
            polled: false,
            more: false,
            flow: Flow::default(),
            reads: 0,
            stayed_away: 0,
            taken: false,
            aside: false,
            left: false,
            pace: Pace::default(),
            streak: 0,
            needed: FIRST_STREAK,
            has_read: false,
            last_wait: None,
            gate: None,
        }
    }
}

impl Watch {
    /// The session is closed, and nobody waits at its gate any more.
    pub(crate) fn close_gate(&mut self) {
        self.gate = None;
    }

    /// In a forked child: the reader that the notes were for is not there, and the gate is the
    /// parent's.
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
    /// Goes off when collected messages are to be sent.
    timer: OwnedFd,
    /// When, and of which session. Locked last.
    flushes: Mutex<Vec<(Instant, u64)>>,
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
        bell: fd::move_high(fd::bell()?),
        timer: fd::move_high(clock::timer()?),
        flushes: Mutex::default(),
        requests: Mutex::default(),
        sessions: Mutex::default(),
        awake: AtomicBool::new(true),
        ticking: AtomicBool::new(false),
    });
    shared
        .epoll
        .add_level(shared.bell.as_raw_fd(), thread::BELL_KEY)?;
    shared
        .epoll
        .add_level(shared.timer.as_raw_fd(), thread::TIMER_KEY)?;
    let own = Arc::clone(&shared);
    set_starting(true);
    let started = signals::spawn_masked("spread-io", 256 * 1024, move || thread::run(&own));
    if let Err(error) = started {
        set_starting(false);
        return Err(error);
    }
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
    enter(&shared, session, &mut rx)?;
    Ok(())
}

/// Forgets a session, before its descriptors are closed.
pub(crate) fn forget(session: &Session) {
    let Some(shared) = reader() else { return };
    lock(&shared.sessions).remove(&session.key());
    let mut rx = session.rx();
    if rx.watch.entered && session.link_is_ours() {
        let _ = shared.epoll.remove(session.link_fd());
    }
    rx.watch.armed = false;
    rx.watch.entered = false;
    rx.watch.parked = false;
    if let Some(far) = &rx.far {
        let _ = shared.epoll.remove(far.as_raw_fd());
    }
}

/// Enters the link into the reader's set, armed. What is there already is reported at once.
fn enter(shared: &Shared, session: &Session, rx: &mut Rx) -> std::io::Result<()> {
    let (link, key) = (session.link_fd(), link_key(session));
    if has_gate(session) {
        shared.epoll.add_last(link, key)?;
    } else {
        shared.epoll.add(link, key)?;
    }
    rx.watch.entered = true;
    rx.watch.armed = true;
    rx.watch.aside = false;
    Ok(())
}

/// Whether receivers wait at a gate, before the reader. Of several processes each has to see every
/// arrival, as only one of them will read; and a gate would not tell that its link has been replaced.
fn has_gate(session: &Session) -> bool {
    session.kind == Kind::Stable && !session.claim.is_shared() && session.auto.is_none()
}

/// Takes the link out of the reader's set. False: its number is somebody else's by now.
fn leave(shared: &Shared, session: &Session, rx: &mut Rx) -> bool {
    rx.watch.armed = false;
    rx.watch.entered = false;
    shared.epoll.remove(session.link_fd()).is_ok()
}

/// How a receiver is to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// On the link, in whatever call.
    Link,
    /// At this gate, until the link is readable.
    Gate(RawFd),
    /// Not at all: the link's number does not stand for the link any more, as the program has closed
    /// it, and nothing may be read from it.
    Gone,
}

/// A receiver is about to read the link itself, without waiting. False: see [`Way::Gone`].
pub(crate) fn may_read(session: &Session, rx: &mut Rx) -> bool {
    if rx.watch.armed && is_busy(rx) {
        return match reader() {
            Some(shared) => begin_ticking(&shared, session, rx),
            None => true,
        };
    }
    // Only a number that the program knows can be another file by now.
    session.kind != Kind::Socket || session.link_is_ours()
}

/// A receiver is about to wait on the link.
pub(crate) fn before_wait(session: &Session, rx: &mut Rx) -> Way {
    let way = |ours| if ours { Way::Link } else { Way::Gone };
    if !rx.watch.armed {
        return way(session.kind != Kind::Socket || session.link_is_ours());
    }
    let Some(shared) = reader() else {
        return Way::Link;
    };
    // Also at a gate: a daemon that writes a message in parts wakes the reader by the second part, as
    // nobody waits any more.
    if is_busy(rx) {
        return way(begin_ticking(&shared, session, rx));
    }
    match session.kind {
        Kind::Socket => {
            // A set tells by itself that a number is not what was entered.
            rx.watch.armed = false;
            rx.watch.parked = true;
            way(shared
                .epoll
                .set_watching(session.link_fd(), link_key(session), false)
                .is_ok())
        }
        Kind::Stable if !has_gate(session) => Way::Link,
        Kind::Stable => {
            if rx.watch.gate.is_none() {
                // The gate must have been added first.
                let out = leave(&shared, session, rx);
                rx.watch.gate = out.then(|| Epoll::gate(session.link_fd()).ok()).flatten();
                if enter(&shared, session, rx).is_err() {
                    return Way::Gone;
                }
            }
            rx.watch
                .gate
                .as_ref()
                .map_or(Way::Link, |gate| Way::Gate(gate.raw()))
        }
    }
}

/// An event loop is about to wait for this mailbox. True: it is to poll the link too, on which the next
/// message comes.
pub(crate) fn before_loop_wait(session: &Session, rx: &mut Rx) -> bool {
    if session.kind != Kind::Stable
        || session.claim.is_shared()
        || session.closed.load(Ordering::Acquire)
        || rx.ended
        || rx.inbox.len() > 0
    {
        return false;
    }
    if rx.watch.armed
        && is_busy(rx)
        && let Some(shared) = reader()
    {
        begin_ticking(&shared, session, rx);
    }
    rx.watch.polled = true;
    true
}

/// Counts a wait (or a read) of a receiver. True: it keeps coming back so soon that the reader should
/// leave the link to it.
fn is_busy(rx: &mut Rx) -> bool {
    let now = Instant::now();
    let soon = rx
        .watch
        .last_wait
        .replace(now)
        .is_some_and(|last| now.duration_since(last) < SOON);
    rx.watch.streak = if soon { rx.watch.streak + 1 } else { 0 };
    rx.watch.streak >= rx.watch.needed
}

/// Leaves the link to the program for as long as it keeps coming back.
fn begin_ticking(shared: &Shared, session: &Session, rx: &mut Rx) -> bool {
    let ours = leave(shared, session, rx);
    if ours && !rx.watch.ticking {
        rx.watch.ticking = true;
        shared.ask_lazily(Request::Tick(session.key()));
    }
    ours
}

/// A receiver has read the link.
pub(crate) fn has_read(rx: &mut Rx) {
    rx.watch.reads = rx.watch.reads.wrapping_add(1);
    rx.watch.has_read = true;
    rx.watch.left = false;
    rx.watch.polled = false;
}

/// Whether the end of a receive that has read nothing would be nothing to the reader.
#[inline]
pub(crate) fn is_content(rx: &Rx) -> bool {
    let watch = &rx.watch;
    !(watch.wants || watch.parked || watch.has_read) && flow::is_content(rx)
}

/// A receive has ended (also one that never came to wait).
pub(crate) fn returned(session: &Session, rx: &mut Rx) {
    let held = rx.held_bytes();
    let watch = &mut rx.watch;
    let has_read = std::mem::take(&mut watch.has_read);
    watch.taken = true;
    // What the reader has found, or what came while this thread waited at the gate, is left to nobody
    // else.
    let more = std::mem::take(&mut watch.more);
    let mut look = match session.kind {
        Kind::Socket => std::mem::take(&mut watch.wants),
        Kind::Stable => {
            std::mem::take(&mut watch.wants) && held > 0 || has_read && more && watch.armed
        }
    };
    window::settle(session, rx);
    let eased = flow::eased(session, rx);
    look |= eased.read;
    // The program may wait for its mailbox now.
    let aside = rx.watch.aside && held == 0;
    if (std::mem::take(&mut rx.watch.parked) || aside)
        && let Some(shared) = reader()
    {
        rearm(&shared, session, rx);
    }
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
    if rx.watch.entered
        && let Some(shared) = reader()
    {
        leave(&shared, session, rx);
    }
}

/// A new link has taken the place of the old one.
pub(crate) fn watch_link(session: &Session, rx: &mut Rx) {
    let Some(shared) = reader() else { return };
    rx.watch.streak = 0;
    rx.watch.flow.resume();
    // An error leaves it to the receivers.
    let _ = enter(&shared, session, rx);
}

/// A sender waits for what is to come, and its program may not receive meanwhile: the reader drains the
/// link at once, and goes on doing so.
pub(crate) fn drain_for_sender(session: &Session, rx: &mut Rx) {
    let Some(shared) = reader() else { return };
    rx.watch.stayed_away = rx.watch.reads;
    rx.watch.polled = false;
    rx.watch.taken = false;
    if rx.owner.is_none() {
        rearm(&shared, session, rx);
    }
    shared.ask(Request::Look(session.key()));
}

/// Has the reader look at a session's link again.
pub(crate) fn look(session: &Session) {
    if let Some(shared) = reader() {
        shared.ask(Request::Look(session.key()));
    }
}

/// Has arrivals wake the reader again. What is there already is reported at once.
fn rearm(shared: &Shared, session: &Session, rx: &mut Rx) {
    if rx.watch.armed || rx.ended {
        return;
    }
    let (link, key) = (session.link_fd(), link_key(session));
    if rx.watch.entered {
        rx.watch.armed = shared.epoll.set_watching(link, key, true).is_ok();
    } else if session.link_is_ours() {
        // An error leaves it to the receivers.
        let _ = enter(shared, session, rx);
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

/// Has what the session has collected sent after so many microseconds. Called with its sending half
/// locked.
pub(crate) fn flush_after(session: &Session, after_us: u32) {
    if let Some(shared) = reader() {
        shared.flush_after(session.key(), Duration::from_micros(after_us.into()));
    }
}

/// Has the reader watch for the end of a child.
pub(crate) fn watch_child(pipe: OwnedFd) {
    if let Some(shared) = reader() {
        shared.ask(Request::Child(pipe));
    }
}

/// Held by the thread whenever it does not wait. First of all locks that a fork takes: the thread is
/// not at work meanwhile, so that it is in no allocation. Not every allocator cares for forks as the C
/// library's does, and a child would wait for ever for what such a one has locked.
static AT_WORK: Mutex<()> = Mutex::new(());

/// A thread has been started and has not begun yet: it is somewhere in what the system's and the
/// language's libraries do first.
static STARTING: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

/// Notes that the thread is about to be started, or has begun, or could not be started.
fn set_starting(starting: bool) {
    *lock(&STARTING.0) = starting;
    STARTING.1.notify_all();
}

/// Waits until the thread is not at work, and keeps it so.
pub(crate) fn hold_still() -> MutexGuard<'static, ()> {
    lock(&AT_WORK)
}

/// The reader's place, locked for the time of a fork.
pub(crate) struct ForkLock(MutexGuard<'static, Option<Arc<Shared>>>);

/// Locks what a fork must find whole.
pub(crate) fn lock_for_fork() -> ForkLock {
    let place = lock(&READER);
    let starting = lock(&STARTING.0);
    let started = STARTING.1.wait_while(starting, |starting| *starting);
    drop(started.unwrap_or_else(PoisonError::into_inner));
    ForkLock(place)
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

    fn flush_after(&self, key: u64, delay: Duration) {
        let at = Instant::now() + delay;
        let mut flushes = lock(&self.flushes);
        if flushes.iter().all(|(other, _)| at < *other) {
            clock::set_timer(&self.timer, delay);
        }
        flushes.push((at, key));
    }

    fn session(&self, key: u64) -> Option<Arc<Session>> {
        lock(&self.sessions).get(&key).cloned()
    }
}
