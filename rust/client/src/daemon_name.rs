//! The name of a daemon as programs write it: `4803`, `4803@host`, or a list of such entries.
//!
//! One entry is read as `sscanf` with `%hu%s` would read it, as the classic library does, with all
//! that follows from it (signs, wrap, blanks before the `@`, rubbish behind a blank). New are names
//! longer than 70 characters, IPv6 literals in brackets, and lists: entries with `,`, `;` or blanks
//! between them. A blank separates only if everything behind it is entries; otherwise the rest is
//! ignored, as the classic library does. `srv:NAME` stands for what the SRV records of a DNS name
//! say. Behind a `?` follow options of the session.

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
    /// The hosts and ports that the SRV records of this DNS name list.
    Srv(Vec<u8>),
}

/// All that a program can say in the place of a daemon's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpreadName {
    /// In order of priority; at least one.
    pub entries: Vec<DaemonName>,
    /// What stands behind the `?`: `name=value&name=value`. Empty without one.
    pub options: String,
}

impl SpreadName {
    /// Takes a name apart. Whether the options exist is not looked at.
    ///
    /// # Errors
    /// [`Error::IllegalSpread`] if there is no entry, or one that names nothing, or the options are
    /// no text.
    pub fn parse(name: &[u8]) -> Result<Self, Error> {
        if let Some(at) = name.iter().position(|&byte| byte == b'?') {
            let (list, options) = (&name[..at], &name[at + 1..]);
            let entries = if skip_space(list).is_empty() {
                Ok(vec![DaemonName::Unix(DEFAULT_PORT)])
            } else {
                DaemonName::parse_words(list)
            };
            // Behind something that is ignored a `?` is ignored too.
            if let Ok(entries) = entries {
                let options = std::str::from_utf8(options).map_err(|_| Error::IllegalSpread)?;
                return Ok(Self {
                    entries,
                    options: options.trim_end().to_owned(),
                });
            }
        }
        Ok(Self {
            entries: DaemonName::parse_list(name)?,
            options: String::new(),
        })
    }
}

/// What begins an entry that is looked up as SRV records.
const SRV_PREFIX: &[u8] = b"srv:";

impl DaemonName {
    /// Takes a list apart, in order of priority. Empty stands for the default port's unix socket.
    ///
    /// # Errors
    /// [`Error::IllegalSpread`] if there is no entry, or one that names nothing.
    pub fn parse_list(names: &[u8]) -> Result<Vec<Self>, Error> {
        if names.is_empty() {
            return Ok(vec![Self::Unix(DEFAULT_PORT)]);
        }
        // Behind a blank either all is entries, or nothing counts.
        if let Ok(all) = Self::parse_words(names) {
            return Ok(all);
        }
        let rest = match skip_space(names).strip_prefix(SRV_PREFIX) {
            Some(rest) => rest,
            None => scan_port(names).ok_or(Error::IllegalSpread)?.1,
        };
        let host = skip_space(rest);
        let end = names.len() - host.len() + first_word(host).len();
        Self::parse_words(&names[..end])
    }

    /// Entries with any separators between them, all of which must be right.
    fn parse_words(names: &[u8]) -> Result<Vec<Self>, Error> {
        let mut found = Vec::new();
        let mut rest = skip_space(names);
        while !rest.is_empty() {
            // `srv:` is its own beginning; what it names follows without a blank.
            let behind = match rest.strip_prefix(SRV_PREFIX) {
                Some(behind) => behind,
                None => scan_port(rest).ok_or(Error::IllegalSpread)?.1,
            };
            let at_port_end = rest.len() - behind.len();
            // Blanks before an `@` belong to the entry.
            let host = skip_space(behind);
            let host_start = if host.first() == Some(&b'@') {
                rest.len() - host.len()
            } else {
                at_port_end
            };
            let end = rest[host_start..]
                .iter()
                .position(|&byte| is_space(byte) || byte == b',' || byte == b';')
                .map_or(rest.len(), |length| host_start + length);
            found.push(Self::parse(&rest[..end])?);
            let behind = skip_space(&rest[end..]);
            rest = match behind.split_first() {
                Some((b',' | b';', more)) => {
                    let more = skip_space(more);
                    if more.is_empty() {
                        return Err(Error::IllegalSpread);
                    }
                    more
                }
                _ => behind,
            };
        }
        if found.is_empty() {
            return Err(Error::IllegalSpread);
        }
        Ok(found)
    }

    /// Takes one entry apart.
    fn parse(name: &[u8]) -> Result<Self, Error> {
        if let Some(dns_name) = name.strip_prefix(SRV_PREFIX) {
            // A blank or an `@` behind it would be a port's.
            if dns_name.is_empty() || dns_name.contains(&b'@') {
                return Err(Error::IllegalSpread);
            }
            return Ok(Self::Srv(dns_name.to_vec()));
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
            Self::Srv(name) => write!(f, "srv:{}", name.escape_ascii()),
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
        ];
        for (name, expected) in cases {
            let expected = expected.clone().map(|one| vec![one]);
            assert_eq!(
                DaemonName::parse_list(name.as_bytes()),
                expected,
                "{name:?}"
            );
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
            "0x12@h",
            "host",
            "@host",
            "abc",
            " ",
            "-",
            "+@h",
        ] {
            assert_eq!(
                DaemonName::parse_list(name.as_bytes()),
                Err(Error::IllegalSpread),
                "{name:?}"
            );
        }
    }

    #[test]
    fn entries_are_separated_by_commas_semicolons_and_blanks() {
        let host = |port, name: &str| tcp(port, name).unwrap();
        for list in ["1@a,2@b;3", "1@a 2@b 3", " 1 @a , 2@b\t3", "1@a;2 @b,3 "] {
            assert_eq!(
                DaemonName::parse_list(list.as_bytes()),
                Ok(vec![host(1, "a"), host(2, "b"), DaemonName::Unix(3)]),
                "{list:?}"
            );
        }
        assert_eq!(
            DaemonName::parse_list(b"4803@h 2nd try"),
            Ok(vec![host(4803, "h")])
        );
        assert_eq!(
            DaemonName::parse_list(b""),
            Ok(vec![DaemonName::Unix(DEFAULT_PORT)])
        );
    }

    #[test]
    fn srv_entries_name_records() {
        let srv = |name: &str| DaemonName::Srv(name.as_bytes().to_vec());
        assert_eq!(
            DaemonName::parse_list(b"srv:_spread._tcp.lan"),
            Ok(vec![srv("_spread._tcp.lan")])
        );
        assert_eq!(
            DaemonName::parse_list(b"4803, srv:_spread._tcp.lan;4803@far srv:x"),
            Ok(vec![
                DaemonName::Unix(4803),
                srv("_spread._tcp.lan"),
                tcp(4803, "far").unwrap(),
                srv("x")
            ])
        );
        assert_eq!(DaemonName::parse_list(b"srv:x 2nd try"), Ok(vec![srv("x")]));
        for name in [
            "srv:",
            "srv: x",
            "SRV:x",
            "srv:4803@x",
            "srv:,4803",
            "4803,srv:",
        ] {
            assert_eq!(
                DaemonName::parse_list(name.as_bytes()),
                Err(Error::IllegalSpread),
                "{name:?}"
            );
        }
    }

    #[test]
    fn options_stand_behind_a_question_mark() {
        let whole = |name: &str| {
            SpreadName::parse(name.as_bytes()).map(|name| (name.entries, name.options))
        };
        let unix = vec![DaemonName::Unix(4803)];
        assert_eq!(whole("4803?a=b&c=d"), Ok((unix.clone(), "a=b&c=d".into())));
        assert_eq!(whole("?a=b"), Ok((unix.clone(), "a=b".into())));
        assert_eq!(whole(" ?a=b\n"), Ok((unix.clone(), "a=b".into())));
        assert_eq!(whole("4803?"), Ok((unix.clone(), String::new())));
        assert_eq!(whole("4803"), Ok((unix.clone(), String::new())));
        assert_eq!(whole(""), Ok((unix, String::new())));
        assert_eq!(
            whole("1@a,2@[::1]?x=/a b?"),
            Ok((
                vec![tcp(1, "a").unwrap(), tcp(2, "::1").unwrap()],
                "x=/a b?".into()
            ))
        );
        // Ignored, as all behind such a blank is.
        assert_eq!(
            whole("1@a really?yes"),
            Ok((vec![tcp(1, "a").unwrap()], String::new()))
        );
        assert_eq!(whole("1x?a=b"), Err(Error::IllegalSpread));
        assert_eq!(SpreadName::parse(b"1@a?\xff=1"), Err(Error::IllegalSpread));
    }

    #[test]
    fn long_names_are_no_error() {
        let name = format!("4803@{}", "x".repeat(200));
        assert_eq!(
            DaemonName::parse_list(name.as_bytes()),
            tcp(4803, &"x".repeat(200)).map(|one| vec![one])
        );
    }
}
