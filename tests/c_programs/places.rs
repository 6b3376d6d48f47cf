//! The daemons that the programs talk to: one embedded network, and real daemons where the environment names a binary.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use spread_testd::Network;

use crate::support::{ProgramCommand, Running, scaled, scratch};

/// A real daemon forms its ring in 2 s, alone.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Where programs can connect to.
pub(crate) struct Place {
    what: &'static str,
    /// For `SP_connect`: the unix socket, then the TCP one.
    names: [String; 2],
}

impl Place {
    /// What it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    /// The spread names.
    pub(crate) fn names(&self) -> &[String; 2] {
        &self.names
    }
}

/// The embedded network, until the tests are over: statics are not dropped by themselves.
static NETWORK: Mutex<Option<Network>> = Mutex::new(None);

extern "C" fn stop() {
    drop(
        NETWORK
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
    );
}

/// The embedded network, the same for all tests.
pub(crate) fn embedded() -> &'static Place {
    static PLACE: OnceLock<Place> = OnceLock::new();
    PLACE.get_or_init(|| {
        let network = Network::builder()
            .start()
            .expect("an embedded network can be started");
        let first = network.daemon(0);
        let place = Place {
            what: "the embedded network",
            names: [
                first.unix_name().expect("unix sockets are on by default"),
                first.spread_name(),
            ],
        };
        *NETWORK.lock().unwrap_or_else(PoisonError::into_inner) = Some(network);
        // SAFETY: `stop` is a plain function that may run while the process ends.
        unsafe { libc::atexit(stop) };
        place
    })
}

/// A real daemon that is alone in its network. Dropping it kills it.
///
/// Each test has one of its own, so that none suffers from what another one has done to it.
pub(crate) struct RealDaemon {
    port: u16,
    place: Place,
    _process: Running,
}

impl RealDaemon {
    /// Starts one, for the test of this name.
    pub(crate) fn start(file: &OsStr, test: &str) -> Self {
        let folder = scratch(&format!("daemon-{test}"));
        let port = free_port();
        let conf = folder.join("spread.conf");
        fs::write(&conf, configuration(port, &folder)).expect("a file can be written below target");
        let process = ProgramCommand::new(file)
            .args([OsStr::new("-n"), OsStr::new("d1"), OsStr::new("-c")])
            .arg(&conf)
            .current_dir(&folder)
            .spawn();
        wait_for_ring(port);
        Self {
            port,
            place: Place {
                what: "a real daemon",
                names: [port.to_string(), format!("{port}@127.0.0.1")],
            },
            _process: process,
        }
    }

    /// Where it is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }
}

impl Drop for RealDaemon {
    fn drop(&mut self) {
        // It cannot do so itself once it has been killed. A path that is gone already is no matter.
        let _ = fs::remove_file(unix_path(self.port));
    }
}

/// A port that is free now, also for the UDP sockets of a daemon, which has them there and at the next numbers. Nobody else is given
/// the number so soon.
fn free_port() -> u16 {
    for _ in 0..100 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be had");
        let port = listener.local_addr().expect("it has an address").port();
        let taken: Vec<_> = (0..4)
            .map_while(|n| UdpSocket::bind((Ipv4Addr::LOCALHOST, port.checked_add(n)?)).ok())
            .collect();
        if taken.len() == 4 && !unix_path(port).exists() {
            return port;
        }
    }
    panic!("no port for a daemon is free");
}

fn unix_path(port: u16) -> PathBuf {
    PathBuf::from("/tmp").join(port.to_string())
}

fn configuration(port: u16, folder: &Path) -> String {
    let mut conf = format!(
        "Spread_Segment 127.0.0.255:{port} {{
    d1 127.0.0.1 {{
        D 127.0.0.1
        C 127.0.0.1
    }}
}}
SocketPortReuse = ON
DebugFlags = {{ PRINT EXIT }}
"
    );
    // SAFETY: plain system call.
    if unsafe { libc::geteuid() } == 0 {
        // It changes its user, and its root to a folder that must be there.
        let run = folder.join("run");
        fs::create_dir_all(&run).expect("a folder can be made below target");
        conf += &format!(
            "RuntimeDir = {}\nDaemonUser = nobody\nDaemonGroup = {}\n",
            run.display(),
            group_of_nobody()
        );
    }
    conf
}

/// The group without rights has different names on different systems.
fn group_of_nobody() -> &'static str {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    if groups.lines().any(|line| line.starts_with("nogroup:")) {
        "nogroup"
    } else {
        "nobody"
    }
}

/// Waits until the daemon orders messages: a client joins a group and is told so.
fn wait_for_ring(port: u16) {
    let deadline = Instant::now() + scaled(START_LIMIT);
    loop {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Ok(stream) => {
                stream
                    .set_read_timeout(Some(
                        deadline
                            .saturating_duration_since(Instant::now())
                            .max(Duration::from_millis(1)),
                    ))
                    .expect("a limit above zero");
                join_a_group(stream).expect("a daemon that listens lets a client join");
                return;
            }
            Err(e) => {
                assert!(
                    Instant::now() < deadline,
                    "the real daemon does not listen: {e}"
                );
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
}

/// The least client there can be: by hand, as nothing that is under test may be needed to start a test.
fn join_a_group(mut stream: TcpStream) -> std::io::Result<()> {
    const MARKERS: u32 = 0x8000_0080;
    const JOIN: u32 = 0x0001_0000;
    /// Version 5.0.1, membership messages wanted, a name of five letters.
    const HELLO: &[u8] = b"\x05\0\x01\x01\x05ready";

    stream.write_all(HELLO)?;
    let mut length = [0];
    stream.read_exact(&mut length)?;
    let mut methods = vec![0; usize::from(length[0])];
    stream.read_exact(&mut methods)?;
    let mut choice = [0; 90];
    choice[..4].copy_from_slice(b"NULL");
    stream.write_all(&choice)?;
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    let mut private_group = vec![0; usize::from(answer[4])];
    stream.read_exact(&mut private_group)?;
    private_group.resize(32, 0);

    let mut frame = Vec::new();
    frame.extend((JOIN | MARKERS).to_ne_bytes());
    frame.extend(&private_group);
    frame.extend(1_u32.to_ne_bytes());
    frame.extend(MARKERS.to_ne_bytes());
    frame.extend(0_u32.to_ne_bytes());
    frame.extend(b"ready");
    frame.resize(48 + 32, 0);
    stream.write_all(&frame)?;
    let mut header = [0; 48];
    stream.read_exact(&mut header)
}
