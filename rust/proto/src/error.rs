//! What can be wrong with bytes from the network.

/// Why bytes are not a frame, or not a membership body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A header with a negative number of groups. The stream is out of step: there is no way to
    /// find the next header.
    #[error("frame with a negative number of groups ({0})")]
    NegativeGroups(i32),
    /// A header with a negative body length. The stream is out of step.
    #[error("frame with a negative body length ({0})")]
    NegativeLength(i32),
    /// More groups than the decoder's limit.
    #[error("frame with {groups} groups, at most {max} are accepted")]
    TooManyGroups {
        /// What the header says.
        groups: usize,
        /// The limit.
        max: usize,
    },
    /// More bytes after the header than the decoder's limit.
    #[error("frame with {bytes} bytes after the header, at most {max} are accepted")]
    FrameTooLarge {
        /// What the header says; `usize::MAX` if it does not fit.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A membership body ends before what its own counts announce.
    #[error(
        "membership body of {len} bytes ends before the {needed} bytes that its counts announce"
    )]
    BodyTooShort {
        /// Bytes needed up to the place where it was noticed; `usize::MAX` if they do not fit.
        needed: usize,
        /// Bytes that are there.
        len: usize,
    },
    /// A membership body goes on after its last set.
    #[error("membership body with {0} bytes after its last set")]
    TrailingBytes(usize),
    /// The offset of the receiver's own set points at no set.
    #[error("membership body whose own set's offset ({0}) is not the start of a set")]
    BadSetOffset(u32),
}
