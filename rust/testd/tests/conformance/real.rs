//! Real daemons, on loopback.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use spread_proto::Frame;

use crate::client::{Client, Event, Socket, decode};
use crate::world::{Daemons, Methods, Setup};

/// Forming a ring takes 1.8 s.
const START: Duration = Duration::from_secs(15);

pub(crate) fn start(program: &Path, setup: Setup) -> Box<dyn Daemons> {
    let port = free_port();
    let dir = tempfile::tempdir().unwrap();
    let mut daemons = Real {
        program: program.to_path_buf(),
        setup,
        port,
        dir,
        children: (0..setup.daemons).map(|_| None).collect(),
    };
    for daemon in (0..setup.daemons).rev() {
        // The first one is to have the unix socket.
        daemons.spawn(daemon);
        daemons.wait_for_port(daemon);
    }
    daemons.wait_for_ring();
    Box::new(daemons)
}

/// A port that is free at the first address. Another one may take it until the daemon does; then
/// the daemon says so.
fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .and_then(|listener| listener.local_addr())
        .unwrap()
        .port()
}

struct Real {
    program: PathBuf,
    setup: Setup,
    port: u16,
    dir: tempfile::TempDir,
    children: Vec<Option<Child>>,
}

impl Real {
    fn config(&self) -> String {
        let mut text = String::new();
        for index in 0..self.setup.daemons {
            let last = index + 1;
            let ip = format!("127.0.0.{last}");
            writeln!(
                text,
                "Spread_Segment 127.0.{last}.255:{} {{\n d{last} {ip} {{\n D {ip}\n C {ip}\n }}\n}}",
                self.port
            )
            .unwrap();
        }
        let dir = self.dir.path().display();
        writeln!(
            text,
            "RuntimeDir = {dir}\nWideAreaNetwork = false\nSocketPortReuse = ON"
        )
        .unwrap();
        writeln!(text, "DaemonUser = root\nDaemonGroup = root").unwrap();
        if let Some(max) = self.setup.max_session_messages {
            writeln!(text, "MaxSessionMessages = {max}").unwrap();
        }
        text.push_str(match self.setup.methods {
            Methods::Unset => "",
            Methods::AllowedNullIp => "AllowedAuthMethods = \"NULL IP\"\n",
            Methods::AllowedIp => "AllowedAuthMethods = \"IP\"\n",
            Methods::AllowedNullRequiredIp => {
                "AllowedAuthMethods = \"NULL\"\nRequiredAuthMethods = \"IP\"\n"
            }
            Methods::RequiredIp => "RequiredAuthMethods = \"IP\"\n",
        });
        text
    }

    fn spawn(&mut self, daemon: usize) {
        let path = self.dir.path().join("spread.conf");
        std::fs::write(&path, self.config()).unwrap();
        // Which addresses may connect by method IP; read from the working directory.
        std::fs::write(self.dir.path().join("spread.access_ip"), "127.0.0.1\n").unwrap();
        let name = format!("d{}", daemon + 1);
        let output = std::fs::File::create(self.dir.path().join(&name)).unwrap();
        let child = Command::new(&self.program)
            .args(["-n", &name, "-c"])
            .arg(&path)
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap();
        self.children[daemon] = Some(child);
    }

    fn wait_for_port(&mut self, daemon: usize) {
        let start = Instant::now();
        while TcpStream::connect(self.addr(daemon)).is_err() {
            let child = self.children[daemon].as_mut().unwrap();
            if start.elapsed() > START || child.try_wait().unwrap().is_some() {
                let name = format!("d{}", daemon + 1);
                let said = std::fs::read(self.dir.path().join(&name)).unwrap_or_default();
                panic!("{name} does not start:\n{}", String::from_utf8_lossy(&said));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Until clients of all daemons see each other.
    fn wait_for_ring(&self) {
        let admits = matches!(self.setup.methods, Methods::Unset | Methods::AllowedNullIp);
        if !admits || self.setup.max_session_messages == Some(0) {
            return;
        }
        let mut clients: Vec<Client> = (0..self.setup.daemons)
            .map(|daemon| {
                let socket = Socket::tcp(self.addr(daemon)).unwrap();
                let mut client = Client::try_connect(socket, "probe", true).unwrap();
                client.join("probe");
                client
            })
            .collect();
        let start = Instant::now();
        for client in &mut clients {
            loop {
                assert!(start.elapsed() < START, "no ring of all daemons");
                if let Event::View { members, .. } = client.next()
                    && members.len() == self.setup.daemons
                {
                    break;
                }
            }
        }
        for client in &mut clients {
            client.send(&Frame::kill(client.group));
            while client
                .frame()
                .is_some_and(|frame| decode(&frame) != Event::End)
            {}
        }
    }

    fn signal(&self, daemon: usize, signal: &str) {
        let pid = self.children[daemon].as_ref().unwrap().id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().unwrap();
        assert!(sent.success());
    }

    fn reap(&mut self, daemon: usize) {
        if let Some(mut child) = self.children[daemon].take() {
            child.wait().unwrap();
        }
    }
}

impl Daemons for Real {
    fn addr(&self, daemon: usize) -> SocketAddr {
        let last = u8::try_from(daemon + 1).unwrap();
        SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), self.port)
    }

    fn unix_path(&self) -> PathBuf {
        PathBuf::from(format!("/tmp/{}", self.port))
    }

    fn kill(&mut self, daemon: usize) {
        self.signal(daemon, "-KILL");
        self.reap(daemon);
    }

    fn stop(&mut self, daemon: usize) {
        self.signal(daemon, "-TERM");
        self.reap(daemon);
    }

    fn restart(&mut self, daemon: usize) {
        self.spawn(daemon);
        self.wait_for_port(daemon);
    }

    fn freeze(&mut self, daemon: usize) {
        self.signal(daemon, "-STOP");
    }

    fn thaw(&mut self, daemon: usize) {
        self.signal(daemon, "-CONT");
    }

    fn token_pause(&self) -> Duration {
        Duration::from_millis(300)
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            // It may have aborted.
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = std::fs::remove_file(self.unix_path());
    }
}
