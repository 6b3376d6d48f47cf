//! The daemons that the programs talk to: one embedded network, and a real daemon where the environment names one.

use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use spread_testd::Network;

use crate::support::{ProgramCommand, Running, scaled, scratch};
use crate::variable;

/// A real daemon forms its ring in 2 s, alone.
const START_LIMIT: Duration = Duration::from_secs(20);

/// Where programs can connect to.
pub(crate) struct Place {
    what: &'static str,
    is_real: bool,
    /// For `SP_connect`: the unix socket, then the TCP one.
    names: [String; 2],
}

impl Place {
    /// What it is, for messages.
    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    /// Whether it is a real daemon.
    pub(crate) fn is_real(&self) -> bool {
        self.is_real
    }

    /// The spread names.
    pub(crate) fn names(&self) -> &[String; 2] {
        &self.names
    }
}

/// What must be stopped when the tests are over; statics are not dropped.
struct Everything {
    _network: Network,
    _daemon: Option<RealDaemon>,
}

static RUNNING: Mutex<Option<Everything>> = Mutex::new(None);

extern "C" fn stop() {
    drop(
        RUNNING
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take(),
    );
}

/// All daemons, started at the first call.
pub(crate) fn all() -> &'static [Place] {
    static PLACES: OnceLock<Vec<Place>> = OnceLock::new();
    PLACES.get_or_init(|| {
        let network = Network::builder()
            .start()
            .expect("an embedded network can be started");
        let first = network.daemon(0);
        let mut places = vec![Place {
            what: "the embedded network",
            is_real: false,
            names: [
                first.unix_name().expect("unix sockets are on by default"),
                first.spread_name(),
            ],
        }];
        let daemon = variable("SPREAD_DAEMON").map(|file| RealDaemon::start(&file));
        if let Some(daemon) = &daemon {
            places.push(Place {
                what: "a real daemon",
                is_real: true,
                names: [
                    daemon.port.to_string(),
                    format!("{}@127.0.0.1", daemon.port),
                ],
            });
        }
        *RUNNING.lock().unwrap_or_else(PoisonError::into_inner) = Some(Everything {
            _network: network,
            _daemon: daemon,
        });
        // SAFETY: `stop` is a plain function that may run while the process ends.
        unsafe { libc::atexit(stop) };
        places
    })
}

/// A real daemon that is alone in its network. Dropping it kills it.
struct RealDaemon {
    port: u16,
    _process: Running,
}

impl RealDaemon {
    fn start(file: &OsStr) -> Self {
        let folder = scratch("real-daemon");
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
            _process: process,
        }
    }
}

impl Drop for RealDaemon {
    fn drop(&mut self) {
        // It cannot do so itself once it has been killed. A path that is gone already is no matter.
        let _ = fs::remove_file(PathBuf::from("/tmp").join(self.port.to_string()));
    }
}

/// A port that is free now. The daemon allows the reuse of addresses, and nobody else is given the number so soon.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port can be had");
    listener.local_addr().expect("it has an address").port()
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
