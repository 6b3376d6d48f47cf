//! A loop that serves one registration again and again, as under load from one mailbox.
//!
//! As long as nothing changes and nothing else is ready, a driver need not ask the engine between
//! two callbacks. What it looks at then is plain data of its own ([`Lone`]), so that it needs no
//! lock, and a callback or a signal handler may jump out of it at any moment.

use std::hash::Hash;
use std::os::fd::RawFd;

use super::FdKind;
use super::poll_set::PollSet;
use super::scheduler::{Events, Run};

/// Most descriptors, beside the one that is served, that are looked at this way.
const MOST: usize = 8;

/// What to look at before the callback is called again.
#[derive(Clone, Copy, Debug)]
pub struct Lone {
    /// The descriptor that is served first.
    fds: [libc::pollfd; MOST],
    count: usize,
    kind: FdKind,
    /// When the next timer is due, if there is one.
    pub due: Option<i64>,
}

impl Lone {
    /// The array for a poll that does not wait.
    pub fn fds_mut(&mut self) -> &mut [libc::pollfd] {
        &mut self.fds[..self.count]
    }

    /// Whether that poll, with this result, has found the one descriptor ready and no other.
    #[must_use]
    pub fn is_ready_alone(&self, result: i32) -> bool {
        let found = self.fds[0].revents;
        result == 1 && found & libc::POLLNVAL == 0 && self.kind.is_ready(found)
    }
}

impl<K: Copy + Eq + Hash, C: Copy> Events<K, C> {
    /// To be asked when [`next`](Self::next) has said to call back: whether only this registration was
    /// ready in the last wait, and may be called again for as long as that is so, no timer is due,
    /// no exit is asked for, and nothing was changed. `set` is that of the last wait, filled after the last
    /// change, and `called` the descriptor that is called back for.
    #[must_use]
    pub fn lone(&self, run: &Run, set: &PollSet, called: RawFd) -> Option<Lone> {
        if !self.is_steady(run) || set.wake_revents() != 0 {
            return None;
        }
        let mut ready = set.results().filter(|(_, result)| result.revents != 0);
        let (owner, _) = ready.next()?;
        if ready.any(|(other, _)| other != owner) {
            return None;
        }
        let (fd, kind) = self.descriptor_of(owner)?;
        if fd != called {
            return None;
        }
        let own = libc::pollfd {
            fd,
            events: kind.events(),
            revents: 0,
        };
        let mut fds = [own; MOST];
        let mut count = 1;
        // What else stands for the same registration need not be looked at while it is ready itself.
        for (_, element) in set.results().filter(|(other, _)| *other != owner) {
            // A second registration for the descriptor would be ready with it.
            if element.fd == fd || count == MOST {
                return None;
            }
            fds[count] = libc::pollfd {
                revents: 0,
                ..*element
            };
            count += 1;
        }
        Some(Lone {
            fds,
            count,
            kind,
            due: self.next_due(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Action, ItselfOnly, Outcome, Priority, Time};
    use super::*;

    type TestEvents = Events<u8, u8>;

    /// Runs rounds in which these descriptors are ready until the loop is steady.
    fn called(
        events: &mut TestEvents,
        run: &mut Run,
        set: &mut PollSet,
        ready: &[i32],
    ) -> Option<Lone> {
        let mut last = None;
        for _ in 0..4 * crate::events::MAX_STARTING_ROUNDS {
            match events.next(run, 0, false) {
                Action::Poll { .. } => {
                    events.fill(0, None, &mut ItselfOnly, set);
                    for element in set.fds_mut() {
                        if ready.contains(&element.fd) {
                            element.revents = libc::POLLIN;
                        }
                    }
                    events.polled(run, 0, set, Outcome::Ready);
                }
                Action::CallFd { fd, .. } => last = events.lone(run, set, fd),
                other => panic!("{other:?}"),
            }
        }
        last
    }

    #[test]
    fn one_that_is_ready_alone_may_be_called_again() {
        let mut events = TestEvents::new();
        for fd in 3..6 {
            events
                .attach(fd, FdKind::Read, Priority::Low, Some(0))
                .unwrap();
        }
        let (mut run, mut set) = (Run::new(), PollSet::new());
        let mut lone = called(&mut events, &mut run, &mut set, &[4]).unwrap();
        let fds: Vec<_> = lone.fds_mut().iter().map(|element| element.fd).collect();
        assert_eq!(fds, [4, 3, 5]);
        assert_eq!(lone.due, None);

        lone.fds_mut()[0].revents = libc::POLLIN;
        assert!(lone.is_ready_alone(1));
        assert!(!lone.is_ready_alone(2), "another one is ready too");
        assert!(!lone.is_ready_alone(-1), "interrupted");
        lone.fds_mut()[0].revents = libc::POLLNVAL;
        assert!(!lone.is_ready_alone(1));
        lone.fds_mut()[0].revents = 0;
        assert!(!lone.is_ready_alone(1), "it is another one");

        assert!(called(&mut events, &mut run, &mut set, &[3, 4]).is_none());
    }

    #[test]
    fn results_of_another_registration_are_not_taken_for_this_one() {
        let mut events = TestEvents::new();
        for fd in 3..5 {
            events
                .attach(fd, FdKind::Read, Priority::Low, Some(0))
                .unwrap();
        }
        let (mut run, mut set) = (Run::new(), PollSet::new());
        assert!(called(&mut events, &mut run, &mut set, &[4]).is_some());
        assert!(events.lone(&run, &set, 4).is_some());
        assert!(events.lone(&run, &set, 3).is_none());
    }

    #[test]
    fn a_timer_tells_when_it_is_due() {
        let mut events = TestEvents::new();
        events
            .attach(3, FdKind::Read, Priority::High, Some(0))
            .unwrap();
        events.queue(1, 0, Time::new(1, 0)).unwrap();
        let (mut run, mut set) = (Run::new(), PollSet::new());
        let lone = called(&mut events, &mut run, &mut set, &[3]).unwrap();
        assert_eq!(lone.due, Some(1_000_000));
    }

    #[test]
    fn not_with_two_registrations_for_one_descriptor_nor_with_many_others() {
        let mut events = TestEvents::new();
        events
            .attach(3, FdKind::Read, Priority::High, Some(0))
            .unwrap();
        events
            .attach(3, FdKind::Except, Priority::High, Some(0))
            .unwrap();
        let (mut run, mut set) = (Run::new(), PollSet::new());
        assert!(called(&mut events, &mut run, &mut set, &[3]).is_none());

        let mut events = TestEvents::new();
        for fd in 3..12 {
            events
                .attach(fd, FdKind::Read, Priority::Low, Some(0))
                .unwrap();
        }
        let mut run = Run::new();
        assert!(called(&mut events, &mut run, &mut set, &[4]).is_none());
    }

    #[test]
    fn timers_that_wait_for_the_start_are_not_passed_over() {
        let mut events = TestEvents::new();
        events
            .attach(3, FdKind::Read, Priority::High, Some(0))
            .unwrap();
        let (mut run, mut set) = (Run::new(), PollSet::new());
        assert!(matches!(
            events.next(&mut run, 0, false),
            Action::Poll { .. }
        ));
        events.fill(0, None, &mut ItselfOnly, &mut set);
        set.fds_mut()[0].revents = libc::POLLIN;
        events.polled(&mut run, 0, &set, Outcome::Ready);
        assert!(matches!(
            events.next(&mut run, 0, false),
            Action::CallFd { .. }
        ));
        assert!(events.lone(&run, &set, 3).is_none());
    }
}
