//! Which of several processes reads a mailbox.
//!
//! After a `fork` both processes hold the connection, and neither knows which of them the program
//! means to use. So the *reading* of each mailbox is unclaimed then, and the first process that
//! receives takes the claim. The claim is a word in a mapping that the processes share; while there
//! has been no fork it is not looked at.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::sys::shared;

pub(crate) type Words = &'static [AtomicU32; 1024];

/// Words per session: who reads, and whether a token for an unclaimed arrival lies in the mailbox.
const WORDS: usize = 2;

/// The claim of one session.
#[derive(Debug)]
pub(crate) struct Claim {
    place: Option<Place>,
    /// Another process may hold the connection too.
    shared: AtomicBool,
}

/// Places of the pages that are free.
static FREE: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// A page, and where in it the words of a session begin.
pub(crate) type Place = (Words, usize);

impl Claim {
    /// A claim of this process. Without memory for the word the session works as the classic
    /// library's: both processes read.
    pub(crate) fn new() -> Self {
        let mut free = lock();
        if free.is_empty()
            && let Ok(page) = shared::words()
        {
            free.extend((0..page.len() / WORDS).rev().map(|at| (page, at * WORDS)));
        }
        let place = free.pop();
        if let Some((page, at)) = place {
            page[at].store(std::process::id(), Ordering::SeqCst);
            page[at + 1].store(0, Ordering::SeqCst);
        }
        Self {
            place,
            shared: AtomicBool::new(false),
        }
    }

    /// Whether another process may hold the connection too.
    pub(crate) fn is_shared(&self) -> bool {
        self.shared.load(Ordering::Acquire)
    }

    /// Whether this process is the one that reads.
    pub(crate) fn is_mine(&self) -> bool {
        if !self.is_shared() {
            return true;
        }
        self.word()
            .is_none_or(|word| word.load(Ordering::SeqCst) == std::process::id())
    }

    /// Whether nobody has claimed it since the last fork.
    pub(crate) fn is_free(&self) -> bool {
        self.is_shared()
            && self
                .word()
                .is_some_and(|word| word.load(Ordering::SeqCst) == 0)
    }

    /// Claims for this process. True if that changed something.
    pub(crate) fn take(&self) -> bool {
        if !self.is_shared() {
            return false;
        }
        let me = std::process::id();
        self.word()
            .is_some_and(|word| word.swap(me, Ordering::SeqCst) != me)
    }

    /// Claims if nobody else has. True if that changed something.
    pub(crate) fn take_if_free(&self) -> bool {
        self.word().is_some_and(|word| {
            word.compare_exchange(0, std::process::id(), Ordering::SeqCst, Ordering::SeqCst)
                .is_ok()
        })
    }

    /// A fork is about to happen: nobody has the claim then, unless another process has it already.
    pub(crate) fn loosen(&self) {
        self.shared.store(true, Ordering::Release);
        self.give_up();
    }

    /// This process ends its use of the connection: another one may read.
    pub(crate) fn give_up(&self) {
        if let Some(word) = self.word() {
            let me = std::process::id();
            let _ = word.compare_exchange(me, 0, Ordering::SeqCst, Ordering::SeqCst);
        }
    }

    /// All processes that were forked are gone, or have replaced their program.
    pub(crate) fn alone_again(&self) {
        if self.take_if_free() || self.is_mine() {
            self.shared.store(false, Ordering::Release);
        }
    }

    /// Takes note that an unclaimed arrival has a token in the mailbox. True for the first to do so.
    pub(crate) fn mark_token(&self) -> bool {
        self.place
            .is_some_and(|(page, at)| page[at + 1].swap(1, Ordering::SeqCst) == 0)
    }

    /// The token of unclaimed arrivals has been taken out, or there was none.
    pub(crate) fn unmark_token(&self) {
        if let Some((page, at)) = self.place {
            page[at + 1].store(0, Ordering::SeqCst);
        }
    }

    fn word(&self) -> Option<&'static AtomicU32> {
        self.place.map(|(page, at)| &page[at])
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A word that another process may look at is not used again.
        if let Some(place) = self.place
            && !self.is_shared()
        {
            lock().push(place);
        }
    }
}

/// Keeps the list of free places whole over a fork.
pub(crate) fn lock() -> MutexGuard<'static, Vec<Place>> {
    FREE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_ones_own_until_a_fork() {
        let claim = Claim::new();
        assert!(claim.is_mine() && !claim.is_shared() && !claim.is_free());
        assert!(!claim.take());
        claim.loosen();
        assert!(claim.is_free() && !claim.is_mine());
        assert!(claim.take());
        assert!(!claim.take());
        assert!(claim.is_mine());
        claim.alone_again();
        assert!(!claim.is_shared());
    }

    #[test]
    fn places_are_used_again() {
        let first = Claim::new();
        let place = first.place.map(|(page, at)| (page.as_ptr(), at));
        drop(first);
        let taken: Vec<Claim> = (0..2000).map(|_| Claim::new()).collect();
        assert!(
            taken
                .iter()
                .any(|c| c.place.map(|(page, at)| (page.as_ptr(), at)) == place)
        );
    }
}
