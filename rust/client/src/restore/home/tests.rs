//! Homes with an invented clock.

use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;
use crate::endpoint::Endpoint;

const PERIOD: Duration = Duration::from_secs(60);

fn place(number: u8, rank: usize) -> Candidate {
    Candidate {
        endpoint: Endpoint::Tcp(SocketAddr::from(([127, 0, 0, number], 4803))),
        rank,
    }
}

/// A home with its clock.
struct Bench {
    home: Home,
    now: Instant,
    random: Random,
}

impl Bench {
    fn new(first: Candidate, period: Duration) -> Self {
        Self {
            home: Home::new(first, period),
            now: Instant::now(),
            random: Random::seeded(3),
        }
    }

    fn next_try(&mut self, here: &Candidate) -> Option<Instant> {
        self.home.next_try(here, self.now, &mut self.random)
    }

    /// Lets the time come. False: there is none.
    fn wait(&mut self, here: &Candidate) -> bool {
        let Some(next) = self.next_try(here) else {
            return false;
        };
        assert!(next > self.now, "no two tries at once");
        assert!(!self.home.is_due(next - Duration::from_micros(1)));
        self.now = next;
        assert!(self.home.is_due(next));
        assert!(!self.home.is_due(next), "one try at a time");
        true
    }
}

#[test]
fn a_session_goes_home_once_for_one_outage() {
    let mut bench = Bench::new(place(1, 0), PERIOD);
    assert!(!bench.wait(&place(1, 0)), "it is at home");
    bench.home.arrived(&place(2, 0));
    for _ in 0..3 {
        assert!(bench.wait(&place(2, 0)));
        let way = bench.home.way_back(&place(2, 0));
        assert_eq!((way.home, way.others_before), (place(1, 0), 0));
    }
    bench.home.arrived(&place(1, 0));
    assert!(!bench.wait(&place(1, 0)));
}

#[test]
fn tries_come_at_their_period_and_not_all_at_once() {
    let mut firsts = std::collections::HashSet::new();
    for seed in 0..500 {
        let mut bench = Bench::new(place(1, 0), PERIOD);
        bench.random = Random::seeded(seed);
        let start = bench.now;
        let first = bench.next_try(&place(2, 0)).unwrap() - start;
        assert!(
            first >= PERIOD * 3 / 4 && first < PERIOD * 3 / 2,
            "{first:?}"
        );
        assert_eq!(bench.next_try(&place(2, 0)), Some(start + first));
        firsts.insert(first.as_millis() / 1000);
    }
    // A window of 45 seconds.
    assert!(firsts.len() >= 40, "{}", firsts.len());
}

#[test]
fn without_a_period_nothing_is_done() {
    let mut bench = Bench::new(place(1, 1), Duration::ZERO);
    for here in [place(1, 1), place(2, 0), place(2, 1)] {
        assert!(!bench.wait(&here));
    }
    assert_eq!(bench.home.preference(), None);
}

#[test]
fn a_later_entry_is_left_for_any_place_of_an_earlier_one() {
    // It began at a spare.
    let mut bench = Bench::new(place(9, 1), PERIOD);
    assert!(bench.wait(&place(9, 1)));
    assert_eq!(bench.home.way_back(&place(9, 1)).others_before, 1);
    bench.home.arrived(&place(2, 0));
    assert!(!bench.wait(&place(2, 0)), "that is its home now");
    // From there it goes to the spare, and back.
    assert!(bench.wait(&place(9, 1)));
    let way = bench.home.way_back(&place(9, 1));
    assert_eq!((way.home, way.others_before), (place(2, 0), 1));
    // Only another one of its first entry was there: further, when the home answers.
    bench.home.arrived(&place(3, 0));
    assert!(bench.wait(&place(3, 0)));
    assert_eq!(bench.home.way_back(&place(3, 0)).home, place(2, 0));
}

#[test]
fn a_home_under_two_entries_is_one_home() {
    let mut bench = Bench::new(place(1, 0), PERIOD);
    assert!(!bench.wait(&place(1, 1)));
}

#[test]
fn a_session_that_was_told_to_go_stays() {
    let mut bench = Bench::new(place(1, 0), PERIOD);
    bench.home.settle(&place(2, 0));
    assert!(!bench.wait(&place(2, 0)));
    assert!(bench.wait(&place(1, 0)), "that is elsewhere now");
}

#[test]
fn a_busy_session_is_looked_at_again_soon() {
    let mut bench = Bench::new(place(1, 0), PERIOD);
    assert!(bench.wait(&place(2, 0)));
    let busy = bench.now;
    bench.home.postpone(busy, &mut bench.random);
    assert!(bench.wait(&place(2, 0)));
    assert!(bench.now - busy <= BUSY_PAUSE * 3 / 2);
}

proptest! {
    /// Whatever happened: when every daemon is back for long enough, each session is where it was at
    /// first, after at most one move of its own for each time a daemon was lost.
    #[test]
    fn losses_leave_the_spread_as_it_was(
        firsts in prop::collection::vec(1..4_u8, 30),
        losses in prop::collection::vec((1..4_u8, any::<bool>()), 0..20),
        seed in any::<u64>(),
    ) {
        let mut random = Random::seeded(seed);
        let now = Instant::now();
        let mut homes: Vec<_> = firsts.iter().map(|&n| Home::new(place(n, 0), PERIOD)).collect();
        let mut at = firsts.clone();
        let (mut lost, mut moved) = (vec![0; 30], vec![0; 30]);
        for (down, waits) in losses.into_iter().chain([(0, true)]) {
            for (number, home) in homes.iter_mut().enumerate() {
                if at[number] == down {
                    // The restore may lead to either of the others.
                    let others: Vec<u8> = (1..4).filter(|&n| n != down).collect();
                    let to = others[usize::try_from(random.below(2)).unwrap()];
                    at[number] = to;
                    lost[number] += 1;
                    home.arrived(&place(to, 0));
                }
            }
            // It is back, and the next loss comes so late that all try, or at once.
            for (number, home) in homes.iter_mut().enumerate().filter(|_| waits) {
                let here = place(at[number], 0);
                let Some(next) = home.next_try(&here, now, &mut random) else { continue };
                prop_assert!(home.is_due(next));
                let way = home.way_back(&here);
                prop_assert_eq!(way.others_before, 0);
                prop_assert_ne!(&way.home, &here);
                moved[number] += 1;
                home.arrived(&way.home);
                at[number] = (1..4).find(|&n| place(n, 0) == way.home).unwrap();
            }
        }
        prop_assert_eq!(&at, &firsts);
        for (lost, moved) in lost.iter().zip(&moved) {
            prop_assert!(moved <= lost);
        }
    }
}
