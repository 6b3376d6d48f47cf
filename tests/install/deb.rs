//! `make deb`: packages that lintian accepts, and that work in a system of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use crate::hello_for_core;
use crate::installed::{Network, build_dir, files_below, make, source};
use crate::support::{Compile, Finished, Language, Linkage, ProgramCommand, root, scratch, skip};

const LIMIT: Duration = Duration::from_secs(300);

/// All that there are beside that of the Java library, which needs its jar.
const PACKAGES: [&str; 5] = [
    "everspread",
    "libspread-dev",
    "libspread-testd-dev",
    "libspread-testd0",
    "libspread3",
];

fn is_there(tool: &str) -> bool {
    // Whatever it answers.
    ProgramCommand::new(tool).arg("--version").try_run().is_ok()
}

/// The packages, built once; `None` where they cannot be built.
fn packages() -> Option<&'static [PathBuf]> {
    static BUILT: OnceLock<Option<Vec<PathBuf>>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        if !["dpkg-buildpackage", "dh", "fakeroot"]
            .into_iter()
            .all(is_there)
        {
            return None;
        }
        make(
            &scratch("deb-build"),
            &["deb", "JAR=", "TESTING_JAR="],
            None,
        );
        let files = files_below(&build_dir().join("deb"));
        Some(
            files
                .into_iter()
                .filter(|f| f.extension().is_some_and(|e| e == "deb"))
                .collect(),
        )
    });
    built.as_deref()
}

fn field(package: &Path, name: &str) -> String {
    let run = ProgramCommand::new("dpkg-deb")
        .arg("--field")
        .arg(package)
        .arg(name)
        .run();
    run.assert_success();
    run.stdout_text().trim().to_owned()
}

#[test]
fn packages_have_their_names_and_version() {
    let changelog = fs::read_to_string(root().join("packaging/debian/changelog")).unwrap();
    let first = format!("everspread ({}) ", env!("CARGO_PKG_VERSION"));
    assert!(changelog.starts_with(&first), "{changelog}");
    let Some(packages) = packages() else {
        return skip("there is no dpkg-buildpackage or no debhelper");
    };
    let names: Vec<_> = packages.iter().map(|p| field(p, "Package")).collect();
    assert_eq!(names, PACKAGES);
    for package in packages {
        assert_eq!(
            field(package, "Version"),
            env!("CARGO_PKG_VERSION"),
            "packaging/debian/changelog"
        );
    }
}

#[test]
fn lintian_accepts_the_packages() {
    let Some(_) = packages() else {
        return skip("there is no dpkg-buildpackage or no debhelper");
    };
    if !is_there("lintian") {
        return skip("there is no lintian");
    }
    let files = files_below(&build_dir().join("deb"));
    let changes = files
        .iter()
        .find(|f| f.extension().is_some_and(|e| e == "changes"))
        .unwrap();
    let run = ProgramCommand::new("lintian")
        .args(["--fail-on", "error,warning", "--tag-display-limit", "0"])
        .arg(changes)
        .limit(LIMIT)
        .run();
    run.assert_success();
}

/// A folder that is the root of a system with nothing but dpkg's lists.
struct Root(PathBuf);

impl Root {
    fn new() -> Self {
        let root = scratch("deb-root");
        for dir in [
            "etc",
            "var/lib/dpkg/info",
            "var/lib/dpkg/updates",
            "var/lib/dpkg/triggers",
        ] {
            fs::create_dir_all(root.join(dir)).expect("a folder can be made below target");
        }
        fs::write(root.join("var/lib/dpkg/status"), "")
            .expect("a file can be written below target");
        Self(root)
    }

    fn dpkg(&self) -> ProgramCommand {
        let mut dpkg = ProgramCommand::new("dpkg");
        dpkg.arg(format!("--root={}", self.0.display()));
        // There is no libc6 to depend on, and no ldconfig to be triggered in it.
        dpkg.args(["--force-depends", "--no-triggers"]).limit(LIMIT);
        dpkg
    }

    /// The packages below our own, from the system around: those libraries that a program asks for.
    fn copy_system_libraries(&self, program: &Path) {
        let run = ProgramCommand::new("ldd").arg(program).run();
        run.assert_success();
        let told = run.stdout_text();
        for library in told.split_whitespace().filter(|word| word.starts_with('/')) {
            let place = self.0.join(library.trim_start_matches('/'));
            let dir = place.parent().expect("a file lies in a folder");
            fs::create_dir_all(dir).expect("a folder can be made below target");
            fs::copy(library, place).expect("a library can be copied");
        }
    }

    /// Runs a program in the system: it sees no other files.
    fn command(&self, program: &str) -> ProgramCommand {
        let mut chroot = ProgramCommand::new("chroot");
        chroot
            .arg(&self.0)
            .arg(program)
            .env_remove("LD_LIBRARY_PATH");
        chroot
    }

    fn run_copy_of(&self, program: &Path, net: &Network) -> Finished {
        let name = program.file_name().expect("a program has a name");
        fs::copy(program, self.0.join(name)).expect("a program can be copied");
        self.command(&format!("/{}", name.display()))
            .arg(net.daemon())
            .run()
    }
}

#[test]
fn packages_work_in_a_system_of_their_own() {
    let Some(packages) = packages() else {
        return skip("there is no dpkg-buildpackage or no debhelper");
    };
    // SAFETY: plain system call.
    if unsafe { libc::geteuid() } != 0 {
        return skip("only root can install packages into a folder and go there");
    }
    let root = Root::new();
    root.dpkg()
        .arg("--install")
        .args(packages)
        .run()
        .assert_success();
    let everspread = root.0.join("usr/bin/everspread");
    root.copy_system_libraries(&everspread);
    let ldconfig = ProgramCommand::new("/sbin/ldconfig")
        .arg("-r")
        .arg(&root.0)
        .run();
    ldconfig.assert_success();

    let net = Network::start(root.command("/usr/bin/everspread"));
    let configs = files_below(&root.0.join("usr/lib"));
    let pc = configs
        .iter()
        .find(|f| f.ends_with("pkgconfig/spread.pc"))
        .unwrap();
    let words = |args: &[&str]| {
        let run = ProgramCommand::new("pkg-config")
            .env("PKG_CONFIG_LIBDIR", pc.parent().unwrap())
            .env("PKG_CONFIG_SYSROOT_DIR", &root.0)
            .args(args)
            .args(["spread"])
            .try_run()
            .ok()?;
        run.assert_success();
        Some(
            run.stdout_text()
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>(),
        )
    };
    let (Some(shared), Some(fixed)) = (
        words(&["--cflags", "--libs"]),
        words(&["--static", "--cflags", "--libs"]),
    ) else {
        return skip("there is no pkg-config");
    };
    let archive = pc.parent().unwrap().parent().unwrap().join("libspread.a");
    let fixed = fixed.into_iter().map(|word| {
        if word == "-lspread" {
            archive.to_str().unwrap().to_owned()
        } else {
            word
        }
    });
    for (name, libs) in [("deb-shared", shared), ("deb-archive", fixed.collect())] {
        let program = Compile::new(name)
            .language(Language::C)
            .headers_of("/nonexistent")
            .source(source("hello.c"))
            .linkage(Linkage::Nothing)
            .libs(libs)
            .build()
            .unwrap();
        let run = root.run_copy_of(program.path(), &net);
        run.assert_success();
        assert!(run.stdout_text().starts_with("hello from #"));
    }
    for core in ["libspread-core.so.3", "libtspread-core.so.3"] {
        let program = hello_for_core(
            &format!("deb-{core}"),
            core,
            &root.0.join("usr/include"),
            None,
        );
        let run = root.run_copy_of(program.path(), &net);
        run.assert_success();
        assert!(run.stdout_text().starts_with("hello from #"));
    }
    drop(net);

    root.dpkg()
        .arg("--purge")
        .args(PACKAGES)
        .run()
        .assert_success();
    // dpkg removes folders as well.
    for dir in ["usr/bin", "usr/include", "usr/share"] {
        assert!(!root.0.join(dir).exists(), "{dir} is left");
    }
    let left: Vec<_> = files_below(&root.0)
        .into_iter()
        .filter(|file| {
            file.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("libspread")
        })
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
