//! Messages that own what is in them.

use std::time::Duration;

use spread_proto::{Name, service};

use crate::error::Error;
use crate::receive::Receive;
use crate::room::{Outputs, Progress, Room};
use crate::sys::blocking::BlockingCall;
use crate::sys::out::OutSlice;

/// A received message with its groups and its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Type: service and membership bits, as `SP_receive` gives them.
    pub service: u32,
    /// The sender's private group; of a membership message the group that it is about.
    pub sender: Name,
    /// Destinations; of a membership message the members.
    pub groups: Vec<Name>,
    /// The sender's own number; of a regular membership message the index of this session's private
    /// group among the members, else -1.
    pub mess_type: i16,
    /// Whether the sender's byte order differs from ours.
    pub endian_mismatch: bool,
    /// The body.
    pub body: Vec<u8>,
}

impl Message {
    /// Whether it tells of the members of a group instead of carrying data.
    #[must_use]
    pub fn is_membership(&self) -> bool {
        service::is_membership(self.service)
    }

    /// Whether it is a regular membership message: a group's new members.
    #[must_use]
    pub fn is_regular_membership(&self) -> bool {
        service::is_regular_membership(self.service)
    }

    fn new(out: &Outputs, groups: &[[u8; 32]], body: Vec<u8>) -> Self {
        let count = usize::try_from(out.num_groups.unwrap_or(0)).unwrap_or(0);
        Self {
            service: out.service.unwrap_or(0),
            sender: out.sender.unwrap_or_else(|| Name::new(b"")),
            groups: groups
                .iter()
                .take(count)
                .map(|raw| Name::from_raw(*raw))
                .collect(),
            mess_type: out.mess_type.unwrap_or(0),
            endian_mismatch: out.endian_mismatch == Some(1),
            body,
        }
    }
}

/// What is known of a message that waits, all of which is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Sizes {
    groups: usize,
    body: usize,
}

/// Receives one message of any size. A machine of steps, as [`Receive`]; it owns nothing while it
/// waits, so a thread may be cancelled in the blocking call.
#[derive(Debug)]
pub struct ReceiveMessage {
    mailbox: i32,
    limit: Option<Duration>,
    waiting: Option<Receive<'static, 'static>>,
    /// The blocking call to make after a step said [`Progress::Blocked`].
    pub call: BlockingCall,
}

/// How a step of [`ReceiveMessage`] has ended.
#[derive(Debug)]
pub enum MessageProgress {
    /// Finished.
    Done(Result<Message, Error>),
    /// Make the blocking call, then step again.
    Blocked,
}

impl ReceiveMessage {
    /// Receives from `mailbox`, waiting for at most `limit` (zero: not at all, `None`: without a
    /// limit).
    #[must_use]
    pub fn new(mailbox: i32, limit: Option<Duration>) -> Self {
        Self {
            mailbox,
            limit,
            waiting: None,
            call: BlockingCall::NONE,
        }
    }

    /// Goes on as far as it can without waiting.
    pub fn step(&mut self) -> MessageProgress {
        loop {
            let mut waiting = match self.waiting.take() {
                Some(mut waiting) => {
                    waiting.call = self.call;
                    waiting
                }
                None => match self.begin() {
                    Ok(waiting) => waiting,
                    Err(error) => return MessageProgress::Done(Err(error)),
                },
            };
            let sizes = match waiting.step() {
                Progress::Blocked => {
                    self.call = waiting.call;
                    self.waiting = Some(waiting);
                    return MessageProgress::Blocked;
                }
                // It had no groups and no body.
                Progress::Done(Ok(_)) => {
                    let message = Message::new(&waiting.out, &[], Vec::new());
                    return MessageProgress::Done(Ok(message));
                }
                Progress::Done(Err(Error::BufferTooShort | Error::GroupsTooShort)) => {
                    Sizes::of(&waiting.out)
                }
                Progress::Done(Err(error)) => return MessageProgress::Done(Err(error)),
            };
            match take(self.mailbox, sizes) {
                // Another thread has taken it, and another message is at the head.
                Err(Error::BufferTooShort | Error::GroupsTooShort | Error::TryAgain) => {}
                result => return MessageProgress::Done(result),
            }
        }
    }

    /// A receive without any room: it ends when a message is there.
    fn begin(&self) -> Result<Receive<'static, 'static>, Error> {
        let room = Room {
            groups: OutSlice::EMPTY,
            max_groups: 0,
            body: &mut [],
            max_body: 0,
        };
        Receive::begin_patient(self.mailbox, room, self.limit)
    }
}

impl Sizes {
    /// Of the outputs of a receive that had no room.
    fn of(out: &Outputs) -> Self {
        let size = |negative: Option<i32>| negative.map_or(0, i32::unsigned_abs) as usize;
        Self {
            groups: size(out.num_groups),
            body: size(out.endian_mismatch),
        }
    }
}

/// Takes a message of which all is there.
fn take(mailbox: i32, sizes: Sizes) -> Result<Message, Error> {
    let mut groups = vec![[0; 32]; sizes.groups];
    let mut body = vec![0; sizes.body];
    let mut pieces = [OutSlice::over(&mut body)];
    let room = Room {
        groups: OutSlice::over(groups.as_flattened_mut()),
        max_groups: i32::try_from(sizes.groups).unwrap_or(i32::MAX),
        body: &mut pieces,
        max_body: i64::try_from(sizes.body).unwrap_or(i64::MAX),
    };
    let mut receive = Receive::begin_patient(mailbox, room, Some(Duration::ZERO))?;
    let length = match receive.step() {
        Progress::Done(result) => result?,
        // Without patience nothing is waited for.
        Progress::Blocked => return Err(Error::Bug),
    };
    let out = receive.out;
    body.truncate(length);
    Ok(Message::new(&out, &groups, body))
}

/// Receives one message of any size, waiting for at most `limit` (zero: not at all, `None`: without a
/// limit). It owns what it returns; nothing is ever too short.
///
/// Unlike `SP_receive` it delivers what waits also after a send has failed, and
/// [`interrupt`](crate::interrupt) ends its wait.
///
/// # Errors
/// [`Error::TryAgain`] (only with zero), [`Error::TimedOut`], [`Error::Interrupted`]: nothing was
/// taken. [`Error::IllegalSession`]; [`Error::ConnectionClosed`] once after a loss, then
/// [`Error::NetError`]; [`Error::IllegalMessage`] for a broken frame.
pub fn receive_message(mailbox: i32, limit: Option<Duration>) -> Result<Message, Error> {
    let mut machine = ReceiveMessage::new(mailbox, limit);
    loop {
        match machine.step() {
            MessageProgress::Done(result) => return result,
            MessageProgress::Blocked => machine.call.run(),
        }
    }
}
