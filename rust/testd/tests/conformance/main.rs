//! One suite for simulated and real daemons.
//!
//! Each case is a little script of what clients do; what they receive is written down as text, and
//! compared with `tests/fixtures/conformance/<case>.txt`. Those files were recorded from real
//! Spread 5.0.1 daemons.
//!
//! - Without more the cases run against the simulated network.
//! - With `SPREAD_DAEMON=/path/to/spread` they run against that daemon as well, one to three of
//!   them on loopback addresses, and what differs from the files is reported. (127.0.0.2 and
//!   127.0.0.3 have to be addresses of an interface: `ip addr add 127.0.0.2/32 dev lo`.)
//! - With `CONFORMANCE_RECORD=1` in addition the files are written.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod classic;
#[cfg(test)]
#[path = "../it/client.rs"]
#[expect(dead_code, reason = "shared with other tests, which use other parts")]
mod client;
#[cfg(test)]
mod real;
#[cfg(test)]
mod runner;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod transcript;
#[cfg(test)]
mod world;
