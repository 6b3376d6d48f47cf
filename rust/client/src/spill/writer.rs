//! The thread that writes to disk, one for all sessions of the process. Made when the first session
//! spills.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::Flight;
use crate::reader;
use crate::session::Session;
use crate::sys::signals;

/// Sessions that have a flight.
#[derive(Debug, Default)]
struct Queue {
    list: Mutex<VecDeque<Arc<Session>>>,
    some: Condvar,
}

/// The process that has the thread, and its queue. A forked child has neither.
static WRITER: Mutex<Option<(u32, Arc<Queue>)>> = Mutex::new(None);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn queue() -> io::Result<Arc<Queue>> {
    let me = std::process::id();
    let mut place = lock(&WRITER);
    if let Some((process, queue)) = &*place
        && *process == me
    {
        return Ok(Arc::clone(queue));
    }
    let queue = Arc::new(Queue::default());
    let own = Arc::clone(&queue);
    // All signals are blocked: also the one that a limit of file sizes sends.
    signals::spawn_masked("spread-spill", 256 * 1024, move || run(&own))?;
    *place = Some((me, Arc::clone(&queue)));
    Ok(queue)
}

/// Has the flight of `session` written. Called with its `rx` lock held.
pub(super) fn submit(session: &Session) -> io::Result<()> {
    let Some(me) = session.me() else {
        return Ok(());
    };
    let queue = queue()?;
    lock(&queue.list).push_back(me);
    queue.some.notify_one();
    Ok(())
}

fn run(queue: &Queue) {
    loop {
        let session = {
            let mut list = lock(&queue.list);
            loop {
                if let Some(session) = list.pop_front() {
                    break session;
                }
                list = queue
                    .some
                    .wait(list)
                    .unwrap_or_else(PoisonError::into_inner);
            }
        };
        write(&session);
        // Reading may have paused for it, or has to stop now.
        reader::look(&session);
    }
}

/// Writes piece by piece, and lets other threads have their turn between: the reader is in more of a
/// hurry, and in a process of real-time priority nothing else would interrupt this one.
fn append(file: &File, pieces: &[Vec<u8>], mut at: u64) -> io::Result<()> {
    for piece in pieces {
        file.write_all_at(piece, at)?;
        at += piece.len() as u64;
        std::thread::yield_now();
    }
    Ok(())
}

/// Appends the flight of a session to its file.
fn write(session: &Arc<Session>) {
    let (file, flight, at) = {
        let mut rx = session.rx();
        if !session.claim.is_mine() {
            // It is submitted again if this process gets the claim.
            return;
        }
        let next = rx.spills().find_map(|spill| {
            let flight = spill.flight.as_ref().filter(|_| spill.failed.is_none())?;
            Some((Arc::clone(&spill.file), Arc::clone(flight), spill.write_at))
        });
        let Some(next) = next else { return };
        next
    };
    let result = append(&file, &flight.pieces, at);
    let mut rx = session.rx();
    // A receiver may have taken it meanwhile, and another one may fly by now.
    let is_it = |now: &Arc<Flight>| Arc::ptr_eq(now, &flight);
    let found = rx
        .spills()
        .find(|spill| spill.flight.as_ref().is_some_and(is_it));
    match (found, result) {
        (Some(spill), Ok(())) => {
            spill.write_at += flight.len as u64;
            spill.flight = None;
            spill.send_off(session);
        }
        // It stays in memory, in its place.
        (Some(spill), Err(error)) => spill.failed = Some(format!("cannot write: {error}")),
        (None, _) => {}
    }
}
