//! The samples of the classic C library on the simulated network, and what they print there and on
//! a real daemon.
//!
//! With `SPREAD_CLASSIC_LIB=folder` set to where the classic `libspread.so.3` is; its programs are
//! expected in `../bin`. With `SPREAD_DAEMON` as well the outputs are compared.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cases::daemons;
use crate::world::Daemons;
use crate::{real, sim};

/// What is typed, and what has to be in the answer.
struct Sample {
    program: &'static str,
    args: &'static [&'static str],
    typed: &'static str,
    /// Each of them so often at least.
    printed: &'static [(&'static str, usize)],
}

const SAMPLES: [Sample; 4] = [
    Sample {
        program: "spuser",
        args: &["-u", "me"],
        typed: "d\nj g\nr\nj h\nr\ns g\nhello\nr\nm h\nfirst\nsecond\n\nr\nl g\nr\nq\n",
        printed: &[
            ("#me#d1", 5),
            ("hello", 1),
            ("second", 1),
            ("left group g", 1),
        ],
    },
    Sample {
        program: "flush_user",
        args: &["-u", "me"],
        typed: "j g\nr\ns g\nhello\nr\nq\n",
        printed: &[("#me#d1", 2), ("hello", 1)],
    },
    Sample {
        program: "spflooder",
        args: &["-u", "flood", "-m", "20000", "-b", "100"],
        typed: "",
        printed: &[("20000", 1)],
    },
    Sample {
        program: "spflooder",
        args: &["-u", "flood", "-m", "500", "-b", "100000"],
        typed: "",
        printed: &[("500", 1)],
    },
];

fn run(sample: &Sample, folder: &Path, daemons: &dyn Daemons) -> String {
    let program = folder.join("../bin").join(sample.program);
    let addr = daemons.addr(0);
    let mut child = Command::new(&program)
        .args(sample.args)
        .args(["-s", &format!("{}@{}", addr.port(), addr.ip())])
        .env("LD_LIBRARY_PATH", folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("{}: {e}", program.display()));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(sample.typed.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}:\n{text}", sample.program);
    for (word, times) in sample.printed {
        let found = text.matches(word).count();
        assert!(
            found >= *times,
            "{}: {found} times {word:?} in\n{text}",
            sample.program
        );
    }
    text
}

/// Without the lines that tell ports and ids.
fn mask(text: &str) -> String {
    let same = |line: &&str| !line.contains("@127.0.0.1") && !line.contains("grp id");
    text.lines().filter(same).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_classic_samples_work_as_on_a_real_daemon() {
    let Some(folder) = std::env::var_os("SPREAD_CLASSIC_LIB") else {
        return;
    };
    let folder = PathBuf::from(folder);
    let program = std::env::var_os("SPREAD_DAEMON").map(PathBuf::from);
    for sample in &SAMPLES {
        let simulated = mask(&run(sample, &folder, &*sim::start(daemons(1))));
        if let Some(program) = &program {
            let real = mask(&run(sample, &folder, &*real::start(program, daemons(1))));
            assert_eq!(simulated, real, "{}", sample.program);
        }
    }
}
