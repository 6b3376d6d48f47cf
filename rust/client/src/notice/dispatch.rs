//! The thread that runs the program's callbacks. The reader must never wait for the program, so it
//! cannot do that itself.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::session::Session;
use crate::sys::signals;

thread_local! {
    static IS_DISPATCHER: Cell<bool> = const { Cell::new(false) };
}

/// Sessions that have something for their callback.
#[derive(Debug, Default)]
pub(crate) struct Dispatcher {
    list: Mutex<VecDeque<Arc<Session>>>,
    some: Condvar,
}

static DISPATCHER: Mutex<Option<Arc<Dispatcher>>> = Mutex::new(None);

/// Keeps the place of the dispatcher whole over a fork. In the child the thread is not there: it is
/// forgotten, and made anew when there is something to tell.
pub(crate) fn lock() -> MutexGuard<'static, Option<Arc<Dispatcher>>> {
    DISPATCHER.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether this is the thread that runs callbacks.
pub(super) fn is_this_thread() -> bool {
    IS_DISPATCHER.try_with(Cell::get).unwrap_or(false)
}

fn dispatcher() -> std::io::Result<Arc<Dispatcher>> {
    let mut place = lock();
    if let Some(dispatcher) = &*place {
        return Ok(Arc::clone(dispatcher));
    }
    let dispatcher = Arc::new(Dispatcher::default());
    let own = Arc::clone(&dispatcher);
    // Programs' callbacks run here: as much stack as a thread of theirs would have.
    signals::spawn_masked("spread-events", 8 << 20, move || run(&own))?;
    *place = Some(Arc::clone(&dispatcher));
    Ok(dispatcher)
}

/// Has the callback of `session` called for all its events.
pub(super) fn ask(session: Arc<Session>) {
    match dispatcher() {
        Ok(dispatcher) => {
            dispatcher
                .list
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_back(session);
            dispatcher.some.notify_one();
        }
        // The events stay in the queue, and can be taken from there.
        Err(error) => {
            session.notices.lock().asked = false;
            tracing::warn!(%error, "no thread for callbacks");
        }
    }
}

fn run(dispatcher: &Dispatcher) {
    IS_DISPATCHER.set(true);
    loop {
        let session = {
            let mut list = dispatcher
                .list
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            loop {
                if let Some(session) = list.pop_front() {
                    break session;
                }
                list = dispatcher
                    .some
                    .wait(list)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        };
        while let Some((callback, event)) = session.next_for_callback() {
            let mut callback = callback.lock().unwrap_or_else(PoisonError::into_inner);
            let mailbox = session.mailbox();
            // A callback of a Rust program that panics has had its event.
            let _ = catch_unwind(AssertUnwindSafe(|| callback(mailbox, &event)));
        }
    }
}
