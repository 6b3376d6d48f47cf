//! Writes the prototype headers from the entry points in `rust/c`.
//!
//! cbindgen reads the `extern "C"` functions and their doc comments, and nothing else: the types
//! are declared by hand. The text around the functions (guards, constants, types) is `*.head.h`
//! beside this file. A function belongs to the header of its prefix, wherever in `rust/c` it
//! stands, so a new one needs no work here. What Rust says otherwise than C is rewritten:
//!
//! * `GroupName *groups` becomes `char groups[][MAX_GROUP_NAME]`, and the output `sender` gets its
//!   length, `char sender[MAX_GROUP_NAME]`. In C these are the same types, only plainer to read;
//!   and the classic headers have just these arrays, which compilers' warnings look at.
//! * A type alias for a function pointer is written out: the classic headers name none.
//! * Rust's headings in comments become plain words.
//!
//! The headers are checked in: neither users nor `cargo build` need cbindgen.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::Path;

use cbindgen::{Builder, Config, DocumentationStyle, ItemType, Language, Layout, Style};

use crate::support::root;

/// A header that is generated.
#[derive(Debug)]
pub(crate) struct Header {
    /// Its name in `include`.
    pub(crate) file: &'static str,
    /// The functions it declares.
    prefix: &'static str,
    /// What stands before the prototypes: comment, include guard, and whatever is written by hand.
    head: &'static str,
    /// The include guard, named in the closing line.
    guard: &'static str,
}

/// All of them.
pub(crate) const HEADERS: [Header; 4] = [
    Header {
        file: "sp_func.h",
        prefix: "SP_",
        head: include_str!("sp_func.head.h"),
        guard: "INC_SP_FUNC",
    },
    Header {
        file: "sp_events.h",
        prefix: "E_",
        head: include_str!("sp_events.head.h"),
        guard: "INC_SP_EVENTS",
    },
    Header {
        file: "sp_ext.h",
        prefix: "SPX_",
        head: include_str!("sp_ext.head.h"),
        guard: "INC_SP_EXT",
    },
    Header {
        file: "fl.h",
        prefix: "FL_",
        head: include_str!("fl.head.h"),
        guard: "INC_FL",
    },
];

/// Exported for programs that name them at link time, and declared nowhere, as in the classic
/// library.
const UNDECLARED: [&str; 2] = ["SP_query_groups", "SP_query_members"];

/// Rust's names for the types of the hand-written headers.
const TYPES: [(&str, &str); 13] = [
    ("SpxMessage", "SPX_message"),
    ("SpxStats", "SPX_stats"),
    ("SpxEvent", "SPX_event"),
    ("SpxConf", "SPX_conf"),
    ("Mailbox", "mailbox"),
    ("Service", "service"),
    ("Int16", "int16"),
    ("Scatter", "scatter"),
    ("ScatElement", "scat_element"),
    ("GroupId", "group_id"),
    ("VsSetInfo", "vs_set_info"),
    ("MembershipInfo", "membership_info"),
    ("SpTime", "sp_time"),
];

/// The output that holds one name, and is declared with its length.
const NAME_OUTPUT: &str = "sender";

/// The text of a header, from the present sources.
pub(crate) fn generate(header: &Header) -> String {
    let prototypes = bindings(header, vec![ItemType::Functions]);
    let with_aliases = bindings(header, vec![ItemType::Functions, ItemType::Typedefs]);
    let callbacks: Vec<Callback<'_>> = with_aliases.lines().filter_map(Callback::parse).collect();
    format!(
        "{}{}\n#ifdef __cplusplus\n}}\n#endif\n\n#endif /* {} */\n",
        header.head,
        rewrite(&prototypes, &callbacks),
        header.guard
    )
}

/// What cbindgen writes for the functions of a header, and these kinds of items.
fn bindings(header: &Header, items: Vec<ItemType>) -> String {
    let mut config = Config {
        language: Language::C,
        no_includes: true,
        cpp_compat: false,
        style: Style::Type,
        documentation_style: DocumentationStyle::Doxy,
        line_length: 120,
        tab_width: 4,
        ..Config::default()
    };
    config.export.item_types = items;
    config.export.exclude = functions_in(&root().join("rust/c"))
        .into_iter()
        .filter(|name| !name.starts_with(header.prefix) || UNDECLARED.contains(&name.as_str()))
        .collect();
    config.export.rename = HashMap::from(TYPES.map(|(rust, c)| (rust.into(), c.into())));
    config.function.args = Layout::Auto;
    let mut generated = Vec::new();
    Builder::new()
        .with_src(root().join("rust/c/lib.rs"))
        .with_config(config)
        .generate()
        .expect("cbindgen understands the sources")
        .write(&mut generated);
    String::from_utf8(generated).expect("cbindgen writes UTF-8")
}

/// An alias for a function pointer: `typedef int (*Name)(int, void *);`
struct Callback<'a> {
    name: &'a str,
    returns: &'a str,
    parameters: &'a str,
}

impl<'a> Callback<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (returns, rest) = line.strip_prefix("typedef ")?.split_once("(*")?;
        let (name, parameters) = rest.trim_end_matches(';').split_once(')')?;
        Some(Self {
            name,
            returns,
            parameters,
        })
    }

    /// `Name f` becomes `int (*f)(int, void *)`, and `Name *f` becomes `int (**f)(int, void *)`;
    /// the first in the line.
    fn write_out(&self, line: &str) -> Option<String> {
        let (before, after) = line.split_once(&format!("{} ", self.name))?;
        if before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let declarator = after.split([',', ')']).next()?;
        let rest = &after[declarator.len()..];
        let (returns, parameters) = (self.returns, self.parameters);
        Some(format!(
            "{before}{returns}(*{declarator}){parameters}{rest}"
        ))
    }
}

/// The names of all functions below a folder: cbindgen has no filter by prefix, so the others are
/// excluded by name.
fn functions_in(dir: &Path) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(dir).expect("the folder can be read") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            names.append(&mut functions_in(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).expect("a source can be read");
            let after_fn = text.split("fn ").skip(1);
            names.extend(after_fn.map(|rest| identifier(rest).to_owned()));
        }
    }
    names
}

/// See the module's comment.
fn rewrite(prototypes: &str, callbacks: &[Callback<'_>]) -> String {
    let mut out = String::new();
    for line in prototypes.lines() {
        let mut line = line.to_owned();
        if line.starts_with(" *") {
            line = line.replace("# Safety", "What the caller grants:");
        } else {
            while let Some(at) = line.find("GroupName *") {
                let name = identifier(&line[at + "GroupName *".len()..]).to_owned();
                line = line.replacen(
                    &format!("GroupName *{name}"),
                    &format!("char {name}[][MAX_GROUP_NAME]"),
                    1,
                );
            }
            for callback in callbacks {
                while let Some(written_out) = callback.write_out(&line) {
                    line = written_out;
                }
            }
            let pointer = format!("char *{NAME_OUTPUT}");
            if !line.contains(&format!("const {pointer}")) {
                line = line.replace(&pointer, &format!("char {NAME_OUTPUT}[MAX_GROUP_NAME]"));
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

fn identifier(text: &str) -> &str {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .unwrap_or(text.len());
    &text[..end]
}
