//! The named differences: those in the C files, in `rules.txt` and in `docs/COMPATIBILITY.md` must be the same.

use std::collections::BTreeSet;
use std::fs;

use super::program::sources;
use super::support::root;

/// Names in calls of `rule("...")`.
fn used() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for source in sources() {
        let text = fs::read_to_string(&source).expect("the sources are UTF-8");
        for rest in text.split("rule(\"").skip(1) {
            let (name, _) = rest.split_once('"').expect("the literal ends");
            names.insert(name.to_owned());
        }
    }
    names
}

/// The names of `rules.txt`, each with its effect and its text.
fn listed() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("tests/differential/rules.txt"))
        .expect("rules.txt is part of the repository");
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split(" | ").collect();
        assert_eq!(fields.len(), 3, "not `name | effect | what`: {line}");
        assert!(
            ["avoided", "masked"].contains(&fields[1]),
            "unknown effect: {line}"
        );
        assert!(!fields[2].is_empty(), "no explanation: {line}");
        assert!(names.insert(fields[0].to_owned()), "listed twice: {line}");
    }
    names
}

pub(crate) fn check() {
    let (used, listed) = (used(), listed());
    assert!(!used.is_empty(), "no rule was found in the C files");
    let unlisted: Vec<_> = used.difference(&listed).collect();
    assert!(unlisted.is_empty(), "not in rules.txt: {unlisted:?}");
    let unused: Vec<_> = listed.difference(&used).collect();
    assert!(
        unused.is_empty(),
        "in rules.txt, but in no C file: {unused:?}"
    );
    let document = fs::read_to_string(root().join("docs/COMPATIBILITY.md"))
        .expect("COMPATIBILITY.md is part of the repository");
    let unexplained: Vec<_> = listed
        .iter()
        .filter(|name| !document.contains(&format!("<a id=\"{name}\"></a>`{name}`")))
        .collect();
    assert!(
        unexplained.is_empty(),
        "no row in docs/COMPATIBILITY.md: {unexplained:?}"
    );
}
