//! The `E_*` event loop as C programs see it: compiles `tests/c/events_*.c` and runs them with the
//! library of this build.
//!
//! With `SPREAD_CLASSIC_LIB` set to the folder of a classic `libspread.so.3`, the same programs
//! run with that one as well: what they expect of the classic library is checked, too.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The library of this build. For tests cargo leaves it beside the test programs.
fn library() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folders: Vec<&Path> = test.ancestors().skip(1).take(2).collect();
    folders
        .iter()
        .map(|folder| folder.join("libspread.so"))
        .find(|library| library.is_file())
        .unwrap_or_else(|| panic!("no libspread.so in {folders:?}"))
}

fn headers() -> PathBuf {
    let include = root().join("include");
    if include.join("sp.h").is_file() {
        include
    } else {
        root().join("tests/c/interim")
    }
}

fn output(command: &mut Command) -> Output {
    command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

fn check(command: &mut Command) {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}

fn run(name: &str) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let program = folder.path().join(name);
    // Programs ask for the library by its soname.
    let library = library();
    for link in ["libspread.so", "libspread.so.3"] {
        std::os::unix::fs::symlink(&library, folder.path().join(link)).expect("a link");
    }
    let compiler = std::env::var_os("CC").unwrap_or_else(|| OsString::from("cc"));
    check(
        Command::new(compiler)
            .args(["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-pthread"])
            .args(["-Wall", "-Wextra", "-Werror", "-Wno-unused-function"])
            .arg("-I")
            .arg(headers())
            .arg(root().join("tests/c").join(name).with_extension("c"))
            .arg("-o")
            .arg(&program)
            .arg("-L")
            .arg(folder.path())
            .arg("-lspread"),
    );
    check(Command::new(&program).env("LD_LIBRARY_PATH", folder.path()));
    if let Some(classic) = std::env::var_os("SPREAD_CLASSIC_LIB") {
        check(
            Command::new(&program)
                .arg("--classic")
                .env("LD_LIBRARY_PATH", classic),
        );
    }
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(#[test] fn $name() { run(stringify!($name)); })*

        /// A program that is in the folder and not in the list would never run.
        #[test]
        fn the_list_is_complete() {
            let mut found: Vec<String> = std::fs::read_dir(root().join("tests/c"))
                .expect("the folder of the programs")
                .filter_map(|entry| entry.expect("an entry").file_name().into_string().ok())
                .filter_map(|name| name.strip_suffix(".c").map(str::to_owned))
                .filter(|name| name.starts_with("events_"))
                .collect();
            found.sort();
            let mut listed = vec![$(stringify!($name)),*];
            listed.sort_unstable();
            assert_eq!(found, listed);
        }
    };
}

programs! {
    events_time
    events_timers
    events_fds
    events_order
    events_defects
    events_signals
    events_unwind
    events_fork
    events_threads
}
