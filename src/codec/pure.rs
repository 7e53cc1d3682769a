//! Codec 2 with a neural language model: what the model alone makes of a block, the figure that papers report. Streams
//! advance in lock step, one token each; every token goes down the byte trie as in [`walk`], nothing else predicts.

use super::joint::Block;
use super::range::{Coder, Encoder};
use super::rows::{Reading, Rows, Sums};
use super::{crew, walk};
use crate::dictionary;
use crate::error::CodecError;
use crate::format::{BlockHead, Method, Segment};
use crate::vocab::START;

/// The most raw bytes that a block of so many coded bytes may hold: as in codec 4, because its time is the network's too.
pub fn most_raw(coded: usize) -> u64 {
    Method::Joint.most_raw(coded as u64)
}

/// The bitstream of a block.
pub fn encode(block: &Block, raw: &[u8]) -> Vec<u8> {
    let mut coder = Encoder::default();
    run(block, &mut coder, Some(raw)).expect("encoding cannot fail");
    coder.finish()
}

/// Appends the raw bytes of a block to `out`. `coder` reads its coded bytes, of which there are so many.
pub fn decode<C: Coder>(block: &Block, coder: &mut C, coded: usize, out: &mut Vec<u8>) -> Result<(), CodecError> {
    let claimed: u64 = block.segments.iter().map(|s| s.length).sum();
    if claimed > most_raw(coded) || block.segments.len() as u64 > BlockHead::most_streams(claimed) {
        return Err(CodecError::TooShort);
    }
    run(block, coder, None)?.iter().for_each(|stream| out.extend_from_slice(stream));
    Ok(())
}

fn run<C: Coder>(block: &Block, coder: &mut C, raw: Option<&[u8]>) -> Result<Vec<Vec<u8>>, CodecError> {
    let first = dictionary::first(block.dictionary, block.model);
    crew::work(block.model.network(), &first, block.segments.len(), block.threads, |crew| {
        steps(coder, crew, block.model, block.segments, raw)
    })
}

/// The step function of encoder and decoder. `raw`: what to encode; nothing when decoding. The streams come out.
pub fn steps<C: Coder, R: Rows>(
    coder: &mut C,
    rows: &mut R,
    mut reading: impl Reading,
    segments: &[Segment],
    raw: Option<&[u8]>,
) -> Result<Vec<Vec<u8>>, CodecError> {
    let mut begins = Vec::with_capacity(segments.len());
    let mut begin = 0;
    for segment in segments {
        begins.push(begin);
        begin += segment.length as usize;
    }
    let mut streams = vec![Vec::new(); segments.len()];
    let mut open = rows.groups();
    while open > 0 {
        let mut first = None;
        for number in 0..rows.groups() {
            let Some(mut group) = rows.take(number)? else { continue };
            for row in &mut group.rows {
                let stream: &mut Vec<u8> = &mut streams[row.number];
                let (begin, length) = (begins[row.number], segments[row.number].length as usize);
                let at = begin + stream.len();
                coder.at(at);
                let known = raw.map_or(START, |raw| reading.next(row.number, &raw[at..begin + length]));
                row.token = walk::token(coder, reading.vocabulary(), row.stream.sums(), known)?;
                coder.check()?;
                coder.token(reading.vocabulary(), row.stream.sums(), row.token);
                stream.extend_from_slice(reading.vocabulary().token(row.token));
                if stream.len() > length {
                    return Err(CodecError::NotACodeword);
                }
            }
            group.rows.retain(|row| streams[row.number].len() < segments[row.number].length as usize);
            if let Some(row) = group.rows.first() {
                first = first.or(Some(begins[row.number] + streams[row.number].len()));
                rows.give(number, group);
            } else {
                open -= 1;
            }
        }
        if let Some(at) = first {
            rows.check(coder, at)?;
        }
    }
    Ok(streams)
}
