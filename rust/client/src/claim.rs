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

/// Words per session.
const WORDS: usize = 4;
/// The process that reads; 0: nobody has claimed it since the last fork.
const WHO: usize = 0;
/// 1 while a token for an unclaimed arrival lies in the mailbox.
const TOKEN: usize = 1;
/// Lock of the two above.
const LOCK: usize = 2;

/// Looks at a lock until its owner counts as dead. It is held for a few instructions and at most
/// one system call, so this is far longer than any owner needs.
const MOST_SPINS: u32 = 10_000;

/// What taking a claim has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// This process had it.
    Held,
    /// Nobody had.
    WasFree,
    /// Another process had: what this one keeps of the stream is stale.
    FromOther,
}

/// The claim of one session.
#[derive(Debug)]
pub(crate) struct Claim {
    place: Option<Place>,
    /// Another process may hold the connection too.
    shared: AtomicBool,
    /// An ancestor of this process may hold it.
    inherited: AtomicBool,
    /// This process had the claim before its last fork.
    had: AtomicBool,
}

/// Places of the pages that are free.
static FREE: Mutex<Vec<Place>> = Mutex::new(Vec::new());

/// A page, and where in it the words of a session begin.
pub(crate) type Place = (Words, usize);

impl Claim {
    /// A claim of this process. Without memory for the words the session works as the classic
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
            page[at + WHO].store(std::process::id(), Ordering::SeqCst);
            page[at + TOKEN].store(0, Ordering::SeqCst);
            page[at + LOCK].store(0, Ordering::SeqCst);
        }
        Self {
            place,
            shared: AtomicBool::new(false),
            inherited: AtomicBool::new(false),
            had: AtomicBool::new(false),
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
        self.word(WHO)
            .is_none_or(|who| who.load(Ordering::SeqCst) == std::process::id())
    }

    /// Whether nobody has claimed it since the last fork.
    pub(crate) fn is_free(&self) -> bool {
        self.is_shared()
            && self
                .word(WHO)
                .is_some_and(|who| who.load(Ordering::SeqCst) == 0)
    }

    /// Claims for this process.
    pub(crate) fn take(&self) -> Taken {
        if !self.is_shared() {
            return Taken::Held;
        }
        let me = std::process::id();
        let before = self.locked(|who, _| who.swap(me, Ordering::SeqCst));
        match before {
            None => Taken::Held,
            Some(before) if before == me => Taken::Held,
            Some(0) => Taken::WasFree,
            Some(_) => Taken::FromOther,
        }
    }

    /// A fork is about to happen: nobody has the claim then, unless another process has it already.
    pub(crate) fn loosen(&self) {
        self.had.store(self.is_mine(), Ordering::SeqCst);
        self.shared.store(true, Ordering::Release);
        self.give_up();
    }

    /// In the forked child.
    pub(crate) fn inherit(&self) {
        self.inherited.store(true, Ordering::SeqCst);
        self.had.store(false, Ordering::SeqCst);
    }

    /// This process ends its use of the connection: another one may read.
    pub(crate) fn give_up(&self) {
        let me = std::process::id();
        self.locked(|who, _| {
            let _ = who.compare_exchange(me, 0, Ordering::SeqCst, Ordering::SeqCst);
        });
    }

    /// All children are gone, or have replaced their program. True: this process reads from now on,
    /// and one of them may have read before.
    pub(crate) fn alone_again(&self) -> Taken {
        if self.inherited.load(Ordering::SeqCst) {
            // An ancestor may be the one that is meant to read.
            if self.had.load(Ordering::SeqCst) && self.is_free() {
                return self.take();
            }
            return Taken::Held;
        }
        let taken = self.take();
        self.shared.store(false, Ordering::Release);
        taken
    }

    /// If nobody has the claim and no token lies in the mailbox, has `put` put one there.
    pub(crate) fn announce(&self, put: impl FnOnce()) {
        self.locked(|who, token| {
            if who.load(Ordering::SeqCst) == 0 && token.swap(1, Ordering::SeqCst) == 0 {
                put();
            }
        });
    }

    /// The tokens of unclaimed arrivals have been taken out.
    pub(crate) fn unmark_token(&self) {
        self.locked(|_, token| token.store(0, Ordering::SeqCst));
    }

    /// Runs `body` with the words locked against the other processes. A process that died in there
    /// holds nobody up for long.
    fn locked<R>(&self, body: impl FnOnce(&AtomicU32, &AtomicU32) -> R) -> Option<R> {
        let (who, token, lock) = (self.word(WHO)?, self.word(TOKEN)?, self.word(LOCK)?);
        let mut spins = 0;
        while lock.swap(1, Ordering::SeqCst) != 0 && spins < MOST_SPINS {
            spins += 1;
            std::thread::yield_now();
        }
        let result = body(who, token);
        lock.store(0, Ordering::SeqCst);
        Some(result)
    }

    fn word(&self, which: usize) -> Option<&'static AtomicU32> {
        self.place.map(|(page, at)| &page[at + which])
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Words that another process may look at are not used again.
        if let Some(place) = self.place
            && !self.is_shared()
            && !self.inherited.load(Ordering::SeqCst)
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
        assert_eq!(claim.take(), Taken::Held);
        claim.loosen();
        assert!(claim.is_free() && !claim.is_mine());
        assert_eq!(claim.take(), Taken::WasFree);
        assert_eq!(claim.take(), Taken::Held);
        assert!(claim.is_mine());
        claim.alone_again();
        assert!(!claim.is_shared());
    }

    #[test]
    fn a_claim_of_a_child_that_is_gone_comes_back() {
        let claim = Claim::new();
        claim.loosen();
        let who = claim.word(WHO).unwrap();
        who.store(u32::MAX, Ordering::SeqCst);
        assert!(!claim.is_mine() && !claim.is_free());
        assert_eq!(claim.alone_again(), Taken::FromOther);
        assert!(claim.is_mine() && !claim.is_shared());
    }

    #[test]
    fn a_child_leaves_the_claim_of_its_parent_alone() {
        let claim = Claim::new();
        claim.loosen();
        claim.inherit();
        assert_eq!(claim.alone_again(), Taken::Held);
        assert!(claim.is_free());
        claim.take();
        claim.loosen();
        assert_eq!(claim.alone_again(), Taken::WasFree);
        assert!(claim.is_mine() && claim.is_shared());
    }

    #[test]
    fn only_one_token_announces_what_nobody_has_claimed() {
        let claim = Claim::new();
        let tokens = AtomicU32::new(0);
        let put = || {
            tokens.fetch_add(1, Ordering::SeqCst);
        };
        claim.announce(put);
        assert_eq!(tokens.load(Ordering::SeqCst), 0);
        claim.loosen();
        claim.announce(put);
        claim.announce(put);
        assert_eq!(tokens.load(Ordering::SeqCst), 1);
        claim.unmark_token();
        claim.announce(put);
        assert_eq!(tokens.load(Ordering::SeqCst), 2);
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
