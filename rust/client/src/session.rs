//! A session: what a mailbox number stands for.
//!
//! # Locks and who touches what
//!
//! | state | lock | touched by |
//! | --- | --- | --- |
//! | [`Rx`]: inbox, turn to receive, what the reader knows | `rx` | receivers, the reader, `SP_poll` |
//! | [`Tx`]: turn to send, joined groups | `tx` | senders |
//! | [`Notices`]: events for the program | its own | everybody |
//! | flags | atomics | everybody |
//!
//! The flush layer's state before `rx` before `tx` before the notices, where several are needed.
//! Neither is ever held while waiting for the network:
//! a thread that is going to wait enters itself as the *owner* of the turn, unlocks, waits, and
//! locks again. Whoever finds an owner does not read (or write) the link.

use std::collections::{BTreeSet, VecDeque};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError, Weak};
use std::time::{Duration, Instant};

use spread_proto::Name;

use crate::auto::{Auto, Place};
use crate::claim::{Claim, Taken};
use crate::cork::Collected;
use crate::epoch::{Epoch, Views};
use crate::flush::Flush;
use crate::held::{self, ThreadToken, Turn};
use crate::inbox::Inbox;
use crate::known;
use crate::notice::{Ending, Event, Notices};
use crate::options::Options;
use crate::reader;
use crate::restore;
use crate::spill::Spill;
use crate::sweep::Candidate;
use crate::sys::fd::{self, Landing, SharedFd};
use crate::window::{self, Tap, Window};

/// What the mailbox number is (design: the two kinds of mailbox).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The link's socket itself. While the inbox holds a complete message, at least one byte stays
    /// unread in it, so that the kernel keeps it readable.
    Socket,
    /// One end of a socket pair, in which a token byte lies while a receive would not block.
    Stable,
}

/// One connection to one daemon.
///
/// What is told of the daemon holds for the first link of a session; [`Tx::place`] tells of later
/// ones.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) fd: SharedFd,
    pub(crate) private_group: Name,
    /// Names the daemon among others of this process: its address as text.
    pub(crate) daemon: String,
    pub(crate) candidate: Candidate,
}

/// The receiving half.
#[derive(Debug, Default)]
pub(crate) struct Rx {
    pub(crate) inbox: Inbox,
    /// What comes after it, where that is on disk or on its way there.
    pub(crate) spill: Option<Box<Spill>>,
    /// What comes after both, of later links.
    pub(crate) later: VecDeque<Epoch>,
    /// The session's name on the link that `inbox` came over, if that is not the first.
    pub(crate) own: Option<Name>,
    /// Groups in which the program has seen itself (sessions that outlive their link).
    pub(crate) views: Views,
    /// The link has ended, and is being restored.
    pub(crate) outage: bool,
    /// The thread that waits on the link.
    pub(crate) owner: Option<ThreadToken>,
    /// It does not, but waits for the disk: the reader may go on meanwhile.
    pub(crate) at_disk: bool,
    /// Threads that wait for the turn.
    pub(crate) queued: usize,
    /// The message at the head has been refused as too short; its sizes are known to the program.
    pub(crate) refused: bool,
    /// The link's stream has ended, and nothing more can be read.
    pub(crate) ended: bool,
    /// More than one message was waiting at the last look: read in bulk.
    pub(crate) bulk: bool,
    /// A receiver of frames is to return without a message.
    pub(crate) woken: bool,
    /// A token lies in the mailbox (stable kind).
    pub(crate) token: bool,
    /// The library's end of the mailbox (stable kind), until the session is closed.
    pub(crate) far: Option<OwnedFd>,
    /// Bytes of the present message that have left the inbox and the socket, and are in the buffers
    /// of the owner. Not 0 only for the moments in which it waits for more without letting go.
    pub(crate) in_hand: usize,
    /// Why the link was lost last, as far as it can be told.
    pub(crate) loss: Option<String>,
    /// Messages that the program has been given.
    pub(crate) taken: u64,
    /// Their bytes on the wire.
    pub(crate) taken_bytes: u64,
    /// How the reader and this link stand.
    pub(crate) watch: reader::Watch,
}

/// The sending half.
#[derive(Debug, Default)]
pub(crate) struct Tx {
    /// The thread that is in the middle of a frame.
    pub(crate) owner: Option<ThreadToken>,
    /// Threads that wait for the turn.
    pub(crate) queued: usize,
    /// The tick in which the mailbox was last seen to be ours (stable kind).
    pub(crate) seen_ours: i64,
    /// Messages that are collected.
    pub(crate) collected: Collected,
    /// A message with data has been sent.
    pub(crate) sent_data: bool,
    /// How many have been.
    pub(crate) sent: u64,
    /// Their bytes on the wire.
    pub(crate) sent_bytes: u64,
    /// The time that sends have waited for room.
    pub(crate) blocked: Duration,
    /// Since when the present owner waits for room.
    pub(crate) blocked_since: Option<Instant>,
    /// Groups that were joined and not left, as far as this side has asked.
    pub(crate) joined: BTreeSet<[u8; 32]>,
    /// Groups that were left, of which the program has not been told yet (sessions that outlive
    /// their link).
    pub(crate) left: BTreeSet<[u8; 32]>,
    /// Where the session is, if it has not stayed at its first daemon.
    pub(crate) place: Option<Place>,
    /// A warning about many groups has been given.
    pub(crate) warned_groups: bool,
    /// How many of its own messages the session may have under way, if that is limited.
    pub(crate) window: Option<Box<Window>>,
}

impl Rx {
    /// The program gets so many messages, with so many bytes on the wire.
    #[inline]
    pub(crate) fn gives(&mut self, messages: u64, bytes: usize) {
        self.taken += messages;
        self.taken_bytes += bytes as u64;
    }

    /// In a forked child: only the forking thread is there.
    pub(crate) fn forget_other_threads(&mut self, me: ThreadToken) {
        self.at_disk = false;
        if self.owner != Some(me) {
            self.owner = None;
            // The parent's thread completes the message; here its beginning is missing for ever.
            self.ended |= std::mem::take(&mut self.in_hand) > 0;
        }
        self.queued = 0;
        for spill in self.spills() {
            spill.stop_writing_in_child();
        }
        self.watch.reset();
    }
}

impl Tx {
    /// The owner has stopped waiting for room.
    pub(crate) fn note_unblocked(&mut self) {
        if let Some(since) = self.blocked_since.take() {
            self.blocked += since.elapsed();
        }
    }

    /// In a forked child: only the forking thread is there. A frame of which another thread had
    /// sent a part is completed by that thread in the parent.
    pub(crate) fn forget_other_threads(&mut self, me: ThreadToken) {
        if self.owner != Some(me) {
            self.owner = None;
        }
        self.queued = 0;
        // The parent sends it.
        self.collected.clear();
        if let Some(window) = &mut self.window {
            window.forget_other_threads();
        }
    }
}

/// One session. See the module's table for its locks.
#[derive(Debug)]
pub(crate) struct Session {
    key: u64,
    me: Weak<Self>,
    pub(crate) mailbox: SharedFd,
    pub(crate) kind: Kind,
    pub(crate) link: Link,
    pub(crate) options: Options,
    pub(crate) landing: Landing,
    pub(crate) claim: Claim,
    /// The loss of the connection has been reported, or a send has failed.
    failed: AtomicBool,
    /// The reader or a receiver has seen the end of the stream.
    pub(crate) ended: AtomicBool,
    /// The program has shut down the mailbox's number.
    pub(crate) ended_by_program: AtomicBool,
    /// The program has disconnected; only threads that are still inside know this session.
    pub(crate) closed: AtomicBool,
    /// Collected messages wait to be sent. Set and cleared with the sending half locked.
    pub(crate) batched: AtomicBool,
    rx: Mutex<Rx>,
    pub(crate) rx_free: Condvar,
    tx: Mutex<Tx>,
    pub(crate) tx_free: Condvar,
    pub(crate) notices: Notices,
    /// What the flush layer knows, if the session was opened through it. Its lock comes before `rx`.
    pub(crate) flush: OnceLock<Flush>,
    /// What it takes to come back, for sessions that do.
    pub(crate) auto: Option<Box<Auto>>,
}

impl Session {
    /// A session over a link whose handshake is done.
    pub(crate) fn new(
        link: Link,
        mailbox: SharedFd,
        far: Option<OwnedFd>,
        options: Options,
        claim: Claim,
        auto: Option<Box<Auto>>,
    ) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let window = Window::new(options.send_window);
        let mut inbox = Inbox::default();
        inbox.set_tap(window.is_some().then(|| Tap::new(link.private_group)));
        Arc::new_cyclic(|me| Self {
            me: Weak::clone(me),
            key: NEXT.fetch_add(1, Ordering::Relaxed),
            mailbox,
            kind: if far.is_some() {
                Kind::Stable
            } else {
                Kind::Socket
            },
            link,
            options,
            landing: Landing::default(),
            claim,
            failed: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            ended_by_program: AtomicBool::new(false),
            closed: AtomicBool::new(false),
            batched: AtomicBool::new(false),
            rx: Mutex::new(Rx {
                inbox,
                far,
                ..Rx::default()
            }),
            rx_free: Condvar::new(),
            tx: Mutex::new(Tx {
                window,
                ..Tx::default()
            }),
            tx_free: Condvar::new(),
            notices: Notices::default(),
            flush: OnceLock::new(),
            auto,
        })
    }

    /// Names the session for as long as the process lives; mailbox numbers are used again.
    pub(crate) fn key(&self) -> u64 {
        self.key
    }

    /// A reference of its own, unless nobody else has one any more.
    pub(crate) fn me(&self) -> Option<Arc<Self>> {
        self.me.upgrade()
    }

    /// The number that programs hold.
    pub(crate) fn mailbox(&self) -> RawFd {
        self.mailbox.raw()
    }

    /// The descriptor that the daemon's bytes come from.
    pub(crate) fn link_fd(&self) -> RawFd {
        self.link.fd.raw()
    }

    /// Locks the receiving half. A panic under the lock was a defect of ours; the inbox is a whole
    /// stream at every moment, so going on is sound.
    pub(crate) fn rx(&self) -> MutexGuard<'_, Rx> {
        self.rx.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same, if nobody has the lock at this moment.
    #[inline]
    pub(crate) fn rx_now(&self) -> Option<MutexGuard<'_, Rx>> {
        match self.rx.try_lock() {
            Ok(rx) => Some(rx),
            Err(TryLockError::Poisoned(error)) => Some(error.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Locks the sending half.
    pub(crate) fn tx(&self) -> MutexGuard<'_, Tx> {
        self.tx.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the loss has been reported.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// From active to the error state.
    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    /// Takes note that the link's stream has ended. The session ends with it, or is restored.
    pub(crate) fn end(&self, rx: &mut Rx) {
        let closed = self.closed.load(Ordering::Acquire);
        let by_program = self.ended_by_program.load(Ordering::Acquire) || !self.mailbox.is_ours();
        if closed || by_program {
            self.finish(rx, Ending::ByProgram);
            return;
        }
        if !rx.outage && !self.ended.load(Ordering::Acquire) {
            reader::note_loss(self, rx);
        }
        if !self.lose(rx) {
            if !self.ended.load(Ordering::Acquire) {
                let candidate = self.candidate();
                known::note_failure(&candidate.endpoint);
                self.tell(Event::DaemonLost {
                    daemon: candidate.endpoint.to_string(),
                });
            }
            self.finish(rx, Ending::DaemonGone);
        }
    }

    /// The session has ended: there is no link, and will be none.
    pub(crate) fn finish(&self, rx: &mut Rx, ending: Ending) {
        rx.ended = true;
        rx.outage = false;
        let first = !self.ended.swap(true, Ordering::AcqRel);
        if first && !self.closed.load(Ordering::Acquire) {
            self.tell(Event::Closed(ending));
        }
        window::wake_all(self);
        if let Some(auto) = &self.auto {
            auto.wake_all();
            restore::changed(self);
        }
    }

    /// Shuts the link down, which wakes whoever waits on it and tells the daemon; but not where
    /// another process may be using the connection.
    pub(crate) fn shut_down(&self) {
        if !self.claim.is_shared() && self.link.fd.is_ours() {
            fd::shut_down(self.link_fd());
        }
    }

    /// Whether this process has given the connection up without ending it (`SP_kill` after a
    /// fork): its numbers may be somebody else's by now.
    pub(crate) fn is_gone_here(&self) -> bool {
        self.closed.load(Ordering::Acquire) && self.claim.is_shared()
    }

    /// Puts the token in or takes it out, as the inbox is now. Only the stable kind has one.
    pub(crate) fn settle_token(&self, rx: &mut Rx) {
        if let Some(far) = &rx.far {
            let want = rx.has_something() || rx.watch.left || self.has_failed();
            if want && !rx.token {
                rx.token = fd::write_now(far.as_raw_fd(), &[1]).is_ok();
            } else if !want && rx.token && self.mailbox.is_ours() {
                self.take_all_tokens(rx);
            }
        }
    }

    /// Puts a token in, whether it is needed or not. The receiver that it wakes settles it.
    pub(crate) fn put_token(&self, rx: &mut Rx) {
        if let Some(far) = &rx.far
            && !rx.token
        {
            rx.token = fd::write_now(far.as_raw_fd(), &[1]).is_ok();
        }
    }

    /// Takes the token out, whatever the inbox holds, before a receiver waits for the mailbox too.
    pub(crate) fn drop_token(&self, rx: &mut Rx) {
        if rx.token && self.mailbox.is_ours() {
            self.take_all_tokens(rx);
        }
    }

    /// An arrival behind others: a fresh token first, then the old one out, so that the mailbox
    /// gives an edge per arrival as a socket does.
    pub(crate) fn renew_token(&self, rx: &mut Rx) {
        if let Some(far) = &rx.far
            && rx.token
            && self.mailbox.is_ours()
            && fd::write_now(far.as_raw_fd(), &[1]).is_ok()
        {
            let _ = fd::read_now(self.mailbox(), &mut [0]);
        }
        self.settle_token(rx);
    }

    /// A thread is gone that held a turn. It gave no answer, so its call counts as never finished.
    pub(crate) fn abandon(&self, turn: Turn, who: ThreadToken) {
        match turn {
            Turn::Receive => {
                let mut rx = self.rx();
                if rx.owner == Some(who) {
                    rx.owner = None;
                    reader::returned(self, &mut rx);
                    self.rx_free.notify_all();
                }
            }
            Turn::Send => {
                let mut tx = self.tx();
                if tx.owner == Some(who) {
                    tx.owner = None;
                    tx.note_unblocked();
                    // Half a frame may be out: nothing can follow it.
                    self.fail();
                    self.tx_free.notify_all();
                }
            }
            Turn::Window => {
                if let Some(window) = &mut self.tx().window {
                    window.abandon(who);
                }
            }
            Turn::FlushReceive | Turn::FlushSend => {
                if let Some(flush) = self.flush.get() {
                    flush.abandon(turn, who);
                }
            }
        }
    }

    /// The program has closed the mailbox's number. The classic library has no descriptor to receive
    /// from then, so what had come is not delivered any more.
    pub(crate) fn number_is_gone(&self, rx: &mut Rx) {
        rx.inbox = Inbox::default();
        rx.spill = None;
        rx.later.clear();
        rx.refused = false;
        self.finish(rx, Ending::ByProgram);
    }

    /// Before something is taken back from the disk: has it come to memory. The lock of the receiving half
    /// is given up while that takes its time, and the turn is kept.
    pub(crate) fn wait_for_disk<'s>(&'s self, rx: MutexGuard<'s, Rx>) -> MutexGuard<'s, Rx> {
        let Some(cold) = rx.spill.as_ref().and_then(|spill| spill.cold()) else {
            return rx;
        };
        let mut rx = rx;
        rx.owner = Some(held::token());
        rx.at_disk = true;
        drop(rx);
        cold.warm_up();
        rx = self.rx();
        rx.owner = None;
        rx.at_disk = false;
        rx
    }

    /// Whether the link's number still stands for the link.
    pub(crate) fn link_is_ours(&self) -> bool {
        self.link.fd.is_ours()
    }

    /// This process has got the claim of reading.
    pub(crate) fn now_mine(&self, rx: &mut Rx, taken: Taken) {
        if taken == Taken::FromOther {
            // The other process has gone on in the stream from where both were.
            rx.inbox = Inbox::default();
            if self.options.send_window > 0 {
                rx.inbox.set_tap(Some(Tap::new(self.private_group())));
            }
            rx.spill = None;
            rx.later.clear();
            rx.refused = false;
            rx.bulk = false;
        }
        for spill in rx.spills() {
            spill.send_off_again(self);
        }
        if self.kind == Kind::Stable && self.mailbox.is_ours() {
            self.take_all_tokens(rx);
            self.claim.unmark_token();
            self.settle_token(rx);
        }
    }

    /// Takes out what lies in the mailbox, also tokens that other processes have put there.
    fn take_all_tokens(&self, rx: &mut Rx) {
        while fd::read_now(self.mailbox(), &mut [0; 16]).is_ok_and(|count| count > 0) {}
        rx.token = false;
    }
}
