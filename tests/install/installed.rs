//! Installing into folders of the tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crate::support::{Finished, ProgramCommand, Running, root, scratch};

/// The first of them builds the release library.
const MAKE_LIMIT: Duration = Duration::from_secs(900);

/// A source file of these tests.
pub(crate) fn source(name: &str) -> PathBuf {
    root().join("tests/install").join(name)
}

/// Runs `make` in the repository, with these targets and variables. What it builds lies in a folder that
/// all tests share; `at` is for its other files.
pub(crate) fn try_make(at: &Path, words: &[&str], destdir: Option<&Path>) -> Finished {
    // One at a time: the first one builds.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut make = ProgramCommand::new("make");
    make.current_dir(root())
        .arg("--no-print-directory")
        .arg(format!("BUILD={}", build_dir().display()))
        .args(words)
        .env("CARGO_TARGET_DIR", target_dir())
        .env("TMPDIR", at)
        // What the make around us was told is not meant for this one.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS")
        .env_remove("MAKELEVEL")
        .limit(MAKE_LIMIT);
    if let Some(dir) = destdir {
        make.arg(format!("DESTDIR={}", dir.display()));
    }
    make.run()
}

/// The same, and it must succeed.
#[track_caller]
pub(crate) fn make(at: &Path, words: &[&str], destdir: Option<&Path>) {
    try_make(at, words, destdir).assert_success();
}

fn target_dir() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
        .parent()
        .expect("the folder for temporary files lies in the target folder")
}

/// Not removed by later runs: `make` knows what of it is too old.
pub(crate) fn build_dir() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("install-build")
}

/// All files and links below a folder, sorted.
pub(crate) fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("the folder is there") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.is_symlink() {
            files.append(&mut files_below(&path));
        } else {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A place where everything is installed.
#[derive(Debug)]
pub(crate) struct Prefix(PathBuf);

/// The one that most tests use.
pub(crate) fn prefix() -> &'static Prefix {
    static PREFIX: OnceLock<Prefix> = OnceLock::new();
    PREFIX.get_or_init(|| Prefix::install(&scratch("shared")))
}

impl Prefix {
    /// Installs below a folder.
    pub(crate) fn install(at: &Path) -> Self {
        let dir = at.join("prefix");
        make(at, &["install", &format!("PREFIX={}", dir.display())], None);
        Self(dir)
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.0
    }

    pub(crate) fn lib(&self) -> PathBuf {
        self.0.join("lib")
    }

    pub(crate) fn include(&self) -> PathBuf {
        self.0.join("include")
    }

    /// The embedded network, run by the command that was installed.
    pub(crate) fn network(&self) -> Network {
        Network::start(ProgramCommand::new(self.0.join("bin/everspread")))
    }
}

/// An embedded network of one daemon, at a free port. Ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Network {
    daemon: String,
    _running: Running,
}

impl Network {
    /// Starts it with this `everspread`.
    pub(crate) fn start(mut everspread: ProgramCommand) -> Self {
        let running = everspread
            .args(["testd", "--port", "0", "--no-unix"])
            .limit(Duration::from_secs(600))
            .spawn();
        running.wait_for_line(|line| line == "ready");
        let first = running.wait_for_line(|line| line.starts_with("d1 "));
        Self {
            daemon: first
                .split(' ')
                .nth(1)
                .expect("a name and where it listens")
                .to_owned(),
            _running: running,
        }
    }

    /// What programs connect to.
    pub(crate) fn daemon(&self) -> &str {
        &self.daemon
    }
}
