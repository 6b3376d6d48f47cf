//! Commands as text, one per line: for the control socket and for scripts.

use std::fmt::Write;
use std::str::FromStr;
use std::time::Duration;

use crate::control::Control;
use crate::error::Error;
use crate::fault::{CloseHow, StreamFault};

/// What a line can say.
pub const COMMANDS: &str = "\
kill DAEMON                       as SIGKILL
restart DAEMON                    start again at the old port, killed first if alive
freeze DAEMON                     as SIGSTOP
thaw DAEMON                       as SIGCONT
partition SET SET ...             a SET is daemons with commas between: d1,d2
heal                              end the partition
settle                            wait until all that clients have sent is read
sessions                          list them: private group, messages waiting, \"ghost\"
close SESSION [reset|ghost]       end a connection; SESSION is a private group: #alice#d1
fault SESSION FAULT               spoil its stream
clear SESSION                     end all faults of its stream
next DAEMON COUNT FAULT           spoil the streams of the next connections
refuse DAEMON COUNT CODE          turn the next connections away
ignore DAEMON COUNT               accept the next connections and stay silent
hangup DAEMON COUNT               close the next connections at once
next-clear DAEMON                 forget what is prepared for the next connections
hold DAEMON NAME                  take a private name without a client
release SESSION                   end a ghost
help                              this list
FAULT is one of: trickle BYTES MS, delay MS, stall-reading, stall-writing,
  corrupt BYTE, truncate BYTES; DAEMON is a name (d1) or a number from 0";

impl Control {
    /// Carries out one line of text. Returns what there is to say, which is nothing for most
    /// commands; empty lines and those that start with `#` and a blank do nothing.
    ///
    /// The commands are listed in [`COMMANDS`].
    ///
    /// # Errors
    ///
    /// [`Error::Config`] for a line that makes no sense, and the errors of the command.
    pub fn run_line(&self, line: &str) -> Result<String, Error> {
        let mut words = Words(line.split_ascii_whitespace());
        let Some(command) = words.0.next() else {
            return Ok(String::new());
        };
        let mut answer = String::new();
        match command {
            "#" => return Ok(answer),
            "kill" => self.kill(words.daemon(self)?)?,
            "restart" => self.restart(words.daemon(self)?)?,
            "freeze" => self.freeze(words.daemon(self)?)?,
            "thaw" => self.thaw(words.daemon(self)?)?,
            "partition" => self.partition(&words.sets(self)?)?,
            "heal" => self.heal()?,
            "settle" => self.settle()?,
            "sessions" => answer = self.list_sessions()?,
            "close" => {
                let session = words.next("a session")?;
                let how = words.how()?;
                self.close_session(session, how)?;
            }
            "fault" => self.fault(words.next("a session")?, words.fault()?)?,
            "clear" => self.clear_faults(words.next("a session")?)?,
            "next" => {
                let (daemon, count) = (words.daemon(self)?, words.number("a count")?);
                self.fault_next(daemon, count, words.fault()?)?;
            }
            "refuse" => {
                let (daemon, count) = (words.daemon(self)?, words.number("a count")?);
                self.refuse_next(daemon, count, words.number("a code")?)?;
            }
            "ignore" => self.ignore_next(words.daemon(self)?, words.number("a count")?)?,
            "hangup" => self.hang_up_next(words.daemon(self)?, words.number("a count")?)?,
            "next-clear" => self.clear_next(words.daemon(self)?)?,
            "hold" => self.hold_name(words.daemon(self)?, words.next("a name")?)?,
            "release" => self.release(words.next("a session")?)?,
            "help" => COMMANDS.clone_into(&mut answer),
            _ => return Err(wrong(format!("unknown command {command:?}; see help"))),
        }
        if let Some(surplus) = words.0.next() {
            // It has been done; better than to be silent about a misunderstanding.
            return Err(wrong(format!("done, but what is {surplus:?}?")));
        }
        Ok(answer)
    }

    fn list_sessions(&self) -> Result<String, Error> {
        let mut list = String::new();
        for session in self.sessions()? {
            let ghost = if session.ghost { " ghost" } else { "" };
            // Writing to a string does not fail.
            let _ = writeln!(list, "{} {}{ghost}", session.private_group, session.waiting);
        }
        Ok(list)
    }

    fn daemon_of(&self, word: &str) -> Result<usize, Error> {
        let named = self.daemons().iter().position(|d| d.name() == word);
        named
            .or_else(|| word.parse().ok())
            .ok_or_else(|| wrong(format!("no daemon {word:?}")))
    }
}

fn wrong(what: String) -> Error {
    Error::Config(what)
}

struct Words<'a>(std::str::SplitAsciiWhitespace<'a>);

impl<'a> Words<'a> {
    fn next(&mut self, what: &str) -> Result<&'a str, Error> {
        self.0
            .next()
            .ok_or_else(|| wrong(format!("{what} is missing")))
    }

    fn number<T: FromStr>(&mut self, what: &str) -> Result<T, Error> {
        let word = self.next(what)?;
        word.parse()
            .map_err(|_| wrong(format!("{word:?} is not {what}")))
    }

    fn ms(&mut self) -> Result<Duration, Error> {
        self.number("a time in milliseconds")
            .map(|ms: u32| Duration::from_millis(ms.into()))
    }

    fn daemon(&mut self, control: &Control) -> Result<usize, Error> {
        control.daemon_of(self.next("a daemon")?)
    }

    fn sets(&mut self, control: &Control) -> Result<Vec<Vec<usize>>, Error> {
        self.0
            .by_ref()
            .map(|set| set.split(',').map(|word| control.daemon_of(word)).collect())
            .collect()
    }

    fn how(&mut self) -> Result<CloseHow, Error> {
        match self.0.next() {
            None => Ok(CloseHow::Normal),
            Some("reset") => Ok(CloseHow::Reset),
            Some("ghost") => Ok(CloseHow::Ghost),
            Some(word) => Err(wrong(format!("{word:?} is neither reset nor ghost"))),
        }
    }

    fn fault(&mut self) -> Result<StreamFault, Error> {
        Ok(match self.next("a fault")? {
            "trickle" => StreamFault::Trickle {
                bytes: self.number("a number of bytes")?,
                pause: self.ms()?,
            },
            "delay" => StreamFault::Delay(self.ms()?),
            "stall-reading" => StreamFault::StallReading,
            "stall-writing" => StreamFault::StallWriting,
            "corrupt" => StreamFault::CorruptAt(self.number("a position")?),
            "truncate" => StreamFault::TruncateAt(self.number("a number of bytes")?),
            word => return Err(wrong(format!("{word:?} is no fault; see help"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::{Error, Network};

    #[test]
    fn lines_are_carried_out_or_explained() {
        let network = Network::builder().daemons(3).start().unwrap();
        for good in [
            "",
            "# a remark",
            "kill d2",
            "restart 1",
            "freeze d3",
            "thaw d3",
            "partition d1,d2 d3",
            "heal",
            "settle",
            "sessions",
            "hold d1 alice",
            "release #alice#d1",
            "next d1 2 trickle 1 10",
            "next d1 1 truncate 100",
            "refuse d1 1 -3",
            "ignore d1 1",
            "hangup d1 1",
            "next-clear d1",
            "help",
        ] {
            assert!(network.run_line(good).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("explode d1", "unknown command"),
            ("kill", "a daemon is missing"),
            ("kill d9", "no daemon \"d9\""),
            ("kill 9", "no daemon 9"),
            ("partition d1 d1", "in two sets"),
            ("close #nobody#d1", "no such session"),
            ("refuse d1 1 1000", "not a code"),
            ("hold d1 a#b", "printable"),
            ("fault #a#d1 tickle", "is no fault"),
            ("next d1 99999999 delay 1", "at most"),
            ("heal now", "what is \"now\""),
        ] {
            let error: Error = network.run_line(bad).unwrap_err();
            assert!(error.to_string().contains(why), "{bad}: {error}");
        }
    }

    #[test]
    fn held_names_are_listed_as_ghosts() {
        let network = Network::builder().start().unwrap();
        network.run_line("hold d1 alice").unwrap();
        assert_eq!(network.run_line("sessions").unwrap(), "#alice#d1 0 ghost\n");
        assert!(matches!(
            network.hold_name(0, "alice"),
            Err(Error::NameTaken(_))
        ));
    }
}
