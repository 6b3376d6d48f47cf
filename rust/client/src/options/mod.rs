//! The options of sessions: one table of names, ranges, defaults and meanings, for all the ways to
//! set them.
//!
//! | way | written as | wrong there |
//! | --- | --- | --- |
//! | the program: [`Conf`] (`SPX_conf_set`) | name and value | an error of that call |
//! | a daemon's name: `4803@host?name=value&name=value` | [`Options::apply_query`] | an error of the connect |
//! | the environment: `SPREAD_OPTIONS` | as in a daemon's name | a warning in the log |
//! | a file: `SPREAD_CLIENT_CONF` names it | `name = value` lines, `#` comments | a warning in the log |
//!
//! Earlier rows go before later ones, and all before the defaults.

mod doc;
mod sources;
mod table;
mod value;

use std::fmt;
use std::sync::OnceLock;

pub use doc::options_page;
pub use table::{OptionRow, Options, TABLE};

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
    /// The link's socket. Not on TCP.
    Socket,
    /// One end of a socket pair.
    Stable,
}

/// What is done when more has come for the program than may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvPolicy {
    /// Stop reading: the daemon buffers, and in the end closes the connection.
    Block,
    /// Write to a file, up to `spill_max_bytes`; then block.
    Spill,
    /// Drop the data messages that have waited longest.
    DropOldest,
    /// Drop the data messages that come.
    DropNewest,
    /// End the session.
    Close,
}

impl RecvPolicy {
    /// As it is written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Spill => "spill",
            Self::DropOldest => "drop_oldest",
            Self::DropNewest => "drop_newest",
            Self::Close => "close",
        }
    }
}

/// What becomes of SIGPIPE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sigpipe {
    /// Ignored in the process from the first connect on.
    Ignore,
    /// Left as it is.
    Leave,
}

/// An option that cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
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
        takes: String,
    },
    /// Two options do not fit each other.
    Conflict(String),
}

impl fmt::Display for OptionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(name) => write!(f, "there is no option {name:?}"),
            Self::NoValue(text) => write!(f, "{text:?} is not of the form name=value"),
            Self::BadValue { name, value, takes } => {
                write!(f, "{name} cannot be {value:?}; it takes {takes}")
            }
            Self::Conflict(reason) => write!(f, "{reason}"),
        }
    }
}

impl std::error::Error for OptionError {}

/// The link changes under the number of such a session.
const NO_SOCKET_WITH_AUTO: &str = "mailbox=socket cannot be had together with failover=auto";

/// Whether the program sets an option, itself or in the daemon's name.
fn is_asked(name: &str, conf: &Conf, query: &str) -> bool {
    let in_query = query
        .split('&')
        .any(|item| item.split_once('=').is_some_and(|(known, _)| known == name));
    in_query || conf.settings.iter().any(|(row, _)| row.name == name)
}

/// Finds the row of an option.
fn row(name: &str) -> Result<&'static OptionRow, OptionError> {
    let found = TABLE.iter().find(|row| row.name == name);
    found.ok_or_else(|| OptionError::Unknown(name.to_owned()))
}

impl OptionRow {
    /// The values that it takes, in words.
    #[must_use]
    pub fn takes(&self) -> String {
        (self.takes)()
    }

    /// Its value in `options`, as it is written.
    #[must_use]
    pub fn value_in(&self, options: &Options) -> String {
        (self.show)(options)
    }

    fn set(&self, options: &mut Options, value: &str) -> Result<(), OptionError> {
        if (self.set)(options, value) {
            return Ok(());
        }
        Err(OptionError::BadValue {
            name: self.name,
            value: value.to_owned(),
            takes: self.takes(),
        })
    }
}

/// Options that a program sets itself, for the sessions that it opens with them. They go before
/// those of the daemon's name, the environment and the file.
#[derive(Clone, Debug, Default)]
pub struct Conf {
    /// Checked settings, in the order in which they were made.
    settings: Vec<(&'static OptionRow, String)>,
}

impl Conf {
    /// Without any setting.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            settings: Vec::new(),
        }
    }

    /// Sets one option. A later setting of the same option replaces the earlier one.
    ///
    /// # Errors
    /// [`OptionError`]; nothing is changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<&mut Self, OptionError> {
        let row = row(name)?;
        row.set(&mut Options::default(), value)?;
        self.settings.retain(|(known, _)| known.name != row.name);
        self.settings.push((row, value.to_owned()));
        Ok(self)
    }
}

impl Default for Options {
    fn default() -> Self {
        static DEFAULTS: OnceLock<Options> = OnceLock::new();
        DEFAULTS
            .get_or_init(|| Self::of_table().expect("each default is in its own range: tested"))
            .clone()
    }
}

impl Options {
    /// Sets one option by name.
    ///
    /// # Errors
    /// [`OptionError`]; nothing is changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), OptionError> {
        row(name)?.set(self, value)
    }

    /// Sets the options of `name=value&name=value`, as they stand in a daemon's name behind the
    /// `?`. Empty items are nothing.
    ///
    /// # Errors
    /// The first [`OptionError`]; nothing is changed then.
    pub fn apply_query(&mut self, query: &str) -> Result<(), OptionError> {
        let mut changed = self.clone();
        match changed.set_list(query).into_iter().next() {
            Some(error) => Err(error),
            None => {
                *self = changed;
                Ok(())
            }
        }
    }

    /// Sets the options of `name=value&name=value` as far as they are right; returns what is not.
    fn set_list(&mut self, list: &str) -> Vec<OptionError> {
        list.split('&')
            .filter(|item| !item.is_empty())
            .filter_map(|item| match item.split_once('=') {
                Some((name, value)) => self.set(name, value).err(),
                None => Some(OptionError::NoValue(item.to_owned())),
            })
            .collect()
    }

    /// The options of a new session: the defaults, changed by the file, the environment, the query
    /// of the daemon's name and the program's own settings, in this order.
    ///
    /// # Errors
    /// The first [`OptionError`] of the query. What is wrong in the file or the environment, or does
    /// not fit what the program has asked for, is logged and left out.
    pub fn resolve(conf: &Conf, query: &str) -> Result<Self, OptionError> {
        let mut options = Self::from_environment();
        options.apply_query(query)?;
        for (row, value) in &conf.settings {
            row.set(&mut options, value)?;
        }
        options.check()?;
        if options.mailbox == MailboxKind::Socket && options.failover == Failover::Auto {
            let asked = |name| is_asked(name, conf, query);
            if asked("mailbox") && asked("failover") {
                return Err(OptionError::Conflict(NO_SOCKET_WITH_AUTO.to_owned()));
            }
            if asked("mailbox") {
                tracing::warn!(
                    "{NO_SOCKET_WITH_AUTO}; the program wants mailbox=socket, so failover=connect is taken"
                );
                options.failover = Failover::Connect;
            } else {
                tracing::warn!("{NO_SOCKET_WITH_AUTO}; mailbox=stable is taken");
                options.mailbox = MailboxKind::Stable;
            }
        }
        Ok(options)
    }

    /// Whether `mailbox=socket` is what the program itself has asked for, and not its environment.
    pub(crate) fn insists_on_socket(&self, conf: &Conf, query: &str) -> bool {
        self.mailbox == MailboxKind::Socket && is_asked("mailbox", conf, query)
    }

    /// Whether the options fit each other.
    fn check(&self) -> Result<(), OptionError> {
        let (high, low) = (self.recv_high_pct, self.recv_low_pct);
        if low >= high {
            return Err(OptionError::Conflict(format!(
                "recv_low_pct ({low}) must be below recv_high_pct ({high})"
            )));
        }
        Ok(())
    }

    /// The defaults, changed by the file that `SPREAD_CLIENT_CONF` names and by `SPREAD_OPTIONS`
    /// (which set-uid programs do not look at). What is wrong there is logged and left out.
    #[must_use]
    pub fn from_environment() -> Self {
        let mut options = Self::default();
        for warning in sources::apply(&mut options) {
            tracing::warn!("{warning}");
        }
        if let Err(error) = options.check() {
            tracing::warn!("SPREAD_OPTIONS: {error}; the defaults of both are used");
            let Self {
                recv_high_pct,
                recv_low_pct,
                ..
            } = Self::default();
            options.recv_high_pct = recv_high_pct;
            options.recv_low_pct = recv_low_pct;
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_their_ranges_and_read_back() {
        let options = Options::default();
        for row in TABLE {
            assert_eq!(row.value_in(&options), row.default, "{}", row.name);
            assert!(!row.doc.trim().is_empty(), "{}", row.name);
        }
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
    fn a_query_is_taken_whole_or_not_at_all() {
        let mut options = Options::default();
        let error = options.apply_query("disconnect_ms=7&nosuch=1").unwrap_err();
        assert_eq!(error.to_string(), "there is no option \"nosuch\"");
        assert_eq!(options, Options::default());
        options
            .apply_query("disconnect_ms=7&mailbox=stable")
            .unwrap();
        assert_eq!(options.disconnect_ms, 7);
        assert_eq!(options.mailbox, MailboxKind::Stable);
    }

    #[test]
    fn a_socket_cannot_outlive_its_link() {
        let mut conf = Conf::new();
        conf.set("mailbox", "socket").unwrap();
        let error = Options::resolve(&conf, "failover=auto").unwrap_err();
        assert_eq!(
            error.to_string(),
            "mailbox=socket cannot be had together with failover=auto"
        );
        let both = "failover=auto&mailbox=socket";
        assert!(Options::resolve(&Conf::new(), both).is_err());
        let query = "failover=connect&mailbox=socket";
        let options = Options::resolve(&Conf::new(), query).unwrap();
        assert!(options.insists_on_socket(&Conf::new(), query));
        assert!(!options.insists_on_socket(&Conf::new(), "max_message=1000"));
        assert!(!Options::default().insists_on_socket(&Conf::new(), "mailbox=auto"));
    }

    #[test]
    fn the_program_goes_before_the_name() {
        let mut conf = Conf::new();
        conf.set("disconnect_ms", "1").unwrap();
        conf.set("disconnect_ms", "2").unwrap();
        let options = Options::resolve(&conf, "disconnect_ms=3&max_message=4").unwrap();
        assert_eq!(options.disconnect_ms, 2);
        assert_eq!(options.max_message, 4);
        assert!(conf.set("disconnect_ms", "-1").is_err());
        assert!(conf.set("disconnect", "1").is_err());
        let options = Options::resolve(&conf, "").unwrap();
        assert_eq!(options.disconnect_ms, 2);
    }
}
