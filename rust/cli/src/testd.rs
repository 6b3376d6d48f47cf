//! `everspread testd`: a simulated network in the foreground.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, ValueEnum};
use spread_testd::{Control, ControlSocket, Network, ReferenceFaults, Timing};

use crate::signals::Signals;

/// Options of the command.
#[derive(Debug, ClapArgs)]
pub(crate) struct Args {
    /// Number of daemons, named d1, d2 and so on
    #[arg(long, default_value_t = 1)]
    daemons: usize,
    /// Port of all daemons; 0 is any that is free
    #[arg(long, default_value_t = 4803)]
    port: u16,
    /// Address of each daemon, in order [default: 127.0.0.1, 127.0.0.2 ...]
    #[arg(long, num_args = 1.., value_delimiter = ',')]
    bind: Vec<IpAddr>,
    /// Do not listen at /tmp/<port>
    #[arg(long)]
    no_unix: bool,
    /// Drop a client for which so many messages are waiting
    #[arg(long, default_value_t = 1000)]
    max_session_messages: usize,
    /// Let senders wait so long, in milliseconds, for a client that is about to be dropped
    #[arg(long, value_name = "MS", default_value_t = 100)]
    receiver_grace: u32,
    /// Sessions per daemon
    #[arg(long, default_value_t = 997)]
    max_sessions: usize,
    /// Take as long as real daemons to notice that others have died or come back: on one segment
    /// (lan) or on several (wan)
    #[arg(long, value_name = "lan|wan", num_args = 0..=1, default_missing_value = "lan")]
    realistic: Option<Realistic>,
    /// Have the defects of Spread 5.0.1: lose messages to more than 43 groups, abort on large
    /// messages and groups
    #[arg(long)]
    reference_faults: bool,
    /// Let RELIABLE messages overtake at the sender's own daemon
    #[arg(long)]
    reliable_overtakes: bool,
    /// Take commands at this socket address (127.0.0.1:21000, port 0 is any) or new unix socket (a
    /// path with a slash); the command "help" lists them
    #[arg(long, value_name = "ADDRESS|PATH")]
    control: Option<String>,
    /// Write one line per event to this file, or to standard error if it is "-"
    #[arg(long)]
    log: Option<PathBuf>,
    /// Log every message, too
    #[arg(long, requires = "log")]
    log_messages: bool,
}

/// Whose timing.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Realistic {
    Lan,
    Wan,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    // Before anything can be seen of the network: a signal then ends it properly.
    let signals = Signals::new()?;
    allow_descriptors();
    let mut builder = Network::builder()
        .daemons(args.daemons)
        .port(args.port)
        .bind(args.bind)
        .unix(!args.no_unix)
        .max_session_messages(args.max_session_messages)
        .receiver_grace(Duration::from_millis(args.receiver_grace.into()))
        .max_sessions(args.max_sessions)
        .reliable_overtakes(args.reliable_overtakes);
    if let Some(realistic) = args.realistic {
        builder = builder.timing(match realistic {
            Realistic::Lan => Timing::LAN,
            Realistic::Wan => Timing::WAN,
        });
    }
    if args.reference_faults {
        builder = builder.reference_faults(ReferenceFaults::ALL);
    }
    if let Some(path) = args.log {
        let out: Box<dyn Write + Send> = if path.as_os_str() == "-" {
            Box::new(io::stderr())
        } else {
            Box::new(File::create(&path).map_err(|e| format!("{}: {e}", path.display()))?)
        };
        builder = if args.log_messages {
            builder.log_messages(out)
        } else {
            builder.log(out)
        };
    }
    let network = builder.start()?;
    let control = args
        .control
        .map(|place| control_socket(&network, &place))
        .transpose()?;
    announce(&network, control.as_ref())?;
    signals.wait();
    Ok(())
}

/// As many clients as daemons have places: the usual limit of 1024 open files is for one process, and
/// this one is several daemons.
#[cfg(unix)]
fn allow_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let maximum = getrlimit(Resource::Nofile).maximum;
    // Where it may not be raised, connects are refused when it is reached.
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: maximum,
            maximum,
        },
    );
}

#[cfg(not(unix))]
fn allow_descriptors() {}

fn control_socket(network: &Network, place: &str) -> Result<ControlSocket, Box<dyn Error>> {
    let control = network.control();
    let socket = if place.contains('/') {
        unix_control_socket(control, place)
    } else {
        let addr = place
            .parse()
            .map_err(|_| format!("--control {place}: neither a socket address nor a path"))?;
        ControlSocket::tcp(control, addr)
    };
    socket.map_err(|error| format!("--control {place}: {error}").into())
}

#[cfg(unix)]
fn unix_control_socket(control: Control, path: &str) -> io::Result<ControlSocket> {
    ControlSocket::unix(control, path.as_ref())
}

#[cfg(not(unix))]
fn unix_control_socket(_: Control, _: &str) -> io::Result<ControlSocket> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Where the daemons and the control socket are, then `ready`.
fn announce(network: &Network, control: Option<&ControlSocket>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for daemon in network.daemons() {
        write!(out, "{} {}", daemon.name(), daemon.spread_name())?;
        if let Some(path) = daemon.unix_path() {
            write!(out, " {}", path.display())?;
        }
        writeln!(out)?;
    }
    if let Some(addr) = control.and_then(ControlSocket::addr) {
        writeln!(out, "control {addr}")?;
    }
    if let Some(path) = control.and_then(ControlSocket::path) {
        writeln!(out, "control {}", path.display())?;
    }
    writeln!(out, "ready")?;
    out.flush()
}
