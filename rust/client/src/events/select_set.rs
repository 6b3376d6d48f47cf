//! The same wait as select sees it.
//!
//! Poll has two weak spots that select has not, and programs written for a loop over select may
//! meet both: poll fails outright where the array is longer than the limit on open files (a
//! program may lower that limit to nothing once all is open), and it reports hang-ups to one who
//! waits for exceptional data only, at once and for ever. Then the loop waits with select instead,
//! over bit sets as long as the highest descriptor needs.

use std::ffi::c_ulong;
use std::os::fd::RawFd;

use super::PollSet;

const WORD_BITS: usize = c_ulong::BITS as usize;
const EVENTS: [i16; 3] = [libc::POLLIN, libc::POLLOUT, libc::POLLPRI];

/// Bit sets for reading, writing and exceptional data, in this order.
#[derive(Debug)]
pub struct SelectSet {
    words: [Vec<c_ulong>; 3],
    limit: RawFd,
}

impl Default for SelectSet {
    fn default() -> Self {
        Self::new()
    }
}

impl SelectSet {
    /// Empty sets.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            words: [Vec::new(), Vec::new(), Vec::new()],
            limit: 0,
        }
    }

    /// Takes over what `set` waits for and clears its results.
    ///
    /// Select refuses the whole wait for one closed descriptor, and a number that is not open may
    /// be of any size. So those that `is_open` denies are left out, and marked with `POLLNVAL` in
    /// `set` as poll would. Returns whether there was one: then do not wait at all.
    pub fn load(&mut self, set: &mut PollSet, mut is_open: impl FnMut(RawFd) -> bool) -> bool {
        for words in &mut self.words {
            words.clear();
        }
        self.limit = 0;
        let mut any_closed = false;
        for element in set.fds_mut() {
            element.revents = 0;
            let Ok(number) = usize::try_from(element.fd) else {
                continue;
            };
            if !is_open(element.fd) {
                element.revents = libc::POLLNVAL;
                any_closed = true;
                continue;
            }
            self.limit = self.limit.max(element.fd.saturating_add(1));
            for (words, event) in self.words.iter_mut().zip(EVENTS) {
                if element.events & event != 0 {
                    let word = number / WORD_BITS;
                    if words.len() <= word {
                        words.resize(word + 1, 0);
                    }
                    words[word] |= 1 << (number % WORD_BITS);
                }
            }
        }
        // Select reads and writes all three up to the limit.
        let length = usize::try_from(self.limit).unwrap_or(0).div_ceil(WORD_BITS);
        for words in &mut self.words {
            words.resize(length, 0);
        }
        any_closed
    }

    /// The arrays for select, and its first argument.
    pub fn arrays(&mut self) -> ([*mut c_ulong; 3], RawFd) {
        (
            self.words.each_mut().map(|words| words.as_mut_ptr()),
            self.limit,
        )
    }

    /// Puts the bits that select has left set into the results of `set`.
    pub fn store(&self, set: &mut PollSet) {
        for element in set.fds_mut() {
            let Ok(number) = usize::try_from(element.fd) else {
                continue;
            };
            for (words, event) in self.words.iter().zip(EVENTS) {
                let word = words.get(number / WORD_BITS).copied().unwrap_or(0);
                if element.events & event != 0 && word >> (number % WORD_BITS) & 1 == 1 {
                    element.revents |= event;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::poll_set::Owner;
    use super::super::{FdKind, Priority};
    use super::*;

    const OWNER: Owner = Owner {
        priority: Priority::Low,
        place: 0,
        generation: 1,
    };

    fn set_of(elements: &[(RawFd, FdKind)]) -> PollSet {
        let mut set = PollSet::new();
        set.start();
        for &(fd, kind) in elements {
            set.push(fd, kind, OWNER);
        }
        set.finish(Some(1030));
        set
    }

    #[test]
    fn every_wait_finds_its_bit_and_gets_it_back() {
        let mut set = set_of(&[
            (0, FdKind::Read),
            (63, FdKind::Write),
            (64, FdKind::Except),
            (64, FdKind::Read),
        ]);
        let mut select = SelectSet::new();
        assert!(!select.load(&mut set, |_| true));
        assert_eq!(select.limit, 1031);
        assert!(select.words.iter().all(|words| words.len() == 17));
        assert_eq!(select.words[0][0], 1);
        assert_eq!(select.words[1][0], 1 << 63);
        assert_eq!((select.words[2][1], select.words[0][1]), (1, 1));
        assert_eq!(select.words[0][16], 1 << 6, "the wake descriptor");

        select.words[0][1] = 0;
        select.store(&mut set);
        let revents: Vec<i16> = set.fds().iter().map(|e| e.revents).collect();
        assert_eq!(
            revents,
            [libc::POLLIN, libc::POLLOUT, libc::POLLPRI, 0, libc::POLLIN]
        );
    }

    #[test]
    fn closed_numbers_are_marked_and_need_no_memory() {
        let mut set = set_of(&[(RawFd::MAX, FdKind::Read), (3, FdKind::Read)]);
        let mut select = SelectSet::new();
        assert!(select.load(&mut set, |fd| fd != RawFd::MAX));
        assert_eq!(set.fds()[0].revents, libc::POLLNVAL);
        assert_eq!(select.limit, 1031);
        select.store(&mut set);
        assert_eq!(set.fds()[0].revents, libc::POLLNVAL);
        assert_eq!(set.fds()[1].revents, libc::POLLIN);
    }

    #[test]
    fn no_wake_descriptor_is_no_element() {
        let mut set = PollSet::new();
        set.start();
        set.finish(None);
        let mut select = SelectSet::new();
        assert!(!select.load(&mut set, |_| false));
        assert_eq!(select.arrays().1, 0);
    }
}
