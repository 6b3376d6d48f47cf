//! What a session has done, and how it stands.

pub(crate) mod report;

use std::fmt::Write as _;
use std::sync::atomic::Ordering;
use std::time::Duration;

use spread_proto::Name;

use crate::error::Error;
use crate::handle::SessionHandle;
use crate::session::Session;
use crate::table;

/// How a session stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// Connected.
    Open,
    /// The connection is lost and is being restored (`failover=auto`).
    Reconnecting,
    /// The connection is lost, and a receive has not told so yet: what came before can be received.
    Ending,
    /// The loss has been told, or a send has failed.
    Failed,
}

impl State {
    /// As a word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Reconnecting => "reconnecting",
            Self::Ending => "ending",
            Self::Failed => "failed",
        }
    }
}

/// Figures of one session. Bytes are those of the wire: headers, groups and bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How it stands.
    pub state: State,
    /// Where its daemon is: an address with a port, or a path.
    pub daemon: String,
    /// Its name at the daemon.
    pub private_group: Name,
    /// Messages that the program has been given.
    pub messages_in: u64,
    /// Their bytes.
    pub bytes_in: u64,
    /// Messages that the program has sent, without joins and leaves.
    pub messages_out: u64,
    /// Their bytes.
    pub bytes_out: u64,
    /// Whole messages that wait in the library for the program.
    pub waiting_messages: u64,
    /// Bytes that wait, in memory and on disk.
    pub waiting_bytes: u64,
    /// The part of them that is on disk (`recv_policy=spill`).
    pub spilled_bytes: u64,
    /// The most messages that have waited.
    pub peak_messages: u64,
    /// The most bytes that have waited.
    pub peak_bytes: u64,
    /// For how long the oldest bytes in memory have waited; zero if none wait. Known to the time in
    /// which 64 KiB come.
    pub oldest: Duration,
    /// For how long sends have waited for the daemon, all together.
    pub send_blocked: Duration,
    /// Own messages that are under way (`send_window`; without one they are not counted).
    pub in_flight: u64,
    /// For how long sends have waited for `send_window`, all together.
    pub window_waited: Duration,
    /// How often the connection was restored (`failover=auto`).
    pub reconnects: u64,
    /// Why the connection was lost last, as far as it can be told; empty if it never was.
    pub last_loss: String,
    /// Messages that were dropped as `recv_policy` says.
    pub dropped_messages: u64,
    /// Their bytes.
    pub dropped_bytes: u64,
}

/// The present figures of `mailbox`. Never waits for the network; where hundreds of thousands of
/// messages wait, the first call counts them, in some milliseconds.
///
/// # Errors
/// [`Error::IllegalSession`].
pub fn stats(mailbox: i32) -> Result<Stats, Error> {
    let session = table::find(mailbox).ok_or(Error::IllegalSession)?;
    Ok(of(&session))
}

/// How `mailbox` stands.
///
/// # Errors
/// [`Error::IllegalSession`].
pub fn state(mailbox: i32) -> Result<State, Error> {
    let session = table::find(mailbox).ok_or(Error::IllegalSession)?;
    Ok(state_of(&session))
}

impl SessionHandle {
    /// As [`stats`].
    #[must_use]
    pub fn stats(&self) -> Stats {
        of(&self.0)
    }
}

fn state_of(session: &Session) -> State {
    if session.has_failed() {
        State::Failed
    } else if session.ended.load(Ordering::Acquire) {
        State::Ending
    } else if session.auto.as_ref().is_some_and(|auto| auto.is_down()) {
        State::Reconnecting
    } else {
        State::Open
    }
}

pub(crate) fn of(session: &Session) -> Stats {
    let (messages_out, bytes_out, send_blocked, (in_flight, window_waited)) = {
        let tx = session.tx();
        let window = tx
            .window
            .as_ref()
            .map(|window| (window.in_flight(), window.waited()));
        let now = tx.blocked_since.map_or(Duration::ZERO, |at| at.elapsed());
        (
            tx.sent,
            tx.sent_bytes,
            tx.blocked + now,
            window.unwrap_or_default(),
        )
    };
    let (daemon, private_group) = (session.daemon(), session.private_group());
    let mut rx = session.rx();
    let waiting = rx.waiting();
    let peak = rx.watch.flow.peak;
    let dropped = rx.watch.flow.dropped;
    Stats {
        state: state_of(session),
        daemon,
        private_group,
        messages_in: rx.taken,
        bytes_in: rx.taken_bytes,
        messages_out,
        bytes_out,
        waiting_messages: waiting.messages,
        waiting_bytes: waiting.bytes,
        spilled_bytes: rx.spills().map(|spill| spill.on_disk()).sum(),
        peak_messages: peak.messages.max(waiting.messages),
        peak_bytes: peak.bytes.max(waiting.bytes),
        oldest: rx.inbox.age(),
        send_blocked,
        in_flight,
        window_waited,
        reconnects: session.auto.as_ref().map_or(0, |auto| auto.generation()),
        last_loss: rx.loss.clone().unwrap_or_default(),
        dropped_messages: dropped.messages,
        dropped_bytes: dropped.bytes,
    }
}

impl Stats {
    /// As one line of JSON, without a line's end.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut out = String::from("{");
        text(&mut out, "state", self.state.name());
        text(&mut out, "daemon", &self.daemon);
        text(&mut out, "private_group", &self.private_group.to_string());
        text(&mut out, "last_loss", &self.last_loss);
        for (name, value) in [
            ("messages_in", self.messages_in),
            ("bytes_in", self.bytes_in),
            ("messages_out", self.messages_out),
            ("bytes_out", self.bytes_out),
            ("waiting_messages", self.waiting_messages),
            ("waiting_bytes", self.waiting_bytes),
            ("spilled_bytes", self.spilled_bytes),
            ("peak_messages", self.peak_messages),
            ("peak_bytes", self.peak_bytes),
            ("oldest_ms", milliseconds(self.oldest)),
            ("send_blocked_ms", milliseconds(self.send_blocked)),
            ("in_flight", self.in_flight),
            ("window_waited_ms", milliseconds(self.window_waited)),
            ("reconnects", self.reconnects),
            ("dropped_messages", self.dropped_messages),
            ("dropped_bytes", self.dropped_bytes),
        ] {
            let _ = write!(out, "\"{name}\":{value},");
        }
        out.pop();
        out.push('}');
        out
    }
}

/// Whole milliseconds.
#[must_use]
pub fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// A member whose value is text. Names may hold any byte; what is no text is replaced before.
fn text(out: &mut String, name: &str, value: &str) {
    let _ = write!(out, "\"{name}\":\"");
    for c in value.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push_str("\",");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        let mut out = String::new();
        text(&mut out, "n", "a\"b\\c\nd\u{7f}ü");
        assert_eq!(out, "\"n\":\"a\\\"b\\\\c\\u000ad\\u007fü\",");
    }
}
