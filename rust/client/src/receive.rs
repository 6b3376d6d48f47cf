//! Receiving, as a machine of prompt steps and blocking calls.
//!
//! The caller alternates: [`Receive::step`], and as long as that says [`Progress::Blocked`],
//! [`BlockingCall::run`] on [`Receive::call`]. Nothing of a [`Receive`] has a destructor, so a
//! thread may be removed from the blocking call; what it held is in [`crate::held`].
//!
//! With an empty inbox the caller's thread reads the link itself: the header into memory of the
//! session, then the rest of the message straight into the caller's buffers, together with the
//! first bytes of the next header ([`direct`]). If those came, more is waiting, and the next receive
//! reads in bulk into the inbox, from which further ones take their messages the short way
//! ([`quick`]).

mod direct;
mod fill;
mod patience;
pub(crate) mod quick;
mod whole;

use std::mem::ManuallyDrop;
use std::sync::atomic::Ordering;
use std::sync::{Arc, MutexGuard, PoisonError};

use spread_proto::{
    ByteOrder, Direction, FrameLayout, GroupId, HEADER_LEN, Header, MARKERS, Name, service,
};

use crate::claim::Taken;
use crate::cork::{self, Flushed};
use crate::epoch::NextEpoch;
use crate::error::Error;
use crate::held::{self, Turn};
use crate::inbox::Inbox;
use crate::reader;
use crate::reason;
use crate::room::{Outputs, Progress, Room, terminate};
use crate::session::{Kind, Rx, Session};
use crate::sys::blocking::BlockingCall;
use crate::sys::fd;
use crate::table;

use self::direct::{Direct, Stand};
use self::fill::Fill;
use self::patience::Patience;

/// Bytes of a next header that a direct read may take along: never a whole one, so that no frame is
/// completed early.
const AHEAD: usize = HEADER_LEN - 1;

/// One receive in progress.
#[derive(Debug)]
pub struct Receive<'r, 'm> {
    session: ManuallyDrop<Option<Arc<Session>>>,
    key: u64,
    /// The blocking call to make after a step said [`Progress::Blocked`].
    pub call: BlockingCall,
    pending: Pending,
    /// The message at the head is being read into the caller's buffers.
    direct: Option<Direct>,
    /// Waits for a limited time only. `None`: as `SP_receive`.
    patience: Option<Patience>,
    room: Room<'r, 'm>,
    drop_recv: bool,
    /// Only what is whole in the inbox is looked at.
    whole: bool,
    /// What to tell the caller, once the machine is done.
    pub out: Outputs,
}

/// What the blocking call was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pending {
    Start,
    /// Header bytes into the landing, of which the inbox held so many before.
    Header(usize),
    /// Readability only.
    Readable,
    /// Readability of a link of which nothing is in the inbox.
    Gate,
}

/// How an attempt to get on ended.
enum Advance {
    Done(Result<usize, Error>),
    /// The blocking call is to be made.
    Wait,
    /// Wait for a moment, with what is in hand.
    Pause,
    /// Take back what is on disk, which may take its time.
    Refill,
}

impl<'r, 'm> Receive<'r, 'm> {
    /// A receive on `mailbox`. `drop_recv`: what does not fit is dropped.
    ///
    /// # Errors
    /// [`Error::IllegalSession`]; [`Error::NetError`] after a loss has been reported.
    pub fn begin(mailbox: i32, room: Room<'r, 'm>, drop_recv: bool) -> Result<Self, Error> {
        let session = table::find(mailbox).ok_or(Error::IllegalSession)?;
        Self::on(session, room, drop_recv)
    }

    /// The same for a session that is at hand.
    pub(crate) fn on(
        session: Arc<Session>,
        room: Room<'r, 'm>,
        drop_recv: bool,
    ) -> Result<Self, Error> {
        if session.has_failed() {
            return Err(Error::NetError);
        }
        Ok(Self::new(session, room, drop_recv))
    }

    fn new(session: Arc<Session>, room: Room<'r, 'm>, drop_recv: bool) -> Self {
        table::remember(&session);
        let mut room = room;
        if drop_recv {
            room.max_groups = room.max_groups.max(0);
            room.max_body = room.max_body.max(0);
        }
        Self {
            key: session.key(),
            session: ManuallyDrop::new(Some(session)),
            call: BlockingCall::NONE,
            pending: Pending::Start,
            direct: None,
            patience: None,
            room,
            drop_recv,
            whole: false,
            out: Outputs::default(),
        }
    }

    /// Goes on as far as it can without waiting.
    #[must_use]
    pub fn step(&mut self) -> Progress<usize> {
        // While this thread waited, the session was in its registry (if it has one).
        let waited = self.pending != Pending::Start;
        let registered = waited.then(|| held::leave(self.key, Turn::Receive));
        let Some(session) = registered.flatten().or_else(|| self.session.take()) else {
            return Progress::Done(Err(Error::Bug));
        };
        let (mut rx, ready) = if waited {
            let mut rx = session.rx();
            rx.owner = None;
            if session.is_gone_here() {
                session.end(&mut rx);
            } else if let Pending::Header(before) = self.pending {
                self.account_header(&session, &mut rx, before);
            }
            (rx, Ok(()))
        } else {
            self.take_turn(&session)
        };
        let result = match ready {
            Ok(()) => loop {
                match self.advance(&session, &mut rx) {
                    Advance::Done(result) => break result,
                    Advance::Wait => {
                        self.flush_first(&session);
                        rx.owner = Some(held::token());
                        drop(rx);
                        self.session = ManuallyDrop::new(held::enter(session, Turn::Receive));
                        return Progress::Blocked;
                    }
                    Advance::Refill => {
                        rx = session.wait_for_disk(rx);
                        reader::refill(&session, &mut rx);
                        if session.is_gone_here() {
                            session.end(&mut rx);
                        }
                    }
                    Advance::Pause => {
                        rx.owner = Some(held::token());
                        rx.in_hand = self.direct.as_ref().map_or(0, Direct::in_hand);
                        drop(rx);
                        fd::wait_ready(session.link_fd(), libc::POLLIN, direct::MOMENT_MS);
                        rx = session.rx();
                        rx.owner = None;
                        rx.in_hand = 0;
                        if session.is_gone_here() {
                            session.end(&mut rx);
                        } else if session.kind == Kind::Socket && !session.link_is_ours() {
                            self.direct = None;
                            session.number_is_gone(&mut rx);
                        }
                    }
                }
            },
            Err(error) => Err(error),
        };
        session.settle_token(&mut rx);
        reader::returned(&session, &mut rx);
        if rx.queued > 0 {
            session.rx_free.notify_one();
        }
        Progress::Done(result)
    }

    /// Waits until no other thread is receiving. A turn of this very thread was abandoned by a long
    /// jump: it is taken over.
    fn take_turn<'s>(&self, session: &'s Arc<Session>) -> (MutexGuard<'s, Rx>, Result<(), Error>) {
        let taken = session.claim.take();
        let mut rx = session.rx();
        if taken != Taken::Held {
            session.now_mine(&mut rx, taken);
            drop(rx);
            reader::claimed(session);
            rx = session.rx();
        }
        while let Some(owner) = rx.owner {
            if owner == held::token() {
                drop(held::leave(self.key, Turn::Receive));
                rx.owner = None;
                rx.at_disk = false;
                if std::mem::take(&mut rx.in_hand) > 0 {
                    // The beginning of a message is gone with the buffers of that call.
                    session.end(&mut rx);
                }
                break;
            }
            rx.queued += 1;
            let waited = match &self.patience {
                Some(patience) => {
                    let waited;
                    (rx, waited) = patience.wait_for_turn(session, rx);
                    waited
                }
                None => {
                    rx = session
                        .rx_free
                        .wait(rx)
                        .unwrap_or_else(PoisonError::into_inner);
                    Ok(())
                }
            };
            rx.queued -= 1;
            if let Err(error) = waited {
                return (rx, Err(error));
            }
        }
        let result = if session.closed.load(Ordering::Acquire) {
            Err(Error::IllegalSession)
        } else if session.has_failed() && self.patience.is_none() {
            Err(Error::NetError)
        } else {
            Ok(())
        };
        (rx, result)
    }

    /// Messages that the program has had collected go out before it waits: what it waits for may be the
    /// answer.
    fn flush_first(&mut self, session: &Session) {
        if session.batched.load(Ordering::Acquire) && cork::flush_now(session) == Flushed::Later {
            self.pending = Pending::Readable;
            let events = libc::POLLIN | libc::POLLOUT;
            self.call = BlockingCall::poll(session.link_fd(), events, -1);
        }
    }

    /// The blocking header read has returned.
    fn account_header(&self, session: &Session, rx: &mut Rx, before: usize) {
        reader::has_read(rx);
        match self.call.outcome() {
            Ok(0) => session.end(rx),
            Ok(count) => {
                let landed = session.landing.bytes();
                let end = (before + count).min(landed.len());
                rx.inbox.push(&landed[before.min(end)..end]);
            }
            Err(code) if code == libc::EINTR || fd::would_block(code) => {}
            Err(_) => session.end(rx),
        }
    }

    /// Delivers, fails, or arranges a wait.
    fn advance(&mut self, session: &Session, rx: &mut Rx) -> Advance {
        let mut tried = false;
        loop {
            match self.go_on_direct(session, rx) {
                Stand::Done(result) => return Advance::Done(result),
                Stand::Pause => return Advance::Pause,
                Stand::Off => {}
            }
            if let Some(header) = rx.inbox.header() {
                let Ok(layout) = FrameLayout::of(&header, Direction::ToClient) else {
                    // Nothing behind this header can be trusted.
                    session.fail();
                    session.shut_down();
                    return Advance::Done(Err(Error::IllegalMessage));
                };
                let is_whole = rx.inbox.len() - HEADER_LEN >= layout.total();
                if self.whole && !is_whole && layout.total() > whole::MAX_WHOLE {
                    session.fail();
                    session.shut_down();
                    return Advance::Done(Err(Error::IllegalMessage));
                }
                if !self.drop_recv
                    && (is_whole || !self.whole)
                    && let Some(error) = self.refuse(&header)
                {
                    rx.refused = true;
                    return Advance::Done(Err(error));
                }
                // What is here may be from an earlier call, before the program closed the number.
                if (rx.refused || !is_whole && !rx.is_over())
                    && self.pending == Pending::Start
                    && !session.mailbox.is_ours()
                {
                    session.number_is_gone(rx);
                    return Advance::Done(self.lost(session, rx));
                }
                if is_whole {
                    return Advance::Done(self.deliver(session, rx, &header, &layout));
                }
                if rx.spill.is_some() {
                    return Advance::Refill;
                }
                if rx.is_over() {
                    match self.after_the_end(session, rx) {
                        Some(done) => return done,
                        None => continue,
                    }
                }
                if !tried && !self.whole && self.begin_direct(session, rx, &header, &layout) {
                    tried = true;
                    continue;
                }
                let missing = layout
                    .total()
                    .saturating_add(HEADER_LEN)
                    .saturating_sub(rx.inbox.len());
                match self.fill_slab(session, rx, missing.saturating_add(AHEAD)) {
                    Fill::Got => {}
                    Fill::Ended => session.end(rx),
                    Fill::Wait => return self.wait(session, session.link_fd()),
                }
            } else {
                if rx.spill.is_some() {
                    return Advance::Refill;
                }
                if rx.is_over() {
                    match self.after_the_end(session, rx) {
                        Some(done) => return done,
                        None => continue,
                    }
                }
                if !tried && self.guess_direct(session, rx) {
                    tried = true;
                    continue;
                }
                match self.fill_header(session, rx) {
                    Fill::Got => {}
                    Fill::Ended => session.end(rx),
                    Fill::Wait => return self.wait(session, session.link_fd()),
                }
            }
        }
    }

    /// The stream that the inbox is of has ended, and has no whole message left. `None`: the next link's
    /// stream goes on. Else what [`advance`](Self::advance) answers.
    fn after_the_end(&mut self, session: &Session, rx: &mut Rx) -> Option<Advance> {
        match rx.next_epoch() {
            NextEpoch::Here => None,
            NextEpoch::NotYet => {
                // A token in the mailbox, or its end, tells that the link is back, or never will be.
                self.pending = Pending::Readable;
                self.call = BlockingCall::poll(session.mailbox(), libc::POLLIN, -1);
                Some(self.wait(session, session.mailbox()))
            }
            NextEpoch::None if self.patience.is_some() && session.has_failed() => {
                // Only a patient call begins after a loss has been reported.
                Some(Advance::Done(Err(Error::NetError)))
            }
            NextEpoch::None => Some(Advance::Done(self.lost(session, rx))),
        }
    }

    /// The blocking call is arranged; a patient one waits otherwise, or not.
    fn wait(&mut self, session: &Session, fd: i32) -> Advance {
        let Some(patience) = &self.patience else {
            return Advance::Wait;
        };
        match patience.wait(session, fd) {
            Ok(call) => {
                self.pending = Pending::Readable;
                self.call = call;
                Advance::Wait
            }
            Err(error) => Advance::Done(Err(error)),
        }
    }

    /// Whether the message does not fit, and what to say then. Nothing is taken.
    fn refuse(&mut self, header: &Header) -> Option<Error> {
        let groups = i64::from(header.num_groups);
        let room_for_groups = self.room.for_groups();
        let groups_fit = groups <= room_for_groups;
        let body_fits = i64::from(header.data_len) <= self.room.max_body;
        // A negative room for groups refuses a message without groups too, as a short buffer.
        if groups_fit && body_fits {
            return None;
        }
        self.out.service = Some(header.kind);
        self.out.sender = Some(header.name.cleaned());
        self.out.mess_type = Some(if is_data(header.kind) {
            header.hint.mess_type()
        } else {
            0
        });
        self.out.num_groups = Some(if groups_fit { 0 } else { -header.num_groups });
        self.out.endian_mismatch = Some(if body_fits { 0 } else { -header.data_len });
        let short = groups > room_for_groups && header.num_groups > 0;
        Some(if short {
            Error::GroupsTooShort
        } else {
            Error::BufferTooShort
        })
    }

    /// Takes a whole message out of the inbox.
    fn deliver(
        &mut self,
        session: &Session,
        rx: &mut Rx,
        header: &Header,
        layout: &FrameLayout,
    ) -> Result<usize, Error> {
        let _: [u8; HEADER_LEN] = rx.inbox.take_array();
        rx.refused = false;
        rx.gives(1, HEADER_LEN + layout.total());
        let mut kind = header.kind;
        if layout.old_type > 0 {
            let raw = rx.inbox.take_array();
            kind = service::reported_kind(header.kind, Some(header.order.get_u32(raw) & !MARKERS));
        }
        let named = self.take_groups(session, rx, header, layout);
        let cut = i64::from(header.num_groups) > self.room.for_groups();
        let index = (service::is_regular_membership(header.kind) && !cut).then_some(named);
        let fits = i64::try_from(layout.body).is_ok_and(|body| body <= self.room.max_body);
        if session.auto.is_some() && service::is_membership(header.kind) {
            note_view(session, rx, header, named.is_some(), 0);
        }
        self.take_body(rx, header, layout.body);
        let count = if cut {
            -header.num_groups
        } else {
            header.num_groups
        };
        self.tell(header, kind, index.flatten(), count);
        if fits {
            Ok(layout.body)
        } else {
            Err(Error::BufferTooShort)
        }
    }

    /// Groups from the inbox into the caller's room. Returns the place of the own private group.
    fn take_groups(
        &mut self,
        session: &Session,
        rx: &mut Rx,
        header: &Header,
        layout: &FrameLayout,
    ) -> Option<i16> {
        let is_membership = service::is_regular_membership(header.kind);
        let own = own_name(session, rx);
        let room = usize::try_from(self.room.for_groups()).unwrap_or(0);
        let mut found = None;
        for number in 0..layout.num_groups() {
            let mut name: [u8; 32] = rx.inbox.take_array();
            if is_membership && found.is_none() && Name::from_raw(name) == own {
                found = i16::try_from(number).ok();
            }
            if number < room {
                terminate(&mut name);
                self.room.groups.write_at(number * 32, &name);
            }
        }
        found
    }

    /// The body from the inbox into the caller's room; integers of memberships in host order.
    fn take_body(&mut self, rx: &mut Rx, header: &Header, length: usize) {
        if header.order != ByteOrder::NATIVE && service::is_membership(header.kind) {
            let mut body = Vec::with_capacity(length.min(rx.inbox.len()));
            rx.inbox.take(length, |piece| body.extend_from_slice(piece));
            spread_proto::flip_to_native(header.kind, header.order, &mut body);
            self.room.write_body(0, &body);
            return;
        }
        let mut at = 0;
        let room = &mut self.room;
        rx.inbox.take(length, |piece| {
            room.write_body(at, piece);
            at += piece.len();
        });
    }

    /// Place of the own private group among the groups just read into the caller's room.
    fn own_index_in_room(&self, own: Name, count: usize) -> Option<i16> {
        (0..count)
            .position(|row| Name::from_raw(self.room.groups.read_back(row * 32)) == own)
            .and_then(|at| i16::try_from(at).ok())
    }

    /// The same for names that were read straight into the caller's room.
    fn terminate_groups(&mut self, count: usize) {
        for row in 0..count {
            let at = row * 32;
            let mut name = self.room.groups.read_back::<32>(at);
            if name[31] != 0 {
                terminate(&mut name);
                self.room.groups.write_at(at + 31, &name[31..]);
            }
        }
    }

    /// The outputs of a message that was taken.
    fn tell(&mut self, header: &Header, kind: u32, index: Option<i16>, num_groups: i32) {
        let data = is_data(header.kind);
        self.out.service = Some(kind);
        self.out.sender = Some(header.name.cleaned());
        self.out.num_groups = Some(num_groups);
        self.out.mess_type = Some(match index {
            Some(index) => index,
            None if data => header.hint.mess_type(),
            None => -1,
        });
        self.out.endian_mismatch =
            Some(i32::from(data && header.hint.order() != ByteOrder::NATIVE));
    }

    /// The stream ended before this message was whole. What came of it still goes into the outputs.
    fn lost(&mut self, session: &Session, rx: &mut Rx) -> Result<usize, Error> {
        session.fail();
        if let Some(reason) = &rx.loss {
            reason::because(reason.clone());
        }
        session.say_why_it_ended();
        if let Some(header) = rx.inbox.header()
            && let Ok(layout) = FrameLayout::of(&header, Direction::ToClient)
        {
            self.tell_part(session, rx, &header, &layout);
        }
        // What is left of a frame is of no use to anybody.
        rx.inbox = Inbox::default();
        Err(Error::ConnectionClosed)
    }

    fn tell_part(&mut self, session: &Session, rx: &mut Rx, header: &Header, layout: &FrameLayout) {
        let mut came = rx.inbox.len() - HEADER_LEN;
        let _: [u8; HEADER_LEN] = rx.inbox.take_array();
        self.tell(header, header.kind, None, header.num_groups);
        self.out.service = None;
        self.out.num_groups = None;
        if came < layout.old_type {
            return;
        }
        let old = if layout.old_type > 0 {
            rx.inbox.take_array()
        } else {
            [0; 4]
        };
        came -= layout.old_type;
        let kind = if layout.old_type > 0 {
            service::reported_kind(header.kind, Some(header.order.get_u32(old) & !MARKERS))
        } else {
            header.kind
        };
        if came < layout.groups {
            return;
        }
        came -= layout.groups;
        let named = self.take_groups(session, rx, header, layout);
        let cut = i64::from(header.num_groups) > self.room.for_groups();
        self.out.num_groups = Some(if cut {
            -header.num_groups
        } else {
            header.num_groups
        });
        let room = usize::try_from(self.room.max_body).unwrap_or(0);
        // In the middle of dropping a surplus everything else has been told already.
        if self.drop_recv && layout.body > room && came >= room {
            self.out.service = Some(kind);
            if service::is_regular_membership(header.kind) && !cut && named.is_some() {
                self.out.mess_type = named;
            }
        }
        self.take_part_of_body(rx, came.min(layout.body));
    }

    fn take_part_of_body(&mut self, rx: &mut Rx, count: usize) {
        let mut at = 0;
        let room = &mut self.room;
        rx.inbox.take(count, |piece| {
            room.write_body(at, piece);
            at += piece.len();
        });
    }
}

/// The session's name on the link that the message at the head came over.
pub(crate) fn own_name(session: &Session, rx: &Rx) -> Name {
    rx.own.unwrap_or(session.link.private_group)
}

/// Remembers which view the program sees; the body is at `body` in the inbox.
pub(crate) fn note_view(
    session: &Session,
    rx: &mut Rx,
    header: &Header,
    with_us: bool,
    body: usize,
) {
    let mut id = [0; 12];
    rx.inbox.peek(body, &mut id);
    let mut words = [0; 3];
    for (word, raw) in words.iter_mut().zip(id.as_chunks::<4>().0) {
        *word = header.order.get_i32(*raw);
    }
    if let Some(left) = rx.note_view(header, with_us, GroupId(words)) {
        // The daemon has told of the leave: no mark of ours is to do so again.
        session.tx().left.remove(&left);
    }
}

/// Whether the classic library takes a type for data: its `mess_type` and byte order count.
fn is_data(kind: u32) -> bool {
    kind & (service::REGULAR_MESS | service::REJECT_MESS) != 0
}
