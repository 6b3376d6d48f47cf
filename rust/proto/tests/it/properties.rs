//! What is written reads back the same, for any values.

use proptest::collection::vec;
use proptest::prelude::*;
use spread_proto::memb_info::{VsSetInfo, memb_info, slices, vs_set_members, vs_sets_info};
use spread_proto::{
    ByteOrder, ClientHandshake, ConnectRequest, Decoder, Direction, Frame, GroupId, HEADER_LEN,
    HandshakeStep, Header, Hint, Limits, MARKERS, MembershipBody, Name, choose_methods,
    encode_accept, encode_auth_list, flip_to_native, parse_connect, private_group, service,
    split_private_group,
};

pub(crate) fn order() -> impl Strategy<Value = ByteOrder> {
    prop_oneof![Just(ByteOrder::Little), Just(ByteOrder::Big)]
}

pub(crate) fn name() -> impl Strategy<Value = Name> {
    prop_oneof![
        any::<[u8; 32]>().prop_map(Name::from_raw),
        vec(b'!'..=b'~', 0..34).prop_map(|bytes| Name::new(&bytes)),
    ]
}

fn hint() -> impl Strategy<Value = Hint> {
    prop_oneof![
        any::<[u8; 4]>().prop_map(Hint::from_wire),
        (any::<i16>(), order()).prop_map(|(t, o)| Hint::new(t, o))
    ]
}

fn kind() -> impl Strategy<Value = u32> {
    let bits = prop_oneof![
        any::<u32>(),
        (0u32..32).prop_map(|bit| 1 << bit),
        Just(service::REJECT_MESS),
        Just(service::REJECT_MESS | service::SELF_DISCARD),
    ];
    bits.prop_map(|kind| kind & !MARKERS)
}

fn header() -> impl Strategy<Value = Header> {
    (kind(), name(), any::<i32>(), hint(), any::<i32>(), order()).prop_map(
        |(kind, name, num_groups, hint, data_len, order)| Header {
            kind,
            name,
            num_groups,
            hint,
            data_len,
            order,
        },
    )
}

pub(crate) fn frame(direction: Direction) -> impl Strategy<Value = Frame> {
    (
        header(),
        any::<u32>(),
        vec(name(), 0..6),
        vec(any::<u8>(), 0..300),
    )
        .prop_map(move |(header, old, groups, body)| {
            let Header {
                kind,
                name,
                hint,
                order,
                ..
            } = header;
            let mut frame = Frame::new(kind, name, hint, order, groups, body);
            let has_old = direction == Direction::ToClient && service::has_old_type(kind);
            frame.old_kind = has_old.then_some(old & !MARKERS);
            frame
        })
}

fn membership() -> impl Strategy<Value = MembershipBody> {
    (
        any::<[i32; 3]>(),
        vec(vec(name(), 0..5), 1..5),
        any::<prop::sample::Index>(),
    )
        .prop_map(|(gid, vs_sets, index)| MembershipBody {
            gid: GroupId(gid),
            my_set: index.index(vs_sets.len()),
            vs_sets,
        })
}

/// Raw fields too: `Name` compares only what stands before the NUL.
fn raw(names: &[Name]) -> Vec<[u8; 32]> {
    names.iter().map(|name| *name.raw()).collect()
}

/// A private name that a daemon takes.
fn private_name() -> impl Strategy<Value = Vec<u8>> {
    vec(b'$'..=b'~', 0..=10)
}

fn method() -> impl Strategy<Value = Vec<u8>> {
    vec(b'A'..=b'Z', 1..30)
}

proptest! {
    #[test]
    fn headers(header in header()) {
        let wire = header.encode();
        let back = Header::decode(&wire);
        prop_assert_eq!(back, header);
        prop_assert_eq!(back.name.raw(), header.name.raw());
        prop_assert_eq!(back.encode(), wire);
    }

    #[test]
    fn any_header_bytes_with_whole_markers(
        mut wire in any::<[u8; HEADER_LEN]>(),
        little in any::<bool>(),
    ) {
        for byte in [0, 3] {
            wire[byte] = wire[byte] & 0x7f | if little { 0x80 } else { 0 };
        }
        prop_assert_eq!(Header::decode(&wire).encode(), wire);
    }

    #[test]
    fn hints(mess_type in any::<i16>(), order in order()) {
        let hint = Hint::new(mess_type, order);
        prop_assert_eq!((hint.mess_type(), hint.order()), (mess_type, order));
        prop_assert_eq!(Hint::from_wire(hint.wire()), hint);
    }

    #[test]
    fn frames_in_one_stream(
        (direction, frames) in prop_oneof![Just(Direction::ToClient), Just(Direction::ToDaemon)]
            .prop_flat_map(|direction| (Just(direction), vec(frame(direction), 1..6))),
        piece in 1usize..200,
    ) {
        let mut stream = Vec::new();
        frames.iter().for_each(|frame| frame.encode_into(&mut stream));
        let mut decoder = Decoder::new(direction, Limits::CLIENT);
        let mut back = Vec::new();
        for bytes in stream.chunks(piece) {
            decoder.feed(bytes);
            while let Some(frame) = decoder.next_frame().unwrap() {
                back.push(frame);
            }
        }
        prop_assert_eq!(&back, &frames);
        for (a, b) in back.iter().zip(&frames) {
            prop_assert_eq!(raw(&a.groups), raw(&b.groups));
        }
        prop_assert!(decoder.into_rest().is_empty());
        prop_assert_eq!(back.iter().flat_map(Frame::encode).collect::<Vec<_>>(), stream);
    }

    #[test]
    fn memberships(body in membership(), order in order()) {
        let wire = body.encode(order);
        let back = MembershipBody::parse(&wire, order).unwrap();
        prop_assert_eq!(&back, &body);
        prop_assert_eq!(back.encode(order), wire);
    }

    #[test]
    fn memberships_after_flipping(body in membership(), order in order()) {
        let mut wire = body.encode(order);
        flip_to_native(service::REG_MEMB_MESS, order, &mut wire);
        prop_assert_eq!(MembershipBody::parse(&wire, ByteOrder::NATIVE).unwrap(), body);
    }

    #[test]
    fn lookups_find_what_the_body_has(body in membership(), piece in 1usize..80) {
        let wire = body.encode(ByteOrder::NATIVE);
        let pieces: Vec<&[u8]> = wire.chunks(piece).collect();
        let pieces = slices(&pieces);
        let kind = service::REG_MEMB_MESS | service::CAUSED_BY_NETWORK;
        let info = memb_info(&pieces, kind).unwrap();
        prop_assert_eq!(info, memb_info(wire.as_slice(), kind).unwrap());
        prop_assert_eq!(info.gid, body.gid);
        prop_assert_eq!(info.num_vs_sets as usize, body.vs_sets.len());
        let mut sets: Vec<VsSetInfo> = Vec::new();
        let room = i32::try_from(body.vs_sets.len()).unwrap();
        let (count, mine) = vs_sets_info(&pieces, room, |_, set| sets.push(set)).unwrap();
        prop_assert_eq!((count, mine.map(|i| i as usize)), (room, Some(body.my_set)));
        prop_assert_eq!(sets[body.my_set], info.my_vs_set);
        for (set, names) in sets.iter().zip(&body.vs_sets) {
            let mut found = Vec::new();
            let room = i32::try_from(names.len()).unwrap();
            vs_set_members(&pieces, *set, room, |_, name| found.push(*name)).unwrap();
            prop_assert_eq!(found, raw(names));
        }
    }

    #[test]
    fn names(bytes in vec(any::<u8>(), 0..40), other in vec(any::<u8>(), 0..40)) {
        let (a, b) = (Name::new(&bytes), Name::new(&other));
        let text = bytes.split(|&b| b == 0).next().unwrap_or_default();
        prop_assert_eq!(a.as_bytes(), &text[..text.len().min(31)]);
        prop_assert_eq!(a.raw()[31], 0);
        prop_assert_eq!(a.cmp(&b), a.as_bytes().cmp(b.as_bytes()));
        prop_assert_eq!(Name::from_raw(*a.raw()), a);
    }

    #[test]
    fn private_groups(name in vec(b'$'..=b'~', 1..=10), daemon in vec(b'$'..=b'~', 1..=19)) {
        let group = private_group(&name, &daemon);
        prop_assert_eq!(split_private_group(&group), Some((name.as_slice(), daemon.as_slice())));
    }

    #[test]
    fn both_sides_of_a_handshake_understand_each_other(
        (membership, priority) in any::<(bool, bool)>(),
        private_name in private_name(),
        methods in vec(method(), 1..=2),
        more in vec(method(), 0..2),
        piece in 1usize..100,
    ) {
        let allowed: Vec<&[u8]> = more.iter().chain(&methods).map(Vec::as_slice).collect();
        let list = encode_auth_list(&allowed);
        prop_assume!(list.len() <= 91);
        let request = ConnectRequest {
            version: ConnectRequest::VERSION,
            membership,
            priority,
            private_name: private_name.clone(),
        };
        let mut client = ClientHandshake::new(request, &methods);
        let mut to_client: Vec<u8> = Vec::new();
        let mut connect = None;
        let group = private_group(&private_name, b"daemon");
        loop {
            match client.step() {
                HandshakeStep::Write(bytes) => {
                    match &connect {
                        None => {
                            let message = parse_connect(&bytes).unwrap();
                            prop_assert_eq!(message.membership, membership);
                            prop_assert_eq!(message.priority, u8::from(priority));
                            prop_assert_eq!(&message.private_name, &private_name);
                            prop_assert_eq!(message.consumed, bytes.len());
                            to_client.extend_from_slice(&list);
                            connect = Some(message);
                        }
                        Some(message) => {
                            let chosen = choose_methods(&bytes, &allowed).unwrap();
                            prop_assert_eq!(&chosen, &methods);
                            to_client.extend(encode_accept(message.version, [4, 9, 9], &group));
                        }
                    }
                    client.wrote();
                }
                HandshakeStep::Read(most) => {
                    let now = most.min(piece).min(to_client.len());
                    prop_assert!(now > 0, "the client waits for bytes that a daemon does not send");
                    client.input(&to_client.drain(..now).collect::<Vec<_>>());
                }
                HandshakeStep::RunMethods => client.methods_done(true),
                HandshakeStep::Done(accepted) => {
                    prop_assert_eq!(accepted.daemon_version, [4, 9, 9]);
                    prop_assert_eq!(accepted.private_group, group);
                    prop_assert!(to_client.is_empty());
                    break;
                }
                HandshakeStep::Failed(failure) => prop_assert!(false, "{failure}"),
            }
        }
    }
}
