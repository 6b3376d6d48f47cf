//! A network without sockets: clients act, time passes, what they get is recorded.

use std::collections::BTreeMap;
use std::time::Duration;

use spread_proto::{ByteOrder, Decoder, Direction, Frame, Hint, Limits, Name};

use crate::config::Config;
use crate::core::{Core, Delivery, Link, Message, SessionId, Sink};
use crate::daemons::DaemonSet;
use crate::event::{Ending, Event};

/// Something that a client got, and when.
#[derive(Debug, Clone)]
pub(super) enum Got {
    Frame(Duration, Frame),
    Closed(Duration),
}

/// Which view a client has got: the number of views that the network had made until then. Ids of
/// views do not do for that, since a group that empties and is joined again starts with the same.
pub(super) type ViewNumber = usize;

/// The connections: nothing but what they were told.
#[derive(Debug, Default)]
pub(super) struct Recorder {
    now: Duration,
    got: Vec<Vec<Got>>,
    /// For each thing in `got`.
    views: Vec<Vec<ViewNumber>>,
    made: ViewNumber,
    /// Links that take no more messages.
    pub(super) full: Vec<Link>,
    pub(super) held: bool,
    pub(super) events: Vec<Event>,
}

impl Recorder {
    fn push(&mut self, link: Link, got: Got) {
        self.got[link.0].push(got);
        self.views[link.0].push(self.made);
    }
}

impl Sink for Recorder {
    fn deliver(&mut self, link: Link, message: &Message) -> Delivery {
        if self.full.contains(&link) {
            self.push(link, Got::Closed(self.now));
            return Delivery::Overflow;
        }
        let mut decoder = Decoder::new(Direction::ToClient, Limits::CLIENT);
        decoder.feed(message);
        let frame = decoder.next_frame().unwrap().expect("a whole frame");
        assert_eq!(decoder.buffered(), 0, "one frame");
        self.push(link, Got::Frame(self.now, frame));
        Delivery::Taken
    }

    fn close(&mut self, link: Link, _why: Ending) {
        self.push(link, Got::Closed(self.now));
    }

    fn accepts_held(&self) -> bool {
        !self.held
    }

    fn note(&mut self, event: Event) {
        if matches!(event, Event::View { .. }) {
            self.made += 1;
        }
        self.events.push(event);
    }
}

#[derive(Debug, Clone, Copy)]
struct Client {
    session: SessionId,
    link: Link,
    group: Name,
    daemon: usize,
}

#[derive(Debug)]
pub(super) struct Lab {
    pub(super) core: Core,
    pub(super) sink: Recorder,
    pub(super) now: Duration,
    clients: BTreeMap<String, Client>,
}

impl Lab {
    pub(super) fn new(config: Config) -> Self {
        config.check().unwrap();
        let mut sink = Recorder::default();
        let core = Core::new(config, &mut sink);
        Self {
            core,
            sink,
            now: Duration::ZERO,
            clients: BTreeMap::new(),
        }
    }

    /// Lets time pass, stopping wherever something is due.
    pub(super) fn pass_until(&mut self, end: Duration) {
        while let Some(at) = self.core.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.tick();
        }
        self.now = self.now.max(end);
        self.tick();
    }

    fn tick(&mut self) {
        self.sink.now = self.now;
        self.core.advance(self.now, &mut self.sink);
    }

    /// Connects a client, which is called `key` from then on. False if its name is taken.
    pub(super) fn connect(&mut self, key: &str, name: &str, daemon: usize, member: bool) -> bool {
        let link = Link(self.sink.got.len());
        let Ok((session, group)) = self
            .core
            .reserve(daemon, name.as_bytes(), member, Some(link))
        else {
            return false;
        };
        self.sink.got.push(Vec::new());
        self.sink.views.push(Vec::new());
        self.core.open(session);
        let client = Client {
            session,
            link,
            group,
            daemon,
        };
        self.clients.insert(key.to_owned(), client);
        true
    }

    fn client(&self, key: &str) -> Client {
        self.clients[key]
    }

    pub(super) fn group(&self, key: &str) -> Name {
        self.client(key).group
    }

    pub(super) fn daemon(&self, key: &str) -> usize {
        self.client(key).daemon
    }

    pub(super) fn link(&self, key: &str) -> Link {
        self.client(key).link
    }

    pub(super) fn keys(&self) -> Vec<String> {
        self.clients.keys().cloned().collect()
    }

    pub(super) fn got(&self, key: &str) -> &[Got] {
        &self.sink.got[self.client(key).link.0]
    }

    /// What it got, and how many views there were then.
    pub(super) fn numbered(&self, key: &str) -> impl Iterator<Item = (&Got, ViewNumber)> {
        let link = self.client(key).link.0;
        let numbers = self.sink.views[link].iter().copied();
        self.sink.got[link].iter().zip(numbers)
    }

    /// True if its connection has ended.
    pub(super) fn is_closed(&self, key: &str) -> bool {
        matches!(self.got(key).last(), Some(Got::Closed(_)))
    }

    pub(super) fn frame(&mut self, key: &str, frame: &Frame) {
        let client = self.client(key);
        let mut bytes = frame.encode();
        self.core
            .frame(client.session, &frame.header, &mut bytes, &mut self.sink);
        self.tick();
    }

    pub(super) fn join(&mut self, key: &str, group: &str) {
        self.frame(
            key,
            &Frame::join(self.group(key), Name::new(group.as_bytes())),
        );
    }

    pub(super) fn leave(&mut self, key: &str, group: &str) {
        self.frame(
            key,
            &Frame::leave(self.group(key), Name::new(group.as_bytes())),
        );
    }

    pub(super) fn kill_client(&mut self, key: &str) {
        self.frame(key, &Frame::kill(self.group(key)));
    }

    pub(super) fn send(&mut self, key: &str, kind: u32, groups: &[&str], hint: i16, body: &str) {
        let groups = groups.iter().map(|g| Name::new(g.as_bytes())).collect();
        let frame = Frame::new(
            kind,
            self.group(key),
            Hint::new(hint, ByteOrder::NATIVE),
            ByteOrder::NATIVE,
            groups,
            body.as_bytes().to_vec(),
        );
        self.frame(key, &frame);
    }

    /// The client closes its socket.
    pub(super) fn hang_up(&mut self, key: &str) {
        let client = self.client(key);
        self.sink.push(client.link, Got::Closed(self.now));
        self.core
            .ended(client.session, Ending::Closed, 0, &mut self.sink);
        self.tick();
    }

    pub(super) fn kill(&mut self, daemon: usize) {
        let clients: Vec<Client> = self.clients.values().copied().collect();
        for client in clients.iter().filter(|client| client.daemon == daemon) {
            if !matches!(self.sink.got[client.link.0].last(), Some(Got::Closed(_))) {
                self.sink.push(client.link, Got::Closed(self.now));
            }
        }
        self.core.kill(daemon, &mut self.sink);
        self.tick();
    }

    pub(super) fn restart(&mut self, daemon: usize) {
        self.kill(daemon);
        self.core.restart(daemon, &mut self.sink);
        self.tick();
    }

    pub(super) fn freeze(&mut self, daemon: usize) {
        self.core.freeze(daemon, &mut self.sink);
        self.tick();
    }

    pub(super) fn thaw(&mut self, daemon: usize) {
        self.core.thaw(daemon, &mut self.sink);
        self.tick();
    }

    pub(super) fn partition(&mut self, sets: &[&[usize]]) {
        let sets: Vec<DaemonSet> = sets
            .iter()
            .map(|set| set.iter().copied().collect())
            .collect();
        self.core.partition(&sets, &mut self.sink);
        self.tick();
    }

    pub(super) fn heal(&mut self) {
        self.core.heal(&mut self.sink);
        self.tick();
    }
}
