//! Authentication methods.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::IpAddr;

/// Size of a challenge and of its answer, in bytes.
pub const CHALLENGE_LEN: usize = 16;

/// A way for a client to show that it may connect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthMethod {
    /// `NULL`: everybody may.
    Null,
    /// `IP`: clients from these addresses may. As with real daemons, clients at the unix socket may
    /// not.
    Ip(Vec<IpAddr>),
    /// A sample for tests of clients' own methods, under any name of at most 29 characters: the
    /// daemon sends [`CHALLENGE_LEN`] bytes, and the client answers with as many, each the exclusive
    /// or of a byte of the challenge and the corresponding one of the secret, which is repeated as
    /// often as needed.
    ///
    /// This proves nothing to anybody who listens; it is for tests.
    Challenge {
        /// The method's name in the daemon's list.
        name: String,
        /// What both sides know; not empty.
        secret: Vec<u8>,
    },
}

impl AuthMethod {
    /// The name in the daemon's list.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Null => "NULL",
            Self::Ip(_) => "IP",
            Self::Challenge { name, .. } => name,
        }
    }

    /// What is wrong with it, if anything.
    pub(crate) fn check(&self) -> Result<(), String> {
        let name = self.name();
        let legal = (1..30).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic());
        if !legal {
            return Err(format!(
                "authentication method {name:?}: 1 to 29 printable characters without blanks are possible"
            ));
        }
        if matches!(self, Self::Challenge { secret, .. } if secret.is_empty()) {
            return Err(format!(
                "authentication method {name:?}: the secret is empty"
            ));
        }
        Ok(())
    }
}

/// A challenge, and the answer to it.
pub(crate) fn challenge(secret: &[u8]) -> ([u8; CHALLENGE_LEN], [u8; CHALLENGE_LEN]) {
    // The standard library's random keys: no two challenges are alike, which is all a test needs.
    let word = || RandomState::new().build_hasher().finish().to_ne_bytes();
    let mut bytes = [0; CHALLENGE_LEN];
    for chunk in bytes.chunks_mut(8) {
        chunk.copy_from_slice(&word()[..chunk.len()]);
    }
    let mut answer = bytes;
    for (byte, key) in answer.iter_mut().zip(secret.iter().cycle()) {
        *byte ^= key;
    }
    (bytes, answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_differ_and_answers_depend_on_the_secret() {
        let (first, answer) = challenge(b"key");
        let (second, _) = challenge(b"key");
        assert_ne!(first, second);
        assert_eq!(first[0] ^ b'k', answer[0]);
        assert_eq!(first[15] ^ b'k', answer[15]);
        assert_eq!(first[14] ^ b'y', answer[14]);
    }

    #[test]
    fn names_fit_the_choice() {
        let named = |name: &str| AuthMethod::Challenge {
            name: name.into(),
            secret: vec![1],
        };
        assert!(named("SAMPLE").check().is_ok());
        for bad in ["", "a b", &"x".repeat(30), "a\n"] {
            assert!(named(bad).check().is_err(), "{bad:?}");
        }
        assert!(AuthMethod::Null.check().is_ok());
    }
}
