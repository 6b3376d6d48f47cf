//! Sending through the layer, joining, leaving, flushing.
//!
//! What the machine allows and what is sent must be one thing: a message that is allowed in a view
//! may not follow the vote that ends it. So check and send happen under the layer's lock, and a
//! thread that has to wait in the middle of a frame keeps the turn.

use std::mem::ManuallyDrop;
use std::sync::{Arc, MutexGuard};

use spread_proto::flush::{Refusal, SendRequest};
use spread_proto::{MARKERS, Name};

use crate::error::Error;
use crate::held::{self, Turn};
use crate::room::Progress;
use crate::send::{Outgoing, Send};
use crate::session::{Session, Tx};
use crate::sys::blocking::BlockingCall;
use crate::window::{Admission, Admitted, Load, Place};

use super::state::{Flush, State};
use super::{Failure, Step};

/// A program's message.
#[derive(Clone, Copy, Debug)]
pub struct FlushMessage<'a> {
    /// The group or private group, 32 bytes.
    pub group: &'a [[u8; 32]; 1],
    /// For a message to some members: how many, as the program says, and their names (looked at
    /// only if the number is possible).
    pub receivers: Option<(i32, &'a [[u8; 32]])>,
    /// Everything else. `num_groups` and `groups` are not looked at.
    pub message: Outgoing<'a>,
    /// Number of pieces of the body, as the program says.
    pub pieces: usize,
}

/// What to do.
#[derive(Clone, Copy, Debug)]
pub enum Request<'a> {
    /// Send a message.
    Message(FlushMessage<'a>),
    /// Join a group.
    Join(&'a [u8]),
    /// Leave a group.
    Leave(&'a [u8]),
    /// Agree to the next view of a group.
    Flush(&'a [u8]),
}

/// One call in progress. Steps and blocking calls as in [`Send`]; no destructors.
#[derive(Debug)]
pub struct FlushSend<'a> {
    session: ManuallyDrop<Option<Arc<Session>>>,
    key: u64,
    /// The blocking call to make after a step said [`Step::Blocked`].
    pub call: BlockingCall,
    request: Request<'a>,
    /// The frame that is on its way.
    frame: Option<Send<'a>>,
    /// It is what the program has asked for, and not one of the machine's own.
    is_own: bool,
    /// The machine has accepted the flush: its vote is among what it sends.
    has_flushed: bool,
    waited: bool,
    /// How a message gets room in the send window: before the layer decides about it, so that nobody
    /// else of the layer waits for that.
    admission: Admission,
    /// That room.
    place: Option<Place>,
}

const _: () = assert!(!std::mem::needs_drop::<FlushSend<'static>>());

impl<'a> FlushSend<'a> {
    /// A call on `mailbox`.
    ///
    /// # Errors
    /// [`Error::IllegalSession`], then [`Refusal::IllegalParam`] for a negative number of receivers.
    pub fn begin(mailbox: i32, request: Request<'a>) -> Result<Self, Failure> {
        let session = super::find(mailbox)?;
        if let Request::Message(message) = &request
            && message.receivers.is_some_and(|(count, _)| count < 0)
        {
            return Err(Refusal::IllegalParam.into());
        }
        Ok(Self {
            key: session.key(),
            admission: Admission::of(&session, matches!(request, Request::Message(_))),
            place: None,
            session: ManuallyDrop::new(Some(session)),
            call: BlockingCall::NONE,
            request,
            frame: None,
            is_own: false,
            has_flushed: false,
            waited: false,
        })
    }

    /// Goes on as far as it can without waiting. Done with the length of the program's body.
    #[must_use]
    pub fn step(&mut self) -> Step<usize> {
        if let Some(step) = self.admit() {
            return step;
        }
        let registered = self.waited.then(|| held::leave(self.key, Turn::FlushSend));
        let Some(session) = registered.flatten().or_else(|| self.session.take()) else {
            return Step::Done(Err(Error::Bug.into()));
        };
        let Some(flush) = session.flush.get() else {
            return Step::Done(Err(Error::Bug.into()));
        };
        let mut state = flush.lock();
        if self.waited {
            state.sender = None;
        } else {
            state = self.take_turn(flush, state);
        }
        let Some(result) = self.advance(&session, &mut state) else {
            state.sender = Some(held::token());
            drop(state);
            self.waited = true;
            self.session = ManuallyDrop::new(held::enter(session, Turn::FlushSend));
            return Step::Blocked;
        };
        flush.wake(&state);
        drop(state);
        if let Some(place) = self.place.take()
            && let Some(window) = &mut session.tx().window
        {
            // It has been refused.
            window.give_back(place);
        }
        Step::Done(result.map_err(|failure| super::ending(&session, failure)))
    }

    /// Waits for room in the send window. `None`: there is some, or none is needed.
    fn admit(&mut self) -> Option<Step<usize>> {
        if self.admission.is_over() {
            return None;
        }
        let load = |session: &Session, tx: &Tx| match &self.request {
            Request::Message(message) => {
                let kind = message.message.service.cast_unsigned() & !MARKERS;
                tx.load_of(session, kind, destinations(message).1)
            }
            Request::Join(_) | Request::Leave(_) | Request::Flush(_) => Load::default(),
        };
        let mut session = self.session.take();
        let admitted = self.admission.step(self.key, &mut session, load, None);
        let step = match admitted {
            Ok(Admitted::In(place)) => {
                self.place = place;
                None
            }
            Ok(Admitted::Wait(call)) => {
                self.call = call;
                Some(Step::Blocked)
            }
            Err(error) => {
                let failure = error.into();
                let failure = match session {
                    Some(session) => super::ending(&session, failure),
                    None => failure,
                };
                return Some(Step::Done(Err(failure)));
            }
        };
        self.session = ManuallyDrop::new(session);
        step
    }

    /// Waits until no other thread is in the middle of a frame. A turn of this very thread was
    /// abandoned by a long jump; the session below knows of the half frame.
    fn take_turn<'s>(
        &self,
        flush: &'s Flush,
        mut state: MutexGuard<'s, State>,
    ) -> MutexGuard<'s, State> {
        while let Some(owner) = state.sender {
            if owner == held::token() {
                end_turn(self.key, &mut state);
            } else {
                state = flush.wait(state);
            }
        }
        state
    }

    /// Sends all there is. `None`: a blocking call is arranged.
    fn advance(
        &mut self,
        session: &Arc<Session>,
        state: &mut State,
    ) -> Option<Result<usize, Failure>> {
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.step() {
                    Progress::Blocked => {
                        self.call = frame.call;
                        return None;
                    }
                    Progress::Done(result) => {
                        self.frame = None;
                        if self.is_own || result.is_err() {
                            return Some(result.map_err(Into::into));
                        }
                    }
                }
            }
            // What the machine has to say comes first, in its order.
            let frame = if let Some(control) = state.machine.poll_control() {
                Send::flush_control(session, &control).map_err(Into::into)
            } else if self.has_flushed {
                return Some(Ok(0));
            } else if let Request::Flush(group) = self.request {
                match legal(group).and_then(|group| state.machine.flush(&group)) {
                    Ok(()) => self.has_flushed = true,
                    Err(refusal) => return Some(Err(refusal.into())),
                }
                continue;
            } else {
                self.is_own = true;
                self.own_frame(session, state)
            };
            match frame {
                Ok(frame) => self.frame = Some(frame),
                Err(failure) => return Some(Err(failure)),
            }
        }
    }

    /// What the program has asked for, if the machine has nothing against it.
    fn own_frame(
        &mut self,
        session: &Arc<Session>,
        state: &mut State,
    ) -> Result<Send<'a>, Failure> {
        match self.request {
            Request::Message(message) => {
                let frame = own_message(session, state, &message)?;
                Ok(frame.with_place(self.place.take()))
            }
            Request::Join(group) => {
                state.machine.check_join(&legal(group)?)?;
                Ok(Send::flush_member(session, true, group)?)
            }
            Request::Leave(group) => {
                state.machine.leave(&legal(group)?)?;
                Ok(Send::flush_member(session, false, group)?)
            }
            Request::Flush(_) => Err(Error::Bug.into()),
        }
    }
}

fn own_message<'a>(
    session: &Arc<Session>,
    state: &State,
    message: &FlushMessage<'a>,
) -> Result<Send<'a>, Failure> {
    let envelope = state.machine.envelope(&SendRequest {
        service: message.message.service.cast_unsigned(),
        group: Name::from_raw(message.group[0]),
        receivers: message.receivers.map(|(_, names)| names),
        mess_type: message.message.mess_type,
        pieces: message.pieces,
    })?;
    let (num_groups, groups) = destinations(message);
    let outgoing = Outgoing {
        service: envelope.kind.cast_signed(),
        num_groups,
        groups,
        mess_type: envelope.mess_type,
        ..message.message
    };
    Ok(Send::flush_multicast(session, &outgoing, envelope.suffix)?)
}

/// Number, as the program says, and names of the groups that a message goes to.
fn destinations<'a>(message: &FlushMessage<'a>) -> (i32, &'a [u8]) {
    match message.receivers {
        Some((count, names)) => (count, names.as_flattened()),
        None => (1, message.group.as_flattened()),
    }
}

/// A name that a group can have. Others must not be cut to one.
fn legal(group: &[u8]) -> Result<Name, Refusal> {
    if spread_proto::is_legal_group(group) {
        Ok(Name::new(group))
    } else {
        Err(Refusal::IllegalGroup)
    }
}

/// The thread is going to wait in the middle of a frame.
pub(super) fn begin_turn(session: &Arc<Session>, state: &mut State) {
    state.sender = Some(held::token());
    drop(held::enter(Arc::clone(session), Turn::FlushSend));
}

/// It does not any more.
pub(super) fn end_turn(key: u64, state: &mut State) {
    if state.sender == Some(held::token()) {
        drop(held::leave(key, Turn::FlushSend));
        state.sender = None;
    }
}
