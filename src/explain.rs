//! Where the bits go: what each token of a content costs in its archive, and what the language
//! model had said of it.
//!
//! An archive is decoded by the step function that always decodes, with a decoder that takes notes
//! ([`codec::trace`](crate::codec::trace)). So the costs are those of the archive's own bytes,
//! however the encoder came to its choices: they sum to the coded size of each block, within what
//! the range coder rounds.

use std::io::Cursor;
use std::ops::Range;

use crate::archive::{self, Archive};
use crate::codec::context::BlockContext;
use crate::codec::decode::RawBlock;
use crate::codec::memory;
use crate::codec::range::Coder;
pub use crate::codec::trace::Prediction;
use crate::codec::trace::{self, TokenTrace, TracingDecoder};
use crate::copy::compress_with;
use crate::error::{CodecError, Error, Result};
use crate::exact::fpstate::{Exact, exact};
use crate::format::{BlockHead, Method};
use crate::options::{DecoderOptions, EncoderOptions};

/// Bytes that what is noted of a byte of content takes, at most.
const NOTE: u64 = 256;

/// What the first bytes of a content cost, and how its archive holds them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Explanation {
    /// Bytes of the content.
    pub raw: u64,
    /// Bytes of the archive.
    pub archive: u64,
    /// The blocks that hold what is explained, in order.
    pub blocks: Vec<BlockCost>,
    /// What the content begins with, without a gap: tokens where a language model reads, elsewhere
    /// single bytes.
    pub tokens: Vec<TokenCost>,
}

/// What a block of an archive costs.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BlockCost {
    /// Bytes of the content.
    pub range: Range<u64>,
    /// How it is coded.
    pub method: Method,
    /// Coded bytes, without head and check.
    pub coded: u64,
    /// The ideal code length of the whole block, in bits: the range coder adds less than two bytes.
    pub bits: f64,
    /// The parts that were coded as one sequence each, in order; a single one where the method knows
    /// no parts.
    pub segments: Vec<SegmentCost>,
}

/// A segment of a block, and whether the model reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SegmentCost {
    /// Bytes of the content.
    pub range: Range<u64>,
    /// Whether a language model reads it.
    pub read: bool,
}

/// A token, or a byte that is coded by itself, and what it costs.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenCost {
    /// Bytes of the content.
    pub range: Range<u64>,
    /// What it costs in the archive: the sum of -log2 of the probabilities of its decisions.
    pub bits: f64,
    /// What the language model alone had said; nothing where none reads.
    pub said: Option<Prediction>,
}

/// Compresses a content and explains what begins in its first `limit` bytes. It takes as long as compressing all
/// and decompressing the blocks that hold those bytes; memory: as both, and about 150 bytes for
/// each token.
///
/// ```
/// let explanation = lmz::explain(b"Some words, and some words.", &lmz::EncoderOptions::new(), u64::MAX)?;
/// let bits: f64 = explanation.tokens.iter().map(|token| token.bits).sum();
/// assert!((bits / 8.0 - explanation.blocks[0].coded as f64).abs() < 2.0);
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// Where compressing or decompressing gives one.
pub fn explain(raw: &[u8], options: &EncoderOptions, limit: u64) -> Result<Explanation> {
    exact(|_| explain_archive(&compress_with(raw, options)?, &options.decoding(), limit))
}

/// Explains what begins in the first `limit` bytes of an archive.
///
/// # Errors
///
/// Where decoding those bytes gives one.
pub fn explain_archive(
    archive: &[u8],
    options: &DecoderOptions,
    limit: u64,
) -> Result<Explanation> {
    exact(|fp| watch_archive(fp, archive, options, limit))
}

fn watch_archive(
    fp: Exact,
    bytes: &[u8],
    options: &DecoderOptions,
    limit: u64,
) -> Result<Explanation> {
    let mut scan = Archive::open(Cursor::new(bytes), options.clone())?;
    let mut out = Explanation {
        raw: scan.uncompressed_len(),
        archive: bytes.len() as u64,
        ..Explanation::default()
    };
    for frame in scan.frames().to_vec() {
        let resolved = scan.resolve_frame(&frame)?;
        let context = resolved.context(options.threads, options.cancel.as_ref());
        let wanted = |b: &archive::Block| b.uncompressed_len > 0 && b.content_offset < limit;
        for (number, b) in frame.blocks.iter().enumerate().filter(|(_, b)| wanted(b)) {
            let failed =
                |source| Error::of_block(number as u64, b.offset, b.content_offset, source);
            let block = scan.block(&frame, number)?;
            let noted = (limit - b.content_offset).min(b.uncompressed_len);
            let notes = noted.saturating_mul(NOTE);
            let needed = memory::decoding(&block.head, &context).saturating_add(notes);
            memory::allow("a block and what is said of it", needed, options.limits.memory)?;
            memory::available(needed).map_err(failed)?;
            let (cost, notes) = trace(fp, &block, &context, noted as usize).map_err(failed)?;
            out.add(b.content_offset, cost, notes);
        }
    }
    Ok(out)
}

impl Explanation {
    /// Takes a block that begins at `at`.
    fn add(&mut self, at: u64, mut block: BlockCost, notes: Vec<TokenTrace>) {
        block.range = at..at + block.range.end;
        for segment in &mut block.segments {
            segment.range = at + segment.range.start..at + segment.range.end;
        }
        self.blocks.push(block);
        self.tokens.extend(notes.into_iter().map(
            |TokenTrace { at: begin, length, bits, said }| {
                let begin = at + begin as u64;
                TokenCost { range: begin..begin + length as u64, bits, said }
            },
        ));
    }
}

/// Decodes a block and takes notes of its first `limit` bytes. Ranges count from its beginning.
fn trace(
    fp: Exact,
    block: &RawBlock,
    context: &BlockContext,
    limit: usize,
) -> Result<(BlockCost, Vec<TokenTrace>), CodecError> {
    let BlockHead { method, raw, ref layout, .. } = block.head;
    let coded = &block.coded;
    let mut decoder = TracingDecoder::new(fp, coded, limit, context.cancel);
    block.decode_by(&mut (&mut decoder as &mut dyn Coder), context)?;
    let (mut notes, mut bits) = decoder.finish();
    if matches!(method, Method::Stored | Method::Rle) {
        (notes, bits) = trace::share(fp, coded.len(), raw, limit);
    }
    let mut begin = 0;
    let mut parts: Vec<SegmentCost> = Vec::with_capacity(layout.segments.len());
    for segment in &layout.segments {
        let range = begin..begin + segment.length;
        begin = range.end;
        parts.push(SegmentCost { range, read: segment.model.is_some() });
    }
    if parts.is_empty() {
        parts.push(SegmentCost { range: 0..raw, read: false });
    }
    Ok((
        BlockCost { range: 0..raw, method, coded: coded.len() as u64, bits, segments: parts },
        notes,
    ))
}
