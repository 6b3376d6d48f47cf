//! What this process has learned of names and addresses: which have just failed, and what names
//! stood for when they could last be looked up.
//!
//! It is shared by all sessions, so that a program that only calls `SP_connect` again reaches
//! another daemon than the one that has just failed it.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use crate::endpoint::{Endpoint, Found, Lookup, Question, start_lookup};

/// Most entries of each kind. A program that talks to more daemons forgets the oldest.
const MOST: usize = 1024;

/// The memory.
#[derive(Debug, Default)]
pub(crate) struct Known {
    failed: HashMap<Endpoint, Instant>,
    found: HashMap<Question, (Instant, Found)>,
    /// Questions of automatic searches that are being asked.
    asked: HashMap<Question, Weak<Lookup>>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);

/// Keeps the memory whole over a fork.
pub(crate) fn lock() -> MutexGuard<'static, Option<Known>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<R>(body: impl FnOnce(&mut Known) -> R) -> R {
    body(lock().get_or_insert_default())
}

/// A connection to `endpoint` could not be made, or was lost.
pub(crate) fn note_failure(endpoint: &Endpoint) {
    with(|known| known.note_failure(endpoint, Instant::now()));
}

/// A daemon has accepted us at `endpoint`.
pub(crate) fn note_success(endpoint: &Endpoint) {
    with(|known| known.failed.remove(endpoint));
}

/// Whether `endpoint` has failed within the last `period`.
pub(crate) fn has_failed(endpoint: &Endpoint, period: Duration) -> bool {
    with(|known| known.has_failed(endpoint, period, Instant::now()))
}

/// The resolver has answered.
pub(crate) fn note_answer(question: &Question, found: &Found) {
    with(|known| known.note_answer(question, found, Instant::now()));
}

/// The resolver says that there is no such name.
pub(crate) fn forget_answer(question: &Question) {
    with(|known| known.found.remove(question));
}

/// Asks for all automatic searches of the process at once: those that want to know the same wait for
/// one answer.
pub(crate) fn lookup(question: Question) -> Option<Arc<Lookup>> {
    with(|known| {
        known.asked.retain(|_, lookup| lookup.strong_count() > 0);
        if let Some(lookup) = known.asked.get(&question).and_then(Weak::upgrade) {
            return Some(lookup);
        }
        let lookup = Arc::new(start_lookup(question.clone())?);
        known.asked.insert(question, Arc::downgrade(&lookup));
        Some(lookup)
    })
}

/// The last good answer, if it is no older than `most`.
pub(crate) fn last_answer(question: &Question, most: Duration) -> Option<Found> {
    with(|known| known.last_answer(question, most, Instant::now()))
}

impl Known {
    /// In a forked child: the threads that ask are not there, so nobody will answer what was being asked.
    pub(crate) fn forget_in_child(&mut self) {
        self.asked.clear();
    }

    fn note_failure(&mut self, endpoint: &Endpoint, now: Instant) {
        self.failed.insert(endpoint.clone(), now);
        bound(&mut self.failed, |when| *when);
    }

    fn has_failed(&self, endpoint: &Endpoint, period: Duration, now: Instant) -> bool {
        self.failed
            .get(endpoint)
            .is_some_and(|&when| now.saturating_duration_since(when) < period)
    }

    fn note_answer(&mut self, question: &Question, found: &Found, now: Instant) {
        self.found.insert(question.clone(), (now, found.clone()));
        bound(&mut self.found, |(when, _)| *when);
    }

    fn last_answer(&self, question: &Question, most: Duration, now: Instant) -> Option<Found> {
        let (when, found) = self.found.get(question)?;
        (now.saturating_duration_since(*when) <= most).then(|| found.clone())
    }
}

/// Drops the oldest entry of a map that has grown too large.
fn bound<K: Clone + Eq + Hash, V>(map: &mut HashMap<K, V>, when: impl Fn(&V) -> Instant) {
    if map.len() > MOST
        && let Some(oldest) = map.iter().min_by_key(|(_, value)| when(value))
    {
        let oldest = oldest.0.clone();
        map.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint::Tcp(SocketAddr::from(([127, 0, 0, 1], port)))
    }

    #[test]
    fn failures_are_remembered_for_a_while() {
        let mut known = Known::default();
        let start = Instant::now();
        let period = Duration::from_secs(10);
        known.note_failure(&endpoint(1), start);
        assert!(known.has_failed(&endpoint(1), period, start + Duration::from_secs(9)));
        assert!(!known.has_failed(&endpoint(1), period, start + period));
        assert!(!known.has_failed(&endpoint(1), Duration::ZERO, start));
        assert!(!known.has_failed(&endpoint(2), period, start));
    }

    #[test]
    fn what_was_being_asked_is_asked_again_in_a_child() {
        let question = Question::Host(b"child.invalid".to_vec());
        let under_way = lookup(question.clone()).expect("a thread");
        let joined = lookup(question.clone()).expect("the same one");
        assert!(Arc::ptr_eq(&under_way, &joined));
        with(Known::forget_in_child);
        let anew = lookup(question).expect("a thread");
        assert!(!Arc::ptr_eq(&under_way, &anew));
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_newest() {
        let mut known = Known::default();
        let start = Instant::now();
        for port in 0..3000 {
            let when = start + Duration::from_millis(u64::from(port));
            known.note_failure(&endpoint(port), when);
            let question = Question::Host(port.to_string().into_bytes());
            known.note_answer(&question, &Found::Hosts(Vec::new()), when);
        }
        assert_eq!((known.failed.len(), known.found.len()), (MOST, MOST));
        assert!(known.failed.contains_key(&endpoint(2999)));
        assert!(!known.failed.contains_key(&endpoint(0)));
    }

    #[test]
    fn answers_have_an_age() {
        let mut known = Known::default();
        let start = Instant::now();
        let question = Question::Host(b"h".to_vec());
        let found = Found::Hosts(vec![SocketAddr::from(([1, 2, 3, 4], 0))]);
        known.note_answer(&question, &found, start);
        let later = start + Duration::from_secs(2);
        assert_eq!(
            known.last_answer(&question, Duration::from_secs(1), later),
            None
        );
        assert_eq!(
            known.last_answer(&question, Duration::MAX, later),
            Some(found)
        );
        assert_eq!(
            known.last_answer(&Question::Srv(b"h".to_vec()), Duration::MAX, later),
            None
        );
    }
}
