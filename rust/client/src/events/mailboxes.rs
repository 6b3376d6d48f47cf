//! What the event loop waits for on behalf of a mailbox.

use std::os::fd::RawFd;

use super::{FdKind, FdSources};
use crate::{fork, reader, table};

/// A mailbox of the stable kind stands for its link too, so that a loop sees an arrival without the
/// background reader; every other descriptor for itself alone.
///
/// Takes a session's lock, for a moment: it comes after that of the event loop, also at a fork. So
/// whoever holds the loop's lock across forks calls [`Mailboxes::before_own_fork_handlers`] first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mailboxes;

impl Mailboxes {
    /// To be called before handlers are registered that hold the event loop's lock across forks: the
    /// last ones registered run first before a fork.
    pub fn before_own_fork_handlers() {
        fork::register();
    }
}

impl FdSources for Mailboxes {
    fn sources(&mut self, fd: RawFd, kind: FdKind, add: &mut dyn FnMut(RawFd)) {
        add(fd);
        if kind == FdKind::Read
            && let Some(session) = table::find(fd)
            && reader::before_loop_wait(&session, &mut session.rx())
        {
            add(session.link_fd());
        }
    }
}
