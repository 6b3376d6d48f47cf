//! What libabigail's `abidiff` finds between the classic library and ours, where there is one to
//! compare with:
//!
//! ```console
//! $ SPREAD_CLASSIC_LIB=/folder cargo test --test abidiff
//! ```
//!
//! `/folder` has a `libspread.so.3` with debug information. The tests' build of our library has it
//! anyway. The two are written in different languages, so that `abidiff` calls every type changed by
//! name (`int` and `i32`). What is looked at is what a caller can feel: symbols, the number of
//! parameters, sizes and offsets.

mod support;

use std::path::{Path, PathBuf};

use support::{Finished, ProgramCommand, library, root, skip};

/// What our library exports.
const EXPORTS: &str = include_str!("fixtures/exports.txt");

/// Bits of abidiff's exit code: it could not compare.
const FAILED: i32 = 1 | 2;

/// The classic library, if the environment names one.
fn classic() -> Option<PathBuf> {
    let given = PathBuf::from(std::env::var_os("SPREAD_CLASSIC_LIB")?);
    let file = if given.is_dir() {
        given.join("libspread.so.3")
    } else {
        given
    };
    assert!(file.exists(), "{} is not there", file.display());
    Some(file)
}

/// `None` if there is no abidiff.
fn compare(classic: &Path, more: &[&str]) -> Option<Finished> {
    ProgramCommand::new("abidiff")
        .args(["--redundant", "--harmless"])
        .args(more)
        .arg(classic)
        .arg(&library().shared)
        .try_run()
        .ok()
}

/// Lines that tell of a difference that a caller can feel.
fn felt(report: &str) -> Vec<&str> {
    let is_felt = |line: &str| {
        let line = line.trim();
        // What `void *` points to has a size in Rust.
        if line.ends_with("changed from 0 to 8 (in bits)") || line.ends_with("changed from 0 to 8")
        {
            return false;
        }
        line.starts_with("[D]")
            || line.starts_with("[A]")
            || line.contains("size changed from")
            || line.contains("offset changed")
            || line.contains("alignment changed")
            || (line.starts_with("parameter ")
                && (line.ends_with(" was removed") || line.ends_with(" was added")))
            || line.contains("data member deletion")
            || line.contains("data member insertion")
    };
    report.lines().filter(|line| is_felt(line)).collect()
}

#[test]
fn callers_feel_no_difference_to_the_classic_library() {
    let Some(classic) = classic() else {
        return skip("SPREAD_CLASSIC_LIB is not set: no classic library to compare with");
    };
    let accidental = root().join("tests/fixtures/abi/accidental.abignore");
    let Some(run) = compare(&classic, &["--suppressions", accidental.to_str().unwrap()]) else {
        return skip("there is no abidiff");
    };
    assert!(
        run.code().is_some_and(|code| code & FAILED == 0),
        "{}",
        run.report()
    );
    let report = run.stdout_text();
    let mut felt = felt(&report);
    // What we add.
    felt.retain(|line| !(line.contains("[A]") && line.contains("{SPX_")));
    assert_eq!(felt, [""; 0], "{report}");

    // Both have debug information: the comparison went as far as the types.
    for function in EXPORTS
        .lines()
        .filter(|f| f.starts_with("SP_") || f.starts_with("FL_"))
        .filter(|f| !f.starts_with("SP_query_"))
    {
        assert!(
            report.contains(&format!("{{{function}}}")),
            "{function} was not compared:\n{report}"
        );
    }
}

/// Without the list of accidental exports they are told, and with them nothing public: the comparison
/// above can fail.
#[test]
fn accidental_exports_are_what_is_missing() {
    let Some(classic) = classic() else {
        return skip("SPREAD_CLASSIC_LIB is not set: no classic library to compare with");
    };
    let Some(run) = compare(&classic, &["--no-show-locs"]) else {
        return skip("there is no abidiff");
    };
    assert!(
        run.code().is_some_and(|code| code & FAILED == 0),
        "{}",
        run.report()
    );
    let report = run.stdout_text();
    let missing = felt(&report)
        .iter()
        .filter(|line| line.contains("[D]"))
        .count();
    // 433 accidental ones, of which we have the two queries.
    assert_eq!(missing, 431, "{report}");
}
