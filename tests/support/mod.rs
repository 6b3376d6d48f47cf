//! What the C tests share: build the library, compile C programs against it, run them with a time
//! limit.
//!
//! A test file says `mod support;` and goes from left to right:
//!
//! ```ignore
//! let program = Compile::new("hello")
//!     .source(root().join("tests/c/hello.c"))
//!     .variant(Variant::from_env())
//!     .build()
//!     .unwrap();
//! let run = program.command().arg("4803").run();
//! run.assert_success();
//! ```
//!
//! | environment | effect |
//! | --- | --- |
//! | `CC`, `CXX` | the compilers (default `cc`, `c++`); may hold options (`ccache gcc`) |
//! | `SANITIZE=address,undefined` | [`Variant::from_env`] compiles programs with `-fsanitize=` |
//! | `VALGRIND=1` | [`Variant::from_env`] runs programs under valgrind, errors and leaks are failures |
//! | `TEST_TIMEOUT_FACTOR=4` | multiplies every time limit, for slow machines |
//!
//! Programs find the library through `LD_LIBRARY_PATH` alone, as a dropped-in one would be found.
#![allow(
    dead_code,
    unused_imports,
    reason = "every test binary compiles this module and uses a part of it"
)]

mod compile;
mod library;
mod process;
mod variant;

use std::fmt;
use std::io::Write as _;

pub(crate) use compile::{Compile, CompileError, Executable, Language, Linkage};
pub(crate) use library::{Library, include_dir, library, root, scratch};
pub(crate) use process::{Finished, ProgramCommand, Running, scaled};
pub(crate) use variant::Variant;

/// Says that a test leaves something out, and why, past the capturing of test output: a skip must
/// be seen.
pub(crate) fn skip(why: impl fmt::Display) {
    let test = std::thread::current();
    // Nothing can be done about a closed standard error, and the test is right without it.
    let _ = writeln!(
        std::io::stderr(),
        "skipped in {}: {why}",
        test.name().unwrap_or("a test")
    );
}

/// Whether the thread with this number (the kernel's) of this process sleeps, as in a call that waits.
pub(crate) fn is_asleep(thread: i32) -> bool {
    std::fs::read_to_string(format!("/proc/self/task/{thread}/stat"))
        .is_ok_and(|stat| stat.contains(") S "))
}
