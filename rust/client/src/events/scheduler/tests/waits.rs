//! What is waited for, and what comes of it.

use super::*;

#[test]
fn waits_last_until_the_next_timer() {
    let mut world = World::new();
    world.queue("t", 700);
    let mut run = Run::new();
    let poll = |timeout_us| Action::Poll {
        timeout_us,
        select: false,
    };
    assert_eq!(
        world.events.next(&mut run, world.now, false),
        poll(Some(700))
    );
    assert!(world.events.dequeue(&"t"));
    let mut run = Run::new();
    assert_eq!(world.events.next(&mut run, world.now, false), poll(None));
    world.queue("t", -700);
    let mut run = Run::new();
    assert_eq!(world.events.next(&mut run, world.now, false), poll(Some(0)));
}

#[test]
fn one_detached_and_attached_during_the_wait_is_not_called_on_its_result() {
    let mut world = World::new();
    world.attach("Hold", 1, FdKind::Read, Priority::High);
    world.during_wait.push_back(|world| {
        world.events.detach(1, FdKind::Read);
        world.attach("Hnew", 1, FdKind::Read, Priority::High);
        world.state.insert(1, libc::POLLIN);
    });
    world.on("Hnew", read_all);
    assert_eq!(world.run(50), ["Hnew"]);
    assert_eq!(world.waits, 3, "the stale result, a true one, the last");
}

#[test]
fn a_hang_up_that_nobody_waits_for_does_not_spin() {
    let mut world = World::new();
    world.attach("H", 1, FdKind::Except, Priority::High);
    world.state.insert(1, libc::POLLHUP | libc::POLLERR);
    world.queue("t", 500);
    world.on("t", |world, _| {
        world.state.insert(1, libc::POLLPRI | libc::POLLHUP);
    });
    world.on("H", exit);
    assert_eq!(world.run(50), ["t", "H"]);
    assert_eq!(
        world.waits, 3,
        "poll, then select for the rest of the round"
    );
}

#[test]
fn a_wake_up_is_no_round() {
    let mut world = World::new();
    world.attach("H", 1, FdKind::Read, Priority::High);
    world.queue("t", 1_000);
    // The wake-up brings no timer forward, so that the loop is still in its start afterwards.
    world.during_wait.push_back(|world| world.now += 10);
    world.during_wait.push_back(|world| {
        world.state.insert(1, libc::POLLIN);
    });
    world.on("H", |world, _| {
        world.now += 2_000;
        if world.log.len() == 3 {
            world.state.remove(&1);
        }
    });
    assert_eq!(world.run(50), ["H", "H", "H", "t"]);
}

#[test]
fn a_timer_queued_during_the_wait_shortens_it() {
    let mut world = World::new();
    world.queue("late", 1_000_000);
    let start = world.now;
    world.during_wait.push_back(|world| world.queue("soon", 10));
    world.on("soon", exit);
    assert_eq!(world.run(50), ["soon"]);
    assert_eq!(world.now, start + 10);
}

#[test]
fn wake_ups_without_end_hold_up_no_timer() {
    let mut world = World::new();
    for _ in 0..1_000 {
        world.during_wait.push_back(|world| world.now += 1);
    }
    world.queue("t", 100);
    world.on("t", exit);
    assert_eq!(world.run(1_000), ["t"]);
    assert!(world.waits <= 101, "{} waits", world.waits);
}

#[test]
fn a_signal_keeps_the_time_of_the_timers() {
    let mut world = World::new();
    world.queue("t", 100);
    let start = world.now;
    world.on("t", exit);
    for _ in 0..9 {
        world.during_wait.push_back(|world| {
            world.now += 10;
            world.interrupt_next = true;
        });
    }
    assert_eq!(world.run(100), ["t"]);
    assert_eq!(world.now, start + 100);
    assert_eq!(world.waits, 10);
}

#[test]
fn a_closed_descriptor_is_called_for_once_and_costs_nothing_afterwards() {
    let mut world = World::new();
    world.ready("H", 1);
    world.state.insert(1, libc::POLLNVAL);
    world.queue("t", 1_000_000);
    world.on("t", exit);
    assert_eq!(world.run(100), ["H", "t"]);
    assert!(world.waits < 30, "{} waits in a second", world.waits);
}

#[test]
fn a_closed_number_that_is_opened_again_is_watched_again() {
    let mut world = World::new();
    world.ready("H", 1);
    world.state.insert(1, libc::POLLNVAL);
    world.queue("open", 250_000);
    world.on("open", |world, _| {
        world.state.insert(1, 0);
        world.queue("data", 250_000);
    });
    world.on("data", |world, _| {
        world.state.insert(1, libc::POLLIN);
        world.on("H", exit);
    });
    let start = world.now;
    assert_eq!(world.run(100), ["H", "open", "data", "H"]);
    assert_eq!(world.now, start + 500_000);

    // Closed again: told again, also after attaching or activating anew.
    world.on("H", |_, _| {});
    world.state.insert(1, libc::POLLNVAL);
    assert_eq!(world.run(20), ["H"]);
    world.attach("H", 1, FdKind::Read, Priority::High);
    assert_eq!(world.run(20), ["H"]);
    assert!(world.events.set_active(1, FdKind::Read, true));
    assert_eq!(world.run(20), ["H"]);
}

#[test]
fn with_a_closed_descriptor_no_wait_is_endless() {
    let mut world = World::new();
    world.ready("H", 1);
    world.state.insert(1, libc::POLLNVAL);
    let mut run = Run::new();
    world.go_on(&mut run, 2);
    assert_eq!(world.log, ["H"]);
    let poll = Action::Poll {
        timeout_us: Some(CLOSED_PROBE_US - 30),
        select: false,
    };
    assert_eq!(world.events.next(&mut run, world.now + 30, false), poll);
}

#[test]
fn a_closed_descriptor_does_not_keep_the_others_from_being_served() {
    let mut world = World::new();
    world.ready("H0", 1);
    world.ready("H1", 2);
    world.state.insert(1, libc::POLLNVAL);
    world.on("H1", |world, _| {
        if world.log.len() > 5 {
            world.exit = true;
        }
    });
    assert_eq!(world.run(50), ["H0", "H1", "H1", "H1", "H1", "H1"]);
}

#[test]
fn without_a_callback_it_is_registered_and_never_watched() {
    let mut world = World::new();
    world
        .events
        .attach(1, FdKind::Read, Priority::High, None)
        .unwrap();
    world.state.insert(1, libc::POLLIN);
    assert_eq!(world.events.active_count(Priority::High), 1);
    assert_eq!(world.run(10), Log::new());
    let attached = world
        .events
        .attach(1, FdKind::Read, Priority::High, Some("H"));
    assert_eq!(attached, Ok(Attached::Replaced));
    world.on("H", exit);
    assert_eq!(world.run(10), ["H"]);
}

/// A mailbox whose messages may also come on another descriptor.
struct Linked;

impl FdSources for Linked {
    fn sources(&mut self, fd: RawFd, kind: FdKind, add: &mut dyn FnMut(RawFd)) {
        add(fd);
        if fd == 1 && kind == FdKind::Read {
            add(100);
        }
    }
}

#[test]
fn an_attached_descriptor_may_stand_for_several() {
    let mut events: Events<&str, &str> = Events::new();
    events
        .attach(1, FdKind::Read, Priority::High, Some("mailbox"))
        .unwrap();
    events
        .attach(2, FdKind::Read, Priority::High, Some("other"))
        .unwrap();
    for (ready, revents) in [
        (1, libc::POLLIN),
        (100, libc::POLLIN),
        (100, libc::POLLNVAL),
    ] {
        let (mut run, mut set) = (Run::new(), PollSet::new());
        assert!(matches!(
            events.next(&mut run, 0, false),
            Action::Poll { .. }
        ));
        events.fill(0, None, &mut Linked, &mut set);
        let fds: Vec<RawFd> = set.fds().iter().map(|element| element.fd).collect();
        assert_eq!(fds, [1, 100, 2, -1]);
        for element in set.fds_mut() {
            if element.fd == ready {
                element.revents = revents;
            }
        }
        events.polled(&mut run, 0, &set, Outcome::Ready);
        let call = Action::CallFd {
            fd: 1,
            callback: "mailbox",
        };
        assert_eq!(events.next(&mut run, 0, false), call);
        assert!(
            matches!(events.next(&mut run, 0, false), Action::Poll { .. }),
            "called once"
        );
    }
}

#[test]
fn a_refused_poll_is_repeated_with_select() {
    let mut world = World::new();
    world.ready("H", 1);
    let (mut run, mut set) = (Run::new(), PollSet::new());
    let _ = world.events.next(&mut run, world.now, false);
    world
        .events
        .fill(world.now, None, &mut ItselfOnly, &mut set);
    world
        .events
        .polled(&mut run, world.now, &set, Outcome::Refused);
    let again = world.events.next(&mut run, world.now, false);
    assert_eq!(
        again,
        Action::Poll {
            timeout_us: None,
            select: true
        }
    );
    world
        .events
        .fill(world.now, None, &mut ItselfOnly, &mut set);
    world
        .events
        .polled(&mut run, world.now, &set, Outcome::Overtaken);
    assert!(matches!(
        world.events.next(&mut run, world.now, false),
        Action::Poll { .. }
    ));
}
