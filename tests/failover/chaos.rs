//! Everything at once: sessions that send and receive in all styles, while their daemons die, freeze and
//! hang up. What must hold in the end: nobody is stuck, nobody is missing, nothing came twice, and what was
//! sent over one connection came in order. (A daemon that was frozen may order what it held after what
//! its client has meanwhile sent by way of another one.)

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use spread_client::Error;
use spread_proto::service;
use spread_testd::{CloseHow, Network, Timing};

use crate::auto::list;
use crate::client::{Client, PATIENCE, connect, readable, say};

const SESSIONS: usize = 9;

const OPTIONS: &str = "failover=auto&avoid_ms=0&reconnect_min_ms=2&reconnect_max_ms=30\
                       &attempt_timeout_ms=150&send_wait_ms=60000";

/// How long the network is maltreated.
const TROUBLE: Duration = Duration::from_secs(3);

/// Numbers by the session that has sent them, and its name then.
type Came = HashMap<(String, String), Vec<u32>>;

/// Receives until the end is told.
fn receive_all(client: &Client, at: usize, received: &AtomicU32) -> Came {
    let mut came = Came::new();
    loop {
        // Every third waits in poll() first, as an event loop does, every third does both.
        if at % 3 == 1 || (at % 3 == 2 && came.len().is_multiple_of(2)) {
            assert!(
                readable(client.mailbox, PATIENCE * 2),
                "session {at} is stuck at {}",
                client.name()
            );
        }
        let got = client.receive().expect("it comes back each time");
        if !service::is_regular(got.kind) {
            continue;
        }
        received.fetch_add(1, Ordering::Relaxed);
        let text = String::from_utf8_lossy(&got.body);
        let text = text.trim_end_matches('\0');
        if text == "end" {
            return came;
        }
        if let Some((who, number)) = text.split_once(':') {
            came.entry((who.to_owned(), got.sender))
                .or_default()
                .push(number.parse().expect("a number"));
        }
    }
}

#[test]
fn whatever_happens_to_the_daemons() {
    let network = Network::builder()
        .daemons(3)
        .unix(false)
        .timing(Timing::FAST)
        .start()
        .unwrap();
    let orders = [[0, 1, 2], [1, 2, 0], [2, 0, 1]];
    let clients: Vec<Client> = (0..SESSIONS)
        .map(|at| {
            let name = format!("{}?{OPTIONS}", list(&network, &orders[at % 3]));
            let client = connect(&name, &format!("u{at}")).unwrap();
            client.join("g").unwrap();
            client
        })
        .collect();
    let observer_name = format!("{}?{OPTIONS}", list(&network, &[1, 2, 0]));
    let observer = connect(&observer_name, "obs").unwrap();
    let (stop, over) = (AtomicBool::new(false), AtomicBool::new(false));
    let received = AtomicU32::new(0);
    let seed = RandomState::new().hash_one(1);
    let mut dice = seed;
    let mut roll = |bound: u64| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % bound).unwrap()
    };
    say(format_args!("chaos: seed {seed}"));
    let mut losses = 0;
    std::thread::scope(|scope| {
        let receivers: Vec<_> = clients
            .iter()
            .enumerate()
            .map(|(at, client)| {
                let received = &received;
                scope.spawn(move || receive_all(client, at, received))
            })
            .collect();
        for (at, client) in clients.iter().enumerate() {
            let stop = &stop;
            scope.spawn(move || {
                let mut number = 0;
                while !stop.load(Ordering::SeqCst) {
                    let text = format!("{at}:{number}");
                    // Some are large enough to be cut.
                    let mut body = text.into_bytes();
                    if number % 20 == 0 {
                        body.resize(50_000, 0);
                    }
                    match client.multicast("g", &body) {
                        Ok(_) => number += 1,
                        Err(Error::ConnectionClosed) => {}
                        Err(error) => panic!("session {at}: {error}"),
                    }
                    // A group is joined twice and left once: it is left.
                    if number % 50 == 0 {
                        client.join("h").unwrap();
                        client.join("h").unwrap();
                        client.leave("h").unwrap();
                    }
                    std::thread::sleep(Duration::from_millis(4));
                }
            });
        }
        let end = Instant::now() + TROUBLE;
        while Instant::now() < end {
            let daemon = roll(3);
            match roll(5) {
                0 => {
                    network.kill(daemon).unwrap();
                    std::thread::sleep(Duration::from_millis(roll(60) as u64));
                    network.restart(daemon).unwrap();
                }
                1 => {
                    network.freeze(daemon).unwrap();
                    std::thread::sleep(Duration::from_millis(roll(60) as u64));
                    network.thaw(daemon).unwrap();
                }
                kind => {
                    let how = if kind == 2 {
                        CloseHow::Normal
                    } else {
                        CloseHow::Reset
                    };
                    let name = clients[roll(SESSIONS as u64)].name();
                    // It may be on its way elsewhere.
                    let _ = network.close_session(&name, how);
                }
            }
            losses += 1;
            std::thread::sleep(Duration::from_millis(roll(60) as u64));
        }
        stop.store(true, Ordering::SeqCst);
        network.settle().unwrap();
        // Until all have heard of it: one of them may be between two daemons.
        let teller = scope.spawn(|| {
            while !over.load(Ordering::SeqCst) {
                let _ = observer.multicast("g", b"end");
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        let mut gaps = 0_usize;
        for (at, receiver) in receivers.into_iter().enumerate() {
            let came = receiver.join();
            if came.is_err() {
                over.store(true, Ordering::SeqCst);
            }
            let came = came.unwrap();
            let mut of_sender: HashMap<&str, Vec<u32>> = HashMap::new();
            for ((who, name), numbers) in &came {
                let ordered = numbers.windows(2).all(|two| two[0] < two[1]);
                assert!(
                    ordered,
                    "seed {seed}: session {at} got of {name}: {numbers:?}"
                );
                of_sender.entry(who).or_default().extend(numbers);
            }
            for (who, mut numbers) in of_sender {
                numbers.sort_unstable();
                let once = numbers.windows(2).all(|two| two[0] < two[1]);
                assert!(
                    once,
                    "seed {seed}: session {at} got twice of {who}: {numbers:?}"
                );
                gaps += numbers.windows(2).filter(|two| two[0] + 1 < two[1]).count();
            }
        }
        over.store(true, Ordering::SeqCst);
        teller.join().unwrap();
        say(format_args!(
            "chaos: {losses} blows, {} messages received, {gaps} gaps in the streams of single senders",
            received.load(Ordering::Relaxed)
        ));
    });
    // All are members of the one group, once, and of no other.
    for (group, members) in [("g", SESSIONS + 1), ("h", 1)] {
        let late = connect(&network.daemon(0).spread_name(), &format!("late{group}")).unwrap();
        late.join(group).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let got = late.receive().unwrap();
            if got.sender == group && got.groups.len() == members {
                break;
            }
            assert!(Instant::now() < deadline, "seed {seed}: {:?}", got.groups);
        }
    }
}
