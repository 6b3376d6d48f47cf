//! `fork`: both processes go on, and neither may hang or read the other's messages.
//!
//! Before the fork every lock of ours is taken, so that the child finds everything whole. In the
//! child no other thread exists: turns of others are void, and there is no reader. Afterwards the
//! reading of each mailbox is unclaimed in both processes ([`crate::claim`]). A pipe tells the
//! parent's reader when no child can use the connections any more.
//!
//! Lock order: the reader's work, slots of the table, then per session the flush layer's state, `rx`, `tx` and the
//! notices, the reader's place, the list of free claims, the spare bells, the dispatcher's and the restorer's place,
//! the memory of names and addresses. Threads that hold one of them take only later ones.

use std::cell::RefCell;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use crate::flush;
use crate::session::{Kind, Rx, Session, Tx};
use crate::sys::fd;
use crate::sys::fork::{self as sys, HeldOver};
use crate::{bells, claim, held, interrupt, known, notice, reader, restore, table};

type Guards = (
    Option<MutexGuard<'static, flush::State>>,
    MutexGuard<'static, Rx>,
    MutexGuard<'static, Tx>,
    MutexGuard<'static, notice::Inner>,
);
type SessionLocks = HeldOver<Session, Guards>;
type Dispatcher = MutexGuard<'static, Option<Arc<notice::Dispatcher>>>;
type Restorer = MutexGuard<'static, Option<Arc<restore::Shared>>>;
type Slot = MutexGuard<'static, Option<Arc<Session>>>;
type Memory = MutexGuard<'static, Option<known::Known>>;
type Claims = MutexGuard<'static, Vec<claim::Place>>;

/// What the forking thread holds between the handlers. Released in the order of the fields.
struct Prepared {
    pipe: Option<(OwnedFd, OwnedFd)>,
    sessions: Vec<SessionLocks>,
    reader: reader::ForkLock,
    claims: Claims,
    bells: bells::ForkLock,
    dispatcher: Dispatcher,
    restorer: Restorer,
    memory: Memory,
    _slots: Vec<Slot>,
    _still: MutexGuard<'static, ()>,
}

thread_local! {
    static PREPARED: RefCell<Option<Prepared>> = const { RefCell::new(None) };
}

/// Write ends that a child keeps open until it ends or replaces its program.
static KEPT: Mutex<Vec<OwnedFd>> = Mutex::new(Vec::new());

/// Forked children that may still use our connections. Changed for a fork with all sessions locked.
static CHILDREN: AtomicUsize = AtomicUsize::new(0);

/// Whether a forked child may still use our connections.
pub(crate) fn has_children() -> bool {
    CHILDREN.load(Ordering::SeqCst) > 0
}

/// A child has ended or replaced its program.
pub(crate) fn child_gone() {
    let _ = CHILDREN.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| {
        count.checked_sub(1)
    });
}

/// Registers the handlers, once per process.
pub(crate) fn register() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if let Err(error) = sys::on_fork(prepare, parent, child) {
            tracing::warn!(%error, "forks of this program will not be noticed");
        }
    });
}

extern "C" fn prepare() {
    let still = reader::hold_still();
    let slots = table::lock_all();
    let mut sessions: Vec<SessionLocks> = slots
        .iter()
        .filter_map(|slot| slot.as_ref())
        .map(|session| {
            HeldOver::lock(Arc::clone(session), |s| {
                let flush = s.flush.get().map(flush::Flush::lock);
                (flush, s.rx(), s.tx(), s.notices.lock())
            })
        })
        .collect();
    // Here and not after the fork: the first process to come back may claim before the other has
    // run its handler. If the fork fails, the pipe ends at once and we are alone again.
    for session in &mut sessions {
        session.owner().claim.loosen();
        if let Some(window) = &mut session.guards().2.window {
            window.note_fork();
        }
    }
    if !sessions.is_empty() {
        CHILDREN.fetch_add(1, Ordering::SeqCst);
    }
    let pipe = if sessions.is_empty() {
        None
    } else {
        fd::pipe()
            .ok()
            .map(|(read, write)| (fd::move_high(read), fd::move_high(write)))
    };
    let reader = reader::lock_for_fork();
    let claims = claim::lock();
    let bells = bells::lock_for_fork();
    let dispatcher = notice::lock_dispatcher();
    let restorer = restore::lock();
    let memory = known::lock();
    let _ = PREPARED.try_with(|prepared| {
        *prepared.borrow_mut() = Some(Prepared {
            pipe,
            sessions,
            reader,
            claims,
            bells,
            dispatcher,
            restorer,
            memory,
            _slots: slots,
            _still: still,
        });
    });
}

fn take() -> Option<Prepared> {
    PREPARED
        .try_with(|prepared| prepared.borrow_mut().take())
        .ok()
        .flatten()
}

extern "C" fn parent() {
    let Some(mut prepared) = take() else { return };
    let pipe = prepared.pipe.take();
    drop(prepared);
    if let Some((read, write)) = pipe {
        drop(write);
        reader::watch_child(read);
    }
}

extern "C" fn child() {
    let Some(mut prepared) = take() else { return };
    CHILDREN.store(0, Ordering::SeqCst);
    interrupt::forget_bells_in_child();
    prepared.bells.forget_in_child();
    let me = held::token();
    let mut stable = Vec::new();
    for session in &mut prepared.sessions {
        session.owner().claim.inherit();
        let owner = Arc::clone(session.owner());
        let (flush, rx, tx, notices) = session.guards();
        if let Some(flush) = flush {
            flush.forget_other_threads(me);
        }
        rx.forget_other_threads(me);
        tx.forget_other_threads(me);
        notices.forget_in_child();
        if rx.outage {
            // It comes back in the parent.
            rx.outage = false;
            owner.ended.store(true, Ordering::SeqCst);
        }
        if matches!(session.owner().kind, Kind::Stable) {
            stable.push(Arc::clone(session.owner()));
        }
    }
    prepared.reader.forget_in_child();
    *prepared.dispatcher = None;
    *prepared.restorer = None;
    if let Some(known) = &mut *prepared.memory {
        known.forget_in_child();
    }
    // The free places of the shared pages are the parent's to use.
    prepared.claims.clear();
    let pipe = prepared.pipe.take();
    drop(prepared);
    if let Some((read, write)) = pipe {
        drop(read);
        KEPT.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(write);
    }
    // A select() on a mailbox of the stable kind must wake before any call of the library.
    for session in stable {
        if let Err(error) = reader::watch(&session) {
            tracing::warn!(%error, "no background reader in the forked child");
        }
    }
}
