//! Connecting, as a machine of prompt steps, blocking calls and the program's own methods.
//!
//! The state of a connect lives in the thread's registry ([`crate::held`]), not on its stack: the
//! authentication callbacks are the program's code, which may leave with `longjmp` or
//! `pthread_exit`, and a thread may be cancelled while it waits for a daemon.

use std::os::fd::{OwnedFd, RawFd};
use std::sync::{Arc, Once};
use std::time::{Duration, Instant};

use spread_proto::{ConnectRequest, Name};

use crate::auto::{Auto, MethodRunner};
use crate::claim::Claim;
use crate::daemon_name::{DaemonName, SpreadName};
use crate::endpoint::Endpoint;
use crate::error::Error;
use crate::notice::Event;
use crate::options::{Conf, Failover, MailboxKind, Options, Sigpipe};
use crate::reason;
use crate::search::{Accepting, Search, SearchProgress, Wanted};
use crate::session::{Kind, Link, Session};
use crate::stats::report;
use crate::sys::blocking::BlockingCall;
use crate::sys::fd::{self, SharedFd};
use crate::sys::signals;
use crate::{close, fork, held, interrupt, reader, redirect, restore, table};

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
    /// Runs the methods when the library itself reconnects; none if all of them always succeed.
    pub again: Option<MethodRunner>,
    /// For the whole of it.
    pub limit: TimeLimit,
    /// The program's own options.
    pub conf: &'a Conf,
    /// Daemons below this version, major and minor, are refused; usually
    /// [`OLDEST_DAEMON`](crate::OLDEST_DAEMON).
    pub oldest_daemon: [u8; 2],
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
    /// After a step ended with [`Error::Version`]: that of the daemon that was refused last.
    pub too_old: Option<[u8; 3]>,
}

/// The state of a connect.
#[derive(Debug)]
pub(crate) struct Connecting {
    search: Search,
    options: Options,
    /// For sessions that outlive their link.
    auto: Option<(Wanted, Option<MethodRunner>)>,
}

/// What the first call that has to do with connecting does to the process: SIGPIPE is ignored,
/// unless the options leave it.
pub fn first_use(conf: &Conf) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let options = Options::resolve(conf, "");
        if options.is_ok_and(|options| options.sigpipe == Sigpipe::Ignore) {
            signals::ignore_sigpipe();
        }
    });
}

impl Connect {
    /// Begins to connect.
    ///
    /// # Errors
    /// [`Error::IllegalSpread`] for a name that cannot be parsed, or options in it that cannot be.
    pub fn begin(arguments: &ConnectArguments<'_>) -> Result<Self, Error> {
        let deadline = match arguments.limit {
            TimeLimit::None => None,
            // Beyond what the clock can tell there is no limit.
            TimeLimit::After(limit) => Instant::now().checked_add(limit),
        };
        let name = redirect::from_environment(arguments.spread_name);
        let name = SpreadName::parse(&name)?;
        let options = Options::resolve(arguments.conf, &name.options).map_err(|error| {
            reason::because(error.to_string());
            Error::IllegalSpread
        })?;
        let over_tcp = name
            .entries
            .iter()
            .find(|entry| !matches!(entry, DaemonName::Unix(_)));
        if let Some(entry) = over_tcp
            && options.insists_on_socket(arguments.conf, &name.options)
        {
            reason::because(format!(
                "mailbox=socket is for unix sockets only, and {entry} is reached over TCP"
            ));
            return Err(Error::IllegalSpread);
        }
        fork::register();
        let wanted = Wanted {
            entries: name.entries,
            request: ConnectRequest {
                version: ConnectRequest::VERSION,
                membership: arguments.membership,
                priority: arguments.priority,
                private_name: arguments.private_name.to_vec(),
            },
            methods: arguments.methods.to_vec(),
            oldest_daemon: arguments.oldest_daemon,
        };
        let outlives = options.failover == Failover::Auto;
        let state = Connecting {
            auto: outlives.then(|| (wanted.clone(), arguments.again.clone())),
            search: Search::by_program(wanted, &options, deadline),
            options,
        };
        Ok(Self {
            at: held::put_connecting(Box::new(state)),
            call: BlockingCall::NONE,
            too_old: None,
        })
    }

    /// Goes on as far as it can without waiting.
    #[must_use]
    pub fn step(&mut self) -> ConnectProgress {
        let Some(mut state) = held::take_connecting(self.at) else {
            return ConnectProgress::Done(Err(Error::Bug));
        };
        let progress = state.advance(&mut self.call);
        self.too_old = state.search.too_old();
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
            state.search.methods_done(ok);
            held::return_connecting(self.at, state);
        }
    }
}

impl Connecting {
    fn advance(&mut self, call: &mut BlockingCall) -> ConnectProgress {
        match self.search.advance(call) {
            SearchProgress::Blocked => ConnectProgress::Blocked,
            SearchProgress::RunMethods(fd) => ConnectProgress::RunMethods(fd),
            SearchProgress::Done(Err(error)) => ConnectProgress::Done(Err(error)),
            SearchProgress::Done(Ok(accepting)) => ConnectProgress::Done(self.open(*accepting)),
        }
    }

    /// Makes a session of an accepted connection.
    fn open(&mut self, accepting: Accepting) -> Result<Connected, Error> {
        let Accepting {
            socket,
            accepted,
            candidate,
        } = accepting;
        let over_tcp = matches!(candidate.endpoint, Endpoint::Tcp(_));
        let stable = match self.options.mailbox {
            MailboxKind::Stable => true,
            MailboxKind::Auto => self.auto.is_some() || over_tcp,
            MailboxKind::Socket => over_tcp,
        };
        if over_tcp && self.options.mailbox == MailboxKind::Socket {
            tracing::warn!(
                "mailbox=socket is for unix sockets only; on TCP mailbox=stable is taken"
            );
        }
        let auto = self
            .auto
            .take()
            .map(|(wanted, methods)| Auto::new(wanted, methods).map(Box::new))
            .transpose()
            .map_err(|_| Error::CouldNotConnect)?;
        let (link, mailbox, far) =
            make_mailbox(socket.into(), stable).map_err(|_| Error::CouldNotConnect)?;
        let link = Link {
            fd: link,
            // Cut at a NUL, as a string is.
            private_group: Name::new(accepted.private_group.as_bytes()),
            daemon: candidate.endpoint.to_string(),
            candidate,
        };
        enter(&Session::new(
            link,
            mailbox,
            far,
            self.options.clone(),
            Claim::new(),
            auto,
        ))
    }
}

/// The numbers of a session: link, mailbox, and the far end of a stable mailbox.
fn make_mailbox(
    socket: OwnedFd,
    stable: bool,
) -> std::io::Result<(SharedFd, SharedFd, Option<OwnedFd>)> {
    if !stable {
        let fd = SharedFd::new(socket);
        return Ok((fd.same(), fd, None));
    }
    // The link first: its small number becomes free for the mailbox.
    let link = fd::move_high(socket);
    let (program, far) = fd::socket_pair()?;
    let far = fd::move_high(far);
    Ok((SharedFd::new(link), SharedFd::new(program), Some(far)))
}

/// Enters a new session into the table and has the reader watch it.
fn enter(session: &Arc<Session>) -> Result<Connected, Error> {
    let connected = Connected {
        mailbox: session.mailbox(),
        private_group: session.link.private_group,
    };
    session.tell(Event::Connected {
        private_group: session.link.private_group,
        daemon: session.link.daemon.clone(),
    });
    match table::insert(Arc::clone(session)) {
        Ok(None) => {}
        Ok(Some(old)) => close::replaced(&old),
        Err(session) => {
            close::replaced(&session);
            return Err(Error::CouldNotConnect);
        }
    }
    interrupt::enter(session);
    report::begin();
    if session.options.failback_ms > 0 && session.auto.is_some() && session.link.candidate.rank > 0
    {
        restore::watch(session);
    }
    if let Err(error) = reader::watch(session) {
        tracing::warn!(
            %error,
            "no thread for background receiving; a slow reader may be thrown out"
        );
        if matches!(session.kind, Kind::Stable) {
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
