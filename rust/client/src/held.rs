//! What a thread holds while it waits inside the library.
//!
//! A waiting thread may never come back: it is cancelled, or leaves with `siglongjmp`. Its frames
//! run no destructors then ([`crate::sys::blocking`]), so whatever must not be lost is registered
//! here for the time of the wait. A thread that ends gives everything back through the destructor
//! of its registry; a thread that jumped out meets its own old entry at its next call.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::connect::Connecting;
use crate::session::Session;

/// Names a thread for as long as the process lives; never reused, unlike thread ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ThreadToken(u64);

/// Which turn of a session a waiting thread has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    Receive,
    Send,
    /// None yet: it waits until the send window has room.
    Window,
    /// To receive through the flush layer.
    FlushReceive,
    /// To send through the flush layer.
    FlushSend,
}

#[derive(Debug)]
struct Registry {
    token: ThreadToken,
    turns: Vec<(Arc<Session>, Turn)>,
    connecting: Vec<Option<Box<Connecting>>>,
}

impl Registry {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self {
            token: ThreadToken(NEXT.fetch_add(1, Ordering::Relaxed)),
            turns: Vec::new(),
            connecting: Vec::new(),
        }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        for (session, turn) in self.turns.drain(..) {
            session.abandon(turn, self.token);
        }
    }
}

thread_local! {
    static HELD: RefCell<Registry> = RefCell::new(Registry::new());
}

/// A thread whose registry is gone (a call from a destructor of thread-local data) shares this
/// name. It cannot be told from another such thread, which only matters if both are cancelled.
const ENDING: ThreadToken = ThreadToken(0);

/// The calling thread.
pub(crate) fn token() -> ThreadToken {
    HELD.try_with(|held| held.borrow().token).unwrap_or(ENDING)
}

/// Registers the turn that the calling thread is going to wait with. Gives the session back where
/// there is no registry any more (a call from a destructor of thread-local data).
pub(crate) fn enter(session: Arc<Session>, turn: Turn) -> Option<Arc<Session>> {
    let mut session = Some(session);
    let _ = HELD.try_with(|held| {
        if let Some(session) = session.take() {
            held.borrow_mut().turns.push((session, turn));
        }
    });
    session
}

/// Takes back the newest turn of this kind that belongs to `key`: the wait is over.
pub(crate) fn leave(key: u64, turn: Turn) -> Option<Arc<Session>> {
    HELD.try_with(|held| {
        let turns = &mut held.borrow_mut().turns;
        let at = turns
            .iter()
            .rposition(|(session, of)| session.key() == key && *of == turn)?;
        Some(turns.swap_remove(at).0)
    })
    .ok()
    .flatten()
}

/// Keeps the state of a connect between its steps; returns its place.
pub(crate) fn put_connecting(state: Box<Connecting>) -> usize {
    HELD.try_with(|held| {
        let list = &mut held.borrow_mut().connecting;
        list.push(Some(state));
        list.len() - 1
    })
    .unwrap_or(usize::MAX)
}

/// Takes the state of a connect for one step.
pub(crate) fn take_connecting(at: usize) -> Option<Box<Connecting>> {
    HELD.try_with(|held| held.borrow_mut().connecting.get_mut(at)?.take())
        .ok()
        .flatten()
}

/// Puts it back after the step.
pub(crate) fn return_connecting(at: usize, state: Box<Connecting>) {
    // Without a registry the state is dropped, and the next step finds none: a failed connect.
    let _ = HELD.try_with(|held| {
        if let Some(slot) = held.borrow_mut().connecting.get_mut(at) {
            *slot = Some(state);
        }
    });
}

/// Forgets the place of a finished connect, and those of abandoned ones behind it.
pub(crate) fn end_connecting(at: usize) {
    let _ = HELD.try_with(|held| held.borrow_mut().connecting.truncate(at));
}
