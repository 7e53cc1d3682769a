//! Whether a token ends: the one decision that context models do not meet by themselves.
//!
//! Comes in: what the language model says, where in the trie of tokens it is, what came before, and whether the match
//! model's copy goes on to a longer token. Goes out: the probability, mixed like that of a bit.

use super::contexts::{Contexts, combine};
use super::history::{Histories, State};
use super::kernel::{INPUTS, Kernel, SETS, Vector};
use super::logistic::{self, Tables};
use super::maps::{self, Cell, HistoryMap};
use super::mixer::Mixer;
use super::{Guess, Lengths, log2_within};

/// Contexts with bit histories: the node with orders 0 to 3, the word, and the token before.
const CONTEXTS: usize = 6;
const MAP_SHIFT: u32 = 7;

/// A decision whether a token ends.
#[derive(Debug, Clone, Copy)]
pub struct Ending {
    pub guess: Guess,
    /// The node of the trie.
    pub node: u32,
    /// The token before.
    pub before: u32,
    /// Whether the match model's copy ends the token here (1) or not (0), with the class of its length; or nothing.
    pub copy: Option<(bool, usize)>,
}

pub struct Ends {
    states: Vec<State>,
    bits: u32,
    maps: [HistoryMap; CONTEXTS],
    copies: Vec<Cell>,
    mixer: Mixer,
    places: [usize; CONTEXTS],
    ps: [u16; CONTEXTS],
    copy: usize,
    x: Vector,
    age: u32,
}

impl Ends {
    pub fn new(lengths: &Lengths) -> Self {
        let length: usize = lengths.streams.iter().sum();
        let bits = log2_within(length.saturating_mul(8), 12..=22);
        let weight = |i: usize| match i {
            0 => 0.6,
            1..=7 => 0.12,
            _ => 0.0,
        };
        let set = Vector(std::array::from_fn(weight));
        Self {
            states: vec![0; 1 << bits],
            bits,
            maps: [HistoryMap::new(); CONTEXTS],
            copies: (0..64).map(|i| Cell::new(if i & 1 == 1 { 0.95 } else { 0.05 })).collect(),
            mixer: Mixer::uniform([8 * 8, 256, 65, 1 << 12], 8, set),
            places: [0; CONTEXTS],
            ps: [0; CONTEXTS],
            copy: 0,
            x: Vector([0.0; INPUTS]),
            age: 0,
        }
    }

    #[inline(always)]
    pub fn predict<K: Kernel>(&mut self, k: K, t: &Tables, contexts: &Contexts, e: &Ending) -> u16 {
        let r = contexts.recent() as u32;
        let keys = [e.node, r & 0xff, r & 0xffff, r & 0xff_ffff, contexts.word(), e.before];
        let mut x = [0; INPUTS];
        x[0] = t.stretch(e.guess.p);
        for (i, key) in keys.into_iter().enumerate() {
            let h = combine(combine(key, i as u32 + 1), e.node).wrapping_mul(0x9e37_79b1);
            self.places[i] = (h >> (32 - self.bits)) as usize;
            self.ps[i] = self.maps[i].0[usize::from(self.states[self.places[i]])];
            x[1 + i] = t.stretch(self.ps[i]);
        }
        self.copy = e.copy.map_or(64, |(ends, class)| class.min(31) * 2 + usize::from(ends));
        if self.copy < 64 {
            x[7] = t.stretch(self.copies[self.copy].p());
        }
        x[8] = (0.4 * logistic::UNIT) as i16;
        x[9] = ((i32::from(e.guess.p) - (1 << 15)) >> 3) as i16;
        self.x = logistic::inputs(x);
        let sets = [e.guess.sure * 8 + e.guess.depth.min(7), (r & 0xff) as usize, self.copy, (e.node & 0xfff) as usize];
        let mixed = self.mixer.mix(k, t, sets, e.guess.sure, &self.x);
        logistic::nearest(t.squash(mixed) * 65536.0).clamp(1, 65535) as u16
    }

    #[inline(always)]
    pub fn update<K: Kernel>(&mut self, k: K, histories: &Histories, ended: bool) {
        self.age += u32::from(self.age < 1 << 16);
        let rate = 0.004 + 0.05 / (self.age as f32 + 5.0);
        self.mixer.learn(k, f32::from(u8::from(ended)), rate, 0.001, &self.x);
        let learnt = maps::learnt::<MAP_SHIFT, _>(self.ps, ended);
        for i in 0..CONTEXTS {
            let state = &mut self.states[self.places[i]];
            self.maps[i].0[usize::from(*state)] = learnt[i];
            self.maps[i].0[0] = maps::NOTHING;
            *state = histories.after(ended)[usize::from(*state)];
        }
        if self.copy < 64 {
            self.copies[self.copy].learn::<6>(ended);
        }
    }
}

const _: () = assert!(SETS == 4);
