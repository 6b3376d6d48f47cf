//! Compiling C and C++ programs against the public headers and the library.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::library::{include_dir, library, scratch};
use super::process::{Finished, ProgramCommand};
use super::variant::Variant;

/// Longer than any compiler run here should take on a busy machine.
const COMPILE_LIMIT: Duration = Duration::from_secs(120);

/// What `rustc --print native-static-libs` says that a static link needs beside `libspread.a`.
pub(crate) const STATIC_LIBS: [&str; 7] = [
    "-lgcc_s",
    "-lutil",
    "-lrt",
    "-lpthread",
    "-lm",
    "-ldl",
    "-lc",
];

/// The language of a program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// C, by `$CC` or `cc`.
    #[default]
    C,
    /// C++, by `$CXX` or `c++`.
    Cxx,
}

/// How a program gets the library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Linkage {
    /// `-lspread`: found again through `LD_LIBRARY_PATH` when it runs.
    #[default]
    Shared,
    /// `libspread.a` and what it needs of the system.
    Static,
    /// Not at all: the program uses the headers only, or another library.
    Nothing,
    /// Do not link: is the source accepted?
    SyntaxOnly,
}

/// A program to be compiled.
#[derive(Debug)]
pub(crate) struct Compile {
    name: String,
    language: Language,
    standard: Option<String>,
    sources: Vec<PathBuf>,
    text: Option<String>,
    include: Vec<PathBuf>,
    flags: Vec<OsString>,
    libs: Vec<OsString>,
    linkage: Linkage,
    variant: Variant,
}

impl Compile {
    /// A program of this name. The name must be unique within the test binary; it also names the
    /// folder of its files.
    pub(crate) fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            language: Language::C,
            standard: None,
            sources: Vec::new(),
            text: None,
            include: vec![include_dir()],
            flags: Vec::new(),
            libs: Vec::new(),
            linkage: Linkage::Shared,
            variant: Variant::Plain,
        }
    }

    /// Adds a source file.
    pub(crate) fn source(mut self, path: impl Into<PathBuf>) -> Self {
        self.sources.push(path.into());
        self
    }

    /// Adds source text, written to a file first.
    pub(crate) fn source_text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Chooses the language.
    pub(crate) fn language(mut self, language: Language) -> Self {
        self.language = language;
        self
    }

    /// `-std=`.
    pub(crate) fn standard(mut self, standard: &str) -> Self {
        self.standard = Some(standard.to_owned());
        self
    }

    /// Uses the headers of this folder instead of ours.
    pub(crate) fn headers_of(mut self, dir: impl Into<PathBuf>) -> Self {
        self.include = vec![dir.into()];
        self
    }

    /// Adds one more folder of headers.
    pub(crate) fn include(mut self, dir: impl Into<PathBuf>) -> Self {
        self.include.push(dir.into());
        self
    }

    /// Adds options for the compiler.
    pub(crate) fn flags<S: Into<OsString>>(mut self, flags: impl IntoIterator<Item = S>) -> Self {
        self.flags.extend(flags.into_iter().map(Into::into));
        self
    }

    /// Adds `-l` options and the like, which must stand behind the sources.
    pub(crate) fn libs<S: Into<OsString>>(mut self, libs: impl IntoIterator<Item = S>) -> Self {
        self.libs.extend(libs.into_iter().map(Into::into));
        self
    }

    /// `-Wall -Wextra -pedantic -Werror`.
    pub(crate) fn strict(self) -> Self {
        self.flags(["-Wall", "-Wextra", "-pedantic", "-Werror"])
    }

    /// Chooses how the library gets in.
    pub(crate) fn linkage(mut self, linkage: Linkage) -> Self {
        self.linkage = linkage;
        self
    }

    /// Chooses how the program is watched.
    pub(crate) fn variant(mut self, variant: Variant) -> Self {
        self.variant = variant;
        self
    }

    /// Compiles.
    ///
    /// # Errors
    /// The compiler's own words, if it refuses the program.
    pub(crate) fn build(self) -> Result<Executable, CompileError> {
        let dir = scratch(&format!("cc-{}", self.name));
        let program = dir.join(&self.name);
        let mut cc = match self.language {
            Language::C => compiler("CC", "cc"),
            Language::Cxx => compiler("CXX", "c++"),
        };
        if let Some(standard) = &self.standard {
            cc.arg(format!("-std={standard}"));
        }
        cc.args(self.variant.compile_flags());
        for dir in &self.include {
            cc.arg("-I").arg(dir);
        }
        cc.args(&self.flags);
        match self.linkage {
            Linkage::SyntaxOnly => cc.arg("-fsyntax-only"),
            Linkage::Shared | Linkage::Static | Linkage::Nothing => cc.arg("-o").arg(&program),
        };
        cc.args(&self.sources);
        if let Some(text) = &self.text {
            let file = dir.join(match self.language {
                Language::C => "text.c",
                Language::Cxx => "text.cc",
            });
            fs::write(&file, text).expect("a file can be written below target");
            cc.arg(&file);
        }
        match self.linkage {
            Linkage::Shared => {
                cc.arg("-L").arg(&library().dir).arg("-lspread");
            }
            Linkage::Static => {
                cc.arg(&library().archive).args(STATIC_LIBS);
            }
            Linkage::Nothing | Linkage::SyntaxOnly => {}
        }
        cc.args(&self.libs);

        let run = cc.limit(COMPILE_LIMIT).run();
        if run.success() {
            Ok(Executable {
                path: program,
                variant: self.variant,
                library_dir: match self.linkage {
                    Linkage::Shared => Some(library().dir.clone()),
                    Linkage::Static | Linkage::Nothing | Linkage::SyntaxOnly => None,
                },
                warnings: run.stderr_text(),
            })
        } else {
            Err(CompileError(run))
        }
    }
}

/// The compiler that the environment variable names, or the default one.
pub(crate) fn compiler(variable: &str, default: &str) -> ProgramCommand {
    let named = std::env::var(variable).unwrap_or_default();
    let mut words = named.split_whitespace();
    let mut cc = ProgramCommand::new(words.next().unwrap_or(default));
    // The tests look at what compilers say.
    cc.args(words).env("LC_ALL", "C");
    cc
}

/// The compiler has refused a program.
pub(crate) struct CompileError(Finished);

impl CompileError {
    /// What the compiler wrote.
    pub(crate) fn text(&self) -> String {
        self.0.stderr_text()
    }
}

impl fmt::Debug for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.report())
    }
}

/// A compiled program.
#[derive(Clone, Debug)]
pub(crate) struct Executable {
    path: PathBuf,
    variant: Variant,
    library_dir: Option<PathBuf>,
    warnings: String,
}

impl Executable {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What the compiler wrote although it accepted the program.
    pub(crate) fn warnings(&self) -> &str {
        &self.warnings
    }

    /// A command that runs it as its variant demands, and finds the library by `LD_LIBRARY_PATH`.
    pub(crate) fn command(&self) -> ProgramCommand {
        self.command_with_library(self.library_dir.as_deref())
    }

    /// The same with the library of another folder (or with the system's, for `None`): the program
    /// need not be linked again.
    pub(crate) fn command_with_library(&self, dir: Option<&Path>) -> ProgramCommand {
        let launcher = self.variant.launcher();
        let mut words = launcher.iter();
        let mut command = match words.next() {
            Some(first) => {
                let mut command = ProgramCommand::new(first);
                command.args(words).arg(&self.path);
                command
            }
            None => ProgramCommand::new(&self.path),
        };
        match dir {
            Some(dir) => command.env("LD_LIBRARY_PATH", dir),
            None => command.env_remove("LD_LIBRARY_PATH"),
        };
        for (name, value) in self.variant.environment() {
            command.env(name, value);
        }
        command.slowdown(self.variant.slowdown());
        command
    }
}
