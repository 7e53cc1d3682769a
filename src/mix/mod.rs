//! Context mixing: what the file itself teaches, bit by bit.
//!
//! Comes in: the bits of bytes, one after the other. Goes out: before each bit the probability that it
//! is 1, learnt from what followed in the same contexts before. See [`contexts`] for which contexts;
//! each has a bit history for every bit, which an adaptive map turns into a probability; a match model
//! looks for the longest repeat; mixers weigh them all, and corrections have the last word.
//!
//! All arithmetic is in integers or in binary32 without fused operations, in a fixed order, so that
//! every machine gets the same bits.

mod contexts;
mod history;
pub mod kernel;
mod logistic;
mod maps;
mod matching;
mod mixer;
mod table;

use contexts::{CONTEXTS, Contexts};
use history::{Histories, State};
use kernel::{Kernel, Vector};
use logistic::Tables;
use maps::{Cell, Correction, HistoryMap};
use matching::{Matcher, Matches};
use mixer::Mixer;
use table::{Place, Table};

/// What one stream of a block has seen last.
struct Stream {
    /// Its part of the block, and how far it is decoded.
    at: usize,
    contexts: Contexts,
    matcher: Matcher,
    /// The bits of the current byte behind a leading 1.
    partial: usize,
    /// The same of the current half byte, and how many bits of the byte are known.
    node: usize,
    bit: usize,
    places: [Place; CONTEXTS],
    states: [State; CONTEXTS],
    /// Groups of contexts of order 1 and 2, for the current half byte.
    order1: usize,
    order2: usize,
}

/// What all streams share.
struct Shared {
    tables: &'static Tables,
    histories: &'static Histories,
    table: Table,
    maps: Box<[HistoryMap; CONTEXTS]>,
    matches: Matches,
    mixer: Mixer,
    corrections: [Correction; 3],
    /// log2 of the contexts of what is chosen by order 1 and 2: fewer in small blocks, where making them
    /// would take longer than coding.
    wide: u32,
    /// Bytes coded, up to a bound, and the mixers' learning rate, which falls with them.
    age: u32,
    rate: f32,
}

/// How slowly a history's probability follows.
const MAP_SHIFT: u32 = 7;

/// The context models of a block.
pub struct Mix {
    shared: Shared,
    streams: Vec<Stream>,
    /// The stream that reads the dictionary, until it has.
    dictionary: Option<Stream>,
    raw: Vec<u8>,
    /// The inputs of the mixer for the current bit.
    x: Vector,
}

/// The bytes of a block.
pub struct Lengths<'a> {
    /// Bytes that come before all streams and are not coded.
    pub dictionary: usize,
    pub streams: &'a [usize],
}

/// The whole part of the binary logarithm, within bounds; of 0 the lower bound.
fn log2_within(x: usize, bounds: std::ops::RangeInclusive<u32>) -> u32 {
    x.checked_ilog2().unwrap_or(0).clamp(*bounds.start(), *bounds.end())
}

/// Where the 16 contexts of the last bytes and a half byte begin, among 2^`bits`: one for each node of the
/// half byte that follows.
#[inline(always)]
fn group(last: u64, nibble: usize, bits: u32) -> usize {
    let h = ((last as u32) << 8 | nibble as u32).wrapping_mul(0x9e37_79b1);
    ((h ^ h >> 15).wrapping_mul(0x85eb_ca6b) >> (32 - bits)) as usize & !15
}

impl Mix {
    /// Begins a block. Memory is that of the block's bytes, 256 to 512 times as much for the table, and some
    /// more: from about 1 MiB to about 95.
    pub fn new(lengths: &Lengths) -> Self {
        let length = lengths.dictionary + lengths.streams.iter().sum::<usize>();
        let initial = mixer::initial(0.15, CONTEXTS + matching::INPUTS);
        let wide = log2_within(length.saturating_mul(4), 10..=16);
        let mut shared = Shared {
            tables: Tables::get(),
            histories: Histories::get(),
            table: Table::new(log2_within(length.saturating_mul(512), 16..=26)),
            maps: Box::new([HistoryMap::new(); CONTEXTS]),
            matches: Matches::new(length),
            mixer: Mixer::new([256, 1 << wide, matching::SELECT * 8, (CONTEXTS + 1) * 256], 64, initial),
            corrections: [256, 1 << wide, 1 << wide].map(Correction::new),
            wide,
            age: 0,
            rate: 0.02,
        };
        let mut at = 0;
        let mut stream = |length: usize| {
            let mut stream = Stream {
                at,
                contexts: Contexts::new(at),
                matcher: Matcher::default(),
                partial: 1,
                node: 1,
                bit: 0,
                places: [0; CONTEXTS],
                states: [0; CONTEXTS],
                order1: 0,
                order2: 0,
            };
            stream.half_byte(&mut shared);
            at += length;
            stream
        };
        let dictionary = stream(lengths.dictionary);
        let streams = lengths.streams.iter().map(|length| stream(*length)).collect();
        Self { shared, streams, dictionary: Some(dictionary), raw: vec![0; length], x: Vector([0.0; _]) }
    }

    /// Learns the dictionary, before anything else.
    #[inline(always)]
    pub fn read<K: Kernel>(&mut self, k: K, dictionary: &[u8]) {
        let Some(stream) = self.dictionary.take().filter(|_| !dictionary.is_empty()) else { return };
        self.streams.push(stream);
        let last = self.streams.len() - 1;
        for byte in dictionary {
            for shift in (0..8).rev() {
                self.predict(k, last);
                self.update(k, last, byte >> shift & 1 == 1);
            }
        }
        self.streams.pop();
        // What the streams begin with may have moved.
        self.streams.iter_mut().for_each(|s| s.half_byte(&mut self.shared));
    }

    /// The dictionary and the streams, as far as they have been coded.
    pub fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// The probability that a stream's next bit is 1, in units of 2^-16, neither 0 nor 1.
    #[inline(always)]
    pub fn predict<K: Kernel>(&mut self, k: K, stream: usize) -> u16 {
        let (stream, shared) = (&mut self.streams[stream], &mut self.shared);
        let t = shared.tables;
        let x = &mut self.x;
        let node = stream.node;
        let (order1, order2) = (stream.order1 + node, stream.order2 + node);
        let mut known = 0;
        for i in 0..CONTEXTS {
            let state = *shared.table.state(stream.places[i], node);
            stream.states[i] = state;
            known += usize::from(state != 0);
            x.0[i] = t.stretch(shared.maps[i].0[usize::from(state)].p());
        }
        let c = &stream.contexts;
        let partial = stream.partial;
        let found = stream.matcher.predict(&mut shared.matches, t, partial, stream.bit);
        x.0[CONTEXTS..CONTEXTS + matching::INPUTS].copy_from_slice(&found.x);
        x.0[CONTEXTS + matching::INPUTS] = 0.4;
        let bit = stream.bit;
        let chosen = [partial, order1, found.select * 8 + bit, known * 256 + c.kind()];
        let mixed = shared.mixer.mix(k, t, chosen, (c.kind() & 7) * 8 + bit, x);
        let p = t.squash(mixed);
        let p1 = shared.corrections[0].refine(partial, mixed);
        let p2 = shared.corrections[1].refine(order1, mixed);
        let p3 = shared.corrections[2].refine(order2, mixed);
        let p = p * 0.25 + p1 * 0.15 + p2 * 0.3 + p3 * 0.3;
        logistic::nearest(p * 65536.0).clamp(1, 65535) as u16
    }

    /// Learns the bit that [`predict`](Self::predict) was for.
    #[inline(always)]
    pub fn update<K: Kernel>(&mut self, k: K, stream: usize, bit: bool) {
        let (stream, shared) = (&mut self.streams[stream], &mut self.shared);
        let rate = shared.rate;
        let target = f32::from(u8::from(bit));
        shared.mixer.learn(k, target, rate, 0.002, &self.x);
        for correction in &mut shared.corrections {
            correction.learn(bit);
        }
        let node = stream.node;
        for i in 0..CONTEXTS {
            let state = stream.states[i];
            shared.maps[i].0[usize::from(state)].learn::<MAP_SHIFT>(bit);
            shared.maps[i].0[0] = Cell::HALF; // what was never seen says nothing
            *shared.table.state(stream.places[i], node) = shared.histories.next(state, bit);
        }
        stream.matcher.learn(&mut shared.matches, stream.bit, bit);
        stream.partial = stream.partial * 2 + usize::from(bit);
        stream.node = stream.node * 2 + usize::from(bit);
        stream.bit += 1;
        if stream.bit == 8 {
            shared.age += u32::from(shared.age < 1 << 16);
            shared.rate = 0.008 + 0.075 / (shared.age as f32 + 5.0);
            let byte = stream.partial as u8;
            self.raw[stream.at] = byte;
            stream.at += 1;
            (stream.partial, stream.node, stream.bit) = (1, 1, 0);
            stream.contexts.push(&self.raw, stream.at);
            stream.matcher.push(
                &mut shared.matches,
                &self.raw,
                stream.at,
                stream.contexts.begin(),
                stream.contexts.recent(),
            );
            stream.half_byte(shared);
        } else if stream.bit == 4 {
            stream.node = 1;
            stream.half_byte(shared);
        } else {
            stream.prefetch(shared, stream.node);
        }
    }
}

impl Stream {
    /// Finds the slots of the next half byte.
    #[inline(always)]
    fn half_byte(&mut self, shared: &mut Shared) {
        let hashes = self.contexts.hashes(if self.partial == 1 { 0 } else { self.partial as u32 });
        for h in hashes {
            shared.table.prefetch(h);
        }
        let nibble = if self.partial == 1 { 0 } else { self.partial };
        self.order1 = group(self.contexts.recent() & 0xff, nibble, shared.wide);
        self.order2 = group(self.contexts.recent() & 0xffff, nibble, shared.wide);
        self.prefetch(shared, 1);
        for (place, h) in self.places.iter_mut().zip(hashes) {
            *place = shared.table.find(h);
        }
    }
    /// Begins to load what order 1 and 2 choose at a node.
    #[inline(always)]
    fn prefetch(&self, shared: &Shared, node: usize) {
        shared.mixer.prefetch(self.order1 + node);
        shared.corrections[1].prefetch(self.order1 + node);
        shared.corrections[2].prefetch(self.order2 + node);
    }
}
