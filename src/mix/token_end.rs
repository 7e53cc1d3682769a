//! Whether a token ends: the one decision that context models do not meet by themselves.
//!
//! Comes in: what the language model says, where in the trie of tokens it is, what came before, and
//! whether the match model's copy goes on to a longer token. Goes out: the probability, mixed like
//! that of a bit.

use super::contexts::{Contexts, combine};
use super::history::{Histories, State};
use super::kernel::{INPUTS, MixKernel, SETS, Vector};
use super::logistic::{self, Tables};
use super::maps::{self, AdaptiveProb, StateMap};
use super::mixer::{COUNTER, Mixer, Rates};
use super::{Lengths, LmHint, log2_within};
use crate::exact::fpstate::Exact;

/// Contexts with bit histories: the node with orders 0 to 3, the word, and the token before.
pub const CONTEXTS: usize = 6;
/// Inputs of the mixer that are used.
pub const USED_INPUTS: usize = 10;
/// Weight sets of each family.
pub const SETS_OF: [usize; SETS] = [64, 256, COPIES + 1, 1 << 12];
/// Weight sets of each family that are stored: of the others there is one, which is copied.
pub const STORED: [usize; SETS] = [64, 1, COPIES + 1, 1];
/// Weight sets of the last mixer.
pub const LAST: usize = 8;
/// Classes of what the match model's copy says.
pub const COPIES: usize = 64;
const MAP_SHIFT: u32 = 7;

/// A decision whether a token ends.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    pub hint: LmHint,
    /// The node of the trie.
    pub node: u32,
    /// The token before.
    pub before: u32,
    /// Whether the match model's copy ends the token here (1) or not (0), with the class of its
    /// length; or nothing.
    pub copy: Option<(bool, usize)>,
}

/// What it begins with.
#[derive(Clone)]
pub struct TokenEndPrior {
    pub maps: [StateMap; CONTEXTS],
    /// The probability that the token ends, for each class of copies.
    pub copies: [u16; COPIES],
    /// The weight sets of each family, as many as are [`STORED`].
    pub families: [Vec<Vector>; SETS],
    pub last: Vec<[f32; SETS]>,
}

impl TokenEndPrior {
    pub fn untrained(fp: Exact) -> Self {
        let weight = |i: usize| match i {
            0 => 0.6,
            1..=7 => 0.12,
            _ => 0.0,
        };
        Self {
            maps: [StateMap::new(fp); CONTEXTS],
            copies: std::array::from_fn(|i| if i & 1 == 1 { 62_000 } else { 3_500 }),
            families: STORED.map(|n| vec![Vector(std::array::from_fn(weight)); n]),
            last: vec![[1.0 / SETS as f32; SETS]; LAST],
        }
    }
}

/// The stored weight set that one of a family begins as.
pub fn begins_as(family: usize, set: usize) -> usize {
    if STORED[family] == 1 { 0 } else { set }
}

pub struct TokenEndModel {
    states: Vec<State>,
    bits: u32,
    pub maps: [StateMap; CONTEXTS],
    pub copies: [AdaptiveProb; COPIES],
    pub mixer: Mixer,
    places: [usize; CONTEXTS],
    /// The histories for the current decision, and their probabilities.
    seen: [State; CONTEXTS],
    ps: [u16; CONTEXTS],
    pub copy: usize,
    x: Vector,
}

impl TokenEndModel {
    pub fn new(lengths: &Lengths, start: &TokenEndPrior) -> Self {
        let bits = log2_within(lengths.block.saturating_mul(8), 12..=22);
        Self {
            states: vec![0; 1 << bits],
            bits,
            maps: start.maps,
            copies: start.copies.map(AdaptiveProb),
            mixer: Mixer::of(
                SETS_OF,
                |family, set| start.families[family][begins_as(family, set)],
                start.last.clone(),
                Rates::USUAL,
            ),
            places: [0; CONTEXTS],
            seen: [0; CONTEXTS],
            ps: [0; CONTEXTS],
            copy: 0,
            x: Vector([0.0; INPUTS]),
        }
    }

    /// The history of each context for the current decision.
    pub fn histories(&self) -> [State; CONTEXTS] {
        self.seen
    }

    #[inline(always)]
    pub fn predict<K: MixKernel>(
        &mut self,
        k: K,
        t: &Tables,
        contexts: &Contexts,
        e: &Ending,
    ) -> u16 {
        let r = contexts.recent() as u32;
        let keys = [e.node, r & 0xff, r & 0xffff, r & 0xff_ffff, contexts.word(), e.before];
        let mut x = [0; INPUTS];
        x[0] = t.stretch(e.hint.p);
        for (i, key) in keys.into_iter().enumerate() {
            let h = combine(combine(key, i as u32 + 1), e.node).wrapping_mul(0x9e37_79b1);
            self.places[i] = (h >> (32 - self.bits)) as usize;
            self.seen[i] = self.states[self.places[i]];
            self.ps[i] = self.maps[i].0[usize::from(self.seen[i])];
            x[1 + i] = t.stretch(self.ps[i]);
        }
        self.copy = e.copy.map_or(COPIES, |(ends, class)| class.min(31) * 2 + usize::from(ends));
        if self.copy < COPIES {
            x[7] = t.stretch(self.copies[self.copy].p());
        }
        x[8] = (0.4 * logistic::UNIT) as i16;
        x[9] = ((i32::from(e.hint.p) - (1 << 15)) >> 3) as i16;
        self.x = logistic::inputs(x);
        let sets = [
            e.hint.sure * 8 + e.hint.depth.min(7),
            (r & 0xff) as usize,
            self.copy,
            (e.node & 0xfff) as usize,
        ];
        let mixed = self.mixer.mix(k, t, sets, e.hint.sure, &self.x);
        logistic::nearest(t.squash(mixed) * 65536.0).clamp(1, 65535) as u16
    }

    #[inline(always)]
    pub fn update<K: MixKernel>(&mut self, k: K, histories: &Histories, ended: bool) {
        self.mixer.learn(k, f32::from(u8::from(ended)), &self.x);
        let learnt = maps::learnt::<MAP_SHIFT, _>(self.ps, ended);
        for (i, p) in learnt.into_iter().enumerate() {
            let seen = usize::from(self.seen[i]);
            self.maps[i].0[seen] = p;
            self.maps[i].0[0] = maps::NOTHING;
            self.states[self.places[i]] = histories.after(ended)[seen];
        }
        if self.copy < COPIES {
            self.copies[self.copy].learn::<6>(ended);
        }
    }
}

const _: () = assert!(SETS == 4 && USED_INPUTS <= COUNTER);
