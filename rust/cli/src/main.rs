//! The Everspread command: an embedded Spread network and small tools.
#![forbid(unsafe_code)]

mod testd;

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
}

#[expect(
    clippy::print_stderr,
    reason = "a command tells its user what went wrong"
)]
fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Testd(args) => testd::run(args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("everspread: {error}");
            ExitCode::FAILURE
        }
    }
}
