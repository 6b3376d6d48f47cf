//! Whole frames in the inbox: how many there are, and taking some of them out of the stream.
//!
//! Draining knows nothing of frames. Where their number matters, or some are to be dropped, what has
//! come since the last look is walked over once, from header to header. The receivers need not tell
//! what they have taken but by one number, the messages that they were given.

use spread_proto::{Direction, FrameLayout, HEADER_LEN, Header, service};

use super::{Inbox, Slab};

/// How far the stream has been walked over.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// There has been a first look.
    started: bool,
    /// Where the first frame begins that was not whole at the last look; counted as
    /// [`Inbox::pushed`] is.
    next: u64,
    /// Whole frames before that, since the walk began.
    frames: u64,
    /// How many messages had been given to the program when the walk began.
    taken: u64,
}

/// Messages that were taken out of the stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Dropped {
    /// How many.
    pub(crate) messages: u64,
    /// Their bytes, headers included.
    pub(crate) bytes: u64,
}

impl Dropped {
    fn add(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
    }
}

/// How much may wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Bytes, headers included.
    pub(crate) bytes: usize,
    /// Messages; 0 is no limit.
    pub(crate) messages: u64,
}

impl Limits {
    pub(crate) fn are_passed_by(&self, bytes: usize, messages: u64) -> bool {
        bytes > self.bytes || self.messages != 0 && messages > self.messages
    }
}

/// The part of a header that decides about a frame. `None`: nothing behind it can be trusted.
fn frame(raw: &[u8; HEADER_LEN]) -> Option<(u32, usize)> {
    let header = Header::decode(raw);
    let layout = FrameLayout::of(&header, Direction::ToClient).ok()?;
    Some((header.kind, HEADER_LEN.checked_add(layout.total())?))
}

/// Whether a policy may drop it: what is no membership message.
fn is_droppable(kind: u32) -> bool {
    kind & (service::REGULAR_MESS | service::REJECT_MESS) != 0
}

/// A place in the stream: a piece of it (0: the head, then the slabs) and a place in that.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    piece: usize,
    at: usize,
}

impl Inbox {
    fn piece(&self, number: usize) -> Option<&[u8]> {
        match number.checked_sub(1) {
            None => Some(&self.head.bytes[..self.head.len]),
            Some(slab) => self.slabs.get(slab).map(Slab::left),
        }
    }

    /// The place `offset` bytes behind the front. Walks from the end, where new bytes are.
    fn cursor(&self, offset: usize) -> Cursor {
        let mut start = self.len;
        for piece in (0..=self.slabs.len()).rev() {
            let length = self.piece(piece).map_or(0, <[u8]>::len);
            start -= length;
            if offset >= start && (length > 0 || piece == 0) {
                return Cursor {
                    piece,
                    at: offset - start,
                };
            }
        }
        Cursor {
            piece: 0,
            at: offset,
        }
    }

    /// Goes on by `count` bytes, at most to the end.
    fn advance(&self, cursor: &mut Cursor, count: usize) {
        cursor.at += count;
        while let Some(piece) = self.piece(cursor.piece)
            && cursor.at >= piece.len()
            && cursor.piece < self.slabs.len()
        {
            cursor.at -= piece.len();
            cursor.piece += 1;
        }
    }

    /// Copies from a place. The caller knows the bytes to be there.
    fn copy_from(&self, cursor: Cursor, out: &mut [u8]) {
        let mut from = cursor;
        let mut filled = 0;
        while filled < out.len() {
            let Some(piece) = self.piece(from.piece) else {
                return;
            };
            let part = &piece[from.at.min(piece.len())..];
            let count = part.len().min(out.len() - filled);
            out[filled..filled + count].copy_from_slice(&part[..count]);
            filled += count;
            from = Cursor {
                piece: from.piece + 1,
                at: 0,
            };
        }
    }

    fn header_at(&self, cursor: Cursor) -> [u8; HEADER_LEN] {
        let mut raw = [0; HEADER_LEN];
        match self.piece(cursor.piece) {
            Some(piece) if piece.len() >= cursor.at + HEADER_LEN => {
                raw.copy_from_slice(&piece[cursor.at..cursor.at + HEADER_LEN]);
            }
            _ => self.copy_from(cursor, &mut raw),
        }
        raw
    }

    /// Walks over the frames that have become whole since the last look: `each` gets the place
    /// behind the front where one begins, its kind and its length. `taken` is how many messages the
    /// program has been given so far.
    fn walk(&mut self, taken: u64, mut each: impl FnMut(usize, u32, usize)) {
        let base = self.pushed - self.len as u64;
        if !self.scan.started || self.scan.next < base {
            self.scan = Scan {
                started: true,
                next: base,
                frames: 0,
                taken,
            };
        }
        // Behind the end: what was there has been taken back.
        let Some(mut offset) = usize::try_from(self.scan.next - base)
            .ok()
            .filter(|offset| *offset <= self.len)
        else {
            return;
        };
        let mut cursor = self.cursor(offset);
        let (mut frames, mut walked) = (0, 0);
        while self.len - offset >= HEADER_LEN {
            let Some((kind, length)) = frame(&self.header_at(cursor)) else {
                break;
            };
            if self.len - offset < length {
                break;
            }
            each(offset, kind, length);
            self.advance(&mut cursor, length);
            offset += length;
            frames += 1;
            walked += length as u64;
        }
        self.scan.frames += frames;
        self.scan.next += walked;
    }

    fn known_messages(&self, taken: u64) -> u64 {
        let since = taken.saturating_sub(self.scan.taken);
        self.scan.frames.saturating_sub(since)
    }

    /// From now on messages are counted together with those that the program has been given.
    pub(crate) fn forget_count(&mut self) {
        self.scan = Scan::default();
    }

    /// How many whole messages wait.
    pub(crate) fn messages(&mut self, taken: u64) -> u64 {
        self.walk(taken, |_, _, _| ());
        self.known_messages(taken)
    }

    /// Bytes of the whole frames at the front, as far as the last look has seen them.
    pub(crate) fn whole_bytes(&self) -> usize {
        let base = self.pushed - self.len as u64;
        usize::try_from(self.scan.next.saturating_sub(base)).unwrap_or(0)
    }

    /// Takes a frame that is not whole off the end.
    pub(crate) fn split_part(&mut self, taken: u64) -> Vec<u8> {
        self.messages(taken);
        let whole = self.whole_bytes();
        if whole >= self.len {
            return Vec::new();
        }
        self.split_off(whole)
    }

    /// Takes bytes off the front, whole slabs without copying them.
    pub(crate) fn split_front(&mut self, count: usize) -> Vec<Vec<u8>> {
        self.head_into_slab();
        let mut pieces = Vec::with_capacity(count / super::SLAB_LEN + 2);
        let mut left = count.min(self.len);
        self.len -= left;
        while left > 0 {
            let Some(slab) = self.slabs.front_mut() else {
                break;
            };
            let part = left.min(slab.len());
            left -= part;
            if slab.at == 0 && part == slab.len() {
                pieces.push(std::mem::take(&mut slab.bytes));
            } else {
                pieces.push(slab.left()[..part].to_vec());
                slab.at += part;
            }
            if slab.len() == 0 {
                self.drop_front();
            }
        }
        pieces
    }

    /// Puts all of `other` behind, and goes on with what sees its arrivals.
    pub(crate) fn append(&mut self, other: &mut Self) {
        other.head_into_slab();
        if other.tap.is_some() {
            self.tap = other.tap.take();
        }
        self.slabs.append(&mut other.slabs);
        self.len += other.len;
        self.pushed += other.len as u64;
        *other = Self::default();
    }

    /// Drops what has come since the last look and does not fit any more. Messages that are no data
    /// are kept, and so is one that waits alone.
    pub(crate) fn drop_newest(&mut self, taken: u64, limits: Limits) -> Dropped {
        let before = {
            let scan = &self.scan;
            let base = self.pushed - self.len as u64;
            if scan.started && scan.next >= base {
                self.known_messages(taken)
            } else {
                0
            }
        };
        let mut cut: Vec<(usize, usize)> = Vec::new();
        let mut dropped = Dropped::default();
        let mut messages = before;
        self.walk(taken, |offset, kind, length| {
            let waiting = offset - usize::try_from(dropped.bytes).unwrap_or(usize::MAX);
            let full = limits.are_passed_by(waiting + length, messages + 1);
            if full && messages > 0 && is_droppable(kind) {
                dropped.add(length);
                cut.push((offset, length));
            } else {
                messages += 1;
            }
        });
        if let Some(&(first, _)) = cut.first() {
            let tail = self.split_off(first);
            let mut from = 0;
            for (offset, length) in cut {
                self.put(&tail[from..offset - first]);
                from = offset - first + length;
            }
            self.put(&tail[from..]);
            // As if they had never come: `pushed` is less by their bytes now.
            self.scan.next -= dropped.bytes;
            self.scan.frames -= dropped.messages;
        }
        dropped
    }

    /// Takes everything from `offset` on off the end.
    fn split_off(&mut self, offset: usize) -> Vec<u8> {
        let mut tail = vec![0; self.len - offset];
        self.copy_from(self.cursor(offset), &mut tail);
        let mut surplus = tail.len();
        self.pushed -= surplus as u64;
        self.len = offset;
        while surplus > 0 {
            let Some(slab) = self.slabs.back_mut() else {
                self.head.len -= surplus.min(self.head.len);
                break;
            };
            let part = surplus.min(slab.len());
            slab.bytes.truncate(slab.bytes.len() - part);
            surplus -= part;
            if slab.len() == 0 {
                self.drop_back();
            }
        }
        tail
    }

    fn drop_back(&mut self) {
        if let Some(empty) = self.slabs.pop_back() {
            empty.recycle();
            self.lead = self.lead.min(self.slabs.len());
        }
    }

    /// Drops the oldest messages until the rest is within the limits. Messages that are no data are
    /// kept and stay before all that is younger; `spare_first` keeps the message at the head, and
    /// the last whole one is kept in any case.
    pub(crate) fn drop_oldest(
        &mut self,
        taken: u64,
        limits: Limits,
        mut spare_first: bool,
    ) -> Dropped {
        let mut messages = self.messages(taken);
        let mut dropped = Dropped::default();
        if !limits.are_passed_by(self.len, messages) {
            return dropped;
        }
        self.head_into_slab();
        // What was kept in earlier rounds is not looked at again.
        let mut left: usize = self.slabs.iter().skip(self.lead).map(Slab::len).sum();
        while limits.are_passed_by(self.len, messages) {
            let start = Cursor {
                piece: self.lead + 1,
                at: 0,
            };
            let Some((kind, length)) = self.whole_frame(start, left) else {
                break;
            };
            let mut next = start;
            self.advance(&mut next, length);
            if self.whole_frame(next, left - length).is_none() {
                break;
            }
            left -= length;
            let spare = std::mem::take(&mut spare_first) && self.lead == 0;
            if is_droppable(kind) && !spare {
                self.take_behind_lead(length, |_| ());
                dropped.add(length);
                messages -= 1;
            } else {
                self.keep(length);
            }
        }
        self.scan.frames -= dropped.messages;
        dropped
    }

    /// Kind and length of the frame at a place with so many bytes from there on, if it is whole.
    fn whole_frame(&self, start: Cursor, left: usize) -> Option<(u32, usize)> {
        if left < HEADER_LEN {
            return None;
        }
        frame(&self.header_at(start)).filter(|(_, length)| *length <= left)
    }

    /// Makes a slab of the head, so that all of the stream is in slabs.
    fn head_into_slab(&mut self) {
        if self.head.len > 0 {
            let mut slab = Slab::fresh();
            slab.bytes
                .extend_from_slice(&self.head.bytes[..self.head.len]);
            self.head.len = 0;
            self.slabs.push_front(slab);
        }
    }

    /// Takes bytes that stand behind the kept ones.
    fn take_behind_lead(&mut self, count: usize, mut piece: impl FnMut(&[u8])) {
        let mut left = count;
        while left > 0 {
            let lead = self.lead;
            let Some(slab) = self.slabs.get_mut(lead) else {
                break;
            };
            let part = left.min(slab.len());
            piece(&slab.left()[..part]);
            slab.at += part;
            self.len -= part;
            left -= part;
            if slab.len() == 0
                && let Some(empty) = self.slabs.remove(lead)
            {
                empty.recycle();
            }
        }
    }

    /// Moves the first message behind the kept ones to their end.
    fn keep(&mut self, length: usize) {
        let mut bytes = Vec::with_capacity(length);
        self.take_behind_lead(length, |piece| bytes.extend_from_slice(piece));
        self.len += bytes.len();
        match self
            .lead
            .checked_sub(1)
            .and_then(|last| self.slabs.get_mut(last))
        {
            Some(slab) if slab.bytes.capacity() - slab.bytes.len() >= bytes.len() => {
                slab.bytes.extend_from_slice(&bytes);
            }
            _ => {
                let mut slab = Slab::fresh();
                slab.bytes.extend_from_slice(&bytes);
                self.slabs.insert(self.lead, slab);
                self.lead += 1;
            }
        }
    }

    /// All of the stream, for tests.
    #[cfg(test)]
    fn all(&self) -> Vec<u8> {
        let mut out = vec![0; self.len];
        self.copy_from(self.cursor(0), &mut out);
        out
    }
}

#[cfg(test)]
#[path = "frames/tests.rs"]
mod tests;
