//! Receiving through the layer.
//!
//! The session below collects a whole message, the machine takes it in, what the machine wants to
//! tell the other members is sent, and what it has for the program is delivered; over and over
//! until there is something to deliver. Messages for the layer alone never meet the program's
//! buffers.

use std::mem::ManuallyDrop;
use std::sync::{Arc, MutexGuard};

use spread_proto::flush::{Broken, Delivery, Message};
use spread_proto::{ByteOrder, Name, service};

use crate::error::Error;
use crate::held::{self, Turn};
use crate::receive::Receive;
use crate::room::{Outputs, Progress, Room, terminate};
use crate::send::Send;
use crate::session::Session;
use crate::sys::blocking::BlockingCall;
use crate::sys::out::OutSlice;

use super::state::{Flush, State};
use super::{Failure, Step};

/// How to receive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// Do not wait for a message.
    pub dont_block: bool,
    /// A message that does not fit is cut instead of kept.
    pub drop_recv: bool,
}

/// One receive in progress. Steps and blocking calls as in [`Receive`]; no destructors.
#[derive(Debug)]
pub struct FlushReceive<'r, 'm> {
    session: ManuallyDrop<Option<Arc<Session>>>,
    key: u64,
    /// The blocking call to make after a step said [`Step::Blocked`].
    pub call: BlockingCall,
    stage: Stage,
    room: Room<'r, 'm>,
    how: How,
    /// What to tell the caller, once the machine is done.
    pub out: Outputs,
    /// After a success, how many messages wait inside the layer.
    pub more_messages: usize,
}

#[derive(Debug)]
enum Stage {
    Start,
    /// Between two things to do.
    Going,
    Receiving(Receive<'static, 'static>),
    Sending(Send<'static>),
}

const _: () = assert!(!std::mem::needs_drop::<FlushReceive<'static, 'static>>());

type Locked<'s> = MutexGuard<'s, State>;

impl<'r, 'm> FlushReceive<'r, 'm> {
    /// A receive on `mailbox`.
    ///
    /// # Errors
    /// [`Error::IllegalSession`].
    pub fn begin(mailbox: i32, room: Room<'r, 'm>, how: How) -> Result<Self, Failure> {
        let session = super::find(mailbox)?;
        Ok(Self {
            key: session.key(),
            session: ManuallyDrop::new(Some(session)),
            call: BlockingCall::NONE,
            stage: Stage::Start,
            room,
            how,
            out: Outputs::default(),
            more_messages: 0,
        })
    }

    /// Goes on as far as it can without waiting.
    #[must_use]
    pub fn step(&mut self) -> Step<usize> {
        let waited = !matches!(self.stage, Stage::Start);
        let registered = waited.then(|| held::leave(self.key, Turn::FlushReceive));
        let Some(session) = registered.flatten().or_else(|| self.session.take()) else {
            return Step::Done(Err(Error::Bug.into()));
        };
        let Some(flush) = session.flush.get() else {
            return Step::Done(Err(Error::Bug.into()));
        };
        let mut state = flush.lock();
        if waited {
            state.receiver = None;
        } else {
            state = match self.take_turn(flush, state) {
                Ok(state) => state,
                Err(failure) => return Step::Done(Err(failure)),
            };
            self.stage = Stage::Going;
        }
        let (mut state, result) = self.advance(&session, flush, state);
        let Some(result) = result else {
            state.receiver = Some(held::token());
            drop(state);
            self.session = ManuallyDrop::new(held::enter(session, Turn::FlushReceive));
            return Step::Blocked;
        };
        flush.wake(&state);
        drop(state);
        Step::Done(result.map_err(|failure| super::ending(&session, failure)))
    }

    /// Waits until no other thread is receiving. A turn of this very thread was abandoned by a long
    /// jump.
    fn take_turn<'s>(
        &self,
        flush: &'s Flush,
        mut state: Locked<'s>,
    ) -> Result<Locked<'s>, Failure> {
        while let Some(owner) = state.receiver {
            if owner == held::token() {
                drop(held::leave(self.key, Turn::FlushReceive));
                state.receiver = None;
            } else if self.how.dont_block {
                // Whatever comes is the other thread's.
                return Err(Failure::WouldBlock);
            } else {
                state = flush.wait(state);
            }
        }
        Ok(state)
    }

    /// Delivers, fails, or arranges a blocking call (`None`).
    fn advance<'s>(
        &mut self,
        session: &Arc<Session>,
        flush: &'s Flush,
        mut state: Locked<'s>,
    ) -> (Locked<'s>, Option<Result<usize, Failure>>) {
        loop {
            match std::mem::replace(&mut self.stage, Stage::Going) {
                Stage::Start | Stage::Going => {
                    if state.machine.has_controls() {
                        state = self.free_to_send(session, flush, state);
                        if state.sender.is_none()
                            && let Some(control) = state.machine.poll_control()
                            && let Ok(send) = Send::flush_control(session, &control)
                        {
                            self.stage = Stage::Sending(send);
                            continue;
                        }
                        // A lost session tells so below, behind what is there already.
                    }
                    if state.machine.next().is_some() {
                        let result = self.deliver(&mut state);
                        return (state, Some(result));
                    }
                    match Receive::until_whole(Arc::clone(session)) {
                        Ok(receive) => {
                            self.call = receive.call;
                            self.stage = Stage::Receiving(receive);
                        }
                        Err(error) => return (state, Some(Err(error.into()))),
                    }
                }
                Stage::Sending(mut send) => {
                    super::send::end_turn(self.key, &mut state);
                    match send.step() {
                        Progress::Blocked => {
                            self.call = send.call;
                            self.stage = Stage::Sending(send);
                            super::send::begin_turn(session, &mut state);
                            return (state, None);
                        }
                        // A loss is told below, behind what is there already.
                        Progress::Done(_) => flush.wake(&state),
                    }
                }
                Stage::Receiving(mut receive) => {
                    // With the outcome of the wait, if there was one.
                    receive.call = self.call;
                    let progress = if self.how.dont_block {
                        let Some(result) = receive.try_now() else {
                            return (state, Some(Err(Failure::WouldBlock)));
                        };
                        Progress::Done(result)
                    } else {
                        receive.step()
                    };
                    match progress {
                        Progress::Blocked => {
                            self.call = receive.call;
                            self.stage = Stage::Receiving(receive);
                            return (state, None);
                        }
                        Progress::Done(Err(Error::BufferTooShort | Error::GroupsTooShort)) => {
                            if let Err(failure) = take_in(session, &mut state, &receive.out) {
                                return (state, Some(Err(failure)));
                            }
                        }
                        Progress::Done(Ok(_)) => {}
                        Progress::Done(Err(error)) => return (state, Some(Err(error.into()))),
                    }
                }
            }
        }
    }

    /// Waits until no thread is in the middle of a frame; not if this call is not to wait.
    fn free_to_send<'s>(
        &self,
        session: &Session,
        flush: &'s Flush,
        mut state: Locked<'s>,
    ) -> Locked<'s> {
        while let Some(owner) = state.sender {
            if owner == held::token() {
                super::send::end_turn(session.key(), &mut state);
            } else if self.how.dont_block {
                break;
            } else {
                // Nobody may take the turn to receive meanwhile.
                state.receiver = Some(held::token());
                state = flush.wait(state);
                state.receiver = None;
            }
        }
        state
    }

    /// The next message to the program, or why not.
    fn deliver(&mut self, state: &mut State) -> Result<usize, Failure> {
        let Some(message) = state.machine.next() else {
            return Err(Error::Bug.into());
        };
        // Without DROP_RECV the classic library needs room for what it takes off afterwards, too.
        let needed = if self.how.drop_recv {
            message.body_len
        } else {
            message.body.len()
        };
        let is_notice = message.body.is_empty() && message.groups.is_empty();
        let groups_fit = is_notice || fits(message.groups.len(), self.room.for_groups());
        let body_fits = is_notice && !is_data(message) || fits(needed, self.room.max_body);
        let short = if groups_fit {
            (!body_fits).then_some(Error::BufferTooShort)
        } else {
            Some(Error::GroupsTooShort)
        };
        let groups = length(message.groups.len());
        self.out.service = Some(message.kind);
        self.out.sender = Some(message.sender.terminated());
        if let Some(error) = short.filter(|_| !self.how.drop_recv) {
            self.out.mess_type = Some(message.header_type);
            self.out.num_groups = Some(if groups_fit { 0 } else { -groups });
            self.out.endian_mismatch = Some(if body_fits { 0 } else { -length(needed) });
            return Err(error.into());
        }
        let Some(message) = state.machine.take_next() else {
            return Err(Error::Bug.into());
        };
        self.out.mess_type = Some(message.mess_type);
        self.out.num_groups = Some(if groups_fit { groups } else { -groups });
        self.out.endian_mismatch = Some(i32::from(message.order != ByteOrder::NATIVE));
        self.write_groups(&message);
        self.room.write_body(0, message.user_body());
        self.more_messages = state.machine.waiting();
        let len = message.body_len;
        state.keep(message.body);
        short.map_or(Ok(len), |error| Err(error.into()))
    }

    /// As many groups as there is room for; of a subgroup message the group always has the last.
    fn write_groups(&mut self, message: &Delivery) {
        let room = usize::try_from(self.room.for_groups()).unwrap_or(0);
        let count = room.min(message.groups.len());
        let is_subgroup =
            is_data(message) && message.kind & spread_proto::flush::wire::SUBGROUP_CAST != 0;
        for at in 0..count {
            let from = if is_subgroup && at + 1 == count {
                message.groups.last()
            } else {
                message.groups.get(at)
            };
            if let Some(name) = from {
                let mut raw = *name.raw();
                terminate(&mut raw);
                self.room.groups.write_at(at * 32, &raw);
            }
        }
    }
}

/// Gives the whole message at the head of the inbox to the machine.
fn take_in(session: &Arc<Session>, state: &mut State, sizes: &Outputs) -> Result<(), Failure> {
    let size = |told: Option<i32>| usize::try_from(told.unwrap_or(0).unsigned_abs()).unwrap_or(0);
    let mut names = vec![0; size(sizes.num_groups).saturating_mul(32)];
    let mut body = state.body_of(size(sizes.endian_mismatch));
    let mut pieces = [OutSlice::over(&mut body)];
    let max_body = i64::try_from(pieces[0].len()).unwrap_or(i64::MAX);
    let room = Room {
        max_groups: length(names.len() / 32),
        groups: OutSlice::over(&mut names),
        body: &mut pieces,
        max_body,
    };
    let mut receive = Receive::on(Arc::clone(session), room, false)?;
    // `None`: a thread that receives below this layer, against the rules, has taken it.
    match receive.try_now() {
        Some(Ok(_)) => {}
        Some(Err(error)) => return Err(error.into()),
        None => return Ok(()),
    }
    let out = receive.out;
    let order = match (out.endian_mismatch, ByteOrder::NATIVE) {
        (Some(0) | None, native) => native,
        (Some(_), ByteOrder::Little) => ByteOrder::Big,
        (Some(_), ByteOrder::Big) => ByteOrder::Little,
    };
    let message = Message {
        kind: out.service.unwrap_or(0),
        sender: out.sender.unwrap_or_default(),
        groups: names
            .as_chunks()
            .0
            .iter()
            .map(|&raw| Name::from_raw(raw))
            .collect(),
        mess_type: out.mess_type.unwrap_or(0),
        order,
        body,
    };
    // On the link that the message came over.
    let me = session.rx().own.unwrap_or(session.link.private_group);
    match state.machine.handle(&me, message) {
        Ok(()) => Ok(()),
        Err(Broken::Membership) => Err(Error::IllegalMessage.into()),
        Err(Broken::TooMuch) => {
            tracing::warn!("a flush group makes this session keep too much: it is closed");
            session.fail();
            session.shut_down();
            Err(Error::ConnectionClosed.into())
        }
    }
}

fn is_data(message: &Delivery) -> bool {
    message.kind & service::REGULAR_MESS != 0
}

fn fits(needed: usize, room: i64) -> bool {
    i64::try_from(needed).is_ok_and(|needed| needed <= room)
}

fn length(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
