//! `make install`: everything is there, compilers find it by pkg-config and by `CMake`, what they make
//! runs, and `make uninstall` leaves nothing.

mod cmake;
mod deb;
mod installed;
mod man;
mod pkg_config;
#[path = "../c_programs/places.rs"]
#[expect(dead_code, reason = "only the real daemon is of use here")]
mod places;
mod samples;
#[path = "../support/mod.rs"]
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use installed::{Prefix, files_below, make, prefix};
use support::{Compile, Executable, Linkage, ProgramCommand, scratch, skip};

/// The names inside of the libraries, under which programs ask for them.
const SONAMES: [&str; 4] = [
    "libspread-core.so.3",
    "libspread.so.3",
    "libspread_testd.so.0",
    "libtspread-core.so.3",
];

/// What `readelf -d` says of one tag, without the brackets.
fn dynamic(file: &Path, tag: &str) -> Vec<String> {
    let run = ProgramCommand::new("readelf")
        .args(["-d", "-W"])
        .arg(file)
        .env("LC_ALL", "C")
        .run();
    run.assert_success();
    run.stdout_text()
        .lines()
        .filter(|line| line.contains(&format!("({tag})")))
        .filter_map(|line| {
            let value = line.split_once('[')?.1;
            Some(value.trim_end_matches(']').to_owned())
        })
        .collect()
}

#[test]
fn every_name_that_programs_ask_for_is_there() {
    let prefix = prefix();
    for soname in SONAMES {
        let file = prefix.lib().join(soname);
        let real = fs::read_link(&file).unwrap_or_else(|e| panic!("{soname}: {e}"));
        let real = real.to_str().unwrap();
        let numbers = real.strip_prefix(&format!("{soname}."));
        let numbers = numbers.unwrap_or_else(|| panic!("{soname} leads to {real}"));
        assert_eq!(numbers.split('.').count(), 2, "{real}");
        assert!(
            numbers.split('.').all(|n| n.parse::<u32>().is_ok()),
            "{real}"
        );
        assert_eq!(dynamic(&file, "SONAME"), [soname]);
        assert!(!prefix.lib().join(real).is_symlink(), "{real} is a link");
    }
    for (name, target) in [
        ("libspread.so", "libspread.so.3."),
        ("libspread-core.so", "libspread.so.3."),
        ("libtspread-core.so", "libspread.so.3."),
        ("libspread_testd.so", "libspread_testd.so.0."),
        ("libspread-core.a", "libspread.a"),
        ("libtspread-core.a", "libspread.a"),
    ] {
        let leads_to = fs::read_link(prefix.lib().join(name)).unwrap();
        assert!(leads_to.to_str().unwrap().starts_with(target), "{name}");
    }
}

#[test]
fn installed_files_can_be_read_and_only_programs_and_libraries_be_run() {
    for path in files_below(prefix().dir()) {
        if path.is_symlink() {
            assert!(path.exists(), "{} leads nowhere", path.display());
            assert!(
                fs::read_link(&path).unwrap().is_relative(),
                "{}",
                path.display()
            );
            continue;
        }
        let runs = path.starts_with(prefix().dir().join("bin")) || {
            let name = path.file_name().unwrap().to_str().unwrap();
            name.contains(".so.")
        };
        let mode = path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode, if runs { 0o755 } else { 0o644 }, "{}", path.display());
    }
}

/// What a distribution ships: programs map all of it.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn the_library_takes_no_more_than_a_mebibyte() {
    let at = scratch("size");
    let stripped = at.join("stripped.so");
    let Ok(run) = ProgramCommand::new("strip")
        .arg("-o")
        .arg(&stripped)
        .arg(prefix().lib().join("libspread.so.3"))
        .try_run()
    else {
        return skip("there is no strip");
    };
    run.assert_success();
    let size = fs::metadata(&stripped).unwrap().len();
    assert!(size <= 1 << 20, "libspread.so.3, stripped: {size} bytes");
}

#[test]
fn every_public_header_is_installed() {
    for header in fs::read_dir(support::include_dir()).unwrap() {
        let header = header.unwrap();
        let installed = fs::read(prefix().include().join(header.file_name())).unwrap();
        assert_eq!(installed, fs::read(header.path()).unwrap());
    }
}

/// `ldconfig` makes the links by the names inside of the libraries, and so it must come to the same
/// ones.
#[test]
fn ldconfig_leaves_the_links_as_they_are() {
    let prefix = Prefix::install(&scratch("ldconfig"));
    let before = links(&prefix.lib());
    let Ok(run) = ProgramCommand::new("/sbin/ldconfig")
        .args(["-v", "-n"])
        .arg(prefix.lib())
        .try_run()
    else {
        return skip("there is no ldconfig");
    };
    run.assert_success();
    assert_eq!(links(&prefix.lib()), before);
    let told = run.stdout_text();
    for soname in SONAMES {
        assert!(
            told.contains(&format!("\t{soname} -> ")),
            "{soname}: {told}"
        );
    }
}

fn links(dir: &Path) -> Vec<(String, String)> {
    let mut links: Vec<_> = fs::read_dir(dir)
        .expect("the folder is there")
        .map(Result::unwrap)
        .filter_map(|e| {
            let target = fs::read_link(e.path()).ok()?;
            Some((
                e.file_name().into_string().expect("our names are UTF-8"),
                target.to_str()?.to_owned(),
            ))
        })
        .collect();
    links.sort();
    links
}

/// As a program would that was linked with the classic core libraries: with no `LD_LIBRARY_PATH`, only a
/// search path of its own.
#[test]
fn programs_of_the_classic_core_libraries_run() {
    let net = prefix().network();
    for core in ["libspread-core.so.3", "libtspread-core.so.3"] {
        let lib = prefix().lib();
        let program = hello_for_core(core, core, &prefix().include(), Some(&lib));
        let run = program.command().arg(net.daemon()).run();
        run.assert_success();
        assert!(run.stdout_text().starts_with("hello from #"));
    }
}

/// The hello program as it would be if it had been linked with a classic core library.
fn hello_for_core(name: &str, core: &str, include: &Path, search: Option<&Path>) -> Executable {
    // An imitation with the classic name inside, to be linked with and never loaded.
    let dir = scratch(&format!("imitation-{name}"));
    let imitation = dir.join("imitation.c");
    let functions = [
        "SP_connect",
        "SP_disconnect",
        "SP_error",
        "SP_multicast",
        "SP_receive",
    ];
    let text: String = functions.map(|f| format!("void {f}(void) {{}}\n")).concat();
    fs::write(&imitation, text).expect("a file can be written below target");
    let built = ProgramCommand::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(dir.join(core))
        .arg(format!("-Wl,-soname,{core}"))
        .arg(&imitation)
        .run();
    built.assert_success();

    let search = search.map(|dir| format!("-Wl,--enable-new-dtags,-rpath,{}", dir.display()));
    let program = Compile::new(format!("hello-{name}"))
        .source(installed::source("hello.c"))
        .headers_of(include)
        .linkage(Linkage::Nothing)
        .libs([dir.join(core).into_os_string()])
        .libs(search)
        .build()
        .expect("the program compiles");
    assert!(dynamic(program.path(), "NEEDED").contains(&core.to_owned()));
    program
}

#[test]
fn program_linked_with_a_core_name_asks_for_the_one_library() {
    let program = Compile::new("core-link")
        .source(installed::source("hello.c"))
        .headers_of(prefix().include())
        .linkage(Linkage::Nothing)
        .libs(["-L".into(), prefix().lib().into_os_string()])
        .libs(["-lspread-core", "-ltspread-core", "-lspread"])
        .build()
        .unwrap();
    let needed = dynamic(program.path(), "NEEDED");
    let spread: Vec<_> = needed.iter().filter(|n| n.contains("spread")).collect();
    assert_eq!(spread, ["libspread.so.3"]);
}

#[test]
fn destdir_goes_before_every_path_and_into_no_file() {
    let dir = scratch("destdir");
    make(
        &dir,
        &["install", "PREFIX=/usr", "LIBDIR=/usr/lib/x86_64-linux-gnu"],
        Some(&dir.join("root")),
    );
    let lib = dir.join("root/usr/lib/x86_64-linux-gnu");
    assert!(lib.join("libspread.so.3").exists());
    assert!(dir.join("root/usr/bin/everspread").exists());
    let entries: Vec<_> = fs::read_dir(dir.join("root"))
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert_eq!(entries, ["usr"]);
    for file in [
        "pkgconfig/spread.pc",
        "pkgconfig/spread-testd.pc",
        "cmake/Spread/SpreadConfig.cmake",
        "cmake/Spread/SpreadConfigVersion.cmake",
    ] {
        let text = fs::read_to_string(lib.join(file)).unwrap();
        assert!(!text.contains(dir.to_str().unwrap()), "{file}:\n{text}");
        let words = text
            .split('@')
            .nth(1)
            .filter(|w| w.chars().all(|c| c.is_ascii_uppercase() || c == '_'));
        assert_eq!(words, None, "{file} is not filled in:\n{text}");
    }
    let pc = fs::read_to_string(lib.join("pkgconfig/spread.pc")).unwrap();
    assert!(pc.contains("\nlibdir=/usr/lib/x86_64-linux-gnu\n"), "{pc}");
}

#[test]
fn uninstall_leaves_nothing() {
    let dir = scratch("uninstall");
    let root = dir.join("root");
    let kept = root.join("opt/spread/lib/other.so");
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    fs::write(&kept, "not ours").unwrap();
    for places in [
        &["PREFIX=/opt/spread"][..],
        &["PREFIX=/usr", "LIBDIR=/usr/lib/x", "MANDIR=/usr/man"],
    ] {
        make(&dir, &[&["install"], places].concat(), Some(&root));
        assert!(files_below(&root).len() > 20);
        make(&dir, &[&["uninstall"], places].concat(), Some(&root));
        assert_eq!(files_below(&root), std::slice::from_ref(&kept));
    }
    let left: Vec<_> = fs::read_dir(root.join("usr")).unwrap().collect();
    assert!(left.is_empty(), "empty folders are left: {left:?}");
}

#[test]
fn jars_are_installed_when_they_have_been_built() {
    let dir = scratch("jar");
    let root = dir.join("root");
    let java = root.join("usr/share/java");
    let mut built = vec!["install".to_owned(), "PREFIX=/usr".to_owned()];
    for (variable, name) in [("JAR", "everspread"), ("TESTING_JAR", "everspread-testing")] {
        let jar = dir.join(format!("built-{name}.jar"));
        fs::write(&jar, name).unwrap();
        built.push(format!("{variable}={}", jar.display()));
    }
    let built: Vec<&str> = built.iter().map(String::as_str).collect();
    make(&dir, &built, Some(&root));
    for name in ["everspread", "everspread-testing"] {
        let link = java.join(format!("{name}.jar"));
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&link).unwrap(), name);
    }
    make(&dir, &["uninstall", "PREFIX=/usr"], Some(&root));
    assert!(files_below(&root).is_empty());
    let none = ["install", "PREFIX=/usr", "JAR=", "TESTING_JAR="];
    make(&dir, &none, Some(&root));
    assert!(!java.exists());
}

#[test]
fn places_that_cannot_be_are_refused() {
    let dir = scratch("places");
    for bad in [
        "PREFIX=usr",
        "PREFIX=/usr/my lib",
        "LIBDIR=lib",
        "MANDIR=/usr/a&b",
    ] {
        let run = installed::try_make(&dir, &["install", bad], Some(&dir.join("root")));
        assert!(!run.success(), "{bad}");
        let (name, value) = bad.split_once('=').unwrap();
        assert!(
            run.stderr_text().contains(&format!("{name}={value}")),
            "{}",
            run.report()
        );
        assert!(!dir.join("root").exists(), "{bad} has written something");
    }
}
