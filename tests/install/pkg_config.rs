//! Programs compiled with what pkg-config says.

use std::ffi::OsString;
use std::path::Path;

use crate::installed::{Network, prefix, source};
use crate::support::{Compile, Executable, Language, Linkage, ProgramCommand, skip};

/// What pkg-config answers, as words; `None` if there is no pkg-config.
fn pkg_config(args: &[&str]) -> Option<Vec<OsString>> {
    let run = ProgramCommand::new("pkg-config")
        .env("PKG_CONFIG_PATH", prefix().lib().join("pkgconfig"))
        .args(args)
        .try_run()
        .ok()?;
    run.assert_success();
    assert_eq!(run.stderr_text(), "");
    Some(
        run.stdout_text()
            .split_whitespace()
            .map(Into::into)
            .collect(),
    )
}

fn text(words: &[OsString]) -> String {
    let words: Vec<_> = words
        .iter()
        .map(|w| w.to_str().expect("our words are UTF-8"))
        .collect();
    words.join(" ")
}

const LANGUAGES: [(&str, Language, &str); 4] = [
    ("c", Language::C, "c89"),
    ("c17", Language::C, "c17"),
    ("cxx98", Language::Cxx, "c++98"),
    ("cxx17", Language::Cxx, "c++17"),
];

/// The hello program, with nothing but these words.
fn compile(name: &str, language: Language, standard: &str, words: Vec<OsString>) -> Executable {
    let program = Compile::new(name)
        .language(language)
        .standard(standard)
        .strict()
        .headers_of("/nonexistent")
        .linkage(Linkage::Nothing);
    let program = match language {
        Language::C => program.source(source("hello.c")),
        // c++ would take it for C by its ending... which is what many do, but not meant here.
        Language::Cxx => program
            .flags(["-x", "c++"])
            .source(source("hello.c"))
            .libs(["-x", "none"]),
    };
    program
        .libs(words)
        .build()
        .unwrap_or_else(|e| panic!("{name}: {e:?}"))
}

fn says_hello(program: &Executable, library: Option<&Path>, net: &Network) {
    let run = program
        .command_with_library(library)
        .arg(net.daemon())
        .run();
    run.assert_success();
    assert!(
        run.stdout_text().starts_with("hello from #"),
        "{}",
        run.report()
    );
}

/// The libraries a program asks the loader for.
fn needed(program: &Executable) -> Vec<String> {
    crate::dynamic(program.path(), "NEEDED")
}

#[test]
fn versions_are_those_of_the_interface_and_of_everspread() {
    let Some(version) = pkg_config(&["--modversion", "spread"]) else {
        return skip("there is no pkg-config");
    };
    // tests/c holds SP_version against the same number.
    assert_eq!(text(&version), "5.0.1");
    let ours = pkg_config(&["--variable=everspread_version", "spread"]).unwrap();
    assert_eq!(text(&ours), env!("CARGO_PKG_VERSION"));
    let testd = pkg_config(&["--modversion", "spread-testd"]).unwrap();
    assert_eq!(text(&testd), env!("CARGO_PKG_VERSION"));
}

#[test]
fn shared_programs_run() {
    let Some(words) = pkg_config(&["--cflags", "--libs", "spread"]) else {
        return skip("there is no pkg-config");
    };
    let net = prefix().network();
    for (name, language, standard) in LANGUAGES {
        let program = compile(&format!("shared-{name}"), language, standard, words.clone());
        assert!(needed(&program).contains(&"libspread.so.3".to_owned()));
        says_hello(&program, Some(&prefix().lib()), &net);
    }
}

/// Only our library in the program; those of the system are shared as usual.
#[test]
fn programs_with_our_archive_run_without_our_library() {
    let Some(mut words) = pkg_config(&["--static", "--cflags", "--libs", "spread"]) else {
        return skip("there is no pkg-config");
    };
    // In place of -lspread, which a linker would rather take for the shared library.
    let at = words.iter().position(|w| w == "-lspread").unwrap();
    words[at] = prefix().lib().join("libspread.a").into();
    let net = prefix().network();
    for (name, language, standard) in LANGUAGES {
        let program = compile(
            &format!("archive-{name}"),
            language,
            standard,
            words.clone(),
        );
        let needed = needed(&program);
        assert!(!needed.iter().any(|n| n.contains("spread")), "{needed:?}");
        says_hello(&program, None, &net);
    }
}

#[test]
fn wholly_static_programs_run() {
    let Some(mut words) = pkg_config(&["--static", "--cflags", "--libs", "spread"]) else {
        return skip("there is no pkg-config");
    };
    words.push("-static".into());
    let probe = Compile::new("static-probe")
        .source_text("int main(void) { return 0; }\n")
        .linkage(Linkage::Nothing)
        .flags(["-static"]);
    if probe.build().is_err() {
        return skip("there is no static libc to link with");
    }
    let net = prefix().network();
    for (name, language, standard) in LANGUAGES {
        let program = compile(&format!("static-{name}"), language, standard, words.clone());
        assert_eq!(needed(&program), [""; 0]);
        says_hello(&program, None, &net);
    }
}

#[test]
fn simulated_network_is_found() {
    let Some(words) = pkg_config(&["--cflags", "--libs", "spread", "spread-testd"]) else {
        return skip("there is no pkg-config");
    };
    let program = Compile::new("network")
        .strict()
        .headers_of("/nonexistent")
        .source(source("network.c"))
        .linkage(Linkage::Nothing)
        .libs(words)
        .build()
        .unwrap();
    let run = program.command_with_library(Some(&prefix().lib())).run();
    run.assert_success();
    assert!(run.stdout_text().starts_with("hello from #"));

    let everspread = pkg_config(&["--variable=everspread", "spread-testd"]).unwrap();
    let run = ProgramCommand::new(&everspread[0]).arg("--version").run();
    run.assert_success();
    assert_eq!(
        run.stdout_text(),
        concat!("everspread ", env!("CARGO_PKG_VERSION"), "\n")
    );
}
