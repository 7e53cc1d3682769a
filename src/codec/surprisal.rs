//! A coder that writes nothing and notes what coding costs: what a predictor says of a content that
//! is known.
//!
//! It watches the step function that encodes, as [`trace`](super::trace) watches the one that
//! decodes. So what it adds up is the ideal code length of the decisions that an archive would
//! hold.

use super::range::Coder;
use crate::cancel::CancellationToken;
use crate::error::CodecError;
use crate::exact::fpstate::Exact;
use crate::progress::{BlockProgress, Tally};
use crate::vocab::{Token, Vocabulary};

/// A token, or a byte where no language model reads, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Where it begins in the block.
    pub at: u32,
    /// Its length in bytes.
    pub length: u32,
    /// The sum of -log2 of the probabilities of its decisions.
    pub bits: f64,
}

/// What an outcome costs in bits whose probability was said to be this: -log2 of it.
#[inline]
pub fn surprisal(_: Exact, bit: bool, p_one: u16) -> f64 {
    let p = if bit { p_one } else { p_one.wrapping_neg() };
    16.0 - f64::from(p).log2()
}

/// Adds up what is coded.
pub struct Surprisals<'a> {
    fp: Exact<'a>,
    costs: Vec<Cost>,
    cancel: Option<&'a CancellationToken>,
    tally: Tally<'a>,
}

impl<'a> Surprisals<'a> {
    /// Notes nothing yet. `progress` is told how far it has come.
    pub fn new(
        fp: Exact<'a>,
        cancel: Option<&'a CancellationToken>,
        progress: Option<&'a BlockProgress>,
    ) -> Self {
        Self { fp, costs: Vec::new(), cancel, tally: Tally::of(progress) }
    }

    /// What each token or byte cost, by place. Their ranges have no gaps.
    pub fn finish(mut self) -> Vec<Cost> {
        self.costs.sort_by_key(|cost| cost.at);
        // What a device-bound model's checks cost stands where a token begins.
        self.costs.dedup_by(|next, before| {
            let same = next.at == before.at;
            if same {
                before.bits += next.bits;
                before.length = before.length.max(next.length);
            }
            same
        });
        self.costs
    }
}

impl Coder for Surprisals<'_> {
    #[inline]
    fn decide(&mut self, bit: bool, p_one: u16) -> Result<bool, CodecError> {
        if let Some(cost) = self.costs.last_mut() {
            cost.bits += surprisal(self.fp, bit, p_one);
        }
        Ok(bit)
    }

    fn at(&mut self, place: usize) {
        // A block has at most 2^30 bytes.
        self.costs.push(Cost { at: place as u32, length: 1, bits: 0.0 });
        self.tally.at(place);
    }

    fn token(&mut self, vocabulary: &Vocabulary, _: &[u64], token: Token) {
        let length = vocabulary.token(token).len();
        if let Some(cost) = self.costs.last_mut() {
            cost.length = length as u32;
        }
        self.tally.token(length);
    }

    fn check(&self) -> Result<(), CodecError> {
        match self.cancel {
            Some(token) if token.is_cancelled() => Err(CodecError::Cancelled),
            _ => Ok(()),
        }
    }
}
