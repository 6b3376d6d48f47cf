//! The client's side of the handshake.

use crate::handshake::{ACCEPT_SESSION, reject};
use crate::limits::{
    ANSWER_LEN, AUTH_CHOICE_LEN, AUTH_SLOT_LEN, MAX_AUTH_LIST, MAX_AUTH_METHODS, MAX_PRIVATE_NAME,
    NAME_FIELD,
};
use crate::name::Name;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectRequest {
    /// Version of the client library, normally [`VERSION`](Self::VERSION). Daemons speak the same
    /// to all from 3.16 on; this machine does not know the older forms.
    pub version: [u8; 3],
    /// Send membership messages to this session.
    pub membership: bool,
    /// Asked for, but without any effect at a daemon.
    pub priority: bool,
    /// Cut to 10 bytes and at a NUL, not checked otherwise. Empty: the daemon makes one up.
    pub private_name: Vec<u8>,
}

/// The oldest daemons that are accepted, as by the classic C library: major and minor version.
pub const OLDEST_DAEMON: [u8; 2] = [3, 0];

/// The oldest daemons that know what a priority is.
const WITH_PRIORITY: [u8; 2] = [3, 8];

impl ConnectRequest {
    /// The version that stands for this library.
    pub const VERSION: [u8; 3] = [5, 0, 1];

    /// The connect message. It must go out in exactly one write: daemons do not wait for the rest
    /// of it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let name = self
            .private_name
            .split(|&b| b == 0)
            .next()
            .unwrap_or_default();
        let name = &name[..name.len().min(MAX_PRIVATE_NAME)];
        let flags = u8::from(self.membership) | u8::from(self.priority) << 4;
        let mut out = Vec::with_capacity(5 + name.len());
        out.extend_from_slice(&self.version);
        out.push(flags);
        // At most 10.
        out.extend(u8::try_from(name.len()));
        out.extend_from_slice(name);
        out
    }
}

/// What the caller has to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HandshakeStep {
    /// Write these bytes with exactly one write, then call [`wrote`](ClientHandshake::wrote).
    Write(Vec<u8>),
    /// Read at least one and at most so many bytes and give them to
    /// [`input`](ClientHandshake::input). More might belong to message frames.
    Read(usize),
    /// Run the client's side of the chosen methods, all of them, then call
    /// [`methods_done`](ClientHandshake::methods_done).
    RunMethods,
    /// The session is open; message frames follow.
    Done(Accepted),
    /// There is no session; close the connection.
    Failed(HandshakeFailure),
}

/// The daemon's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// The daemon's version.
    pub daemon_version: [u8; 3],
    /// The session's private group, as it came. Must stand in the header of every frame.
    pub private_group: Name,
}

/// Why there is no session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum HandshakeFailure {
    /// The connection ended, or what came makes no sense.
    #[error("the daemon closed the connection during the handshake")]
    Closed,
    /// The daemon's own code, as it came: one of [`reject`], or anything else but 1.
    #[error("the daemon refused the session with code {0}")]
    Code(i8),
    /// The daemon does not offer the client's methods, or a method failed.
    #[error("no authentication method succeeded")]
    Auth,
    /// The daemon has this version: older than 3 (or what [`ClientHandshake::oldest`] says), or older
    /// than 3.8 and a priority was asked for.
    #[error("the daemon's version {}.{}.{} is too old", .0[0], .0[1], .0[2])]
    Version([u8; 3]),
}

impl HandshakeFailure {
    /// The return value of the classic connect call for this failure.
    #[must_use]
    pub const fn code(&self) -> i32 {
        match self {
            Self::Closed => -8,
            Self::Code(code) => *code as i32,
            Self::Auth => reject::AUTH as i32,
            Self::Version(_) => reject::VERSION as i32,
        }
    }
}

#[derive(Debug, Clone)]
enum State {
    WriteRequest,
    ReadListLength,
    ReadList(usize),
    WriteChoice,
    RunMethods,
    ReadAnswer,
    ReadName { daemon_version: [u8; 3], len: usize },
    Done(Accepted),
    Failed(HandshakeFailure),
}

/// The client's side of the handshake as a state machine.
///
/// Ask [`step`](Self::step) what to do, do it, report it, ask again, until it says `Done` or
/// `Failed`; both are final. Reports that do not belong to the current step are harmless.
///
/// ```
/// # use spread_proto::{ClientHandshake, ConnectRequest, HandshakeStep};
/// # use std::io::{Read, Write};
/// fn shake(stream: &mut (impl Read + Write), request: ConnectRequest) -> HandshakeStep {
///     let mut handshake = ClientHandshake::new(request, &[b"NULL".to_vec()]);
///     loop {
///         match handshake.step() {
///             HandshakeStep::Write(bytes) => match stream.write(&bytes) {
///                 Ok(n) if n == bytes.len() => handshake.wrote(),
///                 _ => handshake.eof(),
///             },
///             HandshakeStep::Read(most) => {
///                 let mut buffer = vec![0; most];
///                 match stream.read(&mut buffer) {
///                     Ok(n) if n > 0 => handshake.input(&buffer[..n]),
///                     _ => handshake.eof(),
///                 }
///             }
///             HandshakeStep::RunMethods => handshake.methods_done(true),
///             end => return end,
///         }
///     }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct ClientHandshake {
    request: ConnectRequest,
    methods: Vec<Vec<u8>>,
    oldest: [u8; 2],
    state: State,
    /// Bytes that came and are not used up.
    pending: Vec<u8>,
}

impl ClientHandshake {
    /// A handshake before its first byte. `methods`: the names of the client's authentication
    /// methods, all of which the daemon must offer; usually `NULL` alone.
    ///
    /// More than three, or a name that is empty or longer than 29 bytes: the handshake will fail
    /// with [`Auth`](HandshakeFailure::Auth), as no daemon can offer that. No method at all makes an
    /// empty choice, which real daemons refuse.
    #[must_use]
    pub fn new(request: ConnectRequest, methods: &[Vec<u8>]) -> Self {
        Self {
            request,
            methods: methods.to_vec(),
            oldest: OLDEST_DAEMON,
            state: State::WriteRequest,
            pending: Vec::new(),
        }
    }

    /// Refuses daemons below this version, major and minor, as well as those that are always refused.
    #[must_use]
    pub fn oldest(mut self, version: [u8; 2]) -> Self {
        self.oldest = version.max(OLDEST_DAEMON);
        self
    }

    /// What to do now. Changes nothing: the same answer comes until the caller has reported.
    #[must_use]
    pub fn step(&self) -> HandshakeStep {
        match &self.state {
            State::WriteRequest => HandshakeStep::Write(self.request.encode()),
            State::WriteChoice => HandshakeStep::Write(self.auth_choice()),
            State::RunMethods => HandshakeStep::RunMethods,
            State::Done(accepted) => HandshakeStep::Done(accepted.clone()),
            State::Failed(failure) => HandshakeStep::Failed(*failure),
            State::ReadListLength
            | State::ReadList(_)
            | State::ReadAnswer
            | State::ReadName { .. } => {
                HandshakeStep::Read(self.wanted().saturating_sub(self.pending.len()))
            }
        }
    }

    /// The bytes of the last `Write` are out, all of them.
    pub fn wrote(&mut self) {
        match self.state {
            State::WriteRequest => self.enter(State::ReadListLength),
            State::WriteChoice => self.enter(State::RunMethods),
            _ => {}
        }
    }

    /// Bytes from the daemon.
    ///
    /// More than the last `Read` asked for is kept for the steps to come; what is left at the end
    /// is in [`surplus`](Self::surplus).
    pub fn input(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        self.advance();
    }

    /// The connection has ended, an operation on it has failed, or time is up.
    pub fn eof(&mut self) {
        if !matches!(self.state, State::Done(_) | State::Failed(_)) {
            self.fail(HandshakeFailure::Closed);
        }
    }

    /// All methods have run; `ok`: each of them succeeded.
    pub fn methods_done(&mut self, ok: bool) {
        if matches!(self.state, State::RunMethods) {
            if ok {
                self.enter(State::ReadAnswer);
            } else {
                self.fail(HandshakeFailure::Auth);
            }
        }
    }

    /// Bytes given to [`input`](Self::input) beyond the handshake: the start of the frames. Empty
    /// for a caller that never reads more than it is asked to.
    #[must_use]
    pub fn surplus(&self) -> &[u8] {
        &self.pending
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.advance();
    }

    fn fail(&mut self, failure: HandshakeFailure) {
        self.state = State::Failed(failure);
    }

    /// Bytes that must be pending before the current state is through; 0 where it does not read.
    fn wanted(&self) -> usize {
        match self.state {
            State::ReadListLength => 1,
            State::ReadList(len) | State::ReadName { len, .. } => len,
            State::ReadAnswer => ANSWER_LEN,
            _ => 0,
        }
    }

    /// Goes through as many reading states as the pending bytes allow.
    fn advance(&mut self) {
        loop {
            // A code other than 1 decides alone: a daemon sends nothing behind it.
            if let (State::ReadAnswer, Some(&code)) = (&self.state, self.pending.first())
                && code.cast_signed() != ACCEPT_SESSION
            {
                return self.fail(HandshakeFailure::Code(code.cast_signed()));
            }
            let reading = matches!(
                self.state,
                State::ReadListLength
                    | State::ReadList(_)
                    | State::ReadAnswer
                    | State::ReadName { .. }
            );
            let wanted = self.wanted();
            if !reading || self.pending.len() < wanted {
                return;
            }
            let bytes: Vec<u8> = self.pending.drain(..wanted).collect();
            self.state = match self.take(&bytes) {
                Ok(next) => next,
                Err(failure) => State::Failed(failure),
            };
        }
    }

    /// Uses up the `wanted` bytes of the current, reading state.
    fn take(&self, bytes: &[u8]) -> Result<State, HandshakeFailure> {
        match (&self.state, bytes) {
            (State::ReadListLength, &[len]) => match usize::try_from(len.cast_signed()) {
                Err(_) => Err(HandshakeFailure::Code(len.cast_signed())),
                Ok(len) if len > MAX_AUTH_LIST => Err(HandshakeFailure::Closed),
                Ok(len) => Ok(State::ReadList(len)),
            },
            (State::ReadList(_), list) if self.daemon_offers_all(list) => Ok(State::WriteChoice),
            (State::ReadList(_), _) => Err(HandshakeFailure::Auth),
            (State::ReadAnswer, &[_, major, minor, patch, len]) => {
                let numbers = [major, minor, patch, len];
                if numbers.iter().any(|n| n.cast_signed() < 0) || usize::from(len) >= NAME_FIELD {
                    return Err(HandshakeFailure::Closed);
                }
                let version = [major, minor];
                if version < self.oldest || version < WITH_PRIORITY && self.request.priority {
                    return Err(HandshakeFailure::Version([major, minor, patch]));
                }
                Ok(State::ReadName {
                    daemon_version: [major, minor, patch],
                    len: usize::from(len),
                })
            }
            (State::ReadName { daemon_version, .. }, name) => {
                let mut raw = [0; NAME_FIELD];
                for (to, &from) in raw.iter_mut().zip(name) {
                    *to = from;
                }
                Ok(State::Done(Accepted {
                    daemon_version: *daemon_version,
                    private_group: Name::from_raw(raw),
                }))
            }
            // Not reached: the slice patterns have the lengths that `wanted` says.
            _ => Err(HandshakeFailure::Closed),
        }
    }

    /// True if every method of the client is a whole word of the daemon's list, which a NUL ends
    /// early.
    fn daemon_offers_all(&self, list: &[u8]) -> bool {
        let list = list.split(|&b| b == 0).next().unwrap_or_default();
        self.methods.len() <= MAX_AUTH_METHODS
            && self.methods.iter().all(|method| {
                (1..AUTH_SLOT_LEN).contains(&method.len())
                    && list.split(|&b| b == b' ').any(|word| word == method)
            })
    }

    /// The 90 bytes that name the client's methods.
    fn auth_choice(&self) -> Vec<u8> {
        let mut choice = vec![0; AUTH_CHOICE_LEN];
        for (slot, method) in choice.chunks_exact_mut(AUTH_SLOT_LEN).zip(&self.methods) {
            for (to, &from) in slot.iter_mut().zip(method) {
                *to = from;
            }
        }
        choice
    }
}
