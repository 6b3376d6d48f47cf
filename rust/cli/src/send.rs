//! `everspread send`: messages from the command line, or from the lines of standard input.

use std::error::Error as StdError;
use std::io::{self, BufRead as _, Read as _};

use clap::Args as ClapArgs;

use crate::target::{ServiceName, Target, explain};

/// Longer lines than any message can be are not gathered.
const MAX_LINE: u64 = 144_000;

/// Options of the command.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Groups, or private groups, that all get each message; with commas between them
    #[arg(value_name = "GROUP[,GROUP...]", value_parser = groups)]
    groups: Groups,
    /// The message [default: each line of standard input is one]
    text: Option<String>,
    #[command(flatten)]
    target: Target,
    /// How the messages are ordered
    #[arg(short, long, value_enum, default_value = "agreed")]
    service: ServiceName,
    /// The messages' type, a number that receivers see
    #[arg(
        short = 't',
        long = "type",
        value_name = "N",
        default_value_t = 0,
        allow_negative_numbers = true
    )]
    mess_type: i16,
}

/// Several names in one word.
#[derive(Debug, Clone)]
struct Groups(Vec<String>);

fn groups(text: &str) -> Result<Groups, String> {
    let names: Vec<String> = text.split(',').map(str::to_owned).collect();
    if names.iter().any(String::is_empty) {
        return Err("a group has no name".to_owned());
    }
    Ok(Groups(names))
}

/// Sends, and waits until the daemon has it.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn StdError>> {
    let connection = args.target.connect(false)?;
    let send = |body: &[u8]| {
        connection
            .multicast(args.service.into(), &args.groups.0, args.mess_type, body)
            .map_err(explain)
    };
    if let Some(text) = &args.text {
        send(text.as_bytes())?;
    } else {
        let mut input = io::stdin().lock();
        let mut line = Vec::new();
        loop {
            line.clear();
            let read = input
                .by_ref()
                .take(MAX_LINE + 2)
                .read_until(b'\n', &mut line)?;
            if read == 0 {
                break;
            }
            if line.last() == Some(&b'\n') {
                line.pop();
            }
            if line.len() as u64 > MAX_LINE {
                return Err(format!("a line is longer than {MAX_LINE} bytes").into());
            }
            send(&line)?;
        }
    }
    connection.close().map_err(|e| explain(e).into())
}

#[cfg(test)]
mod tests {
    use super::groups;

    #[test]
    fn groups_have_commas_between_them() {
        assert_eq!(groups("a,#b#c").unwrap().0, ["a", "#b#c"]);
        for bad in ["", "a,", ",a", "a,,b"] {
            assert!(groups(bad).is_err(), "{bad}");
        }
    }
}
