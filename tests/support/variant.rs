//! How a C program is watched for memory errors while it runs.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::compile::compiler;
use super::library::scratch;
use super::process::ProgramCommand;

/// The exit code that a memory error gives, whatever the program would have returned.
const ERROR_EXIT: &str = "99";

/// One way to compile and run the C programs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Variant {
    /// As a user would.
    #[default]
    Plain,
    /// Compiled with `-fsanitize=` and these sanitizers (`address,undefined`).
    Sanitized(String),
    /// Run under valgrind.
    Valgrind,
}

impl Variant {
    /// What the environment asks for with `SANITIZE` or `VALGRIND` (not both: they exclude each
    /// other).
    pub(crate) fn from_env() -> Self {
        let sanitize = std::env::var("SANITIZE").unwrap_or_default();
        let valgrind = std::env::var("VALGRIND").is_ok_and(|v| !v.is_empty() && v != "0");
        match (sanitize.as_str(), valgrind) {
            ("", false) => Self::Plain,
            ("", true) => Self::Valgrind,
            (_, false) => Self::Sanitized(sanitize),
            (_, true) => panic!("SANITIZE and VALGRIND exclude each other: set one"),
        }
    }

    /// Whether this machine can do it; looked up once for each variant.
    ///
    /// A variant that the environment asks for should *fail* where it is not available; a test that
    /// merely adds one may skip it, and says so.
    pub(crate) fn is_available(&self) -> bool {
        static KNOWN: OnceLock<Mutex<HashMap<Variant, bool>>> = OnceLock::new();
        let mut known = KNOWN
            .get_or_init(Mutex::default)
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *known.entry(self.clone()).or_insert_with(|| match self {
            Self::Plain => true,
            Self::Sanitized(which) => sanitizer_works(which),
            Self::Valgrind => ProgramCommand::new("valgrind")
                .arg("--version")
                .try_run()
                .is_ok_and(|run| run.success()),
        })
    }

    /// What the compiler needs for it.
    pub(crate) fn compile_flags(&self) -> Vec<String> {
        match self {
            Self::Plain => Vec::new(),
            Self::Valgrind => vec!["-g".into()],
            Self::Sanitized(which) => vec![
                format!("-fsanitize={which}"),
                "-fno-sanitize-recover=all".into(),
                "-fno-omit-frame-pointer".into(),
                "-g".into(),
            ],
        }
    }

    /// What stands before the program on the command line.
    pub(crate) fn launcher(&self) -> Vec<OsString> {
        match self {
            Self::Plain | Self::Sanitized(_) => Vec::new(),
            Self::Valgrind => [
                "valgrind",
                "--quiet",
                "--leak-check=full",
                "--errors-for-leak-kinds=definite",
                "--show-leak-kinds=definite",
            ]
            .iter()
            .map(OsString::from)
            .chain([OsString::from(format!("--error-exitcode={ERROR_EXIT}"))])
            .collect(),
        }
    }

    /// What the environment of the program needs.
    pub(crate) fn environment(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Plain | Self::Valgrind => Vec::new(),
            Self::Sanitized(_) => vec![
                (
                    "ASAN_OPTIONS",
                    format!("exitcode={ERROR_EXIT}:detect_leaks=1"),
                ),
                (
                    "UBSAN_OPTIONS",
                    format!("exitcode={ERROR_EXIT}:print_stacktrace=1"),
                ),
                ("TSAN_OPTIONS", format!("exitcode={ERROR_EXIT}")),
            ],
        }
    }

    /// How much longer than a plain run a program may take.
    pub(crate) const fn slowdown(&self) -> u32 {
        match self {
            Self::Plain => 1,
            Self::Sanitized(_) => 4,
            Self::Valgrind => 20,
        }
    }
}

/// Compiles and runs an empty program: the flag alone says nothing, the sanitizer's run-time
/// library may be missing.
fn sanitizer_works(which: &str) -> bool {
    let dir = scratch(&format!("probe-{}", which.replace(',', "-")));
    let source = dir.join("probe.c");
    let program = dir.join("probe");
    fs::write(&source, "int main(void) { return 0; }\n").expect("a file can be written in target");
    let mut cc = compiler("CC", "cc");
    cc.arg(format!("-fsanitize={which}"))
        .arg("-o")
        .arg(&program)
        .arg(&source);
    cc.try_run().is_ok_and(|run| run.success())
        && ProgramCommand::new(&program)
            .try_run()
            .is_ok_and(|run| run.success())
}
