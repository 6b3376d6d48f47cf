//! Which daemon, and as whom: what all commands of a client have in common.

use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use spread_client::{Connection, Error, Service, reason};

/// Options of a session.
#[derive(Debug, ClapArgs)]
pub(crate) struct Target {
    /// The daemon: 4803, 4803@host, a list of these [default: 4803, or what `SPREAD_SERVERS` says]
    #[arg(
        short,
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    daemon: String,
    /// Private name of the session, at most 10 characters [default: the daemon makes one up]
    #[arg(
        short,
        long,
        value_name = "NAME",
        default_value = "",
        hide_default_value = true
    )]
    user: String,
    /// Give up connecting after so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    connect_timeout: u32,
    /// An option of the session, see spread-options(7); may be repeated
    #[arg(short, long = "option", value_name = "NAME=VALUE", value_parser = option)]
    options: Vec<(String, String)>,
}

/// `name=value`
fn option(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) => Ok((name.to_owned(), value.to_owned())),
        None => Err("not of the form NAME=VALUE".to_owned()),
    }
}

impl Target {
    /// Connects. `membership`: whether membership messages are wanted.
    pub(crate) fn connect(&self, membership: bool) -> Result<Connection, String> {
        let mut builder = Connection::to(&self.daemon)
            .private_name(&self.user)
            .membership(membership)
            .timeout(Duration::from_millis(self.connect_timeout.into()));
        for (name, value) in &self.options {
            builder = builder.option(name, value).map_err(|e| e.to_string())?;
        }
        builder.connect().map_err(explain)
    }
}

/// What the library knows of a failure beside its code.
pub(crate) fn explain(error: Error) -> String {
    reason::failed(error);
    reason::last_error().unwrap_or_else(|| error.to_string())
}

/// How messages are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ServiceName {
    /// May be lost
    Unreliable,
    /// Not lost
    Reliable,
    /// In the order of the sender
    Fifo,
    /// After all that the sender has received
    Causal,
    /// In one order for all
    Agreed,
    /// Agreed, and at every daemon before it is delivered
    Safe,
}

impl From<ServiceName> for Service {
    fn from(name: ServiceName) -> Self {
        match name {
            ServiceName::Unreliable => Self::Unreliable,
            ServiceName::Reliable => Self::Reliable,
            ServiceName::Fifo => Self::Fifo,
            ServiceName::Causal => Self::Causal,
            ServiceName::Agreed => Self::Agreed,
            ServiceName::Safe => Self::Safe,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::option;

    #[test]
    fn options_have_a_name_and_a_value() {
        assert_eq!(option("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(option("a").is_err());
    }
}
