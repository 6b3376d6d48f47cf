//! The I/O around a [`Sweep`]: looks names up, connects, shakes hands, until a daemon accepts.
//!
//! A machine of prompt steps and blocking calls. Programs drive it in `SP_connect`, the worker that
//! restores sessions drives many at a time.

use std::fmt::{self, Write as _};
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::Socket;
use spread_proto::{
    Accepted, ClientHandshake, ConnectRequest, HandshakeFailure, HandshakeStep, reject,
};

use crate::daemon_name::DaemonName;
use crate::endpoint::{Answer, Endpoint, Lookup, Question, address_of, open, start_lookup};
use crate::error::Error;
use crate::known;
use crate::options::{Failover, Options};
use crate::random::Random;
use crate::reason;
use crate::sweep::{Candidate, Rules, Sweep, Want, Wish};
use crate::sys::blocking::BlockingCall;
use crate::sys::fd;
use crate::sys::resolve::ResolveError;

/// Bytes of reasons that are kept for `SPX_last_error`; a list of daemons may be long.
const MAX_REASONS: usize = 1000;

/// Pause before a unix socket with a full backlog is tried again.
const BACKLOG_PAUSE_MS: i32 = 10;

/// An automatic search asks for a name at most so often, for all sessions of the process. A program
/// that connects asks each time, as it does with the classic library.
const LOOKUP_FLOOR: Duration = Duration::from_secs(1);

/// When an automatic search is told that the session's own name is in use (a real daemon forgets a
/// lost client only after some milliseconds), it asks the same daemon again after so long.
const GHOST_PAUSE: Duration = Duration::from_millis(50);
const GHOST_TRIES: u32 = 3;

/// What is searched for, and how.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) entries: Vec<DaemonName>,
    pub(crate) request: ConnectRequest,
    /// Names of the program's authentication methods.
    pub(crate) methods: Vec<Vec<u8>>,
    /// Daemons of lower versions are refused.
    pub(crate) oldest_daemon: [u8; 2],
}

/// A daemon that has accepted.
#[derive(Debug)]
pub(crate) struct Accepting {
    /// In blocking mode.
    pub(crate) socket: Socket,
    pub(crate) accepted: Accepted,
    pub(crate) candidate: Candidate,
}

/// Where a search stands.
#[derive(Debug)]
pub(crate) enum SearchProgress {
    Done(Result<Box<Accepting>, Error>),
    /// Make the blocking call, then go on.
    Blocked,
    /// Run all authentication methods on this descriptor, then [`Search::methods_done`].
    RunMethods(RawFd),
}

#[derive(Debug)]
enum Stage {
    Resolving(Arc<Lookup>),
    Next,
    /// Until then, then the same candidate once more.
    Pausing(Instant),
    Opening(Socket),
    Shaking(Socket, Box<ClientHandshake>),
    Finished(Result<Box<Accepting>, Error>),
}

/// A search in progress.
#[derive(Debug)]
pub(crate) struct Search {
    wanted: Wanted,
    sweep: Sweep,
    avoid: Duration,
    /// The session will outlive its links.
    outlives_links: bool,
    /// Not asked for by a call of the program.
    automatic: bool,
    random: Random,
    current: Option<Candidate>,
    ghosts: u32,
    attempts: u32,
    too_old: Option<[u8; 3]>,
    stage: Stage,
    /// What became of each candidate, for `SPX_last_error`.
    tried: String,
}

impl Search {
    /// A search by a call of the program, which ends at `deadline`.
    pub(crate) fn by_program(wanted: Wanted, options: &Options, deadline: Option<Instant>) -> Self {
        Self::new(wanted, options, deadline, false)
    }

    /// A search by the library itself.
    pub(crate) fn automatic(wanted: Wanted, options: &Options, deadline: Instant) -> Self {
        Self::new(wanted, options, Some(deadline), true)
    }

    fn new(wanted: Wanted, options: &Options, deadline: Option<Instant>, automatic: bool) -> Self {
        let rules = Rules {
            first_only: options.failover == Failover::Off,
            shuffle: options.shuffle,
            attempt: Duration::from_millis(u64::from(options.attempt_timeout_ms)),
            always_bounded: automatic,
            stop_at_refusal: !automatic,
        };
        Self {
            sweep: Sweep::new(wanted.entries.clone(), rules, deadline),
            wanted,
            avoid: Duration::from_millis(u64::from(options.avoid_ms)),
            outlives_links: options.failover == Failover::Auto,
            automatic,
            random: Random::new(),
            current: None,
            ghosts: 0,
            attempts: 0,
            too_old: None,
            stage: Stage::Next,
            tried: String::new(),
        }
    }

    /// Leaves a place out.
    pub(crate) fn leave_out(&mut self, endpoint: Endpoint) {
        self.sweep.leave_out(endpoint);
    }

    /// Tries a session's home first, see [`Sweep::wish`].
    pub(crate) fn wish(&mut self, wish: Wish) {
        self.sweep.wish(wish);
    }

    /// See [`Sweep::home_is_gone`].
    pub(crate) fn home_is_gone(&self) -> bool {
        self.sweep.home_is_gone()
    }

    /// How many times it was tried to connect.
    pub(crate) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// When the present attempt is over.
    pub(crate) fn attempt_ends(&self) -> Option<Instant> {
        self.sweep.attempt_ends()
    }

    /// The version of the last daemon that was refused for it.
    pub(crate) fn too_old(&self) -> Option<[u8; 3]> {
        self.too_old
    }

    /// All methods have run; `ok`: each of them succeeded.
    pub(crate) fn methods_done(&mut self, ok: bool) {
        if let Stage::Shaking(socket, handshake) = &mut self.stage {
            let _ = socket.set_nonblocking(true);
            handshake.methods_done(ok);
        }
    }

    /// Goes on as far as it can without waiting.
    pub(crate) fn advance(&mut self, call: &mut BlockingCall) -> SearchProgress {
        loop {
            let stage = match std::mem::replace(&mut self.stage, Stage::Next) {
                Stage::Resolving(lookup) => match self.resolving(lookup, call) {
                    Ok(stage) => stage,
                    Err(lookup) => {
                        self.stage = Stage::Resolving(lookup);
                        return SearchProgress::Blocked;
                    }
                },
                Stage::Next => self.next(),
                Stage::Pausing(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if !left.is_zero() {
                        *call = BlockingCall::pause(milliseconds(left));
                        self.stage = Stage::Pausing(until);
                        return SearchProgress::Blocked;
                    }
                    self.open_current()
                }
                Stage::Opening(socket) => match self.opening(socket, call) {
                    Ok(stage) => stage,
                    Err(socket) => {
                        self.stage = Stage::Opening(socket);
                        return SearchProgress::Blocked;
                    }
                },
                Stage::Shaking(socket, handshake) => match self.shaking(socket, handshake, call) {
                    Ok(stage) => stage,
                    Err((socket, handshake, progress)) => {
                        self.stage = Stage::Shaking(socket, handshake);
                        return progress;
                    }
                },
                Stage::Finished(result) => {
                    if result.is_err() && !self.tried.is_empty() {
                        reason::because(std::mem::take(&mut self.tried));
                    }
                    return SearchProgress::Done(result);
                }
            };
            self.stage = stage;
        }
    }

    /// Milliseconds that may be waited; `None`: none are left.
    fn patience(&self) -> Option<i32> {
        let Some(until) = self.sweep.attempt_ends() else {
            return Some(-1);
        };
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero()).then(|| milliseconds(left))
    }

    /// This candidate has failed.
    fn failed(&mut self, error: Error) -> Stage {
        self.failed_because(error, &error)
    }

    /// The same, with a reason that tells more.
    fn failed_because(&mut self, error: Error, reason: &dyn fmt::Display) -> Stage {
        if let Some(Candidate { endpoint, .. }) = &self.current {
            let endpoint = endpoint.clone();
            self.note(&endpoint, reason);
        }
        self.candidate_failed(error)
    }

    /// The lookup of a name has failed.
    fn lookup_failed(
        &mut self,
        question: &Question,
        error: Error,
        reason: &dyn fmt::Display,
    ) -> Stage {
        self.note(question, reason);
        self.candidate_failed(error)
    }

    /// Keeps why there is no session at this place.
    fn note(&mut self, place: &dyn fmt::Display, reason: &dyn fmt::Display) {
        tracing::info!("{place}: {reason}");
        if self.tried.len() < MAX_REASONS {
            let comma = if self.tried.is_empty() { "" } else { "; " };
            let _ = write!(self.tried, "{comma}{place}: {reason}");
        }
    }

    fn candidate_failed(&mut self, error: Error) -> Stage {
        if let Some(Candidate { endpoint, .. }) = &self.current {
            // A refusal is an answer of a daemon that is there.
            if matches!(error, Error::CouldNotConnect | Error::ConnectionClosed) {
                known::note_failure(endpoint);
            }
        }
        let ghost = error == Error::Refused(reject::NOT_UNIQUE);
        if self.automatic && ghost && self.current.is_some() && self.ghosts < GHOST_TRIES {
            self.ghosts += 1;
            return Stage::Pausing(Instant::now() + GHOST_PAUSE);
        }
        match self.sweep.failed(error, Instant::now()) {
            Some(error) => Stage::Finished(Err(error)),
            None => Stage::Next,
        }
    }

    fn next(&mut self) -> Stage {
        self.current = None;
        self.ghosts = 0;
        let avoid = self.avoid;
        let want = self
            .sweep
            .next(Instant::now(), |place| known::has_failed(place, avoid));
        match want {
            Want::GiveUp(error) => Stage::Finished(Err(error)),
            Want::Try(candidate) => {
                self.current = Some(candidate);
                self.open_current()
            }
            Want::LookUp(question) => {
                if self.automatic
                    && let Some(found) = known::last_answer(&question, LOOKUP_FLOOR)
                {
                    self.sweep.answered(found, &mut self.random);
                    return Stage::Next;
                }
                // Without a time limit a thread would only cost.
                if !self.automatic && question.is_local() && self.sweep.attempt_ends().is_none() {
                    return self.resolved(&question, question.ask());
                }
                let started = if self.automatic {
                    known::lookup(question.clone())
                } else {
                    start_lookup(question.clone()).map(Arc::new)
                };
                match started {
                    Some(lookup) => Stage::Resolving(lookup),
                    None => {
                        let reason = "no thread for the resolver";
                        self.lookup_failed(&question, Error::CouldNotConnect, &reason)
                    }
                }
            }
        }
    }

    fn open_current(&mut self) -> Stage {
        self.attempts = self.attempts.saturating_add(1);
        let opened = self
            .current
            .as_ref()
            .map(|candidate| open(&candidate.endpoint, self.outlives_links));
        match opened {
            Some(Ok(socket)) => Stage::Opening(socket),
            Some(Err(error)) => self.failed_because(Error::CouldNotConnect, &error),
            None => self.failed(Error::CouldNotConnect),
        }
    }

    fn resolving(
        &mut self,
        lookup: Arc<Lookup>,
        call: &mut BlockingCall,
    ) -> Result<Stage, Arc<Lookup>> {
        if let Some(answer) = lookup.answer() {
            return Ok(self.resolved(lookup.question(), answer));
        }
        match self.patience() {
            Some(ms) => {
                *call = BlockingCall::poll(lookup.done().as_raw_fd(), libc::POLLIN, ms);
                Err(lookup)
            }
            None => Ok(self.unresolved(
                lookup.question(),
                "no answer from the resolver in time",
                Error::ConnectionClosed,
            )),
        }
    }

    fn resolved(&mut self, question: &Question, answer: Answer) -> Stage {
        match answer {
            Ok(found) => {
                known::note_answer(question, &found);
                self.sweep.answered(found, &mut self.random);
                Stage::Next
            }
            Err(ResolveError::Unknown) => {
                known::forget_answer(question);
                self.lookup_failed(question, Error::IllegalSpread, &"there is no such name")
            }
            Err(ResolveError::Nothing) => {
                known::forget_answer(question);
                let reason = "the name has nothing to connect to";
                self.lookup_failed(question, Error::CouldNotConnect, &reason)
            }
            Err(ResolveError::Failed(reason)) => {
                self.unresolved(question, &reason, Error::CouldNotConnect)
            }
        }
    }

    /// The resolver is in trouble: what it said last still counts.
    fn unresolved(&mut self, question: &Question, reason: &str, error: Error) -> Stage {
        match known::last_answer(question, Duration::MAX) {
            Some(found) => {
                tracing::warn!(name = %question, reason, "the resolver has failed; its last answer is used");
                self.sweep.answered(found, &mut self.random);
                Stage::Next
            }
            None => self.lookup_failed(question, error, &reason),
        }
    }

    /// Waits for the socket to be connected.
    fn opening(&mut self, socket: Socket, call: &mut BlockingCall) -> Result<Stage, Socket> {
        let Some(candidate) = &self.current else {
            return Ok(self.failed(Error::CouldNotConnect));
        };
        match socket.connect(&address_of(&candidate.endpoint)) {
            Ok(()) => {}
            Err(error) => match error.raw_os_error() {
                Some(libc::EISCONN) => {}
                Some(code @ (libc::EINPROGRESS | libc::EALREADY | libc::EAGAIN | libc::EINTR)) => {
                    let Some(mut ms) = self.patience() else {
                        let reason = "no connection in time";
                        return Ok(self.failed_because(Error::ConnectionClosed, &reason));
                    };
                    // A unix socket whose backlog is full cannot be waited for.
                    *call = if code == libc::EAGAIN {
                        ms = if ms < 0 {
                            BACKLOG_PAUSE_MS
                        } else {
                            ms.min(BACKLOG_PAUSE_MS)
                        };
                        BlockingCall::pause(ms)
                    } else {
                        BlockingCall::poll(socket.as_raw_fd(), libc::POLLOUT, ms)
                    };
                    return Err(socket);
                }
                _ => return Ok(self.failed_because(Error::CouldNotConnect, &error)),
            },
        }
        let handshake = ClientHandshake::new(self.wanted.request.clone(), &self.wanted.methods)
            .oldest(self.wanted.oldest_daemon);
        Ok(Stage::Shaking(socket, Box::new(handshake)))
    }

    fn shaking(
        &mut self,
        socket: Socket,
        mut handshake: Box<ClientHandshake>,
        call: &mut BlockingCall,
    ) -> Result<Stage, (Socket, Box<ClientHandshake>, SearchProgress)> {
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
                                return Err((socket, handshake, SearchProgress::Blocked));
                            }
                            _ => handshake.eof(),
                        },
                    }
                }
                HandshakeStep::RunMethods => {
                    // Methods are written for a socket in blocking mode.
                    let _ = socket.set_nonblocking(false);
                    return Err((socket, handshake, SearchProgress::RunMethods(raw)));
                }
                HandshakeStep::Done(accepted) => return Ok(self.accepted(socket, accepted)),
                HandshakeStep::Failed(failure) => {
                    drop(socket);
                    return Ok(self.failed(match failure {
                        HandshakeFailure::Closed if self.patience().is_none() => {
                            let reason = "the daemon did not answer in time";
                            return Ok(self.failed_because(Error::ConnectionClosed, &reason));
                        }
                        HandshakeFailure::Closed => {
                            let reason = "the daemon closed the connection instead of answering";
                            return Ok(self.failed_because(Error::ConnectionClosed, &reason));
                        }
                        HandshakeFailure::Code(code) => Error::Refused(code),
                        HandshakeFailure::Auth => Error::Authentication,
                        HandshakeFailure::Version(version) => {
                            self.too_old = Some(version);
                            return Ok(self.failed_because(Error::Version, &failure));
                        }
                    }));
                }
            }
        }
    }

    fn accepted(&mut self, socket: Socket, accepted: Accepted) -> Stage {
        let Some(candidate) = self.current.take() else {
            return self.failed(Error::Bug);
        };
        if socket.set_nonblocking(false).is_err() {
            return self.failed(Error::CouldNotConnect);
        }
        known::note_success(&candidate.endpoint);
        Stage::Finished(Ok(Box::new(Accepting {
            socket,
            accepted,
            candidate,
        })))
    }
}

/// For `poll`: rounded up, so that the clock has run out when the wait has.
fn milliseconds(left: Duration) -> i32 {
    i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX)
}
