//! The C library: `SP_*` and `E_*`, the classic interface of the Spread Toolkit.
//!
//! Every exported function validates its arguments, calls the engine and maps the result; the logic
//! is in `spread-client`.

mod codes;
mod guard;
mod membership;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "some conversions belong to the blocking calls")
)]
mod ptr;
mod strings;
mod types;
mod version;
