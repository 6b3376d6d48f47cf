//! Where a session belongs, and when it goes back there (`failback_ms`).
//!
//! The sessions of a name are spread over its daemons by chance when they begin. Each loss spreads those
//! of one daemon over the others, and a daemon that comes back stays empty: after a restart of each in
//! turn the last one has none. To choose by chance again would move sessions that are well off, and no
//! client knows how full a daemon is. So a session has a *home*, the place at which it was first, and
//! goes back when that answers again: each daemon then has the sessions that it had.
//!
//! Pure: time and random numbers are arguments, [`super::job`] does what is said here.

use std::time::{Duration, Instant};

use crate::random::Random;
use crate::sweep::{Candidate, Wish};

/// A session that is in the middle of something is looked at again after so long, or after the
/// period, if that is shorter.
const BUSY_PAUSE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Home {
    place: Candidate,
    /// Between two tries; zero: never.
    period: Duration,
    next: Option<Instant>,
}

impl Home {
    /// Of a session that is at its first place, or back at its home.
    pub(super) fn new(place: Candidate, period: Duration) -> Self {
        Self {
            place,
            period,
            next: None,
        }
    }

    /// Whether a session that is at `here` has somewhere to go back to.
    fn is_missed_at(&self, here: &Candidate) -> bool {
        !self.period.is_zero() && (here.endpoint != self.place.endpoint || self.place.rank > 0)
    }

    /// When the next try is due for a session that is at `here`; never for one that is where it
    /// belongs.
    pub(super) fn next_try(
        &mut self,
        here: &Candidate,
        now: Instant,
        random: &mut Random,
    ) -> Option<Instant> {
        if !self.is_missed_at(here) {
            self.next = None;
            return None;
        }
        // All sessions of a daemon lose it at the same moment, and must not come back so.
        let period = self.period;
        let next = self
            .next
            .get_or_insert_with(|| now + super::plan::spread(period, random));
        Some(*next)
    }

    /// Whether a try is due now. It counts as made.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let due = self.next.is_some_and(|next| next <= now);
        if due {
            self.next = None;
        }
        due
    }

    /// The session is in the middle of something: a little later.
    pub(super) fn postpone(&mut self, now: Instant, random: &mut Random) {
        let pause = BUSY_PAUSE.min(self.period);
        self.next = Some(now + super::plan::spread(pause, random));
    }

    /// What to search for, to go back: the home, or any place of an entry that goes before the present
    /// one.
    pub(super) fn way_back(&self, here: &Candidate) -> Wish {
        Wish {
            home: self.place.clone(),
            others_before: here.rank,
        }
    }

    /// What to search for when the session has no daemon: anything, but the home first.
    pub(super) fn preference(&self) -> Option<Wish> {
        (!self.period.is_zero()).then(|| Wish {
            home: self.place.clone(),
            others_before: usize::MAX,
        })
    }

    /// The session has come to `here`. A place of an earlier entry is a better home.
    pub(super) fn arrived(&mut self, here: &Candidate) {
        if here.rank < self.place.rank {
            self.settle(here);
        }
        self.next = None;
    }

    /// The session is to stay `here`: it was told to go, or its home is not among the daemons of the
    /// name any more.
    pub(super) fn settle(&mut self, here: &Candidate) {
        self.place = here.clone();
        self.next = None;
    }
}

#[cfg(test)]
mod tests;
