//! What an encoder or decoder tells of each block.

use std::fmt;

pub use crate::codec::reason::Reason;
use crate::format::Method;

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockReport {
    /// Bytes of content.
    pub uncompressed_len: u64,
    /// Coded bytes, without head and checks.
    pub compressed_len: u64,
    /// How it is coded.
    pub method: Method,
    /// Streams that it is coded in.
    pub streams: usize,
    /// Why the encoder chose this method; a decoder does not know.
    pub reason: Option<Reason>,
}

/// What is called for each block.
#[derive(Default)]
pub(crate) struct OnBlock(pub Option<Box<dyn FnMut(BlockReport) + Send>>);

impl fmt::Debug for OnBlock {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(if self.0.is_some() { "OnBlock(..)" } else { "OnBlock(none)" })
    }
}
