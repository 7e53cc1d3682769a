//! What a stream of a transformer remembers: keys and values of the tokens that it sees, in int8,
//! in the layout of weights ([`WIDE`](crate::exact::kernel::WIDE)), so that they are multiplied as
//! these are. Which token is where says the [`Ring`].

use super::config::Config;
use super::ring::Ring;
use crate::exact::LANES;
use crate::exact::kernel::{BLOCK, Lanes, Memory};

/// Keys and values of a head.
pub struct Head<'a> {
    /// `[room / 32]` blocks `[N / 2][32][2]`.
    keys: &'a mut [i8],
    /// `[N / 32]` blocks `[room / 2][32][2]`.
    values: &'a mut [i8],
    /// `[room / 16]` lines.
    pub key_scale: &'a mut [Lanes],
    pub value_scale: &'a mut [Lanes],
    /// Slots that there is room for.
    room: usize,
}

impl Head<'_> {
    /// Writes the key and the value of a token.
    pub fn write(&mut self, slot: usize, key: &[i8], value: &[i8], scales: [f32; 2]) {
        let (block, place) = (slot / BLOCK, slot % BLOCK);
        let to = &mut self.keys[block * BLOCK * key.len()..][..BLOCK * key.len()];
        for (pair, to) in key.as_chunks::<2>().0.iter().zip(to.chunks_exact_mut(2 * BLOCK)) {
            to[2 * place..][..2].copy_from_slice(pair);
        }
        let at = slot / 2 * 2 * BLOCK + slot % 2;
        let blocks = self.values.chunks_exact_mut(self.room * BLOCK);
        for (values, block) in value.chunks_exact(BLOCK).zip(blocks) {
            let places = block[at..].iter_mut().step_by(2);
            places.zip(values).for_each(|(to, value)| *to = *value);
        }
        let (line, lane) = (slot / LANES, slot % LANES);
        self.key_scale[line].0[lane] = scales[0];
        self.value_scale[line].0[lane] = scales[1];
    }

    /// The keys of the tokens of a block of slots.
    #[inline(always)]
    pub fn keys(&self, block: usize, size: usize) -> &[i8] {
        &self.keys[block * BLOCK * size..][..BLOCK * size]
    }

    /// The values of a block of channels, of the first `used` slots.
    #[inline(always)]
    pub fn values(&self, block: usize, used: usize) -> &[i8] {
        &self.values[block * self.room * BLOCK..][..used * BLOCK]
    }

    /// Takes over what was in another.
    fn copy(&mut self, from: &Head, size: usize) {
        self.keys[..from.keys.len()].copy_from_slice(from.keys);
        self.key_scale[..from.key_scale.len()].copy_from_slice(from.key_scale);
        self.value_scale[..from.value_scale.len()].copy_from_slice(from.value_scale);
        for block in 0..size / BLOCK {
            let values = from.values(block, from.room);
            self.values[block * self.room * BLOCK..][..values.len()].copy_from_slice(values);
        }
    }
}

/// A layer's part of a cache.
#[derive(Debug, Clone)]
struct Layer {
    ring: Ring,
    /// Slots that there is room for.
    room: usize,
}

/// What a stream has read.
#[derive(Debug, Clone)]
pub struct Cache {
    /// Tokens that a prediction is made of, at most.
    pub context: usize,
    /// Tokens that have been read.
    pub length: u64,
    layers: Vec<Layer>,
    /// Heads of keys of a layer, and their channels N.
    heads: usize,
    size: usize,
    /// Of each layer and head its keys, then its values. In one piece, so that it lies in large
    /// pages: each step reads all of it.
    numbers: Memory<i8>,
    /// Of each layer and head the scales of its keys, then those of its values.
    scales: Vec<Lanes>,
}

impl Cache {
    /// Before a document.
    pub fn new(config: &Config, context: usize) -> Self {
        let layer = |local: &bool| Layer { ring: config.ring(context, *local), room: 0 };
        Self {
            context,
            length: 0,
            layers: config.local.iter().map(layer).collect(),
            heads: config.kv_heads,
            size: config.head_size,
            numbers: Memory::zeros(0),
            scales: Vec::new(),
        }
    }

    /// Forgets everything, and keeps the room.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Makes room for the next tokens, so many.
    pub fn reserve(&mut self, tokens: usize) {
        let tokens = self.length + tokens as u64;
        if self.layers.iter().all(|layer| layer.ring.used(tokens) <= layer.room) {
            return;
        }
        let layer = |Layer { ring, room }: &Layer| {
            let used = ring.used(tokens).max(*room);
            let twice = ring.used(u64::MAX).min(2 * room);
            Layer { ring: *ring, room: used.max(twice).next_multiple_of(BLOCK) }
        };
        let layers: Vec<Layer> = self.layers.iter().map(layer).collect();
        let slots = self.heads * layers.iter().map(|layer| layer.room).sum::<usize>();
        let mut new = Self {
            layers,
            numbers: Memory::zeros(2 * slots * self.size),
            scales: vec![Lanes::default(); 2 * slots / LANES],
            ..*self
        };
        for layer in 0..self.layers.len() {
            let size = self.size;
            for (to, from) in new.heads(layer).zip(self.heads(layer)) {
                { to }.copy(&from, size);
            }
        }
        *self = new;
    }

    /// Which tokens a layer sees.
    pub fn ring(&self, layer: usize) -> Ring {
        self.layers[layer].ring
    }

    /// The heads of keys of a layer.
    pub fn heads(&mut self, layer: usize) -> impl Iterator<Item = Head<'_>> {
        let room = self.layers[layer].room;
        let before = self.layers[..layer].iter().map(|layer| layer.room).sum::<usize>();
        let (numbers, lines) = (room * self.size, room / LANES);
        let at = 2 * self.heads * before;
        let all = self.numbers[at * self.size..][..2 * self.heads * numbers].as_mut();
        let scales = &mut self.scales[at / LANES..][..2 * self.heads * lines];
        // At least 1, or there would be no chunks where there is no room.
        let all = all.chunks_exact_mut((2 * numbers).max(1));
        all.zip(scales.chunks_exact_mut((2 * lines).max(1))).map(move |(all, scales)| {
            let (keys, values) = all.split_at_mut(numbers);
            let (key_scale, value_scale) = scales.split_at_mut(lines);
            Head { keys, values, key_scale, value_scale, room }
        })
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        self.numbers.len() + size_of_val(&self.scales[..])
    }
}
