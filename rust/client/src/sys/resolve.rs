//! Host names to addresses through the system's resolver, so that the hosts file, nsswitch and
//! whatever else the machine is set up with count.

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResolveError {
    /// The resolver says that there is no such name.
    Unknown,
    /// The resolver has answered that there is nothing under the name that is of use.
    Nothing,
    /// It could not answer: a temporary failure, trouble of the system.
    Failed(String),
}

/// Of glibc; the libc crate does not have them for every system.
const EAI_NODATA: libc::c_int = -5;
const EAI_ADDRFAMILY: libc::c_int = -9;

/// The stream addresses of `host`, with port 0, in the resolver's order. Blocks.
pub(crate) fn lookup(host: &[u8]) -> Result<Vec<SocketAddr>, ResolveError> {
    ask(host, 0)
}

/// The same with these flags (`AI_NUMERICHOST` and the like).
fn ask(host: &[u8], flags: libc::c_int) -> Result<Vec<SocketAddr>, ResolveError> {
    let name = CString::new(host).map_err(|_| ResolveError::Unknown)?;
    // SAFETY: `addrinfo` is plain data for which all zeroes is a valid value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_flags = flags;
    let mut list: *mut libc::addrinfo = std::ptr::null_mut();
    // SAFETY: the name is NUL-terminated, the service may be null, hints and result are live.
    let code = unsafe {
        libc::getaddrinfo(
            name.as_ptr(),
            std::ptr::null(),
            &raw const hints,
            &raw mut list,
        )
    };
    if code != 0 {
        return Err(match code {
            libc::EAI_NONAME => ResolveError::Unknown,
            libc::EAI_FAMILY | EAI_NODATA | EAI_ADDRFAMILY => ResolveError::Nothing,
            _ => ResolveError::Failed(text_of(code)),
        });
    }
    let mut found = Vec::new();
    let mut next = list;
    while !next.is_null() {
        // SAFETY: a non-null element of the list that getaddrinfo has made.
        let entry = unsafe { &*next };
        if let Some(address) = address_of(entry)
            && !found.contains(&address)
        {
            found.push(address);
        }
        next = entry.ai_next;
    }
    // SAFETY: the list came from getaddrinfo and nothing refers to it any more.
    unsafe { libc::freeaddrinfo(list) };
    if found.is_empty() {
        return Err(ResolveError::Nothing);
    }
    Ok(found)
}

fn address_of(entry: &libc::addrinfo) -> Option<SocketAddr> {
    match entry.ai_family {
        libc::AF_INET => {
            // SAFETY: the family tells that this is an IPv4 address; read without alignment.
            let v4 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, 0).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family tells that this is an IPv6 address; read without alignment.
            let v6 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, 0, 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

// Of the C library's resolver; the libc crate does not have them. Both glibc and musl do.
unsafe extern "C" {
    fn res_query(
        name: *const libc::c_char,
        class: libc::c_int,
        kind: libc::c_int,
        answer: *mut u8,
        room: libc::c_int,
    ) -> libc::c_int;
    fn __h_errno_location() -> *mut libc::c_int;
}

/// Class and type of the question for SRV records.
const CLASS_IN: libc::c_int = 1;
const TYPE_SRV: libc::c_int = 33;

/// Largest answer that can come, over TCP.
const MAX_ANSWER: usize = 65_535;
const MAX_ANSWER_INT: libc::c_int = 65_535;

/// The DNS answer, as it came, to the question for the SRV records of `name`. Blocks.
pub(crate) fn services(name: &[u8]) -> Result<Vec<u8>, ResolveError> {
    const HOST_NOT_FOUND: libc::c_int = 1;
    const NO_DATA: libc::c_int = 4;
    let name = CString::new(name).map_err(|_| ResolveError::Unknown)?;
    let mut answer = vec![0_u8; MAX_ANSWER];
    // SAFETY: the name is NUL-terminated, the answer is writable for the length given.
    let length = unsafe {
        res_query(
            name.as_ptr(),
            CLASS_IN,
            TYPE_SRV,
            answer.as_mut_ptr(),
            MAX_ANSWER_INT,
        )
    };
    match usize::try_from(length) {
        Ok(length) => {
            answer.truncate(length.min(MAX_ANSWER));
            Ok(answer)
        }
        Err(_) => {
            // SAFETY: returns the address of this thread's own variable, always valid.
            let place = unsafe { __h_errno_location() };
            // SAFETY: as above.
            let code = unsafe { place.read() };
            Err(match code {
                HOST_NOT_FOUND => ResolveError::Unknown,
                NO_DATA => ResolveError::Nothing,
                _ => ResolveError::Failed(format!("the question for SRV records failed ({code})")),
            })
        }
    }
}

fn text_of(code: i32) -> String {
    // SAFETY: takes an int and returns a text.
    let text = unsafe { libc::gai_strerror(code) };
    // SAFETY: the text is static and never null, whatever the code.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// The address itself, if `host` is a literal: nobody is asked over a network. Beside the usual forms
/// those count that only the C library knows (`127.1`, `0x7f000001`, `fe80::1%eth0`).
pub(crate) fn literal(host: &[u8], port: u16) -> Option<SocketAddr> {
    let text = std::str::from_utf8(host).ok()?;
    if let Ok(ip) = text.parse::<IpAddr>() {
        return Some(SocketAddr::new(ip, port));
    }
    if !host.first()?.is_ascii_digit() && !host.contains(&b':') {
        return None;
    }
    let mut address = *ask(host, libc::AI_NUMERICHOST).ok()?.first()?;
    address.set_port(port);
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_not_looked_up() {
        assert_eq!(
            literal(b"127.0.0.2", 7).map(|a| a.to_string()).as_deref(),
            Some("127.0.0.2:7")
        );
        assert_eq!(
            literal(b"::1", 7).map(|a| a.to_string()).as_deref(),
            Some("[::1]:7")
        );
        for (text, address) in [
            ("127.1", "127.0.0.1:7"),
            ("0177.2.3", "127.2.0.3:7"),
            ("0x7f000001", "127.0.0.1:7"),
            ("2130706433", "127.0.0.1:7"),
            ("::1%1", "[::1%1]:7"),
        ] {
            let found = literal(text.as_bytes(), 7).map(|a| a.to_string());
            assert_eq!(found.as_deref(), Some(address), "{text}");
        }
        for name in [
            "localhost",
            "",
            "1.2.3.4.5",
            "256.0.0.1",
            "3d.example",
            "1::2::3",
            "127.1 x",
        ] {
            assert_eq!(literal(name.as_bytes(), 7), None, "{name}");
        }
    }

    #[test]
    fn the_empty_name_is_unknown() {
        assert_eq!(lookup(b""), Err(ResolveError::Unknown));
        assert_eq!(lookup(b"a\0b"), Err(ResolveError::Unknown));
    }
}
