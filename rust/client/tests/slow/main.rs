//! Slow readers on an embedded network.

#[cfg(test)]
mod auto;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod soak;
#[cfg(test)]
mod spill;
#[cfg(test)]
mod support;
#[cfg(test)]
mod window;
