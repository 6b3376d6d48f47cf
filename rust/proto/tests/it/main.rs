//! Tests of the protocol crate through its public interface: recorded traces, properties, hostile
//! input.

#[cfg(test)]
mod dependencies;
#[cfg(test)]
mod flush;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod handshakes;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod lookups;
#[cfg(test)]
mod memberships;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod splits;
#[cfg(test)]
mod traces;
