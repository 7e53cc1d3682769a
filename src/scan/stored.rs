//! Blocks as they stand in an archive, and what they are decoded with.

use std::io::{Read, Seek, SeekFrom};

use super::{Block, Frame};
use crate::codec::block::{self, Content};
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::format::{BlockHead, FormatError, Input, Limits, ShortFrame, Start};
use crate::options::DecodeOptions;
use crate::window::read_up_to;

/// What a frame's blocks are decoded with, by the frame's number.
pub struct Resolved {
    pub frame: usize,
    pub models: Vec<block::Model>,
    pub dictionary: Option<Dictionary>,
}

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

/// Reads a block's head, which must say what its frame's index does.
pub fn fetch_head<R: Read + Seek>(
    inner: &mut R,
    frame: &Frame,
    number: usize,
    limits: &Limits,
) -> Result<Stored> {
    const FIRST: u64 = 256;
    let block = frame.blocks[number];
    let format = |source| Error::Format { at: block.at, source };
    inner.seek(SeekFrom::Start(block.at))?;
    let (mut bytes, mut want) = (Vec::new(), FIRST.min(block.bytes));
    let (head, n) = loop {
        read_up_to(inner, &mut bytes, want as usize)?;
        let mut input = Input::new(&bytes);
        let head = match frame.kind {
            Start::Short => ShortFrame::read(&mut input).map(ShortFrame::into_head),
            _ => BlockHead::read(&mut input, frame.models.len(), limits),
        };
        let more = want < block.bytes.min(BlockHead::longest(limits)) && bytes.len() as u64 == want;
        match head {
            Err(FormatError::Incomplete) if more => want = want.saturating_mul(8).min(block.bytes),
            head => break (head.map_err(format)?, input.position()),
        }
    };
    let check = if frame.kind == Start::Short { 4 } else { 8 };
    let whole = head.coded.saturating_add(check);
    if head.raw != block.raw || Some(block.bytes) != whole.checked_add(n as u64) {
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
    bytes.drain(..n);
    Ok(Stored { block, number: number as u64, head, bytes, whole })
}

/// Reads what follows a block's head.
pub fn fetch_rest<R: Read>(inner: &mut R, stored: &mut Stored) -> Result<()> {
    read_up_to(inner, &mut stored.bytes, stored.whole)?;
    if stored.bytes.len() < stored.whole {
        return Err(Error::Format { at: stored.block.at, source: FormatError::Incomplete });
    }
    Ok(())
}

/// Decodes a block from its bytes in the archive. They are believed no more than those of a stream.
pub fn decode(
    stored: Stored,
    resolved: Option<&Resolved>,
    options: &DecodeOptions,
    threads: usize,
) -> Result<Content> {
    let Stored { block: Block { at, raw_at, .. }, number, head, bytes: mut coded, .. } = stored;
    let (models, dictionary) =
        resolved.map_or((&[][..], None), |r| (&r.models, r.dictionary.as_ref()));
    let check = coded.split_off(head.coded as usize);
    let context = options.context(models, dictionary, threads);
    block::content(&head, coded, &check, &context)
        .map_err(|source| Error::of_block(number, at, raw_at, source))
}
