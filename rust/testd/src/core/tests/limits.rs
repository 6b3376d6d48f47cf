//! Full receivers, waiting requests, large groups.

use std::time::Duration;

use spread_proto::service::{AGREED_MESS, CAUSED_BY_DISCONNECT, CAUSED_BY_NETWORK};

use super::lab::{Got, Lab};
use crate::config::{Config, ReferenceFaults, Timing};
use crate::core::{Health, MAX_HELD};

fn kinds(lab: &Lab, key: &str) -> Vec<u32> {
    lab.got(key)
        .iter()
        .filter_map(|got| match got {
            Got::Frame(_, frame) => Some(frame.header.kind),
            Got::Closed(_) => None,
        })
        .collect()
}

#[test]
fn a_daemon_is_congested_at_500_held_requests_and_releases_them_in_order() {
    let mut config = Config::new(2);
    config.timing.crash = Duration::from_secs(10);
    let mut lab = Lab::new(config);
    lab.connect("a", "a", 0, true);
    lab.freeze(1);
    for number in 0..MAX_HELD {
        assert!(!lab.core.is_congested(0));
        lab.send("a", AGREED_MESS, &["#a#d1"], 0, &number.to_string());
    }
    assert!(lab.core.is_congested(0));
    assert!(lab.got("a").is_empty());

    // Senders may have to wait for a slow receiver even now.
    lab.sink.held = true;
    lab.pass_until(Duration::from_secs(20));
    assert!(lab.got("a").is_empty());
    lab.sink.held = false;
    lab.pass_until(Duration::from_secs(20));
    assert!(!lab.core.is_congested(0));
    let bodies = lab.got("a").iter().map(|got| match got {
        Got::Frame(_, frame) => String::from_utf8(frame.body.clone()).unwrap(),
        Got::Closed(_) => panic!("closed"),
    });
    assert!(bodies.eq((0..MAX_HELD).map(|number| number.to_string())));
}

#[test]
fn sessions_that_overflow_all_at_once_are_ended_one_after_the_other() {
    const MEMBERS: usize = 3000;
    let mut lab = Lab::new(Config::new(1));
    for index in 0..MEMBERS {
        let key = format!("m{index}");
        lab.connect(&key, &key, 0, false);
        lab.join(&key, "g");
    }
    lab.connect("w", "w", 0, true);
    lab.join("w", "g");
    for index in 0..MEMBERS {
        let link = lab.link(&format!("m{index}"));
        lab.sink.full.push(link);
    }
    lab.send("w", AGREED_MESS, &["g"], 0, "too much for them");
    let seen = kinds(&lab, "w");
    let ends = seen.iter().filter(|kind| *kind & CAUSED_BY_DISCONNECT != 0);
    assert_eq!(ends.count(), MEMBERS);
    assert_eq!(lab.core.sessions().count(), 1);
}

#[test]
fn a_large_group_ends_all_daemons_of_a_ring_only_on_demand() {
    for faults in [ReferenceFaults::default(), ReferenceFaults::ALL] {
        let mut config = Config::new(3);
        config.faults = faults;
        let mut lab = Lab::new(config);
        for index in 0..2237 {
            let key = format!("m{index}");
            lab.connect(&key, &key, 0, false);
            lab.join(&key, "g");
        }
        lab.connect("a", "a", 1, true);
        lab.join("a", "g");
        lab.connect("lost", "lost", 2, true);
        lab.join("lost", "g");
        lab.kill(2);
        lab.pass_until(lab.now + Timing::FAST.crash);
        let aborts = faults == ReferenceFaults::ALL;
        for daemon in [0, 1] {
            assert_eq!(lab.core.health(daemon) == Health::Dead, aborts);
        }
        let last = kinds(&lab, "a").last().copied().unwrap_or_default();
        assert_eq!(last & CAUSED_BY_NETWORK == 0, aborts);
    }
}

#[test]
fn a_name_is_free_only_some_time_after_its_session_has_ended() {
    let mut config = Config::new(1);
    config.timing.name_release = Duration::from_millis(3);
    let mut lab = Lab::new(config);
    assert!(lab.connect("a", "a", 0, true));
    lab.kill_client("a");
    assert!(lab.is_closed("a"));
    assert!(!lab.connect("a", "a", 0, true));
    lab.pass_until(Duration::from_millis(2));
    assert!(!lab.connect("a", "a", 0, true));
    lab.pass_until(Duration::from_millis(3));
    assert!(lab.connect("a", "a", 0, true));
}

#[test]
fn while_a_ring_is_broken_the_name_of_an_ended_session_stays_taken() {
    let mut lab = Lab::new(Config::new(2));
    lab.connect("a", "a", 0, true);
    lab.kill(1);
    lab.hang_up("a");
    assert!(!lab.connect("b", "a", 0, true));
    lab.pass_until(Timing::FAST.crash);
    assert!(lab.connect("b", "a", 0, true));
}
