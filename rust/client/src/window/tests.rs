use proptest::prelude::*;

use super::*;
use crate::held;

fn load(ordered: u64) -> Load {
    Load {
        ordered,
        reliable: 0,
    }
}

fn back(ordered: u64) -> News {
    News {
        back: load(ordered),
        ..News::default()
    }
}

fn window(most: u32) -> Window {
    *Window::new(most).unwrap()
}

fn group(name: &str) -> [u8; 32] {
    *Name::new(name.as_bytes()).raw()
}

#[test]
fn without_the_option_there_is_no_window() {
    assert!(Window::new(0).is_none());
}

#[test]
fn what_comes_back_for_certain_counts() {
    let mut window = window(10);
    let own = Name::new(b"#me#d");
    let joined = BTreeSet::from([group("room"), group("hall")]);
    window.seen.insert(group("room"));
    let count = |kind, groups: &[&str]| {
        let mut fields: Vec<[u8; 32]> = groups.iter().map(|name| group(name)).collect();
        // What stands behind the name does not count.
        for field in &mut fields {
            field[31] = 7;
        }
        window.load_of(kind, fields.as_flattened(), &joined, &own)
    };
    let reliable = Load {
        ordered: 0,
        reliable: 1,
    };
    for kind in [
        service::FIFO_MESS,
        service::CAUSAL_MESS,
        service::AGREED_MESS,
        service::SAFE_MESS,
    ] {
        assert_eq!(count(kind, &["hall"]), load(1));
        assert_eq!(count(kind | service::DROP_RECV, &["x", "room"]), load(1));
        assert_eq!(count(kind, &["#me#d"]), load(1));
        assert_eq!(count(kind, &["x", "#you#d"]), load(0));
        assert_eq!(count(kind, &[]), load(0));
        assert_eq!(count(kind | service::SELF_DISCARD, &["room"]), load(0));
        assert_eq!(count(kind, &["room"; 43]), load(1));
        assert_eq!(count(kind, &["room"; 44]), load(0));
    }
    assert_eq!(count(service::RELIABLE_MESS, &["room"]), reliable);
    assert_eq!(count(service::RELIABLE_MESS, &["#me#d"]), reliable);
    // It may have overtaken the join.
    assert_eq!(count(service::RELIABLE_MESS, &["hall"]), load(0));
    assert_eq!(count(service::UNRELIABLE_MESS, &["room"]), load(0));
}

#[test]
fn who_comes_first_is_let_in_first_and_nobody_twice() {
    let me = held::token();
    let mut window = window(2);
    assert!(window.enter(load(1)) && window.enter(load(1)));
    assert!(!window.enter(load(1)));
    let first = window.queue(me, load(1), -1);
    let second = window.queue(me, load(1), -1);
    window.returned(back(1), true);
    assert_eq!(window.turn(first), Turn::Admitted);
    assert_eq!(window.turn(second), Turn::Waits);
    assert_eq!(window.in_flight(), 2);
    // Nobody passes those who wait.
    window.returned(back(1), true);
    assert_eq!(window.turn(second), Turn::Admitted);
    window.leave(first);
    window.leave(second);
    assert_eq!(window.turn(first), Turn::Gone);
    assert_eq!(window.in_flight(), 2);
    window.returned(back(2), true);
    assert_eq!(window.in_flight(), 0);
    // More than was counted changes nothing.
    window.returned(back(5), true);
    assert!(window.enter(load(1)) && window.enter(load(1)) && !window.enter(load(1)));
}

#[test]
fn a_newcomer_does_not_pass_who_waits_for_more_room() {
    let mut window = window(10);
    assert!(window.enter(load(8)));
    let large = window.queue(held::token(), load(5), -1);
    assert!(!window.enter(load(1)), "somebody waits");
    window.returned(back(3), true);
    assert_eq!(window.turn(large), Turn::Admitted);
    assert_eq!(window.in_flight(), 10);
}

#[test]
fn a_batch_larger_than_the_window_goes_alone() {
    let mut window = window(3);
    assert!(window.enter(load(1)));
    let batch = window.queue(held::token(), load(100), -1);
    window.returned(back(1), true);
    assert_eq!(window.turn(batch), Turn::Admitted);
    assert_eq!(window.in_flight(), 100);
}

#[test]
fn what_an_abandoned_thread_was_let_in_with_is_free_again() {
    let gone = std::thread::spawn(held::token).join().unwrap();
    let mut window = window(1);
    assert!(window.enter(load(1)));
    window.queue(gone, load(1), -1);
    let mine = window.queue(held::token(), load(1), -1);
    window.returned(back(1), true);
    assert_eq!(window.turn(mine), Turn::Waits);
    window.abandon(gone);
    assert_eq!(window.turn(mine), Turn::Admitted);
    assert_eq!(window.in_flight(), 1);
}

#[test]
fn another_link_begins_anew() {
    let mut window = window(2);
    assert!(window.enter(load(2)));
    let place = Place {
        round: window.round,
        load: load(1),
    };
    window.seen.insert(group("room"));
    let waits = window.queue(held::token(), load(1), -1);
    window.restart();
    assert!(window.seen.is_empty());
    assert_eq!(window.turn(waits), Turn::Admitted);
    assert_eq!(window.in_flight(), 1);
    // Let in before, sent after: it counts once; not sent: it does not count.
    window.sent(Some(place), load(1));
    assert_eq!(window.in_flight(), 2);
    window.give_back(place);
    assert_eq!(window.in_flight(), 2);
}

#[test]
fn what_turns_out_not_to_count_is_free_again() {
    let mut window = window(1);
    assert!(window.enter(load(1)));
    let place = Place {
        round: window.round,
        load: load(1),
    };
    // The group was left by another thread meanwhile.
    window.sent(Some(place), load(0));
    assert_eq!(window.in_flight(), 0);
    window.sent(None, load(1));
    assert_eq!(window.in_flight(), 1);
}

#[test]
fn the_leave_of_the_last_group_writes_everything_off() {
    let mut window = window(5);
    assert!(window.enter(load(4)));
    let left = || News {
        left: vec![group("room")],
        ..News::default()
    };
    window.seen.insert(group("room"));
    window.returned(left(), true);
    assert!(window.seen.is_empty());
    assert_eq!(window.in_flight(), 4);
    window.returned(left(), false);
    assert_eq!(window.in_flight(), 0);
}

#[derive(Clone, Debug)]
enum Act {
    Send(u64),
    Back,
    /// A waiter goes on with what it was let in with, or gives up.
    Collect(usize),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => (1_u64..4).prop_map(Act::Send),
        4 => Just(Act::Back),
        4 => (0_usize..8).prop_map(Act::Collect),
        1 => Just(Act::Restart),
    ]
}

proptest! {
    #[test]
    fn the_account_is_exact_and_nobody_waits_beside_room(
        most in 1_u32..6,
        acts in proptest::collection::vec(act(), 0..200),
    ) {
        let mut window = window(most);
        // Messages that are out, and waiters.
        let mut out = 0_u64;
        let mut waiting: Vec<(u64, u64)> = Vec::new();
        for act in acts {
            match act {
                Act::Send(n) => {
                    if window.enter(load(n)) {
                        let place = Place { round: window.round, load: load(n) };
                        window.sent(Some(place), load(n));
                        out += n;
                    } else {
                        let number = window.queue(held::token(), load(n), -1);
                        waiting.push((number, n));
                    }
                }
                Act::Back => {
                    if out > 0 {
                        out -= 1;
                        window.returned(back(1), true);
                    }
                }
                Act::Collect(at) => {
                    if at < waiting.len() {
                        let (number, n) = waiting[at];
                        if window.turn(number) == Turn::Admitted {
                            window.leave(number);
                            let place = Place { round: window.round, load: load(n) };
                            window.sent(Some(place), load(n));
                            out += n;
                            waiting.remove(at);
                        }
                    }
                }
                Act::Restart => {
                    window.restart();
                    out = 0;
                }
            }
            let admitted: u64 = waiting
                .iter()
                .filter(|(number, _)| window.turn(*number) == Turn::Admitted)
                .map(|(_, n)| n)
                .sum();
            prop_assert_eq!(window.in_flight(), out + admitted);
            prop_assert!(window.in_flight() <= u64::from(most).max(3));
            let next = waiting
                .iter()
                .find(|(number, _)| window.turn(*number) == Turn::Waits);
            if let Some((_, n)) = next {
                prop_assert!(!window.has_room_for(load(*n)));
            }
        }
    }
}
