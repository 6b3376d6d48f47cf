//! What Everspread adds to the classic interface: `sp_ext.h`, prefix `SPX_`.

mod batch;
pub(crate) mod codes;
mod conf;
mod connect;
mod errors;
mod event;
mod place;
mod receive;
mod send;
mod stats;
