//! The sockets around the core: one thread, which waits for all of them.

mod conn;
mod faults;
mod greet;
mod io;
mod log;
mod outbox;
mod place;
mod read;
mod stream;
mod throttle;

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use mio::{Events, Poll, Token};

pub(crate) use self::faults::Caller;
use self::io::Io;
pub(crate) use self::log::Log;
use self::outbox::Outbox;
use self::place::Kind;
#[cfg(unix)]
pub(crate) use self::place::UnixPlace;
pub(crate) use self::place::{Places, TcpPlace};
use self::read::{Progress, SCRATCH_BYTES};
use self::throttle::Throttle;
use crate::auth::AuthMethod;
use crate::config::Config;
use crate::core::{Core, Health, Link};
use crate::event::{Ending, Event};

/// The token of the waker with which other threads announce commands.
pub(crate) const WAKER: Token = Token(usize::MAX);
/// Listeners have the tokens from here on, two per daemon; connections those from 0 on.
const FIRST_LISTENER: usize = usize::MAX / 2;

/// How often a real daemon tries again to write to clients whose sockets are full.
const FLUSH_RETRY: Duration = Duration::from_millis(100);

/// Something that another thread wants done in the network.
pub(crate) type Command = Box<dyn FnOnce(&mut Shell) + Send>;

/// How the sockets behave.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// One silent connection keeps all others waiting, as in a real daemon.
    pub(crate) head_of_line: bool,
    /// How long senders wait for a receiver that has fallen behind.
    pub(crate) receiver_grace: Duration,
    /// Authentication methods that clients may choose.
    pub(crate) allowed: Vec<AuthMethod>,
    /// Authentication methods that are run whatever clients choose.
    pub(crate) required: Vec<AuthMethod>,
}

impl Options {
    fn method_names(&self) -> Vec<&[u8]> {
        let names = self.allowed.iter().map(AuthMethod::name);
        names.map(str::as_bytes).collect()
    }

    /// The chosen methods, in order, and then the required ones that were not chosen.
    fn methods_to_run(&self, chosen: &[Vec<u8>]) -> Vec<AuthMethod> {
        let is_chosen = |method: &&AuthMethod| {
            let name = method.name().as_bytes();
            chosen.iter().any(|chosen| chosen == name)
        };
        let find = |name: &Vec<u8>| {
            let mut allowed = self.allowed.iter();
            allowed.find(|method| method.name().as_bytes() == name)
        };
        let required = self.required.iter().filter(|method| !is_chosen(method));
        chosen
            .iter()
            .filter_map(find)
            .chain(required)
            .cloned()
            .collect()
    }
}

/// The sockets of one daemon that are not connections.
#[derive(Debug)]
struct Desk {
    places: Places,
    /// It listens.
    open: bool,
    /// Somebody may be waiting to be accepted, by kind of socket.
    callers: [bool; 2],
    /// Whose connect message is awaited.
    greeting: Option<Link>,
    /// What awaits the next callers.
    next: VecDeque<Caller>,
}

impl Desk {
    fn has_callers(&self, kind: Kind) -> bool {
        self.callers[kind as usize]
    }

    fn set_callers(&mut self, kind: Kind, some: bool) {
        self.callers[kind as usize] = some;
    }
}

/// Runs a network on the thread that owns it.
#[derive(Debug)]
pub(crate) struct Shell {
    core: Core,
    io: Io,
    options: Options,
    desks: Vec<Desk>,
    poll: Poll,
    started: Instant,
    /// Connections with something to read.
    ready: VecDeque<Link>,
    /// Connections that have to wait for their daemon.
    parked: Vec<Link>,
    /// Connections whose connect message is awaited.
    greeted: Vec<Link>,
    next_retry: Duration,
    scratch: Vec<u8>,
    /// Who waits until everything that has come is read, and for how many turns at least.
    settlers: Vec<(u32, Sender<()>)>,
    stopping: bool,
}

impl Shell {
    /// Starts listening. `places` are those of the daemons, in order.
    pub(crate) fn new(
        poll: Poll,
        config: Config,
        options: Options,
        places: Vec<Places>,
        log: Log,
    ) -> std::io::Result<Self> {
        let mut io = Io::new(
            poll.registry().try_clone()?,
            places.len(),
            log,
            config.max_session_messages,
            options.receiver_grace,
        );
        let core = Core::new(config, &mut io);
        let desks = places.into_iter().map(|places| Desk {
            places,
            open: false,
            callers: [false; 2],
            greeting: None,
            next: VecDeque::new(),
        });
        let mut shell = Self {
            core,
            io,
            options,
            desks: desks.collect(),
            poll,
            started: Instant::now(),
            ready: VecDeque::new(),
            parked: Vec::new(),
            greeted: Vec::new(),
            next_retry: Duration::ZERO,
            scratch: vec![0; SCRATCH_BYTES],
            settlers: Vec::new(),
            stopping: false,
        };
        for daemon in 0..shell.desks.len() {
            shell.open_desk(daemon)?;
        }
        Ok(shell)
    }

    fn open_desk(&mut self, daemon: usize) -> std::io::Result<()> {
        let tokens =
            [Kind::Tcp, Kind::Unix].map(|kind| Token(FIRST_LISTENER + 2 * daemon + kind as usize));
        let desk = &mut self.desks[daemon];
        desk.places.listen(self.io.registry(), tokens)?;
        desk.open = true;
        let name = self.core.daemon_name(daemon);
        let places = &self.desks[daemon].places;
        self.io.note(&Event::Listening {
            daemon: name,
            at: places.tcp.addr().to_string(),
        });
        #[cfg(unix)]
        if let Some(unix) = &places.unix {
            self.io.note(&Event::Listening {
                daemon: name,
                at: unix.path().display().to_string(),
            });
        }
        Ok(())
    }

    /// Closes the sockets of a daemon that has died.
    fn close_desk(&mut self, daemon: usize) {
        self.desks[daemon].places.shut(self.io.registry());
        self.desks[daemon].open = false;
        self.desks[daemon].callers = [false; 2];
        self.desks[daemon].greeting = None;
        for link in self.io.of_daemon(daemon) {
            self.io.close(link);
        }
    }

    /// Works until it is told to stop. All clients' connections end then.
    pub(crate) fn run(mut self, commands: &Receiver<Command>) {
        let mut events = Events::with_capacity(256);
        while !self.stopping {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // There is no way on; the connections end with the thread.
                Err(_) => break,
            }
            self.io.now = self.started.elapsed();
            for event in &events {
                self.event(event);
            }
            while let Ok(command) = commands.try_recv() {
                command(&mut self);
            }
            self.turn();
            self.answer_settlers();
        }
        for daemon in 0..self.desks.len() {
            self.close_desk(daemon);
        }
    }

    fn timeout(&self) -> Option<Duration> {
        // A caller may have come while another one was greeted, who is gone by now.
        if !self.ready.is_empty() || !self.settlers.is_empty() || self.can_accept() {
            return Some(Duration::ZERO);
        }
        let retry = self.io.has_blocked().then_some(self.next_retry);
        let deadlines = [
            self.core.next_deadline(),
            self.greeting_deadline(),
            self.io.grace_deadline(),
            self.io.throttle_deadline(),
            retry,
        ];
        let next = deadlines.into_iter().flatten().min()?;
        // The system may wake us a moment early: rather a little late than twice.
        Some(next.saturating_sub(self.started.elapsed()) + Duration::from_micros(100))
    }

    /// Answers once everything that clients have sent until now is read, as far as daemons read.
    pub(crate) fn settle(&mut self, answer: Sender<()>) {
        // This turn may have asked the system before it came.
        self.settlers.push((2, answer));
    }

    fn answer_settlers(&mut self) {
        let quiet = self.ready.is_empty();
        self.settlers.retain_mut(|(turns, answer)| {
            *turns = turns.saturating_sub(1);
            let waits = *turns > 0 || !quiet;
            if !waits {
                // Nobody waits any more if the caller's thread has died.
                let _ = answer.send(());
            }
            waits
        });
    }

    fn event(&mut self, event: &mio::event::Event) {
        let token = event.token();
        if token == WAKER {
            return;
        }
        if token.0 >= FIRST_LISTENER {
            let at = token.0 - FIRST_LISTENER;
            if let Some(desk) = self.desks.get_mut(at / 2) {
                desk.callers[at % 2] = true;
            }
            return;
        }
        let link = Link(token.0);
        let Some(conn) = self.io.get_mut(link) else {
            return;
        };
        if event.is_read_closed() || event.is_error() {
            conn.read_closed = true;
        }
        let writes = event.is_writable() && !conn.out.is_empty();
        if event.is_readable() || conn.read_closed {
            self.enqueue(link);
        }
        if writes {
            self.io.flush(link);
        }
    }

    fn enqueue(&mut self, link: Link) {
        if let Some(conn) = self.io.get_mut(link)
            && !std::mem::replace(&mut conn.queued, true)
        {
            self.ready.push_back(link);
        }
    }

    /// Everything that is due.
    fn turn(&mut self) {
        self.core.advance(self.io.now, &mut self.io);
        self.io.look_at_grace();
        self.refuse_silent_callers();
        self.accept_all();
        self.unpark();
        for _ in 0..self.ready.len() {
            if let Some(link) = self.ready.pop_front() {
                self.read(link);
            }
        }
        // What was only sequenced, and what was held for a receiver's sake.
        self.core.advance(self.io.now, &mut self.io);
        if self.io.now >= self.next_retry || self.io.has_due_throttle() {
            self.next_retry = self.io.now + FLUSH_RETRY;
            self.io.flush_blocked();
        }
        self.io.flush_dirty();
        for link in self.io.take_broken() {
            let out = self.io.get(link).map(|conn| &conn.out);
            let cut = out.and_then(Outbox::throttle).is_some_and(Throttle::is_cut);
            self.end(link, if cut { Ending::Fault } else { Ending::Closed });
        }
        for daemon in 0..self.desks.len() {
            if self.desks[daemon].open && self.core.health(daemon) == Health::Dead {
                self.close_desk(daemon);
            }
        }
    }

    fn unpark(&mut self) {
        if self.parked.is_empty() {
            return;
        }
        let mut parked = std::mem::take(&mut self.parked);
        parked.retain(|&link| {
            let waits = self.io.get(link).is_some_and(|conn| self.holds_back(conn));
            if !waits {
                self.ready.push_back(link);
            }
            waits
        });
        self.parked = parked;
    }

    /// What other threads may ask for.
    pub(crate) fn core_and_sink(&mut self) -> (&mut Core, &mut impl crate::core::Sink) {
        (&mut self.core, &mut self.io)
    }

    pub(crate) fn note(&mut self, event: &Event) {
        self.io.note(event);
    }

    pub(crate) fn stop(&mut self) {
        self.stopping = true;
    }

    /// A daemon dies. When this returns its clients' connections are closed.
    pub(crate) fn kill(&mut self, daemon: usize) {
        self.core.kill(daemon, &mut self.io);
        self.io.set_frozen(daemon, false);
        self.close_desk(daemon);
    }

    /// A daemon starts again at its old places, killed first if it is alive.
    pub(crate) fn restart(&mut self, daemon: usize) -> std::io::Result<()> {
        self.kill(daemon);
        self.core.restart(daemon, &mut self.io);
        self.open_desk(daemon).inspect_err(|_| {
            // Without its sockets it is as good as dead.
            self.kill(daemon);
        })
    }

    pub(crate) fn freeze(&mut self, daemon: usize) {
        self.core.freeze(daemon, &mut self.io);
        self.io
            .set_frozen(daemon, self.core.health(daemon) == Health::Frozen);
    }

    pub(crate) fn thaw(&mut self, daemon: usize) {
        self.core.thaw(daemon, &mut self.io);
        self.io.set_frozen(daemon, false);
    }

    /// Ends a connection for a reason outside the core, and lets the core know.
    fn end(&mut self, link: Link, why: Ending) {
        let session = self.io.get(link).and_then(|conn| conn.session);
        let waiting = self.io.close(link);
        if let Some(session) = session {
            self.core.ended(session, why, waiting, &mut self.io);
        }
    }
}
