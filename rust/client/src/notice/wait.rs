//! Waiting for events, for callers that have a thread for it.

use std::os::fd::AsRawFd;
use std::time::Duration;

use crate::handle::SessionHandle;
use crate::session::Session;
use crate::sys::fd;

use super::Event;

impl SessionHandle {
    /// Takes the oldest event that has not been taken, and waits for it for as long as `patience`
    /// (`None`: without limit) allows. `None`: nothing has happened, or the session has been
    /// disconnected, which ends the wait.
    #[must_use]
    pub fn next_event(&self, patience: Option<Duration>) -> Option<Event> {
        let session = &*self.0;
        let timeout_ms = patience.map_or(-1, |time| {
            i32::try_from(time.as_millis()).unwrap_or(i32::MAX)
        });
        let mut waited = false;
        loop {
            let bell = {
                let mut inner = session.notices.lock();
                if let Some(event) = inner.queue.pop() {
                    inner.settle();
                    return Some(event);
                }
                if self.is_closed() || waited && timeout_ms >= 0 {
                    return None;
                }
                if inner.bell.is_none() {
                    // Without a descriptor nobody can wait; it is asked for again next time.
                    inner.bell = Some(fd::bell().ok()?);
                }
                inner.bell.as_ref().map(AsRawFd::as_raw_fd)?
            };
            // The session, and so the bell, lives as long as this handle.
            fd::wait_ready(bell, libc::POLLIN, timeout_ms);
            waited = true;
        }
    }
}

/// Wakes whoever waits for events.
pub(crate) fn wake(session: &Session) {
    if let Some(bell) = &session.notices.lock().bell {
        fd::ring(bell);
    }
}
