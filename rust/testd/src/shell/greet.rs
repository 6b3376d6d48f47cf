//! Accepting connections, and the handshake.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use spread_proto::limits::AUTH_CHOICE_LEN;
use spread_proto::{
    ClientVersion, ConnectRefusal, choose_methods, encode_accept, encode_auth_list, parse_connect,
    reject,
};

use super::conn::Conn;
pub(super) use super::conn::Stage;
use super::place::Kind;
use super::{Progress, Shell};
use crate::auth::{self, AuthMethod};
use crate::core::{Health, Link};
use crate::event::Event;

/// How long a real daemon waits for the connect message, and lets all others wait meanwhile.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// The version that the daemons tell.
const DAEMON_VERSION: [u8; 3] = [5, 0, 1];

impl Shell {
    /// Accepts what is waiting, where daemons are in the mood.
    pub(super) fn accept_all(&mut self) {
        for daemon in 0..self.desks.len() {
            for kind in [Kind::Tcp, Kind::Unix] {
                while self.desks[daemon].has_callers(kind) && self.may_accept(daemon) {
                    match self.desks[daemon].places.accept(kind) {
                        Ok((stream, peer)) => self.welcome(daemon, stream, peer),
                        Err(error) if is_transient(&error) => {}
                        // Nobody left, or no descriptors: the next caller brings us back.
                        Err(_) => self.desks[daemon].set_callers(kind, false),
                    }
                }
            }
        }
    }

    fn may_accept(&self, daemon: usize) -> bool {
        let desk = &self.desks[daemon];
        self.core.health(daemon) == Health::Alive
            && !self.core.is_congested(daemon)
            && (desk.greeting.is_none() || !self.options.head_of_line)
    }

    /// Whether somebody waits and may come in now.
    pub(super) fn can_accept(&self) -> bool {
        (0..self.desks.len()).any(|daemon| {
            let desk = &self.desks[daemon];
            (desk.has_callers(Kind::Tcp) || desk.has_callers(Kind::Unix)) && self.may_accept(daemon)
        })
    }

    fn welcome(&mut self, daemon: usize, stream: super::stream::Stream, peer: String) {
        stream.prepare();
        let deadline = self.io.now + CONNECT_TIMEOUT;
        let conn = Conn::new(daemon, stream, peer, Stage::Connect { deadline });
        let full = self.io.count(daemon) >= self.core.config().max_sessions;
        let Ok(link) = self.io.add(conn) else {
            return;
        };
        if full {
            self.refuse(link, Some(reject::QUOTA));
            return;
        }
        if !self.surprise(daemon, link) {
            return;
        }
        let waits = |conn: &Conn| matches!(conn.stage, Stage::Connect { .. });
        if self.io.get(link).is_some_and(waits) {
            self.greeted.push(link);
            self.desks[daemon].greeting = Some(link);
        }
        // It may have come with the connection.
        self.enqueue(link);
    }

    /// Sends the code, if there is one, and closes.
    pub(super) fn refuse(&mut self, link: Link, code: Option<i8>) {
        let Some(conn) = self.io.get_mut(link) else {
            return;
        };
        conn.finishing = true;
        let (session, event) = (
            conn.session.take(),
            Event::Refused {
                daemon: self.core.daemon_name(conn.daemon),
                code,
                peer: conn.peer.clone(),
            },
        );
        self.io.note(&event);
        self.stop_greeting(link);
        if let Some(code) = code {
            self.io.send(link, vec![code.cast_unsigned()]);
            self.io.flush(link);
        } else {
            self.io.close(link);
        }
        if let Some(session) = session {
            self.core
                .ended(session, crate::Ending::Closed, 0, &mut self.io);
        }
    }

    /// The connect message of this connection is dealt with: the next caller may come in.
    fn stop_greeting(&mut self, link: Link) {
        self.greeted.retain(|greeted| *greeted != link);
        for desk in &mut self.desks {
            if desk.greeting == Some(link) {
                desk.greeting = None;
            }
        }
    }

    pub(super) fn greeting_deadline(&self) -> Option<Duration> {
        let deadlines = self
            .greeted
            .iter()
            .filter_map(|&link| match self.io.get(link) {
                Some(Conn {
                    stage: Stage::Connect { deadline },
                    daemon,
                    ..
                }) if self.core.health(*daemon) == Health::Alive => Some(*deadline),
                _ => None,
            });
        deadlines.min()
    }

    pub(super) fn refuse_silent_callers(&mut self) {
        let now = self.io.now;
        let late = self.greeted.iter().copied().filter(|&link| {
            match self.io.get(link) {
                // A frozen daemon watches no clock.
                Some(conn) if self.core.health(conn.daemon) == Health::Frozen => false,
                Some(conn) => {
                    matches!(conn.stage, Stage::Connect { deadline } if deadline <= now)
                }
                None => true,
            }
        });
        for link in late.collect::<Vec<_>>() {
            if self.io.get(link).is_some() {
                self.refuse(link, None);
            } else {
                self.stop_greeting(link);
            }
        }
    }

    /// Reads once and goes one step on.
    pub(super) fn greet(&mut self, link: Link) -> Progress {
        let Some(conn) = self.io.get_mut(link) else {
            return Progress::Gone;
        };
        if matches!(conn.stage, Stage::Silent) {
            return self.listen_silently(link);
        }
        let mut bytes = std::mem::take(&mut conn.partial);
        let mut buffer = [0; 4096];
        match conn.stream.read(&mut buffer) {
            Ok(0) => {
                self.hang_up(link);
                return Progress::Gone;
            }
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                if bytes.is_empty() {
                    return Progress::Drained;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                conn.partial = bytes;
                return Progress::More;
            }
            Err(_) => {
                self.hang_up(link);
                return Progress::Gone;
            }
        }
        match conn.stage {
            Stage::Connect { .. } => self.take_connect(link, bytes),
            Stage::Choice { .. } => self.take_choice(link, bytes),
            Stage::Methods { .. } => self.take_answer(link, bytes),
            Stage::Silent | Stage::Open => Progress::More,
        }
    }

    /// The client is gone before it had a session. If it owes its choice, that is a choice of
    /// nothing.
    fn hang_up(&mut self, link: Link) {
        let in_choice = |conn: &Conn| matches!(conn.stage, Stage::Choice { .. });
        let code = self
            .io
            .get(link)
            .filter(|c| in_choice(c))
            .map(|_| reject::AUTH);
        self.refuse(link, code);
    }

    fn take_connect(&mut self, link: Link, mut bytes: Vec<u8>) -> Progress {
        let message = match parse_connect(&bytes) {
            Ok(message) => message,
            Err(ConnectRefusal::NeedMore) => return Progress::Drained,
            Err(ConnectRefusal::CloseSilently) => return self.refused(link, None),
            Err(ConnectRefusal::Reject(code)) => return self.refused(link, Some(code)),
        };
        let Some(conn) = self.io.get_mut(link) else {
            return Progress::Gone;
        };
        bytes.drain(..message.consumed);
        conn.partial = bytes;
        let daemon = conn.daemon;
        if let Some(code) = conn.refuse_with
            && (code != reject::AUTH || !message.version.has_auth_step())
        {
            return self.refused(link, Some(code));
        }
        let reserved = self.core.reserve(
            daemon,
            &message.private_name,
            message.membership,
            Some(link),
        );
        let session = match reserved {
            Ok((session, _)) => session,
            Err(code) => return self.refused(link, Some(code)),
        };
        if let Some(conn) = self.io.get_mut(link) {
            conn.session = Some(session);
        }
        self.stop_greeting(link);
        if !message.version.has_auth_step() {
            return self.admit(link, message.version);
        }
        let methods = self.options.method_names();
        self.io.send(link, encode_auth_list(&methods));
        if methods.is_empty() {
            return self.refused(link, Some(reject::AUTH));
        }
        if let Some(conn) = self.io.get_mut(link) {
            conn.stage = Stage::Choice {
                version: message.version,
            };
        }
        Progress::More
    }

    fn take_choice(&mut self, link: Link, mut bytes: Vec<u8>) -> Progress {
        let chosen = match choose_methods(&bytes, &self.options.method_names()) {
            Ok(chosen) => chosen,
            Err(ConnectRefusal::NeedMore) => return Progress::Drained,
            Err(ConnectRefusal::CloseSilently) => return self.refused(link, None),
            Err(ConnectRefusal::Reject(code)) => return self.refused(link, Some(code)),
        };
        let Some(conn) = self.io.get_mut(link) else {
            return Progress::Gone;
        };
        bytes.drain(..AUTH_CHOICE_LEN);
        conn.partial = bytes;
        if let Some(code) = conn.refuse_with {
            return self.refused(link, Some(code));
        }
        let Stage::Choice { version } = conn.stage else {
            return Progress::Gone;
        };
        let peer = conn.stream.peer_ip();
        let methods = self.options.methods_to_run(&chosen);
        let mut challenges = VecDeque::new();
        for method in methods {
            match method {
                AuthMethod::Null => {}
                AuthMethod::Ip(allowed) => {
                    if !peer.is_some_and(|peer| allowed.contains(&peer)) {
                        return self.refused(link, Some(reject::AUTH));
                    }
                }
                challenge @ AuthMethod::Challenge { .. } => challenges.push_back(challenge),
            }
        }
        self.next_challenge(link, version, challenges)
    }

    /// Sends the first of these challenges, or lets the client in if none is left.
    fn next_challenge(
        &mut self,
        link: Link,
        version: ClientVersion,
        mut left: VecDeque<AuthMethod>,
    ) -> Progress {
        let Some(AuthMethod::Challenge { secret, .. }) = left.pop_front() else {
            return self.admit(link, version);
        };
        let (challenge, answer) = auth::challenge(&secret);
        self.io.send(link, challenge.to_vec());
        if let Some(conn) = self.io.get_mut(link) {
            conn.stage = Stage::Methods {
                version,
                left,
                answer,
            };
        }
        Progress::More
    }

    fn take_answer(&mut self, link: Link, mut bytes: Vec<u8>) -> Progress {
        let Some(conn) = self.io.get_mut(link) else {
            return Progress::Gone;
        };
        let Stage::Methods {
            version,
            left,
            answer,
        } = &mut conn.stage
        else {
            return Progress::Gone;
        };
        if bytes.len() < answer.len() {
            conn.partial = bytes;
            return Progress::More;
        }
        let (version, left) = (*version, std::mem::take(left));
        let right = bytes.starts_with(answer);
        bytes.drain(..answer.len());
        conn.partial = bytes;
        if right {
            self.next_challenge(link, version, left)
        } else {
            self.refused(link, Some(reject::AUTH))
        }
    }

    fn refused(&mut self, link: Link, code: Option<i8>) -> Progress {
        self.refuse(link, code);
        Progress::Gone
    }

    fn admit(&mut self, link: Link, version: ClientVersion) -> Progress {
        let Some(conn) = self.io.get_mut(link) else {
            return Progress::Gone;
        };
        let Some(session) = conn.session else {
            return Progress::Gone;
        };
        conn.stage = Stage::Open;
        conn.unparsed = !conn.partial.is_empty();
        let peer = conn.peer.clone();
        let Some((group, membership)) = self.core.open(session) else {
            return Progress::Gone;
        };
        self.io
            .send(link, encode_accept(version, DAEMON_VERSION, &group));
        self.io.note(&Event::Connected {
            session: group,
            membership,
            peer,
        });
        Progress::More
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::Interrupted
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
