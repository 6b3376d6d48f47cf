//! Sending: one system call per message, on the caller's thread.
//!
//! A message that the kernel takes at once is handed over in one prompt `sendmsg` of header, groups
//! and all pieces of the body; nothing is copied, except for small messages, where that is cheaper. Only
//! where the daemon pushes back does the thread become the owner of the turn and wait, as a machine
//! like [`crate::receive`].

mod window;

use std::io::IoSlice;
use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use spread_proto::flush::Control;
use spread_proto::flush::wire::Suffix;
use spread_proto::{ByteOrder, Header, Hint, Name, limits, service};

use crate::auto::Auto;
use crate::cork;
use crate::error::Error;
use crate::held::{self, Turn};
use crate::reader;
use crate::reason;
use crate::restore;
use crate::room::Progress;
use crate::session::{Kind, Session, Tx};
use crate::sys::blocking::BlockingCall;
use crate::sys::{clock, fd};
use crate::window::{Admission, Place};

/// Pause of a sender that was woken though there is no link.
const VAIN_PAUSE_MS: i32 = 10;

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
    /// A message that the flush layer sends for itself.
    Control,
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
    /// What the flush layer adds to the body.
    suffix: Suffix,
    body_len: usize,
    total: usize,
    /// Whole messages behind the one that this is: the last piece of the body.
    behind: u64,
    sent: usize,
    /// Others are to go with it.
    more: bool,
    waited: bool,
    /// It waits in the middle of a frame, so that nobody else may send.
    owns_turn: bool,
    /// What a session needs that may lose its link meanwhile.
    outage: Outage,
    /// As long as nothing is out, no wait goes on beyond this.
    until: Option<Instant>,
    /// How it gets room in the send window, which comes first.
    admission: Admission,
    /// That room.
    place: Option<Place>,
}

/// How a frame stands with a link that comes and goes.
#[derive(Clone, Copy, Debug, Default)]
struct Outage {
    /// The link that the frame was begun on.
    generation: u64,
    /// No link is waited for beyond this.
    until: Option<Instant>,
    /// The last wait for a link was in vain.
    in_vain: bool,
    /// Nothing has to go out: it is remembered for the next link.
    noted: bool,
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

/// The check of a group to join or leave, which comes before the session is looked at.
pub(crate) fn check_group(group: &[u8]) -> Result<(), Error> {
    if spread_proto::is_legal_group(group) {
        Ok(())
    } else {
        Err(Error::IllegalGroup)
    }
}

/// The session with this mailbox, if it can still send.
pub(crate) fn live_session(mailbox: i32) -> Result<Arc<Session>, Error> {
    live(crate::table::find(mailbox).ok_or(Error::IllegalSession)?)
}

/// The same for a session that is at hand.
fn live(session: Arc<Session>) -> Result<Arc<Session>, Error> {
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
        Self::message(live_session(mailbox)?, message, Suffix::NONE)
    }

    /// A multicast on a session that can still send, after the check of the service.
    pub(crate) fn multicast_on(
        session: Arc<Session>,
        message: &Outgoing<'a>,
    ) -> Result<Self, Error> {
        Self::message(session, message, Suffix::NONE)
    }

    /// A multicast of the flush layer, whose `suffix` follows the body and counts in the limit.
    pub(crate) fn flush_multicast(
        session: &Arc<Session>,
        message: &Outgoing<'a>,
        suffix: Suffix,
    ) -> Result<Self, Error> {
        check_service(message.service)?;
        Self::message(live(Arc::clone(session))?, message, suffix)
    }

    fn message(
        session: Arc<Session>,
        message: &Outgoing<'a>,
        suffix: Suffix,
    ) -> Result<Self, Error> {
        let kind = message.service.cast_unsigned() & !spread_proto::MARKERS;
        let groups_len = 32 * u64::try_from(message.num_groups).unwrap_or(0);
        let length = message
            .body_len
            .saturating_add(suffix.as_bytes().len() as u64);
        if length.saturating_add(groups_len) > session.options.max_message as u64 {
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
            suffix,
        ))
    }

    /// A message that the flush layer sends for itself.
    pub(crate) fn flush_control(session: &Arc<Session>, control: &Control) -> Result<Self, Error> {
        let mut send = Self::frame(
            live(Arc::clone(session))?,
            What::Control,
            service::FIFO_MESS,
            Hint::new(control.mess_type, ByteOrder::NATIVE),
            &[],
            &[],
            0,
            control.body(),
        );
        send.own_group = *control.group.raw();
        Ok(send)
    }

    /// A join or leave of a session that is at hand.
    pub(crate) fn flush_member(
        session: &Arc<Session>,
        join: bool,
        group: &[u8],
    ) -> Result<Self, Error> {
        let (what, kind) = if join {
            (What::Join, service::JOIN)
        } else {
            (What::Leave, service::LEAVE)
        };
        check_group(group)?;
        Ok(Self::control(live(Arc::clone(session))?, what, kind, group))
    }

    /// A join.
    ///
    /// # Errors
    /// [`Error::IllegalGroup`] first, then [`Error::IllegalSession`], [`Error::NetError`].
    pub fn join(mailbox: i32, group: &[u8]) -> Result<Self, Error> {
        check_group(group)?;
        Ok(Self::join_on(live_session(mailbox)?, group))
    }

    /// A leave. Errors as [`join`](Self::join).
    ///
    /// # Errors
    /// [`Error::IllegalGroup`] first, then [`Error::IllegalSession`], [`Error::NetError`].
    pub fn leave(mailbox: i32, group: &[u8]) -> Result<Self, Error> {
        check_group(group)?;
        Ok(Self::leave_on(live_session(mailbox)?, group))
    }

    /// A join of a group whose name has been checked.
    pub(crate) fn join_on(session: Arc<Session>, group: &[u8]) -> Self {
        Self::control(session, What::Join, service::JOIN, group)
    }

    /// A leave of a group whose name has been checked.
    pub(crate) fn leave_on(session: Arc<Session>, group: &[u8]) -> Self {
        Self::control(session, What::Leave, service::LEAVE, group)
    }

    fn control(session: Arc<Session>, what: What, kind: u32, group: &[u8]) -> Self {
        let mut send = Self::frame(session, what, kind, Hint::NONE, &[], &[], 0, Suffix::NONE);
        for (to, from) in send.own_group.iter_mut().zip(group) {
            *to = *from;
        }
        send
    }

    /// Collects no more, and sends what has been collected.
    ///
    /// # Errors
    /// [`Error::IllegalSession`], [`Error::NetError`].
    pub fn uncork(mailbox: i32) -> Result<Self, Error> {
        let session = live_session(mailbox)?;
        session.tx().collected.corked = false;
        let mut send = Self::frame(
            session,
            What::Flush,
            0,
            Hint::NONE,
            &[],
            &[],
            0,
            Suffix::NONE,
        );
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
            Suffix::NONE,
        );
        send.own_group = group;
        send
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a frame")]
    fn frame(
        session: Arc<Session>,
        what: What,
        kind: u32,
        hint: Hint,
        groups: &'a [u8],
        body: &'a [IoSlice<'a>],
        body_len: usize,
        suffix: Suffix,
    ) -> Self {
        let own = what != What::Message;
        let data_len = body_len + suffix.as_bytes().len();
        let admission = Admission::of(&session, what == What::Message);
        let groups_len = if own { 32 } else { groups.len() };
        let header = Header {
            kind,
            name: session.link.private_group,
            // At most 100 groups, and a body below the message limit: checked before.
            num_groups: i32::try_from(groups_len / 32).unwrap_or(0),
            hint,
            data_len: i32::try_from(data_len).unwrap_or(0),
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
            suffix,
            body_len,
            total: spread_proto::HEADER_LEN + groups_len + data_len,
            behind: 0,
            sent: 0,
            more: false,
            waited: false,
            owns_turn: false,
            outage: Outage::default(),
            until: None,
            admission,
            place: None,
        }
    }

    /// Lets TCP keep the message back for others to go with it, until one comes without this, or
    /// [`SessionHandle::push`](crate::SessionHandle::push).
    #[must_use]
    pub fn with_more_to_come(mut self) -> Self {
        self.more = true;
        self
    }

    /// Has `frames` whole frames follow, which are the last `length` bytes of the pieces of the body.
    pub(crate) fn with_frames_behind(mut self, frames: u64, length: usize) -> Self {
        self.total += length;
        self.behind = frames;
        self
    }

    /// Waits for at most `limit` until the first byte is out; then [`Error::TryAgain`], and nothing has
    /// been sent. What is begun is brought to its end.
    #[must_use]
    pub fn within(mut self, limit: Duration) -> Self {
        // Beyond what the clock can tell there is no limit.
        self.until = Instant::now().checked_add(limit);
        self
    }

    /// Milliseconds that may be waited for the first byte to go out; negative is no limit.
    fn patience(&self) -> Result<i32, Error> {
        let Some(until) = self.until.filter(|_| self.sent == 0) else {
            return Ok(-1);
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Error::TryAgain);
        }
        Ok(i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX))
    }

    /// Writes the header, and with it the byte order that receivers are told, in `order` instead of
    /// the machine's own.
    #[must_use]
    pub fn in_order(mut self, order: ByteOrder) -> Self {
        let header = Header::decode(&self.head);
        let hint = Hint::new(header.hint.mess_type(), order);
        self.head = Header {
            order,
            hint,
            ..header
        }
        .encode();
        self
    }

    /// Goes on as far as it can without waiting. Done with the length of the body.
    #[must_use]
    pub fn step(&mut self) -> Progress<usize> {
        if let Some(progress) = self.admit() {
            return progress;
        }
        let registered = self.waited.then(|| held::leave(self.key, Turn::Send));
        let Some(session) = registered.flatten().or_else(|| self.session.take()) else {
            return Progress::Done(Err(Error::Bug));
        };
        let (mut tx, ready) = if self.owns_turn {
            let mut tx = session.tx();
            tx.owner = None;
            self.owns_turn = false;
            (tx, Ok(()))
        } else {
            self.take_turn(&session)
        };
        if self.waited {
            tx.note_unblocked();
        }
        let result = match ready.and_then(|()| self.advance(&session, &mut tx)) {
            Ok(true) => {
                self.remember(&session, &mut tx);
                Ok(self.body_len)
            }
            Ok(false) => {
                if self.owns_turn {
                    tx.owner = Some(held::token());
                } else if tx.queued > 0 {
                    session.tx_free.notify_one();
                }
                tx.blocked_since.get_or_insert_with(Instant::now);
                drop(tx);
                self.waited = true;
                self.session = ManuallyDrop::new(held::enter(session, Turn::Send));
                return Progress::Blocked;
            }
            Err(error) => {
                self.count_out(&mut tx, error);
                Err(error)
            }
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
    fn take_turn<'s>(&self, session: &'s Session) -> (MutexGuard<'s, Tx>, Result<(), Error>) {
        let mut tx = session.tx();
        while let Some(owner) = tx.owner {
            if owner == held::token() {
                drop(held::leave(self.key, Turn::Send));
                tx.owner = None;
                session.fail();
                break;
            }
            let most = match self.patience() {
                Ok(ms) => u64::try_from(ms).ok().map(Duration::from_millis),
                Err(error) => return (tx, Err(error)),
            };
            tx.queued += 1;
            tx = match most {
                Some(most) => {
                    let waited = session.tx_free.wait_timeout(tx, most);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => session
                    .tx_free
                    .wait(tx)
                    .unwrap_or_else(PoisonError::into_inner),
            };
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
        let auto = session
            .comes_back()
            .filter(|_| !matches!(self.what, What::Kill | What::Flush));
        if let Some(auto) = auto
            && self.sent > 0
            && self.outage.generation != auto.generation()
        {
            // Its first part went to a daemon that is gone, and counts for nothing.
            self.sent = 0;
        }
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
        if let Some(auto) = auto
            && self.sent == 0
        {
            if auto.is_down() {
                return self.wait_for_link(session, auto, tx);
            }
            self.outage.generation = auto.generation();
            self.outage.in_vain = false;
        }
        if self.sent == 0
            && let Some(place) = &tx.place
        {
            let mut header = Header::decode(&self.head);
            header.name = place.private_group;
            self.head = header.encode();
        }
        if self.sent == 0 {
            if self.may_join(session, tx) {
                return Ok(true);
            }
            match cork::send_rest(session, tx) {
                Ok(true) => {}
                Ok(false) => {
                    let ms = self.patience()?;
                    self.call = BlockingCall::poll(session.link_fd(), libc::POLLOUT, ms);
                    self.owns_turn = true;
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
                    let ms = self.patience()?;
                    self.call = BlockingCall::poll(session.link_fd(), libc::POLLOUT, ms);
                    self.owns_turn = true;
                    return Ok(false);
                }
                Err(_) if auto.is_some() && !session.ended.load(Ordering::Acquire) => {
                    session.link_has_failed();
                    self.sent = 0;
                    return match auto {
                        Some(auto) => self.wait_for_link(session, auto, tx),
                        None => Err(Error::Bug),
                    };
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
            || session.comes_back().is_some()
            || !(tx.collected.corked || after_us > 0)
            || !tx.collected.has_room(self.total)
        {
            return false;
        }
        let first = tx.collected.is_empty();
        tx.collected.add(&self.head);
        tx.collected.add(self.groups);
        for piece in self.body {
            tx.collected.add(piece);
        }
        tx.collected.add(self.suffix.as_bytes());
        session.batched.store(true, Ordering::Release);
        if first && !tx.collected.corked {
            reader::flush_after(session, after_us);
        }
        true
    }

    /// There is no link. Joins and leaves count as soon as there is one; messages wait, for so long.
    fn wait_for_link(
        &mut self,
        session: &Session,
        auto: &Auto,
        tx: &mut Tx,
    ) -> Result<bool, Error> {
        if self.what == What::Control {
            // It is about a view that ends with the link: whoever is restored starts over.
            self.outage.noted = true;
            return Ok(true);
        }
        if self.what != What::Message {
            tx.note_in_outage(self.own_group, self.what == What::Join);
            self.outage.noted = true;
            restore::changed(session);
            return Ok(true);
        }
        let now = Instant::now();
        let patience = Duration::from_millis(u64::from(session.options.send_wait_ms));
        let until = *self.outage.until.get_or_insert(now + patience);
        let left = until.saturating_duration_since(now);
        if left.is_zero() {
            reason::because(format!(
                "the daemon is lost, and no other one has taken the session within {} ms (send_wait_ms)",
                session.options.send_wait_ms
            ));
            return Err(Error::ConnectionClosed);
        }
        let mut ms = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let limit = self.patience()?;
        if limit >= 0 {
            ms = ms.min(limit);
        }
        // A process that was forked shares the descriptor, and may have a link where we have none.
        self.call = if std::mem::replace(&mut self.outage.in_vain, true) {
            BlockingCall::pause(ms.min(VAIN_PAUSE_MS))
        } else {
            BlockingCall::poll(auto.up(), libc::POLLIN, ms)
        };
        Ok(false)
    }

    /// One prompt system call for what is not out yet.
    fn send_now(&self, link: i32) -> Result<usize, i32> {
        let groups = if self.what == What::Message {
            self.groups
        } else {
            &self.own_group
        };
        if self.sent == 0 && !self.more {
            if self.total <= TINY {
                return self.send_copy::<TINY>(link, groups);
            }
            if self.total <= SMALL {
                return self.send_copy::<SMALL>(link, groups);
            }
        }
        let fixed = [IoSlice::new(&self.head), IoSlice::new(groups)];
        let suffix = self.suffix.as_bytes();
        let last = (!suffix.is_empty()).then(|| IoSlice::new(suffix));
        let all = fixed.iter().chain(self.body).chain(&last);
        let count = fixed.len() + self.body.len() + usize::from(last.is_some());
        if count <= FEW_PARTS {
            send_listed::<FEW_PARTS>(link, all, count, self.sent, self.more)
        } else if count <= ALL_PARTS {
            send_listed::<ALL_PARTS>(link, all, count, self.sent, self.more)
        } else {
            let mut parts: Vec<IoSlice<'_>> = all.copied().collect();
            send_from(link, &mut parts, self.sent, self.more)
        }
    }

    /// A small frame, of `N` bytes at most, from one piece of memory.
    #[inline]
    fn send_copy<const N: usize>(&self, link: i32, groups: &[u8]) -> Result<usize, i32> {
        let mut frame = [0; N];
        let mut at = 0;
        let mut put = |part: &[u8]| {
            // All of them fit, as their sum is the total.
            if let Some(room) = frame.get_mut(at..at + part.len()) {
                room.copy_from_slice(part);
                at += part.len();
            }
        };
        put(&self.head);
        put(groups);
        for piece in self.body {
            put(piece);
        }
        put(self.suffix.as_bytes());
        fd::write_now(link, &frame[..self.total.min(at)])
            .map_err(|error| error.raw_os_error().unwrap_or(0))
    }

    /// What the session has to know of a frame that is out.
    fn remember(&mut self, session: &Session, tx: &mut Tx) {
        if self.outage.noted {
            return;
        }
        self.count(session, tx);
        match self.what {
            What::Message => {
                tx.sent_data = true;
                tx.sent += 1 + self.behind;
                tx.sent_bytes += self.total as u64;
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
                if tx.joined.remove(&self.own_group) && session.comes_back().is_some() {
                    tx.left.insert(self.own_group);
                }
            }
            What::Control => tx.sent_data = true,
            What::Kill | What::Flush => {}
        }
    }
}

/// Frames up to these lengths are copied together first, and sent with `send`. For `sendmsg` the kernel
/// copies and checks a list of pieces; that takes it 0.15 us more, which is many times what the copy takes.
const TINY: usize = 256;
const SMALL: usize = 1280;

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
    more: bool,
) -> Result<usize, i32> {
    let mut parts = [IoSlice::new(&[]); N];
    for (slot, part) in parts.iter_mut().zip(all) {
        *slot = *part;
    }
    send_from(link, &mut parts[..count.min(N)], sent, more)
}

fn send_from(link: i32, parts: &mut [IoSlice<'_>], sent: usize, more: bool) -> Result<usize, i32> {
    let mut rest = parts;
    IoSlice::advance_slices(&mut rest, sent);
    let few = rest.len().min(MAX_PARTS);
    fd::send_parts(link, &rest[..few], more).map_err(|error| error.raw_os_error().unwrap_or(0))
}

/// The padded name field for one destination: cut to 31 bytes, no check at all, as classic.
#[must_use]
pub fn group_field(name: &[u8]) -> [u8; 32] {
    *Name::new(name).raw()
}
