//! `everspread testd`: a simulated network in the foreground.

use std::error::Error;
use std::fs::File;
use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args as ClapArgs;
use spread_testd::{Network, Timing};

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
    /// Sessions per daemon
    #[arg(long, default_value_t = 997)]
    max_sessions: usize,
    /// Take as long as real daemons to notice that others have died or come back
    #[arg(long)]
    realistic: bool,
    /// Write one line per event to this file, or to standard error if it is "-"
    #[arg(long)]
    log: Option<PathBuf>,
    /// Log every message, too
    #[arg(long, requires = "log")]
    log_messages: bool,
}

/// Runs until SIGTERM or SIGINT.
pub(crate) fn run(args: Args) -> Result<(), Box<dyn Error>> {
    // Before anything can be seen of the network: a signal then ends it properly.
    let signals = Signals::new()?;
    let mut builder = Network::builder()
        .daemons(args.daemons)
        .port(args.port)
        .bind(args.bind)
        .unix(!args.no_unix)
        .max_session_messages(args.max_session_messages)
        .max_sessions(args.max_sessions);
    if args.realistic {
        builder = builder.timing(Timing::LAN);
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
    announce(&network)?;
    signals.wait();
    Ok(())
}

/// Where the daemons are, then `ready`.
fn announce(network: &Network) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for daemon in network.daemons() {
        write!(out, "{} {}", daemon.name(), daemon.spread_name())?;
        if let Some(path) = daemon.unix_path() {
            write!(out, " {}", path.display())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "ready")?;
    out.flush()
}

#[cfg(unix)]
struct Signals(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use signal_hook::consts::{SIGINT, SIGTERM};
        signal_hook::iterator::Signals::new([SIGTERM, SIGINT]).map(Self)
    }

    fn wait(mut self) {
        self.0.forever().next();
    }
}

/// Without signals the process is ended from outside.
#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    fn wait(self) {
        loop {
            std::thread::park();
        }
    }
}
