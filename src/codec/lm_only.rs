//! Codec 2 with a neural language model: what the model alone makes of a block, the figure that
//! papers report. Streams advance in lock step, one token each; every token goes down the byte trie
//! as in [`walk`](super::walk), nothing else predicts.

use super::cost::Metered;
use super::lm_cm::{ENCODING, LmBlock};
use super::range::Coder;
use super::scheduler::{BatchScheduler, Cut, Reading};
use super::steps::Predict;
use super::streams::Streams;
use super::walk::Walk;
use super::{lead, pipeline, streams, windows};
use crate::error::CodecError;
use crate::format::{BlockHead, Layout, Method};
use crate::vocab::Token;
use std::ops::Range;
use std::sync::Arc;

/// The most raw bytes that a block of `coded` bytes may hold: as in codec 4, because its time is
/// the network's too.
pub fn most_raw(coded: usize) -> u64 {
    Method::LmCm.most_raw(coded as u64)
}

/// The bitstream of a block.
pub fn encode(block: &LmBlock, raw: &[u8]) -> Vec<u8> {
    let mut coder = Metered::new(raw.len(), raw.len()).told_to(block.progress);
    encode_by(&mut coder, block, raw).expect(ENCODING);
    coder.finish().0
}

/// Encodes a block by a coder, whose errors come out.
pub fn encode_by<C: Coder>(coder: &mut C, block: &LmBlock, raw: &[u8]) -> Result<(), CodecError> {
    let mut reading = Cut::new(block.model, block.layout, Some(raw));
    let mut streams = streams::of(block.layout);
    let (lead, tokens) =
        windows::tokens(reading.clone(), streams::of(block.layout), raw, block.has_lead());
    let mut predict = Alone::new(block.layout);
    let mut first = block.first();
    if let Some(reader) = block.reader(lead) {
        let read = lead::run(coder, reader, &mut reading, &mut streams, Some(raw), &mut predict)?;
        first = Arc::new(read);
    }
    windows::run(block.model.network(), &first, tokens, block.threads, |rows| {
        steps(coder, rows, reading, streams, Some(raw), predict)
    })
    .map(drop)
}

/// Codes a block of one stream whose tokens are not known beforehand, as [`LmBlock::sample`] does.
pub fn sample<C: Coder>(
    coder: &mut C,
    block: &LmBlock,
    raw: &[u8],
    reading: Cut,
) -> Result<(), CodecError> {
    let (streams, predict) = (streams::of(block.layout), Alone::new(block.layout));
    let open = streams.open();
    pipeline::run(block.model.network(), &block.first(), &open, block.threads, |rows| {
        steps(coder, rows, reading, streams, Some(raw), predict).map(drop)
    })
}

/// Appends the raw bytes of a block to `out`. `coder` reads its bytes, whose number is `coded`.
pub fn decode<C: Coder>(
    block: &LmBlock,
    coder: &mut C,
    coded: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let claimed = block.layout.read();
    if claimed > most_raw(coded) || block.layout.streams > BlockHead::most_streams(claimed) {
        return Err(CodecError::TooShort);
    }
    let mut reading = Cut::new(block.model, block.layout, None);
    let (mut streams, mut predict) = (streams::of(block.layout), Alone::new(block.layout));
    let mut first = block.first();
    if let Some(reader) = block.reader(Vec::new()) {
        let read = lead::run(coder, reader, &mut reading, &mut streams, None, &mut predict)?;
        first = Arc::new(read);
    }
    let open = streams.open();
    let read = pipeline::run(block.model.network(), &first, &open, block.threads, |rows| {
        steps(coder, rows, reading, streams, None, predict)
    })?;
    out.extend(read);
    Ok(())
}

/// The streams of a block, by a model alone: the step function of encoder and decoder. `raw`: what
/// to encode; nothing when decoding. What the streams have read comes out.
pub fn steps<C: Coder, R: BatchScheduler>(
    coder: &mut C,
    rows: &mut R,
    reading: impl Reading,
    streams: Streams,
    raw: Option<&[u8]>,
    mut predict: Alone,
) -> Result<Vec<u8>, CodecError> {
    super::steps::steps(coder, rows, reading, streams, raw, &mut predict)?;
    Ok(predict.out)
}

/// Tokens by the model's own masses.
pub struct Alone {
    out: Vec<u8>,
}

impl Alone {
    /// Before a block.
    pub fn new(layout: &Layout) -> Self {
        Self { out: vec![0; layout.read() as usize] }
    }
}

impl Predict for Alone {
    fn token<C: Coder>(
        &mut self,
        coder: &mut C,
        walk: &Walk,
        _: usize,
        known: Token,
    ) -> Result<Token, CodecError> {
        walk.alone(coder, known)
    }

    fn coded(&mut self, _: usize, _: Token, left: &Range<usize>, bytes: &[u8]) {
        self.out[left.start..][..bytes.len()].copy_from_slice(bytes);
    }
}
