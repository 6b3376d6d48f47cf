use spread_proto::HandshakeFailure;

use super::daemons;
use crate::client::{Client, Socket};
use crate::runner::cases;
use crate::world::{Methods, Setup, World};

fn with_methods(methods: Methods) -> Setup {
    Setup {
        methods,
        ..daemons(1)
    }
}

cases! {
    connect_messages: daemons(1) => connect_messages;
    versions: daemons(1) => versions;
    choices: daemons(1) => choices;
    names_taken: daemons(2) => names_taken;
    reconnect_after_good_bye: daemons(1) => reconnect_after_good_bye;
    quota: daemons(1) => quota;
    silent_connection: daemons(1) => silent_connection;
    unix_socket: daemons(1) => unix_socket;
    methods_unset: with_methods(Methods::Unset) => methods;
    methods_null_ip: with_methods(Methods::AllowedNullIp) => methods;
    methods_ip: with_methods(Methods::AllowedIp) => methods;
    methods_null_required_ip: with_methods(Methods::AllowedNullRequiredIp) => methods;
    methods_required_ip: with_methods(Methods::RequiredIp) => methods;
}

/// Connect message of a current library.
fn message(name: &[u8]) -> Vec<u8> {
    let len = u8::try_from(name.len()).unwrap();
    [&[5, 0, 1, 1, len][..], name].concat()
}

fn choice(names: &[&str]) -> Vec<u8> {
    let mut choice = vec![0; 90];
    for (slot, name) in choice.chunks_exact_mut(30).zip(names) {
        slot[..name.len()].copy_from_slice(name.as_bytes());
    }
    choice
}

/// Reads what comes until it makes sense to stop: the list of methods, an answer, the end.
fn read_some(socket: &mut Socket, at_least: usize) -> String {
    let mut all = Vec::new();
    while all.len() < at_least {
        let mut buffer = [0; 256];
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => all.extend_from_slice(&buffer[..count]),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(e) => panic!("{e}"),
        }
    }
    format!("\"{}\"", all.escape_ascii())
}

/// Reads a list of methods, or a refusal.
fn read_list(socket: &mut Socket) -> String {
    let mut all = Vec::new();
    let whole = |all: &[u8]| match all.first() {
        Some(&len @ 0..128) => all.len() > usize::from(len),
        Some(_) => true,
        None => false,
    };
    while !whole(&all) {
        let mut byte = [0];
        match socket.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => all.push(byte[0]),
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => break,
            Err(e) => panic!("{e}"),
        }
    }
    format!("\"{}\"", all.escape_ascii())
}

fn connect_messages(w: &mut World) {
    for bytes in [
        message(&[b'a'; 11]),
        vec![5, 0, 1, 1, 255, b'a'],
        vec![5, 0, 1, 1, 5, b'a'],
        vec![5, 0, 1, 1, 2, b'a', b'b', b'c'],
        message(b"a b"),
        message(b"a#b"),
        message(b"#"),
        message(b"a\x00b"),
        message(b"a\""),
        message(b"a!"),
        message(b"\t"),
        message(b"\x7f"),
        message(b"\xe4"),
        vec![5],
        vec![5, 0],
        vec![5, 0, 1],
        vec![5, 0, 1, 1],
        vec![5, 0, 1, 1, 3],
        vec![3, 14],
        vec![3, 14, 1],
    ] {
        let mut socket = w.socket(0);
        socket.write_all(&bytes).unwrap();
        let answer = read_some(&mut socket, usize::MAX);
        w.note(format!("\"{}\" gets {answer}", bytes.escape_ascii()));
    }
    for name in [&b"$"[..], b"~", b"0123456789", b"a{}|\\^"] {
        let mut socket = w.socket(0);
        socket.write_all(&message(name)).unwrap();
        let answer = read_some(&mut socket, 6);
        w.note(format!("\"{}\" gets {answer}", name.escape_ascii()));
    }
    // Any flags.
    for flags in [0, 1, 0x0f, 0xf0, 0xff] {
        let mut socket = w.socket(0);
        let name = [b'f', b'a' + (flags & 15)];
        let bytes = [&[5, 0, 1, flags, 2][..], &name].concat();
        socket.write_all(&bytes).unwrap();
        let answer = read_some(&mut socket, 6);
        w.note(format!("flags {flags:#x} get {answer}"));
    }
}

fn versions(w: &mut World) {
    let mut held = Vec::new();
    for (index, version) in [
        &[3, 1][..],
        &[3, 8],
        &[3, 14],
        &[3, 15, 0],
        &[3, 15, 7],
        &[3, 16, 0],
        &[3, 17, 1],
        &[4, 0, 0],
        &[4, 4, 0],
        &[5, 0, 1],
        &[9, 0, 0],
        &[127, 9, 9],
        &[3, 0],
        &[3, 0, 9],
        &[2, 99, 99],
        &[0, 0, 0],
        &[255, 0, 0],
        &[128, 1, 1],
    ]
    .iter()
    .enumerate()
    {
        let mut socket = w.socket(0);
        let name = format!("v{index}");
        let len = u8::try_from(name.len()).unwrap();
        let bytes = [version, &[1, len][..], name.as_bytes()].concat();
        socket.write_all(&bytes).unwrap();
        // 1, 3 or 6 bytes tell which kind of answer it is.
        let first = read_some(&mut socket, 1);
        w.note(format!(
            "version {version:?} gets {}...",
            &first[..5.min(first.len())]
        ));
        if first.starts_with("\"\\x05") {
            // The list comes in two pieces.
            if !first.contains("NULL ") {
                read_some(&mut socket, 5);
            }
            socket.write_all(&choice(&["NULL"])).unwrap();
            let answer = read_some(&mut socket, 5 + 4 + name.len());
            w.note(format!("  and then {answer}"));
        }
        held.push(socket);
    }
}

fn choices(w: &mut World) {
    for (what, bytes) in [
        ("NULL", choice(&["NULL"])),
        ("NULL twice", choice(&["NULL", "NULL"])),
        ("garbage behind the NUL", {
            let mut choice = choice(&["NULL"]);
            choice[5..30].fill(b'x');
            choice
        }),
        ("garbage in the third slot", {
            let mut choice = choice(&["NULL"]);
            choice[60..90].fill(b'x');
            choice
        }),
        ("unknown", choice(&["WHAT"])),
        ("lower case", choice(&["null"])),
        ("prefix", choice(&["NUL"])),
        ("second unknown", choice(&["NULL", "WHAT"])),
        ("IP", choice(&["IP"])),
        ("none", choice(&[])),
        ("second slot only", choice(&["", "NULL"])),
        ("short by one", choice(&["NULL"])[..89].to_vec()),
        ("one byte", vec![b'N']),
    ] {
        let mut socket = w.socket(0);
        socket.write_all(&message(b"me")).unwrap();
        let list = read_some(&mut socket, 6);
        socket.write_all(&bytes).unwrap();
        let answer = read_some(&mut socket, 5 + 6);
        w.note(format!("{list}: {what} gets {answer}"));
        drop(socket);
        wait_until_free(w, "me");
    }
}

/// Until a name that was just given up can be had again.
fn wait_until_free(w: &mut World, name: &str) {
    let start = std::time::Instant::now();
    loop {
        match w.try_connect(name, 0) {
            Ok(mut client) => {
                client.kill();
                while client.frame().is_some() {}
            }
            Err(HandshakeFailure::Code(-6) | HandshakeFailure::Closed) => {}
            Err(failure) => panic!("{failure:?}"),
        }
        let mut socket = w.socket(0);
        socket.write_all(&message(name.as_bytes())).unwrap();
        let free = read_some(&mut socket, 1).contains("NULL");
        drop(socket);
        if free {
            // This one has to go as well; nobody is told when.
            std::thread::sleep(std::time::Duration::from_millis(20));
            return;
        }
        assert!(start.elapsed() < crate::client::DEADLINE);
    }
}

fn names_taken(w: &mut World) {
    w.connect("a", 0);
    let again = w.try_connect("a", 0).map(|client| client.name());
    w.note(format!("a at d1: {again:?}"));
    let other = w.try_connect("a", 1);
    w.note(format!("a at d2: {:?}", other.as_ref().map(Client::name)));
    let mut early = w.socket(0);
    early.write_all(&message(b"early")).unwrap();
    let list = read_some(&mut early, 6);
    let late = w.try_connect("early", 0).map(|client| client.name());
    w.note(format!("early has {list}, late {late:?}"));
}

fn reconnect_after_good_bye(w: &mut World) {
    for _ in 0..3 {
        w.connect("a", 0);
        w.join("a", "g");
        w.settle();
        w.kill_client("a");
        w.write_down();
    }
}

/// Raises the limit of open files where it is lower: 1024 is usual.
fn allow_descriptors(number: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_some_and(|current| current < number) {
        let raised = Rlimit {
            current: Some(number),
            maximum: limit.maximum,
        };
        setrlimit(Resource::Nofile, raised)
            .unwrap_or_else(|e| panic!("this needs {number} descriptors (ulimit -n): {e}"));
    }
}

fn quota(w: &mut World) {
    // Both ends of 997 connections, and what else this process has open.
    allow_descriptors(3000);
    let mut clients = Vec::new();
    for index in 0..997 {
        clients.push(w.try_connect(&format!("c{index}"), 0).unwrap());
    }
    let mut socket = w.socket(0);
    let answer = read_some(&mut socket, usize::MAX);
    w.note(format!("number 998 gets {answer}"));
    // A place is free again.
    let mut last = clients.pop().unwrap();
    last.kill();
    while last.frame().is_some() {}
    let next = w.try_connect("next", 0).map(|client| client.name());
    w.note(format!("after a good-bye: {next:?}"));
}

fn silent_connection(w: &mut World) {
    let mut silent = w.socket(0);
    let start = std::time::Instant::now();
    w.connect("a", 0);
    let waited = start.elapsed().as_millis();
    w.note(format!(
        "waits for a second: {}",
        (800..1500).contains(&waited)
    ));
    let answer = read_some(&mut silent, usize::MAX);
    w.note(format!("the silent one gets {answer}"));
}

fn unix_socket(w: &mut World) {
    let socket = w.unix_socket();
    let client = Client::try_connect(socket, "u", true).unwrap();
    w.add("u", client);
    w.connect("t", 0);
    w.join("u", "g");
    w.settle();
    w.join("t", "g");
    w.settle();
    w.multicast("u", &["g"], "hello");
    w.settle();
}

fn methods(w: &mut World) {
    for unix in [false, true] {
        for names in [&["NULL"][..], &["IP"], &["NULL", "IP"]] {
            let mut socket = if unix { w.unix_socket() } else { w.socket(0) };
            let name = format!("m{}{}", u8::from(unix), names.concat());
            socket.write_all(&message(name.as_bytes())).unwrap();
            let list = read_list(&mut socket);
            let _ = socket.write_all(&choice(names));
            let answer = read_some(&mut socket, 7);
            let told = if answer.contains('#') {
                "in"
            } else if answer.contains("\\xf7") || list.contains("\\xf7") {
                "out"
            } else {
                "closed"
            };
            let where_ = if unix { "unix" } else { "tcp" };
            w.note(format!("{where_} {names:?}: {list}, {told}"));
        }
    }
}
