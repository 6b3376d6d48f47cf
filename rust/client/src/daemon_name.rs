//! The name of a daemon as programs write it: `4803`, `4803@host`.
//!
//! Read as `sscanf` with `%hu%s` would read it, as the classic library does, with all that follows
//! from it (signs, wrap, blanks before the `@`, rubbish behind a blank). New are names longer than
//! 70 characters and IPv6 literals in brackets.

use std::fmt;

use crate::error::Error;

/// Port of a daemon that nobody has said otherwise about.
pub const DEFAULT_PORT: u16 = 4803;

/// Where a daemon is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaemonName {
    /// The unix socket of this port, on this machine.
    Unix(u16),
    /// A port at a host: name or literal, as bytes.
    Tcp {
        /// The port.
        port: u16,
        /// Host name, IPv4 or IPv6 literal without brackets.
        host: Vec<u8>,
    },
}

impl DaemonName {
    /// Takes a name apart. Empty stands for the default port's unix socket.
    ///
    /// # Errors
    /// [`Error::IllegalSpread`].
    pub fn parse(name: &[u8]) -> Result<Self, Error> {
        if name.is_empty() {
            return Ok(Self::Unix(DEFAULT_PORT));
        }
        let (port, rest) = scan_port(name).ok_or(Error::IllegalSpread)?;
        let host = first_word(rest);
        if host.is_empty() {
            return Ok(Self::Unix(port));
        }
        let host = host.strip_prefix(b"@").ok_or(Error::IllegalSpread)?;
        if host.is_empty() {
            return Err(Error::IllegalSpread);
        }
        let bare = host
            .strip_prefix(b"[")
            .and_then(|inner| inner.strip_suffix(b"]"))
            .unwrap_or(host);
        Ok(Self::Tcp {
            port,
            host: bare.to_vec(),
        })
    }
}

impl fmt::Display for DaemonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(port) => write!(f, "{port}"),
            Self::Tcp { port, host } => write!(f, "{port}@{}", host.escape_ascii()),
        }
    }
}

/// White space as C's `isspace` has it.
fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

fn skip_space(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_space(byte));
    start.map_or(&[], |start| &text[start..])
}

/// `%hu`: blanks, a sign, decimal digits, the value cut to 16 bits; a number beyond the range of
/// `unsigned long` is the largest one.
fn scan_port(text: &[u8]) -> Option<(u16, &[u8])> {
    let text = skip_space(text);
    let (negative, digits) = match text.first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let count = digits
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(digits.len());
    if count == 0 {
        return None;
    }
    let value = digits[..count].iter().try_fold(0_u64, |value, digit| {
        value.checked_mul(10)?.checked_add(u64::from(digit - b'0'))
    });
    let value = match value {
        Some(value) if negative => value.wrapping_neg(),
        Some(value) => value,
        None => u64::MAX,
    };
    let [low, high, ..] = value.to_le_bytes();
    Some((u16::from_le_bytes([low, high]), &digits[count..]))
}

/// `%s`: the first word, without the blanks before it.
fn first_word(text: &[u8]) -> &[u8] {
    let text = skip_space(text);
    let end = text.iter().position(|&byte| is_space(byte));
    &text[..end.unwrap_or(text.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(port: u16, host: &str) -> Result<DaemonName, Error> {
        Ok(DaemonName::Tcp {
            port,
            host: host.as_bytes().to_vec(),
        })
    }

    #[test]
    fn forms_that_name_a_daemon() {
        let cases: &[(&str, Result<DaemonName, Error>)] = &[
            ("", Ok(DaemonName::Unix(4803))),
            ("4803", Ok(DaemonName::Unix(4803))),
            (" \t\n4804", Ok(DaemonName::Unix(4804))),
            ("4803 ", Ok(DaemonName::Unix(4803))),
            ("+4803", Ok(DaemonName::Unix(4803))),
            ("004803", Ok(DaemonName::Unix(4803))),
            ("0", Ok(DaemonName::Unix(0))),
            ("4803@h", tcp(4803, "h")),
            ("4803 @h", tcp(4803, "h")),
            ("4803@h junk", tcp(4803, "h")),
            ("4803@h\n", tcp(4803, "h")),
            ("70347@h", tcp(4811, "h")),
            ("-60725@h", tcp(4811, "h")),
            ("99999999999999999999999@h", tcp(65535, "h")),
            ("4803@::1", tcp(4803, "::1")),
            ("4803@[::1]", tcp(4803, "::1")),
            ("4803@a,b", tcp(4803, "a,b")),
        ];
        for (name, expected) in cases {
            assert_eq!(&DaemonName::parse(name.as_bytes()), expected, "{name:?}");
        }
    }

    #[test]
    fn forms_that_name_nothing() {
        for name in [
            "4803@",
            "4803@ host",
            "4803:host",
            "4803host",
            "4803.5@h",
            "4803,4804@h",
            "0x12@h",
            "host",
            "@host",
            "abc",
            " ",
            "-",
            "+@h",
        ] {
            assert_eq!(
                DaemonName::parse(name.as_bytes()),
                Err(Error::IllegalSpread),
                "{name:?}"
            );
        }
    }

    #[test]
    fn long_names_are_no_error() {
        let name = format!("4803@{}", "x".repeat(200));
        assert_eq!(
            DaemonName::parse(name.as_bytes()),
            tcp(4803, &"x".repeat(200))
        );
    }
}
