//! Blocks as they stand in an archive, and what they are decoded with.

use std::io::{Read, Seek};

use super::{Block, Frame};
use crate::codec::content::Content;
use crate::codec::context::BlockContext;
use crate::codec::decode::RawBlock;
use crate::error::{Error, Result};
use crate::format::{BlockHead, FormatError, FrameKind, Limits, ShortFrame};
use crate::options::{DecoderOptions, Resolved};
use crate::progress::BlockProgress;
use crate::window::{Window, read_up_to};

/// A block as it stands in the archive.
pub struct Stored {
    pub block: Block,
    pub number: u64,
    pub head: BlockHead,
    /// What follows the head, as far as it has been read.
    pub bytes: Vec<u8>,
    /// How much that is.
    pub whole: usize,
}

impl Stored {
    /// The block, when all that follows the head has been read.
    pub fn into_raw(self) -> RawBlock {
        RawBlock::new(self.head, self.bytes)
    }
}

/// Reads a block's head, which must say what its frame's index does.
pub fn fetch_head<R: Read + Seek>(
    inner: &mut R,
    frame: &Frame,
    number: usize,
    limits: &Limits,
) -> Result<Stored> {
    const FIRST: u64 = 256;
    let block = frame.blocks[number];
    let format = |source| Error::Format { at: block.offset, source };
    let most = block.compressed_len.min(BlockHead::longest(limits));
    let mut window = Window::new(0, 0);
    let (head, n) = window.parse(inner, block.offset, FIRST, most, |input| match frame.kind {
        FrameKind::Short => ShortFrame::read(input).map(ShortFrame::into_head),
        _ => BlockHead::read(input, frame.models.len(), limits),
    })?;
    let whole = head.coded.saturating_add(frame.check_len() as u64);
    if head.raw != block.uncompressed_len
        || Some(block.compressed_len) != whole.checked_add(n as u64)
    {
        return Err(format(FormatError::Malformed {
            what: "index",
            found: "other lengths than a block's head",
        }));
    }
    if head.last != (number + 1 == frame.blocks.len()) {
        let found = "the mark of a frame's last block on another block, or not on it";
        return Err(format(FormatError::Malformed { what: "block head", found }));
    }
    let whole = usize::try_from(whole).map_err(|_| format(FormatError::Incomplete))?;
    // The inner reader stands behind what the window holds.
    let bytes = window.get(inner, block.offset + n as u64, 0)?.to_vec();
    Ok(Stored { block, number: number as u64, head, bytes, whole })
}

/// Reads what follows a block's head.
pub fn fetch_rest<R: Read>(inner: &mut R, stored: &mut Stored) -> Result<()> {
    read_up_to(inner, &mut stored.bytes, stored.whole)?;
    if stored.bytes.len() < stored.whole {
        return Err(Error::Format { at: stored.block.offset, source: FormatError::Incomplete });
    }
    Ok(())
}

/// Decodes a block from its bytes in the archive. They are believed no more than those of a stream.
pub fn decode(
    stored: Stored,
    resolved: Option<&Resolved>,
    options: &DecoderOptions,
    threads: usize,
) -> Result<Content> {
    let Block { offset, content_offset, .. } = stored.block;
    let number = stored.number;
    let context = resolved.map(|resolved| resolved.context(threads, options.cancel.as_ref()));
    let context = context.unwrap_or_else(|| BlockContext::to_decode(&[], None, threads));
    let progress = BlockProgress::new(options.progress.as_ref(), stored.head.raw);
    let context = BlockContext { progress: progress.as_ref(), ..context };
    stored
        .into_raw()
        .decode(&context)
        .map_err(|source| Error::of_block(number, offset, content_offset, source))
}
