//! A stream of a block: what it has seen last, and its way through the table, half byte by half
//! byte.

use super::Shared;
use super::contexts::{CONTEXTS, Contexts};
use super::history::State;
use super::kernel::{INPUTS, MixKernel};
use super::matching::{Matcher, Matches};
use super::table::{Line, Place, Table};

/// What one stream of a block has seen last.
pub struct CmStream {
    /// Its part of the block, and how far it is decoded.
    pub at: usize,
    pub contexts: Contexts,
    pub matcher: Matcher,
    /// The bits of the current byte behind a leading 1.
    pub partial: usize,
    /// The bits of the current half byte behind a leading 1.
    pub node: usize,
    /// How many bits of the byte are known.
    pub bit: usize,
    pub places: [Place; CONTEXTS],
    /// The histories of all contexts at each node of the half byte (and what fills the vector up).
    pub states: [[State; INPUTS]; 16],
    /// The probabilities of those at the current node.
    pub ps: [u16; INPUTS],
    /// Groups of contexts of order 1 and 2, for the current half byte.
    pub order1: usize,
    pub order2: usize,
    /// The number of what weighs it.
    pub stage: usize,
}

/// Where the 16 contexts of the last bytes and a half byte begin, among 2^`bits`: one for each node
/// of the half byte that follows.
#[inline(always)]
fn group(last: u64, nibble: usize, bits: u32) -> usize {
    let h = ((last as u32) << 8 | nibble as u32).wrapping_mul(0x9e37_79b1);
    ((h ^ h >> 15).wrapping_mul(0x85eb_ca6b) >> (32 - bits)) as usize & !15
}

/// The line of a context and the first two bits of a byte, for its low half byte.
#[inline(always)]
fn low_line(table: &Table, hash: u32, two: usize) -> Line {
    table.line(hash).beside(two as u32 + 1)
}

impl CmStream {
    /// `tokens`: whether a language model cuts it into tokens.
    pub fn new(at: usize, tokens: bool) -> Self {
        Self {
            at,
            contexts: Contexts::new(at, tokens),
            matcher: Matcher::default(),
            partial: 1,
            node: 1,
            bit: 0,
            places: [0; CONTEXTS],
            states: [[0; INPUTS]; 16],
            ps: [0; INPUTS],
            order1: 0,
            order2: 0,
            stage: 0,
        }
    }

    /// Learns that the byte before `at` is complete.
    #[inline(always)]
    pub fn push(&mut self, matches: &mut Matches, raw: &[u8]) {
        self.contexts.push(raw, self.at);
        let (begin, recent) = (self.contexts.begin(), self.contexts.recent());
        self.matcher.push(matches, raw, self.at, begin, recent);
    }

    /// Finds the slots of the half byte.
    #[inline(always)]
    fn find(&mut self, table: &mut Table) {
        if self.partial == 1 {
            let last = self.contexts.recent() as u32;
            let lines = self.contexts.early().map(|h| table.line(h));
            table.prepare(lines);
            for (place, h) in self.places.iter_mut().zip(self.contexts.early()) {
                *place = table.find(table.line(*h), h ^ (last & 3) << 1);
            }
        } else {
            let nibble = self.partial & 15;
            let lines = self.contexts.hashes().map(|h| low_line(table, h, nibble >> 2));
            table.prepare(lines);
            for (place, h) in self.places.iter_mut().zip(self.contexts.hashes()) {
                *place = table.find(low_line(table, *h, nibble >> 2), h ^ (nibble as u32) << 1);
            }
        }
    }

    /// Begins to load what the low half byte needs, when the first two bits of a byte are known.
    #[inline(always)]
    pub fn fetch_low(&self, table: &Table, two: usize) {
        for h in self.contexts.hashes() {
            table.prefetch(low_line(table, *h, two));
        }
    }

    /// Begins to load what the next byte needs, when six bits of this one are known.
    #[inline(always)]
    pub fn fetch_high(&mut self, table: &Table, six: usize) {
        for h in self.contexts.look_ahead(six as u32) {
            table.prefetch(table.line(*h));
        }
    }

    /// Takes the histories of the next half byte out of the table.
    #[inline(always)]
    pub fn load<K: MixKernel>(&mut self, k: K, shared: &mut Shared) {
        self.find(&mut shared.table);
        let nibble = if self.partial == 1 { 0 } else { self.partial };
        self.order1 = group(self.contexts.recent() & 0xff, nibble, shared.wide);
        self.order2 = group(self.contexts.recent() & 0xffff, nibble, shared.wide);
        for (bank, places) in self.places.chunks(16).enumerate() {
            let mut slots = [[0; 16]; 16];
            for (slot, place) in slots.iter_mut().zip(places) {
                *slot = *shared.table.slot(*place);
            }
            for (states, column) in self.states.iter_mut().zip(k.transpose(&slots)) {
                states.as_chunks_mut::<16>().0[bank] = column;
            }
        }
    }

    /// Puts them back.
    #[inline(always)]
    pub fn store<K: MixKernel>(&self, k: K, shared: &mut Shared) {
        for (bank, places) in self.places.chunks(16).enumerate() {
            let states = std::array::from_fn(|node| self.states[node].as_chunks::<16>().0[bank]);
            for (slot, place) in k.transpose(&states).iter().zip(places) {
                *shared.table.slot(*place) = *slot;
            }
        }
    }

    /// Begins to load what order 1 and 2 choose next.
    #[inline(always)]
    pub fn prefetch(&self, shared: &Shared) {
        let stage = &shared.stages[self.stage];
        for node in [self.node, self.node * 2, self.node * 2 + 1] {
            let node = node & 15;
            stage.prefetch(self.order1 + node, self.order2 + node);
        }
    }
}
