//! Sessions for Rust programs that run on tokio (feature `tokio`; not in the C library).

use std::time::Duration;

use spread_proto::Name;
use tokio::io::unix::AsyncFd;
use tokio::task::spawn_blocking;

use crate::connection::{Builder, Connection, Service};
use crate::error::Error;
use crate::message::{Message, receive_message};
use crate::notice::Event;
use crate::stats::Stats;
use crate::sys::task::{self, Mailbox};

/// A session with a Spread daemon, for tasks. The blocking [`Connection`] is inside of it.
///
/// ```no_run
/// use spread_client::{AsyncConnection, Connection, Service};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Connection::to("4803@localhost").private_name("example");
/// let connection = AsyncConnection::connect(builder).await?;
/// connection.join("greetings").await?;
/// connection.multicast(Service::Agreed, &["greetings"], 0, b"hello").await?;
/// while let Ok(message) = connection.receive().await {
///     println!("{} bytes from {}", message.body.len(), message.sender);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct AsyncConnection {
    // Deregistered before the session is ended.
    mailbox: AsyncFd<Mailbox>,
    connection: Connection,
}

impl AsyncConnection {
    /// Connects, on a thread for blocking work. Dropping the future does not end the attempt; its
    /// session is ended as soon as it is there.
    ///
    /// # Errors
    /// As [`Builder::connect`]; [`Error::Bug`] outside of a tokio runtime with I/O.
    pub async fn connect(builder: Builder) -> Result<Self, Error> {
        let connection = spawn_blocking(move || builder.connect())
            .await
            .map_err(|_| Error::Bug)??;
        let mailbox = task::register(connection.mailbox()).map_err(|_| Error::Bug)?;
        Ok(Self {
            mailbox,
            connection,
        })
    }

    /// The blocking connection, for all that never waits.
    #[must_use]
    pub fn as_blocking(&self) -> &Connection {
        &self.connection
    }

    /// The session's name at the daemon that it was opened with.
    #[must_use]
    pub fn private_group(&self) -> Name {
        self.connection.private_group()
    }

    /// Receives the next message. Dropping the future loses none.
    ///
    /// # Errors
    /// As [`receive_message`] without a limit.
    pub async fn receive(&self) -> Result<Message, Error> {
        loop {
            // Before waiting: what has come before need not come again to be noticed.
            match receive_message(self.mailbox.get_ref().0, Some(Duration::ZERO)) {
                Err(Error::TryAgain) => {}
                result => return result,
            }
            let mut ready = self.mailbox.readable().await.map_err(|_| Error::Bug)?;
            match receive_message(self.mailbox.get_ref().0, Some(Duration::ZERO)) {
                Err(Error::TryAgain) => ready.clear_ready(),
                result => return result,
            }
        }
    }

    /// Sends a message to groups. Waits, on a thread for blocking work, while the daemon does not take
    /// more. A future that is dropped meanwhile has sent or will send the message.
    ///
    /// # Errors
    /// As [`Connection::multicast`].
    pub async fn multicast<G: AsRef<[u8]>>(
        &self,
        service: Service,
        groups: &[G],
        mess_type: i16,
        body: &[u8],
    ) -> Result<(), Error> {
        let now = Some(Duration::ZERO);
        match self
            .connection
            .multicast_within(service, groups, mess_type, body, now)
        {
            Err(Error::TryAgain) => {}
            result => return result,
        }
        let mailbox = self.connection.mailbox();
        let groups: Vec<Vec<u8>> = groups.iter().map(|g| g.as_ref().to_vec()).collect();
        let body = body.to_vec();
        spawn_blocking(move || {
            crate::connection::multicast(mailbox, service, &groups, mess_type, &body, None)
        })
        .await
        .map_err(|_| Error::Bug)?
    }

    /// Joins a group. The message that tells of it comes with the others.
    ///
    /// # Errors
    /// As [`Connection::join`].
    pub async fn join(&self, group: &str) -> Result<(), Error> {
        let (mailbox, group) = (self.connection.mailbox(), group.to_owned());
        spawn_blocking(move || crate::connection::join(mailbox, &group))
            .await
            .map_err(|_| Error::Bug)?
    }

    /// Leaves a group.
    ///
    /// # Errors
    /// As [`Connection::leave`].
    pub async fn leave(&self, group: &str) -> Result<(), Error> {
        let (mailbox, group) = (self.connection.mailbox(), group.to_owned());
        spawn_blocking(move || crate::connection::leave(mailbox, &group))
            .await
            .map_err(|_| Error::Bug)?
    }

    /// The oldest event that has not been taken yet; never waits.
    ///
    /// # Errors
    /// [`Error::IllegalSession`].
    pub fn next_event(&self) -> Result<Option<Event>, Error> {
        self.connection.next_event()
    }

    /// What the session has done, and how it stands.
    ///
    /// # Errors
    /// [`Error::IllegalSession`].
    pub fn stats(&self) -> Result<Stats, Error> {
        self.connection.stats()
    }

    /// Ends the session, on a thread for blocking work: it waits for the daemon, within
    /// `disconnect_ms`.
    ///
    /// # Errors
    /// [`Error::IllegalSession`] if it was ended by its number.
    pub async fn close(self) -> Result<(), Error> {
        let Self {
            mailbox,
            connection,
        } = self;
        drop(mailbox);
        spawn_blocking(move || connection.close())
            .await
            .map_err(|_| Error::Bug)?
    }
}
