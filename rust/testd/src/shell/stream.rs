//! One connection's socket, of whatever kind.

use std::io::{self, IoSlice, Read};
use std::net::IpAddr;

use mio::event::Source;
use mio::net::TcpStream;
#[cfg(unix)]
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use socket2::SockRef;

/// What real daemons ask for, in bytes; the kernel doubles it. Clients that leave a byte unread rely
/// on a send buffer of at least this size.
const SOCKET_BUFFER: usize = 200 * 1024;

/// No signal when the client is gone.
#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const SEND_FLAGS: libc::c_int = libc::MSG_NOSIGNAL;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const SEND_FLAGS: libc::c_int = 0;

#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Stream {
    /// Sets the options that a real daemon sets. What the system refuses stays as it is.
    pub(super) fn prepare(&self) {
        let socket = self.socket();
        let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
        let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
        if matches!(self, Self::Tcp(_)) {
            let _ = socket.set_tcp_nodelay(true);
            let _ = socket.set_keepalive(true);
        }
        #[cfg(target_vendor = "apple")]
        let _ = socket.set_nosigpipe(true);
    }

    /// The client's address; `None` at a unix socket.
    pub(super) fn peer_ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp(stream) => stream.peer_addr().ok().map(|addr| addr.ip()),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// Makes the coming close a reset.
    pub(super) fn reset_on_close(&self) {
        // If it cannot be, it is a close like any other.
        let _ = self.socket().set_linger(Some(std::time::Duration::ZERO));
    }

    fn socket(&self) -> SockRef<'_> {
        match self {
            Self::Tcp(stream) => SockRef::from(stream),
            #[cfg(unix)]
            Self::Unix(stream) => SockRef::from(stream),
        }
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(buffer),
        }
    }

    pub(super) fn write(&self, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let send = || self.socket().send_vectored_with_flags(slices, SEND_FLAGS);
        match self {
            Self::Tcp(stream) => stream.try_io(send),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_io(send),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            #[cfg(unix)]
            Self::Unix(stream) => stream,
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(self.source(), token, interest)
    }

    pub(super) fn deregister(&mut self, registry: &Registry) {
        // It is about to be closed, which does the same.
        let _ = registry.deregister(self.source());
    }
}
