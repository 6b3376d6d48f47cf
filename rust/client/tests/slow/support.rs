//! An embedded network, a sender that does not overrun it, and readers that wait with a deadline.

use std::time::{Duration, Instant};

use spread_client::{Connection, Event, Message, Service, Stats};
use spread_testd::Network;

/// Nothing here takes so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// Header, one group, and the body.
pub(crate) const BODY: usize = 1000;
pub(crate) const FRAME: u64 = 48 + 32 + BODY as u64;

pub(crate) fn connect(network: &Network, options: &str) -> Connection {
    let daemon = network.daemon(0);
    let name = daemon.unix_name().unwrap_or_else(|| daemon.spread_name());
    open(&name, options)
}

pub(crate) fn open(name: &str, options: &str) -> Connection {
    Connection::to(&format!("{name}?{options}"))
        .connect()
        .unwrap_or_else(|error| panic!("{name}?{options}: {error}"))
}

pub(crate) fn connect_tcp(network: &Network, options: &str) -> Connection {
    open(&network.daemon(0).spread_name(), options)
}

pub(crate) fn receive(connection: &Connection) -> Message {
    connection
        .receive_for(LIMIT)
        .unwrap()
        .expect("a message comes in time")
}

/// Waits until the figures are so.
pub(crate) fn wait_for(
    connection: &Connection,
    what: &str,
    mut holds: impl FnMut(&Stats) -> bool,
) -> Stats {
    let end = Instant::now() + LIMIT;
    loop {
        let stats = connection.stats().unwrap();
        if holds(&stats) {
            return stats;
        }
        assert!(Instant::now() < end, "waited in vain for {what}: {stats:?}");
        std::thread::yield_now();
    }
}

pub(crate) fn events(connection: &Connection) -> Vec<Event> {
    std::iter::from_fn(|| connection.next_event().unwrap()).collect()
}

/// Sends numbered messages to a group, never far ahead of what the daemon has delivered.
pub(crate) struct Sender {
    pub(crate) connection: Connection,
    next: u32,
}

impl Sender {
    pub(crate) fn new(network: &Network) -> Self {
        Self {
            connection: connect(network, ""),
            next: 0,
        }
    }

    /// At another daemon.
    pub(crate) fn at(name: &str) -> Self {
        Self {
            connection: open(name, ""),
            next: 0,
        }
    }

    pub(crate) fn send(&mut self, count: u32) {
        let own = self.connection.private_group();
        for sent in 0..count {
            let mut body = vec![0; BODY];
            body[..4].copy_from_slice(&self.next.to_le_bytes());
            self.next += 1;
            let groups = [b"group".as_slice(), own.as_bytes()];
            self.connection
                .multicast(Service::Agreed, &groups, 0, &body)
                .unwrap();
            if sent >= 100 {
                receive(&self.connection);
            }
        }
        for _ in 0..count.min(100) {
            receive(&self.connection);
        }
    }
}

pub(crate) fn number(message: &Message) -> u32 {
    u32::from_le_bytes(message.body[..4].try_into().unwrap())
}

/// Two groups make a frame longer.
pub(crate) const SENT_FRAME: u64 = FRAME + 32;

pub(crate) fn joined(network: &Network, options: &str, tcp: bool) -> Connection {
    let connection = if tcp {
        connect_tcp(network, options)
    } else {
        connect(network, options)
    };
    connection.join("group").unwrap();
    assert!(receive(&connection).is_regular_membership());
    assert!(matches!(events(&connection)[..], [Event::Connected { .. }]));
    connection
}

/// On both kinds of mailbox.
pub(crate) fn on_both(test: impl Fn(bool)) {
    test(false);
    test(true);
}

/// How many messages the events say were dropped.
pub(crate) fn dropped(events: &[Event]) -> u64 {
    let counts = events.iter().map(|event| match event {
        Event::Dropped { messages, .. } => *messages,
        _ => 0,
    });
    counts.sum()
}
