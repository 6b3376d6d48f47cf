//! Restores against invented daemons: a virtual clock, a loss at every step, groups that come and
//! go.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    give_up_after: Duration::from_secs(60),
    pause_min: Duration::from_millis(100),
    pause_max: Duration::from_secs(10),
    membership: true,
};

fn group(number: u8) -> Group {
    let mut name = [0; 32];
    name[0] = b'g';
    name[1] = number + 1;
    name
}

fn groups(numbers: impl IntoIterator<Item = u8>) -> BTreeSet<Group> {
    numbers.into_iter().map(group).collect()
}

/// A plan with its clock, and a daemon that counts.
struct Bench {
    plan: Plan,
    now: Instant,
    start: Instant,
    random: Random,
    /// Members of groups at the present new link's daemon, with the number of joins.
    at_daemon: std::collections::BTreeMap<Group, u32>,
    steps: u32,
}

impl Bench {
    fn new(limits: Limits, wanted: BTreeSet<Group>, seed: u64) -> Self {
        let now = Instant::now();
        let mut random = Random::seeded(seed);
        Self {
            plan: Plan::new(limits, wanted, now, &mut random),
            now,
            start: now,
            random,
            at_daemon: std::collections::BTreeMap::new(),
            steps: 0,
        }
    }

    /// The next thing to do that is not to wait for the clock; the daemon does what it is asked.
    fn next(&mut self) -> Do {
        loop {
            self.steps += 1;
            assert!(self.steps < 100_000, "it does not end: {:?}", self.plan);
            let asked = self.plan.next(self.now, &mut self.random);
            match asked {
                Do::Join(group) => {
                    *self.at_daemon.entry(group).or_default() += 1;
                    return asked;
                }
                Do::Leave(group) => {
                    self.at_daemon.remove(&group);
                    return asked;
                }
                Do::Wait(until) if matches!(self.plan.phase, Phase::Pausing { .. }) => {
                    assert!(until > self.now);
                    self.now = until;
                }
                _ => return asked,
            }
        }
    }

    fn accept(&mut self) {
        self.at_daemon.clear();
        self.plan.accepted(self.now);
    }
}

#[test]
fn a_restore_joins_everything_and_waits_for_the_views() {
    let mut bench = Bench::new(LIMITS, groups([1, 2]), 1);
    assert_eq!(bench.next(), Do::Sweep);
    assert!(bench.now - bench.start < Duration::from_millis(50));
    bench.accept();
    assert_eq!(bench.next(), Do::Join(group(1)));
    assert_eq!(bench.next(), Do::Join(group(2)));
    assert!(matches!(bench.next(), Do::Wait(_)));
    bench.plan.own_view(group(2));
    bench.plan.own_view(group(9));
    assert!(matches!(bench.next(), Do::Wait(_)));
    bench.plan.own_view(group(1));
    assert_eq!(bench.next(), Do::Resume);
}

#[test]
fn without_groups_or_without_membership_messages_nothing_is_waited_for() {
    let mut bench = Bench::new(LIMITS, groups([]), 1);
    assert_eq!(bench.next(), Do::Sweep);
    bench.accept();
    assert_eq!(bench.next(), Do::Resume);
    let blind = Limits {
        membership: false,
        ..LIMITS
    };
    let mut bench = Bench::new(blind, groups([1]), 1);
    assert_eq!(bench.next(), Do::Sweep);
    bench.accept();
    assert_eq!(bench.next(), Do::Join(group(1)));
    assert_eq!(bench.next(), Do::Resume);
}

#[test]
fn joins_and_leaves_in_the_middle_count() {
    let mut bench = Bench::new(LIMITS, groups([1, 2]), 1);
    assert_eq!(bench.next(), Do::Sweep);
    bench.accept();
    assert_eq!(bench.next(), Do::Join(group(1)));
    bench.plan.want(groups([2, 3]));
    assert_eq!(bench.next(), Do::Join(group(2)));
    assert_eq!(bench.next(), Do::Join(group(3)));
    assert_eq!(bench.next(), Do::Leave(group(1)));
    bench.plan.own_view(group(1));
    bench.plan.own_view(group(2));
    assert!(matches!(bench.next(), Do::Wait(_)));
    bench.plan.own_view(group(3));
    assert_eq!(bench.next(), Do::Resume);
    // Between the look and the hand-over the program has joined one more.
    bench.plan.want(groups([2, 3, 4]));
    assert_eq!(bench.next(), Do::Join(group(4)));
    assert!(matches!(bench.next(), Do::Wait(_)));
    bench.plan.own_view(group(4));
    assert_eq!(bench.next(), Do::Resume);
}

#[test]
fn a_daemon_that_orders_nothing_is_left_after_longer_than_any_ring_takes() {
    let mut bench = Bench::new(LIMITS, groups([1]), 1);
    assert_eq!(bench.next(), Do::Sweep);
    bench.accept();
    assert_eq!(bench.next(), Do::Join(group(1)));
    let Do::Wait(until) = bench.next() else {
        panic!("it should wait");
    };
    assert!(until - bench.now >= Duration::from_secs(9));
    bench.now = until;
    assert_eq!(bench.next(), Do::Drop);
    assert_eq!(bench.next(), Do::Sweep);
}

#[test]
fn it_is_given_up_at_its_time_whatever_is_going_on() {
    for step in 0..4 {
        let mut bench = Bench::new(LIMITS, groups([1]), 1);
        if step > 0 {
            assert_eq!(bench.next(), Do::Sweep);
        }
        if step > 1 {
            bench.accept();
        }
        if step > 2 {
            bench.next();
        }
        bench.now = bench.start + LIMITS.give_up_after;
        assert_eq!(bench.next(), Do::GiveUp, "step {step}");
    }
}

#[test]
fn pauses_grow_to_their_limit_and_are_not_all_the_same() {
    let limits = Limits {
        give_up_after: Duration::from_secs(600),
        ..LIMITS
    };
    let mut firsts = std::collections::HashSet::new();
    for seed in 0..100 {
        let mut bench = Bench::new(limits, groups([]), seed);
        let mut pauses = Vec::new();
        for _ in 0..12 {
            assert_eq!(bench.next(), Do::Sweep);
            pauses.push(bench.plan.sweep_failed(bench.now, &mut bench.random));
        }
        firsts.insert(pauses[0]);
        for (number, pause) in pauses.iter().enumerate() {
            let base = Duration::from_millis(100 << number.min(20)).min(Duration::from_secs(10));
            assert!(
                *pause >= base * 3 / 4 && *pause <= base * 3 / 2,
                "{number}: {pause:?}"
            );
        }
    }
    assert!(firsts.len() > 90, "they are not spread: {}", firsts.len());
}

#[test]
fn a_full_inbox_ends_the_waiting() {
    let mut bench = Bench::new(LIMITS, groups([1]), 1);
    bench.next();
    bench.accept();
    assert_eq!(bench.next(), Do::Join(group(1)));
    bench.plan.hurry();
    assert_eq!(bench.next(), Do::Resume);
}

proptest! {
    /// Whatever happens at whatever step (refusals, losses, joins, leaves, silence): when the link is
    /// handed over, each wanted group has been joined on it exactly once and has shown its view, and
    /// nothing else is joined; and it ends, at the latest at its limit.
    #[test]
    fn each_group_is_joined_exactly_once_whatever_happens(
        events in prop::collection::vec((0..7_u8, 0..6_u8), 0..200),
        start in prop::collection::btree_set(0..6_u8, 0..6),
        seed in any::<u64>(),
    ) {
        let mut wanted = start.iter().map(|&n| group(n)).collect::<BTreeSet<_>>();
        let mut bench = Bench::new(LIMITS, wanted.clone(), seed);
        let mut events = events.into_iter();
        loop {
            let done = match bench.next() {
                Do::Resume => true,
                Do::GiveUp => {
                    prop_assert!(bench.now >= bench.start + LIMITS.give_up_after);
                    return Ok(());
                }
                _ => false,
            };
            let Some((event, number)) = events.next() else {
                if done {
                    break;
                }
                // From here on all is well.
                match bench.plan.phase {
                    Phase::Sweeping => bench.accept(),
                    _ => {
                        for group in wanted.clone() {
                            bench.plan.own_view(group);
                        }
                    }
                }
                continue;
            };
            match event {
                0 => { wanted.insert(group(number)); bench.plan.want(wanted.clone()); }
                1 => { wanted.remove(&group(number)); bench.plan.want(wanted.clone()); }
                2 if bench.plan.phase == Phase::Sweeping => {
                    bench.plan.sweep_failed(bench.now, &mut bench.random);
                }
                3 if bench.plan.phase == Phase::Sweeping => bench.accept(),
                4 if matches!(bench.plan.phase, Phase::Joining { .. }) => {
                    bench.plan.link_ended(bench.now, &mut bench.random);
                }
                5 => bench.plan.own_view(group(number)),
                6 => bench.now += Duration::from_millis(300),
                _ => {}
            }
        }
        let joined: BTreeSet<Group> = bench.at_daemon.keys().copied().collect();
        prop_assert_eq!(&joined, &wanted);
        prop_assert_eq!(bench.plan.joined(), &wanted);
        prop_assert!(bench.at_daemon.values().all(|&joins| joins == 1));
        prop_assert!(bench.plan.seen.is_superset(&wanted));
    }
}
