//! Asking Java to run an authentication method again, for a session that is being restored.
//!
//! The restore runs on threads of the library, which never call Java. So a Java thread waits here for
//! what there is to do ([`Asks::next`]) and says what has come of it ([`Asks::answer`]); meanwhile the
//! library's thread waits in [`Asks::ask`]. The search for a daemon does not wait with it: an attempt
//! that has taken too long is given up, and the next one asks anew, which lets the old thread go.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use jni::sys::jlong;

/// What one session asks for. See the module.
#[derive(Debug, Default)]
pub(crate) struct Asks {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Number of the last one; they start at 1.
    last: jlong,
    /// To the last one.
    answer: Option<bool>,
    /// The session has ended.
    closed: bool,
}

impl Asks {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Each change is one assignment, so a poisoned state is sound.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'s>(&'s self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the method run, and waits for it: whether it succeeded. False as well once it is asked for
    /// again, or the session has ended.
    pub(crate) fn ask(&self) -> bool {
        let mut state = self.lock();
        state.last += 1;
        state.answer = None;
        let number = state.last;
        self.changed.notify_all();
        while !state.closed && state.last == number {
            if let Some(ok) = state.answer {
                return ok;
            }
            state = self.wait(state);
        }
        false
    }

    /// Waits for one with a greater number than `seen`: that of the last. `None`: there will be none.
    pub(crate) fn next(&self, seen: jlong) -> Option<jlong> {
        let mut state = self.lock();
        while !state.closed && state.last <= seen {
            state = self.wait(state);
        }
        (!state.closed).then_some(state.last)
    }

    /// The method has run. Too late an answer has no effect.
    pub(crate) fn answer(&self, number: jlong, ok: bool) {
        let mut state = self.lock();
        if state.last == number {
            state.answer = Some(ok);
            self.changed.notify_all();
        }
    }

    /// Lets everybody go.
    pub(crate) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread::{self, JoinHandle};

    use super::*;

    fn asking(asks: &Arc<Asks>) -> JoinHandle<bool> {
        let asks = Arc::clone(asks);
        thread::spawn(move || asks.ask())
    }

    #[test]
    fn an_answer_reaches_the_one_who_asked() {
        let asks = Arc::new(Asks::default());
        for (number, ok) in [(1, true), (2, false)] {
            let asker = asking(&asks);
            assert_eq!(asks.next(number - 1), Some(number));
            asks.answer(number, ok);
            assert_eq!(asker.join().unwrap(), ok);
        }
    }

    #[test]
    fn whoever_asks_again_lets_the_one_before_go() {
        let asks = Arc::new(Asks::default());
        let first = asking(&asks);
        assert_eq!(asks.next(0), Some(1));
        let second = asking(&asks);
        assert!(!first.join().unwrap());
        assert_eq!(asks.next(1), Some(2));
        // Of the method that has hung.
        asks.answer(1, true);
        asks.answer(2, true);
        assert!(second.join().unwrap());
    }

    #[test]
    fn the_end_lets_everybody_go() {
        let asks = Arc::new(Asks::default());
        let asker = asking(&asks);
        let server = Arc::clone(&asks);
        let server = thread::spawn(move || (server.next(0), server.next(1)));
        while asks.lock().last == 0 {
            thread::yield_now();
        }
        asks.close();
        assert!(!asker.join().unwrap());
        assert_eq!(server.join().unwrap().1, None);
        assert!(!asks.ask());
    }
}
