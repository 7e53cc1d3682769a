//! The archive format, as bytes: headers, block heads, index, trailer. Knows no model.
//!
//! Defined in `docs/FORMAT.md`; the names here are those of that text. Everything is parsed from
//! slices: [`FormatError::Incomplete`] asks a streaming reader for more bytes.

mod block;
mod bytes;
mod device;
mod frame;
mod hub_name;
mod layout;
mod printable;
mod registry;
mod short;

pub use block::{BlockHead, Method};
pub use bytes::{Input, check32, content_check, put_varint};
pub use device::{DeviceBoundEntry, Numerics};
pub use frame::{
    DictionaryHash, Entry, FrameHeader, FrameKind, Index, ModelRef, Origins, TRAILER_BYTES,
    Trailer, start,
};
pub use hub_name::{HubName, is_commit, is_part};
pub use layout::{Layout, Segment};
pub use printable::{Printable, printable};
pub use registry::{REGISTERED, Registered};
pub use short::{PPM_MEMORY, PPM_ORDER, ShortFrame, ShortModel};

/// The version of the format, 1.0: the major number in the upper four bits, the minor in the lower.
/// It changes when the frames do; what they hold grows by codec numbers, models and header fields.
pub const VERSION: u8 = 0x10;

/// A version as people write it.
fn dotted(version: u8) -> String {
    format!("{}.{}", version >> 4, version & 15)
}

/// Bytes of a block's content check.
pub const CHECK: usize = 8;
/// Bytes of a short frame's content check: the first ones of what a block would have.
pub const SHORT_CHECK: usize = 4;

/// Bytes of content in a block unless something else is asked for: 4 MiB.
pub const BLOCK: usize = 4 << 20;

/// Bounds on what a reader accepts, whatever the bytes claim.
///
/// ```
/// let limits = lmz::Limits::default().memory(1 << 30).content(1 << 20);
/// assert_eq!(limits.content, 1 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The most raw bytes of one block.
    pub block: u64,
    /// The most segments of one block, and the most streams.
    pub segments: u64,
    /// The most models in a frame's table.
    pub models: usize,
    /// The most bytes of one header field.
    pub field: u64,
    /// The most raw bytes of the whole archive.
    pub content: u64,
    /// Bytes of memory that reading an archive may take: blocks at once become fewer until they
    /// fit, and one that needs more by itself is refused.
    pub memory: u64,
    /// Raw bytes that models may have to predict for each byte of the archive, after the first
    /// [`FREE_WORK`](Self::FREE_WORK). The time that an archive takes is in proportion to them.
    pub expansion: u64,
}

impl Limits {
    /// Bytes of memory that a run may take unless something else is asked for: 4 GiB.
    pub const MEMORY: u64 = 4 << 30;

    /// Raw bytes that models may predict before [`expansion`](Self::expansion) counts: 1 MiB.
    pub const FREE_WORK: u64 = 1 << 20;

    /// Sets the most raw bytes of one block.
    pub fn block(mut self, bytes: u64) -> Self {
        self.block = bytes;
        self
    }

    /// Sets the most segments of one block, and the most streams.
    pub fn segments(mut self, count: u64) -> Self {
        self.segments = count;
        self
    }

    /// Sets the most models in a frame's table.
    pub fn models(mut self, count: usize) -> Self {
        self.models = count;
        self
    }

    /// Sets the most bytes of one header field.
    pub fn field(mut self, bytes: u64) -> Self {
        self.field = bytes;
        self
    }

    /// Sets the most raw bytes of the whole archive.
    pub fn content(mut self, bytes: u64) -> Self {
        self.content = bytes;
        self
    }

    /// Sets the most bytes of memory that reading an archive may take.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Sets the most raw bytes that models may have to predict for each byte of the archive.
    pub fn expansion(mut self, bytes: u64) -> Self {
        self.expansion = bytes;
        self
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            block: 1 << 30,
            segments: 1024,
            models: 16,
            field: 64 << 10,
            content: u64::MAX,
            memory: Self::MEMORY,
            expansion: u64::MAX,
        }
    }
}

/// Bytes that are not what the format says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FormatError {
    /// The bytes end inside a part; with more of them it may be fine.
    #[error("the archive ends in the middle of a part")]
    Incomplete,
    /// No frame begins here.
    #[error("not an lmz frame: it begins with {found:02x?}")]
    NotAFrame {
        /// The first bytes, four at most.
        found: Vec<u8>,
    },
    /// Written by another version.
    #[error("format version {}; this program reads {}: use the lmz that wrote the \
        archive", dotted(*found), dotted(VERSION))]
    Version {
        /// The version: the major number in the upper four bits, the minor in the lower.
        found: u8,
    },
    /// A part whose check does not fit.
    #[error("damaged: the check of the {what} does not fit")]
    BadCheck {
        /// Which part.
        what: &'static str,
    },
    /// A part that holds something that cannot be.
    #[error("damaged: the {what} holds {found}")]
    Malformed {
        /// Which part.
        what: &'static str,
        /// What it holds.
        found: &'static str,
    },
    /// A part that a newer program may know.
    #[error("{what} {found} is not known to this program: a newer lmz may read it")]
    Unknown {
        /// What it would be.
        what: &'static str,
        /// The number that is not known.
        found: u64,
    },
    /// More than the reader's limits allow.
    #[error("{what}: {found} is over the limit of {limit}")]
    OverLimit {
        /// What is too much.
        what: &'static str,
        /// How much the archive claims.
        found: u64,
        /// How much is allowed.
        limit: u64,
    },
}

/// Bytes in hexadecimal digits, as people write hashes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// An error unless `found` is within `limit`.
pub(crate) fn within(what: &'static str, found: u64, limit: u64) -> Result<u64, FormatError> {
    if found <= limit { Ok(found) } else { Err(FormatError::OverLimit { what, found, limit }) }
}
