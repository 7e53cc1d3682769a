//! Adaptive maps: from something small that was seen to the probability of a one.

use super::history::{Histories, State};
use super::kernel::prefetch;
use super::logistic::{LIMIT, nearest};
use crate::exact::fpstate::Exact;

/// A probability in units of 2^-16 that follows the bits at a fixed rate.
#[derive(Clone, Copy, Debug)]
pub struct AdaptiveProb(pub u16);

impl AdaptiveProb {
    pub fn new(_: Exact, p: f32) -> Self {
        Self((p * 65535.0) as u16)
    }

    /// In units of 2^-16.
    #[inline(always)]
    pub fn p(self) -> u16 {
        self.0
    }

    /// Moves towards the bit, by 1 / 2^SHIFT of the way.
    #[inline(always)]
    pub fn learn<const SHIFT: u32>(&mut self, bit: bool) {
        // Towards 65,535 or 0, rounded so that both ends are reached alike.
        let target = if bit { 65535 + (1 << SHIFT) - 1 } else { 0 };
        self.0 = (i32::from(self.0) + ((target - i32::from(self.0)) >> SHIFT)) as u16;
    }
}

/// What [`AdaptiveProb::learn`] makes of each of these probabilities, in arithmetic of 16 bits.
#[inline(always)]
pub fn learnt<const SHIFT: u32, const N: usize>(ps: [u16; N], bit: bool) -> [u16; N] {
    // The distance to the end that the bit names, less its SHIFT-th part, rounded up.
    let mask = u16::from(bit).wrapping_neg();
    ps.map(|p| {
        let d = p ^ mask;
        let step = (d >> SHIFT) + (d & ((1 << SHIFT) - 1)).min(1);
        (d - step) ^ mask
    })
}

/// The probability, in units of 2^-16, that says nothing.
pub const NOTHING: u16 = 1 << 15;

/// The probability of a one after each bit history, in units of 2^-16.
#[derive(Clone, Copy)]
pub struct StateMap(pub [u16; 256]);

impl StateMap {
    /// Begins with what the counts suggest.
    pub fn new(_: Exact) -> Self {
        let h = Histories::get();
        let cell = |s: usize| {
            let (zeros, ones) = h.counts(s as State);
            let (zeros, ones) = (f32::from(zeros) * 2.0, f32::from(ones) * 2.0);
            (65535.0 * (ones + 0.4) / (zeros + ones + 0.8)) as u16
        };
        let mut map = std::array::from_fn(cell);
        map[0] = NOTHING;
        Self(map)
    }
}

/// An adaptive probability map (secondary estimation): corrects a probability in a context by what
/// came of such predictions there.
#[derive(Clone)]
pub struct Apm {
    /// A cache line for each context: probabilities in units of 2^-16 at log-odds -12 to 12.
    rows: Vec<Row>,
    at: (usize, usize),
}

#[derive(Clone, Copy)]
#[repr(align(64))]
pub struct Row(pub [u16; POINTS]);

pub const POINTS: usize = 32;

/// How slowly an APM follows.
const SHIFT: u32 = 6;

impl Apm {
    /// A power of two of contexts.
    pub fn new(contexts: usize, row: Row) -> Self {
        Self { rows: vec![row; contexts], at: (0, 0) }
    }

    /// The point that [`refine`](Self::refine) found nearest.
    pub fn point(&self) -> usize {
        self.at.1
    }

    /// Begins to load what a context needs.
    #[inline(always)]
    pub fn prefetch(&self, context: usize) {
        prefetch(&self.rows[context]);
    }

    /// The corrected probability of log-odds `x` within the limit.
    #[inline(always)]
    pub fn refine(&mut self, context: usize, x: f32) -> f32 {
        let place = x + LIMIT;
        let at = nearest(place) as usize % POINTS;
        self.at = (context, at);
        let off = place - at as i32 as f32; // from -0.5 to 0.5
        let row = &self.rows[context].0;
        // No branch: it is a toss.
        let other = (at + 1).wrapping_sub((off.to_bits() >> 31) as usize * 2);
        let (p, q) = (i32::from(row[at]) as f32, i32::from(row[other % POINTS]) as f32);
        (p + (q - p) * off.abs()) * (1.0 / 65536.0)
    }

    #[inline(always)]
    pub fn learn(&mut self, bit: bool) {
        let cell = &mut self.rows[self.at.0].0[self.at.1];
        let target = if bit { 65535 + (1 << SHIFT) - 1 } else { 0 };
        *cell = (i32::from(*cell) + ((target - i32::from(*cell)) >> SHIFT)) as u16;
    }
}
