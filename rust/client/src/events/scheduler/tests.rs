//! Every rule of the loop, with a clock and a kernel that are only numbers in a table.
//!
//! Names of timers and callbacks say what they are: `H1` is attached at high priority, `L` low.

use std::collections::{BTreeMap, VecDeque};

use super::*;
use crate::events::ItselfOnly;

mod changes;
mod order;
mod waits;

type Log = Vec<&'static str>;

/// What a callback does, looked up by its name.
type Deed = fn(&mut World, RawFd);

struct World {
    events: Events<&'static str, &'static str>,
    now: i64,
    exit: bool,
    /// What poll says of a descriptor, as long as it stands here.
    state: BTreeMap<RawFd, i16>,
    deeds: BTreeMap<&'static str, Deed>,
    log: Log,
    /// Run at the next waits, one each, before the results are looked at.
    during_wait: VecDeque<fn(&mut Self)>,
    interrupt_next: bool,
    waits: usize,
}

impl World {
    fn new() -> Self {
        Self {
            events: Events::new(),
            now: 1_000_000,
            exit: false,
            state: BTreeMap::new(),
            deeds: BTreeMap::new(),
            log: Log::new(),
            during_wait: VecDeque::new(),
            interrupt_next: false,
            waits: 0,
        }
    }

    fn attach(&mut self, name: &'static str, fd: RawFd, kind: FdKind, priority: Priority) {
        self.events.attach(fd, kind, priority, Some(name)).unwrap();
    }

    /// Attaches for reading, ready from the start, with the priority that the name begins with.
    fn ready(&mut self, name: &'static str, fd: RawFd) {
        let priority = match name.as_bytes()[0] {
            b'H' => Priority::High,
            b'M' => Priority::Medium,
            _ => Priority::Low,
        };
        self.attach(name, fd, FdKind::Read, priority);
        self.state.insert(fd, libc::POLLIN);
    }

    fn queue(&mut self, name: &'static str, delay_us: i64) {
        self.events
            .queue(name, self.now, Time::new(0, delay_us))
            .unwrap();
    }

    fn on(&mut self, name: &'static str, deed: Deed) {
        self.deeds.insert(name, deed);
    }

    /// What poll would report for the set now.
    fn poll(&self, set: &mut PollSet, select: bool) -> bool {
        let mut any = false;
        for element in set.fds_mut() {
            let always = libc::POLLHUP | libc::POLLERR | libc::POLLNVAL;
            let state = self.state.get(&element.fd).copied().unwrap_or(0);
            element.revents = state & (element.events | always);
            if select && element.events == libc::POLLPRI {
                element.revents = state & libc::POLLPRI;
            }
            any |= element.revents != 0;
        }
        any
    }

    /// One call of the loop, which takes at most `limit` actions. Returns what was called.
    fn run(&mut self, limit: usize) -> Log {
        self.exit = false;
        let mut run = Run::new();
        self.go_on(&mut run, limit);
        std::mem::take(&mut self.log)
    }

    fn go_on(&mut self, run: &mut Run, limit: usize) {
        let mut set = PollSet::new();
        for _ in 0..limit {
            match self.events.next(run, self.now, self.exit) {
                Action::CallTimer(name) => self.call(name, -1),
                Action::CallFd { fd, callback } => self.call(callback, fd),
                Action::Poll { timeout_us, select } => {
                    self.wait(run, &mut set, timeout_us, select);
                }
                Action::Return => return,
            }
        }
    }

    fn call(&mut self, name: &'static str, fd: RawFd) {
        self.log.push(name);
        if let Some(deed) = self.deeds.get(name) {
            deed(self, fd);
        }
    }

    fn wait(&mut self, run: &mut Run, set: &mut PollSet, timeout: Option<i64>, select: bool) {
        self.waits += 1;
        assert!(timeout.is_none_or(|timeout| timeout >= 0));
        self.events.fill(self.now, Some(WAKE), &mut ItselfOnly, set);
        let script = self.during_wait.pop_front();
        if let Some(script) = script {
            script(self);
        }
        let outcome = if std::mem::take(&mut self.interrupt_next) {
            Outcome::Interrupted
        } else if self.poll(set, select) {
            Outcome::Ready
        } else if script.is_some() {
            set.fds_mut()
                .last_mut()
                .expect("the wake descriptor")
                .revents = libc::POLLIN;
            Outcome::Ready
        } else if let Some(timeout) = timeout {
            self.now += timeout;
            Outcome::TimedOut
        } else {
            // Nothing can ever happen any more.
            self.exit = true;
            Outcome::Interrupted
        };
        self.events.polled(run, self.now, set, outcome);
    }
}

const WAKE: RawFd = 1_030;

fn read_all(world: &mut World, fd: RawFd) {
    world.state.remove(&fd);
}

fn exit(world: &mut World, _: RawFd) {
    world.exit = true;
}
