//! A byte stream in any pieces in, whole frames out.

use crate::error::DecodeError;
use crate::frame::{Direction, Frame, FrameLayout};
use crate::header::{HEADER_LEN, Header};
use crate::limits::{MAX_GROUPS, MAX_MESSAGE, NAME_FIELD};

/// What a [`Decoder`] accepts. A frame above a limit is an error as soon as its header is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most groups of a frame.
    pub max_groups: usize,
    /// Most bytes after the header.
    pub max_frame: usize,
}

impl Limits {
    /// What a daemon takes from a client: 100 groups, and the largest message that daemons can
    /// deliver.
    pub const DAEMON: Self = Self {
        max_groups: MAX_GROUPS,
        max_frame: MAX_MESSAGE,
    };

    /// What a client takes from a daemon.
    ///
    /// Memberships list more than 100 members, and daemons may be built with other sizes, so this
    /// leaves room: 1 MiB. A 5.0.1 daemon never sends more than 143 236 bytes in a frame.
    pub const CLIENT: Self = Self {
        max_groups: (1 << 20) / NAME_FIELD,
        max_frame: 1 << 20,
    };
}

/// Cuts a byte stream into frames.
///
/// Feed it whatever came, then take frames until there is none. Any split of the stream gives the
/// same frames. Memory grows with the bytes fed, never with what a header announces: a caller that
/// takes all frames after each piece holds less than one frame and one piece.
///
/// The stream has no marks to find a lost place again, so an error is final.
#[derive(Debug, Clone)]
pub struct Decoder {
    direction: Direction,
    limits: Limits,
    buffer: Vec<u8>,
    /// Bytes of `buffer` that have been handed out.
    taken: usize,
    broken: Option<DecodeError>,
}

impl Decoder {
    /// A decoder at the start of the message part of a stream, behind the handshake.
    #[must_use]
    pub const fn new(direction: Direction, limits: Limits) -> Self {
        Self {
            direction,
            limits,
            buffer: Vec::new(),
            taken: 0,
            broken: None,
        }
    }

    /// Appends bytes of the stream. After an error they are dropped.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.broken.is_some() {
            return;
        }
        // What was handed out is moved away only here, so a burst of frames costs one move.
        if self.taken > 0 {
            self.buffer.drain(..self.taken);
            self.taken = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The header of the next frame, if it is there.
    ///
    /// For a daemon that wants to refuse a frame before the rest of it has come. Does not check
    /// anything.
    #[must_use]
    pub fn peek_header(&self) -> Option<Header> {
        if self.broken.is_some() {
            return None;
        }
        self.buffer[self.taken..]
            .first_chunk::<HEADER_LEN>()
            .map(Header::decode)
    }

    /// The next whole frame, `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// A header with negative counts or above the [`Limits`]. The same error comes from every later
    /// call.
    #[must_use = "a frame that is dropped is lost, and an error means the stream has ended"]
    pub fn next_frame(&mut self) -> Result<Option<Frame>, DecodeError> {
        if let Some(error) = self.broken {
            return Err(error);
        }
        let Some(header) = self.peek_header() else {
            return Ok(None);
        };
        let layout = match self.check(&header) {
            Ok(layout) => layout,
            Err(error) => {
                self.broken = Some(error);
                return Err(error);
            }
        };
        let start = self.taken + HEADER_LEN;
        // In range: check() has bounded the total, and both terms are far below usize::MAX.
        let end = start.saturating_add(layout.total());
        let Some(rest) = self.buffer.get(start..end) else {
            return Ok(None);
        };
        let frame = Frame::from_parts(header, layout, rest);
        self.taken = end;
        Ok(Some(frame))
    }

    fn check(&self, header: &Header) -> Result<FrameLayout, DecodeError> {
        let layout = FrameLayout::of(header, self.direction)?;
        let Limits {
            max_groups,
            max_frame,
        } = self.limits;
        if layout.num_groups() > max_groups {
            return Err(DecodeError::TooManyGroups {
                groups: layout.num_groups(),
                max: max_groups,
            });
        }
        if layout.total() > max_frame {
            return Err(DecodeError::FrameTooLarge {
                bytes: layout.total(),
                max: max_frame,
            });
        }
        Ok(layout)
    }

    /// Bytes fed and not yet handed out.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.taken
    }

    /// The bytes fed and not yet handed out.
    #[must_use]
    pub fn into_rest(mut self) -> Vec<u8> {
        self.buffer.drain(..self.taken);
        self.buffer
    }
}
