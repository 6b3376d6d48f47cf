use spread_proto::service::{
    AGREED_MESS, CAUSAL_MESS, CAUSED_BY_DISCONNECT, FIFO_MESS, RELIABLE_MESS, SAFE_MESS,
    SELF_DISCARD, UNRELIABLE_MESS,
};

use super::daemons;
use crate::runner::cases;
use crate::world::World;

cases! {
    joins_and_leaves: daemons(3) => joins_and_leaves;
    member_order: daemons(2) => member_order;
    destinations: daemons(3) => destinations;
    self_discard: daemons(2) => self_discard;
    services: daemons(2) => services;
    odd_group_names: daemons(2) => odd_group_names;
    requests_in_order: daemons(2) => requests_in_order;
    good_bye: daemons(1) => good_bye;
    many_groups_of_one_client: daemons(2) => many_groups_of_one_client;
    a_new_group_of_an_old_name: daemons(1) => a_new_group_of_an_old_name;
}

/// The cast of most cases: a, Z and n (without membership messages) at d1, b at d2, c at d3.
fn cast(w: &mut World) {
    w.connect("a", 0);
    w.connect("Z", 0);
    w.connect_with("n", 0, false);
    w.connect("b", 1);
    w.connect("c", 2);
}

fn joins_and_leaves(w: &mut World) {
    cast(w);
    for name in ["a", "b", "Z", "c", "n"] {
        w.join(name, "g");
        w.settle();
    }
    w.join("a", "g");
    w.leave("a", "h");
    w.join("b", "g2");
    w.leave("a", "g2");
    w.settle();
    w.leave("Z", "g");
    w.settle();
    w.leave("n", "g");
    w.settle();
    w.kill_client("b");
    w.wait_for("a", CAUSED_BY_DISCONNECT);
    w.settle();
    w.drop_client("c");
    w.wait_for("a", CAUSED_BY_DISCONNECT);
    w.settle();
    w.leave("a", "g");
    w.settle();
    w.join("n", "g");
    w.settle();
    w.join("Z", "g");
    w.settle();
}

fn member_order(w: &mut World) {
    let names = ["b", "a", "~", "_z", "B", "9", "10", "$x", "aa"];
    for name in names {
        w.connect(name, usize::from(name.len() > 1));
    }
    for name in names {
        w.join(name, "g");
        w.settle();
    }
}

fn destinations(w: &mut World) {
    cast(w);
    for (name, group) in [("a", "g"), ("b", "g"), ("b", "g2"), ("c", "g"), ("n", "g")] {
        w.join(name, group);
        w.settle();
    }
    for groups in [
        &["g"][..],
        &["g", "g2"],
        &["g", "g"],
        &["nosuch", "#b#d2", "g2"],
        &["#a#d1"],
        &["#xxx#d3"],
        &["#xxx#d9"],
        &["nosuch"],
        &[""],
        &[],
        &["#a"],
        &["a#d1"],
        &["#a#d1#"],
        &["##d1"],
        &["#a#d1", "#a#d1", "g"],
    ] {
        w.multicast("a", groups, "x");
        w.settle();
    }
    w.multicast("n", &["g2"], "from outside");
    w.settle();
}

fn self_discard(w: &mut World) {
    w.connect("a", 0);
    w.connect("z", 0);
    w.connect("b", 1);
    for name in ["a", "z", "b"] {
        w.join(name, "g");
        w.settle();
    }
    for groups in [&["g"][..], &["#a#d1", "g"], &["#a#d1"]] {
        w.send("a", AGREED_MESS | SELF_DISCARD, groups, "not for me");
        w.settle();
    }
}

fn services(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 1);
    for name in ["a", "b"] {
        w.join(name, "g");
        w.settle();
    }
    for kind in [
        UNRELIABLE_MESS,
        RELIABLE_MESS,
        FIFO_MESS,
        CAUSAL_MESS,
        AGREED_MESS,
        SAFE_MESS,
    ] {
        w.send("a", kind, &["g"], "service");
        w.settle();
    }
}

fn odd_group_names(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 1);
    for group in [
        "#x",
        "a b",
        "\u{1}",
        "\u{7f}",
        "0123456789012345678901234567890",
        "#b#d2",
        "#a#d1",
        "#a#d9",
    ] {
        w.join("a", group);
        w.settle();
        w.multicast("b", &[group], "hello");
        w.settle();
        w.leave("a", group);
        w.settle();
    }
}

fn requests_in_order(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 1);
    w.join("b", "g");
    w.settle();
    w.join("a", "g");
    w.multicast("a", &["g"], "one");
    w.leave("a", "g");
    w.multicast("a", &["g"], "two");
    w.join("a", "g");
    w.settle();
    w.leave("a", "g");
    w.settle();
    w.join("a", "g");
    w.drop_client("a");
    w.wait_for("b", CAUSED_BY_DISCONNECT);
    w.settle();
}

/// With one daemon what was sent before a good-bye has been ordered when that is read. With more of
/// them a client may miss the last of its own messages.
fn good_bye(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 0);
    for name in ["b", "a"] {
        w.join(name, "g");
        w.settle();
    }
    for index in 0..20 {
        w.multicast("a", &["g"], &format!("{index}"));
    }
    w.kill_client("a");
    w.wait_for("b", CAUSED_BY_DISCONNECT);
    w.settle();
}

fn many_groups_of_one_client(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 1);
    for group in ["x", "B", "a", "zz", "$", "b", "aa"] {
        w.join("a", group);
        w.settle();
        w.join("b", group);
        w.settle();
    }
    w.kill_client("a");
    for _ in 0..7 {
        w.wait_for("b", CAUSED_BY_DISCONNECT);
    }
    w.settle();
}

fn a_new_group_of_an_old_name(w: &mut World) {
    w.connect("a", 0);
    w.connect("b", 0);
    w.join("a", "g");
    w.settle();
    w.join("b", "g");
    w.settle();
    w.leave("a", "g");
    w.settle();
    w.leave("b", "g");
    w.settle();
    w.join("b", "g");
    w.settle();
}
