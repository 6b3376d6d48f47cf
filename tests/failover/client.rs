//! A client as a program would be, on the Rust interface: blocking calls with a limit.

use std::cell::RefCell;
use std::io::{IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::time::{Duration, Instant};

use spread_client::{
    Conf, Connect, ConnectArguments, ConnectProgress, Error, Event, MethodRunner, Name,
    OLDEST_DAEMON, OutSlice, Outgoing, Progress, Receive, Room, Send, TimeLimit,
};
use spread_proto::service;

/// Room for the members of a group.
const MOST_GROUPS: usize = 1000;
const MOST_GROUPS_INT: i32 = 1000;

type Bytes = Vec<MaybeUninit<u8>>;

thread_local! {
    /// Room for groups and body, all zeroes at first.
    static ROOM: RefCell<(Bytes, Bytes)> = RefCell::new((
        vec![MaybeUninit::zeroed(); 32 * MOST_GROUPS],
        vec![MaybeUninit::zeroed(); 150_000],
    ));
}

/// Longest that anything takes here, on a loaded machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Says a figure, past the capturing of test output.
pub(crate) fn say(what: impl std::fmt::Display) {
    let _ = writeln!(std::io::stderr(), "{what}");
}

/// A session that ends with its value.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) mailbox: i32,
    /// The name it had at first.
    pub(crate) private_group: Name,
    pub(crate) events: Vec<Event>,
}

/// A message as it was received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub(crate) kind: u32,
    pub(crate) sender: String,
    pub(crate) groups: Vec<String>,
    pub(crate) mess_type: i16,
    pub(crate) body: Vec<u8>,
}

/// One line for a message, for comparing.
pub(crate) fn line(got: &Got) -> String {
    let sender = &got.sender;
    let kind = got.kind;
    if service::is_transition(kind) {
        format!("transition {sender}")
    } else if service::is_self_leave(kind) {
        format!("self-leave {sender}")
    } else if service::is_regular_membership(kind) {
        format!(
            "view {sender} {} me={}",
            got.groups.join(","),
            got.mess_type
        )
    } else {
        format!("data {} {}", sender, String::from_utf8_lossy(&got.body))
    }
}

pub(crate) fn connect(name: &str, private: &str) -> Result<Client, Error> {
    connect_within(name, private, TimeLimit::After(PATIENCE))
}

pub(crate) fn connect_within(name: &str, private: &str, limit: TimeLimit) -> Result<Client, Error> {
    run(&ConnectArguments {
        spread_name: name.as_bytes(),
        private_name: private.as_bytes(),
        priority: false,
        membership: true,
        methods: &[b"NULL".to_vec()],
        again: None,
        limit,
        conf: &Conf::new(),
        oldest_daemon: OLDEST_DAEMON,
    })
}

pub(crate) fn connect_with(
    name: &str,
    private: &str,
    membership: bool,
    methods: &[Vec<u8>],
    again: Option<&MethodRunner>,
) -> Result<Client, Error> {
    run(&ConnectArguments {
        spread_name: name.as_bytes(),
        private_name: private.as_bytes(),
        priority: false,
        membership,
        methods,
        again: again.cloned(),
        limit: TimeLimit::After(PATIENCE),
        conf: &Conf::new(),
        oldest_daemon: OLDEST_DAEMON,
    })
}

fn run(arguments: &ConnectArguments<'_>) -> Result<Client, Error> {
    let mut connect = Connect::begin(arguments)?;
    loop {
        match connect.step() {
            ConnectProgress::Done(result) => {
                let connected = result?;
                return Ok(Client {
                    mailbox: connected.mailbox,
                    private_group: connected.private_group,
                    events: Vec::new(),
                });
            }
            ConnectProgress::Blocked => connect.call.run(),
            ConnectProgress::RunMethods(fd) => {
                let again = arguments.again.as_ref();
                let ok = again.is_none_or(|runner| (runner.0)(fd));
                connect.methods_done(ok);
            }
        }
    }
}

fn text(name: &[u8]) -> String {
    let end = name.iter().position(|&byte| byte == 0);
    String::from_utf8_lossy(&name[..end.unwrap_or(name.len())]).into_owned()
}

/// Waits until `fd` is readable. False: it was not within `limit`.
pub(crate) fn readable(fd: i32, limit: Duration) -> bool {
    let mut one = libc::pollfd {
        fd,
        events: libc::POLLIN,
        revents: 0,
    };
    let ms = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: a live array of one.
    unsafe { libc::poll(&raw mut one, 1, ms) > 0 }
}

impl Client {
    /// Receives, blocking.
    pub(crate) fn receive(&self) -> Result<Got, Error> {
        self.receive_held_up(|| ())
    }

    /// The same for a thread that is held up before each wait, while something else happens.
    pub(crate) fn receive_held_up(&self, meanwhile: impl FnMut()) -> Result<Got, Error> {
        ROOM.with_borrow_mut(|(groups, body)| self.receive_into(groups, body, meanwhile))
    }

    fn receive_into(
        &self,
        groups: &mut [MaybeUninit<u8>],
        body: &mut [MaybeUninit<u8>],
        mut before_wait: impl FnMut(),
    ) -> Result<Got, Error> {
        let (result, out) = {
            let mut pieces = [OutSlice::new(body)];
            let room = Room {
                groups: OutSlice::new(groups),
                max_groups: MOST_GROUPS_INT,
                body: &mut pieces,
                max_body: 150_000,
            };
            let mut receive = Receive::begin(self.mailbox, room, false)?;
            loop {
                match receive.step() {
                    Progress::Done(result) => break (result, receive.out),
                    Progress::Blocked => {
                        before_wait();
                        receive.call.run();
                    }
                }
            }
        };
        let length = result?;
        // SAFETY: zeroed when it was made.
        let byte = |byte: &MaybeUninit<u8>| unsafe { byte.assume_init() };
        let count =
            usize::try_from(out.num_groups.unwrap_or(0)).expect("no message is too short here");
        Ok(Got {
            kind: out.service.expect("a type comes with each message"),
            sender: text(out.sender.expect("so does a sender").as_bytes()),
            groups: groups
                .chunks(32)
                .take(count)
                .map(|name| text(&name.iter().map(byte).collect::<Vec<u8>>()))
                .collect(),
            mess_type: out.mess_type.expect("so does its own type"),
            body: body[..length].iter().map(byte).collect(),
        })
    }

    /// Receives as a program does that waits in `poll` first. `None`: nothing within `limit`.
    pub(crate) fn receive_within(&self, limit: Duration) -> Option<Result<Got, Error>> {
        readable(self.mailbox, limit).then(|| self.receive())
    }

    /// The next message as a line.
    #[track_caller]
    pub(crate) fn next(&self) -> String {
        match self.receive_within(PATIENCE) {
            Some(Ok(got)) => line(&got),
            Some(Err(error)) => panic!("{error} instead of a message"),
            None => panic!("no message"),
        }
    }

    /// Receives until one of these lines comes; returns what came, that line included.
    #[track_caller]
    pub(crate) fn until(&self, wanted: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.next());
            if lines.last().is_some_and(|line| line == wanted) {
                return lines;
            }
            assert!(lines.len() < 10_000, "{wanted:?} does not come");
        }
    }

    fn send(mut send: Send<'_>) -> Result<usize, Error> {
        loop {
            match send.step() {
                Progress::Done(result) => return result,
                Progress::Blocked => send.call.run(),
            }
        }
    }

    pub(crate) fn join(&self, group: &str) -> Result<usize, Error> {
        Self::send(Send::join(self.mailbox, group.as_bytes())?)
    }

    pub(crate) fn leave(&self, group: &str) -> Result<usize, Error> {
        Self::send(Send::leave(self.mailbox, group.as_bytes())?)
    }

    pub(crate) fn multicast(&self, group: &str, body: &[u8]) -> Result<usize, Error> {
        let field = spread_client::group_field(group.as_bytes());
        let pieces = [IoSlice::new(body)];
        let message = Outgoing {
            service: service::AGREED_MESS.cast_signed(),
            num_groups: 1,
            groups: &field,
            mess_type: 0,
            body: &pieces,
            body_len: body.len() as u64,
            refusal: None,
        };
        Self::send(Send::multicast(self.mailbox, &message)?)
    }

    /// Joins, and takes the view.
    #[track_caller]
    pub(crate) fn join_and_see(&self, group: &str) {
        self.join(group).expect("a join");
        let view = self.next();
        assert!(view.starts_with(&format!("view {group} ")), "{view}");
    }

    /// The session's name as it is now.
    pub(crate) fn name(&self) -> String {
        text(
            spread_client::private_group(self.mailbox)
                .expect("a session")
                .as_bytes(),
        )
    }

    /// Waits for the next event.
    #[track_caller]
    pub(crate) fn event(&mut self) -> Event {
        let fd = spread_client::event_fd(self.mailbox).expect("a session");
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(event) = spread_client::next_event(self.mailbox).expect("a session") {
                self.events.push(event.clone());
                return event;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(readable(fd, left), "no event; before: {:#?}", self.events);
        }
    }

    /// Waits until the session is at a daemon again, and tells how.
    #[track_caller]
    pub(crate) fn reconnected(&mut self) -> spread_client::Reconnected {
        loop {
            match self.event() {
                Event::Reconnected(how) => return *how,
                Event::Closed(why) => panic!("ended: {why:?}; {:#?}", self.events),
                _ => {}
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = spread_client::disconnect(self.mailbox);
    }
}
