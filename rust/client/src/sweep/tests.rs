//! Sweeps through invented worlds: no sockets, no clock, no resolver.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::daemon_name::SpreadName;
use crate::srv::SrvRecord;

const RULES: Rules = Rules {
    first_only: false,
    shuffle: false,
    attempt: Duration::from_secs(5),
    always_bounded: false,
    stop_at_refusal: true,
};

/// What a place does when it is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Accept,
    Fail(Error),
    /// Takes all the time it is given.
    Mute,
}

/// An invented world, with its clock.
struct World {
    names: HashMap<Question, Result<Found, Error>>,
    places: HashMap<String, Does>,
    avoided: HashSet<String>,
    now: Instant,
    random: Random,
    log: Vec<String>,
    wish: Option<Wish>,
    /// What the last sweep has found out of the home that it wished for.
    home_is_gone: bool,
}

impl World {
    fn new() -> Self {
        Self {
            names: HashMap::new(),
            places: HashMap::new(),
            avoided: HashSet::new(),
            now: Instant::now(),
            random: Random::seeded(11),
            log: Vec::new(),
            wish: None,
            home_is_gone: false,
        }
    }

    fn host(mut self, name: &str, addresses: &[&str]) -> Self {
        let found = addresses
            .iter()
            .map(|text| SocketAddr::new(text.parse().unwrap(), 0))
            .collect();
        self.names
            .insert(Question::Host(name.into()), Ok(Found::Hosts(found)));
        self
    }

    fn unknown(mut self, name: &str, error: Error) -> Self {
        self.names.insert(Question::Host(name.into()), Err(error));
        self
    }

    fn place(mut self, place: &str, does: Does) -> Self {
        self.places.insert(place.to_owned(), does);
        self
    }

    fn avoid(mut self, place: &str) -> Self {
        self.avoided.insert(place.to_owned());
        self
    }

    /// Runs a sweep; what was tried is in the log.
    fn sweep(
        &mut self,
        name: &str,
        rules: Rules,
        limit: Option<Duration>,
    ) -> Result<String, Error> {
        let entries = SpreadName::parse(name.as_bytes())?.entries;
        let start = self.now;
        let mut sweep = Sweep::new(entries, rules, limit.map(|limit| start + limit));
        if let Some(wish) = &self.wish {
            sweep.wish(wish.clone());
        }
        let result = self.run(&mut sweep);
        self.home_is_gone = sweep.home_is_gone();
        result
    }

    fn run(&mut self, sweep: &mut Sweep) -> Result<String, Error> {
        loop {
            assert!(self.log.len() < 1000, "the sweep does not end");
            let avoided = &self.avoided;
            let want = sweep.next(self.now, |place| avoided.contains(&place.to_string()));
            let error = match want {
                Want::GiveUp(error) => return Err(error),
                Want::LookUp(question) => match self.names.get(&question) {
                    Some(Ok(found)) => {
                        sweep.answered(found.clone(), &mut self.random);
                        continue;
                    }
                    Some(Err(error)) => *error,
                    None => Error::IllegalSpread,
                },
                Want::Try(candidate) => {
                    let place = candidate.endpoint.to_string();
                    self.log.push(place.clone());
                    match self.places.get(&place).copied() {
                        Some(Does::Accept) => return Ok(place),
                        Some(Does::Fail(error)) => error,
                        None => Error::CouldNotConnect,
                        Some(Does::Mute) => {
                            let end = sweep.attempt_ends().expect("nobody waits for ever here");
                            assert!(end >= self.now);
                            self.now = end;
                            Error::ConnectionClosed
                        }
                    }
                }
            };
            if let Some(error) = sweep.failed(error, self.now) {
                return Err(error);
            }
        }
    }
}

#[test]
fn dead_addresses_are_passed_over_in_order() {
    let mut world = World::new()
        .host("d", &["127.0.0.1", "127.0.0.2", "127.0.0.3"])
        .place("127.0.0.3:7", Does::Accept);
    assert_eq!(world.sweep("7@d", RULES, None).unwrap(), "127.0.0.3:7");
    assert_eq!(world.log, ["127.0.0.1:7", "127.0.0.2:7", "127.0.0.3:7"]);
}

#[test]
fn the_order_of_the_list_is_kept_also_when_its_names_are_shuffled() {
    let mut world = World::new()
        .host("lan", &["10.0.0.1", "10.0.0.2", "10.0.0.3"])
        .host("all", &["10.1.0.1", "10.1.0.2"]);
    let shuffled = Rules {
        shuffle: true,
        ..RULES
    };
    let mut firsts = HashSet::new();
    for _ in 0..50 {
        world.log.clear();
        assert_eq!(
            world.sweep("7, 7@lan 7@all", shuffled, None),
            Err(Error::CouldNotConnect)
        );
        assert_eq!(world.log.len(), 6);
        assert_eq!(world.log[0], "/tmp/7");
        assert!(world.log[1..4].iter().all(|p| p.starts_with("10.0.")));
        assert!(world.log[4..].iter().all(|p| p.starts_with("10.1.")));
        firsts.insert(world.log[1].clone());
    }
    assert_eq!(firsts.len(), 3);
}

#[test]
fn families_take_turns() {
    let mut world = World::new().host("d", &["::1", "::2", "::3", "127.0.0.1"]);
    let shuffled = Rules {
        shuffle: true,
        ..RULES
    };
    let _ = world.sweep("7@d", shuffled, None);
    assert!(world.log[0].starts_with('['), "{:?}", world.log);
    assert_eq!(world.log[1], "127.0.0.1:7");
    assert_eq!(world.log.len(), 4);
}

#[test]
fn an_unknown_host_is_a_failed_candidate() {
    let mut world = World::new()
        .unknown("x", Error::IllegalSpread)
        .host("d", &["127.0.0.1"])
        .place("127.0.0.1:7", Does::Accept);
    assert!(world.sweep("7@x,7@d", RULES, None).is_ok());
    assert_eq!(
        world.sweep("7@x", RULES, None),
        Err(Error::IllegalSpread),
        "alone it is what the classic library says"
    );
}

#[test]
fn the_most_telling_failure_is_the_result() {
    let quota = Error::Refused(reject::QUOTA);
    let cases = [
        (
            Error::IllegalSpread,
            Error::CouldNotConnect,
            Error::CouldNotConnect,
        ),
        (
            Error::ConnectionClosed,
            Error::CouldNotConnect,
            Error::ConnectionClosed,
        ),
        (quota, Error::ConnectionClosed, quota),
        (Error::ConnectionClosed, Error::Version, Error::Version),
    ];
    for (first, second, result) in cases {
        for (a, b) in [(first, second), (second, first)] {
            let mut world = World::new()
                .place("127.0.0.1:7", Does::Fail(a))
                .place("127.0.0.2:7", Does::Fail(b));
            assert_eq!(
                world.sweep("7@127.0.0.1,7@127.0.0.2", RULES, None),
                Err(result)
            );
            assert_eq!(world.log.len(), 2);
        }
    }
}

#[test]
fn a_refusal_that_others_would_repeat_ends_the_sweep() {
    for error in [
        Error::Authentication,
        Error::Refused(reject::NOT_UNIQUE),
        Error::Refused(reject::ILLEGAL_NAME),
        Error::Refused(reject::NO_NAME),
        Error::Refused(reject::AUTH),
    ] {
        let mut world = World::new()
            .place("127.0.0.1:7", Does::Fail(error))
            .place("127.0.0.2:7", Does::Accept);
        assert_eq!(
            world.sweep("7@127.0.0.1,7@127.0.0.2", RULES, None),
            Err(error)
        );
        let on = Rules {
            stop_at_refusal: false,
            ..RULES
        };
        assert!(world.sweep("7@127.0.0.1,7@127.0.0.2", on, None).is_ok());
    }
}

#[test]
fn a_mute_daemon_leaves_an_equal_share_of_the_time_to_the_others() {
    let mut world = World::new()
        .place("127.0.0.1:7", Does::Mute)
        .place("127.0.0.2:7", Does::Accept);
    let start = world.now;
    let limit = Some(Duration::from_secs(3));
    assert!(world.sweep("7@127.0.0.1,7@127.0.0.2", RULES, limit).is_ok());
    assert_eq!(world.now - start, Duration::from_millis(1500));

    let mut world = World::new().host("d", &["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
    for last in 1..=3 {
        world = world.place(&format!("127.0.0.{last}:7"), Does::Mute);
    }
    let start = world.now;
    assert_eq!(
        world.sweep("7@d", RULES, limit),
        Err(Error::ConnectionClosed)
    );
    assert_eq!(world.now - start, Duration::from_secs(3));
    assert_eq!(world.log.len(), 3);
}

#[test]
fn without_a_limit_only_the_last_place_may_take_for_ever() {
    let rules = Rules {
        attempt: Duration::from_millis(700),
        ..RULES
    };
    let mut sweep = Sweep::new(
        SpreadName::parse(b"7@127.0.0.1,7@127.0.0.2")
            .unwrap()
            .entries,
        rules,
        None,
    );
    let now = Instant::now();
    assert!(matches!(sweep.next(now, |_| false), Want::Try(_)));
    assert_eq!(sweep.attempt_ends(), Some(now + rules.attempt));
    assert_eq!(sweep.failed(Error::ConnectionClosed, now), None);
    assert!(matches!(sweep.next(now, |_| false), Want::Try(_)));
    assert_eq!(sweep.attempt_ends(), None);
}

#[test]
fn a_place_that_has_just_failed_comes_last() {
    let mut world = World::new()
        .host("d", &["127.0.0.1", "127.0.0.2"])
        .avoid("127.0.0.1:7")
        .avoid("/tmp/7");
    assert_eq!(
        world.sweep("7,7@d,7@127.0.0.9", RULES, None),
        Err(Error::CouldNotConnect)
    );
    assert_eq!(
        world.log,
        ["127.0.0.2:7", "127.0.0.9:7", "/tmp/7", "127.0.0.1:7"]
    );
}

#[test]
fn one_place_under_two_names_is_tried_once() {
    let mut world = World::new()
        .host("a", &["127.0.0.1"])
        .host("b", &["127.0.0.1", "127.0.0.2"]);
    let _ = world.sweep("7@a,7@b,8@a", RULES, None);
    assert_eq!(world.log, ["127.0.0.1:7", "127.0.0.2:7", "127.0.0.1:8"]);
}

#[test]
fn off_tries_the_resolvers_first_answer_only() {
    let off = Rules {
        first_only: true,
        shuffle: true,
        ..RULES
    };
    for _ in 0..20 {
        let mut world = World::new()
            .host("d", &["127.0.0.1", "127.0.0.2"])
            .avoid("127.0.0.1:7")
            .place("127.0.0.2:7", Does::Accept)
            .place("127.0.0.3:7", Does::Accept);
        assert_eq!(
            world.sweep("7@d,7@127.0.0.3", off, None),
            Err(Error::CouldNotConnect)
        );
        assert_eq!(world.log, ["127.0.0.1:7"]);
    }
}

#[test]
fn srv_records_become_entries_in_their_order() {
    let record = |priority, port, host: &str| SrvRecord {
        priority,
        weight: 0,
        port,
        host: host.into(),
    };
    let mut world = World::new()
        .host("near", &["127.0.0.1", "127.0.0.2"])
        .host("far", &["127.0.0.3"]);
    world.names.insert(
        Question::Srv(b"_spread._tcp.x".to_vec()),
        Ok(Found::Services(vec![
            record(20, 9, "far"),
            record(10, 8, "near"),
            record(30, 7, ""),
        ])),
    );
    let _ = world.sweep("srv:_spread._tcp.x,6", RULES, None);
    assert_eq!(
        world.log,
        ["127.0.0.1:8", "127.0.0.2:8", "127.0.0.3:9", "/tmp/6"]
    );
}

proptest! {
    /// Whatever the world does, a sweep ends, tries each place at most once, keeps to its time, and
    /// finds a daemon wherever there is one that is not behind a refusal.
    #[test]
    fn a_sweep_ends_in_time_and_finds_who_is_there(
        shapes in prop::collection::vec(prop::collection::vec(0..5_u8, 0..4), 1..5),
        avoided in prop::collection::vec(any::<bool>(), 16),
        limited in any::<bool>(),
        shuffle in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let mut world = World::new();
        world.random = Random::seeded(seed);
        let mut list = Vec::new();
        let mut live = false;
        let mut refusing = false;
        let mut number = 0;
        for (entry, places) in shapes.iter().enumerate() {
            let mut addresses = Vec::new();
            for shape in places {
                number += 1;
                let address = if number % 2 == 0 { format!("10.0.0.{number}") } else { format!("fd00::{number}") };
                let place = SocketAddr::new(address.parse().unwrap(), 7).to_string();
                let does = match shape {
                    0 => Does::Accept,
                    1 => Does::Mute,
                    2 => Does::Fail(Error::Refused(reject::QUOTA)),
                    3 => Does::Fail(Error::Authentication),
                    _ => Does::Fail(Error::CouldNotConnect),
                };
                live |= does == Does::Accept;
                refusing |= *shape == 3;
                if avoided[number % avoided.len()] {
                    world.avoided.insert(place.clone());
                }
                world.places.insert(place, does);
                addresses.push(address);
            }
            let name = format!("h{entry}");
            let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
            world = if addresses.is_empty() {
                world.unknown(&name, Error::IllegalSpread)
            } else {
                world.host(&name, &addresses)
            };
            list.push(format!("7@{name}"));
        }
        let rules = Rules { shuffle, always_bounded: true, ..RULES };
        let limit = limited.then(|| Duration::from_secs(2));
        let start = world.now;
        let result = world.sweep(&list.join(","), rules, limit);
        let tried: HashSet<&String> = world.log.iter().collect();
        prop_assert_eq!(tried.len(), world.log.len());
        if let Some(limit) = limit {
            prop_assert!(world.now - start <= limit);
        }
        if !refusing {
            prop_assert_eq!(result.is_ok(), live);
        }
        if let Err(error) = result
            && refusing
            && error == Error::Authentication
        {
            prop_assert_eq!(world.places[world.log.last().unwrap()], Does::Fail(error));
        }
    }
}

fn home(address: &str, rank: usize, others_before: usize) -> Option<Wish> {
    let endpoint = Endpoint::Tcp(address.parse().unwrap());
    Some(Wish {
        home: Candidate { endpoint, rank },
        others_before,
    })
}

#[test]
fn a_home_comes_first_among_the_addresses_of_its_name() {
    let mut world = World::new()
        .host("d", &["127.0.0.1", "127.0.0.2", "127.0.0.3"])
        .host("e", &["127.0.0.4", "127.0.0.5"]);
    world.wish = home("127.0.0.5:7", 1, usize::MAX);
    let result = world.sweep("7@d,7@e,7@127.0.0.6", RULES, None);
    assert_eq!(result, Err(Error::CouldNotConnect));
    assert_eq!(
        world.log[..3],
        ["127.0.0.1:7", "127.0.0.2:7", "127.0.0.3:7"]
    );
    assert_eq!(
        world.log[3..],
        ["127.0.0.5:7", "127.0.0.4:7", "127.0.0.6:7"]
    );
    assert!(!world.home_is_gone);
    // It has just failed: not before others.
    let mut world = World::new()
        .host("d", &["127.0.0.1", "127.0.0.2"])
        .avoid("127.0.0.2:7");
    world.wish = home("127.0.0.2:7", 0, usize::MAX);
    let result = world.sweep("7@d", RULES, None);
    assert_eq!(result, Err(Error::CouldNotConnect));
    assert_eq!(world.log, ["127.0.0.1:7", "127.0.0.2:7"]);
}

#[test]
fn the_way_back_leads_home_or_to_an_earlier_entry_only() {
    let name = "7@d,7@e,7@127.0.0.9";
    let world = || {
        World::new()
            .host("d", &["127.0.0.1", "127.0.0.2"])
            .host("e", &["127.0.0.3", "127.0.0.4"])
    };
    let vain = Err(Error::CouldNotConnect);
    // Within its own name.
    let mut one = world();
    one.wish = home("127.0.0.2:7", 0, 0);
    assert_eq!(one.sweep(name, RULES, None), vain);
    assert_eq!(one.log, ["127.0.0.2:7"]);
    // From the spare, whose own entry has no others to go to.
    let mut two = world();
    two.wish = home("127.0.0.2:7", 0, 2);
    assert_eq!(two.sweep(name, RULES, None), vain);
    assert_eq!(
        two.log,
        ["127.0.0.2:7", "127.0.0.1:7", "127.0.0.3:7", "127.0.0.4:7"]
    );
    // The home is in the second entry, where the session is too.
    let mut three = world();
    three.wish = home("127.0.0.4:7", 1, 1);
    assert_eq!(three.sweep(name, RULES, None), vain);
    assert_eq!(three.log, ["127.0.0.1:7", "127.0.0.2:7", "127.0.0.4:7"]);
}

#[test]
fn a_home_is_gone_when_its_name_says_so_and_not_when_nobody_answers() {
    let gone = |world: World, name: &str, rules| {
        let mut world = world;
        world.wish = home("127.0.0.2:7", 0, 0);
        let _ = world.sweep(name, rules, None);
        world.home_is_gone
    };
    let with = || World::new().host("d", &["127.0.0.1", "127.0.0.2"]);
    let without = || World::new().host("d", &["127.0.0.1", "127.0.0.3"]);
    assert!(!gone(with(), "7@d", RULES));
    assert!(gone(without(), "7@d", RULES));
    let down = World::new().unknown("d", Error::CouldNotConnect);
    assert!(!gone(down, "7@d", RULES));
    // An entry whose lookup failed may have it.
    let mut half = without().unknown("e", Error::ConnectionClosed);
    half.wish = home("127.0.0.2:7", 1, 2);
    assert_eq!(
        half.sweep("7@d,7@e", RULES, None),
        Err(Error::ConnectionClosed)
    );
    assert!(!half.home_is_gone);
    // A sweep that has not come to its entry knows nothing.
    let mut early = without().place("127.0.0.1:7", Does::Accept);
    early.wish = home("127.0.0.9:7", 1, 2);
    assert_eq!(
        early.sweep("7@d,7@127.0.0.9", RULES, None).unwrap(),
        "127.0.0.1:7"
    );
    assert!(!early.home_is_gone);
}
