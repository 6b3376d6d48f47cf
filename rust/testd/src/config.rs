//! What a simulated network is made of and how it is to behave.

use std::time::Duration;

use spread_proto::ByteOrder;
use spread_proto::limits::{MAX_DAEMON_NAME, MAX_SESSION_MESSAGES, MAX_SESSIONS};

use crate::daemons::MAX_DAEMONS;

/// How long the network takes to notice things and to act on them.
///
/// While a change is not noticed yet, nothing is ordered: joins, leaves, messages and disconnects
/// of the daemons concerned wait. New connections are still accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// From the start of a daemon to its first ring, in which it can order anything.
    pub start: Duration,
    /// From the death or freezing of a daemon to the new ring of the others.
    pub crash: Duration,
    /// From a partition to the new rings.
    pub partition: Duration,
    /// From the healing of a partition to the common ring. Each part works on until then.
    pub heal: Duration,
    /// From the thawing of a daemon that the others had given up to the common ring.
    pub thaw: Duration,
    /// From the restart of a daemon to the common ring, if the others had noticed its death.
    pub restart: Duration,
    /// The same if they had not: its return makes them notice.
    pub fast_restart: Duration,
    /// How long a SAFE message takes until every daemon is known to have it. What was sent after it
    /// waits behind it; and what is on its way when a daemon is lost is delivered between the
    /// transitional message and the new view.
    pub safe: Duration,
    /// How long a private name stays taken once its session's end has been ordered.
    pub name_release: Duration,
}

impl Timing {
    /// For tests: 20 ms for every change of the network, nothing else waits.
    pub const FAST: Self = Self::of_ms([0, 20, 20, 20, 20, 20, 20, 0, 0]);
    /// Measured with Spread 5.0.1 and its timeouts for one segment.
    pub const LAN: Self = Self::of_ms([1760, 2600, 2800, 25_300, 1750, 1760, 2260, 1, 3]);
    /// Measured with Spread 5.0.1 and its timeouts for several segments. (Healing: the upper bound.)
    pub const WAN: Self = Self::of_ms([3010, 7800, 7800, 45_000, 3000, 3000, 6500, 1, 3]);

    const fn of_ms(ms: [u64; 9]) -> Self {
        Self {
            start: Duration::from_millis(ms[0]),
            crash: Duration::from_millis(ms[1]),
            partition: Duration::from_millis(ms[2]),
            heal: Duration::from_millis(ms[3]),
            thaw: Duration::from_millis(ms[4]),
            restart: Duration::from_millis(ms[5]),
            fast_restart: Duration::from_millis(ms[6]),
            safe: Duration::from_millis(ms[7]),
            name_release: Duration::from_millis(ms[8]),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self::FAST
    }
}

/// Defects of Spread 5.0.1 that are left out unless asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReferenceFaults {
    /// A message to more than 43 groups is delivered to nobody. Otherwise: to all its receivers.
    pub lose_many_groups: bool,
    /// A message of 143153 to 143952 bytes (body and groups) makes the daemon abort. Otherwise: its
    /// sender is dropped, as above that size.
    pub abort_on_large_message: bool,
    /// A change of the network with a group of more than 2236 members makes every daemon of the
    /// ring abort. Otherwise: the view is delivered.
    pub abort_on_large_group: bool,
    /// A request that only daemons send to each other makes the daemon abort. Otherwise: its sender
    /// is dropped.
    pub abort_on_daemon_request: bool,
}

impl ReferenceFaults {
    /// All of them.
    pub const ALL: Self = Self {
        lose_many_groups: true,
        abort_on_large_message: true,
        abort_on_large_group: true,
        abort_on_daemon_request: true,
    };
}

/// The behaviour that all daemons of a network share.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) names: Vec<String>,
    /// Ids of the daemons, if they are not to be made up.
    pub(crate) ids: Vec<i32>,
    pub(crate) timing: Timing,
    pub(crate) faults: ReferenceFaults,
    /// `MaxSessionMessages`.
    pub(crate) max_session_messages: usize,
    pub(crate) max_sessions: usize,
    pub(crate) order: ByteOrder,
    pub(crate) reliable_overtakes: bool,
    /// Groups whose names start so are refused to clients.
    pub(crate) denied: Option<Vec<u8>>,
    /// Requests that are still ordered after a daemon has died.
    pub(crate) orders_after_crash: u32,
    /// Seconds since 1970 at the time zero of the core's clock.
    pub(crate) epoch_s: u32,
}

impl Config {
    pub(crate) fn new(daemons: usize) -> Self {
        Self {
            names: (1..=daemons).map(|n| format!("d{n}")).collect(),
            ids: Vec::new(),
            timing: Timing::FAST,
            faults: ReferenceFaults::default(),
            max_session_messages: MAX_SESSION_MESSAGES,
            max_sessions: MAX_SESSIONS,
            order: ByteOrder::NATIVE,
            reliable_overtakes: false,
            denied: None,
            orders_after_crash: 0,
            epoch_s: 0,
        }
    }

    /// What is wrong with the daemons' names, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let count = self.names.len();
        if !(1..=MAX_DAEMONS).contains(&count) {
            return Err(format!("{count} daemons: 1 to {MAX_DAEMONS} are possible"));
        }
        for (index, id) in self.ids.iter().enumerate() {
            if self.ids[..index].contains(id) {
                return Err(format!("two daemons with the id {id}"));
            }
        }
        if !self.ids.is_empty() && self.ids.len() != count {
            return Err(format!("{count} daemons and {} ids", self.ids.len()));
        }
        for (index, name) in self.names.iter().enumerate() {
            let legal = (1..=MAX_DAEMON_NAME).contains(&name.len())
                && name.bytes().all(|b| (b'$'..=b'~').contains(&b));
            if !legal {
                return Err(format!(
                    "daemon name {name:?}: 1 to {MAX_DAEMON_NAME} printable characters without '#' are possible"
                ));
            }
            if self.names[..index].contains(name) {
                return Err(format!("two daemons named {name:?}"));
            }
        }
        Ok(())
    }
}
