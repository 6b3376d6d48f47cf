//! Writes the manual pages: `everspread-man OUT`, run in the root of the repository by `make`.
//!
//! * Section 3 has a page for each function that a header declares, made of its comment there. Those
//!   headers are generated from the entry points, so no function can be without its page.
//! * All other pages are Markdown: those in `man` (`everspread.1.md` becomes everspread(1)), and
//!   documents in `docs` that are pages as well ([`pages::DOCUMENTS`]).
#![forbid(unsafe_code)]

mod date;
mod header;
mod inline;
mod markdown;
mod pages;
mod roff;

use std::path::Path;
use std::process::ExitCode;

#[expect(
    clippy::print_stderr,
    reason = "a command tells its user what went wrong"
)]
fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(out), None) = (arguments.next(), arguments.next()) else {
        eprintln!("usage: everspread-man OUT (in the root of the repository)");
        return ExitCode::from(2);
    };
    match pages::write_all(Path::new("."), Path::new(&out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("everspread-man: {error}");
            ExitCode::FAILURE
        }
    }
}
