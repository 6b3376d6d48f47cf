//! Plays one trace.

use std::collections::{BTreeMap, HashMap};
use std::ffi::c_int;
use std::fs;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::answer::{Answer, compare, make};
use crate::daemon::{Connection, Kind, Listener};
use crate::known::{self, Instead};
use crate::library::{Library, Received};
use crate::support::{is_asleep, root, scaled};
use crate::value::{bytes_of, hex, int, number, text};

/// One recorded scenario.
#[derive(Debug)]
pub(crate) struct Trace {
    pub(crate) name: String,
    value: Value,
}

/// What happens at one place of the one order.
#[derive(Debug, Clone, Copy)]
enum Moment<'a> {
    Event(&'a Value),
    Call(&'a Value),
    Return(&'a Value),
}

/// One client of the trace.
#[derive(Debug, Default)]
struct Client {
    mbox: Option<c_int>,
    listener: Option<Listener>,
    connection: Option<Connection>,
    /// Recorded events that have been sent ahead of their place.
    sent_until: u64,
    /// Nothing is sent to it now.
    held: bool,
    waiting: Vec<u64>,
}

/// A call that has been started.
#[derive(Debug)]
struct Running {
    answer: Receiver<Answer>,
    /// It has come before its place.
    early: Option<Answer>,
}

impl Running {
    /// Waits until the thread sleeps in its call, or has answered.
    fn wait_until_asleep(&mut self, thread: i32) {
        let end = Instant::now() + scaled(Duration::from_secs(5));
        let mut seen_asleep = 0;
        while seen_asleep < 5 && self.early.is_none() && Instant::now() < end {
            self.early = self.answer.recv_timeout(Duration::from_millis(1)).ok();
            seen_asleep = if is_asleep(thread) {
                seen_asleep + 1
            } else {
                0
            };
        }
    }

    fn finish(self) -> Option<Answer> {
        self.early.or_else(|| {
            self.answer
                .recv_timeout(scaled(Duration::from_secs(5)))
                .ok()
        })
    }
}

struct Player<'a> {
    trace: &'a Trace,
    library: Library,
    kind: Kind,
    clients: HashMap<String, Client>,
    running: HashMap<u64, Running>,
    events: BTreeMap<u64, &'a Value>,
    differences: Vec<String>,
}

impl Trace {
    /// All traces of the flush layer.
    pub(crate) fn all() -> Vec<Self> {
        let folder = root().join("tests/fixtures/vectors");
        let mut traces: Vec<Self> = fs::read_dir(&folder)
            .expect("the folder of traces is there")
            .map(|entry| entry.expect("a folder can be listed").path())
            .filter_map(|path| {
                let name = path.file_stem()?.to_str()?.to_owned();
                if !name.starts_with("fl-") {
                    return None;
                }
                let text = fs::read_to_string(&path).expect("a trace can be read");
                let value = serde_json::from_str(&text).expect("a trace is JSON");
                Some(Self { name, value })
            })
            .collect();
        traces.sort_by(|a, b| a.name.cmp(&b.name));
        traces
    }

    fn list(&self, key: &str) -> impl Iterator<Item = &Value> {
        self.value[key].as_array().into_iter().flatten()
    }

    /// Plays it; what was otherwise than recorded.
    pub(crate) fn play(&self, library: Library, kind: Kind) -> Vec<String> {
        let mut order = BTreeMap::new();
        for event in self.list("events") {
            order.insert(number(&event["seq"]), Moment::Event(event));
        }
        for call in self.list("api") {
            order.insert(number(&call["seq"]), Moment::Call(call));
            order.insert(number(&call["seq_ret"]), Moment::Return(call));
        }
        let mut player = Player {
            trace: self,
            library,
            kind,
            clients: HashMap::new(),
            running: HashMap::new(),
            events: self
                .list("events")
                .map(|e| (number(&e["seq"]), e))
                .collect(),
            differences: Vec::new(),
        };
        for (seq, moment) in order {
            if known::ends(&self.name).is_some_and(|end| seq >= end) {
                break;
            }
            match moment {
                Moment::Event(event) => player.event(seq, event),
                Moment::Call(call) => player.call(seq, call),
                Moment::Return(call) => player.answer(call),
            }
        }
        player.finish();
        player.differences
    }
}

impl Player<'_> {
    fn differs(&mut self, seq: u64, text: impl std::fmt::Display) {
        self.differences.push(format!("at {seq}: {text}"));
    }

    fn event(&mut self, seq: u64, event: &Value) {
        let conn = text(&event["conn"]);
        // The hand-made peer is played by the daemon's side of the others.
        if conn == "X" {
            return;
        }
        let client = self.clients.entry(conn.to_owned()).or_default();
        if client.connection.is_none()
            && let Some(listener) = client.listener.take()
        {
            client.connection = Some(listener.accept());
        }
        if event["dir"] == "d2c" {
            if client.held {
                client.waiting.push(seq);
            } else {
                client.send(seq, event);
            }
            return;
        }
        let Some(connection) = &mut client.connection else {
            return;
        };
        if event["eof"] == true {
            return;
        }
        if known::is_not_sent(&self.trace.name, seq) {
            return;
        }
        let want = bytes_of(event);
        let got = connection.take(want.len());
        if got != want {
            let text = format!("{conn} sent {} instead of {}", hex(&got), hex(&want));
            self.differs(seq, text);
        }
    }

    fn call(&mut self, seq: u64, call: &Value) {
        let conn = text(&call["conn"]).to_owned();
        let name = text(&call["call"]).to_owned();
        // Once in a process: looked at by a program of its own.
        if name == "FL_lib_init" {
            return;
        }
        let client = self.clients.entry(conn).or_default();
        let mut arguments = call["args"].clone();
        if name == "FL_connect" && arguments["daemon"].is_null() {
            let listener = Listener::open(self.kind);
            arguments["daemon"] = listener.spread_name().into();
            client.connection = None;
            client.listener = Some(listener);
        }
        let mbox = arguments["mbox"]
            .as_i64()
            .map_or_else(|| client.mbox.unwrap_or(-1), int);
        let last_read = call["reads"]
            .as_array()
            .map(|reads| reads.iter().map(number).max().unwrap_or(0));
        // A call in which the classic library crashed has read what was there.
        let is_alone = (last_read.is_some() || call["ret"] == "crash") && name != "FL_connect";
        if is_alone {
            let last = last_read.unwrap_or(0);
            for (&at, event) in self.events.range(..=last) {
                if text(&event["conn"]) == text(&call["conn"])
                    && event["dir"] == "d2c"
                    && at > client.sent_until
                {
                    client.send(at, event);
                }
            }
            client.held = true;
        }
        let (sender, receiver) = channel();
        let (say_started, started) = channel();
        let library = self.library;
        thread::spawn(move || {
            // SAFETY: a call without arguments.
            let _ = say_started.send(unsafe { libc::gettid() });
            let answer = make(library, &name, mbox, &arguments);
            // Nobody waits for what was given up.
            let _ = sender.send(answer);
        });
        self.running.insert(
            seq,
            Running {
                answer: receiver,
                early: None,
            },
        );
        if is_alone {
            self.answer(call);
        } else if let Ok(thread) = started.recv() {
            // What is recorded next happened while this call was waiting.
            let running = self.running.get_mut(&seq).expect("just put there");
            running.wait_until_asleep(thread);
        }
    }

    fn answer(&mut self, call: &Value) {
        let seq = number(&call["seq"]);
        if call["call"] == "FL_lib_init" {
            return;
        }
        // A call that was alone has been looked at.
        let Some(running) = self.running.remove(&seq) else {
            let client = self
                .clients
                .get_mut(text(&call["conn"]))
                .expect("it made a call");
            client.held = false;
            for at in std::mem::take(&mut client.waiting) {
                client.send(at, self.events[&at]);
            }
            return;
        };
        let Some(answer) = running.finish() else {
            self.differs(seq, format_args!("{} does not return", call["call"]));
            return;
        };
        if let Some((mbox, _)) = answer.connected
            && answer.code == 1
        {
            let client = self
                .clients
                .get_mut(text(&call["conn"]))
                .expect("it made a call");
            client.mbox = Some(mbox);
        }
        let mut wrong = Vec::new();
        match known::answered(&self.trace.name, seq) {
            Some(Instead::Code(code)) => {
                if answer.code != code {
                    wrong.push(format!("code {} and not the known {code}", answer.code));
                }
            }
            Some(Instead::Message(code, service, mess_type)) => {
                let got = answer.received.as_ref().map(|r| (r.service, r.mess_type));
                if answer.code != code || got != Some((service, mess_type)) {
                    wrong.push(format!("{} {got:x?}, not the known one", answer.code));
                }
            }
            Some(Instead::OneMoreWaits) => {
                let mut call = call.clone();
                let more = call["out"]["more_msgs"].as_i64().unwrap_or(0);
                call["out"]["more_msgs"] = (more + 1).into();
                compare(&call, &answer, &mut wrong);
            }
            Some(Instead::NothingWritten) => {
                let mut call = call.clone();
                call["out"]["groups"] = Value::Null;
                call["out"]["mess"] = Value::Null;
                compare(&call, &answer, &mut wrong);
                let received = answer.received.as_ref().expect("it is a receive");
                if !Received::untouched(received.groups.as_flattened())
                    || !Received::untouched(&received.body)
                {
                    wrong.push("contents".to_owned());
                }
            }
            None => compare(call, &answer, &mut wrong),
        }
        if !wrong.is_empty() {
            let text = format!(
                "{} {} {} gave {}; recorded: {} {}",
                call["conn"],
                call["call"],
                call["args"],
                wrong.join(", "),
                call["ret"],
                call["out"]
            );
            self.differs(seq, text);
        }
    }

    /// Nothing but what was recorded may have been sent; then the sessions that are left end.
    fn finish(&mut self) {
        let mut surplus = Vec::new();
        for (name, client) in &mut self.clients {
            if let Some(connection) = &client.connection {
                let rest = connection.surplus();
                if !rest.is_empty() && known::ends(&self.trace.name).is_none() {
                    surplus.push(format!("{name} sent more: {}", hex(&rest)));
                }
                connection.close();
            }
            if let Some(mbox) = client.mbox {
                self.library.on_mailbox(c"FL_disconnect", mbox);
            }
        }
        for text in surplus {
            self.differs(u64::MAX, text);
        }
    }
}

impl Client {
    fn send(&mut self, seq: u64, event: &Value) {
        if seq <= self.sent_until {
            return;
        }
        self.sent_until = seq;
        let Some(connection) = &mut self.connection else {
            return;
        };
        if event["eof"] == true {
            connection.close();
            // Until the library has seen it: recorded calls come long afterwards.
            if let Some(mbox) = self.mbox {
                wait_readable(mbox);
            }
        } else {
            connection.write(&bytes_of(event));
        }
    }
}

/// Waits until a mailbox is readable. Also over when it is none any more.
fn wait_readable(mbox: c_int) {
    let mut one = libc::pollfd {
        fd: mbox,
        events: libc::POLLIN,
        revents: 0,
    };
    let limit_ms = c_int::try_from(scaled(Duration::from_secs(1)).as_millis()).unwrap_or(1000);
    // SAFETY: one live entry.
    unsafe { libc::poll(&raw mut one, 1, limit_ms) };
}
