//! What does not fit into memory, on disk: policy `spill`.
//!
//! ```text
//!   program <- inbox (memory) <- file, read_at..write_at <- flight <- pending (memory) <- link
//! ```
//!
//! Everything is in the order of the stream, and each part holds whole frames (but the end of
//! `pending`). The reader fills `pending`; what is whole there becomes the *flight*, one large piece
//! that the writer's thread appends to the file, so that the reader never waits for a disk. The
//! receiver, when the inbox is dry, takes from the file, then the flight (which is in memory as long
//! as it flies), then `pending`. When nothing is left the session is as if it had never spilled.
//!
//! The file has no name, belongs to the user, and is gone with the session or the process. After a
//! fork both processes have it; only the one that has the claim of reading goes on with it, and a
//! child writes nothing more.

mod writer;

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::environment;
use crate::inbox::Inbox;
use crate::session::Session;
use crate::sys::file;

/// A flight has at least so many bytes, as long as more comes.
const FLIGHT: usize = 1 << 20;

/// Bytes that may wait for the writer until reading pauses; as much again may be in flight. At full speed
/// that is what comes in some tenths of a second, for which a disk may be stuck: with less a daemon has
/// thrown a session out meanwhile.
const PENDING: usize = 16 << 20;

/// Bytes that are taken back at a time.
const REFILL: usize = 256 << 10;

/// Bytes that the system is asked to have ready beyond that.
const AHEAD: u64 = 4 << 20;

/// Space is given back in steps of so many bytes, at borders of pages.
const PUNCH: u64 = 4 << 20;

/// Where the file is made unless an option says otherwise.
const FOLDER: &str = "/var/tmp";

/// The part of a session that is on disk, or on its way there.
#[derive(Debug)]
pub(crate) struct Spill {
    file: Arc<File>,
    read_at: u64,
    write_at: u64,
    /// Where the space before has been given back.
    punched: u64,
    /// The file system cannot give space back, but from a whole file.
    keeps_space: bool,
    /// The system has been asked to have ready what stands before.
    asked: u64,
    /// Whole frames in the file and in flight.
    frames: u64,
    flight: Option<Arc<Flight>>,
    /// What has come last; begins with a frame.
    pub(crate) pending: Inbox,
    /// Frames that have left `pending`.
    moved: u64,
    /// Why nothing more is written.
    failed: Option<String>,
}

/// Bytes on their way to the file.
#[derive(Debug)]
struct Flight {
    pieces: Vec<Vec<u8>>,
    len: usize,
}

/// What is to be read back, and is not in memory.
#[derive(Clone, Debug)]
pub(crate) struct Cold {
    file: Arc<File>,
    at: u64,
    length: usize,
}

impl Cold {
    /// Has the system get it from the disk, and waits for that. Whoever calls holds no lock.
    pub(crate) fn warm_up(&self) {
        let mut rubbish = vec![0; self.length];
        // An error comes again when it is taken.
        let _ = self.file.read_exact_at(&mut rubbish, self.at);
    }
}

/// What taking back has found.
pub(crate) enum Refill {
    /// Bytes for the inbox.
    Some,
    /// Nothing is left: the spill can go.
    Empty,
    /// The file cannot be read: what is in it is lost.
    Broken(String),
}

impl Spill {
    /// Begins to spill into a new file in `folder` (empty: `$TMPDIR`, or else `/var/tmp`).
    ///
    /// # Errors
    /// Why there is no such file.
    pub(crate) fn begin(folder: &Path) -> Result<Self, String> {
        let folder = if folder.as_os_str().is_empty() {
            environment::text("TMPDIR").map_or_else(|| PathBuf::from(FOLDER), PathBuf::from)
        } else {
            folder.to_owned()
        };
        let file = file::nameless(&folder)
            .map_err(|error| format!("no file in {}: {error}", folder.display()))?;
        Ok(Self {
            file: Arc::new(file::move_high(file)),
            read_at: 0,
            write_at: 0,
            punched: 0,
            keeps_space: false,
            asked: 0,
            frames: 0,
            flight: None,
            pending: Inbox::default(),
            moved: 0,
            failed: None,
        })
    }

    /// Bytes that wait here.
    pub(crate) fn len(&self) -> u64 {
        let flight = self.flight.as_ref().map_or(0, |flight| flight.len);
        self.write_at - self.read_at + flight as u64 + self.pending.len() as u64
    }

    /// Bytes on disk that wait to be read.
    pub(crate) fn on_disk(&self) -> u64 {
        self.write_at - self.read_at
    }

    /// Whole frames that wait here.
    pub(crate) fn messages(&mut self) -> u64 {
        self.frames + self.pending.messages(self.moved)
    }

    /// Why nothing more is written, if so.
    pub(crate) fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Bytes of disk that are taken, and will be.
    pub(crate) fn taken_space(&self) -> u64 {
        let kept = if self.keeps_space { self.read_at } else { 0 };
        kept + self.len()
    }

    /// How many more bytes may be put into `pending` now.
    pub(crate) fn room(&self) -> usize {
        PENDING.saturating_sub(self.pending.len())
    }

    /// Sends off what is whole in `pending`, if it is worth it and nothing is on its way.
    pub(crate) fn send_off(&mut self, session: &Session) {
        if self.flight.is_some() || self.failed.is_some() {
            return;
        }
        let frames = self.pending.messages(self.moved);
        let whole = self.pending.whole_bytes();
        if whole < FLIGHT {
            return;
        }
        self.moved += frames;
        self.frames += frames;
        // Slabs change hands: the reader waits for this.
        self.flight = Some(Arc::new(Flight {
            pieces: self.pending.split_front(whole),
            len: whole,
        }));
        self.submit(session);
    }

    /// This process has got the claim of reading: what is on its way may have come to the writer while
    /// nobody had it. Written twice it is the same.
    pub(crate) fn send_off_again(&mut self, session: &Session) {
        if self.flight.is_some() && self.failed.is_none() {
            self.submit(session);
        }
    }

    fn submit(&mut self, session: &Session) {
        if let Err(error) = writer::submit(session) {
            self.failed = Some(format!("no thread for writing: {error}"));
        }
    }

    /// What the next [`refill`](Self::refill) would have to wait for.
    pub(crate) fn cold(&self) -> Option<Cold> {
        let left = usize::try_from(self.write_at - self.read_at).unwrap_or(REFILL);
        let length = left.min(REFILL);
        (length > 0 && !file::is_at_hand(&self.file, self.read_at, length)).then(|| Cold {
            file: Arc::clone(&self.file),
            at: self.read_at,
            length,
        })
    }

    /// Moves what comes next into `inbox`, which has no whole frame. `taken`: messages that the
    /// program has been given.
    pub(crate) fn refill(&mut self, inbox: &mut Inbox, taken: u64) -> Refill {
        let before = inbox.messages(taken);
        if self.read_at < self.write_at {
            let left = usize::try_from(self.write_at - self.read_at).unwrap_or(REFILL);
            if let Err(error) = self.read_back(inbox, left.min(REFILL)) {
                return Refill::Broken(error.to_string());
            }
            self.give_back();
        } else if let Some(flight) = self.flight.take() {
            // All that is behind it is in memory, too.
            for piece in &flight.pieces {
                inbox.put(piece);
            }
        } else if self.pending.len() > 0 {
            self.frames = 0;
            inbox.append(&mut self.pending);
            return Refill::Some;
        } else {
            return Refill::Empty;
        }
        self.frames = self
            .frames
            .saturating_sub(inbox.messages(taken).saturating_sub(before));
        Refill::Some
    }

    /// Reads so many bytes back, into whatever room slabs have.
    fn read_back(&mut self, inbox: &mut Inbox, count: usize) -> io::Result<()> {
        let mut left = count;
        while left > 0 {
            let (file, from) = (&self.file, self.read_at);
            let got = inbox.fill_back(|slab| {
                let at = slab.len();
                let part = left.min(slab.capacity() - at);
                slab.resize(at + part, 0);
                let read = file.read_exact_at(&mut slab[at..], from);
                if read.is_err() {
                    slab.truncate(at);
                }
                read.map(|()| part)
            })?;
            self.read_at += got as u64;
            left -= got;
        }
        // The next piece is on its way from the disk while the program is at this one.
        if self.asked < self.read_at + AHEAD / 2 {
            let from = self.asked.max(self.read_at);
            self.asked = (self.read_at + AHEAD).min(self.write_at);
            file::will_need(&self.file, from, self.asked);
        }
        Ok(())
    }

    /// Gives the space of what has been read back to the system.
    fn give_back(&mut self) {
        if self.read_at == self.write_at && self.flight.is_none() {
            if self.file.set_len(0).is_ok() {
                (self.read_at, self.write_at, self.punched, self.asked) = (0, 0, 0, 0);
            }
            return;
        }
        let to = self.read_at / PUNCH * PUNCH;
        if !self.keeps_space && to > self.punched {
            self.keeps_space = file::punch(&self.file, self.punched, to).is_err();
            self.punched = to;
        }
    }

    /// In a forked child: the writer's thread is not there, and the file is the parent's too.
    pub(crate) fn stop_writing_in_child(&mut self) {
        self.failed = Some("the process was forked".to_owned());
    }
}
