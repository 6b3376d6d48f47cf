//! Flush Spread through faults of a simulated network: partitions, merges, dead daemons. The members are sessions of our library,
//! through its C interface.

use std::ffi::c_int;
use std::thread;
use std::time::{Duration, Instant};

use crate::library::{Library, Outgoing, Room};
use crate::support::scaled;
use spread_testd::Network;

const DONT_BLOCK: c_int = 0x1000_0000;
const WOULD_BLOCK: c_int = -25;
const FIFO: c_int = 0x4;
const AGREED: c_int = 0x10;
const FLUSH_REQ: c_int = 0x2000_0000;
const TRANSITION: c_int = 0x2000;
const VIEW: c_int = 0x1000;
const JOIN: c_int = 0x100;
const NETWORK: c_int = 0x800;

/// What a member has received, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    Request,
    Transition,
    /// Cause, members, and the names in the body.
    View(c_int, Vec<String>, Vec<String>),
    Data(String, String),
}

struct Member {
    library: Library,
    mbox: c_int,
    name: String,
    news: Vec<News>,
}

fn text(bytes: &[u8]) -> String {
    let len = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..len]).into_owned()
}

impl Member {
    fn connect(library: Library, daemon: &str, user: &str) -> Self {
        let (code, mbox, group) = library.connect(daemon, Some(user.as_bytes()), 0);
        assert_eq!(code, 1, "FL_connect to {daemon}");
        Self {
            library,
            mbox,
            name: text(&group),
            news: Vec::new(),
        }
    }

    fn on_group(&self, call: &std::ffi::CStr) {
        assert_eq!(
            self.library.on_group(call, self.mbox, b"room"),
            0,
            "{call:?} of {}",
            self.name
        );
    }

    fn send(&self, service: c_int, text: &str) {
        let message = Outgoing {
            service,
            group: b"room".to_vec(),
            mess_type: 1,
            pieces: vec![text.as_bytes().to_vec()],
            mess_len: c_int::try_from(text.len()).expect("a short text"),
            ..Outgoing::default()
        };
        assert_eq!(self.library.send(self.mbox, &message), message.mess_len);
    }

    /// Takes in all that is there.
    fn receive(&mut self) {
        loop {
            let (code, got) = self
                .library
                .receive(self.mbox, DONT_BLOCK, 20, &Room::Whole(1000));
            if code == WOULD_BLOCK {
                return;
            }
            assert!(code >= 0, "{} receives {code}", self.name);
            let news = match got.service {
                FLUSH_REQ => News::Request,
                TRANSITION => News::Transition,
                kind if kind & VIEW != 0 => {
                    let count = usize::try_from(got.num_groups).expect("a number of members");
                    let set = usize::try_from(code).expect("a length");
                    News::View(
                        kind & !VIEW,
                        got.groups[..count].iter().map(|row| text(row)).collect(),
                        got.body[16..set].chunks(32).map(text).collect(),
                    )
                }
                _ => News::Data(
                    text(&got.sender),
                    text(&got.body[..usize::try_from(code).expect("a length")]),
                ),
            };
            self.news.push(news);
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.library.on_mailbox(c"FL_disconnect", self.mbox);
    }
}

/// Waits until each member has had so many messages, receiving for all; then nothing more may come for a moment.
fn expect(members: &mut [&mut Member], wanted: &[Vec<News>]) {
    let end = Instant::now() + scaled(Duration::from_secs(20));
    loop {
        for member in &mut *members {
            member.receive();
        }
        let done = members
            .iter()
            .zip(wanted)
            .all(|(member, wanted)| member.news.len() >= wanted.len());
        if done {
            break;
        }
        assert!(
            Instant::now() < end,
            "waited in vain: {:#?}",
            members
                .iter()
                .map(|m| (&m.name, &m.news))
                .collect::<Vec<_>>()
        );
        thread::yield_now();
    }
    for (member, wanted) in members.iter_mut().zip(wanted) {
        assert_eq!(member.news, *wanted, "{}", member.name);
        member.news.clear();
    }
}

fn names(members: &[&Member]) -> Vec<String> {
    members.iter().map(|member| member.name.clone()).collect()
}

fn flush(members: &[&mut Member]) {
    for member in members {
        member.on_group(c"FL_flush");
    }
}

/// Two members at the first daemon, one at the second, in one view.
fn three(network: &Network) -> (Member, Member, Member) {
    let library = Library::load();
    let mut a = Member::connect(library, &network.daemon(0).spread_name(), "a");
    let mut b = Member::connect(library, &network.daemon(0).spread_name(), "b");
    let mut c = Member::connect(library, &network.daemon(1).spread_name(), "c");
    a.on_group(c"FL_join");
    let mut wanted = vec![News::View(JOIN, names(&[&a]), names(&[&a]))];
    expect(&mut [&mut a], std::slice::from_ref(&wanted));
    b.on_group(c"FL_join");
    expect(&mut [&mut a, &mut b], &[vec![News::Request], vec![]]);
    flush(&[&mut a]);
    wanted = vec![News::View(JOIN, names(&[&a, &b]), names(&[&b]))];
    expect(&mut [&mut a, &mut b], &[wanted.clone(), wanted]);
    c.on_group(c"FL_join");
    expect(
        &mut [&mut a, &mut b, &mut c],
        &[vec![News::Request], vec![News::Request], vec![]],
    );
    flush(&[&mut a, &mut b]);
    wanted = vec![News::View(JOIN, names(&[&a, &b, &c]), names(&[&c]))];
    expect(
        &mut [&mut a, &mut b, &mut c],
        &[wanted.clone(), wanted.clone(), wanted],
    );
    (a, b, c)
}

/// What one member has sent reaches these.
fn reaches(from: usize, members: &mut [&mut Member], service: c_int) {
    members[from].send(service, "hello");
    let news = vec![News::Data(members[from].name.clone(), "hello".to_owned())];
    let wanted = vec![news; members.len()];
    expect(members, &wanted);
}

#[test]
fn partition_and_merge() {
    let network = Network::builder()
        .daemons(2)
        .start()
        .expect("a network can be started");
    let (mut a, mut b, mut c) = three(&network);
    reaches(0, &mut [&mut a, &mut b, &mut c], AGREED);

    network
        .partition(&[[0], [1]])
        .expect("the network is there");
    let asked = vec![News::Transition, News::Request];
    expect(
        &mut [&mut a, &mut b, &mut c],
        &[asked.clone(), asked.clone(), asked],
    );
    // The old view goes on until everybody has flushed, but only with those who are here.
    reaches(0, &mut [&mut a, &mut b], FIFO);
    reaches(0, &mut [&mut c], FIFO);
    flush(&[&mut a, &mut b, &mut c]);
    let here = vec![News::View(NETWORK, names(&[&a, &b]), names(&[&a, &b]))];
    let there = vec![News::View(NETWORK, names(&[&c]), names(&[&c]))];
    expect(&mut [&mut a, &mut b, &mut c], &[here.clone(), here, there]);
    reaches(1, &mut [&mut a, &mut b], FIFO);

    network.heal().expect("the network is there");
    let merging = |member: &Member| member.news.contains(&News::Request);
    let end = Instant::now() + scaled(Duration::from_secs(20));
    while !(merging(&a) && merging(&b) && merging(&c)) {
        for member in [&mut a, &mut b, &mut c] {
            member.receive();
        }
        assert!(Instant::now() < end, "no merge");
        thread::yield_now();
    }
    for member in [&mut a, &mut b, &mut c] {
        // A part that nobody has left need not be told that guarantees end.
        member.news.retain(|news| *news != News::Transition);
        assert_eq!(member.news, [News::Request], "{}", member.name);
        member.news.clear();
    }
    flush(&[&mut a, &mut b, &mut c]);
    let all = names(&[&a, &b, &c]);
    let here = vec![News::View(NETWORK, all.clone(), names(&[&a, &b]))];
    let there = vec![News::View(NETWORK, all, names(&[&c]))];
    expect(&mut [&mut a, &mut b, &mut c], &[here.clone(), here, there]);
    reaches(2, &mut [&mut a, &mut b, &mut c], AGREED);
    reaches(0, &mut [&mut a, &mut b, &mut c], FIFO);
}

/// A partition while some have flushed for a join, and the joiner is on the other side.
#[test]
fn partition_during_a_flush() {
    let network = Network::builder()
        .daemons(2)
        .start()
        .expect("a network can be started");
    let (mut a, mut b, mut c) = three(&network);
    let mut d = Member::connect(a.library, &network.daemon(1).spread_name(), "d");
    d.on_group(c"FL_join");
    expect(
        &mut [&mut a, &mut b, &mut c, &mut d],
        &[
            vec![News::Request],
            vec![News::Request],
            vec![News::Request],
            vec![],
        ],
    );
    flush(&[&mut a]);
    network
        .partition(&[[0], [1]])
        .expect("the network is there");
    // The request that is open stands; a, who has flushed, has nothing more to flush.
    let told = vec![News::Transition];
    expect(
        &mut [&mut a, &mut b, &mut c, &mut d],
        &[told.clone(), told.clone(), told, vec![]],
    );
    flush(&[&mut b, &mut c]);
    let here = vec![News::View(NETWORK, names(&[&a, &b]), names(&[&a, &b]))];
    let there = News::View(NETWORK, names(&[&c, &d]), names(&[&c]));
    let first = News::View(NETWORK, names(&[&c, &d]), names(&[&d]));
    expect(
        &mut [&mut a, &mut b, &mut c, &mut d],
        &[here.clone(), here, vec![there], vec![first]],
    );
    reaches(0, &mut [&mut a, &mut b], FIFO);
    reaches(1, &mut [&mut c, &mut d], FIFO);
}

/// A daemon dies: its members are gone, and their sessions are lost.
#[test]
fn daemon_dies() {
    let network = Network::builder()
        .daemons(2)
        .start()
        .expect("a network can be started");
    let (mut a, mut b, c) = three(&network);
    network.kill(1).expect("the network is there");
    let asked = vec![News::Transition, News::Request];
    expect(&mut [&mut a, &mut b], &[asked.clone(), asked]);
    flush(&[&mut a, &mut b]);
    let view = vec![News::View(NETWORK, names(&[&a, &b]), names(&[&a, &b]))];
    expect(&mut [&mut a, &mut b], &[view.clone(), view]);
    reaches(0, &mut [&mut a, &mut b], FIFO);
    let (code, _) = c.library.receive(c.mbox, 0, 20, &Room::Whole(1000));
    assert_eq!(code, -8);
    let (code, _) = c.library.receive(c.mbox, 0, 20, &Room::Whole(1000));
    assert_eq!(code, -11);
}
