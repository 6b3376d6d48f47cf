//! Far behind a sender at full speed: in memory, on disk, and at the limit. The same program as for the runs on real daemons
//! (docs/VERIFICATION.md).

use crate::support::scratch;
use crate::{command, compile_with, places};

fn behind(test: &str, environment: &[(&str, &str)]) -> String {
    let executable = compile_with("behind", test, &[]);
    let mut command = command(&executable, places::embedded());
    for (variable, value) in environment {
        command.env(variable, value);
    }
    let run = command.run();
    run.assert_success();
    run.stdout_text()
}

#[test]
fn with_the_defaults_all_of_it_is_kept_in_memory() {
    let said = behind("behind-memory", &[("BEHIND_COUNT", "50000")]);
    assert!(said.contains("50000 of 50000 received, in order"), "{said}");
    assert!(said.contains(" 0 on disk"), "{said}");
}

#[test]
fn with_spill_all_of_it_comes_back_from_disk() {
    let folder = scratch("behind-spill");
    let options = format!(
        "recv_policy=spill&recv_max_bytes=1M&spill_dir={}",
        folder.display()
    );
    let environment = [
        ("BEHIND_COUNT", "4000"),
        ("BEHIND_SIZE", "10000"),
        ("SPREAD_OPTIONS", options.as_str()),
    ];
    let said = behind("behind-disk", &environment);
    assert!(said.contains("4000 of 4000 received, in order"), "{said}");
    assert!(!said.contains(" 0 on disk; peak 0"), "{said}");
}

#[test]
fn at_the_limit_with_block_the_daemon_ends_it_and_what_came_before_is_delivered() {
    let environment = [
        ("BEHIND_COUNT", "6000"),
        ("BEHIND_SIZE", "10000"),
        ("BEHIND_LOSS", "1"),
        ("SPREAD_OPTIONS", "recv_max_bytes=1M"),
    ];
    let said = behind("behind-block", &environment);
    assert!(said.contains("received, in order"), "{said}");
    assert!(said.contains("then -8: the daemon at "), "{said}");
    assert!(said.contains("probably dropped as a slow reader"), "{said}");
}
