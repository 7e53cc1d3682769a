//! Codec 3: blocks by context mixing. Streams advance in lock step, one byte each.

use super::cost::Metered;
use super::range::Coder;
use crate::error::CodecError;
use crate::mix::kernel::{self, Job, Kernel};
use crate::mix::{Lengths, Mix};

/// The bitstream of a block whose streams have these lengths.
pub fn encode(raw: &[u8], lengths: &[usize], dictionary: &[u8]) -> Vec<u8> {
    encode_by_windows(raw, lengths, dictionary, raw.len()).0
}

/// The same, and what each window of so many bytes cost, in units of `BIT`.
pub fn encode_by_windows(raw: &[u8], lengths: &[usize], dictionary: &[u8], window: usize) -> (Vec<u8>, Vec<u64>) {
    let mut coder = Metered::new(raw.len(), window);
    let lengths = Lengths { dictionary: dictionary.len(), streams: lengths };
    let job = Block { coder: &mut coder, dictionary, lengths, raw: Some(raw) };
    kernel::run(job).expect("encoding cannot fail");
    coder.finish()
}

/// Appends the raw bytes of a block, which `coder` reads, to `out`.
pub fn decode<C: Coder>(
    coder: &mut C,
    lengths: &[usize],
    dictionary: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let lengths = Lengths { dictionary: dictionary.len(), streams: lengths };
    let mix = kernel::run(Block { coder, dictionary, lengths, raw: None })?;
    out.extend_from_slice(&mix.raw()[dictionary.len()..]);
    Ok(())
}

/// A block to be coded by the step function of encoder and decoder.
struct Block<'a, C> {
    coder: &'a mut C,
    dictionary: &'a [u8],
    lengths: Lengths<'a>,
    /// What to encode; nothing when decoding.
    raw: Option<&'a [u8]>,
}

impl<C: Coder> Job for Block<'_, C> {
    type Output = Result<Mix, CodecError>;

    #[inline(always)]
    fn run<K: Kernel>(self, k: K) -> Self::Output {
        let Self { coder, dictionary, lengths, raw } = self;
        let mut mix = Mix::new(&lengths);
        mix.read(k, dictionary);
        let mut begins = Vec::with_capacity(lengths.streams.len());
        let mut begin = 0;
        for length in lengths.streams {
            begins.push(begin);
            begin += length;
        }
        for step in 0..lengths.streams.iter().copied().max().unwrap_or(0) {
            for (stream, (begin, length)) in begins.iter().zip(lengths.streams).enumerate() {
                if step >= *length {
                    continue;
                }
                coder.at(begin + step);
                byte(k, coder, &mut mix, stream, raw.map_or(0, |raw| raw[begin + step]))?;
            }
        }
        Ok(mix)
    }
}

/// Codes the next byte of a stream, by context models alone.
#[inline(always)]
pub fn byte<K: Kernel, C: Coder>(
    k: K,
    coder: &mut C,
    mix: &mut Mix,
    stream: usize,
    byte: u8,
) -> Result<(), CodecError> {
    for shift in (0..8).rev() {
        let p = mix.predict(k, stream);
        let bit = coder.decide(byte >> shift & 1 == 1, p)?;
        mix.update(k, stream, bit);
    }
    coder.check()
}
