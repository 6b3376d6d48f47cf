//! The networks that order messages: embedded daemons, and real ones.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spread_proto::ByteOrder;

use super::program::{Mode, Ops};
use super::support::{ProgramCommand, Running, scratch, skip};

/// Three daemons of one network.
#[derive(Debug)]
pub(crate) struct Network {
    names: Vec<String>,
    _daemons: Daemons,
}

/// They end with the network.
#[derive(Debug)]
#[expect(dead_code, reason = "held only to be dropped")]
enum Daemons {
    Embedded(spread_testd::Network),
    Real(Vec<Running>, UnixSockets),
}

/// Sockets in `/tmp` that real daemons leave behind.
#[derive(Debug)]
struct UnixSockets(Vec<PathBuf>);

impl Drop for UnixSockets {
    fn drop(&mut self) {
        for path in &self.0 {
            // It is gone already where the daemon could remove it.
            let _ = fs::remove_file(path);
        }
    }
}

impl Network {
    pub(crate) fn mode(&self) -> Mode {
        Mode::Network(self.names.clone())
    }
}

/// Three embedded daemons, the first of them reached by its unix socket, the others by TCP.
pub(crate) fn embedded(order: ByteOrder) -> Network {
    let network = spread_testd::Network::builder()
        .daemons(3)
        .byte_order(order)
        .start()
        .expect("three embedded daemons start on loopback");
    let names = network
        .daemons()
        .iter()
        .map(|daemon| daemon.unix_name().unwrap_or_else(|| daemon.spread_name()))
        .collect();
    Network {
        names,
        _daemons: Daemons::Embedded(network),
    }
}

/// A port that is free now on 127.0.0.1, together with the next two for UDP: a daemon uses all of them.
fn free_port() -> u16 {
    let usable = || {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        let port = tcp.local_addr().ok()?.port();
        let path = format!("/tmp/{port}");
        let free = (0..3).all(|i| {
            port.checked_add(i)
                .is_some_and(|next| UdpSocket::bind((Ipv4Addr::LOCALHOST, next)).is_ok())
        });
        (free && !Path::new(&path).exists()).then_some(port)
    };
    (0..100).find_map(|_| usable()).expect("a port is free")
}

/// The daemons differ by port, not by address: a daemon refuses an address that no interface lists.
fn configuration(ports: &[u16], dir: &Path) -> String {
    let mut text = String::new();
    for (at, port) in ports.iter().enumerate() {
        let n = at + 1;
        let _ = writeln!(
            text,
            "Spread_Segment 127.0.{n}.255:{port} {{\n  wd{n} 127.0.0.1 {{\n    D 127.0.0.1\n    C 127.0.0.1\n  }}\n}}"
        );
    }
    // The user and group count only for a daemon that is started as root.
    let _ = write!(
        text,
        "RuntimeDir = {}\nDaemonUser = nobody\nDaemonGroup = nogroup\nWideAreaNetwork = false\nSocketPortReuse = ON\n",
        dir.display()
    );
    text
}

/// Three real daemons of `SPREAD_DAEMON`, the first of them reached by its unix socket; `None`, with a word, where it is not set.
///
/// `purpose` names the folder of their files.
pub(crate) fn real(purpose: &str) -> Option<Network> {
    let Some(program) = std::env::var_os("SPREAD_DAEMON") else {
        skip("SPREAD_DAEMON is not set: no real daemon to run on");
        return None;
    };
    let dir = scratch(&format!("real-{purpose}"));
    let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
    let conf = dir.join("spread.conf");
    fs::write(&conf, configuration(&ports, &dir)).expect("a file can be written below target");
    let daemons: Vec<Running> = (1..=ports.len())
        .map(|n| {
            ProgramCommand::new(&program)
                .args(["-n", &format!("wd{n}"), "-c"])
                .arg(&conf)
                .limit(Duration::from_secs(3600))
                .spawn()
        })
        .collect();
    let names = ports
        .iter()
        .enumerate()
        .map(|(at, port)| match at {
            0 => port.to_string(),
            _ => format!("{port}@127.0.0.1"),
        })
        .collect();
    let network = Network {
        names,
        _daemons: Daemons::Real(
            daemons,
            UnixSockets(
                ports
                    .iter()
                    .map(|port| format!("/tmp/{port}").into())
                    .collect(),
            ),
        ),
    };
    wait_until_ordered(&network);
    Some(network)
}

/// Real daemons accept clients at once and need some seconds to find each other.
fn wait_until_ordered(network: &Network) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let library = &super::library().dir;
    loop {
        // A seed of its own, run twice: with a network that stands still both give the same.
        let seeds = Ops::get().run_seeds(library, &network.mode(), &[0]);
        let again = Ops::get().run_seeds(library, &network.mode(), &[0]);
        if seeds.is_same(&again) && seeds.is_sound() {
            return;
        }
        assert!(
            Instant::now() < deadline,
            "the real daemons do not order messages"
        );
    }
}
