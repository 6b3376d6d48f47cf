//! What callbacks, other loops and other threads change on the way.

use super::*;

#[test]
fn a_ready_descriptor_detached_in_the_round_is_not_called() {
    let mut world = World::new();
    for (name, fd) in [("H0", 1), ("H1", 2), ("H2", 3)] {
        world.ready(name, fd);
        world.on(name, read_all);
    }
    world.on("H0", |world, fd| {
        read_all(world, fd);
        assert!(world.events.detach(2, FdKind::Read));
    });
    assert_eq!(
        world.run(50),
        ["H0", "H2"],
        "the last one has moved into the hole"
    );
}

#[test]
fn one_that_detaches_itself_delays_the_one_that_moves_into_its_place() {
    let mut world = World::new();
    for (name, fd) in [("H0", 1), ("H1", 2), ("H2", 3), ("L", 4)] {
        world.ready(name, fd);
        world.on(name, read_all);
    }
    world.on("H0", |world, fd| {
        assert!(world.events.detach(fd, FdKind::Read));
    });
    assert_eq!(world.run(50), ["H0", "H1", "L", "H2"]);
}

#[test]
fn what_is_attached_in_a_callback_is_seen_in_the_next_round() {
    let mut world = World::new();
    world.ready("H0", 1);
    world.ready("H1", 2);
    world.ready("L", 4);
    world.on("H0", |world, fd| {
        read_all(world, fd);
        world.ready("H2", 3);
        world.on("H2", read_all);
    });
    world.on("H1", read_all);
    world.on("L", read_all);
    assert_eq!(world.run(50), ["H0", "H1", "L", "H2"]);
}

#[test]
fn a_new_descriptor_of_the_same_number_is_not_called_on_stale_readiness() {
    let mut world = World::new();
    world.ready("H0", 1);
    world.ready("H1", 2);
    world.on("H0", |world, fd| {
        read_all(world, fd);
        // Closed and opened anew: the new one has nothing to read.
        world.state.remove(&2);
        assert!(world.events.detach(2, FdKind::Read));
        world.attach("Hnew", 2, FdKind::Read, Priority::High);
    });
    assert_eq!(world.run(50), ["H0"]);

    let mut world = World::new();
    world.ready("H0", 1);
    world.ready("H1", 2);
    world.on("H0", |world, fd| {
        read_all(world, fd);
        world.state.remove(&2);
        let attached = world
            .events
            .attach(2, FdKind::Read, Priority::High, Some("Hnew"));
        assert_eq!(attached, Ok(Attached::Replaced));
    });
    assert_eq!(world.run(50), ["H0"], "also where it replaces the old one");
}

#[test]
fn a_ready_descriptor_deactivated_in_the_round_is_not_called() {
    let mut world = World::new();
    world.ready("H0", 1);
    world.ready("H1", 2);
    world.on("H0", |world, fd| {
        read_all(world, fd);
        assert!(world.events.set_active(2, FdKind::Read, false));
    });
    assert_eq!(world.run(50), ["H0"]);
    assert_eq!(world.events.active_count(Priority::High), 1);
    assert!(world.events.set_active(2, FdKind::Read, true));
    world.on("H1", read_all);
    assert_eq!(world.run(50), ["H1"]);
}

#[test]
fn activating_again_counts_from_the_next_round_on() {
    let mut world = World::new();
    world.ready("H0", 1);
    world.ready("H1", 2);
    world.ready("L", 3);
    world.on("H0", |world, fd| {
        read_all(world, fd);
        assert!(world.events.set_active(2, FdKind::Read, false));
        assert!(world.events.set_active(2, FdKind::Read, true));
    });
    world.on("H1", read_all);
    world.on("L", read_all);
    assert_eq!(world.run(50), ["H0", "L", "H1"]);
}

#[test]
fn the_threshold_counts_at_once() {
    let mut world = World::new();
    for (name, fd) in [("H", 1), ("M0", 2), ("M1", 3), ("L", 4)] {
        world.ready(name, fd);
        world.on(name, read_all);
    }
    world.on("H", |world, fd| {
        read_all(world, fd);
        world.events.set_threshold(Priority::Medium);
    });
    world.on("M0", |world, fd| {
        read_all(world, fd);
        world.events.set_threshold(Priority::High);
    });
    assert_eq!(world.run(50), ["H", "M0"]);
    world.events.set_threshold(Priority::Low);
    assert_eq!(world.run(50), ["M1", "L"]);
}

#[test]
fn below_the_threshold_is_attached_counted_and_silent() {
    let mut world = World::new();
    world.events.set_threshold(Priority::High);
    world.ready("M", 1);
    world.on("M", read_all);
    assert_eq!(world.events.active_count(Priority::Medium), 1);
    assert_eq!(world.run(50), Log::new());
    assert_eq!(world.waits, 1, "it does not end the wait either");
    world.events.set_threshold(Priority::Medium);
    assert_eq!(world.run(50), ["M"]);
}

#[test]
fn detaching_one_priority_leaves_the_others() {
    let mut world = World::new();
    world.ready("H", 1);
    world.ready("M", 1);
    assert!(
        world
            .events
            .detach_priority(1, FdKind::Read, Priority::High)
    );
    assert!(
        !world
            .events
            .detach_priority(1, FdKind::Read, Priority::High)
    );
    world.on("M", read_all);
    assert_eq!(world.run(50), ["M"]);
    assert!(world.events.detach(1, FdKind::Read));
    assert!(!world.events.detach(1, FdKind::Read));
}

#[test]
fn attaching_again_replaces_the_callback_and_makes_it_active() {
    let mut world = World::new();
    world.ready("Hold", 1);
    assert!(world.events.set_active(1, FdKind::Read, false));
    assert_eq!(world.events.active_count(Priority::High), 0);
    let attached = world
        .events
        .attach(1, FdKind::Read, Priority::High, Some("Hnew"));
    assert_eq!(attached, Ok(Attached::Replaced));
    assert_eq!(world.events.active_count(Priority::High), 1);
    world.on("Hnew", read_all);
    assert_eq!(world.run(50), ["Hnew"]);
}

#[test]
fn exit_leaves_after_the_present_callback_and_keeps_the_registrations() {
    let mut world = World::new();
    for (name, fd) in [("H0", 1), ("H1", 2)] {
        world.ready(name, fd);
    }
    world.queue("t", 1);
    world.on("H0", |world, fd| {
        read_all(world, fd);
        world.exit = true;
    });
    assert_eq!(world.run(50), ["H0"]);
    world.on("H1", read_all);
    assert_eq!(world.run(50), ["H1", "t"]);
}

#[test]
fn exit_in_a_timer_keeps_the_other_due_ones() {
    let mut world = World::new();
    world.queue("a", 0);
    world.queue("b", 0);
    world.on("a", exit);
    assert_eq!(world.run(50), ["a"]);
    assert_eq!(world.run(50), ["b"]);
}

#[test]
fn clear_inside_a_callback_ends_the_round() {
    let mut world = World::new();
    for (name, fd) in [("H0", 1), ("H1", 2), ("M", 3), ("L", 4)] {
        world.ready(name, fd);
    }
    world.queue("t", 0);
    world.events.set_threshold(Priority::Medium);
    world.on("H0", |world, _| world.events.clear());
    assert_eq!(world.run(50), ["H0"]);
    world.ready("L", 4);
    assert_eq!(world.run(2), ["L"], "the threshold is reset as well");

    let mut world = World::new();
    world.queue("a", 0);
    world.queue("b", 0);
    world.on("a", |world, _| {
        world.events.clear();
        world.queue("c", 0);
    });
    assert_eq!(world.run(50), ["a", "c"]);
}

#[test]
fn a_loop_inside_a_callback_serves_what_the_outer_one_has_left() {
    let mut world = World::new();
    for (name, fd) in [("H0", 1), ("H1", 2), ("L", 3)] {
        world.ready(name, fd);
    }
    world.queue("a", 0);
    world.queue("b", 0);
    world.on("H0", |world, fd| {
        read_all(world, fd);
        let mut inner = Run::new();
        world.go_on(&mut inner, 100);
        assert!(world.exit);
    });
    world.on("H1", read_all);
    world.on("L", read_all);
    world.on("a", exit);
    assert_eq!(
        world.run(50),
        ["H0", "H1", "L", "a"],
        "the inner exit ends both"
    );
    assert_eq!(world.run(50), ["b"]);
}

#[test]
fn a_loop_abandoned_by_a_jump_leaves_nothing_behind() {
    let mut world = World::new();
    world.queue("a", 0);
    world.queue("b", 0);
    world.on("a", |world, _| {
        world.queue("a2", 0);
        // An inner loop that is jumped out of in the middle of its timers.
        let mut inner = Run::new();
        world.go_on(&mut inner, 2);
    });
    world.on("a2", exit);
    assert_eq!(world.run(50), ["a", "b", "a2"]);
}

#[test]
fn the_outer_round_goes_on_after_an_inner_loop_was_jumped_out_of() {
    let mut world = World::new();
    for (name, fd) in [("H0", 1), ("H1", 2), ("H2", 3)] {
        world.ready(name, fd);
        world.on(name, read_all);
    }
    world.on("H0", |world, fd| {
        read_all(world, fd);
        let mut inner = Run::new();
        world.go_on(&mut inner, 2);
    });
    assert_eq!(
        world.run(50),
        ["H0", "H1", "H2"],
        "H1 in the inner loop, H2 in the next round"
    );
}

#[test]
fn an_exit_comes_before_everything_else() {
    let mut world = World::new();
    world.ready("H", 1);
    let mut run = Run::new();
    assert_eq!(world.events.next(&mut run, world.now, true), Action::Return);
}
