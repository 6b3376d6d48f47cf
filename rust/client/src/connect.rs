//! Connecting, as a machine of prompt steps, blocking calls and the program's own methods.
//!
//! The state of a connect lives in the thread's registry ([`crate::held`]), not on its stack: the
//! authentication callbacks are the program's code, which may leave with `longjmp` or
//! `pthread_exit`, and a thread may be cancelled while it waits for a daemon.

use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Socket;
use spread_proto::{
    Accepted, ClientHandshake, ConnectRequest, HandshakeFailure, HandshakeStep, Name, reject,
};

use crate::claim::Claim;
use crate::daemon_name::DaemonName;
use crate::endpoint::{Endpoint, Lookup, address_of, open, start_lookup};
use crate::error::Error;
use crate::options::{MailboxKind, Options};
use crate::session::{Kind, Link, Session, Transport};
use crate::sys::blocking::BlockingCall;
use crate::sys::fd::{self, SharedFd};
use crate::sys::resolve::{self, ResolveError};
use crate::sys::signals;
use crate::{close, fork, held, reader, table};

/// Private descriptors go to numbers from here on: small ones are for mailboxes, which programs put
/// into an `fd_set`.
pub(crate) const PRIVATE_FLOOR: RawFd = 1024;

/// Pause before a unix socket with a full backlog is tried again.
const BACKLOG_PAUSE_MS: i32 = 10;

/// How long a connect may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeLimit {
    /// As long as it takes.
    None,
    /// So long, counted from the call; zero has expired at once.
    After(Duration),
}

impl TimeLimit {
    /// As `SP_connect_timeout` takes it: both zero is no limit, negative has expired.
    ///
    /// # Errors
    /// [`Error::IllegalTime`] for opposite signs, or a second or more of microseconds.
    pub fn from_parts(sec: i64, usec: i64) -> Result<Self, Error> {
        if (sec < 0 && usec > 0) || (sec > 0 && usec < 0) || usec.unsigned_abs() >= 1_000_000 {
            return Err(Error::IllegalTime);
        }
        if sec == 0 && usec == 0 {
            return Ok(Self::None);
        }
        let (Ok(sec), Ok(usec)) = (u64::try_from(sec), u64::try_from(usec)) else {
            return Ok(Self::After(Duration::ZERO));
        };
        Ok(Self::After(
            Duration::from_secs(sec).saturating_add(Duration::from_micros(usec)),
        ))
    }
}

/// What a program asks for when it connects.
#[derive(Clone, Debug)]
pub struct ConnectArguments<'a> {
    /// The daemon, see [`DaemonName`].
    pub spread_name: &'a [u8],
    /// At most 10 bytes count. Empty: the daemon makes one up.
    pub private_name: &'a [u8],
    /// Sent to the daemon, where it has no effect.
    pub priority: bool,
    /// Whether membership messages are wanted.
    pub membership: bool,
    /// Names of the program's authentication methods.
    pub methods: &'a [Vec<u8>],
    /// For the whole of it.
    pub limit: TimeLimit,
}

/// A session that has been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connected {
    /// The mailbox number.
    pub mailbox: i32,
    /// The session's name at its daemon.
    pub private_group: Name,
}

/// Where a connect stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectProgress {
    /// Finished.
    Done(Result<Connected, Error>),
    /// Make the blocking call, then step again.
    Blocked,
    /// Run all authentication methods on this descriptor, then [`Connect::methods_done`].
    RunMethods(RawFd),
}

/// A connect in progress; owns nothing itself.
#[derive(Clone, Copy, Debug)]
pub struct Connect {
    at: usize,
    /// The blocking call to make after a step said [`ConnectProgress::Blocked`].
    pub call: BlockingCall,
}

#[derive(Debug)]
enum Stage {
    Resolving(Lookup),
    /// The resolver could not be asked.
    Unresolved,
    Next,
    Opening(Socket),
    Shaking(Socket, Box<ClientHandshake>),
    Finished(Result<Connected, Error>),
}

/// The state of a connect.
#[derive(Debug)]
pub(crate) struct Connecting {
    request: ConnectRequest,
    methods: Vec<Vec<u8>>,
    options: Options,
    deadline: Option<Instant>,
    attempt_deadline: Option<Instant>,
    /// Names not looked at yet, in order of priority.
    names: std::vec::IntoIter<DaemonName>,
    /// Addresses of the present name that are still to be tried.
    endpoints: std::vec::IntoIter<Endpoint>,
    current: Option<Endpoint>,
    stage: Stage,
    /// The most telling failure so far.
    failure: Option<Error>,
}

/// What the first call that has to do with connecting does to the process: SIGPIPE is ignored,
/// unless the options leave it.
pub fn first_use() {
    if !Options::from_environment().leave_sigpipe {
        signals::ignore_sigpipe_once();
    }
}

impl Connect {
    /// Begins to connect.
    ///
    /// # Errors
    /// [`Error::IllegalSpread`] for a name that cannot be parsed.
    pub fn begin(arguments: &ConnectArguments<'_>) -> Result<Self, Error> {
        Self::begin_with(arguments, Options::from_environment())
    }

    /// Begins to connect with options of the caller's own.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_with(arguments: &ConnectArguments<'_>, options: Options) -> Result<Self, Error> {
        let deadline = match arguments.limit {
            TimeLimit::None => None,
            TimeLimit::After(limit) => Some(
                // Beyond what the clock can tell there is no limit.
                Instant::now().checked_add(limit),
            )
            .flatten(),
        };
        let names = DaemonName::parse_list(arguments.spread_name)?;
        fork::register();
        let state = Connecting {
            request: ConnectRequest {
                version: ConnectRequest::VERSION,
                membership: arguments.membership,
                priority: arguments.priority,
                private_name: arguments.private_name.to_vec(),
            },
            methods: arguments.methods.to_vec(),
            options,
            deadline,
            attempt_deadline: None,
            names: names.into_iter(),
            endpoints: Vec::new().into_iter(),
            current: None,
            stage: Stage::Next,
            failure: None,
        };
        Ok(Self {
            at: held::put_connecting(Box::new(state)),
            call: BlockingCall::NONE,
        })
    }

    /// Goes on as far as it can without waiting.
    #[must_use]
    pub fn step(&mut self) -> ConnectProgress {
        let Some(mut state) = held::take_connecting(self.at) else {
            return ConnectProgress::Done(Err(Error::Bug));
        };
        let progress = state.advance(&mut self.call);
        if matches!(progress, ConnectProgress::Done(_)) {
            held::end_connecting(self.at);
        } else {
            held::return_connecting(self.at, state);
        }
        progress
    }

    /// All methods have run; `ok`: each of them succeeded.
    pub fn methods_done(&mut self, ok: bool) {
        if let Some(mut state) = held::take_connecting(self.at) {
            if let Stage::Shaking(socket, handshake) = &mut state.stage {
                let _ = socket.set_nonblocking(true);
                handshake.methods_done(ok);
            }
            held::return_connecting(self.at, state);
        }
    }
}

/// How telling a failure is, where several candidates have failed.
fn rank(error: Error) -> u8 {
    match error {
        Error::IllegalSpread => 0,
        Error::CouldNotConnect => 1,
        Error::ConnectionClosed => 2,
        _ => 3,
    }
}

/// Whether another candidate may do better after this failure.
fn is_retryable(error: Error) -> bool {
    match error {
        Error::IllegalSpread
        | Error::CouldNotConnect
        | Error::ConnectionClosed
        | Error::Version => true,
        Error::Refused(code) => code == reject::QUOTA || code == reject::VERSION,
        _ => false,
    }
}

impl Connecting {
    fn advance(&mut self, call: &mut BlockingCall) -> ConnectProgress {
        loop {
            let stage = std::mem::replace(&mut self.stage, Stage::Next);
            let stage = match stage {
                Stage::Resolving(lookup) => match self.resolving(lookup, call) {
                    Ok(stage) => stage,
                    Err(lookup) => {
                        self.stage = Stage::Resolving(lookup);
                        return ConnectProgress::Blocked;
                    }
                },
                Stage::Unresolved => self.failed(Error::CouldNotConnect),
                Stage::Next => self.next_candidate(),
                Stage::Opening(socket) => match self.opening(socket, call) {
                    Ok(stage) => stage,
                    Err(socket) => {
                        self.stage = Stage::Opening(socket);
                        return ConnectProgress::Blocked;
                    }
                },
                Stage::Shaking(socket, handshake) => match self.shaking(socket, handshake, call) {
                    Ok(stage) => stage,
                    Err((socket, handshake, progress)) => {
                        self.stage = Stage::Shaking(socket, handshake);
                        return progress;
                    }
                },
                Stage::Finished(result) => return ConnectProgress::Done(result),
            };
            self.stage = stage;
        }
    }

    /// Milliseconds that may be waited; `None`: none are left.
    fn patience(&self) -> Option<i32> {
        let until = match (self.deadline, self.attempt_deadline) {
            (Some(a), Some(b)) => a.min(b),
            (Some(a), None) | (None, Some(a)) => a,
            (None, None) => return Some(-1),
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        // Rounded up, so that the clock has run out when the wait has.
        let ms = left.as_micros().div_ceil(1000);
        Some(i32::try_from(ms).unwrap_or(i32::MAX))
    }

    /// This candidate has failed.
    fn failed(&mut self, error: Error) -> Stage {
        if let Some(endpoint) = &self.current {
            tracing::info!(?endpoint, %error, "no session at this daemon");
        }
        if self
            .failure
            .is_none_or(|before| rank(error) >= rank(before))
        {
            self.failure = Some(error);
        }
        let out_of_time = self.deadline.is_some_and(|end| Instant::now() >= end);
        if !is_retryable(error) {
            Stage::Finished(Err(error))
        } else if out_of_time {
            Stage::Finished(Err(self.failure.unwrap_or(error)))
        } else {
            Stage::Next
        }
    }

    fn resolving(&mut self, lookup: Lookup, call: &mut BlockingCall) -> Result<Stage, Lookup> {
        match lookup.answer() {
            Some(Ok(addresses)) => {
                let endpoints: Vec<_> = addresses.into_iter().map(Endpoint::Tcp).collect();
                self.endpoints = endpoints.into_iter();
                Ok(Stage::Next)
            }
            Some(Err(ResolveError::Unknown)) => Ok(self.failed(Error::IllegalSpread)),
            Some(Err(ResolveError::Failed(reason))) => {
                tracing::info!(reason, "the resolver has failed");
                Ok(self.failed(Error::CouldNotConnect))
            }
            None => match self.patience() {
                Some(ms) => {
                    *call = BlockingCall::poll(lookup.done().as_raw_fd(), libc::POLLIN, ms);
                    Err(lookup)
                }
                None => Ok(self.failed(Error::ConnectionClosed)),
            },
        }
    }

    fn next_candidate(&mut self) -> Stage {
        let Some(endpoint) = self.endpoints.next() else {
            let Some(name) = self.names.next() else {
                let error = self.failure.unwrap_or(Error::CouldNotConnect);
                return Stage::Finished(Err(error));
            };
            return self.look_up(name);
        };
        self.set_attempt_deadline();
        self.current = Some(endpoint.clone());
        match open(&endpoint) {
            Ok(socket) => Stage::Opening(socket),
            Err(_) => self.failed(Error::CouldNotConnect),
        }
    }

    /// Finds the addresses of the next name.
    fn look_up(&mut self, name: DaemonName) -> Stage {
        self.current = None;
        let endpoint = match name {
            DaemonName::Unix(port) => Endpoint::Unix(format!("/tmp/{port}").into()),
            DaemonName::Tcp { port, host } => match resolve::literal(&host, port) {
                Some(address) => Endpoint::Tcp(address),
                None => {
                    self.set_attempt_deadline();
                    return start_lookup(host, port).map_or(Stage::Unresolved, Stage::Resolving);
                }
            },
        };
        self.endpoints = vec![endpoint].into_iter();
        Stage::Next
    }

    /// A candidate with others behind it gets `attempt_timeout_ms`, and of a time limit no more
    /// than an equal share.
    fn set_attempt_deadline(&mut self) {
        let others = self.endpoints.len() + self.names.len();
        self.attempt_deadline = None;
        if others == 0 {
            return;
        }
        let now = Instant::now();
        let mut most = Duration::from_millis(u64::from(self.options.attempt_timeout_ms));
        if let Some(deadline) = self.deadline {
            let left = deadline.saturating_duration_since(now);
            let share = u32::try_from(others + 1).map_or(left, |parts| left / parts);
            most = most.min(share);
        }
        self.attempt_deadline = now.checked_add(most);
    }

    /// Waits for the socket to be connected.
    fn opening(&mut self, socket: Socket, call: &mut BlockingCall) -> Result<Stage, Socket> {
        let Some(endpoint) = self.current.clone() else {
            return Ok(self.failed(Error::Bug));
        };
        match socket.connect(&address_of(&endpoint)) {
            Ok(()) => {}
            Err(error) => match error.raw_os_error() {
                Some(libc::EISCONN) => {}
                Some(code @ (libc::EINPROGRESS | libc::EALREADY | libc::EAGAIN | libc::EINTR)) => {
                    let Some(mut ms) = self.patience() else {
                        return Ok(self.failed(Error::ConnectionClosed));
                    };
                    // A unix socket whose backlog is full cannot be waited for.
                    let events = if code == libc::EAGAIN {
                        ms = if ms < 0 {
                            BACKLOG_PAUSE_MS
                        } else {
                            ms.min(BACKLOG_PAUSE_MS)
                        };
                        0
                    } else {
                        libc::POLLOUT
                    };
                    *call = if events == 0 {
                        BlockingCall::pause(ms)
                    } else {
                        BlockingCall::poll(socket.as_raw_fd(), events, ms)
                    };
                    return Err(socket);
                }
                _ => return Ok(self.failed(Error::CouldNotConnect)),
            },
        }
        let handshake = ClientHandshake::new(self.request.clone(), &self.methods);
        Ok(Stage::Shaking(socket, Box::new(handshake)))
    }

    fn shaking(
        &mut self,
        socket: Socket,
        mut handshake: Box<ClientHandshake>,
        call: &mut BlockingCall,
    ) -> Result<Stage, (Socket, Box<ClientHandshake>, ConnectProgress)> {
        let raw = socket.as_raw_fd();
        loop {
            match handshake.step() {
                HandshakeStep::Write(bytes) => {
                    // A daemon looks at each part once: it must go out in one piece. A fresh socket
                    // has room for it.
                    match fd::write_now(raw, &bytes) {
                        Ok(count) if count == bytes.len() => handshake.wrote(),
                        Err(error) if error.raw_os_error() == Some(libc::EINTR) => {}
                        _ => handshake.eof(),
                    }
                }
                // A method that took too long: its time counts, whatever has come meanwhile.
                HandshakeStep::Read(_) if self.patience().is_none() => handshake.eof(),
                HandshakeStep::Read(most) => {
                    let mut buffer = [0; 128];
                    let most = most.min(buffer.len());
                    match fd::read_now(raw, &mut buffer[..most]) {
                        Ok(0) => handshake.eof(),
                        Ok(count) => handshake.input(&buffer[..count]),
                        Err(error) => match error.raw_os_error() {
                            Some(libc::EINTR) => {}
                            Some(code) if fd::would_block(code) => {
                                let Some(ms) = self.patience() else {
                                    handshake.eof();
                                    continue;
                                };
                                *call = BlockingCall::poll(raw, libc::POLLIN, ms);
                                return Err((socket, handshake, ConnectProgress::Blocked));
                            }
                            _ => handshake.eof(),
                        },
                    }
                }
                HandshakeStep::RunMethods => {
                    // Methods are written for a socket in blocking mode.
                    let _ = socket.set_nonblocking(false);
                    return Err((socket, handshake, ConnectProgress::RunMethods(raw)));
                }
                HandshakeStep::Done(accepted) => return Ok(self.accepted(socket, &accepted)),
                HandshakeStep::Failed(failure) => {
                    drop(socket);
                    return Ok(self.failed(match failure {
                        HandshakeFailure::Closed => Error::ConnectionClosed,
                        HandshakeFailure::Code(code) => Error::Refused(code),
                        HandshakeFailure::Auth => Error::Authentication,
                        HandshakeFailure::Version => Error::Version,
                    }));
                }
            }
        }
    }

    /// Makes a session of an accepted connection.
    fn accepted(&mut self, socket: Socket, accepted: &Accepted) -> Stage {
        let (transport, daemon) = match &self.current {
            Some(Endpoint::Tcp(address)) => (Transport::Tcp, address.to_string()),
            Some(Endpoint::Unix(path)) => (Transport::Unix, path.display().to_string()),
            None => (Transport::Unix, String::new()),
        };
        if socket.set_nonblocking(false).is_err() {
            return self.failed(Error::CouldNotConnect);
        }
        let stable = match self.options.mailbox {
            MailboxKind::Stable => true,
            MailboxKind::Auto | MailboxKind::Socket => transport == Transport::Tcp,
        };
        let Ok((link, mailbox, kind)) = make_mailbox(socket.into(), stable) else {
            return self.failed(Error::CouldNotConnect);
        };
        let link = Link {
            fd: link,
            // Cut at a NUL, as a string is.
            private_group: Name::new(accepted.private_group.as_bytes()),
            daemon,
        };
        let session = Session::new(link, mailbox, kind, self.options, Claim::new());
        Stage::Finished(enter(&session))
    }
}

/// The numbers of a session: link, mailbox, and what else its kind needs.
fn make_mailbox(socket: OwnedFd, stable: bool) -> std::io::Result<(SharedFd, SharedFd, Kind)> {
    if !stable {
        let fd = SharedFd::new(socket);
        return Ok((fd.same(), fd, Kind::Socket));
    }
    // The link first: its small number becomes free for the mailbox.
    let link = fd::move_high(socket, PRIVATE_FLOOR);
    let (program, ours) = fd::socket_pair()?;
    let ours = fd::move_high(ours, PRIVATE_FLOOR);
    Ok((
        SharedFd::new(link),
        SharedFd::new(program),
        Kind::Stable { ours },
    ))
}

/// Enters a new session into the table and has the reader watch it.
fn enter(session: &Arc<Session>) -> Result<Connected, Error> {
    let connected = Connected {
        mailbox: session.mailbox(),
        private_group: session.link.private_group,
    };
    match table::insert(Arc::clone(session)) {
        Ok(None) => {}
        Ok(Some(old)) => close::replaced(&old),
        Err(session) => {
            close::replaced(&session);
            return Err(Error::CouldNotConnect);
        }
    }
    if let Err(error) = reader::watch(session) {
        tracing::warn!(%error, "no background reader");
        if matches!(session.kind, Kind::Stable { .. }) {
            close::kill(connected.mailbox);
            return Err(Error::CouldNotConnect);
        }
    }
    Ok(connected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_limits_are_read_as_the_classic_library_reads_them() {
        let cases = [
            (0, 0, Ok(TimeLimit::None)),
            (1, 0, Ok(TimeLimit::After(Duration::from_secs(1)))),
            (
                0,
                999_999,
                Ok(TimeLimit::After(Duration::from_micros(999_999))),
            ),
            (-1, 0, Ok(TimeLimit::After(Duration::ZERO))),
            (0, -1, Ok(TimeLimit::After(Duration::ZERO))),
            (-1, -1, Ok(TimeLimit::After(Duration::ZERO))),
            (-1, 1, Err(Error::IllegalTime)),
            (1, -1, Err(Error::IllegalTime)),
            (0, 1_000_000, Err(Error::IllegalTime)),
            (0, -1_000_000, Err(Error::IllegalTime)),
            (0, i64::MIN, Err(Error::IllegalTime)),
        ];
        for (sec, usec, expected) in cases {
            assert_eq!(
                TimeLimit::from_parts(sec, usec),
                expected,
                "({sec}, {usec})"
            );
        }
        assert!(TimeLimit::from_parts(i64::MAX, 0).is_ok());
    }
}
