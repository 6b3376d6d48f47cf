//! Recorded handshakes: the client driven by what a daemon has sent, the daemon's side by what a
//! client has sent.

use serde_json::Value;
use spread_proto::limits::AUTH_CHOICE_LEN;
use spread_proto::reject;
use spread_proto::{
    ClientHandshake, ClientVersion, ConnectRefusal, ConnectRequest, HandshakeStep, Name,
    choose_methods, encode_accept, encode_auth_list, parse_auth_choice, parse_connect,
    private_group, split_private_group,
};

use crate::traces::{self, Conn, From, Trace};

/// How a simulated connection ended.
#[derive(Debug)]
struct Outcome {
    sent: Vec<u8>,
    /// As the classic connect call returns it.
    ret: i32,
    private_group: Option<Name>,
    read: usize,
}

/// Runs the client on the daemon's bytes, at most `piece` at a time; their end is an end of the
/// stream.
fn connect(
    mut handshake: ClientHandshake,
    daemon: &[u8],
    piece: usize,
    methods_ok: bool,
) -> Outcome {
    let (mut sent, mut read) = (Vec::new(), 0);
    let done = |ret, private_group, read, sent: &mut Vec<u8>| Outcome {
        sent: std::mem::take(sent),
        ret,
        private_group,
        read,
    };
    loop {
        match handshake.step() {
            HandshakeStep::Write(bytes) => {
                sent.extend_from_slice(&bytes);
                handshake.wrote();
            }
            HandshakeStep::Read(most) => {
                assert!(most > 0);
                let rest = &daemon[read..];
                let now = most.min(piece).min(rest.len());
                if now == 0 {
                    handshake.eof();
                } else {
                    handshake.input(&rest[..now]);
                    read += now;
                }
            }
            HandshakeStep::RunMethods => handshake.methods_done(methods_ok),
            HandshakeStep::Done(accepted) => {
                assert!(handshake.surplus().is_empty());
                return done(1, Some(accepted.private_group), read, &mut sent);
            }
            HandshakeStep::Failed(failure) => return done(failure.code(), None, read, &mut sent),
        }
    }
}

/// The connect call of a recorded connection.
fn connect_call(conn: &Conn) -> Option<&Value> {
    conn.api.iter().find(|call| {
        ["SP_connect", "SP_connect_timeout", "FL_connect"]
            .iter()
            .any(|name| call["call"] == *name)
    })
}

fn request_of(call: &Value) -> ConnectRequest {
    let args = &call["args"];
    let flush_layer = call["call"] == "FL_connect";
    ConnectRequest {
        version: ConnectRequest::VERSION,
        membership: flush_layer || args["group_membership"] != 0,
        priority: args["priority"].as_i64().unwrap() > 0,
        // The recordings write names byte by byte, as Latin-1.
        private_name: args[if flush_layer { "user" } else { "name" }]
            .as_str()
            .unwrap_or_default()
            .chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect(),
    }
}

/// Where the connect message of a recorded connection ends, if it is a good one. Its first event is
/// the whole message.
fn connect_len(conn: &Conn) -> Option<usize> {
    let first = conn
        .events
        .iter()
        .find(|event| event.from == From::Client)?;
    parse_connect(&first.bytes)
        .ok()
        .map(|connect| connect.consumed)
}

/// The methods that the program had registered: those in the recorded choice, else the default.
fn methods_of(conn: &Conn) -> Vec<Vec<u8>> {
    let sent = conn.stream(From::Client);
    let choice = connect_len(conn).map(|at| parse_auth_choice(&sent[at..]));
    match choice {
        Some(Ok(names)) => names,
        _ => vec![b"NULL".to_vec()],
    }
}

/// What the client sent in the handshake of a recorded connection: everything before the first
/// frame.
fn handshake_bytes(conn: &Conn) -> Vec<u8> {
    let mut sent = conn.stream(From::Client);
    sent.truncate(connect_len(conn).map_or(sent.len(), |at| at + AUTH_CHOICE_LEN));
    sent
}

#[test]
fn the_client_returns_and_sends_what_the_classic_library_did() {
    let mut count = 0;
    for trace in traces::all() {
        for conn in &trace.conns {
            let Some(call) = connect_call(conn).filter(|call| call["ret"] != "crash") else {
                continue;
            };
            let label = format!("{}/{}", trace.name, conn.id);
            let daemon = conn.stream(From::Daemon);
            let methods_ok = trace.name != "auth-callback-fails";
            for piece in [usize::MAX, 1, 2] {
                let handshake = ClientHandshake::new(request_of(call), &methods_of(conn));
                let outcome = connect(handshake, &daemon, piece, methods_ok);
                assert_eq!(
                    i64::from(outcome.ret),
                    call["ret"].as_i64().unwrap(),
                    "{label}"
                );
                assert_eq!(outcome.sent, handshake_bytes(conn), "{label}");
                if let Some(group) = outcome.private_group {
                    let expected = call["out"]["private_group"].as_str().unwrap();
                    assert_eq!(group, Name::new(expected.as_bytes()), "{label}");
                    let session = conn.session(trace).unwrap();
                    assert_eq!(
                        outcome.read + session.to_client.len(),
                        daemon.len(),
                        "{label}: read beyond the answer"
                    );
                    assert_eq!(
                        &group.raw()[..session.private_group.len()],
                        session.private_group,
                        "{label}"
                    );
                }
            }
            count += 1;
        }
    }
    assert!(count > 250, "only {count} connects");
}

#[test]
fn bytes_fed_beyond_the_handshake_are_kept() {
    for trace in traces::all() {
        for conn in &trace.conns {
            let (Some(call), Some(session)) = (connect_call(conn), conn.session(trace)) else {
                continue;
            };
            if call["ret"] != 1 {
                continue;
            }
            let mut handshake = ClientHandshake::new(request_of(call), &methods_of(conn));
            handshake.input(&conn.stream(From::Daemon));
            handshake.wrote();
            handshake.wrote();
            handshake.methods_done(true);
            assert!(
                matches!(handshake.step(), HandshakeStep::Done(_)),
                "{}",
                session.label
            );
            assert_eq!(handshake.surplus(), session.to_client, "{}", session.label);
        }
    }
}

/// Refusals for reasons outside the message: names in use, no room, an address that is not allowed.
fn depends_on_state(trace: &str, conn: &str) -> bool {
    matches!(
        (trace, conn),
        (
            "reject-not-unique" | "reject-quota" | "reject-auth-ip",
            "A" | "B"
        ) | ("fl-connect", "B")
    )
}

/// What has come from the client before the daemon's next bytes or its close, in one piece as a
/// daemon's reads find it.
struct Turns<'a> {
    conn: &'a Conn,
    at: usize,
}

impl Turns<'_> {
    fn next(&mut self, from: From) -> Vec<u8> {
        let turn = self.conn.events[self.at..]
            .iter()
            .take_while(|event| event.from == from && !event.eof);
        let mut bytes = Vec::new();
        for event in turn {
            bytes.extend_from_slice(&event.bytes);
            self.at += 1;
        }
        bytes
    }

    /// Goes past the client's close, if it is next.
    fn client_closes_now(&mut self) -> bool {
        let closes = self
            .conn
            .events
            .get(self.at)
            .is_some_and(|event| event.eof && event.from == From::Client);
        self.at += usize::from(closes);
        closes
    }

    /// True if nothing but closes follows, that of the daemon among them.
    fn only_closes_follow(&self) -> bool {
        let rest = &self.conn.events[self.at..];
        rest.iter().all(|event| event.bytes.is_empty())
            && rest
                .iter()
                .any(|event| event.eof && event.from == From::Daemon)
    }
}

/// The words of a recorded auth list.
fn allowed(list: &[u8]) -> Vec<&[u8]> {
    list[1..]
        .split(|&b| b == b' ')
        .filter(|word| !word.is_empty())
        .collect()
}

fn expect_refusal(refusal: ConnectRefusal, turns: &mut Turns<'_>, label: &str) {
    let expected = match refusal {
        ConnectRefusal::Reject(code) => vec![code.cast_unsigned()],
        ConnectRefusal::CloseSilently => Vec::new(),
        ConnectRefusal::NeedMore => panic!("{label}: nothing came"),
    };
    assert_eq!(turns.next(From::Daemon), expected, "{label}");
    assert!(turns.only_closes_follow(), "{label}");
}

/// Plays the daemon's side of one recorded connection. `true` if the session is accepted.
fn serve(trace: &Trace, conn: &Conn) -> bool {
    let label = format!("{}/{}", trace.name, conn.id);
    let mut turns = Turns { conn, at: 0 };
    let connect = match parse_connect(&turns.next(From::Client)) {
        Ok(connect) => connect,
        Err(refusal) => {
            expect_refusal(refusal, &mut turns, &label);
            return false;
        }
    };
    if connect.version.has_auth_step() {
        let list = turns.next(From::Daemon);
        if depends_on_state(&trace.name, &conn.id) && list.len() == 1 {
            assert!([-3, -6].contains(&list[0].cast_signed()), "{label}");
            return false;
        }
        let allowed = allowed(&list);
        assert_eq!(encode_auth_list(&allowed), list, "{label}");
        let choice = turns.next(From::Client);
        if choice.is_empty() && turns.client_closes_now() {
            expect_refusal(ConnectRefusal::Reject(reject::AUTH), &mut turns, &label);
            return false;
        }
        if let Err(refusal) = choose_methods(&choice, &allowed) {
            expect_refusal(refusal, &mut turns, &label);
            return false;
        }
        if depends_on_state(&trace.name, &conn.id) {
            assert_eq!(turns.next(From::Daemon), [0xf7], "{label}");
            return false;
        }
    }
    let group = conn.session(trace).expect(&label).private_group;
    let group = Name::new(&group);
    let (name, daemon) = split_private_group(&group).expect(&label);
    if connect.private_name.is_empty() {
        assert!(
            spread_proto::is_legal_private_name(name) || name.len() == 11,
            "{label}: {group}"
        );
    } else {
        assert_eq!(
            private_group(&connect.private_name, daemon),
            group,
            "{label}"
        );
    }
    let answer = encode_accept(connect.version, [5, 0, 1], &group);
    assert_eq!(turns.next(From::Daemon)[..answer.len()], answer, "{label}");
    true
}

#[test]
fn the_daemon_side_answers_what_the_real_daemon_did() {
    let (mut accepted, mut refused) = (0, 0);
    for trace in traces::all().iter().filter(|trace| trace.real_daemon) {
        for conn in &trace.conns {
            if serve(trace, conn) {
                accepted += 1;
            } else {
                refused += 1;
            }
        }
    }
    assert!(accepted > 180, "only {accepted} accepted");
    assert_eq!(refused, 20, "connections refused");
}

/// What a real daemon did with connect messages that no trace has; each was tried on Spread 5.0.1.
#[test]
fn odd_connect_messages_are_taken_as_a_real_daemon_takes_them() {
    use ConnectRefusal::{CloseSilently, NeedMore, Reject};
    let refusals: [(&[u8], ConnectRefusal); 17] = [
        (b"", NeedMore),
        (b"\x05", CloseSilently),
        (b"\x80", CloseSilently),
        (b"\x03\x00", Reject(-7)),
        (b"\x01\x02", Reject(-7)),
        (b"\x80\x00", Reject(-7)),
        (b"\x03\x80\x01\x01\x03abc", Reject(-7)),
        (b"\x03\x00\x01\x03a#b", Reject(-7)),
        (b"\x05\x00\x01", CloseSilently),
        (b"\x05\x00\x01\x01", CloseSilently),
        (b"\x05\x00\x01\x01\x03", CloseSilently),
        (b"\x05\x00\x01\x01\x03a#", Reject(-5)),
        (b"\x05\x00\x01\x01\x03a\0b", Reject(-5)),
        (b"\x05\x00\x01\x01\x03abcNULL", Reject(-5)),
        (b"\x05\x00\x01\x01\x0aabcdefghi NULL", Reject(-5)),
        (b"\x05\x00\x01\x01\xff", Reject(-5)),
        (b"\x05\x00\x01\x01\x0b", Reject(-5)),
    ];
    for (bytes, refusal) in refusals {
        assert_eq!(
            parse_connect(bytes),
            Err(refusal),
            "{}",
            bytes.escape_ascii()
        );
    }
    // Bytes behind a whole message are left for the next step, where the name has no room for them.
    for (bytes, name, consumed) in [
        (&b"\x05\x00\x01\x01\x00x"[..], &b""[..], 5),
        (b"\x05\x00\x01\x01\x0aabcdefghijNULL", b"abcdefghij", 15),
        (b"\x05\x80\x01\x01\x03abc", b"abc", 8),
    ] {
        let connect = parse_connect(bytes).unwrap();
        assert_eq!(
            (connect.private_name.as_slice(), connect.consumed),
            (name, consumed),
            "{}",
            bytes.escape_ascii()
        );
    }
    let flags = parse_connect(b"\x05\x00\x01\xf2\x01a").unwrap();
    assert_eq!((flags.membership, flags.priority), (false, 15));
}

#[test]
fn old_libraries_get_the_answer_they_understand() {
    for (bytes, auth, patch) in [
        (&b"\x03\x01\x01\x03abc"[..], false, false),
        (b"\x03\x0e\x01\x03abc", false, false),
        (b"\x03\x0f\xff\x01\x03abc", false, false),
        (b"\x03\x0f\x00\x01\x03abc", false, true),
        (b"\x03\x10\xff\x01\x03abc", false, true),
        (b"\x03\x10\x00\x01\x03abc", true, true),
        (b"\x7f\x09\x09\x01\x03abc", true, true),
    ] {
        let connect = parse_connect(bytes).unwrap();
        let version = connect.version;
        assert_eq!(
            (version.has_auth_step(), version.has_patch_in_answer()),
            (auth, patch),
            "{version:?}"
        );
        let answer = encode_accept(
            version,
            [5, 0, 1],
            &private_group(&connect.private_name, b"d"),
        );
        let expected: &[u8] = if patch {
            b"\x01\x05\x00\x01\x06#abc#d"
        } else {
            b"\x01\x05\x00\x06#abc#d"
        };
        assert_eq!(answer, expected);
    }
}

#[test]
fn auth_choices_are_read_slot_by_slot() {
    let choice = |slots: &[&[u8]]| {
        let mut bytes = vec![0; 90];
        for (slot, name) in bytes.chunks_exact_mut(30).zip(slots) {
            slot[..name.len()].copy_from_slice(name);
        }
        bytes
    };
    let allowed: [&[u8]; 2] = [b"NULL", b"IP"];
    let refused = Err(ConnectRefusal::Reject(-9));
    assert_eq!(
        choose_methods(&choice(&[b"NULL"]), &allowed),
        Ok(vec![b"NULL".to_vec()])
    );
    assert_eq!(
        choose_methods(&choice(&[b"NULL", b"NULL"]), &allowed)
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        choose_methods(&choice(&[b"NULL\0IP"]), &allowed),
        Ok(vec![b"NULL".to_vec()])
    );
    assert_eq!(
        choose_methods(&choice(&[b"NULL", b"", b"IP"]), &allowed),
        Ok(vec![b"NULL".to_vec()])
    );
    assert_eq!(
        choose_methods(&choice(&[b"NULL", b"IP", b"IP"]), &allowed),
        refused
    );
    assert_eq!(
        choose_methods(&choice(&[b"NULL", b"PWORD"]), &allowed),
        refused
    );
    assert_eq!(choose_methods(&choice(&[]), &allowed), refused);
    assert_eq!(choose_methods(&choice(&[&[b'N'; 30]]), &allowed), refused);
    assert_eq!(choose_methods(&choice(&[b"NULL"])[..89], &allowed), refused);
    assert_eq!(choose_methods(&choice(&[b"NULL"]), &[]), refused);
    assert_eq!(choose_methods(b"", &allowed), Err(ConnectRefusal::NeedMore));
}

#[test]
fn reports_that_do_not_belong_to_the_step_change_nothing() {
    let request = || ConnectRequest {
        version: ConnectRequest::VERSION,
        membership: true,
        priority: false,
        private_name: b"me".to_vec(),
    };
    let null = [b"NULL".to_vec()];
    let mut handshake = ClientHandshake::new(request(), &null);
    handshake.methods_done(true);
    assert_eq!(
        handshake.step(),
        HandshakeStep::Write(b"\x05\x00\x01\x01\x02me".to_vec())
    );
    assert_eq!(handshake.step(), handshake.step());
    handshake.wrote();
    handshake.wrote();
    assert_eq!(handshake.step(), HandshakeStep::Read(1));
    handshake.input(b"");
    assert_eq!(handshake.step(), HandshakeStep::Read(1));
    handshake.input(&[0xfa]);
    let failed = handshake.step();
    handshake.wrote();
    handshake.eof();
    handshake.methods_done(false);
    handshake.input(b"\x05NULL ");
    assert_eq!(handshake.step(), failed);
}

#[test]
fn methods_that_cannot_be_named_fail_as_authentication() {
    let unusable: [&[&[u8]]; 3] = [
        &[b""],
        &[&[b'M'; 30]],
        &[b"NULL", b"NULL", b"NULL", b"NULL"],
    ];
    for methods in unusable {
        let methods: Vec<Vec<u8>> = methods.iter().map(|name| name.to_vec()).collect();
        let request = ConnectRequest {
            version: [5, 0, 1],
            membership: false,
            priority: false,
            private_name: Vec::new(),
        };
        let outcome = connect(
            ClientHandshake::new(request, &methods),
            b"\x05NULL \x01\x05\x00\x01\x00",
            90,
            true,
        );
        assert_eq!((outcome.ret, outcome.sent.len()), (-9, 5), "{methods:?}");
    }
}

/// Observed with the classic library: whether an empty choice will do is for the daemon to say.
#[test]
fn no_method_makes_an_empty_choice() {
    let request = ConnectRequest {
        version: [5, 0, 1],
        membership: false,
        priority: false,
        private_name: Vec::new(),
    };
    let outcome = connect(
        ClientHandshake::new(request, &[]),
        b"\x05NULL \x01\x05\x00\x01\x00",
        90,
        true,
    );
    assert_eq!(outcome.ret, 1);
    assert_eq!(outcome.sent[5..], [0; 90]);
}

#[test]
fn a_nul_ends_the_list_of_methods() {
    for (list, ret) in [
        (&b"\x09IP \0NULL "[..], -9),
        (b"\x06NULL\0x", 1),
        (b"\x04NULL", 1),
        (b"\x06XNULL ", -9),
        (b"\x06NULLX ", -9),
        (b"\x05null ", -9),
    ] {
        let request = ConnectRequest {
            version: ConnectRequest::VERSION,
            membership: true,
            priority: false,
            private_name: b"me".to_vec(),
        };
        let client = ClientHandshake::new(request, &[b"NULL".to_vec()]);
        let daemon = [list, b"\x01\x05\0\x01\0"].concat();
        assert_eq!(
            connect(client, &daemon, 90, true).ret,
            ret,
            "{}",
            list.escape_ascii()
        );
    }
}

#[test]
fn answers_are_checked_before_the_name_is_read() {
    let run = |priority: bool, answer: &[u8]| {
        let request = ConnectRequest {
            version: [5, 0, 1],
            membership: true,
            priority,
            private_name: b"me".to_vec(),
        };
        let daemon = [b"\x05NULL ", answer].concat();
        connect(
            ClientHandshake::new(request, &[b"NULL".to_vec()]),
            &daemon,
            7,
            true,
        )
        .ret
    };
    for (priority, answer, ret) in [
        (false, &b"\x01\x03\x00\x00\x01x"[..], 1),
        (false, b"\x01\x02\x09\x00\x01x", -7),
        (true, b"\x01\x03\x07\x00\x01x", -7),
        (true, b"\x01\x03\x08\x00\x01x", 1),
        (false, b"\x01\x80\x00\x00\x01x", -8),
        (false, b"\x01\x02\x00\x00\x20", -8),
        (false, b"\x01\x05\x00\x01\x00", 1),
        (false, b"\x01\x05\x00", -8),
        (false, b"", -8),
        (false, b"\x00", 0),
        (false, b"\x02", 2),
        (false, b"\x80", -128),
    ] {
        assert_eq!(run(priority, answer), ret, "{}", answer.escape_ascii());
    }
}

#[test]
fn auth_lists_are_cut_to_what_the_length_byte_can_say() {
    assert_eq!(encode_auth_list(&[]), [0]);
    assert_eq!(encode_auth_list(&[b"NULL", b"IP"]), b"\x08NULL IP ");
    let long = encode_auth_list(&[&[b'x'; 200]]);
    assert_eq!((long[0], long.len()), (127, 128));
    assert!(
        ClientVersion {
            major: 5,
            minor: 0,
            patch: 1
        }
        .has_auth_step()
    );
}
