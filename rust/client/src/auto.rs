//! Sessions that outlive their link (`failover=auto`): what a session keeps for that, and the
//! moments at which it loses a link and gets another.
//!
//! The link's number stays the same: the new socket takes the place of the old one under it. So
//! whoever waits on the number, or is about to read from it, works on the present link, and a frame
//! that was cut short by the loss is told by [`Auto::generation`].

use std::collections::BTreeSet;
use std::fmt;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use spread_proto::Name;

use crate::epoch::Epoch;
use crate::inbox::Inbox;
use crate::known;
use crate::notice::{Ending, Event, Reconnected};
use crate::reader;
use crate::reason;
use crate::restore;
use crate::search::Wanted;
use crate::session::{Rx, Session, Tx};
use crate::sweep::Candidate;
use crate::sys::fd;
use crate::window::{self, Tap};

/// Runs all authentication methods of a program on a connected socket; true if each of them
/// succeeded. Called on a thread of the library's own, and again, on another one, while it still
/// runs: an attempt that it has held up for too long has failed.
#[derive(Clone)]
pub struct MethodRunner(pub Arc<dyn Fn(RawFd) -> bool + Send + Sync>);

impl fmt::Debug for MethodRunner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MethodRunner")
    }
}

/// What a session keeps to be able to come back.
#[derive(Debug)]
pub(crate) struct Auto {
    /// What was asked for when it connected.
    pub(crate) wanted: Wanted,
    /// Runs the program's methods; none where all of them always succeed.
    pub(crate) methods: Option<MethodRunner>,
    /// Counts the links.
    generation: AtomicU64,
    /// There is no link, or the one there is has failed.
    down: AtomicBool,
    /// The present daemon has been told good-bye, for another one that waits.
    leaving: AtomicBool,
    /// Readable while there is a link, and when there will be none any more.
    up: OwnedFd,
}

/// Where a session is.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) private_group: Name,
    pub(crate) daemon: String,
    pub(crate) candidate: Candidate,
}

impl Auto {
    pub(crate) fn new(wanted: Wanted, methods: Option<MethodRunner>) -> std::io::Result<Self> {
        let up = fd::move_high(fd::bell()?);
        fd::ring(&up);
        Ok(Self {
            wanted,
            methods,
            generation: AtomicU64::new(0),
            down: AtomicBool::new(false),
            leaving: AtomicBool::new(false),
            up,
        })
    }

    /// Which link it is, by number.
    pub(crate) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether sending has to wait.
    pub(crate) fn is_down(&self) -> bool {
        self.down.load(Ordering::Acquire)
    }

    /// What becomes readable when sending need not wait any longer.
    pub(crate) fn up(&self) -> RawFd {
        self.up.as_raw_fd()
    }

    /// Whether the daemon sends membership messages.
    pub(crate) fn membership(&self) -> bool {
        self.wanted.request.membership
    }

    /// The daemon is left on purpose.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
        self.go_down();
    }

    /// No frame is begun any more on this link.
    pub(crate) fn go_down(&self) {
        if !self.down.swap(true, Ordering::AcqRel) {
            fd::silence(&self.up);
        }
    }

    fn come_up(&self) {
        self.down.store(false, Ordering::Release);
        fd::ring(&self.up);
    }

    /// Wakes those who wait to send: the session has ended.
    pub(crate) fn wake_all(&self) {
        fd::ring(&self.up);
    }
}

/// A new link, ready to be handed over.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) socket: OwnedFd,
    /// What has come over it.
    pub(crate) inbox: Inbox,
    pub(crate) place: Place,
    /// Groups that were joined on it.
    pub(crate) joined: BTreeSet<[u8; 32]>,
    /// Groups that were joined on it and left again: the daemon tells of them.
    pub(crate) told: BTreeSet<[u8; 32]>,
    pub(crate) gap: Duration,
    pub(crate) attempts: u32,
}

/// What became of a hand-over.
#[derive(Debug)]
pub(crate) enum Resumed {
    Done,
    /// The program has joined or left groups meanwhile.
    Changed(Box<Fresh>),
    /// The session has ended.
    Over,
}

impl Session {
    /// What it takes to come back, if the session does.
    pub(crate) fn comes_back(&self) -> Option<&Auto> {
        self.auto.as_deref()
    }

    /// The session's name at its daemon, as it is now.
    pub(crate) fn private_group(&self) -> Name {
        if self.auto.is_none() {
            return self.link.private_group;
        }
        let tx = self.tx();
        tx.place
            .as_ref()
            .map_or(self.link.private_group, |place| place.private_group)
    }

    /// Where the session's daemon is, or was.
    pub(crate) fn daemon(&self) -> String {
        if self.auto.is_none() {
            return self.link.daemon.clone();
        }
        let tx = self.tx();
        tx.place
            .as_ref()
            .map_or_else(|| self.link.daemon.clone(), |place| place.daemon.clone())
    }

    /// The place in the program's list that the session is at, and its address.
    pub(crate) fn candidate(&self) -> Candidate {
        let tx = self.tx();
        tx.place.as_ref().map_or_else(
            || self.link.candidate.clone(),
            |place| place.candidate.clone(),
        )
    }

    /// Whether nothing is half way that a move to another daemon would cut: no frame on its way out or
    /// in, and no change of a flush group. A session whose inbox is full would not take what its daemon
    /// still has for it.
    pub(crate) fn is_between_transactions(&self) -> bool {
        if let Some(flush) = self.flush.get()
            && !flush.lock().machine_is_steady()
        {
            return false;
        }
        let rx = self.rx();
        if rx.outage || rx.in_hand > 0 || rx.watch.flow.is_full() {
            return false;
        }
        let tx = self.tx();
        tx.owner.is_none() && tx.queued == 0
    }

    /// The link has ended. True: it will be restored, and nothing has ended for the program.
    pub(crate) fn lose(&self, rx: &mut Rx) -> bool {
        let Some(auto) = self.comes_back() else {
            return false;
        };
        if rx.outage {
            return true;
        }
        if !self.claim.is_mine() || self.has_failed() {
            return false;
        }
        auto.go_down();
        rx.ended = true;
        rx.outage = true;
        let candidate = self.candidate();
        let daemon = self.daemon();
        if auto.leaving.swap(false, Ordering::AcqRel) {
            tracing::info!(daemon, "the daemon is left");
        } else {
            known::note_failure(&candidate.endpoint);
            tracing::warn!(daemon, "the daemon is lost; the session is being restored");
        }
        self.tell(Event::DaemonLost { daemon });
        window::wake_all(self);
        if !restore::begin(self) {
            self.finish(rx, Ending::NotRestored);
        }
        true
    }

    /// A send has failed, with the sending half locked: no further one is tried on this link. The
    /// reader finds the end once everything that came before is read.
    pub(crate) fn link_has_failed(&self) {
        if let Some(auto) = &self.auto {
            auto.go_down();
            fd::shut_down(self.link_fd());
            reader::look(self);
        }
    }

    /// Hands a new link over.
    pub(crate) fn resume(&self, fresh: Box<Fresh>) -> Resumed {
        let Some(auto) = &self.auto else {
            return Resumed::Over;
        };
        let mut rx = self.rx();
        if !rx.outage || self.closed.load(Ordering::Acquire) {
            return Resumed::Over;
        }
        let mut tx = self.tx();
        if tx.joined != fresh.joined {
            return Resumed::Changed(fresh);
        }
        // Somebody else's file by now?
        if !self.link_is_ours() {
            drop(tx);
            self.finish(&mut rx, Ending::ByProgram);
            return Resumed::Over;
        }
        let Fresh {
            socket,
            inbox,
            place,
            joined,
            told,
            gap,
            attempts,
        } = *fresh;
        reader::unwatch_link(self, &mut rx);
        // Whoever still waits on the old one wakes.
        fd::shut_down(self.link_fd());
        if fd::take_place(&socket, self.link_fd()).is_err() {
            drop(tx);
            self.finish(&mut rx, Ending::NotRestored);
            return Resumed::Over;
        }
        self.link.fd.renew();
        let mut inbox = inbox;
        if let Some(window) = &mut tx.window {
            let mut tap = Tap::new(place.private_group);
            inbox.show(&mut tap);
            inbox.set_tap(Some(tap));
            window.restart();
        }
        let left = std::mem::take(&mut tx.left);
        let left = left.into_iter().filter(|group| !told.contains(group));
        rx.later.push_back(Epoch {
            inbox,
            spill: None,
            own: place.private_group,
            left: left.collect(),
            marks: auto.membership(),
        });
        rx.ended = false;
        rx.outage = false;
        rx.bulk = false;
        let old = tx
            .place
            .replace(place.clone())
            .map_or(self.link.private_group, |place| place.private_group);
        auto.generation.fetch_add(1, Ordering::AcqRel);
        auto.come_up();
        drop(tx);
        reader::watch_link(self, &mut rx);
        window::settle(self, &mut rx);
        self.settle_token(&mut rx);
        if rx.owner.is_some() {
            // It waits on the mailbox and has to go over to the link.
            self.put_token(&mut rx);
        }
        tracing::info!(daemon = place.daemon, ?gap, "the session goes on");
        self.tell(Event::Reconnected(Box::new(Reconnected {
            old_private_group: old,
            private_group: place.private_group,
            daemon: place.daemon,
            gap,
            groups: u32::try_from(joined.len()).unwrap_or(u32::MAX),
            attempts,
            outages: 1,
        })));
        Resumed::Done
    }

    /// For `SPX_last_error`: why a session that comes back does so no more.
    pub(crate) fn say_why_it_ended(&self) {
        if self.comes_back().is_some()
            && !self.closed.load(Ordering::Acquire)
            && !self.ended_by_program.load(Ordering::Acquire)
        {
            reason::because(format!(
                "the daemon at {} is lost, and no other one has taken the session within {} ms (reconnect_for_ms)",
                self.daemon(),
                self.options.reconnect_for_ms
            ));
        }
    }

    /// There will be no other link.
    pub(crate) fn give_up(&self) {
        let mut rx = self.rx();
        if rx.outage {
            self.finish(&mut rx, Ending::NotRestored);
            self.settle_token(&mut rx);
        }
    }

    /// The groups that the program is in, as it has asked, for the restore.
    pub(crate) fn wanted_groups(&self) -> BTreeSet<[u8; 32]> {
        self.tx().joined.clone()
    }
}

impl Tx {
    /// A join or leave while there is no link: it counts when there is one.
    pub(crate) fn note_in_outage(&mut self, group: [u8; 32], join: bool) {
        if join {
            self.joined.insert(group);
        } else if self.joined.remove(&group) {
            self.left.insert(group);
        }
    }
}

/// The session's name at its daemon. With `failover=auto` it changes when the daemon does.
///
/// # Errors
/// [`crate::Error::IllegalSession`].
pub fn private_group(mailbox: i32) -> Result<Name, crate::Error> {
    let session = crate::table::find(mailbox).ok_or(crate::Error::IllegalSession)?;
    Ok(session.private_group())
}

/// Where the session's daemon is (or was, while it is lost): an address and port, or a path.
///
/// # Errors
/// [`crate::Error::IllegalSession`].
pub fn daemon(mailbox: i32) -> Result<String, crate::Error> {
    let session = crate::table::find(mailbox).ok_or(crate::Error::IllegalSession)?;
    Ok(session.daemon())
}

/// Has a session with `failover=auto` move to another daemon of its name: a new link is made first,
/// then the old daemon is told good-bye, and what it has still sent is received. Returns at once;
/// the events [`Event::DaemonLost`] and [`Event::Reconnected`] tell of the move. Where no other
/// daemon accepts, the session stays where it is.
///
/// # Errors
/// [`crate::Error::IllegalSession`]; [`crate::Error::NetError`] if the session has ended or is not
/// one that comes back.
pub fn reconnect(mailbox: i32) -> Result<(), crate::Error> {
    let session = crate::table::find(mailbox).ok_or(crate::Error::IllegalSession)?;
    if session.comes_back().is_none()
        || session.has_failed()
        || session.ended.load(Ordering::Acquire)
    {
        return Err(crate::Error::NetError);
    }
    if restore::begin_move(&session) {
        Ok(())
    } else {
        Err(crate::Error::NetError)
    }
}
