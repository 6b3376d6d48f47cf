//! The `SPX_` functions, options and the log, as C programs see them: `tests/ext_c/c`, compiled against our headers, and run on
//! an embedded network and, where `SPREAD_DAEMON` names one, on real daemons.

mod behind;
mod log;
#[path = "../c_programs/places.rs"]
mod places;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use places::{Place, RealDaemon};
use support::{Compile, Executable, Linkage, ProgramCommand, Variant, root, scaled};

/// How long a plain run may take. The programs have limits of their own, which tell more when they are over.
const LIMIT: Duration = Duration::from_secs(180);

fn flags(compile: Compile) -> Compile {
    compile
        .standard("c11")
        .strict()
        .flags([
            "-D_GNU_SOURCE",
            "-O1",
            "-g",
            "-Wshadow",
            "-Wstrict-prototypes",
        ])
        .flags([
            "-I",
            root().join("tests/c").to_str().expect("a path in UTF-8"),
        ])
        .variant(Variant::from_env())
}

/// What all programs share, compiled once.
fn common_code() -> PathBuf {
    static OBJECT: OnceLock<PathBuf> = OnceLock::new();
    OBJECT
        .get_or_init(|| {
            let folder = root().join("tests/c/lib");
            let mut sources: Vec<PathBuf> = fs::read_dir(&folder)
                .expect("the folder of the common code is there")
                .map(|entry| entry.expect("a folder can be listed").path())
                .filter(|path| path.extension().is_some_and(|e| e == "c"))
                .collect();
            sources.sort();
            let compile = flags(Compile::new("ext-common.o"))
                .flags(["-r"])
                .linkage(Linkage::Nothing);
            sources
                .into_iter()
                .fold(compile, Compile::source)
                .build()
                .unwrap_or_else(|e| panic!("{e:?}"))
                .path()
                .to_owned()
        })
        .clone()
}

/// Compiles a program of this folder.
pub(crate) fn compile(name: &str) -> Executable {
    compile_with(name, name, &[])
}

/// The same, as another file and with more flags.
pub(crate) fn compile_with(name: &str, file: &str, more: &[&str]) -> Executable {
    flags(Compile::new(file))
        .flags(more)
        .source(root().join("tests/ext_c/c").join(format!("{name}.c")))
        .source(common_code())
        .libs(["-lpthread", "-lrt"])
        .build()
        .unwrap_or_else(|e| panic!("{e:?}"))
}

/// A run of a program on a place, before it is started: with the usual limits.
pub(crate) fn command(executable: &Executable, place: &Place) -> ProgramCommand {
    let mut command = executable.command();
    command.args(place.names());
    let patience =
        scaled(Duration::from_secs(1)).as_secs() * u64::from(Variant::from_env().slowdown());
    command.env("TEST_TIMEOUT_FACTOR", patience.to_string());
    command.limit(LIMIT);
    for variable in [
        "SPREAD_OPTIONS",
        "SPREAD_CLIENT_CONF",
        "SPREAD_LOG",
        "SPREAD_LOG_FILE",
    ] {
        command.env_remove(variable);
    }
    command
}

/// Runs a program on each place there is; it must come to its end.
fn run(name: &str) {
    let executable = compile(name);
    let real = std::env::var_os("SPREAD_DAEMON")
        .filter(|file| !file.is_empty())
        .map(|file| RealDaemon::start(&file, name));
    let places = [
        Some(places::embedded()),
        real.as_ref().map(RealDaemon::place),
    ];
    for place in places.into_iter().flatten() {
        let run = command(&executable, place).run();
        assert!(
            run.success(),
            "{name} on {}:\n{}",
            place.what(),
            run.report()
        );
        let last = format!("ok {name}");
        assert_eq!(run.stdout_text().lines().last(), Some(last.as_str()));
    }
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

programs! {
    batch
    options
    owned
    window
}

/// Programs that are run by tests of their own.
const DRIVEN: &[&str] = &["behind", "says", "stays"];

#[test]
fn every_program_is_run() {
    let mut found: Vec<String> = fs::read_dir(root().join("tests/ext_c/c"))
        .expect("the folder of the programs is there")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".c").map(str::to_owned))
        .collect();
    found.sort();
    let mut known: Vec<&str> = NAMES.iter().chain(DRIVEN).copied().collect();
    known.sort_unstable();
    assert_eq!(found, known);
}
