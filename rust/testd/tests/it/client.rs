//! A plain blocking client, made for tests: it hides nothing.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use spread_proto::{
    ByteOrder, ClientHandshake, ConnectRequest, Decoder, Direction, Frame, HandshakeFailure,
    HandshakeStep, Hint, Limits, MembershipBody, Name, service,
};
use spread_testd::Daemon;

/// Nothing takes longer, however busy the machine is.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Socket {
    pub(crate) fn tcp(addr: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(addr)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        stream.set_nodelay(true)?;
        Ok(Self::Tcp(stream))
    }

    pub(crate) fn unix(path: &Path) -> io::Result<Self> {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(DEADLINE))?;
        stream.set_write_timeout(Some(DEADLINE))?;
        Ok(Self::Unix(stream))
    }

    pub(crate) fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(to),
            Self::Unix(stream) => stream.read(to),
        }
    }

    pub(crate) fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes),
            Self::Unix(stream) => stream.write_all(bytes),
        }
    }

    /// Reads to the end of the stream; a reset counts as the end.
    pub(crate) fn read_to_end(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            match self.read(&mut buffer) {
                Ok(0) => return all,
                Ok(count) => all.extend_from_slice(&buffer[..count]),
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return all,
                Err(e) => panic!("no end of stream after {all:?}: {e}"),
            }
        }
    }
}

/// What a client was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Data {
        kind: u32,
        sender: String,
        groups: Vec<String>,
        mess_type: i16,
        body: Vec<u8>,
    },
    View {
        cause: u32,
        group: String,
        members: Vec<String>,
        /// Index of the third word of the id.
        index: i32,
        sets: Vec<Vec<String>>,
        mine: usize,
    },
    Transition {
        group: String,
        index: i32,
    },
    SelfLeave(String),
    End,
}

pub(crate) struct Client {
    pub(crate) socket: Socket,
    pub(crate) group: Name,
    decoder: Decoder,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.group)
    }
}

impl Client {
    pub(crate) fn connect(daemon: &Daemon, name: &str) -> Self {
        Self::try_connect(Socket::tcp(daemon.addr()).unwrap(), name, true).unwrap()
    }

    pub(crate) fn connect_unix(daemon: &Daemon, name: &str) -> Self {
        let path = daemon.unix_path().expect("a unix socket");
        Self::try_connect(Socket::unix(path).unwrap(), name, true).unwrap()
    }

    pub(crate) fn connect_without_membership(daemon: &Daemon, name: &str) -> Self {
        Self::try_connect(Socket::tcp(daemon.addr()).unwrap(), name, false).unwrap()
    }

    pub(crate) fn try_connect(
        mut socket: Socket,
        name: &str,
        membership: bool,
    ) -> Result<Self, HandshakeFailure> {
        let request = ConnectRequest {
            version: [5, 0, 1],
            membership,
            priority: false,
            private_name: name.as_bytes().to_vec(),
        };
        let mut handshake = ClientHandshake::new(request, &[b"NULL".to_vec()]);
        loop {
            match handshake.step() {
                HandshakeStep::Write(bytes) => match socket.write_all(&bytes) {
                    Ok(()) => handshake.wrote(),
                    Err(_) => handshake.eof(),
                },
                HandshakeStep::Read(count) => {
                    let mut buffer = vec![0; count];
                    match socket.read(&mut buffer) {
                        Ok(0) | Err(_) => handshake.eof(),
                        Ok(count) => handshake.input(&buffer[..count]),
                    }
                }
                HandshakeStep::RunMethods => handshake.methods_done(true),
                HandshakeStep::Done(accepted) => {
                    return Ok(Self {
                        socket,
                        group: accepted.private_group,
                        decoder: Decoder::new(Direction::ToClient, Limits::CLIENT),
                    });
                }
                HandshakeStep::Failed(failure) => return Err(failure),
            }
        }
    }

    pub(crate) fn name(&self) -> String {
        self.group.to_string()
    }

    pub(crate) fn send(&mut self, frame: &Frame) {
        self.socket.write_all(&frame.encode()).unwrap();
    }

    pub(crate) fn join(&mut self, group: &str) {
        self.send(&Frame::join(self.group, Name::new(group.as_bytes())));
    }

    pub(crate) fn leave(&mut self, group: &str) {
        self.send(&Frame::leave(self.group, Name::new(group.as_bytes())));
    }

    pub(crate) fn kill(&mut self) {
        self.send(&Frame::kill(self.group));
    }

    pub(crate) fn message(&self, kind: u32, groups: &[&str], mess_type: i16, body: &[u8]) -> Frame {
        let groups = groups.iter().map(|g| Name::new(g.as_bytes())).collect();
        let order = ByteOrder::NATIVE;
        let hint = Hint::new(mess_type, order);
        Frame::new(kind, self.group, hint, order, groups, body.to_vec())
    }

    pub(crate) fn multicast(&mut self, groups: &[&str], body: &str) {
        let frame = self.message(service::AGREED_MESS, groups, 0, body.as_bytes());
        self.send(&frame);
    }

    /// The next frame, `None` at the end of the stream.
    pub(crate) fn frame(&mut self) -> Option<Frame> {
        let start = Instant::now();
        let mut buffer = [0; 65536];
        loop {
            if let Some(frame) = self.decoder.next_frame().unwrap() {
                return Some(frame);
            }
            assert!(start.elapsed() < DEADLINE, "{self:?}: no whole frame came");
            match self.socket.read(&mut buffer) {
                Ok(0) => return None,
                Ok(count) => self.decoder.feed(&buffer[..count]),
                Err(e) if e.kind() == io::ErrorKind::ConnectionReset => return None,
                Err(e) => panic!("{self:?}: nothing came: {e}"),
            }
        }
    }

    /// Bytes of an unfinished frame.
    pub(crate) fn partial(&self) -> usize {
        self.decoder.buffered()
    }

    pub(crate) fn next(&mut self) -> Event {
        let Some(frame) = self.frame() else {
            return Event::End;
        };
        decode(&frame)
    }

    /// The text of the next event, which has to be a message.
    pub(crate) fn text(&mut self) -> String {
        match self.next() {
            Event::Data { body, .. } => String::from_utf8(body).unwrap(),
            other => panic!("{self:?} got {other:?} for a message"),
        }
    }

    /// Members of the next view, which has to come next and have this cause.
    pub(crate) fn view(&mut self, cause: u32) -> Vec<String> {
        match self.next() {
            Event::View {
                cause: actual,
                members,
                ..
            } if cause == actual => members,
            other => panic!("{self:?} got {other:?} for a view of cause {cause:#x}"),
        }
    }

    /// Passes a message through the order and back: whatever comes first was sent before.
    pub(crate) fn expect_nothing(&mut self) {
        let own = self.name();
        self.multicast(&[&own], "echo");
        assert_eq!(self.text(), "echo");
    }
}

pub(crate) fn decode(frame: &Frame) -> Event {
    let header = &frame.header;
    let groups: Vec<String> = frame.groups.iter().map(Name::to_string).collect();
    let name = header.name.to_string();
    let kind = header.kind;
    let id = |body: &[u8]| header.order.get_i32(body[8..12].try_into().unwrap());
    if service::is_regular(kind) {
        Event::Data {
            kind,
            sender: name,
            groups,
            mess_type: header.hint.mess_type(),
            body: frame.body.clone(),
        }
    } else if service::is_self_leave(kind) {
        assert!(groups.is_empty() && frame.body.is_empty());
        Event::SelfLeave(name)
    } else if service::is_transition(kind) {
        assert_eq!((kind, frame.body.len()), (service::TRANSITION_MESS, 12));
        Event::Transition {
            group: name,
            index: id(&frame.body),
        }
    } else {
        let body = MembershipBody::parse(&frame.body, header.order).unwrap();
        let names = |set: &Vec<Name>| set.iter().map(Name::to_string).collect();
        Event::View {
            cause: kind & service::CAUSED_BY_MASK,
            group: name,
            members: groups,
            index: body.gid.0[2],
            sets: body.vs_sets.iter().map(names).collect(),
            mine: body.my_set,
        }
    }
}
