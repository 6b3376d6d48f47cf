//! Three real daemons on loopback, where `SPREAD_DAEMON=/path/to/spread` names the program; with the longer
//! timeouts of wide area networks where `SPREAD_WAN` is set.

use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use spread_client::Event;

use crate::client::{Client, connect, readable, say};
use crate::dns;
use crate::scale::{Restarts, allow_descriptors, is_even, restart_in_turn, spread_of};
use crate::support::{ProgramCommand, Running, scratch, skip};

/// Three daemons, each at a port of its own.
struct Daemons {
    program: std::ffi::OsString,
    conf: PathBuf,
    ports: Vec<u16>,
    running: Vec<Option<Running>>,
}

impl Drop for Daemons {
    fn drop(&mut self) {
        for port in &self.ports {
            let _ = fs::remove_file(format!("/tmp/{port}"));
        }
    }
}

/// A port that is free, together with the next two for UDP: a daemon uses all of them.
fn free_port() -> u16 {
    let usable = || {
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
        let port = tcp.local_addr().ok()?.port();
        let free = (0..3).all(|i| {
            port.checked_add(i)
                .is_some_and(|next| UdpSocket::bind((Ipv4Addr::LOCALHOST, next)).is_ok())
        });
        (free && !Path::new(&format!("/tmp/{port}")).exists()).then_some(port)
    };
    (0..100).find_map(|_| usable()).expect("a port is free")
}

impl Daemons {
    fn start(purpose: &str) -> Option<Self> {
        let Some(program) = std::env::var_os("SPREAD_DAEMON") else {
            skip("SPREAD_DAEMON is not set: no real daemons to lose");
            return None;
        };
        let dir = scratch(&format!("real-{purpose}"));
        let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
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
            "RuntimeDir = {}\nDaemonUser = nobody\nDaemonGroup = nogroup\nWideAreaNetwork = {}\nSocketPortReuse = ON\n",
            dir.display(),
            std::env::var_os("SPREAD_WAN").is_some()
        );
        let conf = dir.join("spread.conf");
        fs::write(&conf, text).expect("a file can be written below target");
        let mut daemons = Self {
            program,
            conf,
            ports,
            running: Vec::new(),
        };
        for at in 0..3 {
            let running = daemons.spawn(at);
            daemons.running.push(Some(running));
        }
        Some(daemons)
    }

    fn spawn(&self, at: usize) -> Running {
        ProgramCommand::new(&self.program)
            .args(["-n", &format!("wd{}", at + 1), "-c"])
            .arg(&self.conf)
            .limit(Duration::from_secs(3600))
            .spawn()
    }

    /// SIGKILL, as a crash.
    fn kill(&mut self, at: usize) {
        if let Some(running) = self.running[at].take() {
            running.signal(libc::SIGKILL);
        }
    }

    fn restart(&mut self, at: usize) {
        self.running[at] = Some(self.spawn(at));
    }

    fn signal(&self, at: usize, signal: i32) {
        if let Some(running) = &self.running[at] {
            running.signal(signal);
        }
    }

    fn name(&self, at: usize) -> String {
        format!("{}@127.0.0.1", self.ports[at])
    }

    fn list(&self, order: &[usize]) -> String {
        let names: Vec<_> = order.iter().map(|&at| self.name(at)).collect();
        names.join(",")
    }

    /// Waits until all of them accept.
    fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        for port in &self.ports {
            while TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_err() {
                assert!(Instant::now() < deadline, "a real daemon does not listen");
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Restarts for Daemons {
    fn daemon_name(&self, daemon: usize) -> String {
        format!("wd{}", daemon + 1)
    }

    fn take_down(&mut self, daemon: usize) {
        self.kill(daemon);
    }

    fn bring_up(&mut self, daemon: usize) {
        self.restart(daemon);
        self.wait();
        let observer = connect(&self.name(daemon), "obs").expect("a session");
        observer.join_and_see("observers");
    }
}

/// Waits until these clients see each other in the group: the ring is whole.
fn wait_for_members(client: &Client, group: &str, count: usize) {
    loop {
        let got = client.receive().expect("a view");
        if got.sender == group && got.groups.len() == count {
            return;
        }
    }
}

/// What a client sees until `wanted` comes, with the times since `since`.
fn watch(client: &Client, since: Instant, wanted: &str) -> Vec<(Duration, String)> {
    let mut seen = Vec::new();
    loop {
        let line = client.next();
        let end = line == wanted;
        if !line.starts_with("data #sue") || end {
            seen.push((since.elapsed(), line));
        }
        if end {
            return seen;
        }
    }
}

/// The client's daemon is killed in the middle of a stream.
#[test]
fn a_killed_daemon_on_real_daemons() {
    let Some(mut daemons) = Daemons::start("killed") else {
        return;
    };
    daemons.wait();
    let ann = connect(&daemons.name(1), "ann").unwrap();
    let sue = connect(&daemons.name(2), "sue").unwrap();
    ann.join("g").unwrap();
    sue.join("g").unwrap();
    wait_for_members(&ann, "g", 2);
    let name = format!("{}?failover=auto", daemons.list(&[0, 1]));
    let mut bob = connect(&name, "bob").unwrap();
    assert_eq!(bob.name(), "#bob#wd1");
    bob.join("g").unwrap();
    wait_for_members(&ann, "g", 3);
    wait_for_members(&bob, "g", 3);

    let mut sent = 0;
    let stream = |sent: &mut u32, count: u32| {
        for _ in 0..count {
            sue.multicast("g", format!("{sent}").as_bytes()).unwrap();
            *sent += 1;
        }
    };
    stream(&mut sent, 200);
    let died = Instant::now();
    daemons.kill(0);
    let (noticed, rejoined, how, saw, survivor) = std::thread::scope(|scope| {
        let survivor = scope.spawn(|| watch(&ann, died, "data #sue#wd3 end"));
        stream(&mut sent, 200);
        bob.event();
        assert!(matches!(bob.event(), Event::DaemonLost { .. }));
        let noticed = died.elapsed();
        let how = bob.reconnected();
        let rejoined = died.elapsed();
        assert_eq!(bob.name(), "#bob#wd2");
        assert_eq!(how.groups, 1);
        sue.multicast("g", b"end").unwrap();
        let saw = watch(&bob, died, "data #sue#wd3 end");
        (noticed, rejoined, how, saw, survivor.join().unwrap())
    });
    say(format_args!(
        "real: killed: noticed after {noticed:?}, on another daemon and rejoined after {rejoined:?} (gap {:?}, {} attempts)",
        how.gap, how.attempts
    ));
    for (who, lines) in [("the client", &saw), ("a survivor", &survivor)] {
        for (when, line) in lines {
            say(format_args!("real: {who} saw at {:>8.1?}: {line}", when));
        }
    }
    let lines: Vec<&str> = saw.iter().map(|(_, line)| line.as_str()).collect();
    assert_eq!(lines[0], "transition g");
    assert!(
        lines[1].starts_with("view g ") && lines[1].contains("#bob#wd2"),
        "{lines:?}"
    );
    assert!(rejoined < Duration::from_secs(15), "{rejoined:?}");
}

/// The only daemon of a name is killed and started again.
#[test]
fn a_restarted_daemon_on_real_daemons() {
    let Some(mut daemons) = Daemons::start("restarted") else {
        return;
    };
    daemons.wait();
    let ann = connect(&daemons.name(1), "ann").unwrap();
    ann.join("g").unwrap();
    let mut bob = connect(&format!("{}?failover=auto", daemons.name(0)), "bob").unwrap();
    bob.join("g").unwrap();
    wait_for_members(&ann, "g", 2);
    wait_for_members(&bob, "g", 2);
    let died = Instant::now();
    daemons.kill(0);
    daemons.restart(0);
    let how = bob.reconnected();
    say(format_args!(
        "real: killed and started again: rejoined after {:?} ({} attempts)",
        died.elapsed(),
        how.attempts
    ));
    assert_eq!(bob.name(), "#bob#wd1");
    assert_eq!(bob.next(), "transition g");
    assert!(bob.next().starts_with("view g "));
}

/// The next daemon of the list is frozen: it accepts connections and says nothing.
#[test]
fn a_frozen_candidate_on_real_daemons() {
    let Some(mut daemons) = Daemons::start("frozen") else {
        return;
    };
    daemons.wait();
    let sue = connect(&daemons.name(2), "sue").unwrap();
    sue.join("g").unwrap();
    let options = "failover=auto&attempt_timeout_ms=700";
    let name = format!("{}?{options}", daemons.list(&[0, 1, 2]));
    let mut bob = connect(&name, "bob").unwrap();
    bob.join("g").unwrap();
    wait_for_members(&sue, "g", 2);
    daemons.signal(1, libc::SIGSTOP);
    let died = Instant::now();
    daemons.kill(0);
    let how = bob.reconnected();
    daemons.signal(1, libc::SIGCONT);
    say(format_args!(
        "real: the next one frozen: rejoined after {:?} ({} attempts)",
        died.elapsed(),
        how.attempts
    ));
    assert_eq!(bob.name(), "#bob#wd3");
}

/// The client's own daemon is frozen, which nobody can see but by its silence: the program decides.
#[test]
fn a_frozen_daemon_is_left_on_real_daemons() {
    let Some(daemons) = Daemons::start("left") else {
        return;
    };
    daemons.wait();
    let ann = connect(&daemons.name(1), "ann").unwrap();
    ann.join("g").unwrap();
    let name = format!("{}?failover=auto", daemons.list(&[0, 1]));
    let mut bob = connect(&name, "bob").unwrap();
    bob.join("g").unwrap();
    wait_for_members(&ann, "g", 2);
    wait_for_members(&bob, "g", 2);
    daemons.signal(0, libc::SIGSTOP);
    let frozen = Instant::now();
    spread_client::reconnect(bob.mailbox).unwrap();
    let how = bob.reconnected();
    say(format_args!(
        "real: left a frozen daemon: rejoined after {:?}, gap {:?}",
        frozen.elapsed(),
        how.gap
    ));
    assert_eq!(bob.name(), "#bob#wd2");
    ann.multicast("g", b"hello").unwrap();
    bob.until("data #ann#wd2 hello");
    // Its thaw brings the old name back for a moment; the session is not touched by that.
    daemons.signal(0, libc::SIGCONT);
    ann.multicast("g", b"again").unwrap();
    bob.until("data #ann#wd2 again");
}

/// Moving on purpose loses nothing.
#[test]
fn a_move_on_real_daemons() {
    let Some(daemons) = Daemons::start("moved") else {
        return;
    };
    daemons.wait();
    let ann = connect(&daemons.name(2), "ann").unwrap();
    ann.join("g").unwrap();
    let name = format!("{}?failover=auto", daemons.list(&[0, 1]));
    let mut bob = connect(&name, "bob").unwrap();
    bob.join("g").unwrap();
    wait_for_members(&ann, "g", 2);
    let count = 500;
    for number in 0..count {
        if number == count / 2 {
            spread_client::reconnect(bob.mailbox).unwrap();
        }
        bob.multicast("g", format!("{number}").as_bytes()).unwrap();
        // At the pace of a real daemon.
        if number % 50 == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let how = bob.reconnected();
    assert_eq!(how.private_group.as_bytes(), b"#bob#wd2");
    bob.multicast("g", b"end").unwrap();
    let mut numbers = 0;
    loop {
        assert!(readable(ann.mailbox, Duration::from_secs(20)));
        let line = ann.next();
        if line.ends_with(" end") {
            break;
        }
        if line.starts_with("data ") {
            assert!(
                line.ends_with(&format!(" {numbers}")),
                "{line} after {numbers}"
            );
            numbers += 1;
        }
    }
    assert_eq!(numbers, count);
    say(format_args!("real: moved: gap {:?}", how.gap));
}

/// Sessions with one name for all daemons, which are restarted in turn.
#[test]
#[ignore = "500 sessions, some forty seconds"]
fn many_clients_go_home_on_real_daemons() {
    if std::env::var_os("SPREAD_DAEMON").is_none() {
        skip("SPREAD_DAEMON is not set: no real daemons to restart");
        return;
    }
    dns::run_inside("real::inside_many_clients", 1, "");
}

#[test]
#[ignore = "runs inside of many_clients_go_home_on_real_daemons"]
fn inside_many_clients() {
    let Some(names) = dns::server() else {
        skip("it runs as a part of many_clients_go_home_on_real_daemons only");
        return;
    };
    allow_descriptors();
    let mut daemons = Daemons::start("many").expect("SPREAD_DAEMON is set");
    daemons.wait();
    names.host("here.test", &["127.0.0.1"]);
    let records: Vec<_> = daemons
        .ports
        .iter()
        .map(|&port| (0, 10, port, "here.test"))
        .collect();
    names.services("_spread._tcp.test", &records);
    let name = "srv:_spread._tcp.test?failover=auto&avoid_ms=500&failback_ms=4000";
    let clients = restart_in_turn(510, name, &mut daemons);
    let end = spread_of(&clients);
    assert!(is_even(&end), "{end:?}");
}

/// A program that does not receive has a small inbox, and its daemon throws it out.
#[test]
fn a_slow_reader_comes_back_on_real_daemons() {
    let Some(daemons) = Daemons::start("slow") else {
        return;
    };
    daemons.wait();
    let sue = connect(&daemons.name(1), "sue").unwrap();
    sue.join("g").unwrap();
    // By the unix socket first.
    let options = "failover=auto&recv_max_bytes=64K";
    let name = format!("{},{}?{options}", daemons.ports[0], daemons.name(1));
    let mut bob = connect(&name, "bob").unwrap();
    assert_eq!(bob.name(), "#bob#wd1");
    bob.join("g").unwrap();
    wait_for_members(&sue, "g", 2);
    wait_for_members(&bob, "g", 2);
    let start = Instant::now();
    let mut sent = 0;
    let lost = loop {
        // Far more than the sockets hold and the daemon keeps for it.
        assert!(sent < 100_000, "it is not thrown out");
        sue.multicast("g", &[b'.'; 1000]).unwrap();
        sent += 1;
        while sue.receive_within(Duration::ZERO).is_some() {}
        let next = spread_client::next_event(bob.mailbox).unwrap();
        if matches!(next, Some(Event::DaemonLost { .. })) {
            break start.elapsed();
        }
    };
    let how = bob.reconnected();
    let waits = spread_client::waiting_bytes(bob.mailbox).unwrap();
    say(format_args!(
        "real: a slow reader: thrown out after {sent} messages, which was noticed after {lost:?}; gap {:?}, {waits} bytes wait",
        how.gap
    ));
    assert!(waits < (64 << 10) + (2 << 20), "{waits}");
    bob.until("transition g");
    sue.multicast("g", b"end").unwrap();
    let sender = sue.name();
    bob.until(&format!("data {sender} end"));
}
