//! `include/sp_testnet.h` is generated from the sources, and checked in.

use std::path::{Path, PathBuf};

use cbindgen::{Builder, Config, DocumentationStyle, ItemType, Language, Layout, Style};

/// Set to write the header instead of comparing it.
const UPDATE: &str = "UPDATE_HEADERS";

pub(crate) fn include_dir() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../include")
}

fn generate() -> String {
    let mut config = Config {
        language: Language::C,
        no_includes: true,
        style: Style::Type,
        documentation_style: DocumentationStyle::Doxy,
        line_length: 120,
        tab_width: 4,
        ..Config::default()
    };
    config.export.item_types = vec![ItemType::Functions];
    config.function.args = Layout::Auto;
    let mut prototypes = Vec::new();
    Builder::new()
        .with_src(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs"))
        .with_config(config)
        .generate()
        .expect("cbindgen understands the sources")
        .write(&mut prototypes);
    let prototypes = String::from_utf8(prototypes).unwrap();
    let prototypes = prototypes.replace("# Safety", "What the caller grants:");
    let lines = prototypes.lines().map(str::trim_end);
    let prototypes: String = lines.map(|line| format!("{line}\n")).collect();
    format!(
        "{}{prototypes}\n#ifdef __cplusplus\n}}\n#endif\n\n#endif /* INC_SP_TESTNET */\n",
        include_str!("sp_testnet.head.h")
    )
}

#[test]
fn the_header_is_that_of_the_present_sources() {
    let path = include_dir().join("sp_testnet.h");
    let fresh = generate();
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &fresh).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        fresh == checked_in,
        "include/sp_testnet.h does not fit. Run: {UPDATE}=1 cargo test -p spread-testd-ffi\n{fresh}"
    );
}
