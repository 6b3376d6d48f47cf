//! The C programs of `tests/c` for the `SP_` functions, one test each: compiled against our headers, and run.
//!
//! | environment | effect |
//! | --- | --- |
//! | (none) | on our library and an embedded network, the same for all programs |
//! | `SPREAD_DAEMON=/path/to/spread` | also on real daemons, one started for each test, with the same expectations |
//! | `SPREAD_CLASSIC_LIB=/folder` | the same programs also on the classic library of that folder, which shows that what they expect is right |
//! | `SANITIZE`, `VALGRIND` and others | see [`support`] |
//!
//! A program prints `ok NAME` as its last line. The long runs are ignored by default: `cargo test --test c_programs -- --ignored`.

mod places;
#[path = "../support/mod.rs"]
mod support;

use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::sync::{Once, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use places::{Place, RealDaemon};
use support::{Compile, Executable, Linkage, Variant, root, scaled, skip};

/// How long a plain run may take. The programs have limits of their own, which tell more when they are over.
const LIMIT: Duration = Duration::from_secs(180);

/// What a program wants to talk to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// A daemon: it is run once for each that there is.
    Daemon,
    /// Nothing, or the scripted daemon that it brings along.
    Nothing,
}

/// The right to run now, until it is dropped.
enum Turn {
    Alone(#[expect(dead_code, reason = "held, not looked at")] RwLockWriteGuard<'static, ()>),
    Shared(#[expect(dead_code, reason = "held, not looked at")] RwLockReadGuard<'static, ()>),
}

/// One library to run the programs on.
struct Lib {
    what: &'static str,
    /// Where it is; none for ours.
    dir: Option<PathBuf>,
}

/// A program, with its way to be run.
struct Program {
    /// The test, which names the folders of its files.
    test: &'static str,
    name: &'static str,
    wants: Wants,
    arguments: &'static [&'static str],
}

impl Program {
    const fn new(name: &'static str, wants: Wants) -> Self {
        Self {
            test: name,
            name,
            wants,
            arguments: &[],
        }
    }
}

impl Program {
    fn run(&self) {
        say_what_is_left_out();
        let executable = self.compile();
        let _turn = self.turn();
        let real = variable("SPREAD_DAEMON")
            .filter(|_| self.wants == Wants::Daemon)
            .map(|file| RealDaemon::start(&file, self.test));
        for lib in libraries() {
            match self.wants {
                Wants::Nothing => self.run_on(&executable, &lib, None),
                Wants::Daemon => {
                    self.run_on(&executable, &lib, Some(places::embedded()));
                    if let Some(real) = &real {
                        self.run_on(&executable, &lib, Some(real.place()));
                    }
                }
            }
        }
    }

    /// Waits until the program may be run. A real daemon drops a client that has not been given the processor for some 30 ms while
    /// messages came at full speed, so the program that has them come so runs alone then.
    fn turn(&self) -> Turn {
        static MACHINE: RwLock<()> = RwLock::new(());
        if self.name == "slow_reader" && variable("SPREAD_DAEMON").is_some() {
            Turn::Alone(MACHINE.write().unwrap_or_else(PoisonError::into_inner))
        } else {
            Turn::Shared(MACHINE.read().unwrap_or_else(PoisonError::into_inner))
        }
    }

    fn compile(&self) -> Executable {
        flags(Compile::new(self.test))
            .source(root().join("tests/c").join(format!("{}.c", self.name)))
            .source(common_code())
            // A program may bring its own version of a function of the C library (the resolver).
            .flags(["-rdynamic"])
            .libs(["-lpthread", "-lrt"])
            .build()
            .unwrap_or_else(|e| panic!("{e:?}"))
    }

    fn run_on(&self, executable: &Executable, lib: &Lib, place: Option<&Place>) {
        let mut command = match &lib.dir {
            Some(dir) => executable.command_with_library(Some(dir)),
            None => executable.command(),
        };
        if lib.dir.is_some() {
            command.arg("--classic");
        }
        command.args(self.arguments);
        if let Some(place) = place {
            command.args(place.names());
        }
        command.env("TEST_TIMEOUT_FACTOR", patience().to_string());
        let run = command.limit(LIMIT).run();
        let on = place.map_or("no daemon", Place::what);
        assert!(
            run.success(),
            "{} on {} and {on}:\n{}",
            self.name,
            lib.what,
            run.report()
        );
        assert_eq!(
            run.stdout_text().lines().last(),
            Some(format!("ok {}", self.name).as_str()),
            "{} on {} and {on} did not come to its end",
            self.name,
            lib.what
        );
    }
}

/// By how much the programs multiply their time limits.
fn patience() -> u64 {
    scaled(Duration::from_secs(1)).as_secs() * u64::from(Variant::from_env().slowdown())
}

fn flags(compile: Compile) -> Compile {
    compile
        .standard("c11")
        .strict()
        .flags([
            "-D_GNU_SOURCE",
            "-O1",
            "-g",
            "-Wshadow",
            "-Wstrict-prototypes",
            "-Wmissing-prototypes",
        ])
        .variant(Variant::from_env())
}

/// What all programs share, compiled once.
fn common_code() -> PathBuf {
    static OBJECT: OnceLock<PathBuf> = OnceLock::new();
    OBJECT
        .get_or_init(|| {
            let folder = root().join("tests/c/lib");
            let mut sources: Vec<PathBuf> = fs::read_dir(&folder)
                .expect("the folder of the common code is there")
                .map(|entry| entry.expect("a folder can be listed").path())
                .filter(|path| path.extension().is_some_and(|e| e == "c"))
                .collect();
            sources.sort();
            assert!(!sources.is_empty(), "no sources in {}", folder.display());
            let compile = flags(Compile::new("common.o"))
                .flags(["-r"])
                .linkage(Linkage::Nothing);
            sources
                .into_iter()
                .fold(compile, Compile::source)
                .build()
                .unwrap_or_else(|e| panic!("{e:?}"))
                .path()
                .to_owned()
        })
        .clone()
}

fn libraries() -> Vec<Lib> {
    let ours = Lib {
        what: "our library",
        dir: None,
    };
    let classic = variable("SPREAD_CLASSIC_LIB").map(|value| {
        let path = PathBuf::from(value);
        Lib {
            what: "the classic library",
            dir: Some(if path.is_dir() {
                path
            } else {
                path.parent()
                    .expect("SPREAD_CLASSIC_LIB is a folder, or a file in one")
                    .to_owned()
            }),
        }
    });
    [Some(ours), classic].into_iter().flatten().collect()
}

/// A variable of the environment, unless it is empty.
fn variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
}

/// Says once what the environment has left out.
fn say_what_is_left_out() {
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        if variable("SPREAD_DAEMON").is_none() {
            skip("no real daemon, as SPREAD_DAEMON does not name one");
        }
        if variable("SPREAD_CLASSIC_LIB").is_none() {
            skip("no classic library, as SPREAD_CLASSIC_LIB does not name one");
        }
    });
}

/// One test for each program.
macro_rules! programs {
    ($($name:ident: $wants:ident,)*) => {
        $(
            #[test]
            fn $name() {
                Program::new(stringify!($name), Wants::$wants).run();
            }
        )*

        /// The programs of the table.
        const NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

programs! {
    codes: Nothing,
    connect_answers: Nothing,
    connect_auth: Nothing,
    connect_live: Daemon,
    connect_many: Nothing,
    connect_names: Nothing,
    connect_request: Nothing,
    connect_resolver: Nothing,
    connect_timeout: Nothing,
    disconnect: Daemon,
    disconnect_drain: Daemon,
    disconnect_threads: Daemon,
    fork_daemon: Daemon,
    fork_exec_load: Nothing,
    fork_handover: Daemon,
    fork_parent: Daemon,
    fork_split: Daemon,
    join_leave: Daemon,
    mailbox_descriptor: Nothing,
    mailbox_edge: Nothing,
    mailbox_loops: Nothing,
    mailbox_readable: Nothing,
    membership_parse: Nothing,
    multicast_blocked: Nothing,
    multicast_live: Daemon,
    multicast_wire: Nothing,
    no_stall: Nothing,
    null_pointers: Nothing,
    own_close: Nothing,
    poll_numbers: Daemon,
    receive_broken: Nothing,
    receive_kinds: Nothing,
    receive_room: Nothing,
    session_loss: Nothing,
    session_rules: Nothing,
    short_buffers: Nothing,
    signals: Nothing,
    slow_reader: Daemon,
    threads_cancel: Nothing,
    threads_longjmp: Nothing,
    threads_shared: Daemon,
}

#[test]
fn every_program_is_in_the_table() {
    let mut files: Vec<String> = fs::read_dir(root().join("tests/c"))
        .expect("the folder of the programs is there")
        .map(|entry| entry.expect("a folder can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
        // The event loop and the flush layer have tables of their own.
        .filter(|name| !name.starts_with("events_") && !name.starts_with("fl_"))
        .collect();
    files.sort();
    assert_eq!(files, NAMES);
}

#[test]
fn no_stall_through_a_daemon() {
    Program {
        test: "no_stall_through_a_daemon",
        ..Program::new("no_stall", Wants::Daemon)
    }
    .run();
}

#[test]
#[ignore = "takes minutes"]
fn a_thousand_helpers_under_load() {
    Program {
        test: "a_thousand_helpers_under_load",
        arguments: &["--long"],
        ..Program::new("fork_exec_load", Wants::Nothing)
    }
    .run();
}

#[test]
#[ignore = "takes minutes"]
fn a_million_messages_behind() {
    Program {
        test: "a_million_messages_behind",
        arguments: &["--count", "1000000"],
        ..Program::new("slow_reader", Wants::Daemon)
    }
    .run();
}

#[test]
#[ignore = "takes minutes"]
fn long_streams_do_not_stall() {
    Program {
        test: "long_streams_do_not_stall",
        arguments: &["--count", "500"],
        ..Program::new("no_stall", Wants::Nothing)
    }
    .run();
}
