//! The C programs of `tests/c` for the `FL_` functions, one test each: compiled against our headers, and run.
//!
//! | environment | effect |
//! | --- | --- |
//! | (none) | on our library and an embedded network, the same for all programs |
//! | `SPREAD_DAEMON=/path/to/spread` | also on real daemons, one started for each test, with the same expectations |
//! | `SPREAD_CLASSIC_LIB=/folder` | the same programs also on the classic library of that folder, less what it is known to fail |
//! | `SANITIZE`, `VALGRIND` and others | see [`support`] |

#[path = "../c_programs/places.rs"]
mod places;
#[path = "../support/mod.rs"]
mod support;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use places::{Place, RealDaemon};
use support::{Compile, Executable, Variant, root, scaled, skip};

/// How long a plain run may take. The programs have limits of their own, which tell more when they are over.
const LIMIT: Duration = Duration::from_secs(180);

/// What a program wants to talk to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// A daemon: it is run once for each that there is.
    Daemon,
    /// The scripted daemon that it brings along.
    Nothing,
}

fn run(name: &'static str, wants: Wants) {
    let executable = compile(name);
    let real = variable("SPREAD_DAEMON")
        .filter(|_| wants == Wants::Daemon)
        .map(|file| RealDaemon::start(&file, name));
    if real.is_none() && wants == Wants::Daemon {
        skip("no real daemon, as SPREAD_DAEMON does not name one");
    }
    let classic = variable("SPREAD_CLASSIC_LIB").map(PathBuf::from);
    if classic.is_none() {
        skip("no classic library, as SPREAD_CLASSIC_LIB does not name one");
    }
    for dir in [Some(None), classic.map(Some)].into_iter().flatten() {
        let places = match wants {
            Wants::Nothing => vec![None],
            Wants::Daemon => {
                let real = real.as_ref().map(RealDaemon::place);
                [Some(places::embedded()), real]
                    .into_iter()
                    .flatten()
                    .map(Some)
                    .collect()
            }
        };
        for place in places {
            run_on(name, &executable, dir.as_ref(), place);
        }
    }
}

fn compile(name: &str) -> Executable {
    let mut compile = Compile::new(name)
        .standard("c11")
        .strict()
        .flags([
            "-D_GNU_SOURCE",
            "-O1",
            "-g",
            "-Wshadow",
            "-Wstrict-prototypes",
            "-Wmissing-prototypes",
        ])
        .variant(Variant::from_env())
        .source(root().join("tests/c").join(format!("{name}.c")))
        .libs(["-lpthread", "-lrt"]);
    for folder in ["tests/c/lib", "tests/c/flush"] {
        for source in sources(folder) {
            compile = compile.source(source);
        }
    }
    compile.build().unwrap_or_else(|e| panic!("{e:?}"))
}

/// The C files of a folder.
fn sources(folder: &str) -> Vec<PathBuf> {
    let mut sources: Vec<PathBuf> = fs::read_dir(root().join(folder))
        .expect("the folder is there")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .collect();
    sources.sort();
    sources
}

fn run_on(name: &str, executable: &Executable, classic: Option<&PathBuf>, place: Option<&Place>) {
    let mut command = match classic {
        Some(dir) => executable.command_with_library(Some(dir)),
        None => executable.command(),
    };
    if classic.is_some() {
        command.arg("--classic");
    }
    if let Some(place) = place {
        command.args(place.names());
    }
    let patience =
        scaled(Duration::from_secs(1)).as_secs() * u64::from(Variant::from_env().slowdown());
    command.env("TEST_TIMEOUT_FACTOR", patience.to_string());
    let run = command.limit(LIMIT).run();
    let on = place.map_or("no daemon", Place::what);
    let lib = classic.map_or("our library", |_| "the classic library");
    assert!(run.success(), "{name} on {lib} and {on}:\n{}", run.report());
    assert_eq!(
        run.stdout_text().lines().last(),
        Some(format!("ok {name}").as_str()),
        "{name} on {lib} and {on} did not come to its end"
    );
}

/// A variable of the environment, unless it is empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// One test for each program.
macro_rules! programs {
    ($($name:ident: $wants:ident,)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name), Wants::$wants);
            }
        )*

        /// The programs of the table.
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

programs! {
    fl_connect: Daemon,
    fl_loss: Nothing,
    fl_messages: Daemon,
    fl_room: Daemon,
    fl_threads: Nothing,
    fl_views: Daemon,
    fl_wire: Nothing,
}

#[test]
fn every_program_is_in_the_table() {
    let files: Vec<String> = sources("tests/c")
        .iter()
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        .filter(|name| name.starts_with("fl_"))
        .collect();
    assert_eq!(files, NAMES);
}
