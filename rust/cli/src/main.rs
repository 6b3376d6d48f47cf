//! The Everspread command: an embedded Spread network and small tools.
#![forbid(unsafe_code)]

mod doctor;
mod flood;
mod ping;
mod send;
mod signals;
mod target;
mod testd;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tools for Spread networks.
#[derive(Debug, Parser)]
#[command(name = "everspread", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a simulated Spread network in the foreground, for tests and development.
    Testd(testd::Args),
    /// Tell what comes for groups, one line each.
    Watch(watch::Args),
    /// Send messages to groups.
    Send(send::Args),
    /// Measure how fast messages go through.
    Flood(flood::Args),
    /// Measure how long a message takes through a daemon and back.
    Ping(ping::Args),
    /// Tell what a daemon's name stands for, and which of it works.
    Doctor(doctor::Args),
}

#[expect(
    clippy::print_stderr,
    reason = "a command tells its user what went wrong"
)]
fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Testd(args) => testd::run(args),
        Command::Watch(args) => watch::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Flood(args) => flood::run(&args),
        Command::Ping(args) => ping::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("everspread: {error}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn options_do_not_contradict_each_other() {
        super::Cli::command().debug_assert();
    }
}
