//! The recorded byte streams between the classic library and real daemons: the client's bytes are
//! sent, and the daemon's have to be those of the record.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde_json::Value;
use spread_proto::limits::NAME_FIELD;
use spread_proto::{HEADER_LEN, Header, Name, service};
use spread_testd::{AuthMethod, Builder, Network, ReferenceFaults};

use crate::client::Socket;

/// Ids of the recorded daemons: that of the first is known, and the second is below it.
const IDS: [i32; 3] = [97_615_837, 5, 7];

#[test]
fn recorded_streams_of_real_daemons_come_out_again() {
    let dir = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vectors");
    let mut count = 0;
    let mut wrong = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let Some(trace) = real_trace(&path) else {
            continue;
        };
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        count += 1;
        if let Err(what) = Replay::new(&name, &trace).run(&trace) {
            wrong.push(format!("{name}: {what}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 70, "only {count} traces");
}

/// A trace of a real daemon with a plain client.
fn real_trace(path: &Path) -> Option<Value> {
    let stem = path.file_stem()?.to_str()?;
    if path.extension()? != "json" || stem.starts_with("fl-") {
        return None;
    }
    let trace: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let daemon = trace.get("daemon")?.as_str()?;
    let has_events = trace.get("events").is_some();
    (daemon.starts_with("5.0.1") && has_events).then_some(trace)
}

fn methods(name: &str, builder: Builder) -> Builder {
    // A client has the address that it connects to.
    let here = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map(|ip| ip.parse().unwrap());
    let here = || AuthMethod::Ip(here.to_vec());
    let elsewhere = || AuthMethod::Ip(vec!["192.0.2.1".parse().unwrap()]);
    match name {
        "auth-callback-fails" | "auth-choose-both" | "auth-choose-ip" | "auth-list-null-ip" => {
            builder.auth_methods([AuthMethod::Null, here()])
        }
        "auth-ip-required" => builder
            .auth_methods([AuthMethod::Null, here()])
            .required_auth_methods([here()]),
        "auth-list-ip-only" => builder.auth_methods([here()]),
        "reject-auth-ip" => builder
            .auth_methods([AuthMethod::Null, elsewhere()])
            .required_auth_methods([elsewhere()]),
        _ => builder,
    }
}

struct Replay {
    name: String,
    network: Network,
    conns: BTreeMap<String, Conn>,
    /// Recorded rings and ours.
    rings: BTreeMap<[u8; 8], [u8; 8]>,
    /// Changes of the network whose first sign is a transitional message for this client.
    changes: BTreeMap<&'static str, fn(&Network)>,
    /// The second daemon dies where the first stream ends.
    dies: bool,
}

struct Conn {
    socket: Socket,
    /// Kind of the header that came last, in case of a body.
    kind: Option<u32>,
    /// A name that the recorded daemon has made up, and ours.
    made_up: Option<(Name, Name)>,
    nameless: bool,
    admitted: bool,
}

impl Replay {
    fn new(name: &str, trace: &Value) -> Self {
        let builder = Network::builder()
            .names(["wd1", "wd2", "wd3"])
            .ids(IDS)
            // As far as the recorded daemons had them.
            .reference_faults(ReferenceFaults {
                lose_many_groups: true,
                ..ReferenceFaults::default()
            });
        let mut builder = methods(name, builder);
        if name == "reject-quota" {
            builder = builder.max_sessions(0);
        }
        if trace["daemon"].as_str().unwrap().contains("deny") {
            builder = builder.deny_groups("deny");
        }
        let network = builder.start().unwrap();
        if name == "reject-not-unique" {
            // By a session that is not in the record.
            for daemon in 0..3 {
                network.hold_name(daemon, "alice").unwrap();
            }
        }
        let freeze: fn(&Network) = |network| network.freeze(1).unwrap();
        let thaw: fn(&Network) = |network| network.thaw(1).unwrap();
        Self {
            name: name.to_owned(),
            network,
            conns: BTreeMap::new(),
            rings: BTreeMap::new(),
            changes: match name {
                "network-partition-merge" => BTreeMap::from([("A", freeze), ("B", thaw)]),
                _ => BTreeMap::new(),
            },
            dies: matches!(name, "daemon-dies" | "network-partition"),
        }
    }

    fn run(&mut self, trace: &Value) -> Result<(), String> {
        let events = trace["events"].as_array().unwrap();
        let end = match self.name.as_str() {
            // The two good-byes at the end were recorded in an order that cannot be theirs.
            "self-discard" => events.len() - 8,
            _ => events.len(),
        };
        let mut index = 0;
        while let Some(event) = events[..end].get(index) {
            let key = event["conn"].as_str().unwrap_or("only").to_owned();
            let to_daemon = event["dir"] == "c2d";
            if !self.conns.contains_key(&key) {
                let conn = self.connect(&events[index..], &key);
                self.conns.insert(key.clone(), conn);
            }
            let eof = event.get("eof").is_some();
            let result = match (to_daemon, eof) {
                // Where nothing but the daemon's end follows, the two ends are recorded in any order.
                (true, true) => {
                    let answered = |event: &Value| {
                        event["dir"] == "d2c"
                            && event.get("eof").is_none()
                            && event["conn"].as_str().unwrap_or("only") == key
                    };
                    if events[index..].iter().any(answered) {
                        self.shut_down(&key);
                    }
                    Ok(())
                }
                (true, false) => {
                    // What was sent together has to come together.
                    let mut bytes = bytes_of(event);
                    while let Some(next) = events.get(index + 1)
                        && next["dir"] == "c2d"
                        && next.get("conn") == event.get("conn")
                        && next.get("eof").is_none()
                    {
                        bytes.extend(bytes_of(next));
                        index += 1;
                    }
                    self.send(&key, bytes);
                    Ok(())
                }
                (false, true) => self.end(&key),
                (false, false) => self.receive(&key, &bytes_of(event)),
            };
            result.map_err(|what| format!("event {index} ({}): {what}", event["note"]))?;
            index += 1;
        }
        Ok(())
    }

    /// Connects to the daemon that will tell its name.
    fn connect(&self, events: &[Value], key: &str) -> Conn {
        let own = |event: &&Value| event["conn"].as_str().unwrap_or("only") == key;
        let mut own_events = events.iter().filter(own);
        let nameless = own_events.next().is_some_and(|connect| {
            let bytes = bytes_of(connect);
            bytes.get(4) == Some(&0)
        });
        let daemon = own_events
            .filter_map(|event| event["note"].as_str())
            .filter(|note| note.starts_with("accept"))
            .filter_map(|note| note.rsplit_once("#wd"))
            .filter_map(|(_, rest)| rest[..1].parse::<usize>().ok())
            .next()
            .unwrap_or(1);
        Conn {
            socket: Socket::tcp(self.network.daemon(daemon - 1).addr()).unwrap(),
            kind: None,
            made_up: None,
            nameless,
            admitted: false,
        }
    }

    fn conn(&mut self, key: &str) -> &mut Conn {
        self.conns.get_mut(key).unwrap()
    }

    fn shut_down(&mut self, key: &str) {
        if let Socket::Tcp(stream) = &self.conn(key).socket {
            // The daemon may have closed it.
            let _ = stream.shutdown(std::net::Shutdown::Write);
        }
    }

    fn send(&mut self, key: &str, mut bytes: Vec<u8>) {
        let conn = self.conn(key);
        if let Some((recorded, ours)) = conn.made_up {
            for at in 0..=bytes.len().saturating_sub(NAME_FIELD) {
                if bytes[at..].starts_with(recorded.raw()) {
                    bytes[at..at + NAME_FIELD].copy_from_slice(ours.raw());
                }
            }
        }
        // A daemon that has dropped the session does not read on.
        let _ = conn.socket.write_all(&bytes);
        self.network.settle().unwrap();
    }

    /// The stream has to end here.
    fn end(&mut self, key: &str) -> Result<(), String> {
        if std::mem::take(&mut self.dies) {
            self.network.kill(1).unwrap();
        }
        self.shut_down(key);
        let rest = self.conn(key).socket.read_to_end();
        if rest.is_empty() {
            Ok(())
        } else {
            Err(format!("{} bytes more: {:02x?}", rest.len(), rest))
        }
    }

    fn receive(&mut self, key: &str, recorded: &[u8]) -> Result<(), String> {
        let conn = self.conn(key);
        if conn.nameless && !conn.admitted && recorded.first() == Some(&1) {
            return conn.take_made_up_name(recorded);
        }
        if recorded.first() == Some(&1) {
            conn.admitted = true;
        }
        let is_header = conn.kind.is_none() && recorded.len() >= HEADER_LEN;
        let header = recorded.first_chunk().map(Header::decode);
        if let (true, Some(header)) = (is_header, header) {
            self.change_network(key, &header);
        }
        let conn = self.conn(key);
        let mut ours = vec![0; recorded.len()];
        let mut read = 0;
        while read < ours.len() {
            match conn.socket.read(&mut ours[read..]) {
                Ok(0) => return Err(format!("ended after {read} of {} bytes", ours.len())),
                Ok(count) => read += count,
                Err(e) if e.kind() == ErrorKind::ConnectionReset => {
                    return Err(format!("reset after {read} bytes"));
                }
                Err(e) => return Err(format!("after {read} bytes: {e}")),
            }
        }
        if let (true, Some(header)) = (is_header, header) {
            let has_body = header.data_len > 0;
            conn.kind = has_body.then_some(header.kind);
        } else if let Some(kind) = conn.kind.take()
            && service::is_membership(kind)
            && !service::is_regular(kind)
        {
            self.mask_ring(&mut ours, recorded)?;
        }
        if ours == recorded {
            Ok(())
        } else {
            Err(format!("got\n{ours:02x?}\nrecorded\n{recorded:02x?}"))
        }
    }

    /// Puts the recorded ring's id in the place of ours, which has to be the same one each time.
    fn mask_ring(&mut self, ours: &mut [u8], recorded: &[u8]) -> Result<(), String> {
        let (Some(mine), Some(theirs)) = (ours.first_chunk::<8>(), recorded.first_chunk::<8>())
        else {
            return Err("a short membership".to_owned());
        };
        let known = *self.rings.entry(*theirs).or_insert(*mine);
        if known != *mine {
            return Err(format!(
                "ring {mine:02x?} for {theirs:02x?}, before {known:02x?}"
            ));
        }
        ours[..8].copy_from_slice(theirs);
        Ok(())
    }

    /// Does to the network what the next message for this client is the first sign of.
    fn change_network(&mut self, key: &str, header: &Header) {
        if header.kind == service::TRANSITION_MESS
            && let Some(change) = self.changes.remove(key)
        {
            change(&self.network);
        }
    }
}

impl Conn {
    /// The answer with a name that is another one each time.
    fn take_made_up_name(&mut self, recorded: &[u8]) -> Result<(), String> {
        let mut answer = vec![0; 5];
        let mut read = 0;
        while read < answer.len() {
            let count = self
                .socket
                .read(&mut answer[read..])
                .map_err(|e| e.to_string())?;
            if count == 0 {
                return Err("refused".to_owned());
            }
            read += count;
            if read == 5 && answer.len() == 5 {
                answer.resize(5 + usize::from(answer[4]), 0);
            }
        }
        let same = answer[..4] == recorded[..4] && answer[5..].starts_with(b"#r");
        self.made_up = Some((Name::new(&recorded[5..]), Name::new(&answer[5..])));
        self.admitted = true;
        if same {
            Ok(())
        } else {
            Err(format!("answer {answer:02x?}"))
        }
    }
}

fn bytes_of(event: &Value) -> Vec<u8> {
    let hex = event["hex"].as_str().unwrap();
    let bytes: Vec<u8> = (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    let times = event.get("repeat").and_then(Value::as_u64).unwrap_or(1);
    bytes.repeat(usize::try_from(times).unwrap())
}
