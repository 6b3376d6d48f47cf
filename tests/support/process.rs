//! Running programs: never without a time limit, never leaving children behind, and with a report
//! that explains a failure.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// The time limit of a program that sets none.
const DEFAULT_LIMIT: Duration = Duration::from_secs(30);

/// How long the outputs may stay open after the program's end: only a grandchild outside its
/// process group can hold them.
const OUTPUT_GRACE: Duration = Duration::from_secs(2);

/// A time limit, multiplied by what `TEST_TIMEOUT_FACTOR` says.
pub(crate) fn scaled(limit: Duration) -> Duration {
    let factor = std::env::var("TEST_TIMEOUT_FACTOR")
        .ok()
        .and_then(|f| f.parse::<u32>().ok())
        .unwrap_or(1);
    limit.saturating_mul(factor.max(1))
}

/// A program about to be run, in a process group of its own, with empty standard input unless
/// [`input`](Self::input) is given.
#[derive(Debug)]
pub(crate) struct ProgramCommand {
    command: Command,
    input: Vec<u8>,
    limit: Duration,
    slowdown: u32,
}

impl ProgramCommand {
    /// Runs this file, or what `PATH` has under this name.
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            command: Command::new(program),
            input: Vec::new(),
            limit: DEFAULT_LIMIT,
            slowdown: 1,
        }
    }

    /// Adds an argument.
    pub(crate) fn arg(&mut self, arg: impl AsRef<OsStr>) -> &mut Self {
        self.command.arg(arg);
        self
    }

    /// Adds arguments.
    pub(crate) fn args<S: AsRef<OsStr>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.command.args(args);
        self
    }

    /// Sets an environment variable.
    pub(crate) fn env(&mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> &mut Self {
        self.command.env(name, value);
        self
    }

    /// Removes an environment variable.
    pub(crate) fn env_remove(&mut self, name: impl AsRef<OsStr>) -> &mut Self {
        self.command.env_remove(name);
        self
    }

    /// Runs it in this folder.
    pub(crate) fn current_dir(&mut self, dir: impl AsRef<Path>) -> &mut Self {
        self.command.current_dir(dir);
        self
    }

    /// What [`run`](Self::run) gives it to read.
    pub(crate) fn input(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.input = bytes.into();
        self
    }

    /// How long a plain run may take.
    pub(crate) fn limit(&mut self, limit: Duration) -> &mut Self {
        self.limit = limit;
        self
    }

    /// Multiplies the limit, for programs that run under a tool.
    pub(crate) fn slowdown(&mut self, factor: u32) -> &mut Self {
        self.slowdown = factor;
        self
    }

    /// Runs it to its end, or kills it (and its whole process group) at the limit.
    pub(crate) fn run(&mut self) -> Finished {
        self.try_run()
            .unwrap_or_else(|e| panic!("cannot run {:?}: {e}", self.command))
    }

    /// The same, for programs that need not exist.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(crate) fn try_run(&mut self) -> io::Result<Finished> {
        let mut running = self.try_spawn()?;
        let input = std::mem::take(&mut self.input);
        if let Some(mut stdin) = running.stdin.take() {
            // Apart, as the program may write before it has read everything. An early exit is no
            // error here.
            thread::spawn(move || stdin.write_all(&input));
        }
        Ok(running.finish_by(self.full_limit()))
    }

    /// Starts it and leaves it running; see [`Running`].
    pub(crate) fn spawn(&mut self) -> Running {
        self.try_spawn()
            .unwrap_or_else(|e| panic!("cannot run {:?}: {e}", self.command))
    }

    fn full_limit(&self) -> Duration {
        scaled(self.limit).saturating_mul(self.slowdown)
    }

    fn try_spawn(&mut self) -> io::Result<Running> {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let stdin = child.stdin.take();
        let stdout = Collected::from(child.stdout.take());
        let stderr = Collected::from(child.stderr.take());
        let pid = libc::pid_t::try_from(child.id()).expect("a process id is a pid_t");
        let (tell, ended) = mpsc::channel();
        thread::spawn(move || {
            wait_without_reaping(pid);
            // Nobody listens any more if the test has panicked.
            let _ = tell.send(());
        });
        Ok(Running {
            what: format!("{:?}", self.command),
            child,
            pid,
            stdin,
            stdout,
            stderr,
            ended,
            reaped: false,
            limit: self.full_limit(),
            started: Instant::now(),
        })
    }
}

/// Waits for the end of a child but leaves it to be reaped, so that its number stays its own while
/// we may still signal it.
fn wait_without_reaping(pid: libc::pid_t) {
    let id = libc::id_t::try_from(pid).expect("a process id is positive");
    loop {
        let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::uninit();
        // SAFETY: `info` is writable for the call and is not read.
        let rc = unsafe {
            libc::waitid(
                libc::P_PID,
                id,
                info.as_mut_ptr(),
                libc::WEXITED | libc::WNOWAIT,
            )
        };
        if rc == 0 || io::Error::last_os_error().kind() != io::ErrorKind::Interrupted {
            return;
        }
    }
}

/// A program that runs. Dropping it kills its process group.
#[derive(Debug)]
pub(crate) struct Running {
    what: String,
    child: Child,
    pid: libc::pid_t,
    stdin: Option<ChildStdin>,
    stdout: Collected,
    stderr: Collected,
    ended: Receiver<()>,
    reaped: bool,
    limit: Duration,
    started: Instant,
}

impl Running {
    /// Its process id.
    pub(crate) fn pid(&self) -> libc::pid_t {
        self.pid
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: libc::c_int) {
        if !self.reaped {
            // SAFETY: plain system call; the process is our child and has not been reaped, so the
            // number is its own.
            unsafe { libc::kill(self.pid, signal) };
        }
    }

    /// Writes a line to its standard input.
    pub(crate) fn write_line(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().expect("standard input is open");
        stdin
            .write_all(format!("{line}\n").as_bytes())
            .unwrap_or_else(|e| panic!("{} does not take input: {e}", self.what));
    }

    /// Ends its standard input.
    pub(crate) fn close_input(&mut self) {
        self.stdin = None;
    }

    /// Waits until its standard output has a line for which `wanted` holds, and gives that line.
    /// Panics when the program's time is over or its output has ended without one.
    pub(crate) fn wait_for_line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let deadline = self.started + self.limit;
        match self.stdout.find_line(deadline, wanted) {
            Some(line) => line,
            None => panic!(
                "{}: the awaited line did not come within {:?}\n--- stdout\n{}\n--- stderr\n{}",
                self.what,
                self.started.elapsed(),
                self.stdout.text(),
                self.stderr.text()
            ),
        }
    }

    /// Waits for its end within its time limit.
    pub(crate) fn finish(self) -> Finished {
        let left = self.limit.saturating_sub(self.started.elapsed());
        self.finish_by(left)
    }

    fn finish_by(mut self, limit: Duration) -> Finished {
        self.stdin = None;
        let in_time = self.ended.recv_timeout(limit) != Err(RecvTimeoutError::Timeout);
        self.kill_group();
        let status = self.reap();
        let until = Instant::now() + OUTPUT_GRACE;
        Finished {
            what: self.what.clone(),
            status,
            in_time,
            took: self.started.elapsed(),
            stdout: self.stdout.to_end(until),
            stderr: self.stderr.to_end(until),
        }
    }

    fn kill_group(&self) {
        // SAFETY: plain system call; the group's leader is our child and has not been reaped, so
        // the number is its own.
        unsafe { libc::kill(-self.pid, libc::SIGKILL) };
    }

    fn reap(&mut self) -> ExitStatus {
        let status = self.child.wait().expect("a child can be waited for");
        self.reaped = true;
        status
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            self.kill_group();
            self.reap();
        }
    }
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Finished {
    what: String,
    /// How it ended.
    pub(crate) status: ExitStatus,
    /// Whether it ended by itself, within its time.
    pub(crate) in_time: bool,
    /// How long it ran.
    pub(crate) took: Duration,
    /// Its standard output.
    pub(crate) stdout: Vec<u8>,
    /// Its standard error.
    pub(crate) stderr: Vec<u8>,
}

impl Finished {
    /// It ended in time with exit code 0.
    pub(crate) fn success(&self) -> bool {
        self.in_time && self.status.success()
    }

    /// Its exit code, if it ended by itself.
    pub(crate) fn code(&self) -> Option<i32> {
        if self.in_time {
            self.status.code()
        } else {
            None
        }
    }

    /// Its standard output as text.
    pub(crate) fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Its standard error as text.
    pub(crate) fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }

    /// Everything that explains a failure.
    pub(crate) fn report(&self) -> String {
        let mut text = format!("{}\n", self.what);
        let end = match (self.in_time, self.status.code(), self.status.signal()) {
            (false, ..) => "killed at its time limit".to_owned(),
            (true, Some(code), _) => format!("exit code {code}"),
            (true, None, Some(signal)) => format!("killed by signal {signal}"),
            (true, None, None) => format!("{}", self.status),
        };
        let _ = writeln!(text, "{end} after {:?}", self.took);
        let _ = writeln!(text, "--- stdout\n{}", self.stdout_text());
        let _ = writeln!(text, "--- stderr\n{}", self.stderr_text());
        text
    }

    /// Panics with the report unless it succeeded.
    #[track_caller]
    pub(crate) fn assert_success(&self) {
        assert!(self.success(), "{}", self.report());
    }
}

/// One output of a program, gathered by a thread as it comes.
#[derive(Clone, Debug)]
struct Collected(Arc<(Mutex<Gathered>, Condvar)>);

#[derive(Debug, Default)]
struct Gathered {
    bytes: Vec<u8>,
    ended: bool,
}

impl Collected {
    fn from(stream: Option<impl Read + Send + 'static>) -> Self {
        let shared = Self(Arc::default());
        let writer = shared.clone();
        let mut stream = stream.expect("the output was asked for as a pipe");
        thread::spawn(move || {
            let mut chunk = [0; 8192];
            loop {
                let n = match stream.read(&mut chunk) {
                    Ok(n) => n,
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                    Err(_) => 0,
                };
                writer.with(|g| {
                    g.bytes.extend_from_slice(&chunk[..n]);
                    g.ended = n == 0;
                });
                writer.0.1.notify_all();
                if n == 0 {
                    return;
                }
            }
        });
        shared
    }

    fn with<T>(&self, f: impl FnOnce(&mut Gathered) -> T) -> T {
        f(&mut self.0.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `done` gives something, the output has ended, or the deadline is over.
    fn wait<T>(
        &self,
        deadline: Instant,
        mut done: impl FnMut(&Gathered) -> Option<T>,
    ) -> Option<T> {
        let (lock, changed) = &*self.0;
        let mut gathered = lock.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(found) = done(&gathered) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if gathered.ended || left.is_zero() {
                return None;
            }
            gathered = changed
                .wait_timeout(gathered, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    fn find_line(&self, deadline: Instant, wanted: impl Fn(&str) -> bool) -> Option<String> {
        self.wait(deadline, |g| {
            let whole = g.bytes.iter().rposition(|b| *b == b'\n')?;
            String::from_utf8_lossy(&g.bytes[..whole])
                .lines()
                .find(|line| wanted(line))
                .map(str::to_owned)
        })
    }

    fn to_end(&self, deadline: Instant) -> Vec<u8> {
        self.wait(deadline, |g| g.ended.then_some(()));
        self.with(|g| g.bytes.clone())
    }

    fn text(&self) -> String {
        self.with(|g| String::from_utf8_lossy(&g.bytes).into_owned())
    }
}
