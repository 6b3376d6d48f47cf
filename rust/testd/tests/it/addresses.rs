use std::net::{IpAddr, Ipv6Addr, TcpListener};

use spread_testd::{Error, Network};

use crate::client::{Client, Event};

#[test]
fn daemons_share_a_port_on_different_addresses() {
    let network = Network::builder().daemons(3).start().unwrap();
    let port = network.daemon(0).addr().port();
    for (index, daemon) in network.daemons().iter().enumerate() {
        let last = index + 1;
        assert_eq!(daemon.name(), format!("d{last}"));
        assert_eq!(daemon.spread_name(), format!("{port}@127.0.0.{last}"));
        assert_eq!(daemon.unix_path().is_some(), index == 0);
        Client::connect(daemon, "a");
    }
}

#[test]
fn a_daemon_can_listen_on_ipv6() {
    let network = Network::builder()
        .bind([IpAddr::V6(Ipv6Addr::LOCALHOST)])
        .start();
    let network = match network {
        // A machine without IPv6.
        Err(Error::Listen { source, .. })
            if source.kind() == std::io::ErrorKind::AddrNotAvailable =>
        {
            return;
        }
        other => other.unwrap(),
    };
    let daemon = network.daemon(0);
    let port = daemon.addr().port();
    assert_eq!(daemon.spread_name(), format!("{port}@[::1]"));
    assert_eq!(Client::connect(daemon, "a").name(), "#a#d1");
}

#[test]
fn a_taken_port_is_an_error_that_names_it() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let error = Network::builder().port(port).start().unwrap_err();
    assert!(error.to_string().contains(&port.to_string()), "{error}");
    let error = Network::builder().daemons(2).bind([]).start();
    assert!(error.is_ok());
    let error = Network::builder()
        .daemons(2)
        .bind([IpAddr::V6(Ipv6Addr::LOCALHOST)])
        .start()
        .unwrap_err();
    assert!(error.to_string().contains("1 addresses"), "{error}");
}

#[test]
fn a_dead_daemon_keeps_its_port_and_listens_there_again() {
    let network = Network::builder().start().unwrap();
    let daemon = network.daemon(0);
    for _ in 0..3 {
        let mut tcp = Client::connect(daemon, "t");
        let mut unix = Client::connect_unix(daemon, "u");
        network.kill(0).unwrap();
        assert_eq!(tcp.next(), Event::End);
        assert_eq!(unix.next(), Event::End);
        let refused = std::net::TcpStream::connect(daemon.addr()).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        let path = daemon.unix_path().unwrap();
        let refused = std::os::unix::net::UnixStream::connect(path).unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
        // Nobody is given the port by chance.
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_ne!(other.local_addr().unwrap(), daemon.addr());
        network.restart(0).unwrap();
    }
}
