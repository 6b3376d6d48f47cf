//! The simulated network itself, without sockets, threads or clocks.
//!
//! The shell around it tells the [`Core`] what clients send and when connections end, and passes
//! the time; the core says through a [`Sink`] what goes to which connection. The same inputs give
//! the same outputs.
//!
//! Daemons that can talk to each other form a *ring*. A ring has one total order: a request
//! (message, join, leave, end of a session) is *sequenced* when the core takes it up, and
//! *executed* at all daemons of the ring at once, which is when its receivers are decided and get
//! it. While a ring is broken, requests are *held* at the daemon that has them.

mod change;
mod deliver;
mod groups;
mod order;
mod reach;
mod session;
#[cfg(test)]
mod tests;
mod views;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use spread_proto::{Name, private_group, reject};

pub(crate) use self::order::Verdict;
pub(crate) use self::session::{Link, Phase, SessionId};
use self::{groups::Groups, order::Request, reach::Pending, session::Session, session::Sessions};
use crate::config::Config;
use crate::daemons::DaemonSet;
use crate::event::{Ending, Event};

/// A whole frame as it goes to clients; shared by all its receivers.
pub(crate) type Message = Arc<[u8]>;

/// A daemon that holds so many requests stops reading its clients, and accepting new ones.
pub(crate) const MAX_HELD: usize = 500;

/// What became of a message for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Written, or waiting to be.
    Taken,
    /// Too many are waiting: the session is at its end.
    Overflow,
}

/// Where the core's output goes.
pub(crate) trait Sink {
    /// A message for a client.
    fn deliver(&mut self, link: Link, message: &Message) -> Delivery;

    /// The session of this connection is over.
    fn close(&mut self, link: Link, why: Ending);

    /// False while receivers are given time: what is held then stays held.
    fn accepts_held(&self) -> bool {
        true
    }

    /// True if ordered messages are to be noted, too.
    fn notes_messages(&self) -> bool {
        false
    }

    /// Something for the log.
    fn note(&mut self, event: Event);
}

/// How a daemon is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Health {
    Alive,
    Frozen,
    Dead,
}

#[derive(Debug)]
struct Daemon {
    name: Name,
    id: i32,
    health: Health,
    /// Daemons with the same number can reach each other.
    side: usize,
    /// Key in [`Core::rings`]; meaningless while dead.
    ring: usize,
    /// Private names in use. A name outlives its session by [`Timing::name_release`].
    ///
    /// [`Timing::name_release`]: crate::Timing::name_release
    names: HashMap<Vec<u8>, SessionId>,
    held: VecDeque<Request>,
}

/// Daemons that order together.
#[derive(Debug)]
struct Ring {
    /// Id of the first daemon, and the time of the ring in seconds.
    id: [i32; 2],
    members: DaemonSet,
    /// False for what a daemon has before its first ring.
    formed: bool,
    /// All members are there and can reach each other.
    intact: bool,
    /// How many requests are still ordered although a member has died.
    late_orders: u32,
    groups: Groups,
    /// Groups whose transitional message has been delivered: they are about to get another view.
    in_transition: Vec<Name>,
    /// Sequenced and not executed, with the time from which it may be.
    pipeline: VecDeque<(Duration, Request)>,
}

/// The network.
#[derive(Debug)]
pub(crate) struct Core {
    config: Config,
    now: Duration,
    daemons: Vec<Daemon>,
    sessions: Sessions,
    /// By key; emptied places are used again.
    rings: Vec<Option<Ring>>,
    pending: Vec<Pending>,
    /// Time of the last ring, so that the next one gets a later one.
    last_ring_time: i32,
    /// Names to be released, in the order of time.
    releases: VecDeque<(Duration, usize, Vec<u8>, SessionId)>,
    /// Sessions that overflowed while something was delivered.
    overflowed: Vec<SessionId>,
    /// They are being ended.
    ending: bool,
    messages: u64,
    generated_names: u32,
}

impl Core {
    /// A network whose daemons have just been started, at time zero. `config` is checked.
    pub(crate) fn new(config: Config, sink: &mut impl Sink) -> Self {
        let daemons = config
            .names
            .iter()
            .enumerate()
            .map(|(index, name)| Daemon {
                name: Name::new(name.as_bytes()),
                id: match config.ids.get(index) {
                    Some(id) => *id,
                    None => daemon_id(index, name.as_bytes()),
                },
                health: Health::Dead,
                side: 0,
                ring: 0,
                names: HashMap::new(),
                held: VecDeque::new(),
            })
            .collect();
        let mut core = Self {
            config,
            now: Duration::ZERO,
            daemons,
            sessions: Sessions::default(),
            rings: Vec::new(),
            pending: Vec::new(),
            last_ring_time: 0,
            releases: VecDeque::new(),
            overflowed: Vec::new(),
            ending: false,
            messages: 0,
            generated_names: 0,
        };
        core.start_all(sink);
        core
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    pub(crate) fn daemon_name(&self, daemon: usize) -> Name {
        self.daemons[daemon].name
    }

    pub(crate) fn health(&self, daemon: usize) -> Health {
        self.daemons[daemon].health
    }

    /// True if the daemon has so much waiting for its ring that it reads from nobody.
    pub(crate) fn is_congested(&self, daemon: usize) -> bool {
        self.daemons[daemon].held.len() >= MAX_HELD
    }

    /// Takes a name for a connection in the handshake; an empty one asks for a made-up name.
    /// `link` is `None` for a ghost, which is never more than a taken name.
    ///
    /// # Errors
    ///
    /// The code for the client.
    pub(crate) fn reserve(
        &mut self,
        daemon: usize,
        private_name: &[u8],
        membership: bool,
        link: Option<Link>,
    ) -> Result<(SessionId, Name), i8> {
        let private_name = if private_name.is_empty() {
            self.invent_name(daemon, link)
        } else {
            private_name.to_vec()
        };
        let at = &mut self.daemons[daemon];
        if at.names.contains_key(&private_name) {
            return Err(reject::NOT_UNIQUE);
        }
        let group = private_group(&private_name, at.name.as_bytes());
        let id = self.sessions.insert(Session {
            daemon,
            group,
            membership,
            phase: Phase::Connecting,
            link,
            last_message: 0,
        });
        at.names.insert(private_name, id);
        Ok((id, group))
    }

    /// Daemons name nameless sessions `r`, a number, `-`, the descriptor, at most nine bytes.
    fn invent_name(&mut self, daemon: usize, link: Option<Link>) -> Vec<u8> {
        let descriptor = link.map_or(0, |link| link.0 % 1000);
        loop {
            self.generated_names = self.generated_names.wrapping_add(1);
            // Any step without a common factor visits all numbers; this one looks random.
            let number = self.generated_names.wrapping_mul(7_541) % 9_999;
            let mut name = format!("r{number}-{descriptor}").into_bytes();
            name.truncate(9);
            if !self.daemons[daemon].names.contains_key(&name) {
                return name;
            }
        }
    }

    /// The handshake is done. Returns the private group, and whether the session gets membership
    /// messages; `None` if the session has ended.
    pub(crate) fn open(&mut self, session: SessionId) -> Option<(Name, bool)> {
        let session = self.sessions.get_mut(session)?;
        session.phase = Phase::Open;
        Some((session.group, session.membership))
    }

    /// A session by its private group, ghosts and those in the handshake included.
    pub(crate) fn find(&self, group: &Name) -> Option<(SessionId, Option<Link>)> {
        self.sessions
            .iter()
            .find(|(_, session)| session.group == *group && session.phase != Phase::Gone)
            .map(|(id, session)| (id, session.link))
    }

    /// All sessions whose end has not been seen.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = &Session> {
        self.sessions
            .iter()
            .map(|(_, session)| session)
            .filter(|session| session.phase != Phase::Gone)
    }

    /// Takes the connection away from a session, which becomes a ghost.
    pub(crate) fn detach(&mut self, session: SessionId) {
        if let Some(session) = self.sessions.get_mut(session) {
            session.link = None;
        }
    }

    /// The session's connection has ended, or has to: its end goes its way through the order. The
    /// sink is not told to close it.
    pub(crate) fn ended(
        &mut self,
        id: SessionId,
        why: Ending,
        waiting: usize,
        sink: &mut impl Sink,
    ) {
        let Some(session) = self.sessions.get_mut(id) else {
            return;
        };
        let (phase, daemon, group) = (session.phase, session.daemon, session.group);
        if phase == Phase::Gone {
            return;
        }
        session.phase = Phase::Gone;
        if phase == Phase::Connecting {
            // Nobody knows of it.
            self.forget(id);
            return;
        }
        sink.note(Event::Ended {
            session: group,
            why,
            waiting,
        });
        if phase == Phase::Open {
            self.submit(daemon, Request::end_by_daemon(id), sink);
        }
    }

    /// Removes a session and gives its name back at once.
    fn forget(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(id) {
            let names = &mut self.daemons[session.daemon].names;
            names.retain(|_, holder| *holder != id);
        }
    }

    /// Passes the time and does what is due. To be called after every batch of inputs.
    pub(crate) fn advance(&mut self, now: Duration, sink: &mut impl Sink) {
        self.now = self.now.max(now);
        while let Some(&(at, ..)) = self.releases.front() {
            if at > self.now {
                break;
            }
            if let Some((_, daemon, name, id)) = self.releases.pop_front() {
                self.release_name(daemon, &name, id);
            }
        }
        self.form_due_rings(sink);
        self.run_pipelines(sink);
        self.release_held(sink);
    }

    /// When [`advance`](Self::advance) has something to do next.
    pub(crate) fn next_deadline(&self) -> Option<Duration> {
        let release = self.releases.front().map(|release| release.0);
        let ring = self.pending.iter().map(|pending| pending.at).min();
        let pipeline = self
            .rings
            .iter()
            .flatten()
            .filter(|ring| ring.intact)
            .filter_map(|ring| ring.pipeline.front())
            .map(|&(at, _)| at)
            .min();
        [release, ring, pipeline].into_iter().flatten().min()
    }

    fn release_name(&mut self, daemon: usize, name: &[u8], id: SessionId) {
        let names = &mut self.daemons[daemon].names;
        if names.get(name) == Some(&id) {
            names.remove(name);
        }
    }

    fn ring(&self, key: usize) -> Option<&Ring> {
        self.rings.get(key).and_then(Option::as_ref)
    }

    fn ring_mut(&mut self, key: usize) -> Option<&mut Ring> {
        self.rings.get_mut(key).and_then(Option::as_mut)
    }

    fn names_of(&self, daemons: DaemonSet) -> Vec<Name> {
        daemons.iter().map(|d| self.daemons[d].name).collect()
    }
}

/// An id for a daemon: distinct, stable for a name, and negative for every other daemon because
/// real ones are hashes and their sign counts where sets are sorted.
fn daemon_id(index: usize, name: &[u8]) -> i32 {
    // FNV-1a.
    let hash = name.iter().fold(0x811c_9dc5_u32, |hash, &byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let distinct = (hash & 0x7fff_ff00) | (u32::try_from(index).unwrap_or_default() & 0xff);
    let sign = if index % 2 == 1 { 0x8000_0000 } else { 0 };
    (distinct | sign).cast_signed()
}
