//! The commands that are clients, on networks inside of the test.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use spread_testd::Network;

fn network(daemons: usize) -> Network {
    Network::builder()
        .daemons(daemons)
        .unix(false)
        .start()
        .unwrap()
}

fn everspread(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everspread"));
    command
        .args(args)
        .env_remove("SPREAD_OPTIONS")
        .env_remove("SPREAD_SERVERS");
    command
}

fn run(args: &[&str]) -> Output {
    everspread(args).output().unwrap()
}

/// What it wrote, if it ended well.
#[track_caller]
fn told(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What it complained of, with this exit code.
#[track_caller]
fn complaint(code: i32, args: &[&str]) -> String {
    let output = run(args);
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// A `watch` that has joined.
struct Watch {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
    /// Closed when the test is done with it.
    _done: Sender<()>,
}

/// Longer than any of them has to do.
const LIMIT: Duration = Duration::from_secs(60);

impl Watch {
    fn start(daemon: &str, user: &str, more: &[&str]) -> Self {
        let mut child = everspread(&["watch", "news", "-d", daemon, "-u", user])
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (done, wait) = mpsc::channel();
        let pid = child.id().to_string();
        // Ends it, and so whoever waits for its lines, if it takes too long.
        std::thread::spawn(move || {
            if wait.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                let _ = Command::new("kill").args(["-KILL", &pid]).status();
            }
        });
        Self {
            child,
            lines,
            _done: done,
        }
    }

    fn line(&mut self) -> String {
        self.lines.next().expect("a line before the end").unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn watch_tells_what_send_sends() {
    let net = network(2);
    let [first, second] = [0, 1].map(|at| net.daemon(at).spread_name());
    let mut watch = Watch::start(&first, "watcher", &["-c", "3"]);
    assert_eq!(
        watch.line(),
        "members group=news cause=join changed=#watcher#d1 count=1 #watcher#d1"
    );
    told(&[
        "send",
        "other,news",
        "hello there",
        "-d",
        &second,
        "-u",
        "bob",
        "-t",
        "-5",
    ]);
    assert_eq!(
        watch.line(),
        "message groups=other,news sender=#bob#d2 service=agreed type=-5 bytes=11 hello there"
    );

    // Lines of standard input; the last one has no end.
    let mut send = everspread(&[
        "send",
        "#watcher#d1",
        "-d",
        &second,
        "-u",
        "bob",
        "-s",
        "safe",
    ])
    .stdin(Stdio::piped())
    .spawn()
    .unwrap();
    send.stdin
        .take()
        .unwrap()
        .write_all(b"one\xff\ntwo")
        .unwrap();
    assert!(send.wait().unwrap().success());
    for body in [r"bytes=4 one\xff", "bytes=3 two"] {
        let line = format!("message groups=#watcher#d1 sender=#bob#d2 service=safe type=0 {body}");
        assert_eq!(watch.line(), line);
    }
    assert!(watch.lines.next().is_none());
    assert!(watch.child.wait().unwrap().success());
}

#[test]
fn watch_tells_of_members_and_of_the_network() {
    let net = network(2);
    let [first, second] = [0, 1].map(|at| net.daemon(at).spread_name());
    let mut watch = Watch::start(&first, "watcher", &[]);
    watch.line();
    let mut other = Watch::start(&second, "other", &[]);
    assert_eq!(
        watch.line(),
        "members group=news cause=join changed=#other#d2 count=2 #watcher#d1 #other#d2"
    );
    assert!(other.line().contains(" count=2 "));
    net.kill(1).unwrap();
    assert_eq!(watch.line(), "transition group=news");
    assert_eq!(
        watch.line(),
        "members group=news cause=network count=1 #watcher#d1"
    );
    // Its daemon is gone.
    assert!(other.lines.next().is_none());
    assert_eq!(other.child.wait().unwrap().code(), Some(1));
}

#[test]
fn watch_ends_well_at_a_signal() {
    let net = network(1);
    for signal in ["-INT", "-TERM"] {
        let mut watch = Watch::start(&net.daemon(0).spread_name(), "watcher", &[]);
        watch.line();
        let pid = watch.child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        assert!(watch.child.wait().unwrap().success());
    }
}

#[test]
fn watch_without_members_tells_messages_only() {
    let net = network(1);
    let daemon = net.daemon(0).spread_name();
    let mut watch = Watch::start(&daemon, "watcher", &["--no-members", "-c", "1"]);
    // It may not have joined yet, so one message is not enough: until it has ended.
    while watch.child.try_wait().unwrap().is_none() {
        told(&["send", "news", "x", "-d", &daemon]);
    }
    assert!(watch.line().starts_with("message groups=news "));
    assert!(watch.lines.next().is_none());
}

#[test]
fn flood_tells_its_rates() {
    let net = network(2);
    let daemon = net.daemon(0).spread_name();
    let both = told(&["flood", "g", "-d", &daemon, "-n", "2000", "-b", "10"]);
    let lines: Vec<_> = both.lines().collect();
    assert_eq!(lines.len(), 2, "{both}");
    assert!(
        lines[0].starts_with("sent 2000 messages of 10 bytes in "),
        "{both}"
    );
    assert!(
        lines[1].starts_with("received 2000 messages of 10 bytes in "),
        "{both}"
    );
    let sent = told(&["flood", "g", "-d", &daemon, "-n", "10", "--write-only"]);
    assert!(
        sent.starts_with("sent 10 messages") && sent.lines().count() == 1,
        "{sent}"
    );
    let none = complaint(
        1,
        &[
            "flood",
            "g",
            "-d",
            &daemon,
            "-n",
            "1",
            "--read-only",
            "--timeout",
            "50",
        ],
    );
    assert!(none.contains("0 messages have come"), "{none}");
}

#[test]
fn ping_counts_what_comes_back() {
    let net = network(2);
    let daemon = net.daemon(1).spread_name();
    let all = told(&[
        "ping", "-d", &daemon, "-n", "3", "-i", "0", "-b", "100", "-u", "pinger",
    ]);
    let lines: Vec<_> = all.lines().collect();
    assert_eq!(lines.len(), 4, "{all}");
    assert!(
        lines[2].starts_with("100 bytes from #pinger#d2: seq=3 time="),
        "{all}"
    );
    assert!(lines[3].starts_with("3 sent, 3 received; min "), "{all}");
    // Nothing is ordered in a ring with a frozen daemon.
    net.freeze(0).unwrap();
    let lost = run(&[
        "ping",
        "-d",
        &daemon,
        "-n",
        "1",
        "-q",
        "--timeout",
        "1",
        "-o",
        "disconnect_ms=0",
    ]);
    net.thaw(0).unwrap();
    // The frozen one may have been given up in the meantime.
    let text = String::from_utf8(lost.stdout).unwrap();
    assert!(text.starts_with("1 sent, "), "{text}");
    assert_eq!(lost.status.success(), text.contains("1 received"), "{text}");
}

#[test]
fn doctor_visits_every_address() {
    let net = network(1);
    let good = net.daemon(0).spread_name();
    let (port, _) = good.split_once('@').unwrap();
    let well = told(&["doctor", &good]);
    let lines: Vec<_> = well.lines().collect();
    assert_eq!(lines.len(), 3, "{well}");
    assert!(
        lines[0].starts_with(&format!("ok    host 127.0.0.1, {good}: daemon d1, ")),
        "{well}"
    );
    assert!(
        lines[1].starts_with("ok    as a program connects: daemon d1, "),
        "{well}"
    );
    assert_eq!(lines[2], "1 of 1 work");

    // Nobody listens at the other loopback address.
    let output = run(&["doctor", &format!("{port}@127.0.0.77,{good}")]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text.contains("bad   host 127.0.0.77, ") && text.contains("\n1 of 2 work\n"),
        "{text}"
    );
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("but programs can connect"), "{why}");
}

#[test]
fn what_cannot_be_is_told() {
    let net = network(1);
    let daemon = net.daemon(0).spread_name();
    for (args, word) in [
        (&["watch", "a b", "-d", &daemon][..], "a b: illegal group"),
        (&["send", "g", "x", "-d", "x@y"], "cannot be parsed"),
        (&["ping", "-d", &daemon, "-o", "nope=1"], "nope"),
        (
            &["ping", "-d", &daemon, "-o", "disconnect_ms=x"],
            "disconnect_ms",
        ),
        (&["doctor", "nothing"], "cannot be parsed"),
    ] {
        let why = complaint(1, args);
        assert!(
            why.starts_with("everspread: ") && why.contains(word),
            "{args:?}: {why}"
        );
    }
    for args in [
        &["watch"][..],
        &["send", "a,,b", "x"],
        &["flood", "g", "-b", "143113"],
        &["flood", "g", "--read-only", "--write-only"],
        &["ping", "-b", "7"],
        &["ping", "-o", "nothing"],
    ] {
        complaint(2, args);
    }
}
