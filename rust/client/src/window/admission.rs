//! How a sender waits until there is room for its message.

use std::os::fd::RawFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::{Load, Turn, Window, settle};
use crate::bells;
use crate::cork::{self, Flushed};
use crate::error::Error;
use crate::held;
use crate::reader;
use crate::reason;
use crate::session::{Session, Tx};
use crate::sys::blocking::BlockingCall;
use crate::sys::fd;

/// How often a thread looks for which there is no bell.
const LOOK_MS: i32 = 10;

/// Messages that have been let in, and are to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Place {
    pub(super) round: u64,
    pub(super) load: Load,
}

/// One sender's way in. Plain data: the thread may be removed while it waits, and is forgotten by
/// what its registry holds ([`held`]).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Admission(State);

#[derive(Clone, Copy, Debug)]
enum State {
    /// There is nothing to wait for, or no more.
    Over,
    Fresh,
    Waits {
        number: u64,
        load: Load,
        bell: RawFd,
        /// Beyond that it does not wait.
        until: Option<Instant>,
    },
}

/// What has become of an attempt.
#[derive(Debug)]
pub(crate) enum Admitted {
    /// The message may be sent. What is sent without a place counts nevertheless.
    In(Option<Place>),
    /// The blocking call is to be made first.
    Wait(BlockingCall),
}

impl Admission {
    /// Nothing is to be waited for.
    pub(crate) const OVER: Self = Self(State::Over);

    /// For a message of this session; `counts`: it is one that can be held up.
    pub(crate) fn of(session: &Session, counts: bool) -> Self {
        if counts && session.options.send_window > 0 {
            Self(State::Fresh)
        } else {
            Self::OVER
        }
    }

    /// Whether there is no more to do.
    #[inline]
    pub(crate) fn is_over(&self) -> bool {
        matches!(self.0, State::Over)
    }

    /// Goes on as far as it can without waiting. `load`: what the message counts; `limit`: the caller's
    /// own, in place of `send_window_ms`. The session named `key` is in `place`; while the caller waits
    /// it is in the registry of the thread.
    ///
    /// # Errors
    /// [`Error::TryAgain`] at the caller's limit; [`Error::ConnectionClosed`] if the session is ended
    /// meanwhile.
    pub(crate) fn step(
        &mut self,
        key: u64,
        place: &mut Option<Arc<Session>>,
        load: impl FnOnce(&Session, &Tx) -> Load,
        limit: Option<Instant>,
    ) -> Result<Admitted, Error> {
        if matches!(self.0, State::Waits { .. })
            && let Some(session) = held::leave(key, held::Turn::Window)
        {
            *place = Some(session);
        }
        let Some(session) = place.as_deref() else {
            return Err(Error::Bug);
        };
        let admitted = self.go(session, |tx| load(session, tx), limit)?;
        if let Admitted::Wait(_) = admitted
            && let Some(session) = place.take()
        {
            *place = held::enter(session, held::Turn::Window);
        }
        Ok(admitted)
    }

    fn go(
        &mut self,
        session: &Session,
        load: impl FnOnce(&Tx) -> Load,
        limit: Option<Instant>,
    ) -> Result<Admitted, Error> {
        let result = match self.0 {
            State::Over => return Ok(Admitted::In(None)),
            State::Fresh => self.begin(session, load, limit),
            State::Waits {
                number,
                load,
                bell,
                until,
            } => self.go_on(session, number, load, bell, until, limit),
        };
        if !matches!(result, Ok(Admitted::Wait(_))) {
            self.0 = State::Over;
        }
        result
    }

    fn begin(
        &mut self,
        session: &Session,
        load: impl FnOnce(&Tx) -> Load,
        limit: Option<Instant>,
    ) -> Result<Admitted, Error> {
        // An entry of this very thread, which it has left with a long jump.
        let left = held::leave(session.key(), held::Turn::Window).is_some();
        let load = {
            let mut tx = session.tx();
            if let Some(window) = &mut tx.window {
                if window.over {
                    return Ok(Admitted::In(None));
                }
                if left {
                    window.abandon(held::token());
                }
                if window.forked && !session.claim.is_shared() {
                    window.forked = false;
                    window.write_off();
                }
            }
            let load = load(&tx);
            match &mut tx.window {
                Some(window) if !load.is_none() => {
                    if let Some(place) = window.try_enter(load) {
                        return Ok(Admitted::In(Some(place)));
                    }
                }
                _ => return Ok(Admitted::In(None)),
            }
            load
        };
        if has_to_look_elsewhere(session)? {
            return Ok(Admitted::In(None));
        }
        urge(session);
        let until = limit.or_else(|| {
            let most = Duration::from_millis(u64::from(session.options.send_window_ms));
            Instant::now().checked_add(most)
        });
        let late = left_of(until).is_none();
        let bell = if late {
            -1
        } else {
            bells::take().unwrap_or(-1)
        };
        let number = {
            let mut tx = session.tx();
            let Some(window) = &mut tx.window else {
                return Ok(Admitted::In(None));
            };
            // Whoever ends the session sets its flag first, and wakes those in the queue with this lock: a
            // flag that has been set since the last look may have had nobody to wake.
            let elsewhere =
                has_to_look_elsewhere(session).map(|elsewhere| elsewhere || window.over);
            if !matches!(elsewhere, Ok(false)) {
                drop(tx);
                bells::put(bell);
                return elsewhere.map(|_| Admitted::In(None));
            }
            let place = window.try_enter(load);
            if place.is_some() {
                drop(tx);
                bells::put(bell);
                return Ok(Admitted::In(place));
            }
            if late {
                return in_vain(session, window, load, limit.is_some());
            }
            window.queue(held::token(), load, bell)
        };
        self.0 = State::Waits {
            number,
            load,
            bell,
            until,
        };
        Ok(Admitted::Wait(wait(session, bell, until)))
    }

    fn go_on(
        &mut self,
        session: &Session,
        number: u64,
        load: Load,
        bell: RawFd,
        until: Option<Instant>,
        limit: Option<Instant>,
    ) -> Result<Admitted, Error> {
        if bell >= 0 {
            fd::silence_number(bell);
        }
        let elsewhere = has_to_look_elsewhere(session);
        let mut tx = session.tx();
        let Some(window) = &mut tx.window else {
            return Ok(Admitted::In(None));
        };
        let elsewhere = elsewhere.map(|elsewhere| elsewhere || window.over);
        let turn = window.turn(number);
        let late = left_of(until).is_none();
        if turn == Turn::Waits && !late && matches!(elsewhere, Ok(false)) {
            drop(tx);
            return Ok(Admitted::Wait(wait(session, bell, until)));
        }
        window.leave(number);
        let result = match (turn, elsewhere) {
            (Turn::Admitted, Ok(_)) => Ok(Admitted::In(Some(Place {
                round: window.round,
                load,
            }))),
            (turn, Err(error)) => {
                if turn == Turn::Admitted {
                    window.give_back(Place {
                        round: window.round,
                        load,
                    });
                }
                Err(error)
            }
            (Turn::Waits, Ok(false)) => in_vain(session, window, load, limit.is_some()),
            (Turn::Waits | Turn::Gone, Ok(_)) => Ok(Admitted::In(None)),
        };
        drop(tx);
        bells::put(bell);
        result
    }
}

impl Window {
    fn try_enter(&mut self, load: Load) -> Option<Place> {
        self.enter(load).then_some(Place {
            round: self.round,
            load,
        })
    }
}

/// Time that is left of a limit, in milliseconds, -1 for no limit. `None`: it is over.
fn left_of(until: Option<Instant>) -> Option<i32> {
    let Some(until) = until else { return Some(-1) };
    let left = until.saturating_duration_since(Instant::now());
    // Rounded up, so that the time is over when the wait is.
    let ms = left.as_micros().div_ceil(1000);
    (ms > 0).then(|| i32::try_from(ms).unwrap_or(i32::MAX))
}

/// Whether there is something that a send has to tell or wait for before the window counts: a session
/// that has ended, or is without a link.
fn has_to_look_elsewhere(session: &Session) -> Result<bool, Error> {
    if session.closed.load(Ordering::Acquire) {
        return Err(Error::ConnectionClosed);
    }
    Ok(session.has_failed()
        || session.ended.load(Ordering::Acquire)
        || session.claim.is_shared()
        || session.comes_back().is_some_and(|auto| auto.is_down()))
}

/// What has arrived is counted, and what arrives is read, though the program is not receiving.
fn urge(session: &Session) {
    let mut rx = session.rx();
    settle(session, &mut rx);
    reader::drain_for_sender(session, &mut rx);
}

/// The wait. What the session has collected must go out, or it never comes back.
fn wait(session: &Session, bell: RawFd, until: Option<Instant>) -> BlockingCall {
    let ms = left_of(until).unwrap_or(0);
    let full =
        session.batched.load(Ordering::Acquire) && cork::flush_now(session) == Flushed::Later;
    if bell < 0 {
        BlockingCall::pause(if ms < 0 { LOOK_MS } else { ms.min(LOOK_MS) })
    } else if full {
        BlockingCall::poll_two(session.link_fd(), libc::POLLOUT, bell, ms)
    } else {
        BlockingCall::poll(bell, libc::POLLIN, ms)
    }
}

/// The time is over. A caller with a limit of its own is told; for any other the window is no more
/// than a brake, as classic programs know no code for it.
fn in_vain(
    session: &Session,
    window: &mut Window,
    load: Load,
    limited: bool,
) -> Result<Admitted, Error> {
    let (most, under_way) = (session.options.send_window, window.in_flight());
    if limited {
        reason::because(format!(
            "send_window={most}: {under_way} messages of the session are under way and have not come back"
        ));
        return Err(Error::TryAgain);
    }
    window.force(load);
    if window.may_warn() {
        tracing::warn!(
            "none of {under_way} messages sent to {} has come back within {} ms; send_window={most} \
             holds back no longer",
            session.link.daemon,
            session.options.send_window_ms
        );
    }
    Ok(Admitted::In(Some(Place {
        round: window.round,
        load,
    })))
}
