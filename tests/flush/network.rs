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
const LEAVE: c_int = 0x200;
const NETWORK: c_int = 0x800;

/// What a member has received, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum News {
    Request,
    Transition,
    SelfLeave,
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

    /// The private group without the daemon.
    fn user(&self) -> String {
        let end = self.name[1..]
            .find('#')
            .expect("two signs in a private group")
            + 2;
        self.name[..end].to_owned()
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
        self.send_with(service, "room", text);
    }

    fn send_to(&self, destination: &str, text: &str) {
        self.send_with(AGREED, destination, text);
    }

    fn send_with(&self, service: c_int, destination: &str, text: &str) {
        let message = Outgoing {
            service,
            group: destination.as_bytes().to_vec(),
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
                LEAVE => News::SelfLeave,
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

/// All members answer every request, until their last views have these members; what each has had until then.
fn agree(
    members: &mut [&mut Member],
    wanted: &dyn Fn(&[&mut Member]) -> Vec<String>,
) -> Vec<Vec<News>> {
    let end = Instant::now() + scaled(Duration::from_secs(30));
    let mut asked = vec![false; members.len()];
    let mut had: Vec<Vec<News>> = members.iter().map(|_| Vec::new()).collect();
    loop {
        for ((member, had), asked) in members.iter_mut().zip(&mut had).zip(&mut asked) {
            member.receive();
            for news in std::mem::take(&mut member.news) {
                *asked |= news == News::Request;
                if let News::View(_, names, _) = &news {
                    let own = names.iter().find(|name| name.starts_with(&member.user()));
                    member
                        .name
                        .clone_from(own.expect("a member is in its view"));
                }
                had.push(news);
            }
            if std::mem::take(asked) {
                member.on_group(c"FL_flush");
            }
        }
        let wanted = wanted(members);
        let last = |had: &Vec<News>| {
            had.iter()
                .rev()
                .find(|news| matches!(news, News::View(..)))
                .cloned()
        };
        if had
            .iter()
            .all(|had| matches!(last(had), Some(News::View(_, names, _)) if names == wanted))
        {
            return had;
        }
        assert!(Instant::now() < end, "no agreement on {wanted:?}: {had:#?}");
        thread::yield_now();
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
    let _alone = crate::alone();
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
    let _alone = crate::alone();
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
    let _alone = crate::alone();
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

/// A member whose session can move between both daemons, with options.
fn restored_member(network: &Network, user: &str, options: &str) -> Member {
    let (first, second) = (
        network.daemon(0).spread_name(),
        network.daemon(1).spread_name(),
    );
    Member::connect(
        Library::load(),
        &format!("{first},{second}?failover=auto{options}"),
        user,
    )
}

/// The members' names as daemons order them: by daemon, then by name.
fn in_order(members: &[&mut Member]) -> Vec<String> {
    let mut names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    names.sort_by_key(|name| {
        let (user, daemon) = name[1..]
            .split_once('#')
            .expect("two signs in a private group");
        (daemon.to_owned(), user.to_owned())
    });
    names
}

/// A lost session comes back at another daemon, under another name: the signal, a request, and one new view for all.
#[test]
fn restored_session_has_a_new_view() {
    let _alone = crate::alone();
    let network = Network::builder()
        .daemons(2)
        .start()
        .expect("a network can be started");
    let mut a = restored_member(&network, "a", "");
    let mut b = Member::connect(a.library, &network.daemon(1).spread_name(), "b");
    a.on_group(c"FL_join");
    agree(&mut [&mut a], &in_order);
    b.on_group(c"FL_join");
    agree(&mut [&mut a, &mut b], &in_order);
    let old = a.name.clone();
    reaches(0, &mut [&mut a, &mut b], FIFO);

    network.kill(0).expect("the network is there");
    let moved = |members: &[&mut Member]| {
        let mut names = in_order(members);
        names.retain(|name| *name != old);
        names
    };
    let had = agree(&mut [&mut a, &mut b], &moved);
    assert_ne!(a.name, old);
    let both = in_order(&[&mut a, &mut b]);
    let alone = names(&[&a]);
    assert_eq!(
        had[0],
        [
            News::Transition,
            News::Request,
            News::View(NETWORK, both, alone)
        ]
    );
    assert_eq!(had[1][0], News::Transition);
    // What each sends reaches both, whatever the service.
    for service in [FIFO, AGREED] {
        reaches(0, &mut [&mut a, &mut b], service);
        reaches(1, &mut [&mut a, &mut b], service);
    }
    // To the new name.
    b.send_to(&a.name.clone(), "private");
    let news = News::Data(b.name.clone(), "private".to_owned());
    expect(&mut [&mut a, &mut b], &[vec![news], vec![]]);
}

/// The loss comes when the member has flushed for a change: nothing of that change is left, and no second flush is asked for.
#[test]
fn session_is_restored_during_a_flush() {
    let _alone = crate::alone();
    let network = Network::builder()
        .daemons(2)
        .start()
        .expect("a network can be started");
    let mut a = restored_member(&network, "a", "");
    let mut b = Member::connect(a.library, &network.daemon(1).spread_name(), "b");
    let mut c = Member::connect(a.library, &network.daemon(1).spread_name(), "c");
    a.on_group(c"FL_join");
    agree(&mut [&mut a], &in_order);
    b.on_group(c"FL_join");
    agree(&mut [&mut a, &mut b], &in_order);
    c.on_group(c"FL_join");
    expect(
        &mut [&mut a, &mut b, &mut c],
        &[vec![News::Request], vec![News::Request], vec![]],
    );
    flush(&[&mut a]);
    let old = a.name.clone();
    network.kill(0).expect("the network is there");
    flush(&[&mut b]);
    let moved = |members: &[&mut Member]| {
        let mut names = in_order(members);
        names.retain(|name| *name != old);
        names
    };
    let had = agree(&mut [&mut a, &mut b, &mut c], &moved);
    assert_eq!(had[0][0], News::Transition);
    assert!(!had[0].contains(&News::Request), "{had:#?}");
    for from in 0..3 {
        reaches(from, &mut [&mut a, &mut b, &mut c], AGREED);
    }
}

/// While there is no daemon: nothing is received and nothing waits long, sends give up, leaves count; and then it goes on.
#[test]
fn calls_during_an_outage() {
    let _alone = crate::alone();
    let network = Network::builder()
        .daemons(1)
        .start()
        .expect("a network can be started");
    let name = format!(
        "{}?failover=auto&send_wait_ms=50",
        network.daemon(0).spread_name()
    );
    let mut a = Member::connect(Library::load(), &name, "a");
    a.on_group(c"FL_join");
    agree(&mut [&mut a], &in_order);
    assert_eq!(a.library.on_group(c"FL_join", a.mbox, b"other"), 0);
    let end = Instant::now() + scaled(Duration::from_secs(10));
    while !matches!(a.news.last(), Some(News::View(..))) {
        a.receive();
        assert!(Instant::now() < end, "no view");
        thread::yield_now();
    }
    a.news.clear();
    network.kill(0).expect("the network is there");

    // A message may still go to the dead daemon. Then a send waits for as long as it may, and the session goes on.
    let message = Outgoing {
        service: AGREED,
        group: b"room".to_vec(),
        mess_type: 1,
        pieces: vec![b"x".to_vec()],
        mess_len: 1,
        ..Outgoing::default()
    };
    while a.library.send(a.mbox, &message) == 1 {
        assert!(Instant::now() < end, "no outage");
        a.receive();
        thread::yield_now();
    }
    a.receive();
    assert_eq!(a.library.on_group(c"FL_flush", a.mbox, b"room"), -27);
    assert_eq!(a.library.on_mailbox(c"FL_more_msgs", a.mbox), 0);
    assert_eq!(a.library.on_group(c"FL_leave", a.mbox, b"other"), 0);
    assert_eq!(a.library.on_group(c"FL_leave", a.mbox, b"other"), -14);

    network.restart(0).expect("the daemon can be started again");
    let had = agree(&mut [&mut a], &in_order);
    let own = names(&[&a]);
    let view = News::View(NETWORK, own.clone(), own);
    // The signals of both groups and the end of the one that was left, in an order of their own.
    let of_room: Vec<&News> = had[0]
        .iter()
        .filter(|news| matches!(news, News::Request | News::View(..)))
        .collect();
    assert_eq!(of_room, [&News::Request, &view], "{had:#?}");
    assert!(had[0].contains(&News::SelfLeave), "{had:#?}");
    reaches(0, &mut [&mut a], FIFO);
    assert_eq!(a.library.on_group(c"FL_join", a.mbox, b"other"), 0);
}

/// A session that moves on purpose is twice in the group for a moment: the members agree once its old end is gone.
#[test]
fn session_moves_on_purpose() {
    let _alone = crate::alone();
    let network = Network::builder()
        .daemons(2)
        .start()
        .expect("a network can be started");
    let mut a = restored_member(&network, "a", "");
    let mut b = Member::connect(a.library, &network.daemon(1).spread_name(), "b");
    a.on_group(c"FL_join");
    agree(&mut [&mut a], &in_order);
    b.on_group(c"FL_join");
    agree(&mut [&mut a, &mut b], &in_order);
    let old = a.name.clone();
    assert_eq!(a.library.on_mailbox(c"SPX_reconnect", a.mbox), 0);
    let moved = |members: &[&mut Member]| {
        let mut names = in_order(members);
        names.retain(|name| *name != old);
        names
    };
    let had = agree(&mut [&mut a, &mut b], &moved);
    assert_ne!(a.name, old);
    assert_eq!(had[0][0], News::Transition);
    for service in [FIFO, AGREED] {
        reaches(0, &mut [&mut a, &mut b], service);
        reaches(1, &mut [&mut a, &mut b], service);
    }
}

/// A policy that drops messages would drop votes, so it does not for members of flush groups.
#[test]
fn nothing_is_dropped_for_a_member_that_reads_slowly() {
    let _alone = crate::alone();
    const MESSAGES: usize = 900;
    let network = Network::builder()
        .start()
        .expect("a network can be started");
    let name = network.daemon(0).spread_name();
    let mut a = Member::connect(Library::load(), &name, "a");
    let slow = format!("{name}?recv_policy=drop_oldest&recv_max_bytes=64K&recv_max_messages=10");
    let mut b = Member::connect(a.library, &slow, "b");
    a.on_group(c"FL_join");
    agree(&mut [&mut a], &in_order);
    b.on_group(c"FL_join");
    agree(&mut [&mut a, &mut b], &in_order);
    for number in 0..MESSAGES {
        a.send(FIFO, &format!("{number:0200}"));
        a.receive();
    }
    let end = Instant::now() + scaled(Duration::from_secs(20));
    while b.news.len() < MESSAGES {
        b.receive();
        assert!(Instant::now() < end, "only {} messages", b.news.len());
        thread::yield_now();
    }
    for (number, news) in b.news.iter().enumerate() {
        assert_eq!(*news, News::Data(a.name.clone(), format!("{number:0200}")));
    }
}
