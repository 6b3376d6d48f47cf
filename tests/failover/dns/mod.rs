//! Names through a real DNS server and the system's own resolver, as users have them.
//!
//! The tests proper run in a copy of this process that has a loopback interface, a mount table and so a
//! resolver configuration of its own; they are ignored in the ordinary run.

mod namespace;
mod server;

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use spread_client::{Error, Event};
use spread_testd::{Network, Timing};

use self::namespace::INSIDE;
pub(crate) use self::namespace::{server, set_loopback};
use self::server::Mode;
use crate::client::{Client, PATIENCE, connect, say};
use crate::support::{ProgramCommand, skip};

/// Runs tests of this binary in a machine of their own, if the system lets us; repeats what they say
/// behind `prefix`.
pub(crate) fn run_inside(filter: &str, count: usize, prefix: &str) {
    // Root itself where that is possible: a real daemon wants to become another user.
    const PRIVATE: [&[&str]; 2] = [
        &["--net", "--mount"],
        &["--user", "--map-root-user", "--net", "--mount"],
    ];
    let is_possible = |private: &&&[&str]| {
        let mut probe = ProgramCommand::new("unshare");
        probe.args(**private).arg("true");
        probe.try_run().is_ok_and(|run| run.success())
    };
    let Some(private) = PRIVATE.iter().find(is_possible) else {
        skip(format_args!(
            "no private namespaces here (unshare --user --net --mount), so no names are looked up by DNS: {filter}"
        ));
        return;
    };
    let own = std::env::current_exe().expect("this test has a path");
    let mut command = ProgramCommand::new("unshare");
    command
        .args(*private)
        .arg(own)
        .args(["--ignored", "--test-threads=1", "--nocapture", filter])
        .env(INSIDE, filter);
    let run = command.limit(Duration::from_secs(300)).run();
    run.assert_success();
    let passed = format!("test result: ok. {count} passed");
    assert!(run.stdout_text().contains(&passed), "{}", run.report());
    for line in run.stderr_text().lines() {
        if line.starts_with(prefix) && !line.starts_with("everspread: ") {
            say(line);
        }
    }
}

#[test]
fn names_mean_what_a_real_dns_server_says() {
    run_inside("dns::inside::", 13, "dns: ");
}

mod inside {
    use super::*;

    fn network(daemons: usize) -> (Network, u16) {
        let network = Network::builder()
            .daemons(daemons)
            .unix(false)
            .timing(Timing::FAST)
            .start()
            .expect("a network");
        let port = network.daemon(0).addr().port();
        (network, port)
    }

    macro_rules! server_or_skip {
        () => {
            match namespace::server() {
                Some(server) => server,
                None => {
                    skip("it runs as a part of names_mean_what_a_real_dns_server_says only");
                    return;
                }
            }
        };
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn dead_dead_live() {
        let dns = server_or_skip!();
        let (_network, port) = network(1);
        dns.host("ddl.test", &["127.0.0.2", "127.0.0.3", "127.0.0.1"]);
        let mut times = Vec::new();
        for round in 0..20 {
            let start = Instant::now();
            let name = format!("{port}@ddl.test?avoid_ms=0");
            let client = connect(&name, &format!("u{round}")).unwrap();
            times.push(start.elapsed());
            drop(client);
        }
        times.sort();
        say(format_args!(
            "dns: [dead, dead, live]: median {:?}, longest {:?}",
            times[10], times[19]
        ));
        // On a loaded machine most of them may wait for the processor.
        assert!(times[0] < Duration::from_millis(50), "{times:?}");
        // As the classic library: one address alone.
        dns.host("dead.test", &["127.0.0.2"]);
        let both = format!("{port}@dead.test,{port}@ddl.test");
        connect(&both, "on").unwrap();
        let off = connect(&format!("{both}?failover=off"), "off");
        assert_eq!(off.unwrap_err(), Error::CouldNotConnect);
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn unknown_host_first() {
        let dns = server_or_skip!();
        let (_network, port) = network(1);
        dns.host("known.test", &["127.0.0.1"]);
        let name = format!("{port}@unknown.test,{port}@known.test");
        connect(&name, "bob").unwrap();
        let alone = connect(&format!("{port}@unknown.test"), "bob");
        assert_eq!(alone.unwrap_err(), Error::IllegalSpread);
        // There, but with nothing to connect to.
        dns.host("empty.test", &[]);
        let empty = connect(&format!("{port}@empty.test"), "bob");
        assert_eq!(empty.unwrap_err(), Error::CouldNotConnect);
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn the_hosts_file_counts() {
        let _ = server_or_skip!();
        let (_network, port) = network(1);
        connect(&format!("{port}@in-the-file.test"), "bob").unwrap();
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn answers_that_change_between_two_sweeps() {
        let dns = server_or_skip!();
        let (network, port) = network(3);
        dns.host("change.test", &["127.0.0.1"]);
        let options = "failover=auto&reconnect_min_ms=50&reconnect_max_ms=200";
        let mut client = connect(&format!("{port}@change.test?{options}"), "bob").unwrap();
        client.join_and_see("g");
        network.kill(0).unwrap();
        client.event();
        assert!(matches!(client.event(), Event::DaemonLost { .. }));
        assert!(matches!(client.event(), Event::Reconnecting { .. }));
        dns.host("change.test", &["127.0.0.2"]);
        let before = dns.questions();
        let how = client.reconnected();
        assert_eq!(how.private_group.as_bytes(), b"#bob#d2");
        // Not a question per try: one a second, for each family.
        let asked = dns.questions() - before;
        let most = 2 * (usize::try_from(how.gap.as_secs()).unwrap() + 2);
        assert!(asked <= most, "{asked} questions in {:?}", how.gap);
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn the_resolver_is_down_during_the_outage() {
        let dns = server_or_skip!();
        for mode in [Mode::Fails, Mode::Silent] {
            let (network, port) = network(1);
            dns.host("down.test", &["127.0.0.1"]);
            let options = "failover=auto&avoid_ms=0&reconnect_min_ms=20&reconnect_max_ms=50";
            let mut client = connect(&format!("{port}@down.test?{options}"), "bob").unwrap();
            dns.set_mode(mode);
            network.kill(0).unwrap();
            client.event();
            assert!(matches!(client.event(), Event::DaemonLost { .. }));
            // Longer than what was found may be used without asking.
            std::thread::sleep(Duration::from_millis(1500));
            network.restart(0).unwrap();
            let how = client.reconnected();
            say(format_args!(
                "dns: resolver {mode:?} in an outage: gap {:?}",
                how.gap
            ));
            // A program's own reconnect as well.
            connect(&format!("{port}@down.test"), "eve").unwrap();
            dns.set_mode(Mode::Answers);
        }
        dns.set_mode(Mode::Fails);
        let never = connect("4803@never-seen.test", "bob");
        dns.set_mode(Mode::Answers);
        assert_eq!(never.unwrap_err(), Error::CouldNotConnect);
    }

    /// A listener whose queue is full: connects hang, as to an address behind a broken router.
    fn black_hole(port: u16) -> (TcpListener, Vec<TcpStream>) {
        let listener = TcpListener::bind(("127.0.0.77", port)).expect("an address");
        let raw = std::os::fd::AsRawFd::as_raw_fd(&listener);
        // SAFETY: takes two ints.
        assert_eq!(unsafe { libc::listen(raw, 0) }, 0);
        let address = listener.local_addr().expect("it has one");
        let limit = Duration::from_millis(200);
        let mut queue = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, limit) {
            queue.push(stream);
        }
        (listener, queue)
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn a_black_holed_address_costs_its_attempt_timeout() {
        let dns = server_or_skip!();
        let (_network, port) = network(1);
        let _hole = black_hole(port);
        dns.host("hole.test", &["127.0.0.77"]);
        dns.host("well.test", &["127.0.0.1"]);
        let start = Instant::now();
        let name = format!("{port}@hole.test,{port}@well.test?attempt_timeout_ms=1000");
        let client = connect(&name, "bob").unwrap();
        let took = start.elapsed();
        drop(client);
        assert!(took >= Duration::from_millis(1000), "{took:?}");
        // It is remembered: the next connect of the process begins with the other one.
        let start = Instant::now();
        connect(&name, "bob2").unwrap();
        say(format_args!(
            "dns: black hole first: {took:?}, the next time {:?}",
            start.elapsed()
        ));
        assert!(start.elapsed() < Duration::from_millis(1000));
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn ipv6_comes_first_but_only_ipv4_listens() {
        let dns = server_or_skip!();
        let (_network, port) = network(1);
        dns.host("both.test", &["::1", "127.0.0.1"]);
        for round in 0..5 {
            connect(
                &format!("{port}@both.test?avoid_ms=0"),
                &format!("u{round}"),
            )
            .unwrap();
        }
        dns.host("six.test", &["::1"]);
        let only = connect(&format!("{port}@six.test"), "bob");
        assert_eq!(only.unwrap_err(), Error::CouldNotConnect);
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn srv_records_lead_to_their_hosts_and_ports() {
        let dns = server_or_skip!();
        let (network, port) = network(3);
        let dead = TcpListener::bind("127.0.0.99:0")
            .unwrap()
            .local_addr()
            .unwrap();
        dns.host("dead.test", &["127.0.0.99"]);
        dns.host("d1.test", &["127.0.0.1"]);
        dns.host("d2.test", &["127.0.0.2"]);
        dns.services(
            "_spread._tcp.test",
            &[
                (20, 0, port, "d2.test"),
                (10, 0, port, "d1.test"),
                (5, 0, dead.port(), "dead.test"),
            ],
        );
        let name = "srv:_spread._tcp.test?failover=auto&avoid_ms=0";
        let mut client = connect(name, "bob").unwrap();
        assert_eq!(client.name(), "#bob#d1");
        network.kill(0).unwrap();
        client.reconnected();
        assert_eq!(client.name(), "#bob#d2");

        let unknown = connect("srv:_spread._tcp.nowhere.test", "bob");
        assert_eq!(unknown.unwrap_err(), Error::IllegalSpread);
        let none = connect("srv:d1.test", "bob");
        assert_eq!(none.unwrap_err(), Error::CouldNotConnect);
        dns.services("_not._tcp.test", &[(0, 0, 0, ".")]);
        let not_offered = connect("srv:_not._tcp.test", "bob");
        assert_eq!(not_offered.unwrap_err(), Error::CouldNotConnect);
        // In a list it is one candidate of several.
        connect(&format!("srv:_not._tcp.test {port}@d2.test"), "carl").unwrap();
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn srv_weights_share_the_clients() {
        let dns = server_or_skip!();
        let (_network, port) = network(2);
        dns.host("w1.test", &["127.0.0.1"]);
        dns.host("w2.test", &["127.0.0.2"]);
        dns.services(
            "_w._tcp.test",
            &[(1, 30, port, "w1.test"), (1, 10, port, "w2.test")],
        );
        let mut first = 0;
        for round in 0..100 {
            let client = connect("srv:_w._tcp.test", &format!("u{round}")).unwrap();
            first += usize::from(client.name().ends_with("#d1"));
        }
        say(format_args!(
            "dns: weights 30 and 10: {first} of 100 at the first"
        ));
        assert!((55..95).contains(&first), "{first}");
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn round_robin_spreads_the_clients() {
        let dns = server_or_skip!();
        let (_network, port) = network(3);
        dns.host("rr.test", &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
        let mut counts = [0; 3];
        for round in 0..150 {
            let client = connect(&format!("{port}@rr.test"), &format!("u{round}")).unwrap();
            let at = (0..3).find(|at| client.name().ends_with(&format!("#d{}", at + 1)));
            counts[at.unwrap()] += 1;
        }
        say(format_args!(
            "dns: 150 clients over three addresses: {counts:?}"
        ));
        assert!(counts.iter().all(|&n| (25..85).contains(&n)), "{counts:?}");
        let mut last = Vec::new();
        for round in 0..5 {
            let name = format!("{port}@rr.test?shuffle=off");
            let client = connect(&name, &format!("v{round}")).unwrap();
            last.push(client.name().split('#').next_back().unwrap().to_owned());
        }
        assert!(last.windows(2).all(|two| two[0] == two[1]), "{last:?}");
    }

    /// Which of the daemons the session is at.
    fn place(client: &Client) -> usize {
        let name = client.name();
        let number = name.rsplit("#d").next().and_then(|n| n.parse().ok());
        number.map(|n: usize| n - 1).expect("#user#dN")
    }

    /// Its daemon dies and comes back; where it goes in between.
    fn out_and_home(network: &Network, client: &mut Client) -> usize {
        let home = place(client);
        network.kill(home).expect("a daemon");
        client.reconnected();
        let away = place(client);
        assert_ne!(away, home);
        network.restart(home).expect("its port is free");
        client.reconnected();
        assert_eq!(place(client), home);
        away
    }

    const GOES_HOME: &str = "failover=auto&failback_ms=50&avoid_ms=0";

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn a_session_goes_home_within_its_pool() {
        let dns = server_or_skip!();
        let (network, port) = network(3);
        dns.host("home.test", &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
        let name = format!("{port}@home.test?{GOES_HOME}");
        let mut client = connect(&name, "bob").unwrap();
        client.join("g").unwrap();
        for _ in 0..3 {
            out_and_home(&network, &mut client);
        }
        // Where it was told to go is its home from then on.
        let first = place(&client);
        spread_client::reconnect(client.mailbox).unwrap();
        client.reconnected();
        assert_ne!(place(&client), first);
        out_and_home(&network, &mut client);
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn a_home_that_has_left_the_name_is_forgotten() {
        let dns = server_or_skip!();
        let (network, port) = network(3);
        dns.host("gone.test", &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
        let name = format!("{port}@gone.test?{GOES_HOME}");
        let mut client = connect(&name, "bob").unwrap();
        let first = place(&client);
        network.kill(first).unwrap();
        client.reconnected();
        let second = place(&client);
        let others: Vec<String> = (0..3)
            .filter(|&at| at != first)
            .map(|at| format!("127.0.0.{}", at + 1))
            .collect();
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        dns.host("gone.test", &others);
        // As long as it looks for its home it asks once a second.
        let mut asked = dns.questions();
        let mut quiet_since = Instant::now();
        let deadline = quiet_since + PATIENCE;
        while quiet_since.elapsed() < Duration::from_secs(3) {
            assert!(Instant::now() < deadline, "it asks on and on");
            std::thread::sleep(Duration::from_millis(20));
            if dns.questions() != asked {
                (asked, quiet_since) = (dns.questions(), Instant::now());
            }
        }
        network.restart(first).unwrap();
        assert_eq!(place(&client), second);
        // It belongs here now.
        out_and_home(&network, &mut client);
    }

    #[test]
    #[ignore = "runs inside of names_mean_what_a_real_dns_server_says"]
    fn a_resolver_that_is_mute_ends_with_the_time_limit() {
        let dns = server_or_skip!();
        dns.set_mode(Mode::Silent);
        let start = Instant::now();
        let name = "4803@mute.test,4803@mute2.test?attempt_timeout_ms=200";
        let result = connect(name, "bob");
        dns.set_mode(Mode::Answers);
        assert!(start.elapsed() < Duration::from_secs(20));
        assert!(matches!(
            result.unwrap_err(),
            Error::ConnectionClosed | Error::CouldNotConnect
        ));
    }
}
