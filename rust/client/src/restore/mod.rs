//! Restoring lost sessions, on a thread of its own.
//!
//! Authentication methods are the program's code and may take their time, and the reader must not
//! wait; so restores have a thread, `spread-restore`, which starts with the first loss. It drives any
//! number of them at a time: each is a [`job::Job`] of prompt steps around the state machine in
//! [`plan`].

mod home;
mod job;
mod link;
mod plan;

use std::collections::HashMap;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::session::Session;
use crate::sys::{fd, signals};
use job::{Job, Next};

/// What is asked of the thread.
#[derive(Debug)]
enum Request {
    /// The session has lost its link.
    Lost(Arc<Session>),
    /// The session is to go to another daemon.
    Move(Arc<Session>),
    /// Groups have been joined or left, or the session has ended.
    Changed(u64),
    /// The session may go to a daemon of an earlier entry.
    Watch(Arc<Session>),
}

/// The part of the thread that others see.
#[derive(Debug)]
pub(crate) struct Shared {
    bell: OwnedFd,
    requests: Mutex<Vec<Request>>,
}

static RESTORER: Mutex<Option<Arc<Shared>>> = Mutex::new(None);

/// Keeps the place of the thread whole over a fork. In the child the thread is not there: it is
/// forgotten, and made anew when a session of the child is lost.
pub(crate) fn lock() -> MutexGuard<'static, Option<Arc<Shared>>> {
    RESTORER.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start() -> std::io::Result<Arc<Shared>> {
    let mut place = lock();
    if let Some(shared) = &*place {
        return Ok(Arc::clone(shared));
    }
    let shared = Arc::new(Shared {
        bell: fd::move_high(fd::bell()?),
        requests: Mutex::default(),
    });
    let own = Arc::clone(&shared);
    signals::spawn_masked("spread-restore", 512 * 1024, move || run(&own))?;
    *place = Some(Arc::clone(&shared));
    Ok(shared)
}

fn ask(request: Request) -> bool {
    match start() {
        Ok(shared) => {
            shared
                .requests
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(request);
            fd::ring(&shared.bell);
            true
        }
        Err(error) => {
            tracing::warn!(%error, "no thread to restore lost sessions");
            false
        }
    }
}

/// A session has lost its link. False: there is no thread to restore it.
pub(crate) fn begin(session: &Session) -> bool {
    session.me().is_some_and(|me| ask(Request::Lost(me)))
}

/// A session is to go to another daemon.
pub(crate) fn begin_move(session: &Arc<Session>) -> bool {
    ask(Request::Move(Arc::clone(session)))
}

/// A session that was opened at a daemon of a later entry, and may go to one of an earlier entry some day.
pub(crate) fn watch(session: &Arc<Session>) {
    ask(Request::Watch(Arc::clone(session)));
}

/// The groups of a session without a link have changed, or it has ended.
pub(crate) fn changed(session: &Session) {
    if lock().is_some() {
        ask(Request::Changed(session.key()));
    }
}

/// Longest sleep. Only a net: everything that happens rings the bell.
const LONG: Duration = Duration::from_secs(3600);

fn run(shared: &Shared) {
    let mut jobs: HashMap<u64, Job> = HashMap::new();
    loop {
        fd::silence(&shared.bell);
        let requests = std::mem::take(
            &mut *shared
                .requests
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for request in requests {
            match request {
                Request::Lost(session) => job_of(&mut jobs, session).lost(),
                Request::Move(session) => job_of(&mut jobs, session).start_move(),
                Request::Watch(session) => {
                    job_of(&mut jobs, session);
                }
                Request::Changed(key) => {
                    if let Some(job) = jobs.get_mut(&key) {
                        job.changed();
                    }
                }
            }
        }
        let now = Instant::now();
        jobs.retain(|_, job| !job.is_due(now) || job.run() != Next::Over);
        sleep(shared, &mut jobs);
    }
}

fn job_of(jobs: &mut HashMap<u64, Job>, session: Arc<Session>) -> &mut Job {
    jobs.entry(session.key())
        .or_insert_with(|| Job::new(session))
}

/// Until a descriptor of a job is ready, a job's time has come, or the bell rings.
fn sleep(shared: &Shared, jobs: &mut HashMap<u64, Job>) {
    let mut waits = vec![(shared.bell.as_raw_fd(), libc::POLLIN)];
    let mut keys = Vec::new();
    let mut until = Instant::now() + LONG;
    for (key, job) in &*jobs {
        until = until.min(job.due().unwrap_or(until));
        if let Some(wait) = job.waits_for() {
            waits.push(wait);
            keys.push(*key);
        }
    }
    let left = until.saturating_duration_since(Instant::now());
    let timeout = i32::try_from(left.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
    let ready = fd::wait_for_any(&waits, timeout);
    for (key, is_ready) in keys.iter().zip(ready.into_iter().skip(1)) {
        if is_ready && let Some(job) = jobs.get_mut(key) {
            job.changed();
        }
    }
}
