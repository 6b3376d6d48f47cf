//! Many sessions at a time, with one DNS name for all daemons. Those with hundreds are ignored by default:
//! `cargo test --test failover -- --ignored --nocapture scale::many`.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use spread_client::Event;
use spread_testd::{Network, Timing};

use crate::client::{Client, connect, say};
use crate::dns;
use crate::support::skip;

const CLIENTS: usize = 500;

/// A view goes to all members of a group: with one group the views would be all there is to see.
const GROUPS: usize = 10;

/// Descriptors for all of them, and for the daemons in the same process.
pub(crate) fn allow_descriptors() {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: a live structure.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: as above.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) };
}

pub(crate) fn spread_of(clients: &[Client]) -> [usize; 3] {
    let mut counts = [0; 3];
    for client in clients {
        // Also "#wd1".
        let name = client.name();
        let at = (0..3)
            .find(|at| name.ends_with(&format!("d{}", at + 1)))
            .expect("one of the three");
        counts[at] += 1;
    }
    counts
}

pub(crate) fn is_even(counts: &[usize]) -> bool {
    let mean = counts.iter().sum::<usize>() / counts.len();
    counts
        .iter()
        .all(|&count| count * 4 >= mean * 3 && count * 4 <= mean * 5)
}

/// How many of `times` fall into each of these steps, as a picture.
fn histogram(title: &str, times: &[Duration], step: Duration) {
    let mut bars = vec![0_usize; 1];
    for time in times {
        let at = usize::try_from(time.as_micros() / step.as_micros()).expect("a small number");
        if at >= bars.len() {
            bars.resize(at + 1, 0);
        }
        bars[at] += 1;
    }
    say(format_args!("{title} ({} in all)", times.len()));
    for (at, count) in bars.iter().enumerate() {
        let from = step * u32::try_from(at).expect("a small number");
        say(format_args!(
            "{:>6} ms {count:>5} {}",
            from.as_millis(),
            "#".repeat(count.div_ceil(4))
        ));
    }
}

/// Waits until all of them have lost a daemon `at` and are back; when each of them was.
fn all_back(clients: &mut [Client], lost: usize, since: Instant) -> Vec<Duration> {
    let mut times = Vec::new();
    let mut known = 0;
    for client in clients.iter_mut() {
        // Those that had not lost theirs have no event.
        let mut out = false;
        while let Some(event) = spread_client::next_event(client.mailbox).expect("a session") {
            out = matches!(event, Event::DaemonLost { .. } | Event::Reconnecting { .. })
                || (out && !matches!(event, Event::Reconnected(_)));
            if let Event::Reconnected(how) = event {
                times.push(how.gap);
                known += 1;
            }
        }
        if out {
            times.push(client.reconnected().gap);
            known += 1;
        }
    }
    assert_eq!(known, lost, "{:?} after the loss", since.elapsed());
    times.sort();
    times
}

/// Which daemon each of them is at.
fn places(clients: &[Client]) -> Vec<String> {
    let daemon = |client: &Client| client.name().rsplit('#').next().map(str::to_owned);
    clients.iter().filter_map(daemon).collect()
}

/// Three daemons that can be restarted.
pub(crate) trait Restarts {
    /// Its name among the daemons.
    fn daemon_name(&self, daemon: usize) -> String;
    fn take_down(&mut self, daemon: usize);
    /// Returns when it orders messages.
    fn bring_up(&mut self, daemon: usize);
}

impl Restarts for Network {
    fn daemon_name(&self, daemon: usize) -> String {
        format!("d{}", daemon + 1)
    }

    fn take_down(&mut self, daemon: usize) {
        self.kill(daemon).expect("a daemon");
    }

    fn bring_up(&mut self, daemon: usize) {
        self.restart(daemon).expect("its port is free");
        self.settle().expect("it runs");
    }
}

/// Waits until each of them is at its place.
fn all_at(clients: &[Client], wanted: &[String]) -> Duration {
    let start = Instant::now();
    while places(clients) != wanted {
        let away = places(clients)
            .iter()
            .zip(wanted)
            .filter(|(a, b)| a != b)
            .count();
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "{away} are not at home: {:?}",
            spread_of(clients)
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    start.elapsed()
}

/// So many sessions with one name for three daemons; each daemon is restarted in turn, and nobody waits
/// for those who go home.
pub(crate) fn restart_in_turn(
    count: usize,
    name: &str,
    network: &mut impl Restarts,
) -> Vec<Client> {
    let mut clients: Vec<Client> = (0..count)
        .map(|number| {
            let client = connect(name, &format!("u{number}")).expect("a session");
            client
                .join(&format!("g{}", number % GROUPS))
                .expect("a join");
            client
        })
        .collect();
    let first = places(&clients);
    let start = spread_of(&clients);
    say(format_args!("{count} clients: {start:?}"));
    for daemon in 0..3 {
        let before = spread_of(&clients);
        network.take_down(daemon);
        let name = network.daemon_name(daemon);
        let deadline = Instant::now() + Duration::from_secs(120);
        while places(&clients).contains(&name) {
            assert!(Instant::now() < deadline, "{:?}", spread_of(&clients));
            std::thread::sleep(Duration::from_millis(5));
        }
        let after = spread_of(&clients);
        network.bring_up(daemon);
        say(format_args!("{name} restarted: {before:?} -> {after:?}"));
    }
    let took = all_at(&clients, &first);
    let end = spread_of(&clients);
    say(format_args!(
        "all at home {took:?} after the last restart: {end:?}"
    ));
    assert_eq!(end, start);
    // Nobody has moved more often than a daemon was lost and came back.
    let mut moves = 0;
    for client in &mut clients {
        let mut own = 0;
        while let Some(event) = spread_client::next_event(client.mailbox).expect("a session") {
            own += usize::from(matches!(event, Event::Reconnected(_)));
        }
        assert!(own <= 6, "{own} times");
        moves += own;
    }
    say(format_args!("{moves} times somebody was back, or home"));
    clients
}

/// All of them are members, once.
fn all_are_members(network: &Network, count: usize) {
    let observer = connect(&network.daemon(0).spread_name(), "eve").expect("a session");
    for group in 0..GROUPS {
        observer.join(&format!("g{group}")).expect("a join");
        let view = observer.receive().expect("a view");
        assert_eq!(view.groups.len(), count / GROUPS + 1);
        observer.leave(&format!("g{group}")).expect("a leave");
        observer.receive().expect("a view");
    }
}

fn three_daemons() -> (Network, u16) {
    let network = Network::builder()
        .daemons(3)
        .unix(false)
        .timing(Timing::FAST)
        .start()
        .expect("a network");
    let port = network.daemon(0).addr().port();
    (network, port)
}

const EVERYWHERE: [&str; 3] = ["127.0.0.1", "127.0.0.2", "127.0.0.3"];

#[test]
fn sessions_go_home_and_the_spread_is_as_before() {
    dns::run_inside("scale::inside_sixty_clients", 1, "");
}

#[test]
#[ignore = "runs inside of sessions_go_home_and_the_spread_is_as_before"]
fn inside_sixty_clients() {
    let Some(names) = dns::server() else {
        skip("it runs as a part of sessions_go_home_and_the_spread_is_as_before only");
        return;
    };
    allow_descriptors();
    let (mut network, port) = three_daemons();
    names.host("all.test", &EVERYWHERE);
    let name = format!("{port}@all.test?failover=auto&avoid_ms=100&failback_ms=200");
    let _clients = restart_in_turn(60, &name, &mut network);
    all_are_members(&network, 60);
}

#[test]
#[ignore = "500 sessions, some twenty seconds"]
fn many_clients_go_home() {
    dns::run_inside("scale::inside_five_hundred_clients_with_a_home", 1, "");
}

#[test]
#[ignore = "runs inside of many_clients_go_home"]
fn inside_five_hundred_clients_with_a_home() {
    let Some(names) = dns::server() else {
        skip("it runs as a part of many_clients_go_home only");
        return;
    };
    allow_descriptors();
    let (mut network, port) = three_daemons();
    names.host("all.test", &EVERYWHERE);
    let name = format!("{port}@all.test?failover=auto&avoid_ms=500&failback_ms=2000");
    let clients = restart_in_turn(CLIENTS, &name, &mut network);
    let end = spread_of(&clients);
    assert!(is_even(&end), "{end:?}");
    all_are_members(&network, CLIENTS);
}

#[test]
#[ignore = "500 sessions, some twenty seconds"]
fn many_clients_come_back() {
    dns::run_inside("scale::inside_five_hundred_clients_without_a_home", 1, "");
}

#[test]
#[ignore = "runs inside of many_clients_come_back"]
fn inside_five_hundred_clients_without_a_home() {
    let Some(names) = dns::server() else {
        skip("it runs as a part of many_clients_come_back only");
        return;
    };
    allow_descriptors();
    let (network, port) = three_daemons();
    names.host("all.test", &EVERYWHERE);
    let mut clients: Vec<Client> = (0..CLIENTS)
        .map(|number| {
            let name = format!("{port}@all.test?failover=auto&avoid_ms=500");
            let client = connect(&name, &format!("u{number}")).unwrap();
            client.join(&format!("g{}", number % GROUPS)).unwrap();
            client
        })
        .collect();
    let start = spread_of(&clients);
    say(format_args!("{CLIENTS} clients: {start:?}"));
    assert!(is_even(&start), "{start:?}");
    for client in &clients {
        while spread_client::next_event(client.mailbox).unwrap().is_some() {}
    }

    for daemon in 0..3 {
        let before = spread_of(&clients);
        let died = Instant::now();
        network.kill(daemon).unwrap();
        let deadline = died + Duration::from_secs(60);
        while spread_of(&clients)[daemon] > 0 {
            assert!(Instant::now() < deadline, "{:?}", spread_of(&clients));
            std::thread::sleep(Duration::from_millis(5));
        }
        let times = all_back(&mut clients, before[daemon], died);
        let after = spread_of(&clients);
        say(format_args!(
            "d{} restarted: {before:?} -> {after:?}; back after {:?} (median), {:?} (last)",
            daemon + 1,
            times[times.len() / 2],
            times[times.len() - 1]
        ));
        // Its clients are shared by the others.
        let gains: Vec<usize> = (0..3)
            .filter(|&at| at != daemon)
            .map(|at| after[at] - before[at])
            .collect();
        assert!(is_even(&gains), "{gains:?}");
        network.restart(daemon).unwrap();
        network.settle().unwrap();
    }

    // The whole network goes, and comes back: everybody tries, and keeps trying, at times of their own.
    let before = Instant::now();
    for daemon in 0..3 {
        network.kill(daemon).unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let doors: Vec<_> = (0..3)
        .map(|daemon| {
            let listener = TcpListener::bind(network.daemon(daemon).addr()).unwrap();
            listener.set_nonblocking(true).unwrap();
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                let mut times = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    match listener.accept() {
                        Ok(_) => times.push(before.elapsed()),
                        Err(_) => std::thread::sleep(Duration::from_micros(200)),
                    }
                }
                times
            })
        })
        .collect();
    std::thread::sleep(Duration::from_secs(4));
    stop.store(true, Ordering::SeqCst);
    let attempts: Vec<Duration> = doors
        .into_iter()
        .flat_map(|door| door.join().unwrap())
        .collect();
    histogram(
        "attempts while nobody is there",
        &attempts,
        Duration::from_millis(100),
    );
    // Of the second half, no tenth of a second has more than a quarter of all.
    let late: Vec<_> = attempts
        .iter()
        .filter(|time| time.as_millis() >= 1000)
        .collect();
    for tenth in 10..40 {
        let here = late
            .iter()
            .filter(|time| time.as_millis() / 100 == tenth)
            .count();
        assert!(here * 4 <= late.len(), "{here} of {} at once", late.len());
    }
    for daemon in 0..3 {
        network.restart(daemon).unwrap();
    }
    let times = all_back(&mut clients, CLIENTS, before);
    histogram("back", &times, Duration::from_millis(250));
    let end = spread_of(&clients);
    say(format_args!("in the end: {end:?}"));
    assert!(is_even(&end), "{end:?}");
    all_are_members(&network, CLIENTS);
}
