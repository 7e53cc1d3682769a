//! What a stream of a transformer remembers: keys and values of the tokens that it sees, in int8,
//! in the layout of weights ([`WIDE`](crate::exact::kernel::WIDE)), so that they are multiplied as
//! these are.
//!
//! A token's keys and values are in a *slot*. The first tokens keep theirs for ever; the others
//! share a ring, in which a token takes the place of one that nobody sees any more.

use crate::exact::LANES;
use crate::exact::kernel::{BLOCK, Lanes};

/// The first tokens of a stream, which every later one sees in layers that are not local: models
/// lean on them however far away they are (Xiao and others, 2023).
pub const SINKS: usize = 4;

/// Tokens of a stream that are read in one step at most: so many slots has a ring beside those that
/// are seen.
pub const STEP: usize = 64;

/// Positions count from 0 again after so many: beyond, an angle would lose its fraction.
const POSITIONS: u64 = 1 << 26;

/// Whether a token at position `p` sees the one at position `t`.
pub fn is_seen(t: u64, p: u64, window: usize, sinks: usize) -> bool {
    t <= p && (t < sinks as u64 || t + window as u64 > p)
}

/// The position by which a token is turned.
pub fn turned_at(position: u64) -> f64 {
    (position % POSITIONS) as f64
}

/// Which tokens of a layer are seen, and where they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// Tokens that keep their slots.
    pub sinks: usize,
    /// The last tokens that are seen beside.
    pub window: usize,
    /// Slots.
    slots: usize,
}

impl Ring {
    pub fn new(window: usize, sinks: usize) -> Self {
        Self { sinks, window, slots: (window + sinks + STEP).next_multiple_of(BLOCK) }
    }

    /// The slot of a token.
    pub fn slot(&self, t: u64) -> usize {
        let sinks = self.sinks as u64;
        if t < sinks {
            t as usize
        } else {
            ((t - sinks) % (self.slots as u64 - sinks) + sinks) as usize
        }
    }

    /// Slots that have been used when so many tokens have been read, in full blocks.
    pub fn used(&self, tokens: u64) -> usize {
        ((self.slots as u64).min(tokens) as usize).next_multiple_of(BLOCK)
    }

    /// The slots that a token does not see of the first `used`, as ranges.
    pub fn unseen(&self, p: u64, used: usize) -> [(usize, usize); 4] {
        let sinks = (self.sinks as u64).min(p + 1) as usize;
        let first = (p + 1).saturating_sub(self.window as u64).max(self.sinks as u64);
        let mut gaps = [(0, 0); 4];
        if first > p {
            gaps[0] = (sinks, used);
            return gaps;
        }
        let (begin, count) = (self.slot(first), (p - first + 1) as usize);
        let end = begin + count;
        if end <= self.slots {
            gaps[0] = (sinks, begin);
            gaps[1] = (end, used);
        } else {
            // What is behind the end goes on behind the sinks.
            gaps[0] = (sinks + end - self.slots, begin);
            gaps[1] = (self.slots, used);
        }
        gaps
    }
}

/// Keys and values of a head.
#[derive(Debug, Clone, Default)]
pub struct Head {
    /// `[slots / 16]` tiles `[N / 2][16][2]`.
    pub keys: Vec<i8>,
    /// `[slots / 16]` lines.
    pub key_scale: Vec<Lanes>,
    /// `[N / 16]` tiles `[room / 2][16][2]`, of which the first slots are used.
    pub values: Vec<i8>,
    pub value_scale: Vec<Lanes>,
    /// Slots that there is room for.
    room: usize,
}

impl Head {
    /// Makes room for so many slots.
    pub fn reserve(&mut self, slots: usize, size: usize, ring: &Ring) {
        if slots <= self.room {
            return;
        }
        let room = slots.max(2 * self.room).next_multiple_of(BLOCK);
        let room = room.min(ring.slots.next_multiple_of(BLOCK));
        self.keys.resize(room * size, 0);
        self.key_scale.resize(room / LANES, Lanes::default());
        self.value_scale.resize(room / LANES, Lanes::default());
        let mut values = vec![0; room * size];
        if self.room > 0 {
            let tiles = values.chunks_exact_mut(room * LANES);
            for (to, from) in tiles.zip(self.values.chunks_exact(self.room * LANES)) {
                to[..from.len()].copy_from_slice(from);
            }
        }
        self.values = values;
        self.room = room;
    }

    /// Writes the key and the value of a token.
    pub fn write(&mut self, slot: usize, key: &[i8], value: &[i8], scales: [f32; 2]) {
        let (line, lane) = (slot / LANES, slot % LANES);
        let tile = &mut self.keys[line * LANES * key.len()..][..LANES * key.len()];
        for (pair, to) in key.as_chunks::<2>().0.iter().zip(tile.chunks_exact_mut(2 * LANES)) {
            to[2 * lane..][..2].copy_from_slice(pair);
        }
        let at = slot / 2 * 2 * LANES + slot % 2;
        let tiles = self.values.chunks_exact_mut(self.room * LANES);
        for (values, tile) in value.chunks_exact(LANES).zip(tiles) {
            let places = tile[at..].iter_mut().step_by(2);
            places.zip(values).for_each(|(to, value)| *to = *value);
        }
        self.key_scale[line].0[lane] = scales[0];
        self.value_scale[line].0[lane] = scales[1];
    }

    /// Two tiles of keys: those of the tokens of a block of slots.
    #[inline(always)]
    pub fn keys(&self, block: usize, size: usize) -> [&[i8]; 2] {
        let tiles = &self.keys[block * BLOCK * size..][..BLOCK * size];
        let (first, second) = tiles.split_at(LANES * size);
        [first, second]
    }

    /// Two tiles of values: a block of channels of the first `used` slots.
    #[inline(always)]
    pub fn values(&self, block: usize, used: usize) -> [&[i8]; 2] {
        [0, 1].map(|i| &self.values[(2 * block + i) * self.room * LANES..][..used * LANES])
    }
}

/// What a stream has read.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    /// Tokens that a prediction is made of, at most.
    pub context: usize,
    /// Tokens that have been read.
    pub length: u64,
    /// `[layers * key heads]`
    pub heads: Vec<Head>,
}

impl Cache {
    /// Forgets everything, and keeps the room.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        let head = |head: &Head| {
            head.keys.len()
                + head.values.len()
                + (head.key_scale.len() + head.value_scale.len()) * size_of::<Lanes>()
        };
        self.heads.iter().map(head).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the slots that are used, those that are seen hold the tokens that are, each once.
    #[test]
    fn seen_slots_are_those_of_seen_tokens() {
        for (window, sinks) in [(5, 0), (40, 4), (1, 4), (100, 4), (200, 0)] {
            let ring = Ring::new(window, sinks);
            for last in (0..40).chain(90..130).chain(150..500) {
                let used = ring.used(last + 1);
                let mut holds = vec![None; used];
                (0..=last).for_each(|t| holds[ring.slot(t)] = Some(t));
                for p in last.saturating_sub(STEP as u64 - 1)..=last {
                    let gaps = ring.unseen(p, used);
                    let seen = (0..used).filter(|s| !gaps.iter().any(|g| (g.0..g.1).contains(s)));
                    let mut found: Vec<u64> = seen.map(|slot| holds[slot].unwrap()).collect();
                    found.sort_unstable();
                    let expected: Vec<u64> =
                        (0..=p).filter(|t| is_seen(*t, p, window, sinks)).collect();
                    assert_eq!(found, expected, "{window} {sinks} {last} {p}");
                }
            }
        }
    }
}
