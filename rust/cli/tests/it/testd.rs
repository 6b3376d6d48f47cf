use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

struct Running {
    child: Child,
    /// Lines up to and without `ready`.
    announced: Vec<String>,
}

fn start(args: &[&str]) -> Running {
    let mut child = Command::new(env!("CARGO_BIN_EXE_everspread"))
        .arg("testd")
        .args(args)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let announced = lines
        .by_ref()
        .map(Result::unwrap)
        .take_while(|line| line != "ready")
        .collect();
    Running { child, announced }
}

impl Running {
    fn signal(&mut self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn ends_well(&mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn run(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_everspread"))
        .arg("testd")
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn it_says_where_its_daemons_are_and_ends_on_signals() {
    for signal in ["-TERM", "-INT"] {
        let mut testd = start(&["--daemons", "3", "--port", "0"]);
        let words: Vec<Vec<&str>> = testd
            .announced
            .iter()
            .map(|line| line.split(' ').collect())
            .collect();
        assert_eq!(words.len(), 3);
        let path = PathBuf::from(words[0][2]);
        let port = path.file_name().unwrap().to_str().unwrap().to_owned();
        for (index, words) in words.iter().enumerate() {
            let last = index + 1;
            assert_eq!(words[0], format!("d{last}"));
            assert_eq!(words[1], format!("{port}@127.0.0.{last}"));
            let (_, address) = words[1].split_once('@').unwrap();
            TcpStream::connect(format!("{address}:{port}")).unwrap();
        }
        assert!(path.exists());
        testd.signal(signal);
        testd.ends_well();
        assert!(!path.exists());
    }
}

#[test]
fn it_takes_commands_and_logs_events() {
    let dir = tempfile::tempdir().unwrap();
    let (control, log) = (dir.path().join("control"), dir.path().join("log"));
    let mut testd = start(&[
        "--port",
        "0",
        "--no-unix",
        "--control",
        control.to_str().unwrap(),
        "--log",
        log.to_str().unwrap(),
    ]);
    assert_eq!(testd.announced.len(), 2);
    let mut peer = std::os::unix::net::UnixStream::connect(&control).unwrap();
    peer.write_all(b"hold d1 alice\nsessions\nnonsense\n")
        .unwrap();
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("ok\n#alice#d1 0 ghost\nok\nerror: unknown command"));
    testd.signal("-TERM");
    testd.ends_well();
    assert!(!control.exists());
    let log = std::fs::read_to_string(log).unwrap();
    assert!(log.contains("d1 listening at 127.0.0.1:"), "{log}");
    assert!(log.contains("fault: #alice#d1 is held"), "{log}");
}

#[test]
fn what_cannot_work_is_explained() {
    for (args, why) in [
        (&["--daemons", "0"][..], "0 daemons"),
        (
            &["--port", "0", "--control", "nonsense"],
            "neither a socket address nor a path",
        ),
        (
            &["--port", "0", "--log", "/no/such/folder/log"],
            "/no/such/folder/log",
        ),
        (&["--port", "0", "--bind", "192.0.2.1"], "192.0.2.1"),
        (&["--log-messages"], "--log"),
    ] {
        let output = run(args);
        assert!(!output.status.success(), "{args:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(why), "{args:?}: {said}");
    }
}
