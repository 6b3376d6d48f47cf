//! `everspread watch`: what comes for some groups, one line each.

use std::error::Error as StdError;
use std::fmt::Write as _;
use std::io::{self, Write as _};

use clap::Args as ClapArgs;
use spread_client::{Error, Message, memb_info};

use crate::signals::interrupt_receive_on_signal;
use crate::target::{Target, explain};

// Bits of a message's type, as sp.h has them.
const SERVICES: [(u32, &str); 6] = [
    (0x01, "unreliable"),
    (0x02, "reliable"),
    (0x04, "fifo"),
    (0x08, "causal"),
    (0x10, "agreed"),
    (0x20, "safe"),
];
const CAUSES: [(u32, &str); 4] = [
    (0x100, "join"),
    (0x200, "leave"),
    (0x400, "disconnect"),
    (0x800, "network"),
];
const TRANSITION: u32 = 0x2000;
const REJECTED: u32 = 0x0040_0000;

/// Options of the command.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Groups to join
    #[arg(required = true)]
    groups: Vec<String>,
    #[command(flatten)]
    target: Target,
    /// End after so many messages, not counting those that tell of members
    #[arg(short, long, value_name = "N")]
    count: Option<u64>,
    /// Leave out who joins and leaves
    #[arg(long)]
    no_members: bool,
}

/// Runs until the count is reached, a signal comes, or the session is lost.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn StdError>> {
    let connection = args.target.connect(!args.no_members)?;
    interrupt_receive_on_signal(connection.mailbox())?;
    for group in &args.groups {
        connection
            .join(group)
            .map_err(|e| format!("{group}: {}", explain(e)))?;
    }
    let mut left = args.count;
    while left != Some(0) {
        let message = match connection.receive() {
            Ok(message) => message,
            Err(Error::Interrupted) => break,
            Err(error) => return Err(explain(error).into()),
        };
        let mut out = io::stdout().lock();
        writeln!(out, "{}", describe(&message))?;
        // Whoever reads this waits for it.
        out.flush()?;
        if !message.is_membership() {
            left = left.map(|left| left - 1);
        }
    }
    connection.close().map_err(|e| explain(e).into())
}

fn named(bits: u32, names: &[(u32, &'static str)]) -> &'static str {
    names
        .iter()
        .find(|(bit, _)| bits & bit != 0)
        .map_or("none", |(_, name)| name)
}

/// One line: what it is, then `name=value`, and at the end what may hold blanks.
fn describe(message: &Message) -> String {
    let kind = message.service;
    let mut line = String::new();
    if !message.is_membership() {
        let groups: Vec<String> = message.groups.iter().map(ToString::to_string).collect();
        let what = if kind & REJECTED == 0 {
            "message"
        } else {
            "rejected"
        };
        let _ = write!(
            line,
            "{what} groups={} sender={} service={} type={} bytes={} {}",
            groups.join(","),
            message.sender,
            named(kind, &SERVICES),
            message.mess_type,
            message.body.len(),
            message.body.escape_ascii()
        );
    } else if message.is_regular_membership() {
        let _ = write!(
            line,
            "members group={} cause={}",
            message.sender,
            named(kind, &CAUSES)
        );
        let pieces: [&[u8]; 1] = [&message.body];
        let info = memb_info::memb_info(&memb_info::slices(&pieces), kind);
        if let Ok(info) = info
            && let memb_info::ChangedMember::Member(who) = info.changed_member
        {
            let _ = write!(line, " changed={who}");
        }
        let _ = write!(line, " count={}", message.groups.len());
        for member in &message.groups {
            let _ = write!(line, " {member}");
        }
    } else if kind & TRANSITION != 0 {
        let _ = write!(line, "transition group={}", message.sender);
    } else {
        let _ = write!(line, "left group={}", message.sender);
    }
    line
}

#[cfg(test)]
mod tests {
    use spread_client::Name;

    use super::{Message, describe};

    fn message(service: u32, body: &[u8]) -> Message {
        Message {
            service,
            sender: Name::new(b"#a#d1"),
            groups: vec![Name::new(b"x"), Name::new(b"y")],
            mess_type: -3,
            endian_mismatch: false,
            body: body.to_vec(),
        }
    }

    #[test]
    fn each_message_is_one_line() {
        for (service, body, line) in [
            (
                0x10,
                &b"two\nlines \xff"[..],
                r"message groups=x,y sender=#a#d1 service=agreed type=-3 bytes=11 two\nlines \xff",
            ),
            (
                0x0040_0020,
                b"no",
                "rejected groups=x,y sender=#a#d1 service=safe type=-3 bytes=2 no",
            ),
            (0x1800, b"", "members group=#a#d1 cause=network count=2 x y"),
            (0x2800, b"", "transition group=#a#d1"),
            (0x0200, b"", "left group=#a#d1"),
        ] {
            assert_eq!(describe(&message(service, body)), line);
        }
    }
}
