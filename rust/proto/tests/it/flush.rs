//! Flush Spread on a network that does what Extended Virtual Synchrony allows: random joins, leaves, losses, partitions, merges
//! and messages, the daemons' guarantees and no more. Every member is a machine of its own.
//!
//! What must hold, whatever happens:
//!
//! - all who install a view have the same members in it;
//! - a message is delivered in the view in which it was sent, or not at all;
//! - members who move from one view to the next together have had the same messages in it;
//! - a view follows a request or a join, one flush answers one request, one transitional signal is told in a view;
//! - once the network is whole and everybody flushes, all have the daemons' members as their view, and no memory is held.

mod network;

use proptest::collection::vec;
use proptest::prelude::*;
use spread_proto::flush::wire::{self, Meaning, Suffix};
use spread_proto::flush::{Machine, Message};
use spread_proto::service::{
    AGREED_MESS, CAUSED_BY_JOIN, CAUSED_BY_NETWORK, FIFO_MESS, REG_MEMB_MESS, REGULAR_MESS,
};
use spread_proto::{ByteOrder, Direction, GroupId, MembershipBody, Name};

use crate::traces::{frames, sessions};
use network::{MEMBERS, Network};

#[derive(Debug, Clone, Copy)]
enum How {
    Agreed,
    Fifo,
    /// Ahead of what the receivers have not taken in yet.
    Overtaking,
}

/// What happens next.
#[derive(Debug, Clone, Copy)]
enum Op {
    Join(usize),
    Leave(usize),
    Disconnect(usize),
    Reconnect(usize, usize),
    Regroup([usize; MEMBERS]),
    Send(usize, How),
    Flush(usize),
    Step(usize),
    Overtake(usize, usize),
    Calm,
}

fn op() -> impl Strategy<Value = Op> {
    let who = 0..MEMBERS;
    prop_oneof![
        4 => who.clone().prop_map(Op::Join),
        2 => who.clone().prop_map(Op::Leave),
        1 => who.clone().prop_map(Op::Disconnect),
        1 => (who.clone(), 0..20_usize).prop_map(|(at, kept)| Op::Reconnect(at, kept)),
        2 => [0..2_usize, 0..2, 0..2, 0..3].prop_map(Op::Regroup),
        10 => (who.clone(), prop_oneof![Just(How::Agreed), Just(How::Fifo), Just(How::Overtaking)])
            .prop_map(|(at, how)| Op::Send(at, how)),
        8 => who.clone().prop_map(Op::Flush),
        40 => who.clone().prop_map(Op::Step),
        10 => (who.clone(), who).prop_map(|(at, from)| Op::Overtake(at, from)),
        1 => Just(Op::Calm),
    ]
}

fn run(ops: &[Op]) -> Network {
    let mut network = Network::new();
    for &op in ops {
        match op {
            Op::Join(at) => network.join(at),
            Op::Leave(at) => network.leave(at),
            Op::Disconnect(at) => network.disconnect(at),
            Op::Reconnect(at, kept) => network.reconnect(at, kept),
            Op::Regroup(sides) => network.regroup(&sides),
            Op::Send(at, How::Agreed) => network.send(at, AGREED_MESS),
            Op::Send(at, How::Fifo) => network.send(at, FIFO_MESS),
            Op::Send(at, How::Overtaking) => {
                network.send(at, FIFO_MESS);
                for receiver in 0..MEMBERS {
                    network.overtake(receiver, at);
                }
            }
            Op::Flush(at) => network.flush(at),
            Op::Step(at) => network.step(at),
            Op::Overtake(at, from) => network.overtake(at, from),
            Op::Calm => network.calm(),
        }
    }
    network
}

/// What the classic library has put behind the bodies of recorded messages comes off, and the same is put on again.
#[test]
#[cfg(target_endian = "little")]
fn recorded_suffixes_are_read_and_written() {
    let (mut controls, mut vulnerable, mut subgroup) = (0, 0, 0);
    for session in sessions() {
        // Names and groups of the classic library's own clients; X is a hand-made peer, which cuts bodies short.
        if !session.label.starts_with("fl-") || session.label.ends_with("/X") {
            continue;
        }
        let (sent, ..) = frames(Direction::ToDaemon, &session.to_daemon);
        for frame in sent {
            let (kind, hint) = (frame.header.kind, frame.header.hint);
            if kind & REGULAR_MESS == 0 {
                continue;
            }
            let peeled = wire::peel(kind, hint.mess_type(), hint.order(), &frame.body);
            let peeled = peeled.unwrap_or_else(|| panic!("{}: {frame:?}", session.label));
            let suffix = match peeled.meaning {
                Meaning::FlushOk(gid) | Meaning::FlushRecv(gid) => {
                    assert_eq!(
                        (kind, frame.groups.len(), peeled.body_len),
                        (FIFO_MESS, 1, 0)
                    );
                    controls += 1;
                    Suffix::of_control(gid)
                }
                Meaning::Vulnerable(mess_type, gid) => {
                    vulnerable += 1;
                    Suffix::of_message(Some((mess_type, gid)), peeled.subgroup_of.as_ref())
                }
                Meaning::Plain => Suffix::of_message(None, peeled.subgroup_of.as_ref()),
            };
            subgroup += usize::from(peeled.subgroup_of.is_some());
            assert_eq!(
                frame.body[peeled.body_len..],
                *suffix.as_bytes(),
                "{}",
                session.label
            );
        }
    }
    assert!(
        controls > 400 && vulnerable > 40 && subgroup > 40,
        "{controls} {vulnerable} {subgroup}"
    );
}

proptest! {
    #[test]
    fn members_agree_on_views_and_messages(ops in vec(op(), 0..400)) {
        let mut network = run(&ops);
        network.settle();
        network.check_at_the_end();
    }

    /// Whatever peers and daemons send: no panic, and a bound on what is kept.
    #[test]
    fn nonsense_is_survived(
        messages in vec((any::<u32>(), 0..5_usize, vec(0..5_usize, 0..5), -5..5_i16, any::<bool>(), vec(any::<u8>(), 0..120)), 0..200),
    ) {
        let names: Vec<Name> = ["room", "#m0#d", "#m1#d", "#m2#d", "other"].iter().map(|n| Name::new(n.as_bytes())).collect();
        let mut machine = Machine::new();
        for (kind, sender, groups, mess_type, native, body) in messages {
            let order = if native { ByteOrder::Little } else { ByteOrder::Big };
            // Mostly types that mean something.
            let kind = [REG_MEMB_MESS | CAUSED_BY_JOIN, REG_MEMB_MESS | CAUSED_BY_NETWORK, FIFO_MESS, kind][(kind >> 30) as usize];
            let body = if kind & REG_MEMB_MESS != 0 && native {
                MembershipBody { gid: GroupId([1, 2, i32::from(mess_type)]), vs_sets: vec![names.clone()], my_set: 0 }.encode(ByteOrder::NATIVE)
            } else {
                body
            };
            let mess_type = if kind == FIFO_MESS { wire::FLUSH_OK.wrapping_add(mess_type.abs()) } else { mess_type };
            let message = Message {
                kind,
                sender: names[sender],
                groups: groups.iter().map(|&at| names[at]).collect(),
                mess_type,
                order,
                body,
            };
            let _ = machine.handle(&names[1], message);
            let _ = machine.flush(&names[0]);
            while machine.poll_control().is_some() {}
            while machine.take_next().is_some() {}
        }
        prop_assert!(machine.held_bytes() < 1 << 20);
    }
}
