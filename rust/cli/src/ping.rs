//! `everspread ping`: how long a message takes through the daemon and back.

use std::error::Error as StdError;
use std::io::{self, Write as _};
use std::thread;
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use spread_client::{Connection, Error};

use crate::target::{ServiceName, Target, explain};

/// Options of the command.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// Messages to send
    #[arg(short = 'n', long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    count: u64,
    /// Milliseconds from one to the next
    #[arg(short, long, value_name = "MS", default_value_t = 1000)]
    interval: u32,
    /// Bytes of each, 8 or more
    #[arg(short, long, value_name = "N", default_value_t = 48, value_parser = clap::value_parser!(u32).range(8..=143_112))]
    bytes: u32,
    /// How the messages are ordered
    #[arg(short, long, value_enum, default_value = "agreed")]
    service: ServiceName,
    /// A message that takes longer, in milliseconds, counts as lost
    #[arg(long, value_name = "MS", default_value_t = 10_000)]
    timeout: u32,
    /// Tell only the summary
    #[arg(short, long)]
    quiet: bool,
}

/// Sends one message after the other to itself.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn StdError>> {
    let connection = args.target.connect(false)?;
    let interval = Duration::from_millis(args.interval.into());
    let mut times = Vec::new();
    for number in 1..=args.count {
        let start = Instant::now();
        let trip = round_trip(args, &connection, number)?;
        let mut out = io::stdout().lock();
        match trip {
            Some(time) if !args.quiet => writeln!(
                out,
                "{} bytes from {}: seq={number} time={} ms",
                args.bytes,
                connection.private_group(),
                milliseconds(time)
            )?,
            None if !args.quiet => writeln!(out, "seq={number} lost")?,
            _ => {}
        }
        drop(out);
        times.extend(trip);
        if number < args.count {
            thread::sleep(interval.saturating_sub(start.elapsed()));
        }
    }
    connection.close().map_err(explain)?;
    times.sort_unstable();
    writeln!(io::stdout(), "{}", summary(args.count, &times))?;
    if times.len() as u64 == args.count {
        Ok(())
    } else {
        Err("messages were lost".into())
    }
}

/// Sends one, and waits for it. An older one that comes late is passed over.
fn round_trip(
    args: &Args,
    connection: &Connection,
    number: u64,
) -> Result<Option<Duration>, String> {
    let mut body = vec![0; args.bytes as usize];
    body[..8].copy_from_slice(&number.to_be_bytes());
    let own = connection.private_group();
    let limit = Duration::from_millis(args.timeout.into());
    let start = Instant::now();
    connection
        .multicast(args.service.into(), &[own.as_bytes()], 0, &body)
        .map_err(explain)?;
    loop {
        let left = limit.saturating_sub(start.elapsed());
        match connection.receive_for(left) {
            Ok(Some(message)) if message.sender == own && message.body == body => {
                return Ok(Some(start.elapsed()));
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(Error::TimedOut) => return Ok(None),
            Err(error) => return Err(explain(error)),
        }
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1e3)
}

/// `times` are sorted.
fn summary(sent: u64, times: &[Duration]) -> String {
    let mut text = format!("{sent} sent, {} received", times.len());
    if let (Some(first), Some(last)) = (times.first(), times.last()) {
        // The smallest time that so many percent do not exceed.
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            milliseconds(times[rank - 1])
        };
        text += &format!(
            "; min {} ms, median {} ms, 99 % {} ms, max {} ms",
            milliseconds(*first),
            at(50),
            at(99),
            milliseconds(*last)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::summary;

    #[test]
    fn summary_has_the_percentiles() {
        let times: Vec<_> = (1..=100).map(Duration::from_millis).collect();
        assert_eq!(
            summary(101, &times),
            "101 sent, 100 received; min 1.000 ms, median 50.000 ms, 99 % 99.000 ms, max 100.000 ms"
        );
        assert_eq!(
            summary(1, &times[..1]),
            "1 sent, 1 received; min 1.000 ms, median 1.000 ms, 99 % 1.000 ms, max 1.000 ms"
        );
        assert_eq!(summary(2, &[]), "2 sent, 0 received");
    }
}
