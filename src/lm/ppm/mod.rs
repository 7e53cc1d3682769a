//! PPM: prediction by partial matching, over bytes, in integers only.
//!
//! The longest context that has been seen before predicts the next byte from what followed it; what
//! it leaves for "none of these" (the escape) goes to the next shorter one, which predicts only
//! bytes that the longer ones did not (exclusion), and so on. Escape probabilities are learnt for
//! classes of situations (secondary estimation, after Bloom and Shkarin), a new symbol inherits its
//! frequency from the shorter context that knew it.
//!
//! Unlike most programs of this kind it does not code escapes: it gives the whole distribution of the
//! next byte, like any other model, and the token walk codes that. It is the baseline of the tables
//! and the control of the determinism tests.

mod escape;
mod tree;

use escape::{Escapes, Slot};
use tree::{Node, ROOT, Symbol, Tree};

use super::LanguageModel;
use crate::vocab::{Token, Vocabulary};

/// Default longest context, in bytes.
pub const ORDER: u8 = 6;
/// Longest context that can be asked for.
pub const MAX_ORDER: u8 = 32;
/// Default limit of memory for contexts: 2^26 bytes.
pub const MEMORY_LOG2: u8 = 26;
/// Limits that can be asked for, as powers of two.
pub const MEMORY_RANGE: std::ops::RangeInclusive<u8> = 16..=30;

/// Sum of the masses that contexts share out; [`Ppm::frequencies`] adds 1 for each byte.
const MASS: u32 = 1 << 30;

/// What one sight of a symbol adds to its frequency, and where frequencies are halved.
const STEP: u16 = 4;
const MOST: u16 = 480;

/// A context that took part in the last prediction.
#[derive(Clone, Copy)]
struct Visit {
    node: u32,
    /// The escape estimate used; `None` if all symbols were excluded, so that escape was certain.
    slot: Option<Slot>,
}

/// An order-N model of bytes. See the [module](self).
pub struct Ppm {
    order: u8,
    memory: usize,
    tree: Tree,
    escapes: Escapes,
    /// The longest known context of the next byte.
    current: u32,
    /// The contexts of the last prediction, longest first.
    path: Vec<Visit>,
    /// How often in a row the longest context knew the byte, up to a few.
    streak: u8,
    /// Prefix sums of the frequencies of the next byte.
    sums: Vec<u64>,
}

impl LanguageModel for Ppm {
    fn vocabulary(&self) -> &Vocabulary {
        Vocabulary::bytes()
    }

    fn most_streams(&self) -> usize {
        1
    }

    fn start(&mut self, streams: usize) {
        assert_eq!(streams, 1, "PPM reads one stream");
        if !self.path.is_empty() {
            *self = Self::new(self.order, self.memory.ilog2() as u8);
        }
        self.predict();
    }

    fn sums(&self, _: usize) -> &[u64] {
        &self.sums
    }

    fn step(&mut self, next: &[Option<Token>]) {
        if let [Some(byte)] = *next {
            self.update(byte as u8);
            self.predict();
        }
    }
}

impl Ppm {
    /// A model that has seen nothing, with contexts of up to `order` bytes (1 to [`MAX_ORDER`]) in
    /// about 2^`memory_log2` bytes ([`MEMORY_RANGE`]). When they are full, everything learnt is dropped
    /// and learning begins again; escape estimates are kept.
    pub fn new(order: u8, memory_log2: u8) -> Self {
        let mut tree = Tree::default();
        tree.clear();
        Self {
            order: order.clamp(1, MAX_ORDER),
            memory: 1 << memory_log2.clamp(*MEMORY_RANGE.start(), *MEMORY_RANGE.end()),
            tree,
            escapes: Escapes::new(),
            current: ROOT,
            path: Vec::new(),
            streak: 0,
            sums: vec![0; 257],
        }
    }

    /// Puts the distribution of the next byte into `sums`.
    fn predict(&mut self) {
        let mut frequencies = [0; 256];
        self.frequencies(&mut frequencies);
        let mut total = 0;
        for (sum, f) in self.sums[1..].iter_mut().zip(frequencies) {
            total += u64::from(f);
            *sum = total;
        }
    }

    /// The frequencies of the next byte, each at least 1, their sum at most 2^30 + 256.
    fn frequencies(&mut self, out: &mut [u32; 256]) {
        *out = [1; 256];
        self.path.clear();
        let mut seen = [0u64; 4];
        let mut known = 0;
        let mut remaining = MASS;
        let mut node = self.current;
        let mut fresh = [(0u8, 0u16); 256];
        loop {
            let Node { suffix, count, order, .. } = self.tree.node(node);
            let (mut n, mut sum) = (0, 0);
            for s in self.tree.symbols(node) {
                // Written always, kept if not excluded: no branch to mispredict.
                fresh[n] = (s.byte, s.freq);
                let new = seen[usize::from(s.byte >> 6)] >> (s.byte & 63) & 1 == 0;
                n += usize::from(new);
                sum += if new { u32::from(s.freq) } else { 0 };
            }
            let slot = (n > 0).then(|| {
                let shorter = if node == ROOT { 256 } else { self.tree.node(suffix).count };
                self.escapes.slot(&escape::Situation {
                    fresh: n as u32,
                    sum,
                    excluded: known > 0,
                    shorter: u32::from(shorter).saturating_sub(u32::from(count)),
                    order,
                    streak: self.streak,
                })
            });
            self.path.push(Visit { node, slot });
            if let Some(slot) = slot {
                let escaped = ((u64::from(remaining) * u64::from(self.escapes.probability(slot))) >> 16) as u32;
                let unit = (u64::from(remaining - escaped) << 24) / u64::from(sum);
                for &(byte, freq) in &fresh[..n] {
                    out[usize::from(byte)] += ((u64::from(freq) * unit) >> 24) as u32;
                    seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
                }
                known += n;
                remaining = escaped;
            }
            if node == ROOT {
                break;
            }
            node = suffix;
        }
        if known < 256 {
            let share = remaining / (256 - known as u32);
            for (byte, f) in out.iter_mut().enumerate() {
                if seen[byte >> 6] >> (byte & 63) & 1 == 0 {
                    *f += share;
                }
            }
        }
    }

    /// Learns the byte that came after the last [`frequencies`](Self::frequencies).
    fn update(&mut self, byte: u8) {
        self.tree.push(byte);
        let found = self.path.iter().position(|v| self.tree.symbols(v.node).iter().any(|s| s.byte == byte));
        let tried = found.map_or(self.path.len(), |i| i + 1);
        for (i, visit) in self.path[..tried].iter().enumerate() {
            if let Some(slot) = visit.slot {
                self.escapes.learn(slot, Some(i) != found);
            }
        }
        self.streak = if found == Some(0) { (self.streak + 1).min(escape::STREAK) } else { 0 };

        // What a new symbol inherits from: its frequency in the context that knew it, against the rest.
        let (mut own, mut rest) = (1, 255);
        if let Some(i) = found {
            let node = self.path[i].node;
            self.strengthen(node, byte, STEP);
            if let Some(shorter) = self.path.get(i + 1) {
                self.strengthen(shorter.node, byte, STEP / 2);
            }
            let symbols = self.tree.symbols(node);
            let sum: u32 = symbols.iter().map(|s| u32::from(s.freq)).sum();
            own = symbols.iter().find(|s| s.byte == byte).map_or(1, |s| u32::from(s.freq));
            rest = (sum - own).saturating_sub(symbols.len() as u32).max(1);
        }
        let successor = self.tree.here();
        for i in 0..found.unwrap_or(self.path.len()) {
            let node = self.path[i].node;
            let sum: u32 = self.tree.symbols(node).iter().map(|s| u32::from(s.freq)).sum();
            let freq = (2 * own * (sum + 6) / (3 * (rest + sum))).clamp(1, 2 * u32::from(STEP)) as u16;
            self.tree.add(node, Symbol { successor, freq, byte });
        }

        self.current = match found {
            None => ROOT,
            Some(i) => {
                let mut node = self.path[i].node;
                if self.tree.node(node).order == self.order {
                    node = self.tree.node(node).suffix;
                }
                self.tree.successor(node, byte, inherited)
            }
        };
        if self.tree.bytes() > self.memory {
            self.tree.clear();
            self.current = ROOT;
        }
    }

    /// Raises a symbol's frequency; halves all of the context where one grows too large.
    fn strengthen(&mut self, node: u32, byte: u8, step: u16) {
        let symbols = self.tree.symbols_mut(node);
        let Some(symbol) = symbols.iter_mut().find(|s| s.byte == byte) else { return };
        symbol.freq += step;
        if symbol.freq > MOST {
            symbols.iter_mut().for_each(|s| s.freq = s.freq.div_ceil(2));
        }
    }
}

/// The first frequency of `byte` in a new context whose next shorter one is `shorter`.
fn inherited(tree: &Tree, shorter: u32, byte: u8) -> u16 {
    let symbols = tree.symbols(shorter);
    let own = symbols.iter().find(|s| s.byte == byte).map_or(1, |s| u32::from(s.freq));
    if symbols.len() == 1 {
        return (own as u16).min(2 * STEP);
    }
    let sum: u32 = symbols.iter().map(|s| u32::from(s.freq)).sum();
    let (own, rest) = (own - 1, (sum - own).saturating_sub(symbols.len() as u32 - 1).max(1));
    let freq = if 2 * own <= rest { 1 + u32::from(5 * own > rest) } else { 1 + (2 * own + 3 * rest - 1) / (2 * rest) };
    freq.min(2 * u32::from(STEP)) as u16
}
