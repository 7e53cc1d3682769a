//! Codec 2 with a neural language model: what the model alone makes of a block, the figure that
//! papers report. Streams advance in lock step, one token each; every token goes down the byte trie
//! as in [`walk`], nothing else predicts.

use super::joint::Block;
use super::range::{Coder, Encoder};
use super::rows::{Reading, Rows, Sums};
use super::streams::Next;
use super::{crew, streams, walk};
use crate::dictionary;
use crate::error::CodecError;
use crate::format::{BlockHead, Layout, Method};
use crate::vocab::START;

/// The most raw bytes that a block of so many coded bytes may hold: as in codec 4, because its time
/// is the network's too.
pub fn most_raw(coded: usize) -> u64 {
    Method::Joint.most_raw(coded as u64)
}

/// The bitstream of a block.
pub fn encode(block: &Block, raw: &[u8]) -> Vec<u8> {
    let mut coder = Encoder::default();
    run(block, &mut coder, Some(raw)).expect("encoding cannot fail");
    coder.finish()
}

/// Appends the raw bytes of a block to `out`. `coder` reads its coded bytes, of which there are so
/// many.
pub fn decode<C: Coder>(
    block: &Block,
    coder: &mut C,
    coded: usize,
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let claimed = block.layout.read();
    if claimed > most_raw(coded) || block.layout.streams > BlockHead::most_streams(claimed) {
        return Err(CodecError::TooShort);
    }
    out.extend(run(block, coder, None)?);
    Ok(())
}

fn run<C: Coder>(block: &Block, coder: &mut C, raw: Option<&[u8]>) -> Result<Vec<u8>, CodecError> {
    let first = dictionary::first(block.dictionary, block.model);
    crew::work(
        block.model.network(),
        &first,
        block.layout.streams as usize,
        block.threads,
        |crew| steps(coder, crew, block.model, block.layout, raw),
    )
}

/// The step function of encoder and decoder. `raw`: what to encode; nothing when decoding. What the
/// streams have read comes out.
pub fn steps<C: Coder, R: Rows>(
    coder: &mut C,
    rows: &mut R,
    mut reading: impl Reading,
    layout: &Layout,
    raw: Option<&[u8]>,
) -> Result<Vec<u8>, CodecError> {
    let mut streams = streams::of(layout);
    let mut out = vec![0; layout.read() as usize];
    let mut open = rows.groups();
    while open > 0 {
        let mut first = None;
        for number in 0..rows.groups() {
            let Some(mut group) = rows.take(number)? else { continue };
            for row in &mut group.rows {
                let place = streams.at(row.number);
                let at = place.left.start;
                coder.at(at);
                let known =
                    raw.map_or(START, |raw| reading.next(place.stripe, &raw[place.left.clone()]));
                row.token = walk::token(coder, reading.vocabulary(), row.stream.sums(), known)?;
                coder.check()?;
                coder.token(reading.vocabulary(), row.stream.sums(), row.token);
                let bytes = reading.vocabulary().token(row.token);
                if bytes.len() > place.left.len() {
                    return Err(CodecError::NotACodeword);
                }
                out[at..at + bytes.len()].copy_from_slice(bytes);
                row.ended = streams.advance(row.number, row.token, bytes.len()) == Next::End;
            }
            group.rows.retain(|row| !row.ended);
            if let Some(row) = group.rows.first() {
                first = first.or(Some(streams.at(row.number).left.start));
                rows.give(number, group);
            } else {
                open -= 1;
            }
        }
        if let Some(at) = first {
            rows.check(coder, at)?;
        }
    }
    Ok(out)
}
