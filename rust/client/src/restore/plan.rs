//! How a lost session is restored: one transaction, as a state machine.
//!
//! Sweep until a daemon accepts; join all groups on the new link; wait until each has shown a view
//! with us in it; then the session goes over to the link as a whole. A loss at any step begins
//! anew, after a pause. The set of groups may change at any time.
//!
//! Pure: time and random numbers are arguments, [`super::job`] does what [`Plan::next`] says.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::options::Options;
use crate::random::Random;

/// A group's name field.
pub(crate) type Group = [u8; 32];

/// How long a daemon that has accepted may take to show our views. A ring that has lost a daemon
/// orders nothing for 8 s (with the timeouts for wide area networks).
pub(super) const VIEWS_WITHIN: Duration = Duration::from_secs(20);

/// Bounds of a restore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limits {
    /// From the loss on.
    pub(super) give_up_after: Duration,
    /// The first pause; each vain try doubles it.
    pub(super) pause_min: Duration,
    pub(super) pause_max: Duration,
    /// The connection gets membership messages. Without them nobody can tell when a join has
    /// become true.
    pub(super) membership: bool,
}

impl Limits {
    pub(super) fn of(options: &Options, membership: bool) -> Self {
        let ms = |ms| Duration::from_millis(u64::from(ms));
        Self {
            give_up_after: ms(options.reconnect_for_ms),
            pause_min: ms(options.reconnect_min_ms),
            pause_max: ms(options.reconnect_max_ms.max(options.reconnect_min_ms)),
            membership,
        }
    }
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Do {
    /// Search for a daemon; then [`Plan::accepted`] or [`Plan::sweep_failed`].
    Sweep,
    /// Send a join on the new link.
    Join(Group),
    /// Send a leave on the new link.
    Leave(Group),
    /// Close the new link: its daemon does not order anything.
    Drop,
    /// Hand the new link over to the session.
    Resume,
    /// It has taken too long: the session has ended.
    GiveUp,
    /// Nothing until something happens, or until then.
    Wait(Instant),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Pausing { until: Instant },
    Sweeping,
    Joining { until: Instant },
}

/// A restore. See the module.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    limits: Limits,
    lost_at: Instant,
    phase: Phase,
    /// Groups that the program has joined, as it has last said.
    wanted: BTreeSet<Group>,
    /// Groups that were joined on the new link.
    sent: BTreeSet<Group>,
    /// Those of them whose view has come.
    seen: BTreeSet<Group>,
    /// What has come must not wait any longer for the views.
    hurried: bool,
    vain: u32,
}

impl Plan {
    /// A session has just lost its daemon. The first sweep comes at once, or nearly: all clients of
    /// that daemon have lost it at this moment.
    pub(super) fn new(
        limits: Limits,
        wanted: BTreeSet<Group>,
        now: Instant,
        random: &mut Random,
    ) -> Self {
        let jitter = random_below(limits.pause_min / 2, random);
        Self {
            limits,
            lost_at: now,
            phase: Phase::Pausing {
                until: now + jitter,
            },
            wanted,
            sent: BTreeSet::new(),
            seen: BTreeSet::new(),
            hurried: false,
            vain: 0,
        }
    }

    /// When the daemon was lost.
    pub(super) fn lost_at(&self) -> Instant {
        self.lost_at
    }

    /// Vain tries so far.
    pub(super) fn vain(&self) -> u32 {
        self.vain
    }

    /// When the session ends if nothing has worked by then.
    pub(super) fn gives_up_at(&self) -> Instant {
        self.lost_at + self.limits.give_up_after
    }

    /// Groups that are joined on the new link.
    pub(super) fn joined(&self) -> &BTreeSet<Group> {
        &self.sent
    }

    /// The program has joined or left groups.
    pub(super) fn want(&mut self, groups: BTreeSet<Group>) {
        self.wanted = groups;
    }

    /// What to do now. To be asked again until it is [`Do::Wait`], and after each event.
    pub(super) fn next(&mut self, now: Instant, random: &mut Random) -> Do {
        let end = self.gives_up_at();
        if now >= end {
            return Do::GiveUp;
        }
        match self.phase {
            Phase::Pausing { until } if now < until => Do::Wait(until.min(end)),
            Phase::Pausing { .. } => {
                self.phase = Phase::Sweeping;
                Do::Sweep
            }
            Phase::Sweeping => Do::Wait(end),
            Phase::Joining { until } => {
                if let Some(&group) = self.wanted.difference(&self.sent).next() {
                    self.sent.insert(group);
                    return Do::Join(group);
                }
                if let Some(&group) = self.sent.difference(&self.wanted).next() {
                    self.sent.remove(&group);
                    self.seen.remove(&group);
                    return Do::Leave(group);
                }
                if self.hurried || !self.limits.membership || self.sent.is_subset(&self.seen) {
                    return Do::Resume;
                }
                if now >= until {
                    self.pause(now, random);
                    return Do::Drop;
                }
                Do::Wait(until.min(end))
            }
        }
    }

    /// All that the name stands for was tried in vain. Returns the pause before the next try.
    pub(super) fn sweep_failed(&mut self, now: Instant, random: &mut Random) -> Duration {
        self.pause(now, random)
    }

    /// A daemon has accepted. `now` or earlier the session has lost its old one.
    pub(super) fn accepted(&mut self, now: Instant) {
        self.sent.clear();
        self.seen.clear();
        self.hurried = false;
        self.phase = Phase::Joining {
            until: now + VIEWS_WITHIN,
        };
    }

    /// A view of `group` with us in it has come over the new link.
    pub(super) fn own_view(&mut self, group: Group) {
        if self.sent.contains(&group) {
            self.seen.insert(group);
        }
    }

    /// So much has come over the new link that it has to be handed over.
    pub(super) fn hurry(&mut self) {
        self.hurried = true;
    }

    /// The new link is lost as well.
    pub(super) fn link_ended(&mut self, now: Instant, random: &mut Random) -> Duration {
        self.pause(now, random)
    }

    fn pause(&mut self, now: Instant, random: &mut Random) -> Duration {
        let doubled = 1_u32.checked_shl(self.vain.min(31)).unwrap_or(u32::MAX);
        self.vain = self.vain.saturating_add(1);
        let base = self
            .limits
            .pause_min
            .saturating_mul(doubled)
            .min(self.limits.pause_max);
        let pause = spread(base, random);
        self.phase = Phase::Pausing { until: now + pause };
        pause
    }
}

/// From three quarters to one and a half of a pause, so that those of many sessions do not end at once.
pub(super) fn spread(pause: Duration, random: &mut Random) -> Duration {
    pause * 3 / 4 + random_below(pause * 3 / 4, random)
}

fn random_below(bound: Duration, random: &mut Random) -> Duration {
    let micros = u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    Duration::from_micros(random.below(micros))
}

#[cfg(test)]
mod tests;
