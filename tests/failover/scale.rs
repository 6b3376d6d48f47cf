//! Many sessions at a time, with one DNS name for all daemons. Ignored by default:
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
fn allow_descriptors() {
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

fn spread_of(clients: &[Client]) -> [usize; 3] {
    let mut counts = [0; 3];
    for client in clients {
        let name = client.name();
        let at = (0..3)
            .find(|at| name.ends_with(&format!("#d{}", at + 1)))
            .expect("one of the three");
        counts[at] += 1;
    }
    counts
}

fn is_even(counts: &[usize]) -> bool {
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

#[test]
#[ignore = "500 sessions, some twenty seconds"]
fn many_clients_come_back() {
    dns::run_inside("scale::inside_five_hundred_clients", 1, "");
}

#[test]
#[ignore = "runs inside of many_clients_come_back"]
fn inside_five_hundred_clients() {
    let Some(names) = dns::server() else {
        skip("it runs as a part of many_clients_come_back only");
        return;
    };
    allow_descriptors();
    let network = Network::builder()
        .daemons(3)
        .unix(false)
        .timing(Timing::FAST)
        .start()
        .unwrap();
    let port = network.daemon(0).addr().port();
    names.host("all.test", &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
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
    // All of them are members, once.
    let observer = connect(&network.daemon(0).spread_name(), "eve").unwrap();
    for group in 0..GROUPS {
        observer.join(&format!("g{group}")).unwrap();
        let view = observer.receive().unwrap();
        assert_eq!(view.groups.len(), CLIENTS / GROUPS + 1);
        observer.leave(&format!("g{group}")).unwrap();
        observer.receive().unwrap();
    }
}
