//! A recorded call, made again, and its answer compared.

use std::ffi::{CString, c_int};

use serde_json::Value;

use crate::library::{Library, Outgoing, Received, Room, Row};
use crate::value::{bits, body_of, hex, int, number, row, text};

/// What a call has answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: c_int,
    pub(crate) received: Option<Received>,
    pub(crate) connected: Option<(c_int, Row)>,
    version: Option<[c_int; 3]>,
}

/// Makes a call as recorded.
pub(crate) fn make(library: Library, name: &str, mbox: c_int, arguments: &Value) -> Answer {
    let mut answer = Answer {
        code: 0,
        received: None,
        connected: None,
        version: None,
    };
    let symbol = CString::new(name).expect("a name has no NUL");
    let argument = |key: &str| &arguments[key];
    match name {
        "FL_lib_init"
        | "FL_get_gid_offset_memb_mess"
        | "FL_get_num_vs_offset_memb_mess"
        | "FL_get_vs_set_offset_memb_mess" => answer.code = library.plain(&symbol),
        "FL_version" => answer.version = Some(library.version()),
        "FL_error" => {
            // Prints only; looked at by the C program of it.
        }
        "FL_connect" => {
            let user = argument("user").as_str().map(str::as_bytes);
            let priority = int(argument("priority").as_i64().expect("a number"));
            let (code, mbox, group) = library.connect(text(argument("daemon")), user, priority);
            answer.code = code;
            answer.connected = Some((mbox, group));
        }
        "FL_disconnect" | "FL_poll" | "FL_more_msgs" => {
            answer.code = library.on_mailbox(&symbol, mbox);
        }
        "FL_join" | "FL_leave" | "FL_flush" => {
            answer.code = library.on_group(&symbol, mbox, text(argument("group")).as_bytes());
        }
        "FL_receive" | "FL_scat_receive" => {
            let service = int(bits(argument("service_type_in")));
            let max_groups = int(argument("max_groups").as_i64().expect("a number"));
            let room = match argument("scatter_lens").as_array() {
                Some(lens) => Room::Scattered(
                    lens.iter()
                        .map(|len| usize::try_from(number(len)).expect("a small number"))
                        .collect(),
                ),
                None => Room::Whole(int(argument("max_mess_len").as_i64().expect("a number"))),
            };
            let (code, received) = library.receive(mbox, service, max_groups, &room);
            answer.code = code;
            answer.received = Some(received);
        }
        _ => answer.code = library.send(mbox, &outgoing(arguments)),
    }
    answer
}

fn outgoing(arguments: &Value) -> Outgoing {
    let elements = &arguments["elements"];
    let pieces = match elements.as_array() {
        Some(elements) => elements.iter().map(body_of).collect(),
        // Many of one kind.
        None if elements.is_object() => body_of(elements).iter().map(|&byte| vec![byte]).collect(),
        None => vec![body_of(&arguments["mess"])],
    };
    let num_elements = (!elements.is_null()).then(|| {
        arguments["num_elements"]
            .as_u64()
            .map_or(pieces.len(), |count| usize::try_from(count).expect("small"))
    });
    let mut receivers: Option<Vec<Row>> = arguments["receivers"]
        .as_array()
        .map(|names| names.iter().map(|name| row(text(name))).collect());
    let num_receivers = arguments["num_receivers"].as_i64().map(int);
    // Long lists are abbreviated: all names are the first then.
    if let (Some(rows), Some(count)) = (&mut receivers, num_receivers)
        && let Some(&first) = rows.first()
    {
        let count = usize::try_from(count).unwrap_or(0);
        if count > rows.len() {
            *rows = vec![first; count];
        }
    }
    Outgoing {
        service: int(bits(&arguments["service_type"])),
        group: text(&arguments["group"]).as_bytes().to_vec(),
        mess_type: i16::try_from(arguments["mess_type"].as_i64().expect("a number"))
            .expect("16 bits"),
        unicast: arguments["receiver"]
            .as_str()
            .map(|name| name.as_bytes().to_vec()),
        num_receivers,
        receivers,
        num_elements,
        mess_len: arguments["mess_len"].as_i64().map_or(0, int),
        pieces,
    }
}

fn compare_code(call: &Value, answer: &Answer, wrong: &mut Vec<String>) {
    if let Some(code) = call["ret"].as_i64()
        && i64::from(answer.code) != code
    {
        wrong.push(format!("code {}", answer.code));
    }
}

/// Adds to `wrong` what is not as recorded.
pub(crate) fn compare(call: &Value, answer: &Answer, wrong: &mut Vec<String>) {
    if call["ret"] == "crash" {
        wrong.push(format!(
            "code {}, where the classic library crashes",
            answer.code
        ));
        return;
    }
    compare_code(call, answer, wrong);
    let out = &call["out"];
    if let Some(version) = &answer.version {
        let want: Vec<i64> = out["version"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_i64)
            .collect();
        if want != version.map(i64::from) {
            wrong.push(format!("version {version:?}"));
        }
    }
    if let Some((_, group)) = &answer.connected {
        let want = text(&out["private_group"]);
        if !same_name(want, group) {
            wrong.push(format!(
                "private group {:?}",
                String::from_utf8_lossy(group)
            ));
        }
    }
    // With nothing to deliver the outputs are of no account.
    if let Some(received) = &answer.received
        && wrong.is_empty()
        && !matches!(answer.code, -8 | -11 | -18 | -24 | -25)
    {
        compare_received(out, answer.code, received, wrong);
    }
}

fn compare_received(out: &Value, code: c_int, got: &Received, wrong: &mut Vec<String>) {
    if out.is_null() {
        return;
    }
    if i64::from(got.service) != bits(&out["service_type"]) {
        wrong.push(format!("service {:#x}", got.service));
    }
    let numbers = [
        ("num_groups", i64::from(got.num_groups)),
        ("mess_type", i64::from(got.mess_type)),
        ("endian_mismatch", i64::from(got.endian)),
    ];
    for (key, value) in numbers {
        if out[key].as_i64() != Some(value) {
            wrong.push(format!("{key} {value}"));
        }
    }
    if code >= 0 && out["more_msgs"].as_i64() != Some(i64::from(got.more)) {
        wrong.push(format!("more {}", got.more));
    }
    if code >= 0 && !same_name(text(&out["sender"]), &got.sender) {
        wrong.push(format!("sender {:?}", String::from_utf8_lossy(&got.sender)));
    }
    if let Some(names) = out["groups"].as_array() {
        // Long lists are abbreviated in the middle.
        let gap = names.iter().position(|name| name == "...");
        let (first, last) = names.split_at(gap.unwrap_or(names.len()));
        let last = last.get(1..).unwrap_or_default();
        let count = usize::try_from(got.num_groups).unwrap_or(0).max(last.len());
        let ends = got
            .groups
            .get(count - last.len()..count)
            .unwrap_or_default();
        for (want, row) in first.iter().zip(&got.groups).chain(last.iter().zip(ends)) {
            if !same_name(text(want), row) {
                wrong.push(format!("group {:?}", String::from_utf8_lossy(row)));
            }
        }
    }
    let mess = &out["mess"];
    if !mess.is_null() && mess != "untouched" {
        let want = body_of(if mess["bytes_written"].is_null() {
            mess
        } else {
            &mess["bytes_written"]
        });
        if !got.body.starts_with(&want) {
            wrong.push(format!(
                "body {}",
                hex(&got.body[..want.len().min(got.body.len())])
            ));
        }
    }
}

/// A recorded name, or the note that it was not written.
fn same_name(want: &str, got: &Row) -> bool {
    if want == "untouched" {
        return Received::untouched(got);
    }
    let len = got.iter().position(|&byte| byte == 0).unwrap_or(32);
    got[..len] == *want.as_bytes()
}
