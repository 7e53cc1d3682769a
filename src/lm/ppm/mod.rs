//! PPM: prediction by partial matching, over bytes, in integers only.
//!
//! The longest context that has been seen before predicts the next byte from what followed it; what
//! it leaves for "none of these" (the escape) goes to the next shorter one, which predicts only
//! bytes that the longer ones did not (exclusion), and so on. Escape probabilities are learnt for
//! classes of situations (secondary estimation, after Bloom and Shkarin), a new symbol inherits its
//! frequency from the shorter context that knew it.
//!
//! Unlike most programs of this kind it does not code escapes: it gives the whole distribution of
//! the next byte, like any other model, and the token walk codes that. It is the baseline of the
//! tables and the control of the determinism tests.

mod escape;
mod tree;

use escape::{Escapes, Slot};
use tree::{ROOT, Symbol, Tree};

use super::LanguageModel;
use crate::vocab::{Token, Vocabulary};

pub use crate::format::{PPM_MEMORY as MEMORY_LOG2, PPM_ORDER as ORDER};

/// Longest context that can be asked for.
pub const MAX_ORDER: u8 = 32;
/// Limits that can be asked for, as powers of two.
pub const MEMORY_RANGE: std::ops::RangeInclusive<u8> = 16..=30;

/// Sum of the masses that contexts share out; [`Ppm::predict`] adds 1 for each byte.
const MASS: u32 = 1 << 30;

/// Room for all bytes and one entry more, as a mask that spares a bounds check.
const KNOWN: usize = 511;

/// What one sight of a symbol adds to its frequency, and where frequencies are halved.
const STEP: u16 = 4;
const MOST: u16 = 480;

/// A context that took part in the last prediction.
#[derive(Clone, Copy)]
struct Visit {
    node: u32,
    order: u8,
    /// How many symbols it has.
    count: u16,
    /// The escape estimate used; `None` if all symbols were excluded, so that escape was certain.
    slot: Option<Slot>,
}

/// An order-N model of bytes. See the [module](self).
#[derive(Clone)]
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
    /// The bytes that the contexts of the last prediction know, and their masses.
    known: Box<[(u8, u32); KNOWN + 1]>,
    /// The epoch in which each byte was excluded last: it is excluded if that is the current one.
    marks: Box<[u8; 256]>,
    epoch: u8,
    /// Prefix sums of the frequencies of the next byte.
    sums: Vec<u64>,
}

impl LanguageModel for Ppm {
    fn vocabulary(&self) -> &Vocabulary {
        Vocabulary::bytes()
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
    /// about 2^`memory_log2` bytes ([`MEMORY_RANGE`]). When they are full, everything learnt is
    /// dropped and learning begins again; escape estimates are kept.
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
            known: Box::new([(0, 0); KNOWN + 1]),
            marks: Box::new([0; 256]),
            epoch: 0,
            sums: vec![0; 257],
        }
    }

    /// Begins, and reads bytes that are not coded.
    pub fn read(&mut self, bytes: &[u8]) {
        self.start(1);
        bytes.iter().for_each(|&b| self.step(&[Some(b.into())]));
    }

    /// Puts the distribution of the next byte into `sums`: every frequency at least 1, their sum at
    /// most 2^30 + 256.
    fn predict(&mut self) {
        // The path first: its nodes lie all over the memory, and the loads of their symbols overlap
        // so.
        self.path.clear();
        let mut node = self.current;
        loop {
            let n = self.tree.node(node);
            self.tree.prefetch(&n);
            self.path.push(Visit { node, order: n.order, count: n.count, slot: None });
            if node == ROOT {
                break;
            }
            node = n.suffix;
        }
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.marks.fill(0);
            self.epoch = 1;
        }
        let (list, marks, epoch) = (&mut *self.known, &mut *self.marks, self.epoch);
        let mut known = 0;
        let mut remaining = MASS;
        for i in 0..self.path.len() {
            let Visit { node, order, count, .. } = self.path[i];
            let (mut n, mut sum) = (known, 0);
            for s in self.tree.symbols(node) {
                // Written always, kept if not excluded: no branch to mispredict.
                list[n & KNOWN] = (s.byte, u32::from(s.freq));
                let new = marks[usize::from(s.byte)] != epoch;
                n += usize::from(new);
                sum += if new { u32::from(s.freq) } else { 0 };
            }
            if n == known {
                continue;
            }
            let shorter = self.path.get(i + 1).map_or(256, |v| v.count);
            let slot = self.escapes.slot(&escape::Situation {
                fresh: (n - known) as u32,
                sum,
                excluded: known > 0,
                shorter: u32::from(shorter).saturating_sub(u32::from(count)),
                order,
                streak: self.streak,
            });
            self.path[i].slot = Some(slot);
            let escaped =
                ((u64::from(remaining) * u64::from(self.escapes.probability(slot))) >> 16) as u32;
            let unit = (u64::from(remaining - escaped) << 24) / u64::from(sum);
            for (byte, mass) in &mut list[known..n] {
                *mass = ((u64::from(*mass) * unit) >> 24) as u32;
                marks[usize::from(*byte)] = epoch;
            }
            known = n;
            remaining = escaped;
        }
        // What no context knows shares what is left.
        let rest = if known < 256 { remaining / (256 - known as u32) } else { 0 };
        let mut frequencies = [rest + 1; 256];
        for &(byte, mass) in &list[..known] {
            frequencies[usize::from(byte)] = mass + 1;
        }
        let mut total = 0;
        for (sums, four) in
            self.sums[1..].as_chunks_mut::<4>().0.iter_mut().zip(frequencies.as_chunks::<4>().0)
        {
            for (sum, &f) in sums.iter_mut().zip(four) {
                total += u64::from(f);
                *sum = total;
            }
        }
    }

    /// Learns the byte that came after the last [`predict`](Self::predict).
    fn update(&mut self, byte: u8) {
        self.tree.push(byte);
        let found =
            self.path.iter().position(|v| self.tree.symbols(v.node).iter().any(|s| s.byte == byte));
        let tried = found.map_or(self.path.len(), |i| i + 1);
        for (i, visit) in self.path[..tried].iter().enumerate() {
            if let Some(slot) = visit.slot {
                self.escapes.learn(slot, Some(i) != found);
            }
        }
        self.streak = if found == Some(0) { (self.streak + 1).min(escape::STREAK) } else { 0 };

        // What a new symbol inherits from: its frequency in the context that knew it, against the
        // rest.
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
            let freq =
                (2 * own * (sum + 6) / (3 * (rest + sum))).clamp(1, 2 * u32::from(STEP)) as u16;
            self.tree.add(node, Symbol { freq, byte }, successor);
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
    let freq = if 2 * own <= rest {
        1 + u32::from(5 * own > rest)
    } else {
        1 + (2 * own + 3 * rest - 1) / (2 * rest)
    };
    freq.min(2 * u32::from(STEP)) as u16
}
