//! A caller's output buffers: memory that may be uninitialised, in one piece or scattered.

use std::fmt;
use std::io;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::fd::RawFd;

/// One writable piece of a caller's memory. Same layout as the system's `iovec`.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct OutSlice<'a> {
    raw: libc::iovec,
    memory: PhantomData<&'a mut [MaybeUninit<u8>]>,
}

impl fmt::Debug for OutSlice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OutSlice({} bytes)", self.raw.iov_len)
    }
}

impl<'a> OutSlice<'a> {
    /// No room at all.
    pub const EMPTY: Self = Self {
        raw: libc::iovec {
            iov_base: std::ptr::dangling_mut::<u8>().cast(),
            iov_len: 0,
        },
        memory: PhantomData,
    };

    /// The memory of `slice`.
    pub fn new(slice: &'a mut [MaybeUninit<u8>]) -> Self {
        Self {
            raw: libc::iovec {
                iov_base: slice.as_mut_ptr().cast(),
                iov_len: slice.len(),
            },
            memory: PhantomData,
        }
    }

    /// The memory of `slice`, whose old contents are of no more interest.
    pub(crate) fn over(slice: &'a mut [u8]) -> Self {
        // Only initialised bytes are ever written through this type.
        Self {
            raw: libc::iovec {
                iov_base: slice.as_mut_ptr().cast(),
                iov_len: slice.len(),
            },
            memory: PhantomData,
        }
    }

    /// Room in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.raw.iov_len
    }

    /// Whether there is no room.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.raw.iov_len == 0
    }

    /// Copies `bytes` to `offset`; what does not fit is left out. Returns how many were written.
    #[inline]
    pub(crate) fn write_at(&mut self, offset: usize, bytes: &[u8]) -> usize {
        let room = self.len().saturating_sub(offset);
        let count = room.min(bytes.len());
        if count > 0 {
            // SAFETY: `offset` is within the slice, as there is room behind it.
            let to = unsafe { self.raw.iov_base.cast::<u8>().add(offset) };
            // SAFETY: `offset + count` is within the slice, which this value borrows exclusively
            // from its creator; the two ranges cannot overlap, as `bytes` is the library's.
            unsafe { to.copy_from_nonoverlapping(bytes.as_ptr(), count) };
        }
        count
    }

    /// A copy of `count` bytes from `offset` on, which the kernel or `write_at` has filled before.
    pub(crate) fn copy_back(&self, offset: usize, count: usize, to: &mut Vec<u8>) {
        assert!(offset + count <= self.len(), "range outside the buffer");
        // SAFETY: the start of the range is inside the slice (asserted).
        let from = unsafe { self.raw.iov_base.cast::<u8>().add(offset) };
        // SAFETY: so is its end, and callers pass only ranges that have been written.
        let part = unsafe { std::slice::from_raw_parts(from, count) };
        to.extend_from_slice(part);
    }

    /// `N` bytes from `offset` on, which the kernel or `write_at` has filled before.
    pub(crate) fn read_back<const N: usize>(&self, offset: usize) -> [u8; N] {
        assert!(offset + N <= self.len(), "range outside the buffer");
        // SAFETY: the start of the range is inside the slice (asserted).
        let from = unsafe { self.raw.iov_base.cast::<u8>().add(offset) };
        // SAFETY: so is its end, and callers pass only ranges that have been written.
        unsafe { from.cast::<[u8; N]>().read_unaligned() }
    }

    /// `count` bytes from `offset` on as one piece of its own; no more than there are.
    fn part(&self, offset: usize, count: usize) -> libc::iovec {
        let offset = offset.min(self.len());
        libc::iovec {
            // Inside the slice or one past its end.
            iov_base: self.raw.iov_base.wrapping_byte_add(offset),
            iov_len: count.min(self.len() - offset),
        }
    }
}

/// How many pieces one direct read can have.
const MAX_PARTS: usize = 24;

/// A read of the rest of a message straight into the caller's memory: at most [`MAX_PARTS`]
/// pieces, without waiting.
pub(crate) struct DirectRead {
    parts: [libc::iovec; MAX_PARTS],
    used: usize,
    wanted: usize,
}

impl DirectRead {
    pub(crate) fn new() -> Self {
        let none = libc::iovec {
            iov_base: std::ptr::dangling_mut::<u8>().cast(),
            iov_len: 0,
        };
        Self {
            parts: [none; MAX_PARTS],
            used: 0,
            wanted: 0,
        }
    }

    /// Whether a message whose body goes into so many pieces can be read: with its groups, and two
    /// buffers of the library's own.
    pub(crate) fn has_room_for(pieces: usize) -> bool {
        pieces + 3 <= MAX_PARTS
    }

    /// Adds `count` bytes of `slice` from `offset` on. False if there are too many pieces.
    pub(crate) fn push(&mut self, slice: &OutSlice<'_>, offset: usize, count: usize) -> bool {
        if count == 0 {
            return true;
        }
        let Some(slot) = self.parts.get_mut(self.used) else {
            return false;
        };
        *slot = slice.part(offset, count);
        self.wanted += slot.iov_len;
        self.used += 1;
        true
    }

    /// Adds a buffer of the library's own.
    pub(crate) fn push_own(&mut self, buffer: &mut [u8]) -> bool {
        let Some(slot) = self.parts.get_mut(self.used) else {
            return false;
        };
        *slot = libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: buffer.len(),
        };
        self.wanted += buffer.len();
        self.used += 1;
        true
    }

    /// Reads what is there. The borrows behind the pieces are the caller's duty: all of them are
    /// parameters of the function that builds and runs this value.
    pub(crate) fn run(&mut self, fd: RawFd) -> io::Result<usize> {
        let mut message = super::blocking::message_of(self.parts.as_ptr(), self.used);
        // SAFETY: the first `used` parts describe writable memory that is borrowed by the
        // caller of this method for the time of the call.
        let got = unsafe { libc::recvmsg(fd, &raw mut message, libc::MSG_DONTWAIT) };
        usize::try_from(got).map_err(|_| io::Error::last_os_error())
    }
}
