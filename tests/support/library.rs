//! Where the library under test is, and making sure that it is the one of the present sources.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The names under which programs load the library (`NEEDED` of what was linked with the classic
/// ones), and the name for `-l`.
const LINK_NAMES: [&str; 4] = [
    "libspread.so",
    "libspread.so.3",
    "libspread-core.so.3",
    "libtspread-core.so.3",
];

/// The C library that the tests link and load.
#[derive(Debug)]
pub(crate) struct Library {
    /// The shared object itself.
    pub(crate) shared: PathBuf,
    /// The archive for static linking.
    pub(crate) archive: PathBuf,
    /// A folder with links under every name that a program may ask for: for `-L` and
    /// `LD_LIBRARY_PATH`.
    pub(crate) dir: PathBuf,
}

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder of the public headers.
pub(crate) fn include_dir() -> PathBuf {
    root().join("include")
}

/// A new empty folder for the files of one test, below `target`, so that a failure can be looked at
/// afterwards.
///
/// `name` must be unique within the test binary; what an earlier run left there is removed.
pub(crate) fn scratch(name: &str) -> PathBuf {
    let binary = std::env::current_exe().expect("the test binary has a path");
    let binary = binary.file_name().expect("the test binary has a name");
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join(binary)
        .join(name);
    match fs::remove_dir_all(&dir) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => panic!("cannot empty {}: {e}", dir.display()),
    }
    fs::create_dir_all(&dir).expect("a folder can be made below target");
    dir
}

/// The library, built from the present sources in the profile of the running test.
///
/// `cargo test` of a single test file does not build a `cdylib`, so this asks cargo for it, once
/// for each process. With nothing to do that takes a fraction of a second; a stale library is never
/// tested.
pub(crate) fn library() -> &'static Library {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let (shared, archive) = build();
        let dir = shared
            .parent()
            .expect("an artifact lies in a folder")
            .join("c-test-lib");
        fs::create_dir_all(&dir).expect("a folder can be made beside the library");
        for name in LINK_NAMES {
            link(&shared, &dir.join(name));
        }
        Library {
            shared,
            archive,
            dir,
        }
    })
}

/// Puts a link in place in one step, as several test processes may do so at a time.
fn link(target: &Path, at: &Path) {
    if fs::read_link(at).is_ok_and(|old| old == target) {
        return;
    }
    let fresh = at.with_extension(format!("new-{}", std::process::id()));
    symlink(target, &fresh).expect("a link can be made below target");
    fs::rename(&fresh, at).expect("a link can be renamed below target");
}

/// Builds the library with cargo and says where its two forms are.
fn build() -> (PathBuf, PathBuf) {
    let place = Place::of_this_test();
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .current_dir(root())
        .args(["build", "--quiet", "--package", "spread-c", "--lib"])
        .arg("--message-format=json-render-diagnostics")
        .arg("--target-dir")
        .arg(&place.target_dir)
        .args(["--profile", &place.profile])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if let Some(triple) = &place.triple {
        cargo.args(["--target", triple]);
    }
    let out = cargo.output().expect("cargo can be started");
    assert!(
        out.status.success(),
        "building the library failed: {}",
        out.status
    );

    let messages = String::from_utf8(out.stdout).expect("cargo writes UTF-8");
    let files: Vec<PathBuf> = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|m| m["reason"] == "compiler-artifact" && m["target"]["name"] == "spread")
        .flat_map(|m| m["filenames"].as_array().cloned().unwrap_or_default())
        .filter_map(|f| f.as_str().map(PathBuf::from))
        .collect();
    let with_extension = |wanted: &str| {
        files
            .iter()
            .find(|f| f.extension() == Some(OsStr::new(wanted)))
            .unwrap_or_else(|| panic!("cargo names no .{wanted} among {files:?}"))
            .clone()
    };
    (with_extension("so"), with_extension("a"))
}

/// Where cargo has put the running test: `<target dir>[/<triple>]/<profile folder>/deps/<test>`.
struct Place {
    target_dir: PathBuf,
    triple: Option<String>,
    profile: String,
}

impl Place {
    fn of_this_test() -> Self {
        let exe = std::env::current_exe().expect("the test binary has a path");
        let profile_dir = exe
            .parent()
            .and_then(Path::parent)
            .expect("a test binary lies in <profile>/deps");
        // CARGO_TARGET_TMPDIR is always <target dir>/tmp, so whatever lies between is the target
        // triple.
        let target_dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .parent()
            .expect("the folder for temporary files lies in the target folder");
        let inner = profile_dir
            .strip_prefix(target_dir)
            .expect("a test binary lies in the target folder");
        let parts: Vec<&str> = inner.iter().filter_map(OsStr::to_str).collect();
        let (triple, folder) = match parts[..] {
            [folder] => (None, folder),
            [triple, folder] => (Some(triple.to_owned()), folder),
            _ => panic!("unexpected place of a test binary: {}", exe.display()),
        };
        Self {
            target_dir: target_dir.to_owned(),
            triple,
            // The folder of the profiles `dev` and `test` is called `debug`; every other profile
            // names its folder.
            profile: if folder == "debug" { "dev" } else { folder }.to_owned(),
        }
    }
}
