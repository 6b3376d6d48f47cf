//! Receiving for a layer above: whole messages, and without waiting.

use std::sync::Arc;

use super::Receive;
use crate::error::Error;
use crate::held::{self, Turn};
use crate::reader;
use crate::room::{Progress, Room};
use crate::session::Session;
use crate::sys::out::OutSlice;

/// Most bytes behind a header that are collected for [`Receive::until_whole`]: far more than any
/// daemon sends.
pub(super) const MAX_WHOLE: usize = 4 << 20;

impl Receive<'_, '_> {
    /// A receive that takes nothing: it ends when a message is whole in the inbox, with its sizes as
    /// a message without any room has them. One that is larger than any daemon's is a broken frame.
    pub(crate) fn until_whole(session: Arc<Session>) -> Result<Self, Error> {
        let room = Room {
            groups: OutSlice::EMPTY,
            max_groups: 0,
            body: &mut [],
            // Refuses also an empty body.
            max_body: -1,
        };
        let mut receive = Self::on(session, room, false)?;
        receive.whole = true;
        Ok(receive)
    }

    /// Goes on as far as it can, and gives up where it would have to wait (`None`).
    pub(crate) fn try_now(&mut self) -> Option<Result<usize, Error>> {
        loop {
            match self.step() {
                Progress::Done(result) => return Some(result),
                Progress::Blocked if self.call.run_now() => {}
                Progress::Blocked => {
                    self.give_up();
                    return None;
                }
            }
        }
    }

    /// Leaves the turn. What has come of a message stays in the inbox.
    fn give_up(&mut self) {
        let registered = held::leave(self.key, Turn::Receive);
        if let Some(session) = registered.or_else(|| self.session.take()) {
            let mut rx = session.rx();
            rx.owner = None;
            session.settle_token(&mut rx);
            reader::returned(&session, &mut rx);
            if rx.queued > 0 {
                session.rx_free.notify_one();
            }
        }
    }
}
