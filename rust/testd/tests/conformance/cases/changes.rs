use spread_proto::service::{CAUSED_BY_JOIN, CAUSED_BY_NETWORK};

use super::daemons;
use crate::runner::cases;
use crate::world::World;

cases! {
    crash: daemons(3) => crash;
    stop: daemons(3) => stop;
    freeze: daemons(3) => freeze;
    short_freeze: daemons(2) => short_freeze;
    restart_at_once: daemons(3) => restart_at_once;
    join_while_broken: daemons(3) => join_while_broken;
    groups_untouched_by_a_crash: daemons(3) => groups_untouched_by_a_crash;
    two_crashes: daemons(3) => two_crashes;
}

fn cast(w: &mut World) {
    w.connect("a", 0);
    w.connect_with("n", 0, false);
    w.connect("b", 1);
    w.connect("c", 2);
    for name in ["a", "b", "c", "n"] {
        w.join(name, "g");
        w.settle();
    }
}

fn lose_d3(w: &mut World) {
    w.read_to_end("c");
    w.wait_for("a", CAUSED_BY_NETWORK);
    w.wait_for("b", CAUSED_BY_NETWORK);
    w.settle();
}

fn crash(w: &mut World) {
    cast(w);
    w.join("b", "only_b");
    w.settle();
    w.join("c", "only_c");
    w.settle();
    w.note("d3 crashes");
    w.daemons().kill(2);
    lose_d3(w);
    w.multicast("a", &["g"], "after");
    w.settle();
    w.multicast("b", &["only_b"], "after");
    w.settle();
    w.note("d3 starts");
    w.daemons().restart(2);
    w.connect("c", 2);
    w.join("c", "g");
    w.wait_for("c", CAUSED_BY_JOIN);
    w.settle();
    w.join("c", "only_b");
    w.settle();
    w.join("c", "only_c");
    w.settle();
}

fn stop(w: &mut World) {
    cast(w);
    w.note("d3 is stopped");
    w.daemons().stop(2);
    lose_d3(w);
}

fn freeze(w: &mut World) {
    cast(w);
    w.note("d3 freezes");
    w.daemons().freeze(2);
    w.wait_for("a", CAUSED_BY_NETWORK);
    w.wait_for("b", CAUSED_BY_NETWORK);
    let frozen = w.clients.remove("c").unwrap();
    w.settle();
    w.multicast("a", &["g"], "missed by c");
    w.settle();
    w.note("d3 thaws");
    w.daemons().thaw(2);
    w.clients.insert("c".into(), frozen);
    for name in ["a", "b", "c"] {
        w.wait_for(name, CAUSED_BY_NETWORK);
    }
    w.settle();
    w.multicast("c", &["g"], "back again");
    w.settle();
}

fn short_freeze(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 1);
    for name in ["a", "b"] {
        w.join(name, "g");
        w.settle();
    }
    w.daemons().freeze(1);
    w.multicast("a", &["g"], "waits");
    w.multicast("b", &["g"], "waits, too");
    w.daemons().thaw(1);
    // In either order.
    w.settle_sorted();
}

fn restart_at_once(w: &mut World) {
    cast(w);
    w.note("d3 crashes and starts at once");
    w.daemons().kill(2);
    w.daemons().restart(2);
    w.read_to_end("c");
    w.write_down();
    w.connect("c", 2);
    w.join("c", "g");
    w.wait_for("a", CAUSED_BY_NETWORK);
    w.wait_for("b", CAUSED_BY_NETWORK);
    w.wait_for("c", CAUSED_BY_JOIN);
    w.settle();
}

/// What is asked for while a ring is broken happens in the next one.
fn join_while_broken(w: &mut World) {
    cast(w);
    w.connect("x", 1);
    w.note("d3 crashes");
    w.daemons().kill(2);
    // A real daemon may order one or two requests after the crash; they are none of ours.
    w.pause_for_token();
    w.multicast("a", &["g"], "before it is noticed");
    w.join("x", "g");
    w.join("x", "fresh");
    w.read_to_end("c");
    for name in ["a", "b"] {
        w.wait_for(name, CAUSED_BY_NETWORK);
    }
    w.settle();
}

/// Which ids do groups have after a change that they were no part of?
fn groups_untouched_by_a_crash(w: &mut World) {
    cast(w);
    w.join("a", "left");
    w.settle();
    w.join("b", "left");
    w.settle();
    w.note("d3 crashes");
    w.daemons().kill(2);
    lose_d3(w);
    w.connect("x", 0);
    w.join("x", "left");
    w.settle();
    w.leave("x", "left");
    w.settle();
    w.join("x", "new");
    w.settle();
    w.kill_client("x");
    w.settle();
}

fn two_crashes(w: &mut World) {
    cast(w);
    w.note("d2 and d3 crash");
    w.daemons().kill(2);
    w.daemons().kill(1);
    w.read_to_end("c");
    w.read_to_end("b");
    w.wait_for("a", CAUSED_BY_NETWORK);
    w.settle();
    w.join("a", "h");
    w.settle();
}
