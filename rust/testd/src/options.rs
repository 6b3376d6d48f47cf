//! Settings as text, for languages and files that cannot call the builder's functions.

use std::fs::File;
use std::io::{self, Write};
use std::time::Duration;

use spread_proto::ByteOrder;

use crate::auth::AuthMethod;
use crate::builder::Builder;
use crate::config::{ReferenceFaults, Timing};
use crate::error::Error;

/// What [`Builder::options`] knows.
pub const OPTIONS: &str = "\
daemons=N                 number of daemons (1)
names=A,B                 their names (d1, d2 ...)
port=N                    port of all of them, 0 for any that is free (0)
bind=ADDRESS,ADDRESS      address of each (127.0.0.1, 127.0.0.2 ...)
unix=0|1                  listen at /tmp/<port> (1)
max_session_messages=N    messages that may wait for a client (1000)
max_sessions=N            sessions per daemon (997)
receiver_grace_ms=N       how long senders wait for a client that is about to be dropped (100)
timing=fast|lan|wan       how long changes take to be noticed (fast)
crash_ms=N                the same for single changes; also start_ms, partition_ms, heal_ms,
                          thaw_ms, restart_ms, fast_restart_ms, safe_ms, name_release_ms
orders_after_crash=N      requests that are still ordered after a daemon's death (0)
reference_faults=0|1      have the defects of Spread 5.0.1 (0)
reliable_overtakes=0|1    RELIABLE messages overtake at the sender's daemon (0)
byte_order=little|big     of the daemons (that of this machine)
head_of_line=0|1          a silent connection keeps others waiting for a second (1)
deny=PREFIX               refuse requests for groups whose names start so (none)
auth=NULL,NAME:SECRET     authentication methods: NULL, and challenges (NULL)
log=FILE                  one line per event, - for standard error (none)
log_messages=0|1          log messages, too (0)";

impl Builder {
    /// Takes settings as text: `key=value` pairs with `&`, line ends or blanks between them. The
    /// keys are listed in [`OPTIONS`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for what makes no sense, [`Error::Io`] for a log that cannot be opened.
    pub fn options(mut self, text: &str) -> Result<Self, Error> {
        let mut log = None;
        let mut log_messages = false;
        let mut timing = Timing::FAST;
        let mut has_timing = false;
        let pairs = text.split(|c: char| c == '&' || c.is_ascii_whitespace());
        for pair in pairs.filter(|pair| !pair.is_empty()) {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| wrong(format!("{pair:?} is no key=value")))?;
            match key {
                "log" => log = Some(value.to_owned()),
                "log_messages" => log_messages = flag(key, value)?,
                "timing" => {
                    timing = named_timing(value)?;
                    has_timing = true;
                }
                _ => match timing_field(&mut timing, key) {
                    Some(field) => {
                        *field = Duration::from_millis(number::<u32>(key, value)?.into());
                        has_timing = true;
                    }
                    None => self = self.option(key, value)?,
                },
            }
        }
        if has_timing {
            self = self.timing(timing);
        }
        if let Some(path) = log {
            let out: Box<dyn Write + Send> = if path == "-" {
                Box::new(io::stderr())
            } else {
                Box::new(File::create(&path)?)
            };
            self = if log_messages {
                self.log_messages(out)
            } else {
                self.log(out)
            };
        }
        Ok(self)
    }

    fn option(self, key: &str, value: &str) -> Result<Self, Error> {
        Ok(match key {
            "daemons" => self.daemons(number(key, value)?),
            "names" => self.names(value.split(',')),
            "port" => self.port(number(key, value)?),
            "bind" => {
                let addresses: Result<Vec<_>, Error> =
                    value.split(',').map(|word| number(key, word)).collect();
                self.bind(addresses?)
            }
            "unix" => self.unix(flag(key, value)?),
            "max_session_messages" => self.max_session_messages(number(key, value)?),
            "max_sessions" => self.max_sessions(number(key, value)?),
            "receiver_grace_ms" => {
                let ms: u32 = number(key, value)?;
                self.receiver_grace(Duration::from_millis(ms.into()))
            }
            "orders_after_crash" => self.orders_after_crash(number(key, value)?),
            "reference_faults" => self.reference_faults(if flag(key, value)? {
                ReferenceFaults::ALL
            } else {
                ReferenceFaults::default()
            }),
            "reliable_overtakes" => self.reliable_overtakes(flag(key, value)?),
            "byte_order" => self.byte_order(match value {
                "little" => ByteOrder::Little,
                "big" => ByteOrder::Big,
                _ => return Err(wrong(format!("{key}={value}: little or big"))),
            }),
            "head_of_line" => self.head_of_line(flag(key, value)?),
            "deny" => self.deny_groups(value),
            "auth" => {
                let methods: Result<Vec<_>, Error> = value.split(',').map(auth_method).collect();
                self.auth_methods(methods?)
            }
            _ => return Err(wrong(format!("unknown option {key:?}"))),
        })
    }
}

fn wrong(what: String) -> Error {
    Error::Config(what)
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, Error> {
    value
        .parse()
        .map_err(|_| wrong(format!("{key}={value}: not a value for this option")))
}

fn flag(key: &str, value: &str) -> Result<bool, Error> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(wrong(format!("{key}={value}: 0 or 1"))),
    }
}

fn named_timing(value: &str) -> Result<Timing, Error> {
    match value {
        "fast" => Ok(Timing::FAST),
        "lan" => Ok(Timing::LAN),
        "wan" => Ok(Timing::WAN),
        _ => Err(wrong(format!("timing={value}: fast, lan or wan"))),
    }
}

fn timing_field<'a>(timing: &'a mut Timing, key: &str) -> Option<&'a mut Duration> {
    Some(match key {
        "start_ms" => &mut timing.start,
        "crash_ms" => &mut timing.crash,
        "partition_ms" => &mut timing.partition,
        "heal_ms" => &mut timing.heal,
        "thaw_ms" => &mut timing.thaw,
        "restart_ms" => &mut timing.restart,
        "fast_restart_ms" => &mut timing.fast_restart,
        "safe_ms" => &mut timing.safe,
        "name_release_ms" => &mut timing.name_release,
        _ => return None,
    })
}

fn auth_method(word: &str) -> Result<AuthMethod, Error> {
    match word.split_once(':') {
        None if word == "NULL" => Ok(AuthMethod::Null),
        Some((name, secret)) => Ok(AuthMethod::Challenge {
            name: name.to_owned(),
            secret: secret.as_bytes().to_vec(),
        }),
        None => Err(wrong(format!("auth={word}: NULL, or NAME:SECRET"))),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, Network};

    #[test]
    fn every_listed_option_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let text = format!(
            "daemons=2&names=x,y&port=0&bind=127.0.0.1,127.0.0.2&unix=0&max_session_messages=5 \
             max_sessions=7&receiver_grace_ms=1&timing=lan&start_ms=0&crash_ms=1&partition_ms=2&\
             heal_ms=3&thaw_ms=4&restart_ms=5&fast_restart_ms=6&safe_ms=7&name_release_ms=8\n\
             orders_after_crash=1&reference_faults=1&reliable_overtakes=1&byte_order=big&\
             head_of_line=0&deny=no&auth=NULL,SAMPLE:key&log={}&log_messages=1",
            log.display()
        );
        let network = Network::builder().options(&text).unwrap().start().unwrap();
        assert_eq!(network.daemon(1).name(), "y");
        assert!(network.daemon(0).unix_path().is_none());
        drop(network);
        assert!(
            std::fs::read_to_string(log)
                .unwrap()
                .contains("x listening")
        );
        for line in super::OPTIONS.lines().filter(|line| !line.starts_with(' ')) {
            let key = line.split('=').next().unwrap();
            assert!(text.contains(&format!("{key}=")), "{key}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_an_error() {
        for text in [
            "daemons",
            "daemons=x",
            "colour=red",
            "unix=yes",
            "timing=slow",
            "crash_ms=-1",
            "byte_order=middle",
            "auth=IP",
            "bind=here",
        ] {
            let result = Network::builder().options(text);
            assert!(matches!(result, Err(Error::Config(_))), "{text}");
        }
    }
}
