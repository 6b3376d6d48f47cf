//! Host names to addresses through the system's resolver, so that the hosts file, nsswitch and
//! whatever else the machine is set up with count.

use std::ffi::{CStr, CString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// Why a name has no addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ResolveError {
    /// The resolver says that there is no such name.
    Unknown,
    /// Anything else: a temporary failure, no usable address, trouble of the system.
    Failed(String),
}

/// The stream addresses of `host`, each with `port`, in the resolver's order. Blocks.
pub(crate) fn lookup(host: &[u8], port: u16) -> Result<Vec<SocketAddr>, ResolveError> {
    let name = CString::new(host).map_err(|_| ResolveError::Unknown)?;
    // SAFETY: `addrinfo` is plain data for which all zeroes is a valid value.
    let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
    hints.ai_socktype = libc::SOCK_STREAM;
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
        return Err(if code == libc::EAI_NONAME {
            ResolveError::Unknown
        } else {
            ResolveError::Failed(text_of(code))
        });
    }
    let mut found = Vec::new();
    let mut next = list;
    while !next.is_null() {
        // SAFETY: a non-null element of the list that getaddrinfo has made.
        let entry = unsafe { &*next };
        if let Some(address) = address_of(entry, port)
            && !found.contains(&address)
        {
            found.push(address);
        }
        next = entry.ai_next;
    }
    // SAFETY: the list came from getaddrinfo and nothing refers to it any more.
    unsafe { libc::freeaddrinfo(list) };
    if found.is_empty() {
        return Err(ResolveError::Failed("no usable address".to_owned()));
    }
    Ok(found)
}

fn address_of(entry: &libc::addrinfo, port: u16) -> Option<SocketAddr> {
    match entry.ai_family {
        libc::AF_INET => {
            // SAFETY: the family tells that this is an IPv4 address; read without alignment.
            let v4 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
            let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
            Some(SocketAddrV4::new(ip, port).into())
        }
        libc::AF_INET6 => {
            // SAFETY: the family tells that this is an IPv6 address; read without alignment.
            let v6 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
            let ip = Ipv6Addr::from(v6.sin6_addr.s6_addr);
            Some(SocketAddrV6::new(ip, port, 0, v6.sin6_scope_id).into())
        }
        _ => None,
    }
}

fn text_of(code: i32) -> String {
    // SAFETY: takes an int and returns a text.
    let text = unsafe { libc::gai_strerror(code) };
    // SAFETY: the text is static and never null, whatever the code.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_string_lossy().into_owned()
}

/// The address itself, if `host` is a literal: no resolver is asked.
pub(crate) fn literal(host: &[u8], port: u16) -> Option<SocketAddr> {
    let text = std::str::from_utf8(host).ok()?;
    let ip: IpAddr = text.parse().ok()?;
    Some(SocketAddr::new(ip, port))
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
        assert_eq!(literal(b"localhost", 7), None);
    }

    #[test]
    fn the_empty_name_is_unknown() {
        assert_eq!(lookup(b"", 1), Err(ResolveError::Unknown));
        assert_eq!(lookup(b"a\0b", 1), Err(ResolveError::Unknown));
    }
}
