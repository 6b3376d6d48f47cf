//! Where a daemon listens, over its deaths and restarts.

use std::io;
use std::net::SocketAddr;
#[cfg(unix)]
use std::os::unix::fs::{MetadataExt, PermissionsExt};
#[cfg(unix)]
use std::path::PathBuf;

use mio::net::TcpListener;
#[cfg(unix)]
use mio::net::UnixListener;
use mio::{Interest, Registry, Token};
use socket2::{Domain, Socket, Type};

use super::stream::Stream;

/// What real daemons pass to `listen`.
const TCP_BACKLOG: i32 = 25;

/// A TCP address that belongs to a daemon whether it listens or not.
#[derive(Debug)]
pub(crate) struct TcpPlace {
    addr: SocketAddr,
    state: TcpState,
}

#[derive(Debug)]
enum TcpState {
    /// Bound without listening: connects are refused, and the system gives the port to nobody who
    /// asks for any. (Who asks for this one may get it; restarting fails then.)
    Reserved(Socket),
    Listening(TcpListener),
    /// In the middle of a change, or after one that failed.
    Nothing,
}

impl TcpPlace {
    /// Takes an address; port 0 is any free one.
    pub(crate) fn reserve(addr: SocketAddr) -> io::Result<Self> {
        let socket = bind(addr)?;
        let addr = socket.local_addr()?.as_socket().unwrap_or(addr);
        Ok(Self {
            addr,
            state: TcpState::Reserved(socket),
        })
    }

    pub(crate) fn addr(&self) -> SocketAddr {
        self.addr
    }

    fn listen(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let socket = match std::mem::replace(&mut self.state, TcpState::Nothing) {
            TcpState::Reserved(socket) => socket,
            TcpState::Nothing => bind(self.addr)?,
            listening @ TcpState::Listening(_) => {
                self.state = listening;
                return Ok(());
            }
        };
        socket.listen(TCP_BACKLOG)?;
        socket.set_nonblocking(true)?;
        let mut listener = TcpListener::from_std(socket.into());
        registry.register(&mut listener, token, Interest::READABLE)?;
        self.state = TcpState::Listening(listener);
        Ok(())
    }

    /// Refuses connects from now on. If the port cannot be kept meanwhile, restarting will tell.
    fn shut(&mut self, registry: &Registry) {
        if let TcpState::Listening(mut listener) =
            std::mem::replace(&mut self.state, TcpState::Nothing)
        {
            let _ = registry.deregister(&mut listener);
            drop(listener);
            if let Ok(socket) = bind(self.addr) {
                self.state = TcpState::Reserved(socket);
            }
        }
    }

    fn accept(&self) -> io::Result<(Stream, String)> {
        match &self.state {
            TcpState::Listening(listener) => {
                let (stream, peer) = listener.accept()?;
                Ok((Stream::Tcp(stream), peer.to_string()))
            }
            _ => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

fn bind(addr: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    // On Windows it would let two programs have one port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if addr.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket)
}

/// A unix socket's path. It stays when the daemon dies, as that of a real daemon may, and goes with
/// the network.
#[cfg(unix)]
#[derive(Debug)]
pub(crate) struct UnixPlace {
    path: PathBuf,
    listener: Option<UnixListener>,
    /// Device and inode of what we have bound: somebody else may take the path over.
    bound: Option<(u64, u64)>,
}

#[cfg(unix)]
impl UnixPlace {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self {
            path,
            listener: None,
            bound: None,
        }
    }

    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    fn listen(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.listener.is_some() {
            return Ok(());
        }
        // Whatever is left there, as a real daemon does.
        if let Err(error) = std::fs::remove_file(&self.path)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        let mut listener = UnixListener::bind(&self.path)?;
        std::fs::set_permissions(&self.path, std::fs::Permissions::from_mode(0o666))?;
        self.bound = file_id(&self.path);
        registry.register(&mut listener, token, Interest::READABLE)?;
        self.listener = Some(listener);
        Ok(())
    }

    fn shut(&mut self, registry: &Registry) {
        if let Some(mut listener) = self.listener.take() {
            let _ = registry.deregister(&mut listener);
        }
    }

    fn accept(&self) -> io::Result<(Stream, String)> {
        match &self.listener {
            Some(listener) => {
                let (stream, _) = listener.accept()?;
                Ok((Stream::Unix(stream), "unix".to_owned()))
            }
            None => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

#[cfg(unix)]
impl Drop for UnixPlace {
    fn drop(&mut self) {
        if self.bound.is_some() && file_id(&self.path) == self.bound {
            // Nothing is lost if it stays.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(unix)]
fn file_id(path: &std::path::Path) -> Option<(u64, u64)> {
    let found = std::fs::symlink_metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// All places of one daemon.
#[derive(Debug)]
pub(crate) struct Places {
    pub(crate) tcp: TcpPlace,
    #[cfg(unix)]
    pub(crate) unix: Option<UnixPlace>,
}

/// Which of a daemon's sockets something comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tcp,
    Unix,
}

impl Places {
    pub(super) fn listen(&mut self, registry: &Registry, tokens: [Token; 2]) -> io::Result<()> {
        self.tcp.listen(registry, tokens[0])?;
        #[cfg(unix)]
        if let Some(unix) = &mut self.unix {
            unix.listen(registry, tokens[1])?;
        }
        Ok(())
    }

    pub(super) fn shut(&mut self, registry: &Registry) {
        self.tcp.shut(registry);
        #[cfg(unix)]
        if let Some(unix) = &mut self.unix {
            unix.shut(registry);
        }
    }

    pub(super) fn accept(&self, kind: Kind) -> io::Result<(Stream, String)> {
        match kind {
            Kind::Tcp => self.tcp.accept(),
            #[cfg(unix)]
            Kind::Unix if self.unix.is_some() => match &self.unix {
                Some(unix) => unix.accept(),
                None => Err(io::ErrorKind::WouldBlock.into()),
            },
            Kind::Unix => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}
