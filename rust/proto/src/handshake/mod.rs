//! The exchange that opens a session.
//!
//! ```text
//!  client                                        daemon
//!    | -- connect message (5 + N bytes) ----------> |
//!    | <------------- auth list (1 + L bytes) ----- |     or one reject byte (< 0), then close
//!    | -- auth choice (90 bytes) -----------------> |
//!    |    (bytes of the chosen methods, if any)     |
//!    | <------------- answer (5 + P bytes) -------- |     or one reject byte, then close
//!    | ============ message frames both ways ====== |
//! ```

pub mod client;
pub mod server;

/// The code byte with which a daemon accepts.
pub const ACCEPT_SESSION: i8 = 1;

/// The code bytes with which a daemon refuses, in place of the list's length or of the accept code.
pub mod reject {
    /// The daemon has no room for another session.
    pub const QUOTA: i8 = -3;
    /// Reserved; no daemon sends it.
    pub const NO_NAME: i8 = -4;
    /// The private name is too long, has bytes outside `$`..=`~`, or did not come in one piece.
    pub const ILLEGAL_NAME: i8 = -5;
    /// Another session of this daemon has the private name.
    pub const NOT_UNIQUE: i8 = -6;
    /// The client library is older than 3.1.
    pub const VERSION: i8 = -7;
    /// A method is not allowed, the choice did not come in one piece, or a check failed.
    pub const AUTH: i8 = -9;
}
