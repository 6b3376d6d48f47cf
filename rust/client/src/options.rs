//! The options of sessions: one table of names, ranges, defaults and meanings.

use std::fmt;

/// What a session can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// See `recv_max_bytes` in [`TABLE`].
    pub recv_max_bytes: usize,
    /// See `disconnect_ms`.
    pub disconnect_ms: u32,
    /// See `max_message`.
    pub max_message: usize,
    /// See `attempt_timeout_ms`.
    pub attempt_timeout_ms: u32,
    /// See `failover`.
    pub failover: Failover,
    /// See `shuffle`.
    pub shuffle: bool,
    /// See `avoid_ms`.
    pub avoid_ms: u32,
    /// See `reconnect_for_ms`.
    pub reconnect_for_ms: u32,
    /// See `reconnect_min_ms`.
    pub reconnect_min_ms: u32,
    /// See `reconnect_max_ms`.
    pub reconnect_max_ms: u32,
    /// See `send_wait_ms`.
    pub send_wait_ms: u32,
    /// See `failback_ms`.
    pub failback_ms: u32,
    /// See `mailbox`.
    pub mailbox: MailboxKind,
    /// See `sigpipe`.
    pub leave_sigpipe: bool,
}

/// What is done about a daemon that cannot be reached, or is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failover {
    /// Only the first address of the first entry is tried.
    Off,
    /// A connect tries all there is. A lost connection is reported to the program.
    Connect,
    /// The library restores a lost connection under the same mailbox number.
    Auto,
}

/// What the mailbox number of a new session is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailboxKind {
    /// The link's socket on unix links, a pair of its own on TCP.
    Auto,
    /// The link's socket. Refused on TCP.
    Socket,
    /// One end of a socket pair.
    Stable,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            recv_max_bytes: 256 << 20,
            disconnect_ms: 1000,
            max_message: spread_proto::limits::MAX_MESSAGE,
            attempt_timeout_ms: 5000,
            failover: Failover::Connect,
            shuffle: true,
            avoid_ms: 10_000,
            reconnect_for_ms: 60_000,
            reconnect_min_ms: 100,
            reconnect_max_ms: 10_000,
            send_wait_ms: 10_000,
            failback_ms: 0,
            mailbox: MailboxKind::Auto,
            leave_sigpipe: false,
        }
    }
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct OptionRow {
    /// As it is written.
    pub name: &'static str,
    /// What values it takes.
    pub values: &'static str,
    /// Without a word from anybody.
    pub default: &'static str,
    /// One sentence.
    pub doc: &'static str,
    set: fn(&mut Options, &str) -> Option<()>,
}

/// All options.
pub const TABLE: &[OptionRow] = &[
    OptionRow {
        name: "recv_max_bytes",
        values: "65536 to 1T, with K, M, G or T behind it as a factor",
        default: "256M",
        doc: "How many bytes a session keeps for the program before it stops reading from the daemon.",
        set: |o, v| {
            o.recv_max_bytes = bytes(v, 65_536, 1 << 40)?;
            Some(())
        },
    },
    OptionRow {
        name: "disconnect_ms",
        values: "0 to 60000",
        default: "1000",
        doc: "How long SP_disconnect waits for the daemon to have read what was sent; 0 does not wait, as the classic library.",
        set: |o, v| {
            o.disconnect_ms = number(v, 0, 60_000)?;
            Some(())
        },
    },
    OptionRow {
        name: "max_message",
        values: "1 to 144000",
        default: "143152",
        doc: "Largest body plus 32 bytes per group that is sent; above 143152 a real daemon aborts or drops the sender.",
        set: |o, v| {
            o.max_message = bytes(v, 1, spread_proto::limits::CLASSIC_MAX_MESSAGE)?;
            Some(())
        },
    },
    OptionRow {
        name: "attempt_timeout_ms",
        values: "1 to 600000",
        default: "5000",
        doc: "How long one address of a name is tried while there are others to try.",
        set: |o, v| {
            o.attempt_timeout_ms = number(v, 1, 600_000)?;
            Some(())
        },
    },
    OptionRow {
        name: "failover",
        values: "off, connect, auto",
        default: "connect",
        doc: "Whether a connect tries only the first address (off) or all addresses and entries (connect), and whether a lost connection is restored under the same mailbox number (auto).",
        set: |o, v| {
            o.failover = match v {
                "off" => Failover::Off,
                "connect" => Failover::Connect,
                "auto" => Failover::Auto,
                _ => return None,
            };
            Some(())
        },
    },
    OptionRow {
        name: "shuffle",
        values: "on, off",
        default: "on",
        doc: "Whether the addresses of one name are tried in a random order, so that clients spread over the daemons.",
        set: |o, v| {
            o.shuffle = on_off(v)?;
            Some(())
        },
    },
    OptionRow {
        name: "avoid_ms",
        values: "0 to 3600000",
        default: "10000",
        doc: "For how long an address that has failed is tried after all others, in the whole process.",
        set: |o, v| {
            o.avoid_ms = number(v, 0, 3_600_000)?;
            Some(())
        },
    },
    OptionRow {
        name: "reconnect_for_ms",
        values: "0 to 86400000",
        default: "60000",
        doc: "With failover=auto: for how long a lost connection is tried to be restored before the program is told.",
        set: |o, v| {
            o.reconnect_for_ms = number(v, 0, 86_400_000)?;
            Some(())
        },
    },
    OptionRow {
        name: "reconnect_min_ms",
        values: "1 to 60000",
        default: "100",
        doc: "With failover=auto: the first pause after a vain try of everything; it doubles each time.",
        set: |o, v| {
            o.reconnect_min_ms = number(v, 1, 60_000)?;
            Some(())
        },
    },
    OptionRow {
        name: "reconnect_max_ms",
        values: "1 to 600000",
        default: "10000",
        doc: "With failover=auto: the longest pause between two tries.",
        set: |o, v| {
            o.reconnect_max_ms = number(v, 1, 600_000)?;
            Some(())
        },
    },
    OptionRow {
        name: "send_wait_ms",
        values: "0 to 3600000",
        default: "10000",
        doc: "With failover=auto: how long a send waits while the connection is being restored; then CONNECTION_CLOSED.",
        set: |o, v| {
            o.send_wait_ms = number(v, 0, 3_600_000)?;
            Some(())
        },
    },
    OptionRow {
        name: "failback_ms",
        values: "0 to 86400000",
        default: "0",
        doc: "With failover=auto: how often a session that is not at a daemon of its first entry tries to move back there; 0 never does.",
        set: |o, v| {
            o.failback_ms = number(v, 0, 86_400_000)?;
            Some(())
        },
    },
    OptionRow {
        name: "mailbox",
        values: "auto, socket, stable",
        default: "auto",
        doc: "What a mailbox number is: the link's socket itself (unix links), or a descriptor of its own.",
        set: |o, v| {
            o.mailbox = match v {
                "auto" => MailboxKind::Auto,
                "socket" => MailboxKind::Socket,
                "stable" => MailboxKind::Stable,
                _ => return None,
            };
            Some(())
        },
    },
    OptionRow {
        name: "sigpipe",
        values: "ignore, leave",
        default: "ignore",
        doc: "Whether the first connect has SIGPIPE ignored in the whole process, as the classic library does.",
        set: |o, v| {
            o.leave_sigpipe = match v {
                "ignore" => false,
                "leave" => true,
                _ => return None,
            };
            Some(())
        },
    },
];

/// An option that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionError {
    /// No such name.
    Unknown(String),
    /// Not `name=value`.
    NoValue(String),
    /// The name exists, the value does not fit.
    BadValue {
        /// The option.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it takes.
        takes: &'static str,
    },
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no option {name:?}"),
            Self::NoValue(text) => write!(f, "{text:?} is not of the form name=value"),
            Self::BadValue { name, value, takes } => {
                write!(f, "{name} cannot be {value:?}; it takes {takes}")
            }
        }
    }
}

impl std::error::Error for OptionError {}

impl Options {
    /// Sets one option by name.
    ///
    /// # Errors
    /// [`OptionError`]; nothing is changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        let row = TABLE
            .iter()
            .find(|row| row.name == name)
            .ok_or_else(|| OptionError::Unknown(name.to_owned()))?;
        (row.set)(self, value).ok_or_else(|| OptionError::BadValue {
            name: row.name,
            value: value.to_owned(),
            takes: row.values,
        })
    }

    /// Sets the options of `name=value&name=value`, as far as they are right; returns what is not.
    pub fn set_list(&mut self, list: &str) -> Vec<OptionError> {
        list.split('&')
            .filter(|item| !item.is_empty())
            .filter_map(|item| match item.split_once('=') {
                Some((name, value)) => self.set(name, value).err(),
                None => Some(OptionError::NoValue(item.to_owned())),
            })
            .collect()
    }

    /// The defaults, changed by `SPREAD_OPTIONS` (which set-uid programs do not look at). What is
    /// wrong there is logged and left out.
    #[must_use]
    pub fn from_environment() -> Self {
        let mut options = Self::default();
        if !crate::sys::signals::is_privileged()
            && let Ok(list) = std::env::var("SPREAD_OPTIONS")
        {
            for error in options.set_list(&list) {
                tracing::warn!(%error, "SPREAD_OPTIONS");
            }
        }
        options
    }
}

fn on_off(text: &str) -> Option<bool> {
    match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

fn number(text: &str, least: u32, most: u32) -> Option<u32> {
    let value = text.parse().ok()?;
    (least..=most).contains(&value).then_some(value)
}

fn bytes(text: &str, least: usize, most: usize) -> Option<usize> {
    let (digits, shift) = match text.char_indices().last()? {
        (at, 'K' | 'k') => (&text[..at], 10),
        (at, 'M' | 'm') => (&text[..at], 20),
        (at, 'G' | 'g') => (&text[..at], 30),
        (at, 'T' | 't') => (&text[..at], 40),
        _ => (text, 0),
    };
    let value: usize = digits.parse().ok()?;
    let value = value.checked_mul(1_usize.checked_shl(shift)?)?;
    (least..=most).contains(&value).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_the_table_are_the_defaults() {
        let mut options = Options::default();
        for row in TABLE {
            assert_eq!(options.set(row.name, row.default), Ok(()), "{}", row.name);
        }
        assert_eq!(options, Options::default());
    }

    #[test]
    fn bad_options_are_named_and_change_nothing() {
        let mut options = Options::default();
        let errors = options.set_list("nosuch=1&mailbox=round&disconnect_ms&recv_max_bytes=1&&");
        assert_eq!(errors.len(), 4);
        assert_eq!(options, Options::default());
        assert_eq!(
            errors[1].to_string(),
            "mailbox cannot be \"round\"; it takes auto, socket, stable"
        );
    }

    #[test]
    fn sizes_take_factors() {
        let mut options = Options::default();
        for (text, value) in [("65536", 65_536), ("64K", 65_536), ("2g", 2 << 30)] {
            assert_eq!(options.set("recv_max_bytes", text), Ok(()));
            assert_eq!(options.recv_max_bytes, value);
        }
        for text in ["", "K", "-1", "99999999T", "1.5M"] {
            assert!(options.set("recv_max_bytes", text).is_err(), "{text}");
        }
    }
}
