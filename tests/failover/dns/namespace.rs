//! A machine of its own for the tests: private loopback interface, private resolver configuration.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::OnceLock;

use super::server::Server;

/// Set in the process that runs inside, to what names its files among those of others.
pub(crate) const INSIDE: &str = "EVERSPREAD_TEST_NAMESPACE";

const NAME_SERVER: &str = "127.0.0.53";

/// Sets the machine up, once, and starts its name server. `None`: this process is not inside.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Server> = OnceLock::new();
    let inside = std::env::var(INSIDE).ok()?;
    Some(SERVER.get_or_init(|| {
        let ours = crate::support::scratch(&inside.replace(':', "-"));
        // A new network namespace has it down.
        set_loopback(true).expect("the private loopback can be brought up");
        let resolver = format!("nameserver {NAME_SERVER}\noptions timeout:1 attempts:1\n");
        replace(&ours, "/etc/resolv.conf", &resolver);
        replace(&ours, "/etc/nsswitch.conf", "hosts: files dns\n");
        replace(
            &ours,
            "/etc/hosts",
            "127.0.0.1 localhost\n127.0.0.1 in-the-file.test\n",
        );
        Server::start(SocketAddr::new(
            NAME_SERVER.parse().expect("an address"),
            53,
        ))
    }))
}

/// Puts a file of ours in the place of one of the system, for this mount namespace.
fn replace(folder: &Path, path: &str, text: &str) {
    let name = Path::new(path).file_name().expect("a file");
    let ours = folder.join(name);
    fs::write(&ours, text).expect("a file can be written");
    let to_c =
        |path: &Path| std::ffi::CString::new(path.to_str().expect("a plain path")).expect("no NUL");
    // It may be a link, which cannot be mounted on.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    // SAFETY: two NUL-terminated paths; the others may be null for a bind mount.
    let result = unsafe {
        libc::mount(
            to_c(&ours).as_ptr(),
            to_c(&target).as_ptr(),
            std::ptr::null(),
            libc::MS_BIND,
            std::ptr::null(),
        )
    };
    assert_eq!(result, 0, "{path}: {}", io::Error::last_os_error());
}

/// Brings the loopback interface of this network namespace up, or down.
pub(crate) fn set_loopback(up: bool) -> io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?;
    // SAFETY: plain data for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = byte.cast_signed();
    }
    let flags = if up {
        libc::IFF_UP | libc::IFF_RUNNING
    } else {
        0
    };
    request.ifr_ifru.ifru_flags =
        libc::c_short::try_from(flags).map_err(|_| io::ErrorKind::InvalidInput)?;
    // SAFETY: a live request of the type that this ioctl reads.
    let result = unsafe {
        libc::ioctl(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            libc::SIOCSIFFLAGS,
            &raw const request,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
