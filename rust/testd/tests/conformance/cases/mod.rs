//! The cases, by what they are about.

mod changes;
mod frames;
mod groups;
mod handshake;
mod limits;

use crate::world::Setup;

/// So many daemons with nothing special.
pub(crate) fn daemons(count: usize) -> Setup {
    Setup {
        daemons: count,
        ..Setup::default()
    }
}
