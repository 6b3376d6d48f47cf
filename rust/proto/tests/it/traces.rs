//! The recorded traces in `tests/fixtures/vectors`; their format is described in the README there.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;
use spread_proto::{Decoder, Direction, Frame, Limits, parse_connect};

/// Accepts whatever a trace holds, so that only the recorded counts decide.
pub(crate) const NO_LIMITS: Limits = Limits {
    max_groups: usize::MAX,
    max_frame: usize::MAX,
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    Client,
    Daemon,
}

#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) from: From,
    pub(crate) bytes: Vec<u8>,
    pub(crate) eof: bool,
}

/// One connection of a trace.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(crate) id: String,
    pub(crate) events: Vec<Event>,
    /// Calls on this connection in order of return.
    pub(crate) api: Vec<Value>,
}

#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) name: String,
    pub(crate) real_daemon: bool,
    pub(crate) conns: Vec<Conn>,
}

/// Both streams of an accepted session behind the handshake.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) label: String,
    pub(crate) private_group: Vec<u8>,
    pub(crate) to_daemon: Vec<u8>,
    pub(crate) to_client: Vec<u8>,
}

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vectors")
}

pub(crate) fn json(name: &str) -> Value {
    let path = folder().join(name);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// File names that begin with `prefix`, sorted.
pub(crate) fn files(prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix) && name.ends_with(".json"))
        .collect();
    names.sort();
    names
}

/// All traces with a byte stream.
pub(crate) fn all() -> &'static [Trace] {
    static ALL: LazyLock<Vec<Trace>> = LazyLock::new(|| {
        let traces: Vec<Trace> = files("").iter().filter_map(|file| load(file)).collect();
        assert_eq!(
            traces.len(),
            227,
            "the folder of traces has changed: adapt this number with care"
        );
        traces
    });
    &ALL
}

/// The only session of the trace `name`.
pub(crate) fn session(name: &str) -> Session {
    let trace = all().iter().find(|trace| trace.name == name).expect(name);
    assert_eq!(trace.conns.len(), 1, "{name}");
    trace.conns[0].session(trace).expect(name)
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0, "{text}");
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

fn load(file: &str) -> Option<Trace> {
    let value = json(file);
    let events = value.get("events")?.as_array().unwrap();
    let mut conns: Vec<Conn> = Vec::new();
    let id_of = |value: &Value| {
        value
            .get("conn")
            .map_or("A", |id| id.as_str().unwrap())
            .to_owned()
    };
    for event in events {
        let id = id_of(event);
        let index = conns
            .iter()
            .position(|conn| conn.id == id)
            .unwrap_or_else(|| {
                conns.push(Conn {
                    id,
                    events: Vec::new(),
                    api: Vec::new(),
                });
                conns.len() - 1
            });
        let hex = event.get("hex").map_or("", |hex| hex.as_str().unwrap());
        let repeat = event
            .get("repeat")
            .map_or(1, |n| usize::try_from(n.as_u64().unwrap()).unwrap());
        conns[index].events.push(Event {
            from: match event["dir"].as_str().unwrap() {
                "c2d" => From::Client,
                "d2c" => From::Daemon,
                other => panic!("{file}: direction {other}"),
            },
            bytes: unhex(hex).repeat(repeat),
            eof: event.get("eof").is_some_and(|eof| eof.as_bool().unwrap()),
        });
    }
    for call in value
        .get("api")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let id = id_of(call);
        // Calls without a byte on the wire (connecting to nobody) have no connection.
        if let Some(conn) = conns.iter_mut().find(|conn| conn.id == id) {
            conn.api.push(call.clone());
        }
    }
    Some(Trace {
        name: file.trim_end_matches(".json").to_owned(),
        real_daemon: !value["daemon"].as_str().unwrap().contains("fake"),
        conns,
    })
}

impl Conn {
    pub(crate) fn stream(&self, from: From) -> Vec<u8> {
        self.events
            .iter()
            .filter(|event| event.from == from)
            .flat_map(|event| event.bytes.clone())
            .collect()
    }

    /// What follows the handshake, if the session was accepted.
    pub(crate) fn session(&self, trace: &Trace) -> Option<Session> {
        let (to_daemon, to_client) = (self.stream(From::Client), self.stream(From::Daemon));
        let first = self
            .events
            .iter()
            .find(|event| event.from == From::Client)?;
        let connect = parse_connect(&first.bytes).ok()?;
        let (mut client_at, mut daemon_at) = (connect.consumed, 0);
        if connect.version.has_auth_step() {
            daemon_at = 1 + usize::try_from(to_client.first()?.cast_signed()).ok()?;
            client_at += 90;
        }
        let fixed = if connect.version.has_patch_in_answer() {
            5
        } else {
            4
        };
        let answer = to_client.get(daemon_at..daemon_at + fixed)?;
        if answer[0] != 1 {
            return None;
        }
        daemon_at += fixed;
        let name_end = daemon_at + usize::from(answer[fixed - 1]);
        Some(Session {
            label: format!("{}/{}", trace.name, self.id),
            private_group: to_client.get(daemon_at..name_end)?.to_vec(),
            to_daemon: to_daemon.get(client_at..)?.to_vec(),
            to_client: to_client.get(name_end..)?.to_vec(),
        })
    }
}

/// Every accepted session of every trace.
pub(crate) fn sessions() -> Vec<Session> {
    let sessions: Vec<Session> = all()
        .iter()
        .flat_map(|trace| {
            trace
                .conns
                .iter()
                .filter_map(|conn| conn.session(trace))
                .collect::<Vec<_>>()
        })
        .collect();
    assert!(sessions.len() > 250, "only {} sessions", sessions.len());
    sessions
}

impl Session {
    pub(crate) fn streams(&self) -> [(Direction, &[u8]); 2] {
        [
            (Direction::ToDaemon, &self.to_daemon),
            (Direction::ToClient, &self.to_client),
        ]
    }
}

/// All frames of a stream that came in one piece, and the decoder after them.
pub(crate) fn frames(
    direction: Direction,
    stream: &[u8],
) -> (Vec<Frame>, Decoder, Option<spread_proto::DecodeError>) {
    let mut decoder = Decoder::new(direction, NO_LIMITS);
    decoder.feed(stream);
    let mut frames = Vec::new();
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return (frames, decoder, None),
            Err(error) => return (frames, decoder, Some(error)),
        }
    }
}
