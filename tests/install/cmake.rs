//! Programs built with `CMake`'s `find_package(Spread)`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use crate::installed::{files_below, make, prefix, source};
use crate::support::{Finished, ProgramCommand, scratch, skip};

const LIMIT: Duration = Duration::from_secs(120);

/// Configures the project below `at`, for the Spread that is found in `dir`. `None` if there is no `CMake`.
fn configure(at: &Path, dir: &Path) -> Option<Finished> {
    ProgramCommand::new("cmake")
        .arg("-S")
        .arg(source("cmake"))
        .arg("-B")
        .arg(at)
        .arg(format!("-DCMAKE_PREFIX_PATH={}", dir.display()))
        .limit(LIMIT)
        .try_run()
        .ok()
}

fn build(at: &Path) {
    let built = ProgramCommand::new("cmake")
        .arg("--build")
        .arg(at)
        .limit(LIMIT)
        .run();
    built.assert_success();
}

/// What it complained of, without its line breaks.
fn words(run: &Finished) -> String {
    let text = run.stderr_text();
    let words: Vec<_> = text.split_whitespace().collect();
    words.join(" ")
}

#[test]
fn cmake_projects_build_and_run() {
    let at = scratch("cmake");
    let Some(configured) = configure(&at, prefix().dir()) else {
        return skip("there is no cmake");
    };
    configured.assert_success();
    let found = fs::read_to_string(at.join("found.txt")).unwrap();
    let everspread = prefix().dir().join("bin/everspread");
    assert_eq!(
        found,
        format!(
            "5.0.1\n{}\n{}\n",
            env!("CARGO_PKG_VERSION"),
            everspread.display()
        )
    );
    build(&at);

    let net = prefix().network();
    for (program, shared) in [
        ("c_shared", true),
        ("c_static", false),
        ("cxx_shared", true),
        ("cxx_static", false),
    ] {
        let needs = crate::dynamic(&at.join(program), "NEEDED");
        assert_eq!(
            needs.contains(&"libspread.so.3".to_owned()),
            shared,
            "{program}: {needs:?}"
        );
        // CMake puts the library's folder into the program: nothing else is to be set.
        let run = ProgramCommand::new(at.join(program))
            .env_remove("LD_LIBRARY_PATH")
            .arg(net.daemon())
            .run();
        run.assert_success();
        assert!(run.stdout_text().starts_with("hello from #"));
    }
    let run = ProgramCommand::new(at.join("network"))
        .env_remove("LD_LIBRARY_PATH")
        .run();
    run.assert_success();
}

/// An installation that was moved, and one that is reached through a link as `/lib` is on a Debian
/// where it leads to `/usr/lib`.
#[test]
fn cmake_finds_what_was_moved_or_linked() {
    let dir = scratch("cmake-moved");
    make(
        &dir,
        &["install", "PREFIX=/usr", "LIBDIR=/usr/lib/x86_64-linux-gnu"],
        Some(&dir.join("root")),
    );
    let at = dir.join("build");
    let Some(moved) = configure(&at, &dir.join("root/usr")) else {
        return skip("there is no cmake");
    };
    moved.assert_success();
    build(&at);
    let needs = crate::dynamic(&at.join("c_shared"), "RUNPATH");
    let lib = dir.join("root/usr/lib/x86_64-linux-gnu");
    assert!(needs.iter().any(|n| Path::new(n) == lib), "{needs:?}");

    // The folder that the link leads to is nowhere below the place that the files were installed for, so
    // only that place itself helps.
    let prefix = crate::installed::Prefix::install(&dir.join("linked"));
    symlink("prefix/lib", dir.join("linked/lib")).unwrap();
    let at = dir.join("build-linked");
    let linked = configure(&at, &dir.join("linked")).unwrap();
    linked.assert_success();
    build(&at);
    let needs = crate::dynamic(&at.join("c_shared"), "RUNPATH");
    assert!(
        needs.iter().any(|n| Path::new(n) == prefix.lib()),
        "{needs:?}"
    );
}

#[test]
fn cmake_refuses_what_is_newer_or_not_complete() {
    let dir = scratch("cmake-refused");
    let prefix = crate::installed::Prefix::install(&dir);
    let asks = |version: &str| {
        let project = dir.join(format!("project-{version}"));
        fs::create_dir_all(&project).unwrap();
        fs::write(
            project.join("CMakeLists.txt"),
            format!("cmake_minimum_required(VERSION 3.10)\nproject(p C)\nfind_package(Spread {version} REQUIRED)\n"),
        )
        .unwrap();
        ProgramCommand::new("cmake")
            .arg("-S")
            .arg(&project)
            .arg("-B")
            .arg(project.join("build"))
            .arg(format!("-DCMAKE_PREFIX_PATH={}", prefix.dir().display()))
            .limit(LIMIT)
            .try_run()
    };
    let Ok(run) = asks("5.0.1") else {
        return skip("there is no cmake");
    };
    run.assert_success();
    asks("4.4").unwrap().assert_success();
    let newer = asks("5.1").unwrap();
    assert!(!newer.success());
    assert!(newer.stderr_text().contains("5.0.1"), "{}", newer.report());

    let libraries = files_below(&prefix.lib());
    for library in libraries
        .iter()
        .filter(|f| f.to_str().unwrap().contains("libspread.so"))
    {
        fs::remove_file(library).unwrap();
    }
    let broken = asks("5.0").unwrap();
    assert!(!broken.success());
    assert!(
        words(&broken).contains("libspread.so is missing"),
        "{}",
        broken.report()
    );
}
