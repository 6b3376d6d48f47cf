//! One pass over all that a name stands for: which place is tried next, for how long, and what has
//! come of it.
//!
//! Pure: the time, the answers of the resolver, the memory of failures and the random numbers are
//! arguments. [`crate::search`] does the I/O.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use spread_proto::reject;

use crate::daemon_name::DaemonName;
use crate::endpoint::{Endpoint, Found, Question};
use crate::error::Error;
use crate::random::Random;
use crate::srv;

/// How a sweep goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Only the first place of the first entry is tried, as the classic library does.
    pub(crate) first_only: bool,
    /// The addresses of a name are put into a random order.
    pub(crate) shuffle: bool,
    /// How long one place is tried.
    pub(crate) attempt: Duration,
    /// This holds for the last place as well. Else that has no limit of its own.
    pub(crate) always_bounded: bool,
    /// After a refusal that another daemon would give too, the sweep is over.
    pub(crate) stop_at_refusal: bool,
}

/// A place to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) endpoint: Endpoint,
    /// Place of its entry in the list: smaller is better.
    pub(crate) rank: usize,
}

/// The place that a session would like best.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) home: Candidate,
    /// Places of entries from this one on are of no use, unless they are the home.
    pub(crate) others_before: usize,
}

/// What the sweep wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Look this up, then [`Sweep::answered`] or [`Sweep::failed`].
    LookUp(Question),
    /// Connect there; if that does not work, [`Sweep::failed`].
    Try(Candidate),
    /// Nothing is left.
    GiveUp(Error),
}

/// A sweep. See the module.
#[derive(Clone, Debug)]
pub(crate) struct Sweep {
    rules: Rules,
    entries: VecDeque<(usize, DaemonName)>,
    /// The name that is being looked up: place of its entry, port (of a host).
    asked: Option<(usize, u16)>,
    pool: VecDeque<Candidate>,
    /// Places that have just failed; they come last.
    avoided: VecDeque<Candidate>,
    tried: HashSet<Endpoint>,
    wish: Option<Wish>,
    /// The home is one of the places that the name stands for.
    met_home: bool,
    /// What a name of the list stands for could not be found out.
    in_the_dark: bool,
    deadline: Option<Instant>,
    attempt_deadline: Option<Instant>,
    failure: Option<Error>,
}

impl Sweep {
    /// A sweep over `entries`, which ends at `deadline`.
    pub(crate) fn new(entries: Vec<DaemonName>, rules: Rules, deadline: Option<Instant>) -> Self {
        let most = if rules.first_only { 1 } else { usize::MAX };
        Self {
            rules,
            entries: entries.into_iter().enumerate().take(most).collect(),
            asked: None,
            pool: VecDeque::new(),
            avoided: VecDeque::new(),
            tried: HashSet::new(),
            wish: None,
            met_home: false,
            in_the_dark: false,
            deadline,
            attempt_deadline: None,
            failure: None,
        }
    }

    /// Leaves a place out.
    pub(crate) fn leave_out(&mut self, endpoint: Endpoint) {
        self.tried.insert(endpoint);
    }

    /// Tries a session's home first among the addresses of its name. To be said before the sweep
    /// begins.
    pub(crate) fn wish(&mut self, wish: Wish) {
        let Wish {
            home,
            others_before,
        } = &wish;
        self.entries
            .retain(|(rank, _)| rank < others_before || *rank == home.rank);
        self.wish = Some(wish);
    }

    /// Whether the names were looked up, and the home that was wished for is not among what they
    /// stand for any more.
    pub(crate) fn home_is_gone(&self) -> bool {
        self.wish.as_ref().is_some_and(|Wish { home, .. }| {
            let to_come = self.entries.iter().any(|(rank, _)| *rank <= home.rank);
            !(self.met_home || self.in_the_dark || to_come)
        })
    }

    /// When the present attempt, or lookup, is over.
    pub(crate) fn attempt_ends(&self) -> Option<Instant> {
        match (self.deadline, self.attempt_deadline) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        }
    }

    /// What to do next. `avoid` tells which places have just failed.
    pub(crate) fn next(&mut self, now: Instant, avoid: impl Fn(&Endpoint) -> bool) -> Want {
        loop {
            if let Some(candidate) = self.pool.pop_front() {
                if self.tried.contains(&candidate.endpoint) {
                    continue;
                }
                // Last resorts: they may be back, and there may be nothing else.
                if !self.rules.first_only && avoid(&candidate.endpoint) {
                    self.avoided.push_back(candidate);
                    continue;
                }
                return self.attempt(candidate, now);
            }
            if let Some((rank, name)) = self.entries.pop_front() {
                if let Some(question) = self.open(rank, name) {
                    self.set_attempt_deadline(now);
                    return Want::LookUp(question);
                }
                continue;
            }
            match self.avoided.pop_front() {
                Some(candidate) if self.tried.contains(&candidate.endpoint) => {}
                Some(candidate) => return self.attempt(candidate, now),
                None => return Want::GiveUp(self.failure.unwrap_or(Error::CouldNotConnect)),
            }
        }
    }

    /// Puts an entry's place into the pool, or says what has to be looked up first.
    fn open(&mut self, rank: usize, name: DaemonName) -> Option<Question> {
        let endpoint = match name {
            DaemonName::Unix(port) => Endpoint::Unix(format!("/tmp/{port}").into()),
            DaemonName::Tcp { port, host } => match Endpoint::literal(&host, port) {
                Some(endpoint) => endpoint,
                None => {
                    self.asked = Some((rank, port));
                    return Some(Question::Host(host));
                }
            },
            DaemonName::Srv(name) => {
                self.asked = Some((rank, 0));
                return Some(Question::Srv(name));
            }
        };
        self.offer([Candidate { endpoint, rank }]);
        None
    }

    /// Puts the places of one name into the pool.
    fn offer(&mut self, places: impl IntoIterator<Item = Candidate>) {
        for place in places {
            match &self.wish {
                Some(wish) if place.endpoint == wish.home.endpoint => {
                    self.met_home = true;
                    self.pool.push_front(place);
                }
                Some(wish) if place.rank >= wish.others_before => {}
                _ => self.pool.push_back(place),
            }
        }
    }

    fn attempt(&mut self, candidate: Candidate, now: Instant) -> Want {
        self.set_attempt_deadline(now);
        self.tried.insert(candidate.endpoint.clone());
        if self.rules.first_only {
            self.pool.clear();
            self.entries.clear();
        }
        Want::Try(candidate)
    }

    /// A candidate with others behind it gets so long, and of a time limit no more than an equal
    /// share.
    fn set_attempt_deadline(&mut self, now: Instant) {
        let others = self.pool.len() + self.entries.len() + self.avoided.len();
        self.attempt_deadline = None;
        if others == 0 && !self.rules.always_bounded {
            return;
        }
        let mut most = self.rules.attempt;
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(now);
            let share = u32::try_from(others + 1).map_or(left, |parts| left / parts);
            most = most.min(share);
        }
        self.attempt_deadline = now.checked_add(most);
    }

    /// The resolver has answered.
    pub(crate) fn answered(&mut self, found: Found, random: &mut Random) {
        let Some((rank, port)) = self.asked.take() else {
            return;
        };
        match found {
            Found::Hosts(addresses) => {
                let ordered = if self.rules.shuffle && !self.rules.first_only {
                    arrange(addresses, random)
                } else {
                    addresses
                };
                self.offer(ordered.into_iter().map(|mut address| {
                    address.set_port(port);
                    Candidate {
                        endpoint: Endpoint::Tcp(address),
                        rank,
                    }
                }));
            }
            Found::Services(records) => {
                let most = if self.rules.first_only { 1 } else { usize::MAX };
                let ordered = srv::order(records, random);
                if ordered.is_empty() {
                    self.note(Error::CouldNotConnect);
                }
                for record in ordered.into_iter().take(most).rev() {
                    let name = DaemonName::Tcp {
                        port: record.port,
                        host: record.host,
                    };
                    self.entries.push_front((rank, name));
                }
            }
        }
    }

    fn note(&mut self, error: Error) {
        if self
            .failure
            .is_none_or(|before| tells(error) >= tells(before))
        {
            self.failure = Some(error);
        }
    }

    /// The candidate, or the lookup, has failed. `Some`: so has the sweep.
    pub(crate) fn failed(&mut self, error: Error, now: Instant) -> Option<Error> {
        self.in_the_dark |= self.asked.take().is_some();
        self.note(error);
        if self.rules.stop_at_refusal && !is_retryable(error) {
            return Some(error);
        }
        self.deadline
            .is_some_and(|end| now >= end)
            .then(|| self.failure.unwrap_or(error))
    }
}

/// How telling a failure is, where several candidates have failed.
fn tells(error: Error) -> u8 {
    match error {
        Error::IllegalSpread => 0,
        Error::CouldNotConnect => 1,
        Error::ConnectionClosed => 2,
        _ => 3,
    }
}

/// Whether another candidate may do better after this failure.
fn is_retryable(error: Error) -> bool {
    match error {
        Error::IllegalSpread
        | Error::CouldNotConnect
        | Error::ConnectionClosed
        | Error::Version => true,
        Error::Refused(code) => code == reject::QUOTA || code == reject::VERSION,
        _ => false,
    }
}

/// The addresses of one name: each family in a random order, one of each in turn, beginning with
/// the family that the resolver prefers.
fn arrange(addresses: Vec<SocketAddr>, random: &mut Random) -> Vec<SocketAddr> {
    let Some(first) = addresses.first().copied() else {
        return addresses;
    };
    let (mut preferred, mut other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first.is_ipv6());
    random.shuffle(&mut preferred);
    random.shuffle(&mut other);
    let mut mixed = Vec::with_capacity(preferred.len() + other.len());
    let (mut preferred, mut other) = (preferred.into_iter(), other.into_iter());
    loop {
        let before = mixed.len();
        mixed.extend(preferred.next());
        mixed.extend(other.next());
        if mixed.len() == before {
            return mixed;
        }
    }
}

#[cfg(test)]
mod tests;
