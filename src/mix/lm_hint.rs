//! What a language model says of a bit, as inputs of the mixer.
//!
//! Comes in: the probability by the model's mass below a node of its token trie, how deep in the
//! token that is, and how sure the model is of the token. Goes out: the log-odds, the probability
//! about its middle, and what such hints were worth so far beside what the match model predicts;
//! and the weight sets that these choose.

use super::KNOWN;
use super::logistic::{Tables, UNIT};
use super::maps::AdaptiveProb;
use crate::exact::fpstate::Exact;

/// Inputs for the mixer.
pub const INPUTS: usize = 3;
/// Weight sets that are chosen by how sure the model is, how deep in the token, and how much is
/// known.
pub const SETS: usize = SURE * DEPTHS * (KNOWN + 1);

const SURE: usize = 8;
const DEPTHS: usize = 4;

/// What a language model says of a bit.
#[derive(Debug, Clone, Copy)]
pub struct LmHint {
    /// The probability of a one, in units of 2^-16, neither 0 nor 1.
    pub p: u16,
    /// Bytes of the token that are known.
    pub depth: usize,
    /// Half bits of the likeliest token's probability, up to 7: 0 is certain.
    pub sure: usize,
}

impl LmHint {
    /// What a model says that knows nothing.
    pub const NONE: Self = Self { p: 1 << 15, depth: 0, sure: SURE - 1 };

    /// How sure the model is: by the total of its frequencies, whose largest is 2^30 + 1.
    pub fn sure(total: u64) -> usize {
        // log2 of the total in half bits: 2^0.5 is about 181 / 128.
        let whole = (total >> 30).max(1).ilog2() as usize;
        let half = usize::from((total >> (23 + whole)) >= 181);
        (2 * whole + half).min(SURE - 1)
    }
}

/// What hints were worth.
pub struct HintMap {
    /// By the hint in 32nds of log-odds from -8 to 8, and what the match model predicts.
    cells: Vec<AdaptiveProb>,
    at: usize,
}

impl HintMap {
    pub fn new(fp: Exact) -> Self {
        let t = Tables::get(fp);
        let cell = |i: usize| AdaptiveProb::new(fp, t.squash((i / 3) as f32 / 2.0 - 7.75));
        Self { cells: (0..3 * 32).map(cell).collect(), at: 0 }
    }
}

/// A hint, or none.
pub trait LmInput: Copy {
    fn inputs(self, hints: &mut HintMap, t: &Tables, direction: usize) -> [i16; INPUTS];
    fn learn(self, hints: &mut HintMap, bit: bool);
    /// The sets of the fourth family and of the last mixer.
    fn sets(self, known: usize, kind: usize, bit: usize) -> (usize, usize);
}

/// No hint.
#[derive(Clone, Copy)]
pub struct NoHint;

impl LmInput for NoHint {
    #[inline(always)]
    fn inputs(self, _: &mut HintMap, _: &Tables, _: usize) -> [i16; INPUTS] {
        [0; INPUTS]
    }

    #[inline(always)]
    fn learn(self, _: &mut HintMap, _: bool) {}

    #[inline(always)]
    fn sets(self, known: usize, kind: usize, bit: usize) -> (usize, usize) {
        (known * 256 + kind, (kind & 7) * 8 + bit)
    }
}

impl LmInput for LmHint {
    #[inline(always)]
    fn inputs(self, hints: &mut HintMap, t: &Tables, direction: usize) -> [i16; INPUTS] {
        let x = t.stretch(self.p);
        // Half units of log-odds, -8 to 8.
        let bucket = (i32::from(x) + 8 * UNIT as i32) >> ((UNIT as u32).ilog2() - 1);
        hints.at = bucket.clamp(0, 31) as usize * 3 + direction;
        let middle = ((i32::from(self.p) - (1 << 15)) >> 3) as i16;
        [x, middle, t.stretch(hints.cells[hints.at].p())]
    }

    #[inline(always)]
    fn learn(self, hints: &mut HintMap, bit: bool) {
        hints.cells[hints.at].learn::<7>(bit);
    }

    #[inline(always)]
    fn sets(self, known: usize, _: usize, bit: usize) -> (usize, usize) {
        let sure = (self.sure & 7) * DEPTHS + self.depth.min(DEPTHS - 1);
        (sure * (KNOWN + 1) + known, (self.sure & 7) * 8 + bit)
    }
}
