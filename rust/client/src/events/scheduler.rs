//! The rounds of the loop, as a step machine.

use std::collections::TryReserveError;
use std::hash::Hash;
use std::os::fd::RawFd;

use super::poll_set::Owner;
use super::registry::Registry;
use super::timers::Timers;
use super::{Attached, FdKind, FdSources, PollSet, Priority, Time};

/// In how many rounds of one call high or medium descriptors may hold up the timers from the
/// start. The classic library has no bound; a descriptor that is always ready stops its timers.
pub const MAX_STARTING_ROUNDS: u32 = 100;

/// How often a registration whose descriptor was found closed is looked at again, in microseconds:
/// the number may be opened anew without another attaching.
pub const CLOSED_PROBE_US: i64 = 100_000;

/// What the driver has to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action<K, C> {
    /// Call the timer of this key. It is not queued any more.
    CallTimer(K),
    /// Call back for a ready descriptor.
    CallFd {
        /// The attached descriptor.
        fd: RawFd,
        /// What was attached with it.
        callback: C,
    },
    /// [`fill`](Events::fill) a set, wait, report with [`polled`](Events::polled).
    Poll {
        /// The longest wait in microseconds, never negative; `None`: as long as it takes.
        timeout_us: Option<i64>,
        /// Wait with select ([`SelectSet`](super::SelectSet)) instead of poll.
        select: bool,
    },
    /// An exit was asked for: leave the loop.
    Return,
}

/// How a wait ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Descriptors are reported in the set.
    Ready,
    /// The time has passed.
    TimedOut,
    /// A signal came, or the wait failed for want of memory: there are no results.
    Interrupted,
    /// Poll refused the set (more elements than the limit on open files): try again with select.
    Refused,
    /// The set was overtaken, see [`PollSet::serial`]: there are no results, look again.
    Overtaken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Begin,
    Timers,
    Poll,
    Waiting,
    High,
    Medium,
    Low,
    End,
}

/// One running loop: where it stands in its round.
///
/// Plain data without a destructor, so that it may live on the stack of a driver whose frame is
/// thrown away by a `longjmp` or a cancelled thread: nothing is left behind.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    phase: Phase,
    /// No round has passed yet without a high or medium callback: timers wait.
    starting: bool,
    starting_rounds: u32,
    /// Number of the round, unique in all loops.
    round: u64,
    round_start: i64,
    /// The wait is repeated within its round, because the one before served nobody.
    repeated: bool,
    select: bool,
    /// Next place to look at in the queue being served.
    cursor: usize,
    high_called: bool,
    medium_called: bool,
}

impl Default for Run {
    fn default() -> Self {
        Self::new()
    }
}

impl Run {
    /// A loop that is about to begin its first round.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            phase: Phase::Begin,
            starting: true,
            starting_rounds: 0,
            round: 0,
            round_start: 0,
            repeated: false,
            select: false,
            cursor: 0,
            high_called: false,
            medium_called: false,
        }
    }
}

/// Timers and registrations, and the rules of who is called when.
///
/// `K` identifies a timer (for C: function, code and data): there is at most one timer per key.
/// `C` is whatever the driver needs in order to call back for a descriptor; it is handed through
/// untouched. Times are microseconds of one monotonic clock, given by the caller.
///
/// A loop is a [`Run`] that is asked for its [`next`](Self::next) action again and again. Between
/// two actions anything may change here, by callbacks, other threads or loops inside of callbacks:
/// nothing refers to a registration but by place *and* generation.
#[derive(Debug)]
pub struct Events<K, C> {
    timers: Timers<K>,
    registry: Registry<C>,
    threshold: Priority,
    /// Place of the low registration whose turn it is. Kept from call to call, as classic.
    next_low: usize,
    rounds: u64,
    /// When the registrations found closed are looked at again; `None` if there are none.
    probe_closed_at: Option<i64>,
}

impl<K, C> Default for Events<K, C> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, C> Events<K, C> {
    /// Nothing queued, nothing attached, threshold at [`Priority::Low`].
    #[must_use]
    pub const fn new() -> Self {
        Self {
            timers: Timers::new(),
            registry: Registry::new(),
            threshold: Priority::Low,
            next_low: 0,
            rounds: 0,
            probe_closed_at: None,
        }
    }
}

impl<K: Copy + Eq + Hash, C: Copy> Events<K, C> {
    /// Drops all timers and registrations and resets the threshold, also under running loops.
    pub fn clear(&mut self) {
        self.timers.clear();
        self.registry.clear();
        self.threshold = Priority::Low;
    }

    /// Queues a timer that is due at `now` plus `delay`, which may be negative. A timer of the
    /// same key is removed first.
    ///
    /// # Errors
    /// Out of memory: nothing has changed.
    pub fn queue(&mut self, key: K, now: i64, delay: Time) -> Result<(), TryReserveError> {
        self.timers
            .queue(key, now.saturating_add(delay.to_micros()))
    }

    /// Whether a timer of this key is queued. One that is being called is not, any more.
    #[must_use]
    pub fn is_queued(&self, key: &K) -> bool {
        self.timers.contains(key)
    }

    /// Removes the timer of this key; tells whether there was one.
    pub fn dequeue(&mut self, key: &K) -> bool {
        self.timers.remove(key)
    }

    /// Attaches a descriptor, active. With no callback it is registered and never watched.
    ///
    /// Nothing checks that `fd` is open: a closed one is called for once, see
    /// [`polled`](Self::polled).
    ///
    /// # Errors
    /// Out of memory: nothing has changed.
    pub fn attach(
        &mut self,
        fd: RawFd,
        kind: FdKind,
        priority: Priority,
        callback: Option<C>,
    ) -> Result<Attached, TryReserveError> {
        self.registry.attach(fd, kind, priority, callback)
    }

    /// Detaches from every priority; tells whether there was anything.
    pub fn detach(&mut self, fd: RawFd, kind: FdKind) -> bool {
        let mut found = false;
        for priority in Priority::ALL {
            found |= self.registry.detach(fd, kind, priority);
        }
        found
    }

    /// Detaches from one priority; tells whether there was anything.
    pub fn detach_priority(&mut self, fd: RawFd, kind: FdKind, priority: Priority) -> bool {
        self.registry.detach(fd, kind, priority)
    }

    /// Sets the active flag in every priority; tells whether the descriptor is attached anywhere.
    /// One made inactive is not called any more, also if it is ready in the present round.
    pub fn set_active(&mut self, fd: RawFd, kind: FdKind, active: bool) -> bool {
        self.registry.set_active(fd, kind, active)
    }

    /// Watch only priorities of at least this one, from now on.
    pub const fn set_threshold(&mut self, threshold: Priority) {
        self.threshold = threshold;
    }

    /// The number of active registrations of a priority, whatever the threshold.
    #[must_use]
    pub fn active_count(&self, priority: Priority) -> usize {
        let entries = &self.registry.queue(priority).entries;
        entries.iter().filter(|entry| entry.active).count()
    }

    /// What the loop does next. `now` is the present time, `exit` whether an exit has been asked
    /// for, which ends every loop at its next step.
    ///
    /// A round is: the timers due at its start, each once; a wait; then all ready high
    /// descriptors, or if none was called all ready medium ones; then one ready low descriptor, in
    /// turn. Until the first round without a high or medium call (or
    /// [`MAX_STARTING_ROUNDS`] have passed) timers are left out.
    #[must_use]
    pub fn next(&mut self, run: &mut Run, now: i64, exit: bool) -> Action<K, C> {
        if exit {
            return Action::Return;
        }
        loop {
            match run.phase {
                Phase::Begin => self.begin_round(run, now),
                Phase::Timers => {
                    if !run.starting
                        && let Some(key) = self.timers.pop_due(run.round_start)
                    {
                        return Action::CallTimer(key);
                    }
                    self.timers.close_pass();
                    run.phase = Phase::Poll;
                }
                Phase::Poll => {
                    let due = self.timers.next_due();
                    // Wake-ups must not hold the timers up, however many come.
                    if run.repeated && due.is_some_and(|due| due <= now) {
                        run.phase = Phase::End;
                        continue;
                    }
                    run.phase = Phase::Waiting;
                    return Action::Poll {
                        timeout_us: self.timeout(due, now),
                        select: run.select,
                    };
                }
                Phase::Waiting => run.phase = Phase::End,
                Phase::High => match self.next_ready(run, Priority::High) {
                    Some(call) => {
                        run.high_called = true;
                        return call;
                    }
                    None => run.enter(Phase::Medium),
                },
                Phase::Medium => {
                    if !run.high_called
                        && let Some(call) = self.next_ready(run, Priority::Medium)
                    {
                        run.medium_called = true;
                        return call;
                    }
                    run.phase = Phase::Low;
                }
                Phase::Low => {
                    run.phase = Phase::End;
                    if let Some(call) = self.ready_low(run) {
                        return call;
                    }
                }
                Phase::End => run.end_round(),
            }
        }
    }

    /// Puts what the loop must watch now into `set`, with the wake descriptor of the driver.
    pub fn fill(
        &mut self,
        now: i64,
        wake: Option<RawFd>,
        sources: &mut impl FdSources,
        set: &mut PollSet,
    ) {
        let probe = self.probe_closed_at.is_some_and(|at| now >= at);
        let mut any_closed = false;
        set.start();
        for priority in Priority::ALL.into_iter().rev() {
            if priority < self.threshold {
                continue;
            }
            let entries = &self.registry.queue(priority).entries;
            for (place, entry) in entries.iter().enumerate() {
                if !entry.is_watched() {
                    continue;
                }
                any_closed |= entry.closed;
                if entry.closed && !probe {
                    continue;
                }
                let owner = Owner {
                    priority,
                    place,
                    generation: entry.generation,
                };
                let kind = entry.kind;
                sources.sources(entry.fd, kind, &mut |fd| set.push(fd, kind, owner));
            }
        }
        set.finish(wake);
        if !any_closed {
            self.probe_closed_at = None;
        } else if probe {
            self.probe_closed_at = Some(now.saturating_add(CLOSED_PROBE_US));
        }
    }

    /// Takes the result of the wait that [`next`](Self::next) asked for.
    ///
    /// A wait that ends for none of the present registrations (a wake-up, a registration that is
    /// gone, a hang-up that it does not wait for) is repeated; it does not count as a round.
    ///
    /// A closed descriptor counts as ready once, so that its callback meets the error and can
    /// detach it; then it is left out, and looked at again every [`CLOSED_PROBE_US`].
    pub fn polled(&mut self, run: &mut Run, now: i64, set: &PollSet, outcome: Outcome) {
        run.phase = match outcome {
            Outcome::Interrupted => Phase::End,
            Outcome::Refused => {
                run.select = true;
                Phase::Poll
            }
            Outcome::Overtaken => Phase::Poll,
            Outcome::TimedOut => {
                if self.probe_closed_at.is_some() {
                    self.take_results(run, now, set);
                }
                Phase::End
            }
            Outcome::Ready => {
                if self.take_results(run, now, set) {
                    run.enter(Phase::High);
                    return;
                }
                run.repeated = true;
                Phase::Poll
            }
        };
    }

    /// Whether rounds of this loop are all alike: timers run in them, and no wait is out of the ordinary.
    pub(super) fn is_steady(&self, run: &Run) -> bool {
        !run.starting && !run.select && self.probe_closed_at.is_none()
    }

    /// The descriptor of a registration that is watched, and what it waits for.
    pub(super) fn descriptor_of(&self, owner: Owner) -> Option<(RawFd, FdKind)> {
        let entry = self
            .registry
            .queue(owner.priority)
            .entries
            .get(owner.place)?;
        (entry.generation == owner.generation && entry.is_watched())
            .then_some((entry.fd, entry.kind))
    }

    /// When the next timer is due.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.timers.next_due()
    }

    fn begin_round(&mut self, run: &mut Run, now: i64) {
        self.rounds = self.rounds.wrapping_add(1);
        if run.starting {
            // Ends the pass of a loop that a callback has jumped out of.
            self.timers.close_pass();
        } else {
            self.timers.open_pass();
        }
        *run = Run {
            phase: Phase::Timers,
            starting: run.starting,
            starting_rounds: run.starting_rounds,
            round: self.rounds,
            round_start: now,
            ..Run::new()
        };
    }

    fn timeout(&self, due: Option<i64>, now: i64) -> Option<i64> {
        let until = due.into_iter().chain(self.probe_closed_at).min();
        until.map(|until| until.saturating_sub(now).max(0))
    }

    /// Marks the registrations that are ready in this round; tells whether there is one.
    fn take_results(&mut self, run: &mut Run, now: i64, set: &PollSet) -> bool {
        let mut any = false;
        for (owner, result) in set.results() {
            let queue = self.registry.queue_mut(owner.priority);
            let Some(entry) = queue.entries.get_mut(owner.place) else {
                continue;
            };
            if entry.generation != owner.generation || !entry.active {
                continue;
            }
            let closed = result.revents & libc::POLLNVAL != 0;
            let ready = if result.fd == entry.fd {
                let news = entry.closed != closed;
                entry.closed = closed;
                if news && closed {
                    self.probe_closed_at = Some(now.saturating_add(CLOSED_PROBE_US));
                }
                (closed && news) || entry.kind.is_ready(result.revents)
            } else {
                closed || entry.kind.is_ready(result.revents)
            };
            if ready {
                entry.ready_in = run.round;
                any = true;
            } else if result.revents != 0 && !closed {
                // Poll tells a hang-up also to one who does not wait for it, at once and for ever.
                run.select = true;
            }
        }
        any
    }

    /// The next ready registration of this priority from the cursor on.
    fn next_ready(&mut self, run: &mut Run, priority: Priority) -> Option<Action<K, C>> {
        if priority < self.threshold {
            return None;
        }
        while run.cursor < self.registry.queue(priority).entries.len() {
            let place = run.cursor;
            run.cursor += 1;
            if let Some(call) = self.serve(run, priority, place) {
                return Some(call);
            }
        }
        None
    }

    /// The first ready low registration from the one whose turn it is.
    fn ready_low(&mut self, run: &Run) -> Option<Action<K, C>> {
        if self.threshold > Priority::Low {
            return None;
        }
        let count = self.registry.queue(Priority::Low).entries.len();
        let start = if self.next_low < count {
            self.next_low
        } else {
            0
        };
        (start..count).chain(0..start).find_map(|place| {
            let call = self.serve(run, Priority::Low, place)?;
            // Kept within the present number, as it outlives the loop and even `E_init`.
            self.next_low = (place + 1) % count;
            Some(call)
        })
    }

    /// The call for the registration at this place, if it is ready in this round.
    fn serve(&mut self, run: &Run, priority: Priority, place: usize) -> Option<Action<K, C>> {
        let entry = self.registry.queue_mut(priority).entries.get_mut(place)?;
        if entry.ready_in != run.round {
            return None;
        }
        let (fd, kind, callback) = (entry.fd, entry.kind, entry.callback?);
        entry.ready_in = 0;
        // What makes it ready is used up by this call, in all priorities: another callback for
        // the same descriptor might block on data that this one has taken.
        for other in Priority::ALL {
            if other != priority
                && let Some(entry) = self.registry.queue_mut(other).find_mut(fd, kind)
            {
                entry.ready_in = 0;
            }
        }
        Some(Action::CallFd { fd, callback })
    }
}

impl Run {
    const fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.cursor = 0;
    }

    const fn end_round(&mut self) {
        if self.high_called || self.medium_called {
            self.starting_rounds = self.starting_rounds.saturating_add(1);
            if self.starting_rounds >= MAX_STARTING_ROUNDS {
                self.starting = false;
            }
        } else {
            self.starting = false;
        }
        self.phase = Phase::Begin;
    }
}

#[cfg(test)]
mod tests;
