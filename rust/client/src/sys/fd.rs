//! Descriptors: identity, non-blocking reads and writes, moving to high numbers.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use libc::c_int;

/// The last error of this thread's system calls.
pub(crate) fn errno() -> i32 {
    io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

/// Size of the wire header that a [`Landing`] takes.
const LANDING_WORDS: usize = 6;

/// Memory of a session into which a blocked receiver lets the kernel write a header.
///
/// It belongs to the session and not to the receiver's stack, because the receiver may be
/// cancelled; it is made of atomics so that the rest of the program may hold references to the
/// session meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Landing([AtomicU64; LANDING_WORDS]);

impl Landing {
    /// How many bytes fit.
    pub(crate) const LEN: usize = LANDING_WORDS * 8;

    /// Pointer to and length of what follows the first `offset` bytes.
    pub(super) fn tail(&self, offset: usize) -> (*mut u8, usize) {
        let offset = offset.min(Self::LEN);
        let start = self.0.as_ptr().cast_mut().cast::<u8>();
        // SAFETY: `offset` is at most the size of the array, so the result stays inside it or
        // one past its end. The atomics allow writes through a shared reference.
        let tail = unsafe { start.add(offset) };
        (tail, Self::LEN - offset)
    }

    /// The bytes as they are now.
    pub(crate) fn bytes(&self) -> [u8; Self::LEN] {
        let mut out = [0; Self::LEN];
        for (word, slot) in self.0.iter().zip(out.chunks_exact_mut(8)) {
            slot.copy_from_slice(&word.load(Ordering::Relaxed).to_ne_bytes());
        }
        out
    }
}

/// Which socket a descriptor number stands for.
///
/// Programs close mailbox numbers themselves, and the kernel hands the number out again.
///
/// Either the number that the kernel gives each socket once, behind [`COOKIE`]: asking for it touches
/// little beside the socket itself, which matters in a receive whose caches are cold. Or device and
/// inode, where there are no such numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FileId(u64, u64);

/// In the place of a device; no device has this number.
const COOKIE: u64 = u64::MAX;

impl FileId {
    /// What `fd` stands for now; `None` if it is not open.
    pub(crate) fn of(fd: RawFd) -> Option<Self> {
        Self::cookie(fd).or_else(|| Self::inode(fd))
    }

    /// Whether `fd` stands for this now.
    fn is_at(self, fd: RawFd) -> bool {
        let now = if self.0 == COOKIE {
            Self::cookie(fd)
        } else {
            Self::inode(fd)
        };
        now == Some(self)
    }

    fn cookie(fd: RawFd) -> Option<Self> {
        #[cfg(target_os = "linux")]
        {
            let mut cookie = 0_u64;
            let mut length: libc::socklen_t = 8;
            // SAFETY: the option is a number of eight bytes, and both places may be written.
            let result = unsafe {
                libc::getsockopt(
                    fd,
                    libc::SOL_SOCKET,
                    libc::SO_COOKIE,
                    (&raw mut cookie).cast(),
                    &raw mut length,
                )
            };
            (result == 0).then_some(Self(COOKIE, cookie))
        }
        #[cfg(not(target_os = "linux"))]
        {
            let _ = fd;
            None
        }
    }

    fn inode(fd: RawFd) -> Option<Self> {
        // SAFETY: `stat` is plain data for which all zeroes is a valid value.
        let mut stat: libc::stat = unsafe { std::mem::zeroed() };
        // SAFETY: `stat` is a live, writable structure of the type that fstat fills.
        let result = unsafe { libc::fstat(fd, &raw mut stat) };
        #[allow(
            clippy::unnecessary_cast,
            clippy::cast_sign_loss,
            clippy::allow_attributes,
            reason = "the field types differ between systems"
        )]
        (result == 0).then_some(Self(stat.st_dev as u64, stat.st_ino as u64))
    }
}

/// Where a number of our own is looked for: out of the way of mailboxes and of what programs put into
/// an `fd_set`, or, where the limit of the process is below that, at least far from the next free one.
const FLOORS: [RawFd; 3] = [1024, 512, 64];

/// A duplicate of `fd` whose number is as far out of the way as the limit of the process allows.
pub(crate) fn duplicate_high(fd: RawFd) -> io::Result<OwnedFd> {
    let mut copy = -1;
    for floor in FLOORS {
        // SAFETY: fcntl with F_DUPFD_CLOEXEC takes an int and touches no memory.
        copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, floor) };
        // The floor is above the limit of the process, or all above it is taken.
        if copy >= 0 || !matches!(errno(), libc::EINVAL | libc::EMFILE) {
            break;
        }
    }
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `copy` is a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// A descriptor whose number the program can see and close. Closing ours checks that the number
/// still stands for our file.
#[derive(Debug)]
pub(crate) struct SharedFd {
    fd: RawFd,
    /// Device and inode of the file, and whether they are known. Changed by [`renew`](Self::renew)
    /// alone.
    device: AtomicU64,
    inode: AtomicU64,
    known: AtomicBool,
}

impl SharedFd {
    /// Takes over `fd`.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        use std::os::fd::IntoRawFd;
        let fd = fd.into_raw_fd();
        Self::with_id(fd, FileId::of(fd))
    }

    fn with_id(fd: RawFd, id: Option<FileId>) -> Self {
        let FileId(device, inode) = id.unwrap_or(FileId(0, 0));
        Self {
            fd,
            device: AtomicU64::new(device),
            inode: AtomicU64::new(inode),
            known: AtomicBool::new(id.is_some()),
        }
    }

    fn id(&self) -> Option<FileId> {
        self.known.load(Ordering::Acquire).then(|| {
            FileId(
                self.device.load(Ordering::Relaxed),
                self.inode.load(Ordering::Relaxed),
            )
        })
    }

    /// Another file of ours has taken the number's place ([`take_place`]).
    pub(crate) fn renew(&self) {
        if let Some(FileId(device, inode)) = FileId::of(self.fd) {
            self.device.store(device, Ordering::Relaxed);
            self.inode.store(inode, Ordering::Relaxed);
            self.known.store(true, Ordering::Release);
        }
    }

    /// A second value for the same number; only one of the two may be closed.
    pub(crate) fn same(&self) -> Self {
        Self::with_id(self.fd, self.id())
    }

    /// The number.
    pub(crate) fn raw(&self) -> RawFd {
        self.fd
    }

    /// Whether the number still stands for the file it stood for at the start.
    pub(crate) fn is_ours(&self) -> bool {
        self.id().is_some_and(|id| id.is_at(self.fd))
    }

    /// A descriptor of our own for the file: as long as it lives, nobody can put another file in its
    /// place, however the number changes hands meanwhile. `None`: the number is not ours any more.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(crate) fn hold(&self) -> io::Result<Option<OwnedFd>> {
        let held = match duplicate_high(self.fd) {
            Ok(held) => held,
            Err(error) if error.raw_os_error() == Some(libc::EBADF) => return Ok(None),
            Err(error) => return Err(error),
        };
        let ours = self.id().is_some_and(|id| id.is_at(held.as_raw_fd()));
        Ok(ours.then_some(held))
    }

    /// Closes the number if it is still ours. To be called once; the number is free afterwards.
    pub(crate) fn close(&self) {
        if self.is_ours() {
            // SAFETY: the number stands for the file this value took over, so closing it takes
            // nobody else's; callers see to it that this runs once.
            drop(unsafe { OwnedFd::from_raw_fd(self.fd) });
        }
    }
}

/// Has the file of `fresh` take the place of the one that `number` stands for, which is closed.
pub(crate) fn take_place(fresh: &OwnedFd, number: RawFd) -> io::Result<()> {
    // SAFETY: takes ints and touches no memory; callers own the number.
    let result = unsafe { libc::dup3(fresh.as_raw_fd(), number, libc::O_CLOEXEC) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Waits until one of `waits` (descriptors, each with what it is waited for) is ready, or for
/// `timeout_ms`. Which of them are ready.
pub(crate) fn wait_for_any(waits: &[(RawFd, i16)], timeout_ms: i32) -> Vec<bool> {
    let mut fds: Vec<libc::pollfd> = waits
        .iter()
        .map(|&(fd, events)| libc::pollfd {
            fd,
            events,
            revents: 0,
        })
        .collect();
    // SAFETY: a live array of that length.
    let ready = unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, timeout_ms) };
    fds.iter()
        .map(|one| ready > 0 && one.revents != 0)
        .collect()
}

/// Number of bytes that wait in the receive buffer of `fd`.
pub(crate) fn unread(fd: RawFd) -> io::Result<usize> {
    let mut count: c_int = 0;
    // SAFETY: FIONREAD writes one int, to a live one.
    let result = unsafe { libc::ioctl(fd, libc::FIONREAD, &raw mut count) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Number of bytes that were sent over `fd` and that its peer (TCP: its peer's machine) has not taken.
pub(crate) fn unsent(fd: RawFd) -> io::Result<usize> {
    let mut count: c_int = 0;
    // SAFETY: TIOCOUTQ writes one int, to a live one.
    let result = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &raw mut count) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Which of `events` hold for `fd` at this moment (plus POLLERR, POLLHUP, POLLNVAL).
pub(crate) fn ready_now(fd: RawFd, events: i16) -> i16 {
    wait_ready(fd, events, 0)
}

/// Like [`ready_now`], waiting up to `timeout_ms`. 0: nothing within that time.
pub(crate) fn wait_ready(fd: RawFd, events: i16, timeout_ms: i32) -> i16 {
    let mut one = libc::pollfd {
        fd,
        events,
        revents: 0,
    };
    // SAFETY: `one` is a live array of one.
    let result = unsafe { libc::poll(&raw mut one, 1, timeout_ms) };
    if result > 0 { one.revents } else { 0 }
}

/// Reads what is there, at most `limit` bytes and at most the spare room of `into`, without
/// waiting. `Ok(0)`: end of stream (or no room).
pub(crate) fn read_into(fd: RawFd, into: &mut Vec<u8>, limit: usize) -> io::Result<usize> {
    let spare = into.spare_capacity_mut();
    let length = spare.len().min(limit);
    // SAFETY: the spare capacity is writable for `length` bytes.
    let got = unsafe { libc::recv(fd, spare.as_mut_ptr().cast(), length, libc::MSG_DONTWAIT) };
    let got = usize::try_from(got).map_err(|_| io::Error::last_os_error())?;
    let filled = into.len() + got;
    // SAFETY: the kernel has just written `got` bytes behind the old length.
    unsafe { into.set_len(filled) };
    Ok(got)
}

/// Reads into a plain buffer without waiting.
pub(crate) fn read_now(fd: RawFd, into: &mut [u8]) -> io::Result<usize> {
    // SAFETY: `into` is writable for its length.
    let got = unsafe { libc::recv(fd, into.as_mut_ptr().cast(), into.len(), libc::MSG_DONTWAIT) };
    usize::try_from(got).map_err(|_| io::Error::last_os_error())
}

/// Writes what fits without waiting and without SIGPIPE.
pub(crate) fn write_now(fd: RawFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = libc::MSG_DONTWAIT | super::blocking::SEND_FLAGS;
    // SAFETY: `bytes` is readable for its length.
    let put = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
    usize::try_from(put).map_err(|_| io::Error::last_os_error())
}

/// Whether `fd` is an open socket.
pub(crate) fn is_socket(fd: RawFd) -> bool {
    // SAFETY: `stat` is plain data for which all zeroes is a valid value.
    let mut stat: libc::stat = unsafe { std::mem::zeroed() };
    // SAFETY: `stat` is a live, writable structure of the type that fstat fills.
    let result = unsafe { libc::fstat(fd, &raw mut stat) };
    result == 0 && stat.st_mode & libc::S_IFMT == libc::S_IFSOCK
}

/// Writes to a file, a terminal or a pipe, as far as one call does it. There is nobody to tell a
/// failure to.
pub(crate) fn write_file(fd: RawFd, bytes: &[u8]) {
    // SAFETY: `bytes` is readable for its length.
    unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
}

/// Writes what fits of `parts` (at most `IOV_MAX` of them) without waiting and without SIGPIPE. With
/// `more` TCP may keep it back until [`push`] or a write without that.
pub(crate) fn send_parts(fd: RawFd, parts: &[io::IoSlice<'_>], more: bool) -> io::Result<usize> {
    // std guarantees that an `IoSlice` has the layout of an `iovec` on unix.
    let message = super::blocking::message_of(parts.as_ptr().cast(), parts.len());
    let mut flags = libc::MSG_DONTWAIT | super::blocking::SEND_FLAGS;
    #[cfg(target_os = "linux")]
    if more {
        flags |= libc::MSG_MORE;
    }
    #[cfg(not(target_os = "linux"))]
    let _ = more;
    // SAFETY: the parts are borrowed for the call, and the kernel only reads them.
    let put = unsafe { libc::sendmsg(fd, &raw const message, flags) };
    usize::try_from(put).map_err(|_| io::Error::last_os_error())
}

/// Sends what TCP has kept back. Nothing on other sockets.
pub(crate) fn push(fd: RawFd) {
    // SAFETY: callers have just seen that the number stands for an open link of theirs, and a session
    // closes its link only when nobody is sending.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    // Setting the option, even as it is, pushes.
    let _ = socket2::SockRef::from(&socket).set_tcp_nodelay(true);
}

/// The process's table of descriptors is known to reach to the high numbers.
static ROOMY: AtomicBool = AtomicBool::new(false);

/// Moves `fd` out of the way of mailboxes, and of what programs put into an `fd_set`, as far as the
/// limit of the process allows. Where no number is left the descriptor stays where it is. So do the
/// first ones of a process that had threads before, see [`make_roomy`].
pub(crate) fn move_high(fd: OwnedFd) -> OwnedFd {
    if !ROOMY.load(Ordering::Relaxed) && has_threads() {
        return fd;
    }
    match duplicate_high(fd.as_raw_fd()) {
        Ok(high) => {
            ROOMY.store(true, Ordering::Relaxed);
            high
        }
        Err(_) => fd,
    }
}

/// Has the table of descriptors grow to the high numbers, for which the system lets a process with
/// threads wait for a whole grace period of its read-copy-update (5 to 15 ms). Neither a connect nor
/// a drain should take so long: the background thread waits.
pub(crate) fn make_roomy() {
    if !ROOMY.load(Ordering::Relaxed) {
        for floor in FLOORS {
            // Linux makes room for the new number, if it is below the limit of the process, before it
            // sees that there is nothing to duplicate. So not even for a moment there is a descriptor
            // more.
            // SAFETY: dup2 of no descriptor touches nothing.
            unsafe { libc::dup2(-1, floor) };
        }
        // Where it has not helped the next connect waits.
        ROOMY.store(true, Ordering::Relaxed);
    }
}

/// Whether the process is known to have more than one thread.
fn has_threads() -> bool {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        // SAFETY: looks a name up among the libraries that are loaded.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
        // SAFETY: glibc (2.32 and later) documents it as a `char` that lives for ever.
        if let Some(single) = unsafe { symbol.cast::<libc::c_char>().as_ref() } {
            return *single == 0;
        }
    }
    false
}

/// Whether error `code` means "nothing there now, ask again".
pub(crate) fn would_block(code: i32) -> bool {
    code == libc::EAGAIN || code == libc::EWOULDBLOCK
}

/// A pair of connected stream sockets, close-on-exec, in blocking mode.
pub(crate) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let (one, other) = std::os::unix::net::UnixStream::pair()?;
    Ok((one.into(), other.into()))
}

/// Ends a stream in both directions. Whoever waits on it wakes.
pub(crate) fn shut_down(fd: RawFd) {
    // SAFETY: takes two ints and touches no memory.
    unsafe { libc::shutdown(fd, libc::SHUT_RDWR) };
}

/// A pipe, close-on-exec: (read end, write end).
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = io::pipe()?;
    Ok((read.into(), write.into()))
}

/// A counter to wake a waiting thread with: written by [`ring`], emptied by [`silence`].
pub(crate) fn bell() -> io::Result<OwnedFd> {
    // SAFETY: takes two ints, returns a descriptor or -1.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a new descriptor that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Rings a bell. Never blocks.
pub(crate) fn ring(bell: &OwnedFd) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: eight readable bytes.
    unsafe { libc::write(bell.as_raw_fd(), one.as_ptr().cast(), one.len()) };
}

/// Rings a bell by its number. May be called in a signal handler: the error number of the interrupted
/// code is kept.
pub(crate) fn ring_number(bell: RawFd) {
    // SAFETY: gives the place of this thread's error number, which is live as long as the thread.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: see above.
    let before = unsafe { *errno };
    let one = 1_u64.to_ne_bytes();
    // SAFETY: eight readable bytes.
    unsafe { libc::write(bell, one.as_ptr().cast(), one.len()) };
    // SAFETY: see above.
    unsafe { *errno = before };
}

/// Empties a bell by its number.
pub(crate) fn silence_number(bell: RawFd) {
    let mut count = [0_u8; 8];
    // SAFETY: eight writable bytes.
    unsafe { libc::read(bell, count.as_mut_ptr().cast(), count.len()) };
}

/// Empties a bell.
pub(crate) fn silence(bell: &OwnedFd) {
    let mut count = [0_u8; 8];
    // SAFETY: eight writable bytes.
    unsafe { libc::read(bell.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;

    /// A number that the test's own sockets do not take by themselves, given to `file`.
    fn at_number(file: &UnixStream, number: RawFd) {
        // SAFETY: both are open or free numbers of this test alone.
        assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), number) }, number);
    }

    #[test]
    fn what_is_held_stays_when_the_number_goes_to_another_file() {
        let (mut ours, link) = UnixStream::pair().unwrap();
        let (mut theirs, other) = UnixStream::pair().unwrap();
        let link = SharedFd::new(link.into());
        let held = link.hold().unwrap().expect("it is ours");
        ours.write_all(b"ours").unwrap();
        theirs.write_all(b"theirs").unwrap();
        at_number(&other, link.raw());

        let mut slab = Vec::with_capacity(64);
        assert_eq!(read_into(held.as_raw_fd(), &mut slab, 64).unwrap(), 4);
        assert_eq!(slab, b"ours");
        assert!(!link.is_ours());
        assert!(link.hold().unwrap().is_none(), "another file is not held");
        let mut kept = [0; 6];
        (&other).read_exact(&mut kept).unwrap();
        assert_eq!(&kept, b"theirs");
        // SAFETY: the number was made by this test, and stands for a duplicate.
        unsafe { libc::close(link.raw()) };
    }
}
