//! The manual pages: one for each function, and clean.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::installed::{files_below, prefix};
use crate::support::{ProgramCommand, skip};

/// Everything that the library exports; two of that are declared nowhere and have no page.
const EXPORTS: &str = include_str!("../fixtures/exports.txt");
const UNDECLARED: [&str; 2] = ["SP_query_groups", "SP_query_members"];

fn man_dir() -> PathBuf {
    prefix().dir().join("share/man")
}

fn page(name: &str, section: u8) -> String {
    let path = man_dir().join(format!("man{section}/{name}.{section}"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn every_exported_function_has_a_page() {
    for name in EXPORTS.lines().filter(|name| !UNDECLARED.contains(name)) {
        let text = page(name, 3);
        assert!(text.contains(&format!("\n.SH NAME\n{name} \\- ")), "{text}");
        assert!(text.contains(".B #include <"), "{text}");
        assert!(
            text.contains(&format!("{name}(")),
            "{name} has no prototype:\n{text}"
        );
        assert!(text.contains("\n.SH DESCRIPTION\n"), "{text}");
    }
    for (name, section) in [
        ("libspread", 3),
        ("everspread", 1),
        ("everspread", 7),
        ("spread-options", 7),
        ("spread-names", 7),
        ("everspread-testd", 1),
    ] {
        page(name, section);
    }
}

/// The overview names all functions of the headers.
#[test]
fn overview_names_every_function() {
    let overview = page("libspread", 3);
    for name in EXPORTS.lines().filter(|name| !UNDECLARED.contains(name)) {
        assert!(
            overview.contains(&format!("\\fB{name}\\fR")),
            "{name} is not in libspread(3)"
        );
    }
}

/// `--long` words of a text.
fn long_options(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-')
        .filter(|word| word.starts_with("--") && word.len() > 2)
        .map(str::to_owned)
        .collect()
}

#[test]
fn pages_of_the_command_have_its_options_and_no_others() {
    let everspread = |args: &[&str]| {
        let run = ProgramCommand::new(prefix().dir().join("bin/everspread"))
            .args(args)
            .run();
        run.assert_success();
        run.stdout_text()
    };
    let help = everspread(&["--help"]);
    let commands: Vec<_> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(commands.contains(&"testd"), "{help}");
    let overview = page("everspread", 1);
    for command in commands {
        assert!(
            overview.contains(&format!("\n\\fB{command}\\fR\n")),
            "{command} is not in everspread(1)"
        );
        if command == "help" {
            continue;
        }
        let text = page(&format!("everspread-{command}"), 1)
            .replace("\\-", "-")
            .replace("\\fB", "");
        let (_, options) = text.split_once(".SH OPTIONS\n").unwrap();
        let (options, _) = options.split_once("\n.SH ").unwrap();
        assert_eq!(
            long_options(options),
            long_options(&everspread(&[command, "--help"])),
            "{command}"
        );
    }
}

#[test]
fn pages_name_only_pages_that_there_are() {
    for file in files_below(&man_dir()) {
        let text = fs::read_to_string(&file)
            .unwrap()
            .replace("\\-", "-")
            .replace("\\fR", "")
            .replace("\\fB", "");
        let Some((_, also)) = text.split_once(".SH SEE ALSO\n") else {
            continue;
        };
        let pages = also.replace(".BR ", "").replace(" (", "(");
        for reference in pages.split([',', '\n', ' ']).filter(|r| !r.is_empty()) {
            let (name, section) = reference.trim_end_matches(')').split_once('(').unwrap();
            page(name, section.parse().unwrap());
        }
    }
}

#[test]
fn pages_are_clean_for_mandoc() {
    let files = files_below(&man_dir());
    let Ok(run) = ProgramCommand::new("mandoc")
        .args(["-T", "lint", "-W", "warning"])
        .args(&files)
        .try_run()
    else {
        return skip("there is no mandoc");
    };
    assert!(run.success() && run.stdout.is_empty(), "{}", run.report());
}

#[test]
fn pages_are_clean_for_groff_and_found_by_whatis() {
    let files = files_below(&man_dir());
    let Ok(run) = ProgramCommand::new("man")
        .args([
            "--warnings",
            "--encoding=UTF-8",
            "--ditroff",
            "--local-file",
        ])
        .args(&files)
        .env("LC_ALL", "C.UTF-8")
        .env("MANWIDTH", "80")
        .limit(Duration::from_secs(300))
        .try_run()
    else {
        return skip("there is no man");
    };
    assert!(run.success() && run.stderr.is_empty(), "{}", run.report());
    // Every one was formatted: each has a title line of its own.
    let formatted = run.stdout_text().matches("x init").count();
    assert_eq!(formatted, files.len());
    if let Ok(run) = ProgramCommand::new("lexgrog").args(&files).try_run() {
        run.assert_success();
        assert_eq!(run.stdout_text().lines().count(), files.len());
    }
}
