//! Ending a session: `SP_disconnect` and `SP_kill`.
//!
//! A real daemon loses what it has not read when a socket closes with unread input. So a disconnect
//! sends its good-bye and then reads and drops to the end of the stream before it returns. The
//! caller has to wait for it: programs exit right afterwards.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::Error;
use crate::room::Progress;
use crate::send::Send;
use crate::session::{Kind, Rx, Session, Tx};
use crate::sys::fd;
use crate::{held, interrupt, notice, reader, table, window};

/// How long waits for a daemon that has not closed in time are skipped afterwards: 200 mailboxes
/// must not take 200 times the limit.
const SKIP_AFTER_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a session that moves waits for a sender that the old daemon does not read from.
const MOVE_PATIENCE: Duration = Duration::from_millis(200);

/// Daemons that did not close within the limit, and when.
static UNRESPONSIVE: Mutex<Option<HashMap<String, Instant>>> = Mutex::new(None);

/// Ends a session: says good-bye to the daemon, waits (at most `disconnect_ms`) until it has read
/// what was sent, and frees the mailbox number.
///
/// # Errors
/// [`Error::IllegalSession`].
pub fn disconnect(mailbox: i32) -> Result<(), Error> {
    let session = table::remove(mailbox).ok_or(Error::IllegalSession)?;
    end(&session);
    Ok(())
}

/// Ends a session that is no longer in the table.
pub(crate) fn end(session: &Arc<Session>) {
    let limit = Duration::from_millis(u64::from(session.options.disconnect_ms));
    let deadline = Instant::now() + limit;
    session.closed.store(true, Ordering::Release);
    window::wake_all(session);
    let said = !session.has_failed() && say_goodbye(session, deadline);
    if said && has_to_wait(session) {
        let in_time = wait_for_close(session, deadline);
        note(&session.daemon(), in_time);
    }
    // Where another process shares the connection, the daemon's close is what ends it there.
    session.shut_down();
    close(
        session,
        deadline.max(Instant::now() + Duration::from_millis(100)),
    );
}

/// Ends a session without a word: its numbers are closed. Unknown mailboxes are nothing to do.
///
/// A thread that is blocked in a receive wakes with [`Error::ConnectionClosed`], unless the process
/// has forked since the connect: then another process may be using the connection, and only our
/// numbers are closed.
pub fn kill(mailbox: i32) {
    let Some(session) = table::remove(mailbox) else {
        return;
    };
    session.closed.store(true, Ordering::Release);
    window::wake_all(&session);
    if session.claim.is_shared() {
        session.claim.give_up();
    }
    session.shut_down();
    close(&session, Instant::now() + Duration::from_millis(100));
}

/// Takes down a session whose loss has been told, if nobody else has done so.
pub(crate) fn lost(session: &Arc<Session>) {
    if table::remove_this(session) {
        session.closed.store(true, Ordering::Release);
        session.shut_down();
        close(session, Instant::now() + Duration::from_millis(100));
    }
}

/// Takes down a session whose number the program has closed, and which the kernel has handed out
/// again.
pub(crate) fn replaced(session: &Arc<Session>) {
    session.closed.store(true, Ordering::Release);
    session.shut_down();
    close(session, Instant::now());
}

/// Sends the good-bye, waiting for a blocked sender and for room no longer than to `deadline`.
fn say_goodbye(session: &Arc<Session>, deadline: Instant) -> bool {
    if send_turn(session, deadline).is_none() || session.has_failed() {
        return false;
    }
    let mut frame = Send::kill(session);
    loop {
        match frame.step() {
            Progress::Done(result) => return result.is_ok(),
            Progress::Blocked => {
                let left = deadline.saturating_duration_since(Instant::now());
                let left = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
                if left == 0 || !frame.wait_for_room(left) {
                    frame.give_up();
                    return false;
                }
            }
        }
    }
}

impl Session {
    /// Has the daemon end this link when it has read everything, for the session to go over to
    /// another one. What the program sends from now on waits for that.
    pub(crate) fn say_goodbye_and_stay(&self) {
        let Some(me) = self.me() else { return };
        if let Some(auto) = &self.auto {
            auto.leave();
        }
        if !say_goodbye(&me, Instant::now() + MOVE_PATIENCE) {
            self.link_has_failed();
        }
    }
}

/// Whether something could be lost by not waiting. A session that has sent no data loses nothing,
/// nor one that is in no group and has nothing unread.
fn has_to_wait(session: &Session) -> bool {
    if session.options.disconnect_ms == 0 {
        return false;
    }
    let (sent, in_group) = {
        let tx = session.tx();
        (tx.sent_data, !tx.joined.is_empty())
    };
    if !sent {
        return false;
    }
    let unread = fd::unread(session.link_fd()).unwrap_or(0) > 0;
    (in_group || unread) && !is_noted(&session.daemon())
}

fn unresponsive() -> MutexGuard<'static, Option<HashMap<String, Instant>>> {
    UNRESPONSIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_noted(daemon: &str) -> bool {
    unresponsive()
        .as_ref()
        .and_then(|noted| noted.get(daemon))
        .is_some_and(|when| when.elapsed() < SKIP_AFTER_TIMEOUT)
}

fn note(daemon: &str, in_time: bool) {
    let mut noted = unresponsive();
    if in_time {
        if let Some(noted) = noted.as_mut() {
            noted.remove(daemon);
        }
    } else {
        noted
            .get_or_insert_default()
            .insert(daemon.to_owned(), Instant::now());
    }
}

/// Waits for the turn to send, as long as `deadline` allows.
fn send_turn(session: &Session, deadline: Instant) -> Option<MutexGuard<'_, Tx>> {
    let mut tx = session.tx();
    while tx.owner.is_some_and(|owner| owner != held::token()) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        tx.queued += 1;
        (tx, _) = session
            .tx_free
            .wait_timeout(tx, left)
            .unwrap_or_else(PoisonError::into_inner);
        tx.queued -= 1;
    }
    Some(tx)
}

/// Waits for the turn to receive, as long as `deadline` allows.
fn receive_turn(session: &Session, deadline: Instant) -> Option<MutexGuard<'_, Rx>> {
    let mut rx = session.rx();
    while rx.owner.is_some_and(|owner| owner != held::token()) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return None;
        }
        rx.queued += 1;
        (rx, _) = session
            .rx_free
            .wait_timeout(rx, left)
            .unwrap_or_else(PoisonError::into_inner);
        rx.queued -= 1;
    }
    Some(rx)
}

/// Reads and drops to the end of the stream. True: it came in time.
fn wait_for_close(session: &Session, deadline: Instant) -> bool {
    let link = session.link_fd();
    let mut rubbish = Vec::with_capacity(64 * 1024);
    loop {
        let Some(mut rx) = receive_turn(session, deadline) else {
            return false;
        };
        if rx.ended {
            return true;
        }
        rubbish.clear();
        let room = rubbish.capacity();
        match fd::read_into(link, &mut rubbish, room) {
            Ok(0) => {
                session.end(&mut rx);
                return true;
            }
            Ok(_) => {}
            Err(error) => match error.raw_os_error() {
                Some(libc::EINTR) => {}
                Some(code) if fd::would_block(code) => {
                    drop(rx);
                    let left = deadline.saturating_duration_since(Instant::now());
                    let left = i32::try_from(left.as_millis()).unwrap_or(i32::MAX);
                    if left == 0 {
                        return false;
                    }
                    // In pieces, as a receiver that is still inside may take the end away.
                    fd::wait_ready(link, libc::POLLIN, left.min(50));
                }
                _ => {
                    session.end(&mut rx);
                    return true;
                }
            },
        }
    }
}

/// Frees the numbers, once the threads that are still inside have left.
fn close(session: &Arc<Session>, deadline: Instant) {
    notice::end(session);
    reader::forget(session);
    {
        let mut rx = session.rx();
        session.end(&mut rx);
        session.settle_token(&mut rx);
    }
    table::forget(session);
    interrupt::forget(session);
    if !session.claim.is_shared() {
        drop(receive_turn(session, deadline));
        drop(send_turn(session, deadline));
    }
    session.mailbox.close();
    let mut rx = session.rx();
    rx.far = None;
    rx.watch.close_gate();
    drop(rx);
    if matches!(session.kind, Kind::Stable) {
        session.link.fd.close();
    }
    // Threads that queued for a turn find the session closed.
    session.rx_free.notify_all();
    session.tx_free.notify_all();
}
