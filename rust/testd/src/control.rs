//! Changing a running network.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};

use mio::Waker;
use spread_proto::is_legal_private_name;

use crate::daemons::DaemonSet;
use crate::error::Error;
use crate::event::Event;
use crate::fault::{CloseHow, SessionInfo, StreamFault};
use crate::network::Daemon;
use crate::shell::{Caller, Command, Shell};

/// Most connections for which something is prepared at once, so that a typing error costs no
/// memory.
const MAX_PREPARED: usize = 100_000;

/// Changes a running network; any number of threads may do so.
///
/// Each call returns when the change has been made. What follows from it, such as a new ring after
/// its [`Timing`](crate::Timing), comes later.
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) daemons: Vec<Daemon>,
    pub(crate) commands: Sender<Command>,
    pub(crate) waker: Arc<Waker>,
}

impl Control {
    /// The daemons, in the order of the configuration.
    #[must_use]
    pub fn daemons(&self) -> &[Daemon] {
        &self.daemons
    }

    /// The daemon of this number, from 0.
    ///
    /// # Panics
    ///
    /// If there is no such daemon.
    #[must_use]
    pub fn daemon(&self, index: usize) -> &Daemon {
        &self.daemons[index]
    }

    /// Kills a daemon, as SIGKILL does. Its clients' connections end at once, connects are refused,
    /// and the other daemons notice after [`Timing::crash`](crate::Timing::crash). Nothing if it is dead already.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    pub fn kill(&self, daemon: usize) -> Result<(), Error> {
        self.on_daemon(daemon, "kill", move |shell| shell.kill(daemon))
    }

    /// Starts a daemon again, at its old port, with no memory. One that is alive is killed first.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`], [`Error::Io`] if it cannot listen again; it is
    /// dead then.
    pub fn restart(&self, daemon: usize) -> Result<(), Error> {
        self.on_daemon(daemon, "restart", move |shell| shell.restart(daemon))??;
        Ok(())
    }

    /// Makes a daemon do nothing at all, as SIGSTOP does. Its connections stay, and the kernel
    /// accepts new ones for it. The other daemons notice after [`Timing::crash`](crate::Timing::crash).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    pub fn freeze(&self, daemon: usize) -> Result<(), Error> {
        self.on_daemon(daemon, "freeze", move |shell| shell.freeze(daemon))
    }

    /// Lets a frozen daemon go on. If the others have given it up, they take it in again after
    /// [`Timing::thaw`](crate::Timing::thaw).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    pub fn thaw(&self, daemon: usize) -> Result<(), Error> {
        self.on_daemon(daemon, "thaw", move |shell| shell.thaw(daemon))
    }

    /// Splits the network into sets of daemons that cannot reach each other; daemons in no set form
    /// one more. They notice after [`Timing::partition`](crate::Timing::partition).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Config`] if a daemon is in two sets, [`Error::Stopped`].
    pub fn partition<S: AsRef<[usize]>>(&self, sets: &[S]) -> Result<(), Error> {
        let mut seen = DaemonSet::EMPTY;
        let mut parts = Vec::new();
        for set in sets {
            for &daemon in set.as_ref() {
                self.check(daemon)?;
                if seen.contains(daemon) {
                    return Err(Error::Config(format!("daemon {daemon} is in two sets")));
                }
                seen.insert(daemon);
            }
            parts.push(set.as_ref().iter().copied().collect::<DaemonSet>());
        }
        self.call(move |shell| {
            shell.note(&Event::Fault(format!("partition {parts:?}")));
            let (core, sink) = shell.core_and_sink();
            core.partition(&parts, sink);
        })
    }

    /// Ends a partition. The parts come together after [`Timing::heal`](crate::Timing::heal).
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub fn heal(&self) -> Result<(), Error> {
        self.call(|shell| {
            shell.note(&Event::Fault("heal".to_owned()));
            let (core, sink) = shell.core_and_sink();
            core.heal(sink);
        })
    }

    /// Waits until everything that clients have sent before this call has been read and acted upon,
    /// as far as daemons read at present, so that what another client does next comes after it.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub fn settle(&self) -> Result<(), Error> {
        let (answer, answered) = channel();
        self.send(Box::new(move |shell| shell.settle(answer)))?;
        answered.recv().map_err(|_| Error::Stopped)
    }

    /// The sessions of all daemons, those in the handshake and ghosts included.
    ///
    /// # Errors
    ///
    /// [`Error::Stopped`].
    pub fn sessions(&self) -> Result<Vec<SessionInfo>, Error> {
        self.call(|shell| shell.sessions())
    }

    /// Ends the connection of a session, named by its private group (`#alice#d1`).
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSession`], [`Error::Stopped`].
    pub fn close_session(&self, session: &str, how: CloseHow) -> Result<(), Error> {
        self.on_session(session, move |shell, name| shell.close_session(name, how))
    }

    /// Makes something go wrong with a session's stream from here on. Several faults can be set.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSession`], [`Error::Stopped`].
    pub fn fault(&self, session: &str, fault: StreamFault) -> Result<(), Error> {
        self.on_session(session, move |shell, name| shell.add_fault(name, fault))
    }

    /// Ends all faults of a session's stream.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSession`], [`Error::Stopped`].
    pub fn clear_faults(&self, session: &str) -> Result<(), Error> {
        self.on_session(session, |shell, name| shell.clear_faults(name))
    }

    /// Makes something go wrong with each of the next connections of a daemon, from their first
    /// byte on.
    ///
    /// What is prepared by this and the following functions is used up in the order in which it was
    /// prepared, one for each connection.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    pub fn fault_next(&self, daemon: usize, count: usize, fault: StreamFault) -> Result<(), Error> {
        self.prepare(daemon, count, Caller::Faulty(fault))
    }

    /// Refuses the next connections of a daemon with this code. [`reject::AUTH`] comes where a real
    /// daemon sends it, after the client's choice of methods; any other code after its connect
    /// message.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    ///
    /// [`reject::AUTH`]: spread_proto::reject::AUTH
    pub fn refuse_next(&self, daemon: usize, count: usize, code: i8) -> Result<(), Error> {
        self.prepare(daemon, count, Caller::Refused(code))
    }

    /// Accepts the next connections of a daemon and never answers them.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    pub fn ignore_next(&self, daemon: usize, count: usize) -> Result<(), Error> {
        self.prepare(daemon, count, Caller::Ignored)
    }

    /// Closes the next connections of a daemon as soon as they are made.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    pub fn hang_up_next(&self, daemon: usize, count: usize) -> Result<(), Error> {
        self.prepare(daemon, count, Caller::HungUp)
    }

    /// Forgets what is prepared for the next connections of a daemon.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    pub fn clear_next(&self, daemon: usize) -> Result<(), Error> {
        self.check(daemon)?;
        self.call(move |shell| shell.prepare_nothing(daemon))
    }

    /// Takes a private name at a daemon, without a client: who asks for it gets
    /// [`reject::NOT_UNIQUE`](spread_proto::reject::NOT_UNIQUE) until it is
    /// [released](Self::release).
    ///
    /// # Errors
    ///
    /// [`Error::NameTaken`], [`Error::Config`] for a name that no client could have,
    /// [`Error::NoSuchDaemon`], [`Error::Stopped`].
    pub fn hold_name(&self, daemon: usize, private_name: &str) -> Result<(), Error> {
        self.check(daemon)?;
        if !is_legal_private_name(private_name.as_bytes()) {
            return Err(Error::Config(format!(
                "private name {private_name:?}: 1 to 10 printable characters without '#' are possible"
            )));
        }
        let name = private_name.as_bytes().to_vec();
        self.call(move |shell| shell.hold_name(daemon, &name))?
            .map_err(|_| Error::NameTaken(private_name.to_owned()))
    }

    /// Ends a ghost: a held name, or a session that was closed as one. The others see a disconnect.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchSession`] if there is no ghost of this private group, [`Error::Stopped`].
    pub fn release(&self, session: &str) -> Result<(), Error> {
        self.on_session(session, |shell, name| shell.release(name))
    }

    fn prepare(&self, daemon: usize, count: usize, caller: Caller) -> Result<(), Error> {
        self.check(daemon)?;
        if count > MAX_PREPARED {
            return Err(Error::Config(format!(
                "{count} connections: at most {MAX_PREPARED} can be prepared for"
            )));
        }
        self.call(move |shell| shell.prepare(daemon, count, &caller))
    }

    fn on_session(
        &self,
        session: &str,
        command: impl FnOnce(&mut Shell, &str) -> bool + Send + 'static,
    ) -> Result<(), Error> {
        let name = session.to_owned();
        if self.call(move |shell| command(shell, &name))? {
            Ok(())
        } else {
            Err(Error::NoSuchSession(session.to_owned()))
        }
    }

    fn check(&self, daemon: usize) -> Result<(), Error> {
        if daemon < self.daemons.len() {
            Ok(())
        } else {
            Err(Error::NoSuchDaemon {
                index: daemon,
                count: self.daemons.len(),
            })
        }
    }

    fn on_daemon<T: Send + 'static>(
        &self,
        daemon: usize,
        what: &'static str,
        command: impl FnOnce(&mut Shell) -> T + Send + 'static,
    ) -> Result<T, Error> {
        self.check(daemon)?;
        let name = self.daemons[daemon].name.clone();
        self.call(move |shell| {
            shell.note(&Event::Fault(format!("{what} {name}")));
            command(shell)
        })
    }

    /// Runs a command on the network's thread and waits for its result.
    pub(crate) fn call<T: Send + 'static>(
        &self,
        command: impl FnOnce(&mut Shell) -> T + Send + 'static,
    ) -> Result<T, Error> {
        let (answer, answered) = channel();
        self.send(Box::new(move |shell| {
            // Nobody waits any more if the caller's thread has died.
            let _ = answer.send(command(shell));
        }))?;
        answered.recv().map_err(|_| Error::Stopped)
    }

    pub(crate) fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).map_err(|_| Error::Stopped)?;
        self.waker.wake()?;
        Ok(())
    }
}
