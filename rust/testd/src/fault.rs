//! What can be done to single connections.

use std::fmt;
use std::time::Duration;

/// Something wrong with the stream between a daemon and one client.
///
/// Positions count the bytes that the daemon has sent since the fault was set; for a fault that was
/// set [before the connection](crate::Control::fault_next) they count from its first byte, which is
/// the handshake's. Messages that are held back by a fault count as waiting: too many of them end
/// the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum StreamFault {
    /// Not more than so many bytes at a time, and a pause after each time. At least one byte.
    Trickle {
        /// Bytes per write.
        bytes: usize,
        /// The pause.
        pause: Duration,
    },
    /// Everything is written so much later.
    Delay(Duration),
    /// The daemon reads nothing from the client.
    StallReading,
    /// The daemon writes nothing to the client.
    StallWriting,
    /// All bits of the byte at this position are inverted.
    CorruptAt(u64),
    /// The connection is closed after so many bytes.
    TruncateAt(u64),
}

impl fmt::Display for StreamFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trickle { bytes, pause } => {
                write!(
                    f,
                    "{bytes} bytes at a time, {} ms between",
                    pause.as_millis()
                )
            }
            Self::Delay(delay) => write!(f, "delay of {} ms", delay.as_millis()),
            Self::StallReading => f.write_str("nothing is read"),
            Self::StallWriting => f.write_str("nothing is written"),
            Self::CorruptAt(at) => write!(f, "byte {at} is inverted"),
            Self::TruncateAt(at) => write!(f, "closed after {at} bytes"),
        }
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseHow {
    /// As any close: the client reads what has been written, then the end of the stream.
    Normal,
    /// With a reset: what the client has not read yet may be lost. On unix sockets the same as
    /// [`Normal`](Self::Normal).
    Reset,
    /// As normal, but the daemon does not notice: the session stays a member of its groups and
    /// keeps its name until it is [released](crate::Control::release). So it is with a client whose
    /// machine has vanished, or with a daemon that was frozen when its client left.
    Ghost,
}

/// A session, for those outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionInfo {
    /// Its private group, such as `#alice#d1`.
    pub private_group: String,
    /// Its daemon, by number.
    pub daemon: usize,
    /// Messages that are waiting to be written to it.
    pub waiting: usize,
    /// It has no connection: a name that is held, or a session whose client is gone.
    pub ghost: bool,
}
