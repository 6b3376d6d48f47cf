//! Where daemons listen: addresses of names, and sockets for them.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, TcpKeepalive, Type};

use crate::srv::{self, SrvRecord};
use crate::sys::fd;
use crate::sys::resolve::{self, ResolveError};
use crate::sys::signals;

/// Socket buffers that the classic library asks for, in both directions.
const SOCKET_BUFFER: usize = 200 * 1024;

/// A connection over which nothing comes is looked at after so long, so often and so many times.
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_PROBES: u32 = 3;

/// A peer that acknowledges nothing for so long counts as gone. More than any daemon needs that only
/// waits for its ring.
const USER_TIMEOUT: Duration = Duration::from_secs(30);

/// One place a daemon may listen at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Endpoint {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

impl Endpoint {
    /// The place that a literal address and a port are, without asking anybody.
    pub(crate) fn literal(host: &[u8], port: u16) -> Option<Self> {
        resolve::literal(host, port).map(Self::Tcp)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// What a resolver is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Question {
    /// The addresses of a host.
    Host(Vec<u8>),
    /// The SRV records of a DNS name.
    Srv(Vec<u8>),
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(name) => write!(f, "{}", name.escape_ascii()),
            Self::Srv(name) => write!(f, "srv:{}", name.escape_ascii()),
        }
    }
}

/// What a resolver has found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Addresses, in the resolver's order; their port means nothing.
    Hosts(Vec<SocketAddr>),
    /// Hosts and ports.
    Services(Vec<SrvRecord>),
}

/// What the resolver has said.
pub(crate) type Answer = Result<Found, ResolveError>;

/// A question that another thread puts to the resolver.
#[derive(Debug)]
pub(crate) struct Lookup {
    question: Question,
    done: OwnedFd,
    answer: Arc<Mutex<Option<Answer>>>,
}

impl Lookup {
    /// The answer, once it is there.
    pub(crate) fn answer(&self) -> Option<Answer> {
        self.answer
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What was asked.
    pub(crate) fn question(&self) -> &Question {
        &self.question
    }

    /// Becomes readable when the answer is there.
    pub(crate) fn done(&self) -> BorrowedFd<'_> {
        self.done.as_fd()
    }
}

impl Question {
    /// Whether it needs no network on any usual machine: the answer is in the hosts file.
    pub(crate) fn is_local(&self) -> bool {
        matches!(self, Self::Host(name) if name.eq_ignore_ascii_case(b"localhost"))
    }

    /// Asks the resolver. Blocks.
    pub(crate) fn ask(&self) -> Answer {
        match self {
            Self::Host(host) => resolve::lookup(host).map(Found::Hosts),
            Self::Srv(name) => resolve::services(name).and_then(|answer| {
                srv::parse(&answer)
                    .map(Found::Services)
                    .ok_or_else(|| ResolveError::Failed("the answer cannot be read".to_owned()))
            }),
        }
    }
}

/// Asks the resolver on a thread of its own, so that a time limit holds and waiting can be
/// cancelled.
pub(crate) fn start_lookup(question: Question) -> Option<Lookup> {
    let (done, finished) = fd::pipe().ok()?;
    // Before there is another thread: the system lets one that shares its descriptors wait for a
    // whole grace period (5 to 15 ms) when their table has to grow.
    let done = fd::move_high(done);
    let answer = Arc::new(Mutex::new(None));
    let theirs = Arc::clone(&answer);
    let asked = question.clone();
    let spawned = signals::spawn_masked("spread-dns", 1 << 20, move || {
        let found = asked.ask();
        *theirs.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
        // Closing the write end tells that the answer is there.
        drop(finished);
    });
    match spawned {
        Ok(_) => Some(Lookup {
            question,
            done,
            answer,
        }),
        Err(error) => {
            tracing::warn!(%error, "no thread for the resolver");
            None
        }
    }
}

/// The address to connect to.
pub(crate) fn address_of(endpoint: &Endpoint) -> SockAddr {
    match endpoint {
        Endpoint::Tcp(address) => (*address).into(),
        // `/tmp/` and a port always fit.
        Endpoint::Unix(path) => {
            SockAddr::unix(path).unwrap_or_else(|_| SocketAddr::from(([127, 0, 0, 1], 0)).into())
        }
    }
}

/// A socket for `endpoint` with the options of the classic library, not yet connected. On one that
/// will be replaced when it fails, data may wait for a silent peer only so long.
pub(crate) fn open(endpoint: &Endpoint, will_be_replaced: bool) -> std::io::Result<Socket> {
    let domain = match endpoint {
        Endpoint::Unix(_) => Domain::UNIX,
        Endpoint::Tcp(address) => Domain::for_address(*address),
    };
    // Close-on-exec by the library's default.
    let socket = Socket::new(domain, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // Where the system allows less it gives the most it allows.
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    if matches!(endpoint, Endpoint::Tcp(_)) {
        socket.set_tcp_nodelay(true)?;
        let keepalive = TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE)
            .with_retries(KEEPALIVE_PROBES);
        socket.set_tcp_keepalive(&keepalive)?;
        if will_be_replaced {
            socket.set_tcp_user_timeout(Some(USER_TIMEOUT))?;
        }
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_peer_is_noticed_by_the_socket_itself() {
        let place = Endpoint::literal(b"127.0.0.1", 4803).unwrap();
        for outlives in [false, true] {
            let socket = open(&place, outlives).unwrap();
            assert!(socket.keepalive().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE);
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_PROBES);
            let limit = socket.tcp_user_timeout().unwrap();
            assert_eq!(limit.is_some(), outlives, "{limit:?}");
            assert!(limit.is_none_or(|limit| limit == USER_TIMEOUT));
        }
    }
}
