//! The daemon's side of one recorded connection.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::scaled;

/// How the library reaches it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Unix,
    Tcp,
}

/// Waits end here, and the test fails.
fn limit() -> Duration {
    scaled(Duration::from_secs(5))
}

#[derive(Debug)]
enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn copy(&self) -> Self {
        match self {
            Self::Unix(stream) => Self::Unix(stream.try_clone().expect("a socket can be cloned")),
            Self::Tcp(stream) => Self::Tcp(stream.try_clone().expect("a socket can be cloned")),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        let done = match self {
            Self::Unix(stream) => stream.write_all(bytes),
            Self::Tcp(stream) => stream.write_all(bytes),
        };
        // The client may have gone; what it has missed then is seen elsewhere.
        let _ = done;
    }

    fn close(&self) {
        let _ = match self {
            Self::Unix(stream) => stream.shutdown(Shutdown::Both),
            Self::Tcp(stream) => stream.shutdown(Shutdown::Both),
        };
    }

    fn raw(&self) -> i32 {
        match self {
            Self::Unix(stream) => stream.as_raw_fd(),
            Self::Tcp(stream) => stream.as_raw_fd(),
        }
    }
}

/// Where one client can connect to.
#[derive(Debug)]
pub(crate) struct Listener {
    kind: Kind,
    tcp: TcpListener,
    unix: Option<(UnixListener, PathBuf)>,
}

impl Listener {
    pub(crate) fn open(kind: Kind) -> Self {
        for _ in 0..100 {
            let tcp = TcpListener::bind(("127.0.0.1", 0)).expect("a port can be had");
            tcp.set_nonblocking(true).expect("it can be non-blocking");
            let port = tcp.local_addr().expect("it has an address").port();
            if kind == Kind::Tcp {
                return Self {
                    kind,
                    tcp,
                    unix: None,
                };
            }
            let path = PathBuf::from(format!("/tmp/{port}"));
            if let Ok(unix) = UnixListener::bind(&path) {
                unix.set_nonblocking(true).expect("it can be non-blocking");
                return Self {
                    kind,
                    tcp,
                    unix: Some((unix, path)),
                };
            }
        }
        panic!("no name for a unix socket is free");
    }

    /// For `FL_connect`.
    pub(crate) fn spread_name(&self) -> String {
        let port = self.tcp.local_addr().expect("it has an address").port();
        match self.kind {
            Kind::Unix => port.to_string(),
            Kind::Tcp => format!("{port}@127.0.0.1"),
        }
    }

    /// The client that is coming.
    pub(crate) fn accept(&self) -> Connection {
        let end = Instant::now() + limit();
        loop {
            let accepted = match &self.unix {
                Some((unix, _)) => unix.accept().map(|(stream, _)| Stream::Unix(stream)),
                None => self.tcp.accept().map(|(stream, _)| Stream::Tcp(stream)),
            };
            match accepted {
                Ok(stream) => return Connection::start(stream),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    assert!(Instant::now() < end, "nobody connects");
                    thread::yield_now();
                }
                Err(error) => panic!("cannot accept: {error}"),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some((_, path)) = &self.unix {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[derive(Debug, Default)]
struct Sent {
    bytes: Vec<u8>,
    ended: bool,
}

/// One accepted client.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    sent: Arc<(Mutex<Sent>, Condvar)>,
    /// Bytes that have been compared.
    seen: usize,
}

impl Connection {
    fn start(stream: Stream) -> Self {
        let blocking = match &stream {
            Stream::Unix(stream) => stream.set_nonblocking(false),
            Stream::Tcp(stream) => stream
                .set_nonblocking(false)
                .and_then(|()| stream.set_nodelay(true)),
        };
        blocking.expect("a socket can be set up");
        let sent = Arc::new((Mutex::new(Sent::default()), Condvar::new()));
        let (mut from, to) = (stream.copy(), Arc::clone(&sent));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = from.read(&mut buffer).unwrap_or(0);
                let mut sent = to.0.lock().expect("no panic in here");
                sent.bytes.extend_from_slice(&buffer[..count]);
                sent.ended |= count == 0;
                // As a daemon does: it closes when it is told good-bye.
                if says_goodbye(&sent.bytes) {
                    from.close();
                }
                to.1.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self {
            stream,
            sent,
            seen: 0,
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.stream.write(bytes);
        // So that a receive that does not wait finds them.
        let end = Instant::now() + limit();
        while self.unsent() > 0 {
            assert!(
                Instant::now() < end,
                "the client's system does not take bytes"
            );
            thread::yield_now();
        }
    }

    /// On TCP: bytes that have not arrived at the other end.
    fn unsent(&self) -> i32 {
        let mut count = 0;
        if matches!(self.stream, Stream::Tcp(_)) {
            // SAFETY: a live descriptor and room for a number.
            unsafe { libc::ioctl(self.stream.raw(), libc::TIOCOUTQ, &raw mut count) };
        }
        count
    }

    pub(crate) fn close(&self) {
        self.stream.close();
    }

    /// Waits for the next so many bytes of the client. Fewer, if it has ended or time is over.
    pub(crate) fn take(&mut self, len: usize) -> Vec<u8> {
        let end = Instant::now() + limit();
        let mut sent = self.sent.0.lock().expect("no panic in the reader");
        while sent.bytes.len() < self.seen + len && !sent.ended {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (sent, _) = self
                .sent
                .1
                .wait_timeout(sent, left)
                .expect("no panic in the reader");
        }
        let until = sent.bytes.len().min(self.seen + len);
        let bytes = sent.bytes[self.seen..until].to_vec();
        drop(sent);
        self.seen += bytes.len();
        bytes
    }

    /// What the client has sent beyond what was compared.
    pub(crate) fn surplus(&self) -> Vec<u8> {
        self.sent.0.lock().expect("no panic in the reader").bytes[self.seen..].to_vec()
    }
}

/// Whether the last frame is a KILL (little-endian, as the recorded clients are).
fn says_goodbye(bytes: &[u8]) -> bool {
    bytes
        .last_chunk::<80>()
        .is_some_and(|frame| frame[..4] == [0x80, 0, 4, 0x80] && frame[36] == 1)
}
