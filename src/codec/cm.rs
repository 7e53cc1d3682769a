//! Codec 3: blocks by context mixing. Streams advance in lock step, one byte each.

use super::cost::Metered;
use super::range::Coder;
use super::streams::{self, Next};
use crate::error::CodecError;
use crate::format::Layout;
use crate::mix::kernel::{self, MixJob, MixKernel};
use crate::mix::observe::Observer;
use crate::mix::{Lengths, Mix};
use crate::progress::BlockProgress;
use crate::vocab::START;

/// The bitstream of a block whose segments have no model. `progress` is told how far it has come.
pub fn encode(
    raw: &[u8],
    layout: &Layout,
    dictionary: &[u8],
    progress: Option<&BlockProgress>,
) -> Vec<u8> {
    let mut coder = Metered::new(raw.len(), raw.len()).told_to(progress);
    encode_by(&mut coder, raw, layout, dictionary).expect("encoding cannot fail");
    coder.finish().0
}

/// Encodes a block whose segments have no model by a coder, whose errors come out.
pub fn encode_by<C: Coder>(
    coder: &mut C,
    raw: &[u8],
    layout: &Layout,
    dictionary: &[u8],
) -> Result<(), CodecError> {
    kernel::run(CmBlock { coder, dictionary, layout, raw: Some(raw) }).map(drop)
}

/// Appends the raw bytes of a block, which `coder` reads, to `out`.
pub fn decode<C: Coder>(
    coder: &mut C,
    layout: &Layout,
    dictionary: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mix = kernel::run(CmBlock { coder, dictionary, layout, raw: None })?;
    out.extend_from_slice(&mix.raw()[dictionary.len()..]);
    Ok(())
}

/// A block to be coded by the step function of encoder and decoder.
struct CmBlock<'a, C> {
    coder: &'a mut C,
    dictionary: &'a [u8],
    layout: &'a Layout,
    /// What to encode; nothing when decoding.
    raw: Option<&'a [u8]>,
}

impl<C: Coder> MixJob for CmBlock<'_, C> {
    type Output = Result<Mix, CodecError>;

    #[inline(always)]
    fn run<K: MixKernel>(self, k: K) -> Self::Output {
        let Self { coder, dictionary, layout, raw } = self;
        let mut mix = Mix::new(
            k.exact(),
            &Lengths { dictionary: dictionary.len(), block: layout.read() as usize },
        );
        mix.read(k, dictionary);
        let mut streams = streams::of(layout);
        streams.begins().for_each(|at| mix.stream(at));
        let mut open: Vec<usize> = (0..streams.count()).collect();
        while !open.is_empty() {
            let mut ended = false;
            for &stream in &open {
                let at = streams.at(stream).left.start;
                coder.at(at);
                byte(k, coder, &mut mix, stream, raw.map_or(0, |raw| raw[at]))?;
                match streams.advance(stream, START, 1) {
                    Next::Same => {}
                    Next::Stripe(at) => mix.begin_again(stream, at),
                    Next::End => ended = true,
                }
            }
            if ended {
                open.retain(|stream| !streams.at(*stream).left.is_empty());
            }
        }
        Ok(mix)
    }
}

/// Codes the next byte of a stream, by context models alone.
#[inline(always)]
pub fn byte<K: MixKernel, C: Coder, O: Observer>(
    k: K,
    coder: &mut C,
    mix: &mut Mix<O>,
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
