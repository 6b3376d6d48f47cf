//! The differential tester: the same random calls with the classic library and with ours must print the same lines.
//!
//! `tests/differential/` holds the program that makes the calls, what the classic library printed (`golden/`), and the list of
//! the named differences (`rules.txt`). Its README says how to reproduce and to extend all this.
//!
//! | environment | effect |
//! | --- | --- |
//! | `SPREAD_CLASSIC_LIB=dir` | also runs fresh seeds with the `libspread.so.3` of that folder, side by side with ours |
//! | `DIFF_SEEDS=2000` | how many of them (200) |
//! | `DIFF_FIRST=70000` | the first of them (100001) |
//! | `SPREAD_DAEMON=path` | also on real daemons |
#![cfg(target_os = "linux")]

#[path = "differential/compare.rs"]
mod compare;
#[path = "differential/networks.rs"]
mod networks;
#[path = "differential/program.rs"]
mod program;
#[path = "differential/rules.rs"]
mod rules;
mod support;

use std::path::PathBuf;

use compare::{Seeds, assert_same};
use program::{Mode, Ops};
use spread_proto::ByteOrder;
use support::{library, root, skip};

/// The first of the fresh seeds: none that the golden files have.
const FIRST_FRESH_SEED: u64 = 100_001;

fn golden(prefix: &str) -> Vec<PathBuf> {
    let dir = root().join("tests/differential/golden");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&dir)
        .expect("the golden files are part of the repository")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.starts_with(prefix))
        })
        .collect();
    files.sort();
    files
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} must be a number, not {text:?}")),
        Err(_) => default,
    }
}

/// The folder of the classic library, if there is one to compare with.
fn classic() -> Option<PathBuf> {
    let dir = PathBuf::from(std::env::var_os("SPREAD_CLASSIC_LIB")?);
    assert!(
        dir.join("libspread.so.3").exists(),
        "SPREAD_CLASSIC_LIB={} has no libspread.so.3",
        dir.display()
    );
    Some(dir)
}

/// Runs the seeds of the golden files with our library.
fn compare_with_golden(files: &[PathBuf], least: usize, mode: &Mode) {
    let ops = Ops::get();
    let expected = Seeds::parse_files(files);
    assert!(
        expected.len() >= least,
        "{} golden seeds, {least} are wanted",
        expected.len()
    );
    let got = ops.run_seeds(&library().dir, mode, expected.numbers());
    assert_same("classic", &expected, "everspread", &got, &ops.hint(mode));
}

/// Runs fresh seeds with both libraries.
fn compare_libraries(classic: &std::path::Path, mode: &Mode, seeds: u64) {
    let ops = Ops::get();
    let first = number("DIFF_FIRST", FIRST_FRESH_SEED);
    let numbers: Vec<u64> = (first..first + seeds).collect();
    let expected = ops.run_seeds(classic, mode, &numbers);
    let got = ops.run_seeds(&library().dir, mode, &numbers);
    assert_same("classic", &expected, "everspread", &got, &ops.hint(mode));
}

#[test]
fn scripted_daemon_golden_seeds_give_what_the_classic_library_gave() {
    compare_with_golden(&golden("script-"), 500, &Mode::Script);
}

#[test]
fn embedded_network_golden_seeds_give_what_the_classic_library_gave_on_real_daemons() {
    let network = networks::embedded(ByteOrder::NATIVE);
    compare_with_golden(&golden("network-"), 100, &network.mode());
}

#[test]
fn daemons_of_the_other_byte_order_make_no_difference() {
    let other = match ByteOrder::NATIVE {
        ByteOrder::Little => ByteOrder::Big,
        ByteOrder::Big => ByteOrder::Little,
    };
    let network = networks::embedded(other);
    compare_with_golden(&golden("network-"), 100, &network.mode());
}

#[test]
fn both_libraries_agree_on_the_scripted_daemon() {
    let Some(classic) = classic() else {
        skip("SPREAD_CLASSIC_LIB is not set: no classic library to compare with");
        return;
    };
    compare_libraries(&classic, &Mode::Script, number("DIFF_SEEDS", 200));
}

#[test]
fn both_libraries_agree_on_the_embedded_network() {
    let Some(classic) = classic() else {
        skip("SPREAD_CLASSIC_LIB is not set: no classic library to compare with");
        return;
    };
    let network = networks::embedded(ByteOrder::NATIVE);
    compare_libraries(&classic, &network.mode(), number("DIFF_SEEDS", 200) / 4 + 1);
}

#[test]
fn real_daemons_golden_seeds_give_what_the_classic_library_gave() {
    let Some(network) = networks::real("golden") else {
        return;
    };
    compare_with_golden(&golden("network-"), 100, &network.mode());
}

#[test]
fn golden_files_are_what_the_classic_library_gives() {
    let Some(classic) = classic() else {
        skip("SPREAD_CLASSIC_LIB is not set: the golden files are taken as they are");
        return;
    };
    let ops = Ops::get();
    let expected = Seeds::parse_files(&golden("script-"));
    let got = ops.run_seeds(&classic, &Mode::Script, expected.numbers());
    let hint =
        "Were the calls changed? Then write the golden files anew: tests/differential/golden.sh";
    assert_same("golden", &expected, "classic", &got, hint);
}

#[test]
fn both_libraries_agree_on_real_daemons() {
    let Some(classic) = classic() else {
        skip("SPREAD_CLASSIC_LIB is not set: no classic library to compare with");
        return;
    };
    if let Some(network) = networks::real("both") {
        compare_libraries(&classic, &network.mode(), number("DIFF_SEEDS", 200) / 4 + 1);
    }
}

#[test]
fn every_rule_is_used_listed_and_explained() {
    rules::check();
}
