//! A peer that is gone without a word. Ignored by default: `cargo test --test failover -- --ignored wire::silence`.

use std::time::{Duration, Instant};

use spread_client::{Ending, Event};
use spread_testd::{Network, Timing};

use crate::auto::list;
use crate::client::{connect, readable, say};
use crate::dns;
use crate::support::skip;

/// Keepalive gives a silent peer 40 s, the limit for what is not acknowledged 30 s from the first probe
/// on.
const MOST: Duration = Duration::from_secs(120);

#[test]
#[ignore = "takes a minute"]
fn silence_is_noticed() {
    dns::run_inside("wire::inside_a_dead_wire", 1, "wire: ");
}

/// The next event, which may take long.
fn event(client: &mut crate::client::Client) -> Event {
    let fd = spread_client::event_fd(client.mailbox).expect("a session");
    assert!(readable(fd, MOST), "no event");
    client.event()
}

#[test]
#[ignore = "runs inside of silence_is_noticed"]
fn inside_a_dead_wire() {
    if dns::server().is_none() {
        skip("it runs as a part of silence_is_noticed only");
        return;
    }
    let network = Network::builder()
        .daemons(2)
        .unix(false)
        .timing(Timing::FAST)
        .start()
        .unwrap();
    let name = list(&network, &[0, 1]);
    let mut auto = connect(&format!("{name}?failover=auto"), "bob").unwrap();
    let mut classic = connect(&name, "ann").unwrap();
    auto.join_and_see("g");
    classic.join_and_see("h");
    assert!(matches!(event(&mut auto), Event::Connected { .. }));
    assert!(matches!(event(&mut classic), Event::Connected { .. }));
    let cut = Instant::now();
    dns::set_loopback(false).unwrap();
    assert!(matches!(event(&mut auto), Event::DaemonLost { .. }));
    say(format_args!(
        "wire: failover=auto: noticed after {:?}",
        cut.elapsed()
    ));
    assert!(matches!(event(&mut classic), Event::DaemonLost { .. }));
    assert_eq!(event(&mut classic), Event::Closed(Ending::DaemonGone));
    say(format_args!(
        "wire: failover=connect: noticed after {:?}",
        cut.elapsed()
    ));
    dns::set_loopback(true).unwrap();
    // Its first daemon still has the old session, and refuses the name.
    let how = auto.reconnected();
    assert_eq!(how.private_group.as_bytes(), b"#bob#d2");
    assert_eq!(auto.next(), "transition g");
    auto.until("view g #bob#d1,#bob#d2 me=1");
}
