//! Who is called when.

use super::*;

#[test]
fn a_round_serves_all_high_then_one_low_and_medium_waits_its_turn() {
    let mut world = World::new();
    for (name, fd) in [
        ("L1", 1),
        ("M", 2),
        ("H1", 3),
        ("H2", 4),
        ("L2", 5),
        ("H3", 6),
    ] {
        world.ready(name, fd);
        world.on(name, read_all);
    }
    world.queue("t1", 0);
    assert_eq!(world.run(50), ["H1", "H2", "H3", "L1", "M", "L2", "t1"]);
}

#[test]
fn timers_wait_for_the_first_quiet_round() {
    let mut world = World::new();
    world.ready("H", 1);
    world.ready("L1", 2);
    world.ready("L2", 3);
    world.ready("M", 4);
    world.on("H", |world, _| {
        if world.log.iter().filter(|name| **name == "H").count() == 3 {
            world.state.remove(&1);
        }
    });
    world.on("M", read_all);
    world.on("L1", read_all);
    world.on("L2", read_all);
    world.queue("t1", 0);
    assert_eq!(world.run(50), ["H", "L1", "H", "L2", "H", "M", "t1"]);
}

#[test]
fn once_a_quiet_round_has_passed_timers_come_before_descriptors() {
    let mut world = World::new();
    world.queue("t1", 10);
    world.on("t1", |world, _| {
        world.ready("H", 1);
        world.queue("t2", 0);
    });
    world.on("H", |world, _| {
        if world.log.len() > 6 {
            world.exit = true;
        }
    });
    world.on("t2", |world, _| world.queue("t3", 0));
    assert_eq!(world.run(50)[..5], ["t1", "H", "t2", "H", "t3"]);
}

#[test]
fn a_descriptor_that_is_always_ready_starves_no_timer() {
    let mut world = World::new();
    world.attach("H", 1, FdKind::Write, Priority::High);
    world.state.insert(1, libc::POLLOUT);
    world.queue("t1", 0);
    world.on("t1", exit);
    let log = world.run(1_000);
    assert_eq!(log.len(), MAX_STARTING_ROUNDS as usize + 1);
    assert_eq!(log.last(), Some(&"t1"));
    assert_eq!(world.run(3), ["H"], "each call starts anew");
}

#[test]
fn medium_starves_behind_high_and_low_does_not() {
    let mut world = World::new();
    world.ready("H", 1);
    world.ready("M", 2);
    world.ready("L", 3);
    assert_eq!(world.run(9), ["H", "L", "H", "L", "H", "L"]);
}

#[test]
fn low_descriptors_take_turns() {
    let mut world = World::new();
    for (name, fd) in [("L0", 10), ("L1", 11), ("L2", 12), ("L3", 13)] {
        world.ready(name, fd);
    }
    assert_eq!(world.run(10), ["L0", "L1", "L2", "L3", "L0"]);
    assert_eq!(
        world.run(4),
        ["L1", "L2"],
        "the turn is kept from call to call"
    );
}

#[test]
fn a_low_descriptor_that_goes_leaves_the_turn_as_classic() {
    let mut world = World::new();
    for (name, fd) in [("L0", 10), ("L1", 11), ("L2", 12), ("L3", 13)] {
        world.ready(name, fd);
    }
    world.on("L1", |world, fd| {
        assert!(world.events.detach(fd, FdKind::Read));
    });
    assert_eq!(world.run(14), ["L0", "L1", "L2", "L0", "L3", "L2", "L0"]);

    let mut world = World::new();
    for (name, fd) in [("L0", 10), ("L1", 11), ("L2", 12), ("L3", 13)] {
        world.ready(name, fd);
    }
    world.on("L3", |world, fd| {
        assert!(world.events.detach(fd, FdKind::Read));
    });
    assert_eq!(world.run(12), ["L0", "L1", "L2", "L3", "L0", "L1"]);
}

#[test]
fn equal_times_keep_the_order_of_queueing_and_negative_delays_come_first() {
    let mut world = World::new();
    for (name, delay) in [("a", 10), ("b", 0), ("c", 10), ("d", -5), ("e", 0)] {
        world.queue(name, delay);
    }
    world.on("c", exit);
    assert_eq!(world.run(50), ["d", "b", "e", "a", "c"]);
}

#[test]
fn one_timer_for_a_key_and_the_newer_time_wins() {
    let mut world = World::new();
    for delay in [50, 10, 20] {
        world.queue("t", delay);
    }
    world.queue("early", 15);
    let start = world.now;
    assert_eq!(world.run(50), ["early", "t"]);
    assert_eq!(world.now, start + 20);
}

#[test]
fn a_timer_is_out_of_the_list_while_it_runs_and_may_queue_itself() {
    let mut world = World::new();
    world.queue("t", 0);
    world.on("t", |world, _| {
        assert!(!world.events.is_queued(&"t"));
        assert!(!world.events.dequeue(&"t"));
        if world.log.len() < 3 {
            world.queue("t", 5);
            assert!(world.events.is_queued(&"t"));
        }
    });
    assert_eq!(world.run(50), ["t", "t", "t"]);
}

#[test]
fn a_timer_with_no_delay_leaves_room_for_descriptors() {
    let mut world = World::new();
    world.queue("t", 0);
    world.on("t", |world, _| world.queue("t", 0));
    world.ready("H", 1);
    world.ready("L", 2);
    let log = world.run(400);
    assert_eq!(log.iter().filter(|name| **name == "t").count(), 25);
    let after_start = &log[log.iter().position(|name| *name == "t").unwrap()..];
    assert_eq!(after_start[..6], ["t", "H", "L", "t", "H", "L"]);
}

#[test]
fn a_timer_that_becomes_due_meanwhile_waits_for_the_next_round() {
    let mut world = World::new();
    world.queue("quick", 0);
    world.queue("late", 10);
    world.on("quick", |world, _| {
        world.now += 100;
        world.ready("H", 1);
        world.on("H", read_all);
    });
    assert_eq!(world.run(50), ["quick", "H", "late"]);
}

#[test]
fn a_timer_may_take_another_due_one_away() {
    let mut world = World::new();
    world.queue("a", 0);
    world.queue("b", 0);
    world.queue("c", 0);
    world.on("a", |world, _| {
        assert!(world.events.dequeue(&"b"));
        assert!(!world.events.dequeue(&"b"));
    });
    assert_eq!(world.run(50), ["a", "c"]);
}

#[test]
fn delays_at_the_ends_of_the_range_are_held_there() {
    let mut world = World::new();
    world
        .events
        .queue("never", world.now, Time::new(i64::MAX, i64::MAX))
        .unwrap();
    world
        .events
        .queue("now", world.now, Time::new(i64::MIN, i64::MIN))
        .unwrap();
    world.on("now", exit);
    assert_eq!(world.run(50), ["now"]);
    assert!(world.events.is_queued(&"never"));
}

#[test]
fn one_descriptor_may_be_attached_for_each_kind() {
    let mut world = World::new();
    world.attach("Hread", 1, FdKind::Read, Priority::High);
    world.attach("Hwrite", 1, FdKind::Write, Priority::High);
    world.attach("Hexcept", 1, FdKind::Except, Priority::High);
    world
        .state
        .insert(1, libc::POLLIN | libc::POLLOUT | libc::POLLPRI);
    assert_eq!(world.run(5), ["Hread", "Hwrite", "Hexcept"]);
    assert!(world.events.detach(1, FdKind::Write));
    assert_eq!(world.run(4), ["Hread", "Hexcept"]);
}

#[test]
fn readiness_is_used_up_by_one_call_in_all_priorities() {
    let mut world = World::new();
    world.ready("H", 1);
    world.ready("L1", 1);
    world.ready("L2", 2);
    assert_eq!(world.run(6), ["H", "L2", "H", "L2"]);
}

#[test]
fn end_of_stream_and_errors_make_readers_and_writers_ready() {
    let mut world = World::new();
    world.attach("Lread", 1, FdKind::Read, Priority::Low);
    world.attach("Lwrite", 1, FdKind::Write, Priority::Low);
    world.state.insert(1, libc::POLLHUP);
    assert_eq!(world.run(4), ["Lread", "Lread"]);
    world.state.insert(1, libc::POLLERR);
    assert_eq!(world.run(4), ["Lwrite", "Lread"]);
}

#[test]
fn more_than_two_thousand_descriptors_are_served_and_rounds_stop_allocating() {
    let mut world = World::new();
    for fd in 0..5_000 {
        world.ready("L", fd);
    }
    assert_eq!(world.events.active_count(Priority::Low), 5_000);
    let (mut run, mut set) = (Run::new(), PollSet::new());
    let mut capacity = None;
    for _ in 0..100 {
        match world.events.next(&mut run, world.now, false) {
            Action::Poll { .. } => {
                world
                    .events
                    .fill(world.now, None, &mut ItselfOnly, &mut set);
                world.poll(&mut set, false);
                world
                    .events
                    .polled(&mut run, world.now, &set, Outcome::Ready);
                assert!(capacity.is_none_or(|capacity| capacity == set.fds().as_ptr()));
                capacity = Some(set.fds().as_ptr());
            }
            Action::CallFd { .. } => {}
            action => panic!("{action:?}"),
        }
    }
}
