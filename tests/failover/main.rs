//! Names that stand for several daemons, and sessions that come back (`failover=auto`), on the embedded
//! network, and on real daemons where `SPREAD_DAEMON=/path/to/spread` names one.
//!
//! The C programs heed `SANITIZE` and `VALGRIND` (`Variant::from_env`).

mod auto;
mod chaos;
mod client;
mod dns;
mod full;
mod moves;
mod names;
mod outage;
mod programs;
mod real;
mod scale;
#[path = "../support/mod.rs"]
mod support;
mod wire;
