//! What a case sees: daemons of some kind, and clients whose events are written down.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use spread_proto::service::AGREED_MESS;
use spread_proto::{Frame, HandshakeFailure, Name};

use crate::client::{Client, DEADLINE, Socket};
use crate::transcript::Transcript;

/// What is asked of daemons before they are started.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Setup {
    pub(crate) daemons: usize,
    pub(crate) max_session_messages: Option<usize>,
    /// Lines of a daemon's configuration; [`sim`](crate::sim) knows those that are used.
    pub(crate) methods: Methods,
    /// The reference's defects are wanted.
    pub(crate) faults: bool,
}

/// Authentication, as the configuration says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Methods {
    #[default]
    Unset,
    AllowedNullIp,
    AllowedIp,
    AllowedNullRequiredIp,
    RequiredIp,
}

/// Daemons `d1` to `d3`.
pub(crate) trait Daemons {
    fn addr(&self, daemon: usize) -> SocketAddr;
    fn unix_path(&self) -> PathBuf;
    fn kill(&mut self, daemon: usize);
    /// With a signal that it could catch.
    fn stop(&mut self, daemon: usize);
    fn restart(&mut self, daemon: usize);
    fn freeze(&mut self, daemon: usize);
    fn thaw(&mut self, daemon: usize);
    /// How long some requests may still be ordered after a daemon has died.
    fn token_pause(&self) -> Duration;
}

pub(crate) struct World {
    daemons: Box<dyn Daemons>,
    pub(crate) clients: BTreeMap<String, Client>,
    /// Events that were read and are not written down yet.
    heard: BTreeMap<String, Vec<Frame>>,
    ended: Vec<String>,
    pub(crate) transcript: Transcript,
    sorted: bool,
}

const PROBE: i16 = 32_000;

impl World {
    pub(crate) fn new(daemons: Box<dyn Daemons>) -> Self {
        Self {
            daemons,
            clients: BTreeMap::new(),
            heard: BTreeMap::new(),
            ended: Vec::new(),
            transcript: Transcript::default(),
            sorted: false,
        }
    }

    pub(crate) fn socket(&self, daemon: usize) -> Socket {
        Socket::tcp(self.daemons.addr(daemon)).unwrap()
    }

    pub(crate) fn try_socket(&self, daemon: usize) -> std::io::Result<Socket> {
        Socket::tcp(self.daemons.addr(daemon))
    }

    pub(crate) fn unix_socket(&self) -> Socket {
        Socket::unix(&self.daemons.unix_path()).unwrap()
    }

    pub(crate) fn daemons(&mut self) -> &mut dyn Daemons {
        &mut *self.daemons
    }

    pub(crate) fn note(&mut self, line: impl AsRef<str>) {
        self.transcript.line(line.as_ref());
    }

    /// Connects a client; it is called by its private name from then on.
    pub(crate) fn connect(&mut self, name: &str, daemon: usize) {
        self.connect_with(name, daemon, true);
    }

    pub(crate) fn connect_with(&mut self, name: &str, daemon: usize, membership: bool) {
        let socket = self.socket(daemon);
        let client = Client::try_connect(socket, name, membership)
            .unwrap_or_else(|failure| panic!("{name} at daemon {daemon}: {failure:?}"));
        self.add(name, client);
    }

    pub(crate) fn try_connect(
        &mut self,
        name: &str,
        daemon: usize,
    ) -> Result<Client, HandshakeFailure> {
        let socket = self
            .try_socket(daemon)
            .map_err(|_| HandshakeFailure::Closed)?;
        Client::try_connect(socket, name, true)
    }

    /// Takes in a client under a name of the case's choice.
    pub(crate) fn add(&mut self, name: &str, client: Client) {
        self.note(format!("{name} connects as {}", client.name()));
        self.ended.retain(|ended| ended != name);
        self.clients.insert(name.to_owned(), client);
    }

    pub(crate) fn client(&mut self, name: &str) -> &mut Client {
        self.clients.get_mut(name).expect("a connected client")
    }

    pub(crate) fn join(&mut self, name: &str, group: &str) {
        self.note(format!("{name} joins {group:?}"));
        self.client(name).join(group);
    }

    pub(crate) fn leave(&mut self, name: &str, group: &str) {
        self.note(format!("{name} leaves {group:?}"));
        self.client(name).leave(group);
    }

    pub(crate) fn send(&mut self, name: &str, kind: u32, groups: &[&str], body: &str) {
        self.note(format!(
            "{name} sends {body:?} to {groups:?}, type {kind:#x}"
        ));
        let frame = self.client(name).message(kind, groups, 7, body.as_bytes());
        self.client(name).send(&frame);
    }

    pub(crate) fn multicast(&mut self, name: &str, groups: &[&str], body: &str) {
        self.send(name, AGREED_MESS, groups, body);
    }

    /// The client says good-bye, and reads what is left.
    pub(crate) fn kill_client(&mut self, name: &str) {
        self.note(format!("{name} says good-bye"));
        self.client(name).kill();
        self.read_to_end(name);
    }

    /// Closes the client's socket.
    pub(crate) fn drop_client(&mut self, name: &str) {
        self.note(format!("{name} closes"));
        self.clients.remove(name);
    }

    /// Reads until the daemon closes the connection.
    pub(crate) fn read_to_end(&mut self, name: &str) {
        while self.hear(name) {}
    }

    /// Reads one event. False at the end of the stream.
    fn hear(&mut self, name: &str) -> bool {
        let client = self.clients.get_mut(name).expect("a connected client");
        match client.frame() {
            Some(frame) => {
                self.heard.entry(name.to_owned()).or_default().push(frame);
                true
            }
            None => {
                self.clients.remove(name);
                self.ended.push(name.to_owned());
                false
            }
        }
    }

    /// Reads until something of this type (any of these bits) comes.
    pub(crate) fn wait_for(&mut self, name: &str, bits: u32) {
        let start = Instant::now();
        loop {
            assert!(self.hear(name), "{name} has ended");
            let last = self.heard[name].last();
            if last.is_some_and(|frame| frame.header.kind & bits != 0) {
                return;
            }
            assert!(start.elapsed() < DEADLINE, "{name} waits for {bits:#x}");
        }
    }

    /// Waits until everything that clients have sent has had its effect, and writes down what came
    /// of it. (The end of a connection is no such thing: see [`wait_for`](Self::wait_for).)
    pub(crate) fn settle(&mut self) {
        let everybody: Vec<Name> = self.clients.values().map(|client| client.group).collect();
        let names: Vec<String> = self.clients.keys().cloned().collect();
        // Sessions with more clients than fit a message's groups are told in turns.
        for some in everybody.chunks(40) {
            for name in &names {
                let client = self.client(name);
                let probe = Frame::new(
                    AGREED_MESS,
                    client.group,
                    spread_proto::Hint::new(PROBE, spread_proto::ByteOrder::NATIVE),
                    spread_proto::ByteOrder::NATIVE,
                    some.to_vec(),
                    Vec::new(),
                );
                client.send(&probe);
            }
            for name in &names {
                let gets = self
                    .clients
                    .get(name)
                    .is_some_and(|c| some.contains(&c.group));
                let mut left = if gets { names.len() } else { 0 };
                while left > 0 && self.hear(name) {
                    let heard = self.heard.get_mut(name).expect("heard something");
                    if heard
                        .last()
                        .is_some_and(|f| f.header.hint.mess_type() == PROBE)
                    {
                        heard.pop();
                        left -= 1;
                    }
                }
            }
        }
        self.write_down();
    }

    /// As [`settle`](Self::settle), for events of which each client may get any order.
    pub(crate) fn settle_sorted(&mut self) {
        self.sorted = true;
        self.settle();
        self.sorted = false;
    }

    /// Long enough for what real daemons still order after one of them has died.
    pub(crate) fn pause_for_token(&mut self) {
        std::thread::sleep(self.daemons.token_pause());
    }

    /// Writes down what has been read so far.
    pub(crate) fn write_down(&mut self) {
        for (name, mut frames) in std::mem::take(&mut self.heard) {
            if self.sorted {
                frames.sort_by(|a, b| (&a.body, a.header.name).cmp(&(&b.body, b.header.name)));
            }
            for frame in frames {
                self.transcript.frame(&name, &frame);
            }
        }
        for name in std::mem::take(&mut self.ended) {
            self.transcript.line(&format!("    {name}: closed"));
        }
    }
}
