//! Starting a network.

use std::fmt;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime};

use mio::{Poll, Waker};
use spread_proto::ByteOrder;

use crate::auth::AuthMethod;
use crate::config::{Config, ReferenceFaults, Timing};
use crate::control::Control;
use crate::error::Error;
use crate::network::{Daemon, Network};
#[cfg(unix)]
use crate::shell::UnixPlace;
use crate::shell::{Command, Log, Options, Places, Shell, TcpPlace, WAKER};

/// Where clients of Spread look for the unix socket of a port.
#[cfg(unix)]
const UNIX_DIR: &str = "/tmp";

/// See [`Builder::receiver_grace`].
const DEFAULT_GRACE: Duration = Duration::from_millis(100);

/// How often another port is tried when one is not free at all addresses.
const PORT_ATTEMPTS: usize = 100;

/// How to start a [`Network`]; made by [`Network::builder`].
pub struct Builder {
    config: Config,
    options: Options,
    names: Option<Vec<String>>,
    daemons: usize,
    port: u16,
    addresses: Vec<IpAddr>,
    unix: bool,
    log: Log,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("daemons", &self.daemons)
            .field("port", &self.port)
            .field("addresses", &self.addresses)
            .field("config", &self.config)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            config: Config::new(1),
            options: Options {
                head_of_line: true,
                receiver_grace: DEFAULT_GRACE,
                allowed: vec![AuthMethod::Null],
                required: Vec::new(),
            },
            names: None,
            daemons: 1,
            port: 0,
            addresses: Vec::new(),
            unix: cfg!(unix),
            log: Log::none(),
        }
    }

    /// Number of daemons, 1 by default, at most [`MAX_DAEMONS`](crate::MAX_DAEMONS). They are named
    /// `d1`, `d2` and so on.
    #[must_use]
    pub fn daemons(mut self, count: usize) -> Self {
        self.daemons = count;
        self
    }

    /// Other names for the daemons, 1 to 19 characters each. The order is that of the members in
    /// views. Also sets the number of daemons.
    #[must_use]
    pub fn names<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.daemons = names.len();
        self.names = Some(names);
        self
    }

    /// Ids of the daemons, each another one: first words of the ids of views, and they decide the
    /// order of the sets in views after a network change. Made up by default, with both signs.
    #[must_use]
    pub fn ids(mut self, ids: impl IntoIterator<Item = i32>) -> Self {
        self.config.ids = ids.into_iter().collect();
        self
    }

    /// The port of all daemons. 0, the default, is one that is free at all their addresses.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// The address of each daemon. By default 127.0.0.1, 127.0.0.2 and so on (a system on which
    /// only the first of them exists needs other ones here).
    #[must_use]
    pub fn bind(mut self, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.addresses = addresses.into_iter().collect();
        self
    }

    /// Whether the first daemon also listens at the unix socket `/tmp/<port>`, where clients look
    /// for the daemon of their own machine. True by default, on systems that have such sockets.
    ///
    /// Whatever is at that path is replaced, as a real daemon does; port 0 avoids taken paths.
    #[must_use]
    pub fn unix(mut self, on: bool) -> Self {
        self.unix = on && cfg!(unix);
        self
    }

    /// `MaxSessionMessages`: a session for which more messages are waiting is dropped. 1000 by
    /// default. 0 drops every session at its first message, as in a real daemon.
    #[must_use]
    pub fn max_session_messages(mut self, count: usize) -> Self {
        self.config.max_session_messages = count;
        self
    }

    /// Sessions per daemon, connections in the handshake included. 997 by default.
    #[must_use]
    pub fn max_sessions(mut self, count: usize) -> Self {
        self.config.max_sessions = count;
        self
    }

    /// How long changes take to be noticed. [`Timing::FAST`] by default.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.config.timing = timing;
        self
    }

    /// Which defects of Spread 5.0.1 to have. None by default.
    #[must_use]
    pub fn reference_faults(mut self, faults: ReferenceFaults) -> Self {
        self.config.faults = faults;
        self
    }

    /// The byte order of the daemons' machines. That of this machine by default.
    #[must_use]
    pub fn byte_order(mut self, order: ByteOrder) -> Self {
        self.config.order = order;
        self
    }

    /// Whether RELIABLE and UNRELIABLE messages overtake others on their way to clients of the
    /// sender's own daemon, as happens in real daemons. False by default: all messages have one
    /// order.
    #[must_use]
    pub fn reliable_overtakes(mut self, on: bool) -> Self {
        self.config.reliable_overtakes = on;
        self
    }

    /// Refuses all requests for groups whose names start with `prefix`: their senders get reject
    /// messages. Nothing is refused by default, as in a real daemon, whose only policy is to permit
    /// everything.
    ///
    /// A message to several groups is refused if it names one such group.
    #[must_use]
    pub fn deny_groups(mut self, prefix: &str) -> Self {
        self.config.denied = Some(prefix.as_bytes().to_vec());
        self
    }

    /// How many requests (joins, messages) of the remaining daemons are still ordered just after a
    /// daemon has died, while the others are yet to notice. In real networks often one or a few; 0
    /// by default.
    #[must_use]
    pub fn orders_after_crash(mut self, count: u32) -> Self {
        self.config.orders_after_crash = count;
        self
    }

    /// How long senders are made to wait for a receiver that is more than half way to being
    /// dropped. 100 ms by default; zero: not at all.
    ///
    /// Real daemons are slow enough that a client which reads is not dropped only because it was
    /// not given the processor for a while: at full speed they need some 25 ms for as many messages
    /// as they hold. This network is ten times faster, and runs on the same busy machine as its
    /// clients, so it gives such a client this time once (and more while there are many bytes to
    /// read), until it has caught up. A client that does not read is dropped at exactly the same
    /// message with any value.
    #[must_use]
    pub fn receiver_grace(mut self, grace: Duration) -> Self {
        self.options.receiver_grace = grace;
        self
    }

    /// Whether a connection that sends nothing keeps all later ones of its daemon waiting for a
    /// second, as in a real daemon. True by default.
    #[must_use]
    pub fn head_of_line(mut self, on: bool) -> Self {
        self.options.head_of_line = on;
        self
    }

    /// The authentication methods from which clients choose. `NULL` by default.
    #[must_use]
    pub fn auth_methods(mut self, methods: impl IntoIterator<Item = AuthMethod>) -> Self {
        self.options.allowed = methods.into_iter().collect();
        self
    }

    /// Authentication methods that clients have to pass whatever they choose; not in the list that
    /// they get. None by default.
    #[must_use]
    pub fn required_auth_methods(mut self, methods: impl IntoIterator<Item = AuthMethod>) -> Self {
        self.options.required = methods.into_iter().collect();
        self
    }

    /// Writes one line for each event; see [`Event`](crate::Event).
    #[must_use]
    pub fn log(mut self, out: impl Write + Send + 'static) -> Self {
        self.log = Log::to(Box::new(out), false);
        self
    }

    /// As [`log`](Self::log), and one line for each message.
    #[must_use]
    pub fn log_messages(mut self, out: impl Write + Send + 'static) -> Self {
        self.log = Log::to(Box::new(out), true);
        self
    }

    /// Starts the network. When this returns all daemons listen.
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for numbers and names that are out of range, [`Error::Listen`] for
    /// addresses that cannot be had, [`Error::Io`] when the system lacks resources.
    pub fn start(mut self) -> Result<Network, Error> {
        self.config.names = self
            .names
            .take()
            .unwrap_or_else(|| (1..=self.daemons).map(|n| format!("d{n}")).collect());
        self.config.check().map_err(Error::Config)?;
        for method in self.options.allowed.iter().chain(&self.options.required) {
            method.check().map_err(Error::Config)?;
        }
        let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        self.config.epoch_s =
            since_1970.map_or(0, |t| u32::try_from(t.as_secs()).unwrap_or(u32::MAX));

        let places = self.reserve_places()?;
        let daemons = self
            .config
            .names
            .iter()
            .zip(&places)
            .map(|(name, places)| Daemon {
                name: name.clone(),
                addr: places.tcp.addr(),
                unix: unix_path(places),
            })
            .collect();

        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let (commands, receiver) = channel::<Command>();
        let shell = Shell::new(poll, self.config, self.options, places, self.log)?;
        let thread = std::thread::Builder::new()
            .name("spread-testd".to_owned())
            .spawn(move || shell.run(&receiver))?;
        Ok(Network {
            control: Control {
                daemons,
                commands,
                waker,
            },
            thread: Some(thread),
        })
    }

    fn reserve_places(&self) -> Result<Vec<Places>, Error> {
        let count = self.config.names.len();
        let addresses = if self.addresses.is_empty() {
            loopback_addresses(count)
        } else {
            self.addresses.clone()
        };
        if addresses.len() != count {
            return Err(Error::Config(format!(
                "{count} daemons and {} addresses",
                addresses.len()
            )));
        }
        if self.port != 0 {
            return self.reserve_at(&addresses, self.port);
        }
        let mut result = self.reserve_at(&addresses, 0);
        for _ in 1..PORT_ATTEMPTS {
            if result.is_ok() {
                break;
            }
            result = self.reserve_at(&addresses, 0);
        }
        result
    }

    fn reserve_at(&self, addresses: &[IpAddr], mut port: u16) -> Result<Vec<Places>, Error> {
        let any = port == 0;
        let mut places = Vec::new();
        for &address in addresses {
            let addr = SocketAddr::new(address, port);
            let listen = |source| Error::Listen {
                at: addr.to_string(),
                source,
            };
            let tcp = TcpPlace::reserve(addr).map_err(listen)?;
            port = tcp.addr().port();
            places.push(Places {
                tcp,
                #[cfg(unix)]
                unix: None,
            });
        }
        #[cfg(unix)]
        if self.unix {
            let path = PathBuf::from(UNIX_DIR).join(port.to_string());
            if any && path.symlink_metadata().is_ok() {
                return Err(Error::Listen {
                    at: path.display().to_string(),
                    source: io::ErrorKind::AddrInUse.into(),
                });
            }
            places[0].unix = Some(UnixPlace::new(path));
        }
        Ok(places)
    }
}

fn loopback_addresses(count: usize) -> Vec<IpAddr> {
    (1..)
        .take(count)
        .map(|last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)))
        .collect()
}

fn unix_path(places: &Places) -> Option<PathBuf> {
    #[cfg(unix)]
    return places.unix.as_ref().map(|unix| unix.path().to_path_buf());
    #[cfg(not(unix))]
    return None;
}
