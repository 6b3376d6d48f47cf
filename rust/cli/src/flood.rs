//! `everspread flood`: how fast messages go through.

use std::error::Error as StdError;
use std::io::{self, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use spread_client::Connection;

use crate::target::{ServiceName, Target, explain};

/// Options of the command.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The group
    group: String,
    #[command(flatten)]
    target: Target,
    /// Messages to send, or to receive
    #[arg(short = 'n', long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    messages: u64,
    /// Bytes of each
    #[arg(short, long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=143_112))]
    bytes: u32,
    /// How the messages are ordered
    #[arg(short, long, value_enum, default_value = "agreed")]
    service: ServiceName,
    /// Send only; otherwise the group is joined, and what was sent is received, too
    #[arg(long, conflicts_with = "read_only")]
    write_only: bool,
    /// Receive only, whoever sends
    #[arg(long)]
    read_only: bool,
    /// Give up when no message has come for so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    timeout: u32,
}

/// Sends and receives, and tells the rates.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn StdError>> {
    let connection = args.target.connect(false)?;
    if !args.write_only {
        connection.join(&args.group).map_err(explain)?;
    }
    let report = |what: &str, took: Duration| {
        writeln!(
            io::stdout(),
            "{}",
            rates(what, args.messages, args.bytes, took)
        )
    };
    if args.write_only {
        report("sent", send(args, &connection)?)?;
    } else if args.read_only {
        report("received", receive(args, &connection)?)?;
    } else {
        let (sent, received) = thread::scope(|scope| {
            let sender = scope.spawn(|| send(args, &connection));
            let received = receive(args, &connection);
            (sender.join(), received)
        });
        report("sent", sent.map_err(|_| "the sending thread has failed")??)?;
        report("received", received?)?;
    }
    connection.close().map_err(|e| explain(e).into())
}

fn send(args: &Args, connection: &Connection) -> Result<Duration, String> {
    let body = vec![b'x'; args.bytes as usize];
    let start = Instant::now();
    for _ in 0..args.messages {
        connection
            .multicast(args.service.into(), &[&args.group], 0, &body)
            .map_err(explain)?;
    }
    Ok(start.elapsed())
}

/// From the first message to the last.
fn receive(args: &Args, connection: &Connection) -> Result<Duration, String> {
    let limit = Duration::from_millis(args.timeout.into());
    let mut first = None;
    for count in 0..args.messages {
        let message = connection.receive_for(limit).map_err(explain)?;
        if message.is_none() {
            return Err(format!(
                "{count} messages have come, then none for {limit:?}"
            ));
        }
        first.get_or_insert_with(Instant::now);
    }
    Ok(first.map_or(Duration::ZERO, |first: Instant| first.elapsed()))
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
fn rates(what: &str, messages: u64, bytes: u32, took: Duration) -> String {
    let seconds = took.as_secs_f64().max(1e-9);
    let rate = messages as f64 / seconds;
    format!(
        "{what} {messages} messages of {bytes} bytes in {seconds:.3} s: {rate:.0} messages/s, {:.1} MB/s",
        rate * f64::from(bytes) / 1e6
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::rates;

    #[test]
    fn rates_are_per_second() {
        assert_eq!(
            rates("sent", 1000, 100, Duration::from_millis(500)),
            "sent 1000 messages of 100 bytes in 0.500 s: 2000 messages/s, 0.2 MB/s"
        );
    }
}
