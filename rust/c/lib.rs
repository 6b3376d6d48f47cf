//! The C library: `SP_*`, `E_*` and `FL_*`, the classic interface of the Spread Toolkit, and
//! `SPX_*`, what is added to it.
//!
//! Every exported function validates its arguments, calls the engine and maps the result; the logic
//! is in `spread-client`.

mod cancel;
mod codes;
mod errors;
mod events;
mod ext;
mod fl;
mod guard;
mod membership;
mod ptr;
mod sp;
mod strings;
mod types;
mod version;
