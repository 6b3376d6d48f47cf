//! Tests of the simulated network through its sockets.

#[cfg(test)]
mod addresses;
#[cfg(test)]
mod back_pressure;
#[cfg(test)]
mod client;
#[cfg(test)]
mod data;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod handshake;
#[cfg(test)]
mod network_changes;
#[cfg(test)]
mod slow_readers;
#[cfg(test)]
mod traces;
