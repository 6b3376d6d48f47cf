use spread_proto::service::{CAUSED_BY_JOIN, CAUSED_BY_LEAVE, CAUSED_BY_NETWORK};
use spread_testd::Network;

use crate::client::{Client, Event, Socket};

fn network(members: &[&str], sets: &[&[&str]], mine: usize) -> Event {
    let owned = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
    Event::View {
        cause: CAUSED_BY_NETWORK,
        group: "g".into(),
        members: owned(members),
        index: 1,
        sets: sets.iter().map(|set| owned(set)).collect(),
        mine,
    }
}

fn transition(index: i32) -> Event {
    Event::Transition {
        group: "g".into(),
        index,
    }
}

/// Clients of the first, second and so on daemon, all of them members of `g`.
fn members(network: &Network, names: &[(usize, &str)]) -> Vec<Client> {
    let mut clients: Vec<Client> = Vec::new();
    for &(daemon, name) in names {
        let mut client = Client::connect(network.daemon(daemon), name);
        client.join("g");
        clients.push(client);
        let count = clients.len();
        for client in &mut clients {
            assert_eq!(client.view(CAUSED_BY_JOIN).len(), count);
        }
    }
    clients
}

#[test]
fn the_death_of_a_daemon_is_a_transition_and_a_view_for_the_others() {
    let network_ = Network::builder().daemons(3).start().unwrap();
    let mut clients = members(&network_, &[(0, "a"), (1, "b"), (2, "c")]);
    let mut alone = Client::connect(network_.daemon(1), "alone");
    alone.join("only");
    assert_eq!(alone.view(CAUSED_BY_JOIN).len(), 1);

    network_.kill(2).unwrap();
    let mut c = clients.pop().unwrap();
    assert_eq!(c.next(), Event::End);
    assert!(Socket::tcp(network_.daemon(2).addr()).is_err());

    clients[0].multicast(&["g"], "before it is noticed");
    let view = network(&["#a#d1", "#b#d2"], &[&["#a#d1", "#b#d2"]], 0);
    for client in &mut clients {
        assert_eq!(client.next(), transition(3));
        assert_eq!(client.next(), view);
        assert_eq!(client.text(), "before it is noticed");
    }
    alone.expect_nothing();

    // It comes back empty, which nobody notices before somebody joins.
    network_.restart(2).unwrap();
    let mut c = Client::connect(network_.daemon(2), "c");
    c.join("g");
    for client in [&mut clients[0], &mut c] {
        assert_eq!(client.view(CAUSED_BY_JOIN), ["#a#d1", "#b#d2", "#c#d3"]);
    }
}

#[test]
fn each_part_of_a_partition_goes_on_and_the_merge_has_a_set_for_each() {
    let network_ = Network::builder().daemons(3).start().unwrap();
    let mut clients = members(&network_, &[(0, "a"), (1, "b"), (2, "c")]);
    network_.partition(&[&[0, 1][..], &[2]]).unwrap();
    let left = network(&["#a#d1", "#b#d2"], &[&["#a#d1", "#b#d2"]], 0);
    let right = network(&["#c#d3"], &[&["#c#d3"]], 0);
    for (client, view) in clients.iter_mut().zip([&left, &left, &right]) {
        assert_eq!(client.next(), transition(3));
        assert_eq!(client.next(), *view);
    }
    clients[0].multicast(&["g", "#c#d3"], "left");
    assert_eq!(clients[0].text(), "left");
    assert_eq!(clients[1].text(), "left");
    clients[1].leave("g");
    assert_eq!(clients[1].next(), Event::SelfLeave("g".into()));
    assert_eq!(clients[0].view(CAUSED_BY_LEAVE), ["#a#d1"]);
    clients[2].expect_nothing();

    network_.heal().unwrap();
    // No transition: nobody is lost.
    for (index, name) in [(0, "#a#d1"), (2, "#c#d3")] {
        match clients[index].next() {
            Event::View {
                members,
                sets,
                mine,
                index: 1,
                ..
            } => {
                assert_eq!(members, ["#a#d1", "#c#d3"]);
                assert_eq!(sets.len(), 2);
                assert_eq!(sets[mine], [name]);
            }
            other => panic!("{other:?}"),
        }
    }
    clients[1].expect_nothing();
}

#[test]
fn a_frozen_daemon_is_silent_and_comes_back_with_its_clients() {
    let network_ = Network::builder().daemons(2).start().unwrap();
    let mut clients = members(&network_, &[(0, "a"), (1, "b")]);
    network_.freeze(1).unwrap();
    assert_eq!(clients[0].next(), transition(2));
    assert_eq!(clients[0].next(), network(&["#a#d1"], &[&["#a#d1"]], 0));
    // The kernel takes the connection and the bytes; nobody answers.
    let _connected = Socket::tcp(network_.daemon(1).addr()).unwrap();
    clients[1].multicast(&["g"], "from the dead");
    clients[0].multicast(&["g"], "from the living");
    assert_eq!(clients[0].text(), "from the living");

    network_.thaw(1).unwrap();
    assert_eq!(clients[1].next(), transition(2));
    for client in &mut clients {
        match client.next() {
            Event::View {
                cause: CAUSED_BY_NETWORK,
                members,
                sets,
                ..
            } => {
                assert_eq!(members, ["#a#d1", "#b#d2"]);
                assert_eq!(sets.len(), 2);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(client.text(), "from the dead");
    }
}

#[test]
fn daemons_and_sets_that_do_not_exist_are_errors() {
    let network = Network::builder().daemons(2).start().unwrap();
    assert!(network.kill(2).is_err());
    assert!(network.partition(&[&[0, 2]]).is_err());
    assert!(network.partition(&[&[0], &[0]]).is_err());
    assert!(Network::builder().daemons(0).start().is_err());
    assert!(Network::builder().daemons(1000).start().is_err());
    assert!(Network::builder().names(["x", "x"]).start().is_err());
    assert!(
        Network::builder()
            .names(["twenty characters xx"])
            .start()
            .is_err()
    );
}

#[test]
fn dropping_a_network_closes_everything_and_removes_the_unix_socket() {
    let network = Network::builder().start().unwrap();
    let daemon = network.daemon(0).clone();
    let path = daemon.unix_path().unwrap().to_path_buf();
    let control = network.control();
    let mut a = Client::connect_unix(&daemon, "a");
    assert_eq!(
        daemon.unix_name().unwrap(),
        daemon.addr().port().to_string()
    );
    assert!(path.exists());
    drop(network);
    assert_eq!(a.next(), Event::End);
    assert!(!path.exists());
    assert!(control.kill(0).is_err());
    assert!(Socket::tcp(daemon.addr()).is_err());
}
