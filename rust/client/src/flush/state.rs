//! What the layer keeps of one session, and the turns of its threads.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use spread_proto::flush::Machine;

use crate::held::{ThreadToken, Turn};

/// A received body's memory is kept for the next one up to this size.
const MAX_SPARE: usize = 64 * 1024;

/// The layer of one session.
///
/// The lock is never held while waiting for the network: a thread that is going to wait enters
/// itself as the owner of its turn, unlocks, waits, and locks again.
#[derive(Debug, Default)]
pub(crate) struct Flush {
    state: Mutex<State>,
    /// A turn has become free.
    free: Condvar,
}

/// See [`Flush`].
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(super) machine: Machine,
    /// The thread that waits for a message.
    pub(super) receiver: Option<ThreadToken>,
    /// The thread that is in the middle of a frame.
    pub(super) sender: Option<ThreadToken>,
    /// Threads that wait for a turn.
    queued: usize,
    /// Memory for the next body.
    spare: Vec<u8>,
}

impl Flush {
    /// Locks the state. A panic under the lock was a defect of ours; the machine is whole between
    /// its calls.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn to become free.
    pub(super) fn wait<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.queued += 1;
        let waited = self.free.wait(state);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.queued = state.queued.saturating_sub(1);
        state
    }

    /// A turn has become free. Costs nothing if nobody waits for one.
    pub(super) fn wake(&self, state: &State) {
        if state.queued > 0 {
            self.free.notify_all();
        }
    }

    /// A thread is gone that held a turn.
    pub(crate) fn abandon(&self, turn: Turn, who: ThreadToken) {
        let mut state = self.lock();
        let owner = match turn {
            Turn::FlushReceive => &mut state.receiver,
            Turn::FlushSend => &mut state.sender,
            Turn::Receive | Turn::Send | Turn::Window => return,
        };
        if *owner == Some(who) {
            *owner = None;
            self.wake(&state);
        }
    }
}

impl State {
    /// In a forked child: only the forking thread is there.
    pub(crate) fn forget_other_threads(&mut self, me: ThreadToken) {
        for owner in [&mut self.receiver, &mut self.sender] {
            if *owner != Some(me) {
                *owner = None;
            }
        }
        self.queued = 0;
    }

    /// Whether no group is on its way from view to view, and nothing waits to be sent.
    pub(crate) fn machine_is_steady(&self) -> bool {
        self.sender.is_none() && self.machine.is_steady()
    }

    /// Memory of `len` bytes for a body.
    pub(super) fn body_of(&mut self, len: usize) -> Vec<u8> {
        let mut body = std::mem::take(&mut self.spare);
        body.resize(len, 0);
        body
    }

    /// Keeps the memory of a body that is done with.
    pub(super) fn keep(&mut self, body: Vec<u8>) {
        if body.capacity() <= MAX_SPARE && body.capacity() > self.spare.capacity() {
            self.spare = body;
        }
    }
}
