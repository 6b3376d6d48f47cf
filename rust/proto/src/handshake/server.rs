//! The daemon's side of the handshake, for simulated daemons.
//!
//! A real daemon reads each part with single reads that never wait for the rest, so what counts is
//! what is there at the moment. These functions take that as a slice.

use crate::handshake::{ACCEPT_SESSION, reject};
use crate::limits::{AUTH_CHOICE_LEN, AUTH_SLOT_LEN, MAX_AUTH_METHODS, MAX_PRIVATE_NAME};
use crate::name::{Name, is_legal_private_name};

/// Oldest library that a daemon takes, as [`ClientVersion::number`].
const OLDEST: i32 = 3_01_00;
/// Above this a connect message has a third version byte.
const LAST_WITHOUT_PATCH: i32 = 3_14_00;
/// From this on the answer has a patch byte.
const PATCH_IN_ANSWER: i32 = 3_15_00;
/// From this on there is an authentication step.
const WITH_AUTH: i32 = 3_16_00;

/// The version of a client library. Daemons take the bytes as signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientVersion {
    /// Major version.
    pub major: i8,
    /// Minor version.
    pub minor: i8,
    /// Patch version; 0 for libraries that do not send it.
    pub patch: i8,
}

impl ClientVersion {
    /// The version as one number: `major x 10000 + minor x 100 + patch`.
    #[must_use]
    pub fn number(self) -> i32 {
        i32::from(self.major) * 10_000 + i32::from(self.minor) * 100 + i32::from(self.patch)
    }

    /// True if this library expects the auth list and sends a choice. Else the answer follows at
    /// once.
    #[must_use]
    pub fn has_auth_step(self) -> bool {
        self.number() >= WITH_AUTH
    }

    /// True if this library expects a patch byte in the answer.
    #[must_use]
    pub fn has_patch_in_answer(self) -> bool {
        self.number() >= PATCH_IN_ANSWER
    }
}

/// A legal connect message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectMessage {
    /// Version of the client library.
    pub version: ClientVersion,
    /// The session wants membership messages.
    pub membership: bool,
    /// Upper half of the flags; without effect.
    pub priority: u8,
    /// The private name; empty if the daemon is to make one up.
    pub private_name: Vec<u8>,
    /// Bytes that the message took. A client that keeps to the protocol has sent nothing else yet.
    pub consumed: usize,
}

/// How a daemon turns a client away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectRefusal {
    /// Send this code, then close.
    Reject(i8),
    /// Close without a word.
    CloseSilently,
    /// Nothing has come yet. A real daemon waits for one second and then closes.
    NeedMore,
}

/// Reads a connect message from all the bytes that have come.
///
/// # Errors
///
/// What to do instead of going on. Only [`NeedMore`](ConnectRefusal::NeedMore) can change with more
/// bytes: a message that has come in part is refused, as a real daemon does.
pub fn parse_connect(bytes: &[u8]) -> Result<ConnectMessage, ConnectRefusal> {
    if bytes.is_empty() {
        return Err(ConnectRefusal::NeedMore);
    }
    let (&[major, minor], rest) = bytes
        .split_first_chunk()
        .ok_or(ConnectRefusal::CloseSilently)?;
    let mut version = ClientVersion {
        major: major.cast_signed(),
        minor: minor.cast_signed(),
        patch: 0,
    };
    let mut rest = rest;
    if version.number() < OLDEST {
        return Err(ConnectRefusal::Reject(reject::VERSION));
    }
    if version.number() > LAST_WITHOUT_PATCH {
        let (&patch, after) = rest.split_first().ok_or(ConnectRefusal::CloseSilently)?;
        version.patch = patch.cast_signed();
        rest = after;
    }
    let (&[flags, len], rest) = rest
        .split_first_chunk()
        .ok_or(ConnectRefusal::CloseSilently)?;
    let len = usize::from(len);
    if len > MAX_PRIVATE_NAME {
        return Err(ConnectRefusal::Reject(reject::ILLEGAL_NAME));
    }
    let private_name = if len == 0 { &[] } else { read_name(rest, len)? };
    Ok(ConnectMessage {
        version,
        membership: flags & 1 != 0,
        priority: flags >> 4,
        private_name: private_name.to_vec(),
        consumed: bytes.len() - rest.len() + len,
    })
}

/// A daemon's one read for the name asks for as many bytes as a name can have and wants exactly
/// `len`.
fn read_name(rest: &[u8], len: usize) -> Result<&[u8], ConnectRefusal> {
    let name = &rest[..rest.len().min(MAX_PRIVATE_NAME)];
    if name.is_empty() {
        Err(ConnectRefusal::CloseSilently)
    } else if name.len() != len || !is_legal_private_name(name) {
        Err(ConnectRefusal::Reject(reject::ILLEGAL_NAME))
    } else {
        Ok(name)
    }
}

/// The list of allowed methods: length, then each name and a blank. Cut to what the length byte can
/// say (127).
#[must_use]
pub fn encode_auth_list(methods: &[&[u8]]) -> Vec<u8> {
    let list: Vec<u8> = methods
        .iter()
        .flat_map(|name| name.iter().chain(b" "))
        .copied()
        .take(127)
        .collect();
    let mut out = Vec::with_capacity(1 + list.len());
    out.extend(u8::try_from(list.len()));
    out.extend(list);
    out
}

/// Reads the auth choice from all the bytes that have come: the names up to the first unused slot.
///
/// Bytes beyond the 90 belong to the methods or to message frames.
///
/// # Errors
///
/// [`NeedMore`](ConnectRefusal::NeedMore) if nothing has come (a real daemon waits without limit;
/// to a client that closes then it sends [`reject::AUTH`]); [`reject::AUTH`] if it has come in
/// part, if no slot is used, or if all three are: a real daemon then runs past the end of the
/// choice.
pub fn parse_auth_choice(bytes: &[u8]) -> Result<Vec<Vec<u8>>, ConnectRefusal> {
    if bytes.is_empty() {
        return Err(ConnectRefusal::NeedMore);
    }
    let choice = bytes
        .get(..AUTH_CHOICE_LEN)
        .ok_or(ConnectRefusal::Reject(reject::AUTH))?;
    let names: Vec<Vec<u8>> = choice
        .chunks_exact(AUTH_SLOT_LEN)
        .map(|slot| slot.split(|&b| b == 0).next().unwrap_or_default().to_vec())
        .take_while(|name| !name.is_empty())
        .collect();
    if names.is_empty() || names.len() == MAX_AUTH_METHODS {
        return Err(ConnectRefusal::Reject(reject::AUTH));
    }
    Ok(names)
}

/// [`parse_auth_choice`], and every named method must be among `allowed`.
///
/// # Errors
///
/// As [`parse_auth_choice`]; [`reject::AUTH`] for a method that is not allowed.
pub fn choose_methods(bytes: &[u8], allowed: &[&[u8]]) -> Result<Vec<Vec<u8>>, ConnectRefusal> {
    let names = parse_auth_choice(bytes)?;
    if names.iter().all(|name| allowed.contains(&name.as_slice())) {
        Ok(names)
    } else {
        Err(ConnectRefusal::Reject(reject::AUTH))
    }
}

/// The answer that opens the session, in the form that a client of this version expects.
#[must_use]
pub fn encode_accept(
    client: ClientVersion,
    daemon_version: [u8; 3],
    private_group: &Name,
) -> Vec<u8> {
    let [major, minor, patch] = daemon_version;
    let name = private_group.as_bytes();
    let mut out = vec![ACCEPT_SESSION.cast_unsigned(), major, minor];
    if client.has_patch_in_answer() {
        out.push(patch);
    }
    // At most 32.
    out.extend(u8::try_from(name.len()));
    out.extend_from_slice(name);
    out
}
