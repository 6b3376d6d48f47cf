//! The C program `ops`: compiled once for each test process, run in as many processes as the machine has cores.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use super::compare::Seeds;
use super::support::{Compile, Executable, root};

/// Seeds that one process of `ops` runs.
const BATCH: usize = 25;
/// A seed takes some 20 ms; `ops` itself ends one that hangs after 30 s.
const BATCH_LIMIT: Duration = Duration::from_secs(600);

/// What `ops` talks to.
#[derive(Clone, Debug)]
pub(crate) enum Mode {
    /// The scripted daemon inside `ops`.
    Script,
    /// Daemons of these names.
    Network(Vec<String>),
}

impl Mode {
    fn args(&self, first: u64, count: usize) -> Vec<String> {
        let numbers = [first.to_string(), count.to_string()];
        match self {
            Self::Script => ["script".to_owned()].into_iter().chain(numbers).collect(),
            Self::Network(daemons) => ["network".to_owned()]
                .into_iter()
                .chain(numbers)
                .chain(["--daemons".to_owned(), daemons.join(",")])
                .collect(),
        }
    }
}

/// The C files.
pub(crate) fn sources() -> Vec<PathBuf> {
    let dir = root().join("tests/differential");
    let mut files: Vec<PathBuf> = std::fs::read_dir(dir)
        .expect("the sources are part of the repository")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|e| e == "c"))
        .collect();
    files.sort();
    files
}

/// The compiled program.
#[derive(Debug)]
pub(crate) struct Ops(Executable);

impl Ops {
    pub(crate) fn get() -> &'static Self {
        static OPS: OnceLock<Ops> = OnceLock::new();
        OPS.get_or_init(|| {
            let mut compile = Compile::new("ops")
                .standard("c11")
                .flags(["-D_GNU_SOURCE", "-O1", "-g"])
                .strict()
                .libs(["-lpthread"]);
            for source in sources() {
                compile = compile.source(source);
            }
            Self(compile.build().expect("ops compiles"))
        })
    }

    /// Runs the seeds with the library of that folder.
    pub(crate) fn run_seeds(&self, library: &Path, mode: &Mode, numbers: &[u64]) -> Seeds {
        let workers = thread::available_parallelism().map_or(2, usize::from);
        let batches: Vec<&[u64]> = numbers
            .chunk_by(|a, b| *b == *a + 1)
            .flat_map(|run| run.chunks(BATCH))
            .collect();
        let shares: Vec<Vec<&[u64]>> = (0..workers)
            .map(|at| batches.iter().skip(at).step_by(workers).copied().collect())
            .collect();
        let mut all = Seeds::default();
        thread::scope(|scope| {
            let running: Vec<_> = shares
                .into_iter()
                .map(|share| {
                    scope.spawn(move || {
                        share
                            .into_iter()
                            .map(|batch| self.run_batch(library, mode, batch))
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            for worker in running {
                for seeds in worker.join().expect("a batch does not panic") {
                    all.merge(seeds);
                }
            }
        });
        all
    }

    fn run_batch(&self, library: &Path, mode: &Mode, batch: &[u64]) -> Seeds {
        let mut command = self.0.command_with_library(Some(library));
        let run = command
            .args(mode.args(batch[0], batch.len()))
            .limit(BATCH_LIMIT)
            .run();
        // Seeds that crash or hang end with a line that says so: they are compared like all others.
        run.assert_success();
        Seeds::parse(&run.stdout_text())
    }

    /// How to run one seed by hand.
    pub(crate) fn hint(&self, mode: &Mode) -> String {
        let args = mode.args(0, 1).join(" ").replacen(" 0 1", " SEED", 1);
        format!(
            "One seed by hand: LD_LIBRARY_PATH=<folder of a libspread.so.3> {} {args}",
            self.0.path().display()
        )
    }
}
