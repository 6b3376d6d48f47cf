//! The event log: one line per event, with the seconds since the start.

use std::fmt;
use std::io::Write;
use std::time::Duration;

use crate::event::Event;

/// Where lines go.
pub(crate) struct Log {
    out: Option<Box<dyn Write + Send>>,
    messages: bool,
}

impl Log {
    pub(crate) fn none() -> Self {
        Self {
            out: None,
            messages: false,
        }
    }

    /// `messages`: also one line per ordered message.
    pub(crate) fn to(out: Box<dyn Write + Send>, messages: bool) -> Self {
        Self {
            out: Some(out),
            messages,
        }
    }

    pub(super) fn has_messages(&self) -> bool {
        self.messages && self.out.is_some()
    }

    pub(super) fn line(&mut self, at: Duration, event: &Event) {
        if let Some(out) = &mut self.out {
            let written = writeln!(out, "{:12.6} {event}", at.as_secs_f64());
            if written.and_then(|()| out.flush()).is_err() {
                // A full disk must not stop the network.
                self.out = None;
            }
        }
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log")
            .field("messages", &self.messages)
            .finish_non_exhaustive()
    }
}
