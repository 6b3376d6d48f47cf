//! The recorded timelines of three real daemons, event for event.
//!
//! Each file lists what was done, when, and what every client got in which step. Here the same is
//! done in virtual time, with the timing of the recorded daemons.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use spread_proto::service::{AGREED_MESS, SAFE_MESS, SELF_DISCARD};
use spread_proto::{Frame, MembershipBody, service};

use super::lab::{Got, Lab};
use crate::config::{Config, Timing};

/// Ids of the recorded daemons. That of d2 is not in any of the files.
const IDS: [i32; 3] = [0x5c8d_7aef, 2, 0xef46_226e_u32.cast_signed()];

/// How far a recorded time may be from the measured values that [`Timing::LAN`] is made of.
const TOLERANCE: f64 = 0.6;

#[test]
fn crash() {
    replay("daemon-crash-sigkill-3daemons", |_| {});
}

#[test]
fn stop() {
    replay("daemon-stop-sigterm-3daemons", |_| {});
}

#[test]
fn crash_and_fast_restart() {
    replay("daemon-crash-fast-restart-3daemons", |_| {});
}

#[test]
fn freeze_and_thaw() {
    replay("daemon-freeze-sigstop-3daemons", |_| {});
}

#[test]
fn partition_and_merge() {
    replay("daemon-partition-merge-3daemons", |_| {});
}

#[test]
fn groups() {
    replay("daemon-groups-basic-3daemons", |_| {});
}

#[test]
fn failover_to_another_daemon() {
    // There the new session's join was ordered just after the crash.
    replay("daemon-failover-reconnect-3daemons", |config| {
        config.orders_after_crash = 1;
    });
}

#[test]
fn crash_in_a_stream_of_safe_messages() {
    replay("daemon-safe-stream-crash-3daemons", |_| {});
}

fn replay(name: &str, adapt: fn(&mut Config)) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/fixtures/vectors")
        .join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap();
    let trace: Value = serde_json::from_str(&text).unwrap();

    let mut config = Config::new(3);
    config.ids = IDS.to_vec();
    config.timing = Timing::LAN;
    config.epoch_s = 1_795_380_000;
    adapt(&mut config);
    let mut lab = Lab::new(config);
    // The recording begins when the ring has been formed.
    let start = Duration::from_secs(10);
    lab.pass_until(start);

    let clients = trace["clients"].as_array().unwrap();
    for client in clients {
        // Those that come later are connected by a step.
        let key = text_of(&client["name"]);
        if !matches!(key.as_str(), "c3" | "c_new" | "e") {
            connect(&mut lab, client);
        }
    }
    let steps = trace["steps"].as_array().unwrap();
    let begins: Vec<Duration> = steps
        .iter()
        .map(|step| start + Duration::from_secs_f64(step["t"].as_f64().unwrap()))
        .collect();
    for (step, begin) in steps.iter().zip(&begins) {
        lab.pass_until(*begin);
        act(&mut lab, &text_of(&step["action"]), clients);
    }
    lab.pass_until(begins[begins.len() - 1] + Duration::from_secs(60));

    let mut rings = Rings::default();
    for client in clients {
        let key = text_of(&client["name"]);
        let recorded = trace["received"][&key].as_array().unwrap();
        let mut told: Vec<(usize, f64, String)> = Vec::new();
        let own = lab.group(&key).to_string();
        for got in lab.got(&key) {
            let (at, text) = match got {
                Got::Frame(at, frame) => (*at, of_frame(frame, &own, &mut rings)),
                Got::Closed(at) => (*at, "closed".to_owned()),
            };
            let step = begins.iter().rposition(|begin| *begin <= at).unwrap();
            told.push((step, (at - begins[step]).as_secs_f64(), text));
        }
        if name == "daemon-safe-stream-crash-3daemons" && key != "c" {
            // The recorder kept only the end of the stream.
            told.retain(|(_, _, text)| !text.contains("6131323335 "));
        }
        let expected: Vec<(usize, Option<f64>, String)> = recorded
            .iter()
            .map(|event| {
                let step = usize::try_from(event["step"].as_u64().unwrap()).unwrap();
                (step, event["dt"].as_f64(), of_record(event, &mut rings))
            })
            .collect();
        for (index, (step, dt, text)) in expected.iter().enumerate() {
            let actual = told.get(index);
            let same = actual.is_some_and(|(s, t, x)| {
                s == step && x == text && dt.is_none_or(|dt| (dt - t).abs() < TOLERANCE)
            });
            assert!(
                same,
                "{name}: {key} got as number {index}\n{actual:?} but recorded was\n{:?}",
                (step, dt, text)
            );
        }
        assert_eq!(
            told.len(),
            expected.len(),
            "{name}: {key} got too much: {told:?}"
        );
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn connect(lab: &mut Lab, client: &Value) {
    let group = text_of(&client["private_group"]);
    let mut parts = group.split('#').skip(1);
    let (name, daemon) = (parts.next().unwrap(), parts.next().unwrap());
    let daemon = daemon[1..].parse::<usize>().unwrap() - 1;
    let membership = client["group_membership"].as_bool().unwrap();
    assert!(lab.connect(&text_of(&client["name"]), name, daemon, membership));
}

/// Does what the text of a step says.
fn act(lab: &mut Lab, action: &str, clients: &[Value]) {
    let late = |lab: &mut Lab, key: &str| {
        let client = clients.iter().find(|client| client["name"] == key);
        connect(lab, client.unwrap());
    };
    match action {
        "a joins g" | "b joins g" | "c joins g" | "c2 joins g" | "n joins g" | "z joins g"
        | "b joins g2" => {
            let (key, group) = action.split_once(" joins ").unwrap();
            lab.join(key, group);
        }
        "n (group_membership=0) joins g" => lab.join("n", "g"),
        "a joins g again (ignored)" => lab.join("a", "g"),
        "b joins only_b2 ; c joins only_c" => {
            lab.join("b", "only_b");
            lab.join("c", "only_c");
        }
        "a leaves g2 (not a member, ignored)" => lab.leave("a", "g2"),
        "z leaves g" => lab.leave("z", "g"),
        "n leaves g (no message to n)" => lab.leave("n", "g"),
        "b leaves g" => lab.leave("b", "g"),
        "a leaves g (last member)" => lab.leave("a", "g"),
        "b sends the disconnect message" => lab.kill_client("b"),
        "c2 disconnects" => lab.kill_client("c2"),
        "c closes its socket" => lab.hang_up("c"),
        "a multicasts AGREED \"m1\" to g, mess_type 7" => {
            lab.send("a", AGREED_MESS, &["g"], 7, "m1");
        }
        "a multicasts AGREED \"m2\" to g before failure is noticed" => {
            lab.send("a", AGREED_MESS, &["g"], 0, "m2");
        }
        "b multicasts SAFE \"s2\" to g before failure is noticed" => {
            lab.send("b", SAFE_MESS, &["g"], 0, "s2");
        }
        "a multicasts AGREED \"m3\" to g after" => lab.send("a", AGREED_MESS, &["g"], 0, "m3"),
        "c multicasts AGREED \"m4\"" => lab.send("c", AGREED_MESS, &["g"], 0, "m4"),
        "a multicasts AGREED \"m5\"" => lab.send("a", AGREED_MESS, &["g"], 0, "m5"),
        "a sends SAFE \"s0\" to g" => lab.send("a", SAFE_MESS, &["g"], 0, "s0"),
        "a multicasts \"left\" to g" => lab.send("a", AGREED_MESS, &["g"], 0, "left"),
        "c multicasts \"right\" to g" => lab.send("c", AGREED_MESS, &["g"], 0, "right"),
        "a multicasts \"merged\" to g" => lab.send("a", AGREED_MESS, &["g"], 0, "merged"),
        "a multicasts AGREED to g, mess_type 77" => {
            lab.send("a", AGREED_MESS, &["g"], 77, "hello");
        }
        "a multicasts AGREED|SELF_DISCARD to g, mess_type -1" => {
            lab.send("a", AGREED_MESS | SELF_DISCARD, &["g"], -1, "sd");
        }
        "a multicasts to g and g2" => lab.send("a", AGREED_MESS, &["g", "g2"], 0, "multi"),
        "a multicasts to nosuch" => lab.send("a", AGREED_MESS, &["nosuch"], 0, "nobody"),
        "a multicasts to #carol#d3" | "a multicasts to #carol#d3 (other side)" => {
            lab.send("a", AGREED_MESS, &["#carol#d3"], 0, "private");
        }
        "n (not a member of g2) multicasts SAFE to g2" => {
            lab.send("n", SAFE_MESS, &["g2"], 0, "open");
        }
        "daemon d3 gets SIGKILL" | "daemon d3 gets SIGTERM" => lab.kill(2),
        "daemon d3 gets SIGSTOP" => lab.freeze(2),
        "d3 gets SIGCONT" => lab.thaw(2),
        "wait" => {}
        "daemon d3 restarts; carol reconnects to d3 and joins g at once" => {
            lab.restart(2);
            late(lab, "c3");
            lab.join("c3", "g");
        }
        "d3 SIGKILL and immediate restart; carol reconnects to d3, joins g" => {
            lab.kill(2);
            lab.restart(2);
            late(lab, "c_new");
            lab.join("c_new", "g");
        }
        "d3 SIGKILL; carol reconnects to d2, joins g, multicasts \"after-failover\"" => {
            lab.kill(2);
            late(lab, "c_new");
            lab.join("c_new", "g");
            lab.send("c_new", AGREED_MESS, &["g"], 0, "after-failover");
        }
        "network partitions {d1,d2} | {d3}" => lab.partition(&[&[0, 1], &[2]]),
        "partition heals" => lab.heal(),
        "eve(d2) joins g and h" => {
            late(lab, "e");
            lab.join("e", "g");
            lab.join("e", "h");
        }
        "c joins h on the other side" => lab.join("c", "h"),
        "d3 SIGKILL while a and b stream SAFE messages to g" => safe_stream(lab),
        other => panic!("unknown action {other:?}"),
    }
}

/// The end of two streams: the last pair before the crash is under way when it happens, and what
/// comes after it waits for the new ring.
fn safe_stream(lab: &mut Lab) {
    for (key, text) in [("a", "a1235"), ("a", "a1236"), ("b", "b1234")] {
        lab.send(key, SAFE_MESS, &["g"], 0, text);
    }
    lab.pass_until(lab.now + Timing::LAN.safe);
    lab.send("a", SAFE_MESS, &["g"], 0, "a1237");
    lab.send("b", SAFE_MESS, &["g"], 0, "b1235");
    lab.kill(2);
    for text in ["a1238", "a1239", "a1240"] {
        lab.send("a", SAFE_MESS, &["g"], 0, text);
    }
}

/// Which of our rings is which recorded one. Named by the one that is seen first.
#[derive(Default)]
struct Rings {
    names: BTreeMap<(bool, i64, i64), usize>,
}

impl Rings {
    /// Ours and the recorded ones are numbered each in the order of their times: the same order
    /// means the same ring. Rings of one time differ by their daemon's id.
    fn name(&mut self, recorded: bool, id: i64, time: i64) -> String {
        let count = self.names.keys().filter(|key| key.0 == recorded).count();
        let number = *self.names.entry((recorded, id, time)).or_insert(count);
        format!("ring {number} of {id}")
    }
}

fn of_frame(frame: &Frame, own: &str, rings: &mut Rings) -> String {
    let header = &frame.header;
    let groups: Vec<String> = frame.groups.iter().map(ToString::to_string).collect();
    let mess_type = if service::is_regular(header.kind) {
        i64::from(header.hint.mess_type())
    } else if service::is_regular_membership(header.kind) {
        let at = groups.iter().position(|group| group == own);
        at.map_or(-1, |at| i64::try_from(at).unwrap())
    } else {
        -1
    };
    let body = if service::is_membership(header.kind) && !frame.body.is_empty() {
        let word = |at: usize| {
            let bytes = frame.body[at..at + 4].try_into().unwrap();
            i64::from(header.order.get_i32(bytes))
        };
        let gid = format!("{} index {}", rings.name(false, word(0), word(4)), word(8));
        match MembershipBody::parse(&frame.body, header.order) {
            Ok(body) => {
                let sets: Vec<Vec<String>> = body
                    .vs_sets
                    .iter()
                    .map(|set| set.iter().map(ToString::to_string).collect())
                    .collect();
                format!("{gid} sets {sets:?} own at {}", word(16))
            }
            Err(_) => gid,
        }
    } else {
        frame
            .body
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    };
    format!(
        "{:#x} from {} to {groups:?} type {mess_type}: {body} ",
        header.kind, header.name
    )
}

fn of_record(event: &Value, rings: &mut Rings) -> String {
    if event.get("event").is_some() {
        return "closed".to_owned();
    }
    let groups: Vec<String> = event["groups"]
        .as_array()
        .unwrap()
        .iter()
        .map(text_of)
        .collect();
    let decoded = &event["decoded"];
    let body = match decoded.get("gid").and_then(Value::as_object) {
        Some(gid) => {
            // As signed numbers.
            let id = gid["membership_proc_id"].as_i64().unwrap();
            let id = i64::from(u32::try_from(id & 0xffff_ffff).unwrap().cast_signed());
            let ring = rings.name(true, id, gid["membership_time"].as_i64().unwrap());
            let gid = format!("{ring} index {}", gid["index"].as_i64().unwrap());
            match decoded.get("vs_sets").and_then(Value::as_array) {
                Some(sets) => {
                    let sets: Vec<Vec<String>> = sets
                        .iter()
                        .map(|set| set.as_array().unwrap().iter().map(text_of).collect())
                        .collect();
                    format!("{gid} sets {sets:?} own at {}", decoded["my_offset"])
                }
                None => gid,
            }
        }
        None => text_of(&event["body_hex"]),
    };
    // Recorded without a sign.
    let mess_type = match event["mess_type"].as_i64().unwrap() {
        unsigned @ 0x8000..=0xffff => unsigned - 0x1_0000,
        signed => signed,
    };
    format!(
        "{:#x} from {} to {groups:?} type {}: {body} ",
        event["service_type"].as_u64().unwrap(),
        text_of(&event["sender"]),
        mess_type
    )
}
