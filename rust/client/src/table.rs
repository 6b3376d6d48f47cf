//! From mailbox numbers to sessions.
//!
//! Mailbox numbers are descriptor numbers, so small and dense: a table in chunks, each slot with a
//! lock of its own that is held only to copy a reference. A call never waits for a call on another
//! mailbox here. Each thread also keeps the sessions that it has received from last, so that taking
//! a message that waits needs neither that lock nor a reference of its own.

use std::cell::RefCell;
use std::os::fd::RawFd;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::session::Session;

const CHUNK: usize = 256;
/// Chunks of a page, and pages: numbers up to 1,048,575, as Linux allows no more open files by
/// default. In two levels, since what is not yet made takes space in the library's file.
const CHUNKS: usize = 64;
const PAGES: usize = 64;

type Slot = Mutex<Option<Arc<Session>>>;
type Chunk = OnceLock<Box<[Slot]>>;

static TABLE: [OnceLock<Box<[Chunk]>>; PAGES] = [const { OnceLock::new() }; PAGES];

fn slot(mailbox: RawFd, make: bool) -> Option<&'static Slot> {
    let number = usize::try_from(mailbox).ok()?;
    let page = TABLE.get(number / CHUNK / CHUNKS)?;
    let page = if make {
        page.get_or_init(|| (0..CHUNKS).map(|_| OnceLock::new()).collect())
    } else {
        page.get()?
    };
    let chunk = page.get(number / CHUNK % CHUNKS)?;
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

/// All sessions there are.
pub(crate) fn sessions() -> Vec<Arc<Session>> {
    TABLE
        .iter()
        .filter_map(OnceLock::get)
        .flat_map(|page| page.iter())
        .filter_map(OnceLock::get)
        .flat_map(|chunk| chunk.iter())
        .filter_map(|slot| open(slot).clone())
        .collect()
}

/// Locks every slot there is, for the time of a `fork`.
pub(crate) fn lock_all() -> Vec<MutexGuard<'static, Option<Arc<Session>>>> {
    TABLE
        .iter()
        .filter_map(OnceLock::get)
        .flat_map(|page| page.iter())
        .filter_map(OnceLock::get)
        .flat_map(|chunk| chunk.iter())
        .map(open)
        .collect()
}

/// Sessions that one thread remembers, each at its mailbox number modulo this.
const RECENT: usize = 4;

thread_local! {
    static RECENTLY: RefCell<[Option<Arc<Session>>; RECENT]> = const { RefCell::new([const { None }; RECENT]) };
}

fn place(mailbox: RawFd) -> usize {
    usize::try_from(mailbox).unwrap_or(0) % RECENT
}

/// Runs `body` with the session of this mailbox, if the calling thread remembers it and it has not
/// been closed.
#[inline]
pub(crate) fn with_recent<R>(
    mailbox: RawFd,
    body: impl FnOnce(&Session) -> Option<R>,
) -> Option<R> {
    RECENTLY
        .try_with(|recent| {
            // Borrowed already: a signal handler has interrupted the body, or has jumped out of it.
            let recent = recent.try_borrow().ok()?;
            let session = recent[place(mailbox)].as_ref()?;
            if session.mailbox() != mailbox || session.closed.load(Ordering::Acquire) {
                return None;
            }
            body(session)
        })
        .ok()
        .flatten()
}

/// Has the calling thread remember this session, in the place of another one.
pub(crate) fn remember(session: &Arc<Session>) {
    let _ = RECENTLY.try_with(|recent| {
        if let Ok(mut recent) = recent.try_borrow_mut() {
            let slot = &mut recent[place(session.mailbox())];
            if slot.as_ref().is_none_or(|old| old.key() != session.key()) {
                *slot = Some(Arc::clone(session));
            }
        }
    });
}

/// Has the calling thread forget a session that is being closed. Others do when they remember
/// another one, or end; until then they keep its memory, and nothing else.
pub(crate) fn forget(session: &Session) {
    let _ = RECENTLY.try_with(|recent| {
        if let Ok(mut recent) = recent.try_borrow_mut() {
            let slot = &mut recent[place(session.mailbox())];
            if slot.as_ref().is_some_and(|old| old.key() == session.key()) {
                *slot = None;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_slot_of_its_own() {
        let numbers = [0, 1, 255, 256, 16_383, 16_384, 1_048_575];
        for (at, &number) in numbers.iter().enumerate() {
            let made = slot(number, true).map(std::ptr::from_ref);
            assert!(made.is_some());
            assert_eq!(slot(number, false).map(std::ptr::from_ref), made);
            for &other in &numbers[..at] {
                assert_ne!(slot(other, false).map(std::ptr::from_ref), made);
            }
        }
        for number in [-1, RawFd::MIN, 1_048_576, RawFd::MAX] {
            assert!(slot(number, true).is_none());
        }
        // Nothing has been made there.
        assert!(slot(500_000, false).is_none());
    }
}
