//! C programs against the header and the library.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::header::include_dir;

fn compiler(cxx: bool) -> Command {
    let (variable, default) = if cxx { ("CXX", "c++") } else { ("CC", "cc") };
    Command::new(std::env::var_os(variable).unwrap_or_else(|| default.into()))
}

/// The library of the present sources: `cargo test` of one test file does not build it.
fn library() -> &'static Path {
    static LIBRARY: OnceLock<PathBuf> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        // <target dir>/<profile>/deps/<test>
        let test = std::env::current_exe().unwrap();
        let profile_dir = test.ancestors().nth(2).unwrap();
        let profile = match profile_dir.file_name().and_then(|name| name.to_str()) {
            Some("debug") => "dev",
            Some(profile) => profile,
            None => panic!("a test without a profile: {}", test.display()),
        };
        run(Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--lib", "--profile", profile])
            .args([
                "--manifest-path",
                concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            ])
            .arg("--target-dir")
            .arg(profile_dir.parent().unwrap()));
        profile_dir.join("libspread_testd.so")
    })
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn the_header_is_accepted_in_every_dialect() {
    let dir = tempfile::tempdir().unwrap();
    let source = dir.path().join("twice.c");
    std::fs::write(
        &source,
        "#include <sp_testnet.h>\n#include <sp_testnet.h>\n",
    )
    .unwrap();
    let dialects = ["c89", "c99", "c11", "c++98", "c++17"];
    for dialect in dialects {
        let cxx = dialect.starts_with("c++");
        run(compiler(cxx)
            .arg(format!("-std={dialect}"))
            .args(["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"])
            .args(["-x", if cxx { "c++" } else { "c" }])
            .arg("-I")
            .arg(include_dir())
            .arg(&source));
    }
}

/// What `SANITIZE=address,undefined` and `VALGRIND=1` ask for, as in the tests of the C library.
struct Watch {
    flags: Vec<String>,
    launcher: Vec<&'static str>,
}

impl Watch {
    fn from_env() -> Self {
        let sanitize = std::env::var("SANITIZE").unwrap_or_default();
        let valgrind = std::env::var("VALGRIND").is_ok_and(|v| !v.is_empty() && v != "0");
        Self {
            flags: if sanitize.is_empty() {
                Vec::new()
            } else {
                vec![
                    format!("-fsanitize={sanitize}"),
                    "-fno-sanitize-recover=all".into(),
                    "-g".into(),
                ]
            },
            launcher: if valgrind {
                vec![
                    "valgrind",
                    "--quiet",
                    "--leak-check=full",
                    "--errors-for-leak-kinds=definite",
                    "--error-exitcode=99",
                ]
            } else {
                Vec::new()
            },
        }
    }

    fn command(&self, program: &Path) -> Command {
        match self.launcher.split_first() {
            None => Command::new(program),
            Some((watcher, options)) => {
                let mut command = Command::new(watcher);
                command.args(options).arg(program);
                command
            }
        }
    }
}

#[test]
fn a_c_program_controls_a_network() {
    let watch = Watch::from_env();
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("network");
    // The name under which the program asks for it.
    let soname = dir.path().join("libspread_testd.so.0");
    std::os::unix::fs::symlink(library(), &soname).unwrap();
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c/network.c");
    run(compiler(false)
        .args([
            "-std=c89",
            "-D_DEFAULT_SOURCE",
            "-Wall",
            "-Wextra",
            "-pedantic",
            "-Werror",
        ])
        .args(&watch.flags)
        .arg("-I")
        .arg(include_dir())
        .arg(source)
        .arg(library())
        .arg("-o")
        .arg(&program));
    run(watch.command(&program).env("LD_LIBRARY_PATH", dir.path()));
}

/// Everything that the library exports is in the header.
#[test]
fn nothing_but_the_header_s_functions_is_exported() {
    let output = Command::new("nm")
        .args(["-D", "--defined-only"])
        .arg(library())
        .output()
        .unwrap();
    let symbols = String::from_utf8(output.stdout).unwrap();
    let header = std::fs::read_to_string(include_dir().join("sp_testnet.h")).unwrap();
    let mut count = 0;
    for line in symbols.lines() {
        let name = line.split(' ').next_back().unwrap();
        assert!(name.starts_with("SPT_"), "{name} is exported");
        assert!(
            header.contains(&format!("{name}(")),
            "{name} is not in the header"
        );
        count += 1;
    }
    assert!(count > 10, "{symbols}");
}
