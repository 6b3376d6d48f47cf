//! The C library: `SP_*` and `E_*`, the classic interface of the Spread Toolkit.

pub mod events;
pub mod types;
