//! Sending: one system call per message, on the caller's thread.
//!
//! A message that the kernel takes at once is handed over in one prompt `sendmsg` of header, groups
//! and all pieces of the body; nothing is copied. Only where the daemon pushes back does the thread
//! become the owner of the turn and wait, as a machine like [`crate::receive`].

use std::io::IoSlice;
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use spread_proto::{ByteOrder, Header, Hint, Name, limits, service};

use crate::batch;
use crate::error::Error;
use crate::held::{self, Turn};
use crate::reader;
use crate::room::Progress;
use crate::session::{Kind, Session, Tx};
use crate::sys::blocking::BlockingCall;
use crate::sys::{clock, fd};

/// Most pieces of one system call.
const MAX_PARTS: usize = 1024;

/// What to send. Groups are 32 bytes each, as the program has them.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Service and other bits, as the program says.
    pub service: i32,
    /// Number of destinations, as the program says.
    pub num_groups: i32,
    /// The destinations: 32 bytes each. Only looked at if `num_groups` is within bounds.
    pub groups: &'a [u8],
    /// The program's own type.
    pub mess_type: i16,
    /// The pieces of the body.
    pub body: &'a [IoSlice<'a>],
    /// Length of the body, summed without overflow.
    pub body_len: u64,
    /// What the caller has found wrong with its arguments. Told after all classic checks.
    pub refusal: Option<Error>,
}

/// What kind of frame a [`Send`] is; decides what the session remembers of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Message,
    Join,
    Leave,
    Kill,
    /// Nothing of its own: what has been collected.
    Flush,
}

/// One frame on its way.
#[derive(Debug)]
pub struct Send<'a> {
    session: ManuallyDrop<Option<Arc<Session>>>,
    key: u64,
    /// The blocking call to make after a step said [`Progress::Blocked`].
    pub call: BlockingCall,
    head: [u8; spread_proto::HEADER_LEN],
    own_group: [u8; 32],
    what: What,
    groups: &'a [u8],
    body: &'a [IoSlice<'a>],
    body_len: usize,
    total: usize,
    sent: usize,
    waited: bool,
}

/// The first checks of a multicast, which come before the session is looked at.
///
/// # Errors
/// [`Error::IllegalService`] without any service bit.
pub fn check_service(service: i32) -> Result<(), Error> {
    if service.cast_unsigned() & service::REGULAR_MESS == 0 {
        return Err(Error::IllegalService);
    }
    Ok(())
}

/// The session with this mailbox, if it can still send.
pub(crate) fn live_session(mailbox: i32) -> Result<Arc<Session>, Error> {
    let session = crate::table::find(mailbox).ok_or(Error::IllegalSession)?;
    if session.has_failed() {
        return Err(Error::NetError);
    }
    Ok(session)
}

/// Whether `mailbox` could send now: the checks that come after those of the service type.
///
/// # Errors
/// [`Error::IllegalSession`], [`Error::NetError`].
pub fn check_session(mailbox: i32) -> Result<(), Error> {
    live_session(mailbox).map(drop)
}

impl<'a> Send<'a> {
    /// A multicast.
    ///
    /// # Errors
    /// In this order, as the classic library does and then our own refusals:
    /// [`Error::IllegalService`], [`Error::IllegalSession`], [`Error::NetError`],
    /// [`Error::MessageTooLong`], [`Error::IllegalService`] (bits that a daemon punishes),
    /// [`Error::IllegalGroup`], and what the message itself says.
    pub fn multicast(mailbox: i32, message: &Outgoing<'a>) -> Result<Self, Error> {
        check_service(message.service)?;
        let session = live_session(mailbox)?;
        let kind = message.service.cast_unsigned() & !spread_proto::MARKERS;
        let groups_len = 32 * u64::try_from(message.num_groups).unwrap_or(0);
        if message.body_len.saturating_add(groups_len) > session.options.max_message as u64 {
            return Err(Error::MessageTooLong);
        }
        if !service::is_single_service(kind) || kind & service::NEVER_SENT != 0 {
            return Err(Error::IllegalService);
        }
        if usize::try_from(message.num_groups).is_ok_and(|n| n <= limits::MAX_GROUPS) {
            if let Some(refusal) = message.refusal {
                return Err(refusal);
            }
        } else {
            return Err(Error::IllegalGroup);
        }
        let body_len = usize::try_from(message.body_len).map_err(|_| Error::MessageTooLong)?;
        Ok(Self::frame(
            session,
            What::Message,
            kind,
            Hint::new(message.mess_type, ByteOrder::NATIVE),
            message.groups,
            message.body,
            body_len,
        ))
    }

    /// A join.
    ///
    /// # Errors
    /// [`Error::IllegalGroup`] first, then [`Error::IllegalSession`], [`Error::NetError`].
    pub fn join(mailbox: i32, group: &[u8]) -> Result<Self, Error> {
        Self::control(mailbox, What::Join, service::JOIN, group)
    }

    /// A leave. Errors as [`join`](Self::join).
    ///
    /// # Errors
    /// [`Error::IllegalGroup`] first, then [`Error::IllegalSession`], [`Error::NetError`].
    pub fn leave(mailbox: i32, group: &[u8]) -> Result<Self, Error> {
        Self::control(mailbox, What::Leave, service::LEAVE, group)
    }

    fn control(mailbox: i32, what: What, kind: u32, group: &[u8]) -> Result<Self, Error> {
        if !spread_proto::is_legal_group(group) {
            return Err(Error::IllegalGroup);
        }
        let session = live_session(mailbox)?;
        let mut send = Self::frame(session, what, kind, Hint::NONE, &[], &[], 0);
        send.own_group[..group.len()].copy_from_slice(group);
        Ok(send)
    }

    /// Collects no more, and sends what has been collected.
    ///
    /// # Errors
    /// [`Error::IllegalSession`], [`Error::NetError`].
    pub fn uncork(mailbox: i32) -> Result<Self, Error> {
        let session = live_session(mailbox)?;
        session.tx().batch.corked = false;
        let mut send = Self::frame(session, What::Flush, 0, Hint::NONE, &[], &[], 0);
        send.total = 0;
        Ok(send)
    }

    /// The good-bye of a session that is no longer in the table.
    pub(crate) fn kill(session: &Arc<Session>) -> Self {
        let group = *session.link.private_group.raw();
        let mut send = Self::frame(
            Arc::clone(session),
            What::Kill,
            service::KILL,
            Hint::NONE,
            &[],
            &[],
            0,
        );
        send.own_group = group;
        send
    }

    fn frame(
        session: Arc<Session>,
        what: What,
        kind: u32,
        hint: Hint,
        groups: &'a [u8],
        body: &'a [IoSlice<'a>],
        body_len: usize,
    ) -> Self {
        let own = what != What::Message;
        let groups_len = if own { 32 } else { groups.len() };
        let header = Header {
            kind,
            name: session.link.private_group,
            // At most 100 groups, and a body below the message limit: checked before.
            num_groups: i32::try_from(groups_len / 32).unwrap_or(0),
            hint,
            data_len: i32::try_from(body_len).unwrap_or(0),
            order: ByteOrder::NATIVE,
        };
        Self {
            key: session.key(),
            session: ManuallyDrop::new(Some(session)),
            call: BlockingCall::NONE,
            head: header.encode(),
            own_group: [0; 32],
            what,
            groups,
            body,
            body_len,
            total: spread_proto::HEADER_LEN + groups_len + body_len,
            sent: 0,
            waited: false,
        }
    }

    /// Goes on as far as it can without waiting. Done with the length of the body.
    #[must_use]
    pub fn step(&mut self) -> Progress<usize> {
        let registered = self.waited.then(|| held::leave(self.key, Turn::Send));
        let Some(session) = registered.flatten().or_else(|| self.session.take()) else {
            return Progress::Done(Err(Error::Bug));
        };
        let (mut tx, ready) = if self.waited {
            let mut tx = session.tx();
            tx.owner = None;
            (tx, Ok(()))
        } else {
            Self::take_turn(&session, self.key)
        };
        let result = match ready.and_then(|()| self.advance(&session, &mut tx)) {
            Ok(true) => {
                self.remember(&mut tx);
                Ok(self.body_len)
            }
            Ok(false) => {
                tx.owner = Some(held::token());
                drop(tx);
                self.waited = true;
                self.session = ManuallyDrop::new(held::enter(session, Turn::Send));
                return Progress::Blocked;
            }
            Err(error) => Err(error),
        };
        if tx.queued > 0 {
            session.tx_free.notify_one();
        }
        drop(tx);
        if result == Err(Error::ConnectionClosed) {
            // A loss that a send has found makes the mailbox readable too.
            session.settle_token(&mut session.rx());
        }
        Progress::Done(result)
    }

    /// Instead of the blocking call, for at most `timeout_ms`. False: there is no room.
    pub(crate) fn wait_for_room(&self, timeout_ms: i32) -> bool {
        self.call.poll_for(timeout_ms)
    }

    /// Leaves the turn without having sent everything.
    pub(crate) fn give_up(&mut self) {
        if let Some(session) = held::leave(self.key, Turn::Send).or_else(|| self.session.take()) {
            session.abandon(Turn::Send, held::token());
        }
    }

    /// Waits until no other thread is in the middle of a frame. A turn of this very thread was
    /// abandoned by a long jump: half a frame may be out, and the session is in error.
    fn take_turn(session: &Session, key: u64) -> (MutexGuard<'_, Tx>, Result<(), Error>) {
        let mut tx = session.tx();
        while let Some(owner) = tx.owner {
            if owner == held::token() {
                drop(held::leave(key, Turn::Send));
                tx.owner = None;
                session.fail();
                break;
            }
            tx.queued += 1;
            tx = session
                .tx_free
                .wait(tx)
                .unwrap_or_else(PoisonError::into_inner);
            tx.queued -= 1;
        }
        let result = if session.has_failed() {
            Err(Error::NetError)
        } else {
            Ok(())
        };
        (tx, result)
    }

    /// Sends what the kernel takes. True: all of it. False: a blocking call is arranged.
    fn advance(&mut self, session: &Session, tx: &mut Tx) -> Result<bool, Error> {
        if session.ended.load(Ordering::Acquire) && self.sent == 0 {
            session.fail();
            return Err(Error::ConnectionClosed);
        }
        // On a link of its own the kernel does not tell that the program has closed the mailbox. The
        // reader learns of it, but not at once; so it is looked at, once within a tick of the clock,
        // as a system call for each message of many would cost too much.
        if self.sent == 0 && session.kind == Kind::Stable && self.what != What::Kill {
            let now = clock::coarse();
            if tx.seen_ours != now && !session.mailbox.is_ours() {
                session.fail();
                return Err(Error::ConnectionClosed);
            }
            tx.seen_ours = now;
        }
        if self.waited && session.is_gone_here() {
            return Err(Error::ConnectionClosed);
        }
        if self.sent == 0 {
            if self.may_join(session, tx) {
                return Ok(true);
            }
            match batch::send_rest(session, tx) {
                Ok(true) => {}
                Ok(false) => {
                    self.call = BlockingCall::poll(session.link_fd(), libc::POLLOUT, -1);
                    return Ok(false);
                }
                Err(()) => return Err(Error::ConnectionClosed),
            }
            // There may have been no room before.
            if self.may_join(session, tx) {
                return Ok(true);
            }
        }
        loop {
            if self.sent == self.total {
                return Ok(true);
            }
            match self.send_now(session.link_fd()) {
                Ok(count) => self.sent += count,
                Err(libc::EINTR) => {}
                Err(code) if fd::would_block(code) || code == libc::ENOBUFS => {
                    self.call = BlockingCall::poll(session.link_fd(), libc::POLLOUT, -1);
                    return Ok(false);
                }
                Err(_) => {
                    session.fail();
                    return Err(Error::ConnectionClosed);
                }
            }
        }
    }

    /// Adds a message to those that are collected, if that is wanted and there is room.
    fn may_join(&self, session: &Session, tx: &mut Tx) -> bool {
        let after_us = session.options.send_batch_us;
        if self.what != What::Message
            || !(tx.batch.corked || after_us > 0)
            || !tx.batch.has_room(self.total)
        {
            return false;
        }
        let first = tx.batch.is_empty();
        tx.batch.add(&self.head);
        tx.batch.add(self.groups);
        for piece in self.body {
            tx.batch.add(piece);
        }
        session.batched.store(true, Ordering::Release);
        if first && !tx.batch.corked {
            reader::flush_after(session, after_us);
        }
        true
    }

    /// One prompt `sendmsg` of what is not out yet.
    fn send_now(&self, link: i32) -> Result<usize, i32> {
        let groups = if self.what == What::Message {
            self.groups
        } else {
            &self.own_group
        };
        let fixed = [IoSlice::new(&self.head), IoSlice::new(groups)];
        let all = fixed.iter().chain(self.body);
        let count = fixed.len() + self.body.len();
        if count <= FEW_PARTS {
            send_listed::<FEW_PARTS>(link, all, count, self.sent)
        } else if count <= ALL_PARTS {
            send_listed::<ALL_PARTS>(link, all, count, self.sent)
        } else {
            let mut parts: Vec<IoSlice<'_>> = all.copied().collect();
            send_from(link, &mut parts, self.sent)
        }
    }

    /// What the session has to know of a frame that is out.
    fn remember(&self, tx: &mut Tx) {
        match self.what {
            What::Message => {
                tx.sent_data = true;
                let groups = self.groups.len() / 32;
                if groups > limits::MAX_DELIVERED_GROUPS && !tx.warned_groups {
                    tx.warned_groups = true;
                    tracing::warn!(
                        groups,
                        "a 5.0.1 daemon delivers a message to more than 43 groups to nobody"
                    );
                }
            }
            What::Join => {
                tx.joined.insert(self.own_group);
            }
            What::Leave => {
                tx.joined.remove(&self.own_group);
            }
            What::Kill | What::Flush => {}
        }
    }
}

/// Pieces of the usual message: header, groups, a body in a few.
const FEW_PARTS: usize = 8;

/// Pieces of a message with as many elements as a classic scatter can hold. More, which programs make
/// with structures of their own, are listed on the heap.
const ALL_PARTS: usize = 102;

/// Lists the parts on the stack and sends them.
fn send_listed<'a, const N: usize>(
    link: i32,
    all: impl Iterator<Item = &'a IoSlice<'a>>,
    count: usize,
    sent: usize,
) -> Result<usize, i32> {
    let mut parts = [IoSlice::new(&[]); N];
    for (slot, part) in parts.iter_mut().zip(all) {
        *slot = *part;
    }
    send_from(link, &mut parts[..count.min(N)], sent)
}

fn send_from(link: i32, parts: &mut [IoSlice<'_>], sent: usize) -> Result<usize, i32> {
    let mut rest = parts;
    IoSlice::advance_slices(&mut rest, sent);
    let few = rest.len().min(MAX_PARTS);
    fd::send_parts(link, &rest[..few]).map_err(|error| error.raw_os_error().unwrap_or(0))
}

/// The padded name field for one destination: cut to 31 bytes, no check at all, as classic.
#[must_use]
pub fn group_field(name: &[u8]) -> [u8; 32] {
    *Name::new(name).raw()
}
