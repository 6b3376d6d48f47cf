//! The simulated network.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use spread_testd::{AuthMethod, Network, ReferenceFaults, Timing};

use crate::world::{Daemons, Methods, Setup};

/// The ids of daemons named `d1`, `d2` and `d3` in a real network. They decide the order of sets.
const IDS: [i32; 3] = [0x5c8d_7aef, 0x1234_5678, 0xef46_226e_u32.cast_signed()];

pub(crate) fn start(setup: Setup) -> Box<dyn Daemons> {
    let mut builder = Network::builder()
        .daemons(setup.daemons)
        .ids(IDS.into_iter().take(setup.daemons))
        .timing(Timing::FAST);
    if let Some(max) = setup.max_session_messages {
        builder = builder.max_session_messages(max);
    }
    if setup.faults {
        builder = builder.reference_faults(ReferenceFaults::ALL);
    }
    let ip = || AuthMethod::Ip(vec!["127.0.0.1".parse().unwrap()]);
    builder = match setup.methods {
        Methods::Unset => builder,
        Methods::AllowedNullIp => builder.auth_methods([AuthMethod::Null, ip()]),
        Methods::AllowedIp => builder.auth_methods([ip()]),
        Methods::AllowedNullRequiredIp => builder.required_auth_methods([ip()]),
        Methods::RequiredIp => builder.auth_methods([]).required_auth_methods([ip()]),
    };
    Box::new(Simulated(builder.start().unwrap()))
}

struct Simulated(Network);

impl Daemons for Simulated {
    fn addr(&self, daemon: usize) -> SocketAddr {
        self.0.daemon(daemon).addr()
    }

    fn unix_path(&self) -> PathBuf {
        self.0.daemon(0).unix_path().unwrap().to_path_buf()
    }

    fn kill(&mut self, daemon: usize) {
        self.0.kill(daemon).unwrap();
    }

    fn stop(&mut self, daemon: usize) {
        self.0.kill(daemon).unwrap();
    }

    fn restart(&mut self, daemon: usize) {
        self.0.restart(daemon).unwrap();
    }

    fn freeze(&mut self, daemon: usize) {
        self.0.freeze(daemon).unwrap();
    }

    fn thaw(&mut self, daemon: usize) {
        self.0.thaw(daemon).unwrap();
    }

    fn token_pause(&self) -> Duration {
        Duration::ZERO
    }
}
