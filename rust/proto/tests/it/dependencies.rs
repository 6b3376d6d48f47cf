//! The crate depends on nothing that it should not.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
#[expect(clippy::print_stderr, reason = "a skipped test says so")]
fn dependencies_are_the_listed_ones() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let tree = Command::new(cargo)
        .args([
            "tree",
            "--package",
            "spread-proto",
            "--edges",
            "normal",
            "--prefix",
            "none",
            "--offline",
        ])
        .current_dir(root)
        .output();
    let tree = match tree {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("skipped: cargo cannot be started: {error}");
            return;
        }
    };
    assert!(
        tree.status.success(),
        "cargo tree: {}",
        String::from_utf8_lossy(&tree.stderr)
    );
    let stdout = String::from_utf8(tree.stdout).unwrap();
    let found: BTreeSet<&str> = stdout
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let list = fs::read_to_string(root.join("../../tests/fixtures/proto-deps.txt")).unwrap();
    let listed: BTreeSet<&str> = list.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(
        found, listed,
        "a new dependency needs a reason in its commit and a line in tests/fixtures/proto-deps.txt"
    );
}
