//! What `libspread.so` shows to the dynamic linker: exactly the classic names and `SPX_`, the classic
//! soname, and little need of others.

mod support;

use std::collections::BTreeSet;

use support::{ProgramCommand, library};

/// The public functions of the classic library, the two undeclared ones that it exports beside them,
/// and what is added (`SPX_`).
const EXPORTS: &str = include_str!("fixtures/exports.txt");

/// What the library may ask the system for. The loader is there for thread-local storage, libgcc
/// for panics that unwind.
const MAY_NEED: [&str; 3] = ["libc.so.", "libgcc_s.so.", "ld-linux"];

fn output(tool: &str, args: &[&str]) -> String {
    let run = ProgramCommand::new(tool)
        .args(args)
        .arg(&library().shared)
        .env("LC_ALL", "C")
        .run();
    run.assert_success();
    run.stdout_text()
}

#[test]
fn exported_symbols_are_exactly_the_listed_ones() {
    let symbols = output("nm", &["-D", "--defined-only", "--format=posix"]);
    let mut exported = BTreeSet::new();
    for line in symbols.lines() {
        let mut words = line.split_whitespace();
        let (name, kind) = (words.next().unwrap(), words.next().unwrap());
        assert_eq!(kind, "T", "{name} is no function");
        exported.insert(name);
    }
    let listed: BTreeSet<&str> = EXPORTS.lines().collect();
    let classic = listed.iter().filter(|name| !name.starts_with("SPX_"));
    assert_eq!(
        classic.count(),
        69,
        "25 SP_, 21 E_, 21 FL_ and the two queries"
    );
    let missing: Vec<_> = listed.difference(&exported).collect();
    let surplus: Vec<_> = exported.difference(&listed).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "missing: {missing:?}\nnot in the list: {surplus:?}"
    );
}

/// The values of a tag of the dynamic section, in brackets or behind a colon.
fn dynamic(tag: &str) -> Vec<String> {
    output("readelf", &["-d", "-W"])
        .lines()
        .filter(|line| line.contains(&format!("({tag})")))
        .map(|line| {
            let value = line.split_once(')').map_or("", |(_, rest)| rest.trim());
            match value.split_once('[') {
                Some((_, name)) => name.trim_end_matches(']').to_owned(),
                None => value.to_owned(),
            }
        })
        .collect()
}

#[test]
fn soname_is_the_classic_one() {
    assert_eq!(dynamic("SONAME"), ["libspread.so.3"]);
}

#[test]
fn library_stays_loaded_as_it_owns_a_thread() {
    let flags = dynamic("FLAGS_1");
    assert!(
        flags.iter().any(|f| f.split(' ').any(|f| f == "NODELETE")),
        "{flags:?}"
    );
}

#[test]
fn little_else_is_needed() {
    let needed = dynamic("NEEDED");
    assert!(
        needed.iter().any(|n| n.starts_with("libc.so.")),
        "{needed:?}"
    );
    let surplus: Vec<_> = needed
        .iter()
        .filter(|n| !MAY_NEED.iter().any(|may| n.starts_with(may)))
        .collect();
    assert!(surplus.is_empty(), "also needed: {surplus:?}");
    assert_eq!(dynamic("TEXTREL"), [""; 0]);
    assert_eq!(dynamic("RPATH"), [""; 0]);
    assert_eq!(dynamic("RUNPATH"), [""; 0]);
}

#[test]
fn symbols_carry_no_version() {
    let symbols = output("readelf", &["--dyn-syms", "-W"]);
    let ours: Vec<_> = symbols
        .lines()
        .filter_map(|line| line.split_whitespace().last())
        .filter(|name| name.starts_with("SP_"))
        .collect();
    assert!(!ours.is_empty());
    assert!(ours.iter().all(|name| !name.contains('@')), "{ours:?}");
}
