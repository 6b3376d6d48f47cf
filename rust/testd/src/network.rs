//! A running network.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::thread::JoinHandle;

use crate::builder::Builder;
use crate::control::Control;
use crate::shell::Shell;

/// One daemon of a network: where its clients find it.
#[derive(Debug, Clone)]
pub struct Daemon {
    pub(crate) name: String,
    pub(crate) addr: SocketAddr,
    pub(crate) unix: Option<PathBuf>,
}

impl Daemon {
    /// Its name, the second part of its clients' private groups.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its socket address.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// What to pass to `SP_connect` to reach it by TCP: `port@address`.
    #[must_use]
    pub fn spread_name(&self) -> String {
        match self.addr.ip() {
            IpAddr::V4(ip) => format!("{}@{ip}", self.addr.port()),
            IpAddr::V6(ip) => format!("{}@[{ip}]", self.addr.port()),
        }
    }

    /// What to pass to `SP_connect` to reach it by its unix socket: the port. `None` if it has no
    /// such socket; only the first daemon has.
    #[must_use]
    pub fn unix_name(&self) -> Option<String> {
        self.unix.as_ref().map(|_| self.addr.port().to_string())
    }

    /// Path of its unix socket.
    #[must_use]
    pub fn unix_path(&self) -> Option<&std::path::Path> {
        self.unix.as_deref()
    }
}

/// A running network of simulated daemons. It ends when this is dropped: all connections are closed
/// and the unix socket is removed.
///
/// ```
/// # fn main() -> Result<(), spread_testd::Error> {
/// let network = spread_testd::Network::builder().daemons(3).start()?;
/// // Connect clients of any kind to network.daemon(0).spread_name() ...
/// network.kill(0)?;
/// network.restart(0)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Network {
    pub(crate) control: Control,
    pub(crate) thread: Option<JoinHandle<()>>,
}

impl Network {
    /// A network of one daemon at any free port; change that and more before starting it.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A handle for other threads. It does not keep the network alive.
    #[must_use]
    pub fn control(&self) -> Control {
        self.control.clone()
    }
}

impl std::ops::Deref for Network {
    type Target = Control;

    fn deref(&self) -> &Control {
        &self.control
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // It may be gone already; then there is nothing to stop.
        let _ = self.control.send(Box::new(Shell::stop));
        if let Some(thread) = self.thread.take() {
            // If it panicked, its message is out, and its sockets are closed.
            let _ = thread.join();
        }
    }
}
