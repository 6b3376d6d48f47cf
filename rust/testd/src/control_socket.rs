//! Control from other processes: a socket that takes commands as lines of text.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
#[cfg(unix)]
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::control::Control;

/// Longest line that is read. Nobody has more to say.
const MAX_LINE: u64 = 4096;

/// Takes commands for a network until it is dropped.
///
/// Whoever connects sends lines as described at [`COMMANDS`](crate::COMMANDS) and gets, for each of
/// them, what there is to say and then a line `ok`, or a line that starts with `error: `. Everybody
/// who can connect can do everything: use loopback addresses or a path in a private directory.
#[derive(Debug)]
pub struct ControlSocket {
    place: Place,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Clone)]
enum Place {
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(PathBuf),
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    /// The connections of now, to end them.
    peers: Mutex<Vec<(u64, Peer)>>,
}

#[derive(Debug)]
enum Peer {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
}

impl Peer {
    fn try_clone(&self) -> io::Result<Self> {
        match self {
            Self::Tcp(stream) => stream.try_clone().map(Self::Tcp),
            #[cfg(unix)]
            Self::Unix(stream) => stream.try_clone().map(Self::Unix),
        }
    }

    fn shutdown(&self) {
        // If it is gone already, so much the better.
        let _ = match self {
            Self::Tcp(stream) => stream.shutdown(std::net::Shutdown::Both),
            #[cfg(unix)]
            Self::Unix(stream) => stream.shutdown(std::net::Shutdown::Both),
        };
    }
}

impl Read for Peer {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(to),
            #[cfg(unix)]
            Self::Unix(stream) => stream.read(to),
        }
    }
}

impl Write for Peer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(unix)]
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl ControlSocket {
    /// Listens at a socket address; port 0 is any free one.
    ///
    /// # Errors
    ///
    /// Those of listening, and of starting a thread.
    pub fn tcp(control: Control, addr: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(addr)?;
        let place = Place::Tcp(listener.local_addr()?);
        Self::start(control, place, move || {
            listener.accept().map(|(stream, _)| Peer::Tcp(stream))
        })
    }

    /// Listens at a unix socket, which must not exist yet.
    ///
    /// # Errors
    ///
    /// Those of listening, and of starting a thread.
    #[cfg(unix)]
    pub fn unix(control: Control, path: &Path) -> io::Result<Self> {
        let listener = UnixListener::bind(path)?;
        let place = Place::Unix(path.to_path_buf());
        Self::start(control, place, move || {
            listener.accept().map(|(stream, _)| Peer::Unix(stream))
        })
    }

    fn start(
        control: Control,
        place: Place,
        mut accept: impl FnMut() -> io::Result<Peer> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let for_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("testd-control".to_owned())
            .spawn(move || {
                let mut number = 0;
                while !for_thread.stopping.load(Ordering::SeqCst) {
                    if let Ok(peer) = accept() {
                        number += 1;
                        serve_on_thread(&control, &for_thread, number, peer);
                    }
                }
            })?;
        Ok(Self {
            place,
            shared,
            thread: Some(thread),
        })
    }

    /// The socket address, if it is not a unix socket.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        match &self.place {
            Place::Tcp(addr) => Some(*addr),
            #[cfg(unix)]
            Place::Unix(_) => None,
        }
    }

    /// The path, if it is a unix socket.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.place {
            Place::Tcp(_) => None,
            #[cfg(unix)]
            Place::Unix(path) => Some(path),
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The thread is waiting for a connection: it gets one.
        let woken = match &self.place {
            Place::Tcp(addr) => TcpStream::connect(addr).is_ok(),
            #[cfg(unix)]
            Place::Unix(path) => UnixStream::connect(path).is_ok(),
        };
        if woken && let Some(thread) = self.thread.take() {
            // A panic there has been reported.
            let _ = thread.join();
        }
        for (_, peer) in self.shared.peers().iter() {
            peer.shutdown();
        }
        #[cfg(unix)]
        if let Place::Unix(path) = &self.place {
            // Nothing is lost if it stays.
            let _ = std::fs::remove_file(path);
        }
    }
}

impl Shared {
    fn peers(&self) -> std::sync::MutexGuard<'_, Vec<(u64, Peer)>> {
        // A list of connections is sound whatever has panicked.
        self.peers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn serve_on_thread(control: &Control, shared: &Arc<Shared>, number: u64, peer: Peer) {
    let Ok(for_shutdown) = peer.try_clone() else {
        return;
    };
    shared.peers().push((number, for_shutdown));
    let control = control.clone();
    let for_thread = Arc::clone(shared);
    let spawned = std::thread::Builder::new()
        .name("testd-control".to_owned())
        .spawn(move || {
            // The peer's connection ends with an error, and with its interest.
            let _ = serve(&control, peer);
            for_thread.peers().retain(|(other, _)| *other != number);
        });
    if spawned.is_err() {
        shared.peers().retain(|(other, _)| *other != number);
    }
}

fn serve(control: &Control, peer: Peer) -> io::Result<()> {
    let mut out = peer.try_clone()?;
    let mut lines = BufReader::new(peer);
    loop {
        let mut line = Vec::new();
        if lines.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
            return out.write_all(b"error: line too long\n");
        }
        let answer = match control.run_line(&String::from_utf8_lossy(&line)) {
            Ok(text) if text.is_empty() => "ok\n".to_owned(),
            Ok(text) => format!("{}\nok\n", text.trim_end()),
            Err(error) => format!("error: {error}\n"),
        };
        out.write_all(answer.as_bytes())?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Network;

    fn talk(peer: impl Read + Write, lines: &[(&str, &str)]) {
        let mut peer = BufReader::new(peer);
        for (line, expected) in lines {
            peer.get_mut().write_all(line.as_bytes()).unwrap();
            let mut answer = String::new();
            for _ in 0..expected.matches('\n').count() {
                peer.read_line(&mut answer).unwrap();
            }
            assert_eq!(answer, *expected, "{line}");
        }
    }

    const LINES: &[(&str, &str)] = &[
        ("hold d1 alice\n", "ok\n"),
        ("sessions\n", "#alice#d1 0 ghost\nok\n"),
        ("release #alice#d1\r\n", "ok\n"),
        ("kill d7\n", "error: no daemon \"d7\"\n"),
        ("kill d1\nrestart d1\n", "ok\nok\n"),
    ];

    #[test]
    fn lines_get_answers_over_tcp() {
        let network = Network::builder().start().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let socket = ControlSocket::tcp(network.control(), any).unwrap();
        let connect = || TcpStream::connect(socket.addr().unwrap()).unwrap();
        talk(connect(), LINES);
        let mut endless = connect();
        endless.write_all(&[b'x'; 5000]).unwrap();
        let mut answer = [0; 7];
        endless.read_exact(&mut answer).unwrap();
        assert_eq!(&answer, b"error: ");
    }

    #[cfg(unix)]
    #[test]
    fn dropping_it_ends_connections_and_removes_the_path() {
        let network = Network::builder().start().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control");
        let socket = ControlSocket::unix(network.control(), &path).unwrap();
        let mut peer = UnixStream::connect(&path).unwrap();
        talk(&peer, LINES);
        assert!(ControlSocket::unix(network.control(), &path).is_err());
        drop(socket);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0);
        assert!(!path.exists());
    }
}
