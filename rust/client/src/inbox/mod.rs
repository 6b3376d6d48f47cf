//! The bytes that have been received and not yet taken by the program.
//!
//! The inbox holds the daemon's byte stream as it came: a small head for a part of a header, then
//! slabs. Whoever takes a message cuts it out of the stream. So draining costs no work per message,
//! and a queued message costs no memory beyond its own bytes.

mod frames;
pub(crate) mod tap;

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use spread_proto::{HEADER_LEN, Header};

use frames::Scan;
pub(crate) use frames::{Dropped, Limits};
use tap::Tap;

/// Size of a slab. Below the threshold above which allocators map memory anew each time.
pub(crate) const SLAB_LEN: usize = 64 * 1024;

/// A slab with less room than this is not read into any more.
const MIN_READ: usize = 2 * 1024;

/// Most slabs that are kept for the next burst, by all sessions together.
const MOST_SPARE: usize = 16;

/// Empty slabs, warm from their last use. Only ever tried for, so that a fork has nothing to wait for.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// Bytes of a stream, first in first out.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    /// The stream's next bytes, before those of the slabs; at most a header.
    head: Head,
    slabs: VecDeque<Slab>,
    /// All bytes, head and slabs.
    len: usize,
    /// Slabs at the front that hold only messages that were kept when older ones were dropped.
    lead: usize,
    /// Bytes that have ever been put in.
    pushed: u64,
    scan: Scan,
    /// Sees what arrives, where somebody wants to know.
    tap: Option<Box<Tap>>,
}

/// Bytes, of which those before `at` have been taken.
#[derive(Debug, Default)]
struct Slab {
    bytes: Vec<u8>,
    at: usize,
    /// When its first bytes came.
    since: Option<Instant>,
}

#[derive(Debug)]
struct Head {
    bytes: [u8; HEADER_LEN],
    len: usize,
}

impl Default for Head {
    fn default() -> Self {
        Self {
            bytes: [0; HEADER_LEN],
            len: 0,
        }
    }
}

impl Slab {
    /// An empty slab; a spare one if there is any.
    fn fresh() -> Self {
        let spare = SPARE.try_lock().ok().and_then(|mut spare| spare.pop());
        Self {
            bytes: spare.unwrap_or_else(|| Vec::with_capacity(SLAB_LEN)),
            at: 0,
            since: Some(Instant::now()),
        }
    }

    /// Keeps the memory for the next burst, unless there is enough.
    fn recycle(self) {
        // One that had to grow is not kept.
        if self.bytes.capacity() == SLAB_LEN
            && let Ok(mut spare) = SPARE.try_lock()
            && spare.len() < MOST_SPARE
        {
            let mut bytes = self.bytes;
            bytes.clear();
            spare.push(bytes);
        }
    }

    #[inline]
    fn left(&self) -> &[u8] {
        &self.bytes[self.at..]
    }

    #[inline]
    fn len(&self) -> usize {
        self.bytes.len() - self.at
    }
}

impl Inbox {
    /// Bytes in the inbox.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// How long the oldest bytes have been here, to the time that a slab takes to be filled.
    pub(crate) fn age(&self) -> Duration {
        let oldest = self.slabs.front().and_then(|slab| slab.since);
        oldest.map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whether all there is fits the head: a header or a part of one.
    pub(crate) fn only_head(&self) -> bool {
        self.slabs.is_empty()
    }

    /// Takes a header that is all there is; `None` if there is anything else.
    pub(crate) fn take_head(&mut self) -> Option<[u8; HEADER_LEN]> {
        if self.head.len != HEADER_LEN || self.len != HEADER_LEN {
            return None;
        }
        self.head.len = 0;
        self.len = 0;
        Some(self.head.bytes)
    }

    /// The stream's next bytes, as many as are in one piece; none if a part of them is in the head.
    #[inline]
    pub(crate) fn front(&self) -> &[u8] {
        match self.slabs.front() {
            Some(slab) if self.head.len == 0 => slab.left(),
            _ => &[],
        }
    }

    /// Takes the first `count` bytes of [`front`](Self::front), all of them at most.
    #[inline]
    pub(crate) fn skip_front(&mut self, count: usize) {
        if self.head.len == 0
            && let Some(slab) = self.slabs.front_mut()
        {
            let count = count.min(slab.len());
            slab.at += count;
            self.len -= count;
            if slab.len() == 0 {
                self.drop_front();
            }
        }
    }

    fn drop_front(&mut self) {
        if let Some(empty) = self.slabs.pop_front() {
            empty.recycle();
            self.lead = self.lead.saturating_sub(1);
        }
    }

    /// The next message's header, once all of it is there.
    #[inline]
    pub(crate) fn header(&self) -> Option<Header> {
        if let Some(raw) = self.front().first_chunk() {
            return Some(Header::decode(raw));
        }
        if self.head.len == HEADER_LEN {
            return Some(Header::decode(&self.head.bytes));
        }
        let mut raw = [0; HEADER_LEN];
        self.peek(0, &mut raw).then(|| Header::decode(&raw))
    }

    /// Copies the bytes from `at` on without taking them. False if there are too few.
    pub(crate) fn peek(&self, at: usize, out: &mut [u8]) -> bool {
        if self.len < at + out.len() {
            return false;
        }
        let mut skip = at;
        let mut filled = 0;
        let chunks = std::iter::once(&self.head.bytes[..self.head.len])
            .chain(self.slabs.iter().map(Slab::left));
        for chunk in chunks {
            if filled == out.len() {
                break;
            }
            if skip >= chunk.len() {
                skip -= chunk.len();
                continue;
            }
            let part = &chunk[skip..];
            skip = 0;
            let count = part.len().min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&part[..count]);
            filled += count;
        }
        true
    }

    /// Takes `N` bytes that the caller knows to be there.
    #[inline]
    pub(crate) fn take_array<const N: usize>(&mut self) -> [u8; N] {
        if let Some(array) = self.front().first_chunk::<N>().copied() {
            self.skip_front(N);
            return array;
        }
        let mut array = [0; N];
        let mut at = 0;
        self.take(N, |piece| {
            array[at..at + piece.len()].copy_from_slice(piece);
            at += piece.len();
        });
        array
    }

    /// Takes `count` bytes (or all there are), handing them over in pieces.
    pub(crate) fn take(&mut self, count: usize, mut piece: impl FnMut(&[u8])) {
        let mut left = count.min(self.len);
        self.len -= left;
        if self.head.len > 0 && left > 0 {
            let part = left.min(self.head.len);
            piece(&self.head.bytes[..part]);
            self.head.bytes.copy_within(part..self.head.len, 0);
            self.head.len -= part;
            left -= part;
        }
        while left > 0 {
            let Some(slab) = self.slabs.front_mut() else {
                break;
            };
            let part = left.min(slab.len());
            piece(&slab.left()[..part]);
            slab.at += part;
            left -= part;
            if slab.len() == 0 {
                self.drop_front();
            }
        }
    }

    /// Gives back what is kept for the next burst.
    pub(crate) fn shrink(&mut self) {
        if self.slabs.is_empty() {
            self.slabs = VecDeque::new();
        }
    }

    /// What is to see all that arrives from now on.
    pub(crate) fn set_tap(&mut self, tap: Option<Box<Tap>>) {
        self.tap = tap;
    }

    /// Takes it away, for another inbox.
    pub(crate) fn take_tap(&mut self) -> Option<Box<Tap>> {
        self.tap.take()
    }

    /// What sees the arrivals.
    pub(crate) fn tap_mut(&mut self) -> Option<&mut Tap> {
        self.tap.as_deref_mut()
    }

    /// Shows all there is to a tap.
    pub(crate) fn show(&self, tap: &mut Tap) {
        tap.see(&self.head.bytes[..self.head.len]);
        for slab in &self.slabs {
            tap.see(slab.left());
        }
    }

    /// Puts bytes that have arrived behind all others.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if let Some(tap) = &mut self.tap {
            tap.see(bytes);
        }
        self.put(bytes);
    }

    /// Puts bytes behind all others that have been here before.
    pub(crate) fn put(&mut self, bytes: &[u8]) {
        if self.slabs.is_empty() && self.head.len + bytes.len() <= HEADER_LEN {
            self.head.bytes[self.head.len..self.head.len + bytes.len()].copy_from_slice(bytes);
            self.head.len += bytes.len();
            self.len += bytes.len();
            self.pushed += bytes.len() as u64;
        } else {
            let tap = self.tap.take();
            self.fill(bytes.len(), |slab| slab.extend_from_slice(bytes));
            self.tap = tap;
        }
    }

    /// Has `write` append bytes that have been here before to a slab with room.
    pub(crate) fn fill_back<R>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let tap = self.tap.take();
        let result = self.fill(0, write);
        self.tap = tap;
        result
    }

    /// Has `write` append what arrives to a slab with room for `at_least` bytes (and at least a sensible
    /// read).
    pub(crate) fn fill<R>(&mut self, at_least: usize, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let at_least = at_least.max(MIN_READ);
        let room = self
            .slabs
            .back()
            .is_some_and(|slab| slab.bytes.capacity() - slab.bytes.len() >= at_least.min(MIN_READ));
        if !room || self.lead == self.slabs.len() {
            self.slabs.push_back(Slab::fresh());
        }
        // There is a last slab: one was just pushed if there was none.
        let Some(slab) = self.slabs.back_mut() else {
            return write(&mut Vec::new());
        };
        let before = slab.bytes.len();
        let result = write(&mut slab.bytes);
        let added = slab.bytes.len() - before;
        if let Some(tap) = &mut self.tap {
            tap.see(&slab.bytes[before..]);
        }
        self.len += added;
        self.pushed += added as u64;
        if slab.len() == 0
            && let Some(unused) = self.slabs.pop_back()
        {
            unused.recycle();
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(inbox: &mut Inbox, count: usize) -> Vec<u8> {
        let mut out = Vec::new();
        inbox.take(count, |piece| out.extend_from_slice(piece));
        out
    }

    #[test]
    fn bytes_come_out_as_they_went_in_whatever_the_pieces() {
        let data: Vec<u8> = (0..200_000_u32)
            .map(|n| n.to_le_bytes()[1] ^ 0x5a)
            .collect();
        for step in [1, 7, 47, 48, 49, 4096, 70_000] {
            let mut inbox = Inbox::default();
            for piece in data.chunks(step) {
                inbox.push(piece);
            }
            assert_eq!(inbox.len(), data.len());
            let mut back = Vec::new();
            while inbox.len() > 0 {
                back.extend(drain(&mut inbox, 1 + step * 3 / 2));
            }
            assert_eq!(back, data, "pieces of {step}");
        }
    }

    #[test]
    fn head_and_slab_are_one_stream() {
        let mut inbox = Inbox::default();
        inbox.push(&[1; 47]);
        assert!(inbox.only_head());
        inbox.push(&[2; 10]);
        assert!(!inbox.only_head());
        let mut out = [0; 4];
        assert!(inbox.peek(45, &mut out));
        assert_eq!(out, [1, 1, 2, 2]);
        assert!(!inbox.peek(54, &mut out));
        assert_eq!(inbox.take_array::<3>(), [1; 3]);
        assert_eq!(drain(&mut inbox, 43), [1; 43]);
        assert_eq!(inbox.take_array::<4>(), [1, 2, 2, 2]);
        assert_eq!(inbox.take_array::<4>(), [2; 4]);
        assert_eq!(drain(&mut inbox, 100).len(), 3);
        assert_eq!(inbox.len(), 0);
    }

    #[test]
    fn memory_is_given_back() {
        let mut inbox = Inbox::default();
        inbox.push(&[0; 500_000]);
        drain(&mut inbox, 500_000);
        inbox.shrink();
        assert_eq!(inbox.slabs.capacity(), 0);
        assert!(SPARE.lock().unwrap().len() <= MOST_SPARE);
    }

    #[test]
    fn the_front_is_what_lies_in_one_piece() {
        let mut inbox = Inbox::default();
        inbox.push(&[1; 40]);
        assert!(inbox.front().is_empty());
        inbox.push(&[2; 100]);
        assert!(inbox.front().is_empty());
        drain(&mut inbox, 40);
        assert_eq!(inbox.front(), [2; 100]);
        inbox.skip_front(99);
        assert_eq!((inbox.front(), inbox.len()), (&[2][..], 1));
        inbox.skip_front(99);
        assert_eq!((inbox.front(), inbox.len()), (&[][..], 0));
        assert!(inbox.only_head());
    }

    #[test]
    fn a_write_that_adds_nothing_leaves_nothing() {
        let mut inbox = Inbox::default();
        inbox.fill(0, |_| ());
        assert!(inbox.only_head());
        assert_eq!(inbox.len(), 0);
    }
}
