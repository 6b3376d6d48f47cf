//! From mailbox numbers to sessions.
//!
//! Mailbox numbers are descriptor numbers, so small and dense: a table in chunks, each slot with a
//! lock of its own that is held only to copy a reference. A call never waits for a call on another
//! mailbox here.

use std::os::fd::RawFd;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::session::Session;

const CHUNK: usize = 256;
/// Numbers up to 1,048,575; Linux allows no more open files by default.
const CHUNKS: usize = 4096;

type Slot = Mutex<Option<Arc<Session>>>;

static TABLE: [OnceLock<Box<[Slot]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];

fn slot(mailbox: RawFd, make: bool) -> Option<&'static Slot> {
    let number = usize::try_from(mailbox).ok()?;
    let chunk = TABLE.get(number / CHUNK)?;
    let chunk = if make {
        chunk.get_or_init(|| (0..CHUNK).map(|_| Mutex::new(None)).collect())
    } else {
        chunk.get()?
    };
    chunk.get(number % CHUNK)
}

/// Locks, whatever happened to earlier owners: a slot is whole at every moment.
fn open(slot: &'static Slot) -> MutexGuard<'static, Option<Arc<Session>>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The session with this mailbox.
pub(crate) fn find(mailbox: RawFd) -> Option<Arc<Session>> {
    open(slot(mailbox, false)?).clone()
}

/// Enters a session under its number. Returns the one that stood there before: its program has
/// closed the number without telling. `Err`: the number is too large for the table.
pub(crate) fn insert(session: Arc<Session>) -> Result<Option<Arc<Session>>, Arc<Session>> {
    match slot(session.mailbox(), true) {
        Some(slot) => Ok(open(slot).replace(session)),
        None => Err(session),
    }
}

/// Takes a session out, so that no further call finds it.
pub(crate) fn remove(mailbox: RawFd) -> Option<Arc<Session>> {
    open(slot(mailbox, false)?).take()
}

/// Takes this very session out; false if it is not there any more.
pub(crate) fn remove_this(session: &Arc<Session>) -> bool {
    let Some(slot) = slot(session.mailbox(), false) else {
        return false;
    };
    let mut slot = open(slot);
    let is_there = slot.as_ref().is_some_and(|held| Arc::ptr_eq(held, session));
    if is_there {
        *slot = None;
    }
    is_there
}

/// Locks every slot there is, for the time of a `fork`.
pub(crate) fn lock_all() -> Vec<MutexGuard<'static, Option<Arc<Session>>>> {
    TABLE
        .iter()
        .filter_map(OnceLock::get)
        .flat_map(|chunk| chunk.iter())
        .map(open)
        .collect()
}
