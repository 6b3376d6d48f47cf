//! `everspread doctor`: what a daemon's name stands for, and which of it works.

use std::error::Error as StdError;
use std::io::{self, Write as _};
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::time::{Duration, Instant};

use clap::Args as ClapArgs;
use spread_client::{Connection, DaemonName, Service, SpreadName};

use crate::target::explain;

/// Options of the command.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// The daemon's name, as a program has it: 4803, 4803@host, a list, srv:NAME, options behind a `?`
    name: String,
    /// Give up after so many milliseconds, for each address
    #[arg(long, value_name = "MS", default_value_t = 5000)]
    timeout: u32,
}

/// Looks at every address by itself, then at the name as a program would use it.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn StdError>> {
    let limit = Duration::from_millis(args.timeout.into());
    let name =
        SpreadName::parse(args.name.as_bytes()).map_err(|e| format!("{}: {e}", args.name))?;
    let mut well = 0_u32;
    let mut ill = 0_u32;
    for entry in &name.entries {
        for (what, place) in places(entry)? {
            let found = match place {
                Ok(place) => visit(&place, &name.options, limit),
                Err(why) => Err(why),
            };
            match found {
                Ok(told) => {
                    well += 1;
                    say(&format!("ok    {what}: {told}"))?;
                }
                Err(why) => {
                    ill += 1;
                    say(&format!("bad   {what}: {why}"))?;
                }
            }
        }
    }
    let whole = visit_whole(&args.name, limit);
    match &whole {
        Ok(told) => say(&format!("ok    as a program connects: {told}"))?,
        Err(why) => say(&format!("bad   as a program connects: {why}"))?,
    }
    say(&format!("{well} of {} work", well + ill))?;
    if whole.is_ok() && ill == 0 {
        Ok(())
    } else if whole.is_ok() {
        Err("not everything works, but programs can connect".into())
    } else {
        Err("programs cannot connect".into())
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

/// What is to be visited: how it is called here, and the name that stands for just that; or why there is
/// none.
type Place = (String, Result<String, String>);

/// The places of an entry.
fn places(entry: &DaemonName) -> Result<Vec<Place>, Box<dyn StdError>> {
    Ok(match entry {
        DaemonName::Unix(port) => {
            vec![(format!("unix socket of port {port}"), Ok(port.to_string()))]
        }
        DaemonName::Tcp { port, host } => {
            let host = std::str::from_utf8(host).map_err(|_| "a host name is no text")?;
            match (host, *port).to_socket_addrs() {
                Ok(found) => addresses(host, found),
                Err(error) => vec![(format!("host {host}"), Err(error.to_string()))],
            }
        }
        // The library asks for the records; each host of them is tried when it connects.
        DaemonName::Srv(name) => {
            let name = String::from_utf8_lossy(name);
            vec![(format!("SRV records of {name}"), Ok(format!("srv:{name}")))]
        }
    })
}

/// Each address once: a resolver may list it for several kinds of sockets.
fn addresses(host: &str, found: impl Iterator<Item = SocketAddr>) -> Vec<Place> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in found {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    all.iter()
        .map(|address| {
            let place = match address {
                SocketAddr::V4(v4) => format!("{}@{}", v4.port(), v4.ip()),
                SocketAddr::V6(v6) => format!("{}@[{}]", v6.port(), v6.ip()),
            };
            (format!("host {host}, {place}"), Ok(place))
        })
        .collect()
}

/// Connects to one place and has a message ordered there.
fn visit(place: &str, options: &str, limit: Duration) -> Result<String, String> {
    let name = if options.is_empty() {
        place.to_owned()
    } else {
        format!("{place}?{options}")
    };
    visit_whole(&name, limit)
}

fn visit_whole(name: &str, limit: Duration) -> Result<String, String> {
    let start = Instant::now();
    let connection = Connection::to(name)
        .membership(false)
        .timeout(limit)
        .connect()
        .map_err(explain)?;
    let connected = start.elapsed();
    let own = connection.private_group();
    let start = Instant::now();
    connection
        .multicast(Service::Agreed, &[own.as_bytes()], 0, b"doctor")
        .map_err(explain)?;
    let came = connection.receive_for(limit).map_err(explain)?;
    let ordered = start.elapsed();
    // What a daemon is called stands behind the second sign.
    let text = own.to_string();
    let daemon = text.rsplit('#').next().unwrap_or_default();
    connection.close().map_err(explain)?;
    if came.is_none() {
        return Err(format!(
            "daemon {daemon} accepts, but orders nothing within {limit:?}: its network may be changing"
        ));
    }
    Ok(format!(
        "daemon {daemon}, connected in {:.1} ms, a message in {:.1} ms",
        connected.as_secs_f64() * 1e3,
        ordered.as_secs_f64() * 1e3
    ))
}

#[cfg(test)]
mod tests {
    use super::addresses;

    #[test]
    fn each_address_is_visited_once() {
        let found = ["10.0.0.1:4803", "10.0.0.1:4803", "[fd00::1]:4803"];
        let found = found.into_iter().map(|a| a.parse().unwrap());
        let places: Vec<_> = addresses("h", found)
            .into_iter()
            .map(|(_, p)| p.unwrap())
            .collect();
        assert_eq!(places, ["4803@10.0.0.1", "4803@[fd00::1]"]);
    }
}
