//! What an archive holds, without its content: frames and blocks.

use crate::format::{CHECK, FrameKind, ModelRef, Origins, SHORT_CHECK};
use crate::options::Needs;

/// A block, or the whole of a short frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Block {
    /// Where it begins in the archive.
    pub offset: u64,
    /// Where its content begins in the content of the archive.
    pub content_offset: u64,
    /// Bytes in the archive, head and check included.
    pub compressed_len: u64,
    /// Bytes of content.
    pub uncompressed_len: u64,
}

impl Block {
    /// Where its content ends in the content of the archive.
    pub(super) fn content_end(&self) -> u64 {
        self.content_offset + self.uncompressed_len
    }
}

/// A frame and its blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Where it begins in the archive.
    pub offset: u64,
    /// Bytes in the archive.
    pub compressed_len: u64,
    /// Whether it is a full frame, a short one or one that is passed over.
    pub kind: FrameKind,
    /// What its blocks may be predicted by; of a short frame what it is predicted by.
    pub models: Vec<ModelRef>,
    /// Where models of the frame were got on the hub, by their number.
    pub origins: Origins,
    /// The hash of the dictionary that its blocks need, or how it begins (in short frames).
    pub dictionary: Option<Vec<u8>>,
    /// Its blocks, in order.
    pub blocks: Vec<Block>,
}

impl Frame {
    /// Bytes of content.
    pub fn uncompressed_len(&self) -> u64 {
        self.blocks.iter().map(|b| b.uncompressed_len).sum()
    }

    /// What its blocks need to be decoded.
    pub(crate) fn needs(&self) -> Needs<'_> {
        let Self { models, origins, dictionary, .. } = self;
        Needs { models, origins, dictionary: dictionary.as_deref() }
    }

    /// Bytes of a block's check.
    pub(super) fn check_len(&self) -> usize {
        if self.kind == FrameKind::Short { SHORT_CHECK } else { CHECK }
    }
}
