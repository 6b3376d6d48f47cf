//! Daemons that stay for several measurements.

use std::error::Error;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fmt, fs};

use spread_testd::Network;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// How a program reaches its daemon.
#[derive(Clone, Copy)]
pub(crate) enum Transport {
    Unix,
    Tcp,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unix => "unix",
            Self::Tcp => "TCP",
        })
    }
}

impl Transport {
    /// For the source's command line.
    pub(crate) fn letter(self) -> &'static str {
        match self {
            Self::Unix => "u",
            Self::Tcp => "t",
        }
    }

    /// The spread name of a port on this machine.
    pub(crate) fn name(self, port: u16) -> String {
        match self {
            Self::Unix => port.to_string(),
            Self::Tcp => format!("{port}@127.0.0.1"),
        }
    }
}

/// A port that is free now, with the UDP ports that a daemon takes.
pub(crate) fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let free = (0..4).all(|n| {
            port.checked_add(n)
                .is_some_and(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok())
        });
        if free && !unix_path(port).exists() {
            return Ok(port);
        }
    }
    Err("no port is free".into())
}

fn unix_path(port: u16) -> PathBuf {
    Path::new("/tmp").join(port.to_string())
}

/// The simulated network, in this process.
pub(crate) struct Embedded {
    _network: Network,
    names: [String; 2],
}

impl Embedded {
    pub(crate) fn start() -> Result<Self> {
        let network = Network::builder().start()?;
        let first = network.daemon(0);
        let names = [
            first.unix_name().ok_or("no unix socket")?,
            first.spread_name(),
        ];
        Ok(Self {
            _network: network,
            names,
        })
    }

    pub(crate) fn name(&self, transport: Transport) -> &str {
        &self.names[transport as usize]
    }
}

/// A real daemon, alone in its network.
pub(crate) struct Real {
    process: Child,
    port: u16,
    names: [String; 2],
}

impl Real {
    /// Starts the daemon that `SPREAD_DAEMON` names, if it does.
    pub(crate) fn start() -> Result<Option<Self>> {
        let Some(file) = env::var_os("SPREAD_DAEMON") else {
            return Ok(None);
        };
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-daemon");
        fs::create_dir_all(&folder)?;
        let port = free_port()?;
        let conf = folder.join("spread.conf");
        let mut text = format!(
            "Spread_Segment 127.0.0.255:{port} {{\n d1 127.0.0.1 {{\n D 127.0.0.1\n C 127.0.0.1\n }}\n}}\nSocketPortReuse = ON\nDebugFlags = {{ PRINT EXIT }}\n"
        );
        // A daemon that is started as root changes its user, and its root to a folder that must be there.
        text += &format!(
            "DaemonUser = nobody\nDaemonGroup = nogroup\nRuntimeDir = {}\n",
            folder.display()
        );
        fs::write(&conf, text)?;
        let process = Command::new(file)
            .args(["-n", "d1", "-c"])
            .arg(&conf)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let real = Self {
            process,
            port,
            names: [Transport::Unix.name(port), Transport::Tcp.name(port)],
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() || !unix_path(port).exists()
        {
            if Instant::now() > deadline {
                return Err("the real daemon has not started".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        // It forms its ring in two seconds, and orders nothing before.
        std::thread::sleep(Duration::from_secs(4));
        Ok(Some(real))
    }

    pub(crate) fn name(&self, transport: Transport) -> &str {
        &self.names[transport as usize]
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_file(unix_path(self.port));
    }
}
