//! What decisions cost, by where in the block they are: what an encoder's choices rest on.

use std::mem;
use std::ops::Range;

use super::range::{Coder, Encoder};
use crate::error::CodecError;
use crate::progress::{BlockProgress, Tally};
use crate::vocab::{Token, Vocabulary};

/// What a bit counts as.
pub const BIT: u64 = 4096;

/// What an outcome costs whose probability is in this 4,096th of the unit interval. In integers, so
/// that every machine chooses alike.
static COSTS: [u16; 4096] = {
    let mut out = [0; 4096];
    let mut i = 0;
    while i < 4096 {
        // -log2((i + 0.5) / 4096)
        out[i] = (13 * 4096 - log2(2 * i as u32 + 1)) as u16; // BIT is 2^12
        i += 1;
    }
    out
};

/// log2 in units of [`BIT`], rounded down; not of 0.
pub const fn log2(x: u32) -> u32 {
    let whole = x.ilog2();
    let mut y = (x as u64) << (31 - whole); // 2^31 stands for 1
    let mut out = whole;
    let mut bits = 0;
    while bits < 12 {
        y = (y * y) >> 31;
        out = out << 1 | (y >> 32) as u32;
        if y >> 32 == 1 {
            y >>= 1;
        }
        bits += 1;
    }
    out
}

/// What an outcome costs whose probability was said to be this.
#[inline]
pub fn cost(bit: bool, p_one: u16) -> u64 {
    let p = if bit { p_one } else { p_one.wrapping_neg() };
    u64::from(COSTS[usize::from(p >> 4)])
}

/// An encoder that keeps account.
pub struct Metered<'a> {
    encoder: Encoder,
    window: usize,
    at: usize,
    /// What each window of the block has cost.
    costs: Vec<u64>,
    tally: Tally<'a>,
    /// Pieces of which probabilities are kept, in order.
    pieces: Vec<Range<usize>>,
    /// Whether they are kept of what is coded now.
    keep: bool,
    kept: Vec<u16>,
}

impl<'a> Metered<'a> {
    /// An encoder of a block of `length` bytes, in windows of `window` bytes.
    pub fn new(length: usize, window: usize) -> Self {
        let window = window.max(1);
        Self {
            encoder: Encoder::default(),
            window,
            at: 0,
            costs: vec![0; length.div_ceil(window).max(1)],
            tally: Tally::default(),
            pieces: Vec::new(),
            keep: false,
            kept: Vec::new(),
        }
    }

    /// Keeps the probabilities of all decisions in these pieces, which are in order, of a block in
    /// one stream.
    pub fn keep(self, pieces: impl DoubleEndedIterator<Item = Range<usize>>) -> Self {
        Self { pieces: pieces.rev().collect(), ..self }
    }

    /// The probabilities that have been kept.
    pub fn kept(&mut self) -> Vec<u16> {
        mem::take(&mut self.kept)
    }

    /// Tells how far it has come.
    pub fn told_to(self, progress: Option<&'a BlockProgress>) -> Self {
        Self { tally: Tally::of(progress), ..self }
    }

    /// The bitstream, and what each window cost, in units of [`BIT`].
    pub fn finish(self) -> (Vec<u8>, Vec<u64>) {
        (self.encoder.finish(), self.costs)
    }
}

impl Coder for Metered<'_> {
    #[inline]
    fn decide(&mut self, bit: bool, p_one: u16) -> Result<bool, CodecError> {
        self.costs[self.at] += cost(bit, p_one);
        if self.keep {
            self.kept.push(p_one);
        }
        self.encoder.decide(bit, p_one)
    }

    fn at(&mut self, place: usize) {
        self.at = (place / self.window).min(self.costs.len() - 1);
        self.pieces.pop_if(|piece| piece.end <= place);
        self.keep = self.pieces.last().is_some_and(|piece| piece.start <= place);
        self.tally.at(place);
    }

    fn token(&mut self, vocabulary: &Vocabulary, _: &[u64], token: Token) {
        self.tally.token(vocabulary.token(token).len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logarithms() {
        for x in [1u32, 2, 3, 5, 1000, 4095, 4096, 8191, u32::MAX] {
            let exact = f64::from(x).log2() * 4096.0;
            assert!((0.0..1.01).contains(&(exact - f64::from(log2(x)))), "{x}");
        }
    }

    #[test]
    fn costs_are_those_of_the_code() {
        let mut coder = Metered::new(300, 100);
        let mut state = 1u32;
        for place in 0..300 {
            coder.at(place);
            for _ in 0..8 {
                state = state.wrapping_mul(1664525).wrapping_add(1013904223);
                let p = (state >> 16) as u16 | 1;
                // Certain in the first window, as likely as said in the others.
                let bit = if place < 100 { p >= 1 << 15 } else { state as u16 & 0xfff0 < p };
                coder.decide(bit, p).unwrap();
            }
        }
        let (bytes, costs) = coder.finish();
        let sum = costs.iter().sum::<u64>() as f64 / 4096.0 / 8.0;
        assert!((sum - bytes.len() as f64).abs() < 3.0, "{sum} and {}", bytes.len());
        assert!(costs[0] * 5 < costs[1] * 4 && costs.len() == 3, "{costs:?}");
    }
}
