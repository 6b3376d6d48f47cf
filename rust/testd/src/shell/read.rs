//! Reading from connections.

use std::io::ErrorKind;

use spread_proto::{Direction, FrameLayout, HEADER_LEN, Header};

use super::Shell;
use super::conn::{Conn, Stage};
use crate::core::{Health, Link, Verdict};
use crate::event::Ending;

/// Bytes per read: how much one client may hand over before the next one's turn.
const READ_BYTES: usize = 64 * 1024;
/// A whole frame of the largest size, less a byte, may be there before a read.
pub(super) const SCRATCH_BYTES: usize = 256 * 1024;

/// What a connection's input came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// All is read; wait for more.
    Drained,
    /// Go on in the next turn.
    More,
    /// Its daemon reads nothing now.
    Paused,
    /// It is closed.
    Gone,
}

impl Shell {
    /// True if nothing is to be read from this connection now.
    pub(super) fn holds_back(&self, conn: &Conn) -> bool {
        match conn.stage {
            Stage::Open => {
                self.io.is_in_grace()
                    || conn.out.throttle().is_some_and(|t| t.stall_reading)
                    || self.core.is_congested(conn.daemon)
                    || self.core.health(conn.daemon) != Health::Alive
            }
            _ => {
                self.core.is_congested(conn.daemon)
                    || self.core.health(conn.daemon) != Health::Alive
            }
        }
    }

    pub(super) fn read(&mut self, link: Link) {
        let Some(conn) = self.io.get(link) else {
            return;
        };
        let progress = if self.holds_back(conn) {
            Progress::Paused
        } else if matches!(conn.stage, Stage::Open) {
            self.read_frames(link)
        } else {
            self.greet(link)
        };
        match progress {
            Progress::More => self.ready.push_back(link),
            Progress::Paused => self.parked.push(link),
            Progress::Drained => {
                if let Some(conn) = self.io.get_mut(link) {
                    conn.queued = false;
                }
            }
            Progress::Gone => {}
        }
    }

    /// Reads once, and hands over the frames that are complete.
    fn read_frames(&mut self, link: Link) -> Progress {
        let Some(conn) = self.io.get_mut(link) else {
            return Progress::Gone;
        };
        let mut scratch = std::mem::take(&mut self.scratch);
        let mut filled = conn.partial.len();
        scratch[..filled].copy_from_slice(&conn.partial);
        conn.partial.clear();
        let mut progress = Progress::More;
        if !std::mem::take(&mut conn.unparsed) {
            let to = &mut scratch[filled..filled + READ_BYTES];
            match conn.stream.read(to) {
                Ok(0) => progress = Progress::Gone,
                Ok(count) => {
                    filled += count;
                    if count < READ_BYTES && !conn.read_closed {
                        progress = Progress::Drained;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    progress = Progress::Drained;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => progress = Progress::Gone,
            }
        }
        if progress == Progress::Gone {
            self.end(link, Ending::Closed);
        } else {
            let used = self.take_frames(link, &mut scratch[..filled]);
            progress = self.keep_rest(link, &scratch[used..filled], progress);
        }
        self.scratch = scratch;
        progress
    }

    fn keep_rest(&mut self, link: Link, rest: &[u8], progress: Progress) -> Progress {
        let Some(conn) = self.io.get_mut(link) else {
            return Progress::Gone;
        };
        conn.partial.extend_from_slice(rest);
        if rest.is_empty() && conn.partial.capacity() > READ_BYTES {
            // Idle sessions are small.
            conn.partial = Vec::new();
        }
        if conn.unparsed {
            return Progress::Paused;
        }
        progress
    }

    /// Hands frames to the core as long as it takes them. Returns the bytes used.
    fn take_frames(&mut self, link: Link, bytes: &mut [u8]) -> usize {
        let mut used = 0;
        let Some((session, daemon)) = self
            .io
            .get(link)
            .and_then(|conn| conn.session.map(|session| (session, conn.daemon)))
        else {
            return used;
        };
        while let Some(wire) = bytes[used..].first_chunk::<HEADER_LEN>() {
            if self.io.is_in_grace() || self.core.is_congested(daemon) {
                if let Some(conn) = self.io.get_mut(link) {
                    conn.unparsed = true;
                }
                break;
            }
            let header = Header::decode(wire);
            match self.core.check(session, &header) {
                Verdict::Accepted => {}
                Verdict::Drop(violation) => {
                    self.end(link, Ending::Violation(violation));
                    break;
                }
                Verdict::DaemonAborts => {
                    self.core.kill(daemon, &mut self.io);
                    break;
                }
            }
            let Ok(layout) = FrameLayout::of(&header, Direction::ToDaemon) else {
                // Refused by the check.
                break;
            };
            let end = used + HEADER_LEN + layout.total();
            let Some(frame) = bytes.get_mut(used..end) else {
                break;
            };
            self.core.frame(session, &header, frame, &mut self.io);
            used = end;
            if self.io.get(link).is_none() {
                break;
            }
        }
        used
    }
}
