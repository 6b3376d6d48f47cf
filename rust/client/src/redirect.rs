//! Names from the environment, for programs that nobody can change: `SPREAD_SERVERS` stands for the
//! name that a program does not give, `SPREAD_MAP` replaces names that it has built in.

use std::borrow::Cow;
use std::os::unix::ffi::OsStringExt;

use crate::sys::signals;

/// The name to connect to where the program says `name`, as the environment has it. Set-uid
/// programs do not look there.
pub(crate) fn from_environment(name: &[u8]) -> Cow<'_, [u8]> {
    if signals::is_privileged() {
        return Cow::Borrowed(name);
    }
    let variable = |key| std::env::var_os(key).map(OsStringExt::into_vec);
    let servers = variable("SPREAD_SERVERS").unwrap_or_default();
    let map = variable("SPREAD_MAP").unwrap_or_default();
    redirect(name, &servers, &map)
}

/// `servers` replaces a list that is empty; then `map`, entries `FROM=TO` with `|` between them,
/// replaces a list that is `FROM`. Options that the program has given stay, behind those of the
/// replacement.
fn redirect<'a>(name: &'a [u8], servers: &[u8], map: &[u8]) -> Cow<'a, [u8]> {
    let (list, options) = match name.iter().position(|&byte| byte == b'?') {
        Some(at) => (&name[..at], &name[at + 1..]),
        None => (name, &name[name.len()..]),
    };
    let list = list.trim_ascii();
    let mut replaced = None;
    if list.is_empty() && !servers.trim_ascii().is_empty() {
        replaced = Some(servers.trim_ascii());
    }
    let list = replaced.unwrap_or(if list.is_empty() { b"4803" } else { list });
    for entry in map.split(|&byte| byte == b'|') {
        if let Some(at) = entry.iter().position(|&byte| byte == b'=')
            && entry[..at].trim_ascii() == list
        {
            replaced = Some(entry[at + 1..].trim_ascii());
            break;
        }
    }
    let Some(to) = replaced else {
        return Cow::Borrowed(name);
    };
    let mut whole = to.to_vec();
    if !options.is_empty() {
        whole.push(if to.contains(&b'?') { b'&' } else { b'?' });
        whole.extend_from_slice(options);
    }
    Cow::Owned(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(name: &str, servers: &str, map: &str) -> String {
        let whole = redirect(name.as_bytes(), servers.as_bytes(), map.as_bytes());
        String::from_utf8(whole.into_owned()).unwrap()
    }

    #[test]
    fn without_the_environment_a_name_is_as_it_is() {
        for name in ["", "4803", " 4803@h junk?x", "4803?a=b"] {
            assert_eq!(text(name, "", ""), name);
            assert_eq!(text(name, " ", "|"), name);
        }
    }

    #[test]
    fn servers_stand_for_the_name_that_is_not_given() {
        assert_eq!(text("", "4803@a,4803@b", ""), "4803@a,4803@b");
        assert_eq!(text("4803", "4803@a", ""), "4803");
        assert_eq!(text("?x=1", "4803@a?y=2", ""), "4803@a?y=2&x=1");
    }

    #[test]
    fn the_map_replaces_names_that_are_built_in() {
        let map = "4803@localhost=4803@a,4803@b?failover=auto| 4804 = srv:_s._tcp.x |4803=4803@c";
        assert_eq!(
            text("4803@localhost", "", map),
            "4803@a,4803@b?failover=auto"
        );
        assert_eq!(text("4804", "", map), "srv:_s._tcp.x");
        assert_eq!(text("", "", map), "4803@c");
        assert_eq!(text("", "4804", map), "srv:_s._tcp.x");
        assert_eq!(text("4805", "", map), "4805");
        assert_eq!(
            text("4803@localhost?x=1", "", map),
            "4803@a,4803@b?failover=auto&x=1"
        );
    }
}
