//! Sessions for Rust programs, in blocking style.

use std::io::IoSlice;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

use spread_proto::{Name, OLDEST_DAEMON, service};

use crate::close;
use crate::connect::{Connect, ConnectArguments, ConnectProgress, TimeLimit, first_use};
use crate::error::Error;
use crate::interrupt::interrupt;
use crate::message::{Message, receive_message};
use crate::notice::{Event, next_event};
use crate::options::{Conf, OptionError};
use crate::reason;
use crate::room::Progress;
use crate::send::{Outgoing, Send, group_field};
use crate::stats::{Stats, stats};

/// How a message is ordered and made safe: one of the classic services.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// May be lost.
    Unreliable,
    /// Not lost, in any order.
    Reliable,
    /// In the order of its sender.
    Fifo,
    /// After all that its sender had received.
    Causal,
    /// In one order for all receivers.
    Agreed,
    /// So it is, and delivered only once every daemon of the ring has it.
    Safe,
}

impl Service {
    fn bits(self) -> u32 {
        match self {
            Self::Unreliable => service::UNRELIABLE_MESS,
            Self::Reliable => service::RELIABLE_MESS,
            Self::Fifo => service::FIFO_MESS,
            Self::Causal => service::CAUSAL_MESS,
            Self::Agreed => service::AGREED_MESS,
            Self::Safe => service::SAFE_MESS,
        }
    }
}

/// What a new [`Connection`] should be.
#[derive(Clone, Debug)]
pub struct Builder {
    spread_name: String,
    private_name: String,
    membership: bool,
    limit: TimeLimit,
    conf: Conf,
}

impl Builder {
    /// The session's own name, at most 10 characters, unique at its daemon. Without one the daemon
    /// makes one up.
    #[must_use]
    pub fn private_name(mut self, name: &str) -> Self {
        name.clone_into(&mut self.private_name);
        self
    }

    /// Whether membership messages are wanted; they are without a word.
    #[must_use]
    pub fn membership(mut self, wanted: bool) -> Self {
        self.membership = wanted;
        self
    }

    /// How long the connect may take; without a word as long as it takes.
    #[must_use]
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = TimeLimit::After(limit);
        self
    }

    /// Sets an option, see `docs/OPTIONS.md`.
    ///
    /// # Errors
    /// [`OptionError`]: there is no such option, or it does not take the value.
    pub fn option(mut self, name: &str, value: &str) -> Result<Self, OptionError> {
        self.conf.set(name, value)?;
        Ok(self)
    }

    /// Connects. Blocks until a daemon has accepted or all have failed.
    ///
    /// # Errors
    /// What the daemons or the system said; [`reason::last_error`] tells what became of each address.
    pub fn connect(&self) -> Result<Connection, Error> {
        first_use(&self.conf);
        // The one method that has nothing to do.
        let methods = [b"NULL".to_vec()];
        let mut connect = Connect::begin(&ConnectArguments {
            spread_name: self.spread_name.as_bytes(),
            private_name: self.private_name.as_bytes(),
            priority: false,
            membership: self.membership,
            methods: &methods,
            limit: self.limit,
            conf: &self.conf,
            again: None,
            oldest_daemon: OLDEST_DAEMON,
        })
        .inspect_err(|error| reason::failed(*error))?;
        loop {
            match connect.step() {
                ConnectProgress::Done(Ok(connected)) => {
                    return Ok(Connection {
                        mailbox: connected.mailbox,
                        private_group: connected.private_group,
                        open: true,
                    });
                }
                ConnectProgress::Done(Err(error)) => {
                    reason::failed(error);
                    return Err(error);
                }
                ConnectProgress::Blocked => connect.call.run(),
                // It has succeeded.
                ConnectProgress::RunMethods(_) => connect.methods_done(true),
            }
        }
    }
}

/// A session with a Spread daemon. Dropping it ends the session as [`close`](Self::close) does.
///
/// All calls may be made from any thread. Messages come through the library's own thread also while
/// the program does something else, so that the daemon does not take it for a slow reader.
///
/// ```no_run
/// use spread_client::{Connection, Service};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let connection = Connection::to("4803@localhost").private_name("example").connect()?;
/// connection.join("greetings")?;
/// connection.multicast(Service::Agreed, &["greetings"], 0, b"hello")?;
/// loop {
///     let message = connection.receive()?;
///     if !message.is_membership() {
///         println!("{} from {}", message.body.escape_ascii(), message.sender);
///         break;
///     }
/// }
/// connection.close()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Connection {
    mailbox: i32,
    private_group: Name,
    open: bool,
}

impl Connection {
    /// Begins a connect to the daemons of a name: `4803`, `4803@host`, a list, `srv:` names, options
    /// behind a `?`.
    #[must_use]
    pub fn to(spread_name: &str) -> Builder {
        Builder {
            spread_name: spread_name.to_owned(),
            private_name: String::new(),
            membership: true,
            limit: TimeLimit::None,
            conf: Conf::new(),
        }
    }

    /// The number of the mailbox, for the calls of this crate that take one.
    #[must_use]
    pub fn mailbox(&self) -> i32 {
        self.mailbox
    }

    /// The session's name at the daemon that it was opened with.
    #[must_use]
    pub fn private_group(&self) -> Name {
        self.private_group
    }

    /// Joins a group. The message that tells of it comes with the others.
    ///
    /// # Errors
    /// [`Error::IllegalGroup`], [`Error::ConnectionClosed`], [`Error::NetError`].
    pub fn join(&self, group: &str) -> Result<(), Error> {
        join(self.mailbox, group)
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// As [`join`](Self::join).
    pub fn leave(&self, group: &str) -> Result<(), Error> {
        leave(self.mailbox, group)
    }

    /// Sends a message to groups, which may be private groups. Blocks while the daemon does not take
    /// more.
    ///
    /// # Errors
    /// [`Error::IllegalGroup`], [`Error::MessageTooLong`], [`Error::ConnectionClosed`],
    /// [`Error::NetError`].
    pub fn multicast<G: AsRef<[u8]>>(
        &self,
        service: Service,
        groups: &[G],
        mess_type: i16,
        body: &[u8],
    ) -> Result<(), Error> {
        multicast(self.mailbox, service, groups, mess_type, body, None)
    }

    /// The same, waiting for at most `limit` (`None`: without a limit) until the daemon takes it.
    ///
    /// # Errors
    /// As [`multicast`](Self::multicast), and [`Error::TryAgain`]: nothing has been sent.
    pub fn multicast_within<G: AsRef<[u8]>>(
        &self,
        service: Service,
        groups: &[G],
        mess_type: i16,
        body: &[u8],
        limit: Option<Duration>,
    ) -> Result<(), Error> {
        multicast(self.mailbox, service, groups, mess_type, body, limit)
    }

    /// Receives the next message. Blocks until there is one.
    ///
    /// # Errors
    /// As [`receive_message`] without a limit.
    pub fn receive(&self) -> Result<Message, Error> {
        receive_message(self.mailbox, None)
    }

    /// Receives the next message, waiting for at most `limit`. `None`: none has come.
    ///
    /// # Errors
    /// As [`receive_message`].
    pub fn receive_for(&self, limit: Duration) -> Result<Option<Message>, Error> {
        match receive_message(self.mailbox, Some(limit)) {
            Ok(message) => Ok(Some(message)),
            Err(Error::TimedOut | Error::TryAgain) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Ends another thread's [`receive`](Self::receive), or the next one: [`Error::Interrupted`].
    pub fn interrupt(&self) {
        // A session that is gone has nobody waiting.
        let _ = interrupt(self.mailbox);
    }

    /// The oldest event that has not been taken yet; never waits.
    ///
    /// # Errors
    /// [`Error::IllegalSession`].
    pub fn next_event(&self) -> Result<Option<Event>, Error> {
        next_event(self.mailbox)
    }

    /// What the session has done, and how it stands.
    ///
    /// # Errors
    /// [`Error::IllegalSession`].
    pub fn stats(&self) -> Result<Stats, Error> {
        stats(self.mailbox)
    }

    /// Ends the session. Waits until the daemon has what was sent, within `disconnect_ms`.
    ///
    /// # Errors
    /// [`Error::IllegalSession`] if it was ended by its number.
    pub fn close(mut self) -> Result<(), Error> {
        self.open = false;
        close::disconnect(self.mailbox)
    }
}

impl AsRawFd for Connection {
    /// For `poll` and the like: readable while a receive would not block.
    fn as_raw_fd(&self) -> RawFd {
        self.mailbox
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if self.open {
            // It was ended by its number: nothing is left to do.
            let _ = close::disconnect(self.mailbox);
        }
    }
}

pub(crate) fn join(mailbox: i32, group: &str) -> Result<(), Error> {
    finish(Send::join(mailbox, group.as_bytes())?).map(drop)
}

pub(crate) fn leave(mailbox: i32, group: &str) -> Result<(), Error> {
    finish(Send::leave(mailbox, group.as_bytes())?).map(drop)
}

pub(crate) fn multicast<G: AsRef<[u8]>>(
    mailbox: i32,
    service: Service,
    groups: &[G],
    mess_type: i16,
    body: &[u8],
    limit: Option<Duration>,
) -> Result<(), Error> {
    let fields: Vec<[u8; 32]> = groups.iter().map(|g| group_field(g.as_ref())).collect();
    let body = [IoSlice::new(body)];
    let send = Send::multicast(
        mailbox,
        &Outgoing {
            service: service.bits().cast_signed(),
            num_groups: i32::try_from(fields.len()).unwrap_or(i32::MAX),
            groups: fields.as_flattened(),
            mess_type,
            body: &body,
            body_len: body[0].len() as u64,
            refusal: None,
        },
    )?;
    let send = match limit {
        Some(limit) => send.within(limit),
        None => send,
    };
    finish(send).map(drop)
}

/// Sends to the end.
fn finish(mut send: Send<'_>) -> Result<usize, Error> {
    loop {
        match send.step() {
            Progress::Done(result) => return result,
            Progress::Blocked => send.call.run(),
        }
    }
}
