//! Codec 2 with a neural language model: what the model alone makes of a block, the figure that papers report. Streams
//! advance in lock step, one token each; every token goes down the byte trie as in [`walk`], nothing else predicts.

use super::joint::Block;
use super::range::{Coder, Encoder};
use super::{crew, walk};
use crate::dictionary;
use crate::error::CodecError;
use crate::format::{BlockHead, Method};
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

/// The step function of encoder and decoder. `raw`: what to encode; nothing when decoding. The streams come out.
fn run<C: Coder>(block: &Block, coder: &mut C, raw: Option<&[u8]>) -> Result<Vec<Vec<u8>>, CodecError> {
    let vocabulary = block.model.vocabulary();
    // What is left to be coded of each stream, if it is known.
    let mut rests: Vec<&[u8]> = Vec::with_capacity(block.segments.len());
    if let Some(mut raw) = raw {
        for segment in block.segments {
            rests.push(raw.split_off(..segment.length as usize).unwrap_or_default());
        }
    }
    let mut begins = Vec::with_capacity(block.segments.len());
    let mut begin = 0;
    for segment in block.segments {
        begins.push(begin);
        begin += segment.length as usize;
    }
    let mut streams = vec![Vec::new(); block.segments.len()];
    let first = dictionary::first(block.dictionary, block.model);
    crew::work(block.model.network(), &first, streams.len(), block.threads, |crew| {
        crew.steps(|row| {
            let rest = rests.get_mut(row.number);
            let known = rest.as_ref().map_or(START, |rest| vocabulary.longest(rest).0);
            let stream: &mut Vec<u8> = &mut streams[row.number];
            coder.at(begins[row.number] + stream.len());
            row.token = walk::token(coder, vocabulary, row.stream.sums(), known)?;
            coder.check()?;
            coder.token(vocabulary, row.stream.sums(), row.token);
            let bytes = vocabulary.token(row.token);
            if let Some(rest) = rest {
                *rest = &rest[bytes.len()..];
            }
            stream.extend_from_slice(bytes);
            let length = block.segments[row.number].length as usize;
            if stream.len() > length { Err(CodecError::NotACodeword) } else { Ok(stream.len() < length) }
        })
    })?;
    Ok(streams)
}
