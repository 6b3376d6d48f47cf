//! Ending another thread's wait for a message, also from a signal handler.
//!
//! A signal handler may take no lock, so the session is not looked up in the table: each mailbox
//! number has a place here that is reached with plain atomic loads. In it are a flag and the number
//! of a bell (an eventfd, see [`crate::bells`]) that the waiting thread polls beside the link. A handler
//! that has just read a bell's number may ring late.

use std::os::fd::{AsRawFd, RawFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering};

use crate::bells;
use crate::error::Error;
use crate::session::Session;
use crate::sys::fd;

/// As in [`crate::table`]: places of a chunk, chunks of a page, and pages.
const CHUNK: usize = 256;
const CHUNKS: usize = 64;
const PAGES: usize = 64;

/// One mailbox number.
struct Place {
    /// The session that has the number, 0 for none.
    key: AtomicU64,
    /// The session that is to be interrupted; of another one it is nothing.
    wanted: AtomicU64,
    bell: AtomicI32,
}

impl Place {
    const fn new() -> Self {
        Self {
            key: AtomicU64::new(0),
            wanted: AtomicU64::new(0),
            bell: AtomicI32::new(-1),
        }
    }
}

type Chunk = OnceLock<Box<[Place]>>;

static PLACES: [OnceLock<Box<[Chunk]>>; PAGES] = [const { OnceLock::new() }; PAGES];

fn place(mailbox: RawFd) -> Option<&'static Place> {
    let number = usize::try_from(mailbox).ok()?;
    let page = PLACES.get(number / CHUNK / CHUNKS)?.get()?;
    page.get(number / CHUNK % CHUNKS)?
        .get()?
        .get(number % CHUNK)
}

/// A new session has its number.
pub(crate) fn enter(session: &Session) {
    let number = usize::try_from(session.mailbox()).unwrap_or(usize::MAX);
    if let Some(page) = PLACES.get(number / CHUNK / CHUNKS) {
        let page = page.get_or_init(|| (0..CHUNKS).map(|_| OnceLock::new()).collect());
        let chunk = &page[number / CHUNK % CHUNKS];
        let chunk = chunk.get_or_init(|| (0..CHUNK).map(|_| Place::new()).collect());
        let place = &chunk[number % CHUNK];
        place.wanted.store(0, Ordering::SeqCst);
        place.key.store(session.key(), Ordering::SeqCst);
    }
}

/// The session's number is free from now on.
pub(crate) fn forget(session: &Session) {
    let Some(place) = place(session.mailbox()) else {
        return;
    };
    let mine = place
        .key
        .compare_exchange(session.key(), 0, Ordering::SeqCst, Ordering::SeqCst);
    if mine.is_ok() {
        bells::put(place.bell.swap(-1, Ordering::SeqCst));
    }
}

/// In a forked child: the bells are shared with the parent, and another process's threads may take
/// what is rung here. New ones are made when they are needed.
pub(crate) fn forget_bells_in_child() {
    let pages = PLACES.iter().filter_map(OnceLock::get);
    let chunks = pages.flatten().filter_map(OnceLock::get);
    for place in chunks.flatten() {
        place.bell.store(-1, Ordering::SeqCst);
    }
}

/// Ends the wait of a thread in a receive that can be interrupted ([`crate::receive_message`]), or
/// of the next one on this mailbox if none is waiting now: it fails with [`Error::Interrupted`]. No
/// message is lost. Takes no lock and makes only calls that a signal handler may make.
///
/// # Errors
/// [`Error::IllegalSession`].
pub fn interrupt(mailbox: i32) -> Result<(), Error> {
    let place = place(mailbox).ok_or(Error::IllegalSession)?;
    let key = place.key.load(Ordering::SeqCst);
    if key == 0 {
        return Err(Error::IllegalSession);
    }
    place.wanted.store(key, Ordering::SeqCst);
    let bell = place.bell.load(Ordering::SeqCst);
    if bell >= 0 {
        fd::ring_number(bell);
    }
    Ok(())
}

/// The bell to wait on beside the link; -1 if there is none to be had.
pub(crate) fn bell(session: &Session) -> RawFd {
    let Some(place) = place(session.mailbox()) else {
        return -1;
    };
    let known = place.bell.load(Ordering::SeqCst);
    if known >= 0 {
        return known;
    }
    let Some(fresh) = bells::take() else {
        return -1;
    };
    // Two threads may come at once: the turn to receive keeps all but one away.
    place.bell.store(fresh, Ordering::SeqCst);
    fresh
}

/// Whether the session's thread is to be interrupted; it is told so once.
pub(crate) fn is_wanted(session: &Session) -> bool {
    let Some(place) = place(session.mailbox()) else {
        return false;
    };
    let key = session.key();
    let taken = place
        .wanted
        .compare_exchange(key, 0, Ordering::SeqCst, Ordering::SeqCst);
    taken.is_ok()
}

/// Empties the bell after it has woken its thread.
pub(crate) fn silence(bell: RawFd) {
    if bell >= 0 {
        fd::silence_number(bell.as_raw_fd());
    }
}
