//! Binary decisions to bytes and back, by the range coder of `constriction`.
//!
//! Comes in: decisions with the probability that they are 1. Goes out: the shortest byte string
//! that decodes to them. The coder's 32-bit words are written most significant byte first, because
//! then the bytes that the last words do not need are the last ones and can be left out; a decoder
//! reads zeros past the end. `constriction` does that for ever without noticing, so [`Decoder`]
//! counts the words that it had to make up: more than [`FREE_WORDS`] of them mean that the input
//! was cut.

use std::borrow::Borrow;
use std::cell::Cell;
use std::convert::Infallible;
use std::rc::Rc;

use constriction::backends::ReadWords;
use constriction::stream::model::{DecoderModel, EncoderModel, EntropyModel};
use constriction::stream::queue::{EncoderSituation, RangeDecoder, RangeEncoder};
use constriction::stream::{Decode, Encode};
use constriction::{BitArray, Queue, UnwrapInfallible};

use crate::cancel::CancellationToken;
use crate::error::CodecError;
use crate::progress::{BlockProgress, Tally};
use crate::vocab::{Token, Vocabulary};

/// Bits of precision of a decision's probability.
pub const PRECISION: usize = 16;

/// Words past the end that a decoder may read of a complete input: it reads two ahead.
pub const FREE_WORDS: u64 = 2;

/// Codes one binary decision after the other. Encoder and decoder share this trait so that there is
/// one step function for both: the encoder is told the outcome and gives it back, the decoder
/// ignores what it is told.
pub trait Coder {
    /// Codes a decision whose outcome is 1 with probability `p_one / 2^16`; `p_one` is 1 to 65,535.
    fn decide(&mut self, bit: bool, p_one: u16) -> Result<bool, CodecError>;

    /// Says where in the block the next decisions are.
    fn at(&mut self, _place: usize) {}

    /// Says how many bytes of the token at that place are known before the next decision.
    #[inline(always)]
    fn depth(&mut self, _depth: usize) {}

    /// Says that the token that a language model predicted with these prefix sums has been coded.
    fn token(&mut self, _vocabulary: &Vocabulary, _sums: &[u64], _token: Token) {}

    /// An error if more was decoded than the input can hold. Always fine when encoding.
    fn check(&self) -> Result<(), CodecError> {
        Ok(())
    }
}

/// A coder that is known at run time only. The step functions are compiled for each coder and
/// kernel: those that need not be fastest, as what takes notes, share what is compiled for
/// `&mut dyn Coder`.
impl<C: Coder + ?Sized> Coder for &mut C {
    #[inline(always)]
    fn decide(&mut self, bit: bool, p_one: u16) -> Result<bool, CodecError> {
        (**self).decide(bit, p_one)
    }

    fn at(&mut self, place: usize) {
        (**self).at(place);
    }

    #[inline(always)]
    fn depth(&mut self, depth: usize) {
        (**self).depth(depth);
    }

    fn token(&mut self, vocabulary: &Vocabulary, sums: &[u64], token: Token) {
        (**self).token(vocabulary, sums, token);
    }

    fn check(&self) -> Result<(), CodecError> {
        (**self).check()
    }
}

/// A decision as `constriction` wants to see it: 1 comes first in the unit interval.
struct Bernoulli(u16);

impl Bernoulli {
    fn part(&self, bit: bool) -> (u32, <u32 as constriction::BitArray>::NonZero) {
        let one = u32::from(self.0);
        let (left, size) = if bit { (0, one) } else { (one, (1 << PRECISION) - one) };
        (left, size.into_nonzero().expect("a probability is neither 0 nor 1"))
    }
}

impl EntropyModel<PRECISION> for Bernoulli {
    type Symbol = bool;
    type Probability = u32;
}

impl EncoderModel<PRECISION> for Bernoulli {
    fn left_cumulative_and_probability(
        &self,
        bit: impl Borrow<bool>,
    ) -> Option<(u32, <u32 as constriction::BitArray>::NonZero)> {
        Some(self.part(*bit.borrow()))
    }
}

impl DecoderModel<PRECISION> for Bernoulli {
    fn quantile_function(
        &self,
        quantile: u32,
    ) -> (bool, u32, <u32 as constriction::BitArray>::NonZero) {
        let bit = quantile < u32::from(self.0);
        let (left, size) = self.part(bit);
        (bit, left, size)
    }
}

/// Decisions to bytes.
#[derive(Default)]
pub struct Encoder {
    inner: RangeEncoder<u32, u64>,
}

impl Coder for Encoder {
    fn decide(&mut self, bit: bool, p_one: u16) -> Result<bool, CodecError> {
        debug_assert!(p_one > 0);
        self.inner
            .encode_symbol(bit, Bernoulli(p_one))
            .expect("a vector takes every word, and both outcomes have mass");
        Ok(bit)
    }
}

impl Encoder {
    /// The shortest byte string that decodes to the decisions.
    pub fn finish(self) -> Vec<u8> {
        let (mut words, state, situation) = self.inner.into_raw_parts();
        let (lower, range) = (state.lower(), state.range().get());
        if range == u64::MAX {
            return Vec::new(); // nothing was coded
        }
        // Any number in lower..lower+range, followed by anything at all, names the decisions. Take
        // the one with the most zero bytes at its end. The sum may pass 2^64: then it carries.
        let last = lower.wrapping_add(range - 1);
        let (tail, carry) = (0..64u32)
            .rev()
            .find_map(|zeros| {
                let mask = (1u64 << zeros) - 1;
                let up = lower.wrapping_add(mask) & !mask;
                // How far the rounded number lies from lower, modulo 2^64.
                (up.wrapping_sub(lower) <= last.wrapping_sub(lower)).then_some((up, up < lower))
            })
            .expect("with no zeros asked for, lower itself will do");
        if let EncoderSituation::Inverted(count, first) = situation {
            let (first, rest) = if carry { (first.wrapping_add(1), 0) } else { (first, u32::MAX) };
            words.push(first);
            words.extend(std::iter::repeat_n(rest, count.get() - 1));
        } else {
            debug_assert!(!carry, "without held-back words the interval does not wrap");
        }
        let mut bytes: Vec<u8> = words.iter().flat_map(|w| w.to_be_bytes()).collect();
        // One byte of the last word before the tail stays, even if it is zero: a decoder takes an
        // input of which more than `FREE_WORDS` words are missing for one that was cut.
        let kept = bytes.len().saturating_sub(3);
        bytes.extend(tail.to_be_bytes());
        while bytes.len() > kept && bytes.last() == Some(&0) {
            bytes.pop();
        }
        bytes
    }
}

/// The bytes of a block as words, and zeros past the end.
struct Words<'a> {
    bytes: &'a [u8],
    /// Shared with the [`Decoder`], because `constriction` does not give its source out again.
    past_end: Rc<Cell<u64>>,
}

impl ReadWords<u32, Queue> for Words<'_> {
    type ReadError = Infallible;

    fn read(&mut self) -> Result<Option<u32>, Infallible> {
        if self.bytes.is_empty() {
            self.past_end.set(self.past_end.get() + 1);
            return Ok(Some(0));
        }
        let n = self.bytes.len().min(4);
        let mut word = [0; 4];
        word[..n].copy_from_slice(&self.bytes[..n]);
        self.bytes = &self.bytes[n..];
        Ok(Some(u32::from_be_bytes(word)))
    }
}

/// Bytes to decisions.
pub struct Decoder<'a> {
    inner: RangeDecoder<u32, u64, Words<'a>>,
    past_end: Rc<Cell<u64>>,
    cancel: Option<&'a CancellationToken>,
    tally: Tally<'a>,
}

impl<'a> Decoder<'a> {
    /// A decoder of what [`Encoder::finish`] gave.
    pub fn new(bytes: &'a [u8]) -> Self {
        let past_end = Rc::new(Cell::new(0));
        let words = Words { bytes, past_end: past_end.clone() };
        Self {
            inner: RangeDecoder::with_backend(words).unwrap_infallible(),
            past_end,
            cancel: None,
            tally: Tally::default(),
        }
    }

    /// Ends with an error when this says so.
    pub fn cancelled_by(self, cancel: Option<&'a CancellationToken>) -> Self {
        Self { cancel, ..self }
    }

    /// Tells how far it has come.
    pub fn told_to(self, progress: Option<&'a BlockProgress>) -> Self {
        Self { tally: Tally::of(progress), ..self }
    }
}

impl Coder for Decoder<'_> {
    fn decide(&mut self, _: bool, p_one: u16) -> Result<bool, CodecError> {
        debug_assert!(p_one > 0);
        self.inner.decode_symbol(Bernoulli(p_one)).map_err(|_| CodecError::NotACodeword)
    }

    fn at(&mut self, place: usize) {
        self.tally.at(place);
    }

    fn token(&mut self, vocabulary: &Vocabulary, _: &[u64], token: Token) {
        self.tally.token(vocabulary.token(token).len());
    }

    fn check(&self) -> Result<(), CodecError> {
        if self.cancel.is_some_and(CancellationToken::is_cancelled) {
            return Err(CodecError::Cancelled);
        }
        if self.past_end.get() > FREE_WORDS { Err(CodecError::TooShort) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(decisions: &[(bool, u16)]) -> Vec<u8> {
        let mut coder = Encoder::default();
        for &(bit, p) in decisions {
            coder.decide(bit, p).unwrap();
        }
        coder.finish()
    }

    fn decode(bytes: &[u8], decisions: &[(bool, u16)]) -> Result<Vec<bool>, CodecError> {
        let mut coder = Decoder::new(bytes);
        let bits = decisions.iter().map(|&(_, p)| coder.decide(false, p)).collect();
        coder.check()?;
        bits
    }

    fn bits(decisions: &[(bool, u16)]) -> f64 {
        let p = |&(bit, p): &(bool, u16)| if bit { f64::from(p) } else { 65536.0 - f64::from(p) };
        decisions.iter().map(|d| -(p(d) / 65536.0).log2()).sum()
    }

    proptest! {
        #[test]
        fn decisions_survive(decisions in prop::collection::vec((any::<bool>(), 1u16..), 0..2000)) {
            let bytes = encode(&decisions);
            let expected: Vec<bool> = decisions.iter().map(|d| d.0).collect();
            prop_assert_eq!(decode(&bytes, &decisions).unwrap(), expected);
            // The whole cost of the coder: less than two bytes, and 2^-16 of each word.
            let ideal = bits(&decisions) / 8.0;
            prop_assert!(bytes.len() as f64 <= ideal * 1.0001 + 2.0, "{} bytes for \
                {ideal}", bytes.len());
        }

        /// Likely outcomes at the edge of the interval make the encoder hold words back.
        #[test]
        fn likely_decisions_survive(decisions in prop::collection::vec(
            prop_oneof![
                9 => Just((false, 1u16)),
                9 => Just((true, 65535u16)),
                1 => (any::<bool>(), 1u16..),
            ],
            0..3000,
        )) {
            let expected: Vec<bool> = decisions.iter().map(|d| d.0).collect();
            prop_assert_eq!(decode(&encode(&decisions), &decisions).unwrap(), expected);
        }

        #[test]
        fn no_byte_can_be_left_out(
            decisions in prop::collection::vec((any::<bool>(), 1u16..), 1..200),
        ) {
            let bytes = encode(&decisions);
            let expected: Vec<bool> = decisions.iter().map(|d| d.0).collect();
            if let Some((_, shorter)) = bytes.split_last() {
                prop_assert_ne!(decode(shorter, &decisions).ok(), Some(expected));
            }
        }
    }

    /// An outcome of 1 takes the part of the interval that begins at its lower end, so that these
    /// words are all zeros.
    #[test]
    fn words_of_zeros_survive() {
        for count in 0..200 {
            let decisions = vec![(true, 32768); count];
            let bytes = encode(&decisions);
            assert_eq!(decode(&bytes, &decisions).unwrap(), vec![true; count]);
            if let Some((_, shorter)) = bytes.split_last() {
                assert!(
                    decode(shorter, &decisions).is_err(),
                    "{count} decisions, {} bytes",
                    bytes.len()
                );
            }
        }
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(encode(&[]).is_empty());
        assert!(encode(&[(true, 65535)]).is_empty());
    }

    #[test]
    fn reading_on_past_the_end_is_noticed() {
        let mut coder = Decoder::new(&[]);
        let mut decided = 0;
        while coder.check().is_ok() {
            coder.decide(false, 32768).unwrap();
            decided += 1;
        }
        assert!((1..=64).contains(&decided), "noticed after {decided} bits");
    }
}
