//! The `E_*` event loop as C programs see it: `tests/c/events_*.c`, compiled against our headers, and run.
//!
//! | environment | effect |
//! | --- | --- |
//! | `SPREAD_CLASSIC_LIB=/folder` | the same programs also on the classic library of that folder, less the cases that it is known to fail |
//! | `SANITIZE`, `VALGRIND` and others | see [`support`] |

mod support;

use std::path::Path;
use std::time::Duration;

use support::{Compile, Executable, Variant, root, scaled, skip};

/// How long a plain run may take. The cases have limits of their own, which tell more when they are over.
const LIMIT: Duration = Duration::from_secs(300);

/// Valgrind runs one thread at a time, takes signals its own way and needs descriptors of its own: these programs play with
/// exactly that.
const NOT_UNDER_VALGRIND: &[&str] = &[
    "events_defects",
    "events_fork",
    "events_signals",
    "events_threads",
    "events_unwind",
];

fn compile(name: &str) -> Executable {
    Compile::new(name)
        .source(root().join("tests/c").join(format!("{name}.c")))
        .standard("c11")
        .strict()
        .flags(["-D_GNU_SOURCE", "-O1", "-g", "-pthread"])
        .flags(["-Wshadow", "-Wstrict-prototypes"])
        .variant(Variant::from_env())
        .build()
        .unwrap_or_else(|error| panic!("{error:?}"))
}

fn run_on(executable: &Executable, classic: Option<&Path>) {
    let mut command = match classic {
        Some(_) => executable.command_with_library(classic),
        None => executable.command(),
    };
    if classic.is_some() {
        command.arg("--classic");
    }
    let patience =
        scaled(Duration::from_secs(1)).as_secs() * u64::from(Variant::from_env().slowdown());
    command.env("TEST_TIMEOUT_FACTOR", patience.to_string());
    let run = command.limit(LIMIT).run();
    let on = classic.map_or("our library", |_| "the classic library");
    assert!(run.success(), "on {on}:\n{}", run.report());
}

fn run(name: &str) {
    if Variant::from_env() == Variant::Valgrind && NOT_UNDER_VALGRIND.contains(&name) {
        skip(format!("{name}: not for valgrind"));
        return;
    }
    let executable = compile(name);
    run_on(&executable, None);
    match std::env::var_os("SPREAD_CLASSIC_LIB").filter(|folder| !folder.is_empty()) {
        Some(folder) => run_on(&executable, Some(Path::new(&folder))),
        None => skip("no classic library, as SPREAD_CLASSIC_LIB does not name one"),
    }
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

programs! {
    events_defects
    events_fds
    events_fork
    events_order
    events_signals
    events_threads
    events_time
    events_timers
    events_unwind
}

#[test]
fn every_program_is_in_the_table() {
    let mut found: Vec<String> = std::fs::read_dir(root().join("tests/c"))
        .expect("the folder of the programs is there")
        .filter_map(|entry| {
            entry
                .expect("a folder can be listed")
                .file_name()
                .into_string()
                .ok()
        })
        .filter_map(|name| name.strip_suffix(".c").map(str::to_owned))
        .filter(|name| name.starts_with("events_"))
        .collect();
    found.sort();
    assert_eq!(found, NAMES);
}
