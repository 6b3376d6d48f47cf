//! Slow readers on an embedded network.

#[cfg(test)]
mod policies;
#[cfg(test)]
mod spill;
#[cfg(test)]
mod support;
