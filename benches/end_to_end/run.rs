//! Running the C programs, in turns on the two libraries.

use std::error::Error;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use std::{env, fs};

use crate::places::{Transport, free_port};
use crate::table::{Table, Values};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The programs, by the names of their sources.
const PROGRAMS: [&str; 9] = [
    "backlog",
    "paced",
    "raw",
    "receive",
    "roundtrip",
    "send",
    "sessions",
    "source",
    "start",
];

/// Everything that the measurements share.
pub(crate) struct Bench {
    wanted: Vec<String>,
    rounds: usize,
    scale: f64,
    ours: PathBuf,
    classic: Option<PathBuf>,
    programs: PathBuf,
}

/// The daemon's side of one measurement.
pub(crate) struct Source {
    transport: Transport,
    mode: &'static str,
    length: u64,
    count: u64,
    pub(crate) rate: Option<&'static str>,
}

impl Source {
    pub(crate) fn new(transport: Transport, mode: &'static str, length: u64, count: u64) -> Self {
        Self {
            transport,
            mode,
            length,
            count,
            rate: None,
        }
    }

    /// A running source, and the name of its place.
    fn start(&self, programs: &Path) -> Result<(Running, String)> {
        let port = free_port()?;
        let mut child = Command::new(programs.join("source"))
            .args([&port.to_string(), self.transport.letter(), self.mode])
            .args([self.length.to_string(), self.count.to_string()])
            .args(self.rate)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(out) = child.stdout.take() {
            BufReader::new(out).read_line(&mut line)?;
        }
        let running = Running { child, port };
        if line.trim() != "ready" {
            return Err("the source has not started".into());
        }
        Ok((running, self.transport.name(port)))
    }
}

/// A source, which ends with this value.
struct Running {
    child: Child,
    port: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It ends by itself when its client has gone, unless the client has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_file(format!("/tmp/{}", self.port));
    }
}

impl Bench {
    /// Compiles the programs.
    pub(crate) fn new(wanted: Vec<String>) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let programs = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench");
        fs::create_dir_all(&programs)?;
        let ours = env::var_os("BENCH_LIB").map_or_else(|| root.join("build/lib"), PathBuf::from);
        if !ours.join("libspread.so.3").exists() {
            return Err(format!(
                "no libspread.so.3 in {}: make first, or set BENCH_LIB",
                ours.display()
            )
            .into());
        }
        for program in PROGRAMS {
            let status = Command::new(env::var_os("CC").unwrap_or_else(|| OsString::from("cc")))
                .args(["-O2", "-std=gnu11", "-Wall", "-Wextra", "-I"])
                .arg(root.join("include"))
                .arg(root.join("benches/c").join(format!("{program}.c")))
                .arg("-o")
                .arg(programs.join(program))
                .arg("-pthread")
                .args((program != "source").then(|| ours.join("libspread.so.3")))
                .status()?;
            if !status.success() {
                return Err(format!("{program}.c does not compile").into());
            }
        }
        let number = |name: &str, default: f64| -> Result<f64> {
            env::var(name).map_or(Ok(default), |text| {
                text.parse()
                    .map_err(|_| format!("{name} is no number").into())
            })
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a small positive number; casts saturate"
        )]
        let rounds = number("BENCH_ROUNDS", 5.0)?.max(1.0) as usize;
        Ok(Self {
            wanted,
            rounds,
            scale: number("BENCH_SCALE", 1.0)?,
            ours,
            classic: env::var_os("SPREAD_CLASSIC_LIB").map(PathBuf::from),
            programs,
        })
    }

    /// The machine.
    pub(crate) fn describe(&self) -> String {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name"))
            .unwrap_or("")
            .trim_start_matches(['\t', ' ', ':']);
        format!(
            "{model}, {} processors; Linux {}; load {}; {} rounds{}\n",
            std::thread::available_parallelism().map_or(0, usize::from),
            read("/proc/sys/kernel/osrelease").trim(),
            read("/proc/loadavg")
                .split(' ')
                .take(3)
                .collect::<Vec<_>>()
                .join(" "),
            self.rounds,
            if self.classic.is_some() {
                ""
            } else {
                "; no classic library (SPREAD_CLASSIC_LIB)"
            }
        )
    }

    /// Whether the arguments choose this measurement, or one that it is the beginning of.
    pub(crate) fn wants(&self, what: &str) -> bool {
        self.wanted.is_empty()
            || self
                .wanted
                .iter()
                .any(|wanted| what.contains(wanted.as_str()) || wanted.contains(what))
    }

    /// Whether a program may have so many open files.
    pub(crate) fn has_descriptors(count: u64) -> bool {
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let most = limits
            .lines()
            .find_map(|line| line.strip_prefix("Max open files"))
            .and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u64>().ok());
        most.is_none_or(|most| count + 100 <= most)
    }

    /// A number of messages, scaled.
    pub(crate) fn scaled(&self, count: u64) -> u64 {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "counts are far below 2^53"
        )]
        let scaled = (count as f64 * self.scale) as u64;
        scaled.max(10)
    }

    /// Runs `program` on both libraries in turns, each time against a new source.
    pub(crate) fn compare(
        &self,
        table: &mut Table,
        what: &str,
        source: &Source,
        program: &str,
        args: &[&str],
    ) -> Result<()> {
        self.rounds_of(table, what, true, |lib| {
            self.once(lib, source, program, args)
        })
    }

    /// The same for what only ours can do.
    pub(crate) fn ours_only(
        &self,
        table: &mut Table,
        what: &str,
        source: &Source,
        program: &str,
        args: &[&str],
    ) -> Result<()> {
        self.rounds_of(table, what, false, |lib| {
            self.once(lib, source, program, args)
        })
    }

    /// Runs `program` on both libraries in turns, at a daemon that stays.
    pub(crate) fn compare_at(
        &self,
        table: &mut Table,
        what: &str,
        name: &str,
        program: &str,
        args: &[&str],
    ) -> Result<()> {
        self.rounds_of(table, what, true, |lib| {
            let mut command = self.command(lib, program);
            command.arg(name).args(args);
            values_of(&mut command)
        })
    }

    /// The same bytes without any library.
    pub(crate) fn floor(&self, table: &mut Table, what: &str, source: &Source) -> Result<()> {
        self.rounds_of(table, what, false, |lib| self.once(lib, source, "raw", &[]))
    }

    fn rounds_of(
        &self,
        table: &mut Table,
        what: &str,
        both: bool,
        run: impl Fn(&Path) -> Result<Values>,
    ) -> Result<()> {
        if !self.wants(what) {
            return Ok(());
        }
        let (mut ours, mut classic) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            if let Some(lib) = self.classic.as_deref().filter(|_| both) {
                classic.push(run(lib).map_err(|error| format!("{what}, classic: {error}"))?);
            }
            ours.push(run(&self.ours).map_err(|error| format!("{what}: {error}"))?);
        }
        table.row(what, &ours, &classic);
        Ok(())
    }

    fn command(&self, lib: &Path, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.env("LD_LIBRARY_PATH", lib);
        command
    }

    fn once(&self, lib: &Path, source: &Source, program: &str, args: &[&str]) -> Result<Values> {
        let (_running, name) = source.start(&self.programs)?;
        let mut command = self.command(lib, program);
        add_args(&mut command, &name, source, args);
        values_of(&mut command)
    }

    /// Counts system calls with perf or strace, less the waits that the program makes itself.
    pub(crate) fn count_calls(
        &self,
        table: &mut Table,
        what: &str,
        source: &Source,
        program: &str,
        args: &[&str],
    ) -> Result<()> {
        if !self.wants(what) {
            return Ok(());
        }
        let counted = |lib: &Path| -> Result<Vec<Values>> {
            let (_running, name) = source.start(&self.programs)?;
            let report = self.programs.join("calls");
            let mut command = Command::new("perf");
            command
                .args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-o"])
                .arg(&report);
            command
                .arg(self.programs.join(program))
                .env("LD_LIBRARY_PATH", lib);
            add_args(&mut command, &name, source, args);
            let Ok(told) = values_of(&mut command) else {
                return Ok(Vec::new());
            };
            let text = fs::read_to_string(&report)?;
            let total = text
                .lines()
                .find(|line| line.contains("sys_enter"))
                .and_then(|line| line.split(',').next()?.parse::<f64>().ok());
            #[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
            let calls =
                total.map(|total| total / source.count as f64 - told.get("waits").unwrap_or(&0.0));
            Ok(calls
                .map(|calls| Values::from([("calls".to_owned(), calls)]))
                .into_iter()
                .collect())
        };
        let classic = self
            .classic
            .as_deref()
            .map(counted)
            .transpose()?
            .unwrap_or_default();
        table.row(what, &counted(&self.ours)?, &classic);
        Ok(())
    }

    /// The size of the library as installed.
    pub(crate) fn library_size(&self) -> Result<String> {
        let stripped = self.programs.join("stripped.so");
        let lib = self.ours.join("libspread.so.3");
        let done = Command::new("strip")
            .arg("-o")
            .arg(&stripped)
            .arg(&lib)
            .status()
            .is_ok_and(|status| status.success());
        let size = fs::metadata(if done { &stripped } else { &lib })?.len();
        Ok(format!(
            "libspread.so.3, {}: {} KiB",
            if done { "stripped" } else { "not stripped" },
            size / 1024
        ))
    }
}

fn add_args(command: &mut Command, name: &str, source: &Source, args: &[&str]) {
    command.arg(name);
    if source.mode == "idle" {
        // How many, where the program does not know by itself.
        command.args((source.length == 0).then(|| source.count.to_string()));
    } else {
        command.args([source.length.to_string(), source.count.to_string()]);
    }
    command.args(args);
}

/// Runs a program and takes what it tells; its own time comes along.
fn values_of(command: &mut Command) -> Result<Values> {
    let began = Instant::now();
    let output = command.stderr(Stdio::piped()).output()?;
    let took = began.elapsed();
    if !output.status.success() {
        return Err(format!(
            "{}: {}",
            output.status,
            String::from_utf8_lossy(&output.stderr)
        )
        .into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut values: Values = text
        .lines()
        .filter_map(|line| {
            let (name, value) = line.split_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        })
        .collect();
    values.insert("run_us".to_owned(), took.as_secs_f64() * 1e6);
    Ok(values)
}
