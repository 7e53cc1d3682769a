//! Attention: queries, keys and values of some tokens go in; what the heads make of them comes out.
//! Both its products are those of int8 weights with int16 numbers: the keys in the cache with the
//! queries, then the values with the shares of the tokens.

use super::cache::Head;
use super::config::Config;
use super::norms;
use super::ring::Ring;
use crate::exact::LANES;
use crate::exact::kernel::{BLOCK, Isa, Job, Lanes, Quantised16, Vectors, exp};
use crate::exact::wide::LEVELS;

/// Queries that are multiplied together, at most.
pub const QUERIES: usize = 8;

/// Adding it and taking it away rounds a number of up to 2^22.
const ROUNDER: f32 = 12_582_912.0;

/// Lines whose rounded shares, each at most [`LEVELS`], have a sum below 2^24 in every lane.
const EXACT: usize = 512;

/// Cosines and sines of rows, `[rows][2][N / 2]`.
#[derive(Debug, Default)]
pub struct Turns {
    lines: usize,
    numbers: Vec<Lanes>,
}

impl Turns {
    /// The turns of rows at these positions, by the angles that each of the pairs has there.
    pub fn fill(
        &mut self,
        pairs: usize,
        positions: &[u64],
        mut turn: impl FnMut(u64, usize) -> [f32; 2],
    ) {
        self.lines = pairs / LANES;
        self.numbers.resize(positions.len() * 2 * self.lines, Lanes::default());
        for (row, position) in positions.iter().enumerate() {
            let (before, to) = self.numbers.split_at_mut(row * 2 * self.lines);
            let to = &mut to[..2 * self.lines];
            if row > 0 && *position == positions[row - 1] {
                to.copy_from_slice(&before[before.len() - to.len()..]);
                continue;
            }
            let (cosines, sines) = to.split_at_mut(self.lines);
            for pair in 0..pairs {
                let [cosine, sine] = turn(*position, pair);
                cosines[pair / LANES].0[pair % LANES] = cosine;
                sines[pair / LANES].0[pair % LANES] = sine;
            }
        }
    }

    fn row(&self, row: usize) -> [&[Lanes]; 2] {
        let row = &self.numbers[row * 2 * self.lines..][..2 * self.lines];
        [&row[..self.lines], &row[self.lines..]]
    }
}

/// What a thread needs for attention.
#[derive(Debug, Default)]
pub struct Room {
    /// `[queries][slots]`
    scores: Vec<Lanes>,
    shares: Quantised16,
    /// Slots that there is room for.
    slots: usize,
    /// `[N]`
    vector: Vec<Lanes>,
    key: Vec<i8>,
    value: Vec<i8>,
    /// `[rows * group][N]`: queries of the current part, near and far.
    asked: [Quantised16; 2],
    /// Queries that there is room for.
    queries: usize,
    /// `[rows][group N]` of each part.
    pub out: Vec<Lanes>,
}

impl Room {
    fn reserve(&mut self, slots: usize, queries: usize, size: usize) {
        self.vector.resize(size / LANES, Lanes::default());
        self.key.resize(size, 0);
        self.value.resize(size, 0);
        if self.slots < slots {
            self.slots = slots.next_power_of_two();
            self.scores.resize(QUERIES * self.slots / LANES, Lanes::default());
            self.shares = Quantised16::new(QUERIES, self.slots);
        }
        if self.queries < queries {
            self.queries = queries;
            self.asked = [0, 1].map(|_| Quantised16::new(queries, size));
        }
    }
}

/// A head of keys, and rows of a stream that follow each other.
pub struct Part<'a> {
    /// The number of the head.
    pub head: usize,
    pub cache: Head<'a>,
    pub ring: Ring,
    /// Tokens that the stream has read before.
    pub length: u64,
    /// The number of the first row among all of the step.
    pub first: usize,
    pub rows: usize,
}

impl Part<'_> {
    /// Slots that are in use when all rows have been read.
    fn used(&self) -> usize {
        self.ring.used(self.length + self.rows as u64)
    }

    /// Whether a row sees the sinks from further away than it is turned for.
    #[inline(always)]
    fn is_far(&self, row: usize) -> bool {
        self.ring.sinks > 0 && self.length + row as u64 > self.ring.window as u64
    }
}

/// Some parts of a layer's attention.
pub struct Attend<'a, 'b> {
    pub config: &'a Config,
    /// The norms of queries and keys, `[N]`.
    pub head_norms: Option<[&'a [Lanes]; 2]>,
    pub parts: &'a mut [Part<'b>],
    /// `[rows][H N]`, of all rows of the step.
    pub queries: &'a [Lanes],
    /// `[rows][key heads * N]`
    pub keys: &'a [Lanes],
    pub values: &'a [Lanes],
    /// Of all rows of the step: where they are, and where they are at most for the sinks.
    pub turns: [&'a Turns; 2],
    /// Gets what comes out.
    pub room: &'a mut Room,
}

impl Job for Attend<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let s = isa.vectors();
        let (group, size) = (self.config.group(), self.config.head_size);
        let rows: usize = self.parts.iter().map(|part| part.rows).sum();
        self.room.out.resize(rows * group * size / LANES, Lanes::default());
        let mut out = 0;
        for number in 0..self.parts.len() {
            let part = &self.parts[number];
            let (rows, queries, used) = (part.rows, part.rows * group, part.used());
            self.room.reserve(used, queries, size);
            for row in 0..rows {
                self.keep(s, number, row);
                self.ask(s, number, row);
            }
            let mut query = 0;
            while I::ROWS >= 8 && query + 8 <= queries {
                self.tile::<I, 8>(isa, number, query, used, out);
                query += 8;
            }
            while query + 4 <= queries {
                self.tile::<I, 4>(isa, number, query, used, out);
                query += 4;
            }
            match queries - query {
                3 => self.tile::<I, 3>(isa, number, query, used, out),
                2 => self.tile::<I, 2>(isa, number, query, used, out),
                1 => self.tile::<I, 1>(isa, number, query, used, out),
                _ => {}
            }
            out += queries * size / LANES;
        }
    }
}

impl Attend<'_, '_> {
    /// Puts key and value of a row into the cache.
    #[inline(always)]
    fn keep<S: Vectors>(&mut self, s: S, number: usize, row: usize) {
        let (config, lines) = (self.config, self.config.head_size / LANES);
        let (part, room) = (&mut self.parts[number], &mut *self.room);
        let slot = part.ring.slot(part.length + row as u64);
        let row = part.first + row;
        let at = (row * config.kv_heads + part.head) * lines;
        let weight = norm_of(self.head_norms, 1, config.epsilon);
        room.vector.copy_from_slice(&self.keys[at..][..lines]);
        norms::turn(s, &mut room.vector, weight, self.turns[0].row(row));
        let scales = [
            quantise8(s, &room.vector, &mut room.key),
            quantise8(s, &self.values[at..][..lines], &mut room.value),
        ];
        part.cache.write(slot, &room.key, &room.value, scales);
    }

    /// Turns and quantises the queries of a row.
    #[inline(always)]
    fn ask<S: Vectors>(&mut self, s: S, number: usize, row: usize) {
        let (config, lines) = (self.config, self.config.head_size / LANES);
        let (group, part, room) = (config.group(), &self.parts[number], &mut *self.room);
        let weight = norm_of(self.head_norms, 0, config.epsilon);
        let turns = if part.is_far(row) { 2 } else { 1 };
        for query in 0..group {
            let at = (part.first + row) * config.heads + part.head * group + query;
            for turn in 0..turns {
                room.vector.copy_from_slice(&self.queries[at * lines..][..lines]);
                norms::turn(s, &mut room.vector, weight, self.turns[turn].row(part.first + row));
                room.asked[turn].write(s, row * group + query, &room.vector);
            }
        }
    }

    /// R queries of a part, from number `query` on: heads of a group, row by row. `out` is where in
    /// the room the part's outputs begin.
    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn tile<I: Isa, const R: usize>(
        &mut self,
        isa: I,
        number: usize,
        query: usize,
        used: usize,
        out: usize,
    ) {
        let s = isa.vectors();
        let (config, size) = (self.config, self.config.head_size);
        let group = config.group();
        let part = &self.parts[number];
        let cache = &part.cache;
        let Room { scores, shares, slots, asked: [near, far], out: outputs, .. } = &mut *self.room;
        let stride = *slots / LANES;
        let mut x: [&[i16]; R] = [&[]; R];
        let mut scale = [s.splat(0.0); R];
        for r in 0..R {
            x[r] = &near.row(query + r)[..size];
            scale[r] = s.splat(near.scale(query + r) * config.query_scale);
        }
        for block in 0..used / BLOCK {
            let sums = isa.dot16::<R>(cache.keys(block, size), x, query == 0);
            for r in 0..R {
                for half in 0..2 {
                    let line = 2 * block + half;
                    let score = s.mul(sums[r][half], scale[r]);
                    let score = s.mul(score, s.load(&cache.key_scale[line]));
                    s.store(score, &mut scores[r * stride + line]);
                }
            }
        }
        let mut totals = [0.0; R];
        for r in 0..R {
            let row = (query + r) / group;
            let scores = &mut scores[r * stride..][..used / LANES];
            if part.is_far(row) {
                let x = &far.row(query + r)[..size];
                let sums = isa.dot16::<1>(cache.keys(0, size), [x], false);
                let scale = s.splat(far.scale(query + r) * config.query_scale);
                let mut line = Lanes::default();
                let score = s.mul(s.mul(sums[0][0], scale), s.load(&cache.key_scale[0]));
                s.store(score, &mut line);
                scores[0].0[..part.ring.sinks].copy_from_slice(&line.0[..part.ring.sinks]);
            }
            if let Some(cap) = config.score_cap {
                norms::cap(s, scores, cap);
            }
            let unseen = part.ring.unseen(part.length + row as u64, used);
            totals[r] = share(s, scores, &unseen, cache.value_scale, r, shares);
        }
        let mut x: [&[i16]; R] = [&[]; R];
        for (r, x) in x.iter_mut().enumerate() {
            *x = &shares.row(r)[..used];
        }
        for block in 0..size / BLOCK {
            let sums = isa.dot16::<R>(cache.values(block, used), x, query == 0);
            for r in 0..R {
                let at = out + (query + r) * (size / LANES) + 2 * block;
                let (scale, total) = (s.splat(shares.scale(r)), s.splat(totals[r]));
                for half in 0..2 {
                    s.store(s.mul(s.mul(sums[r][half], scale), total), &mut outputs[at + half]);
                }
            }
        }
    }
}

/// Makes scores to shares, which are quantised with the scales of the values in them; gives what
/// the sums over them are to be multiplied by.
#[inline(always)]
fn share<S: Vectors>(
    s: S,
    scores: &mut [Lanes],
    unseen: &[(usize, usize)],
    value_scale: &[Lanes],
    row: usize,
    out: &mut Quantised16,
) -> f32 {
    fill(scores, unseen, f32::NEG_INFINITY);
    let mut m = s.splat(f32::NEG_INFINITY);
    for line in &*scores {
        m = s.max(s.load(line), m);
    }
    let m = s.splat(s.largest(m));
    for line in &mut *scores {
        s.store(exp(s, s.sub(s.load(line), m)), line);
    }
    fill(scores, unseen, 0.0);
    let mut total = 0u64;
    let mut largest = s.splat(0.0);
    let rounder = s.splat(ROUNDER);
    for (lines, scales) in scores.chunks_mut(EXACT).zip(value_scale.chunks(EXACT)) {
        let mut sum = s.splat(0.0);
        for (line, scale) in lines.iter_mut().zip(scales) {
            let e = s.load(line);
            let rounded = s.sub(s.add(s.mul(e, s.splat(LEVELS)), rounder), rounder);
            sum = s.add(sum, rounded);
            let share = s.mul(e, s.load(scale));
            largest = s.max(share, largest);
            s.store(share, line);
        }
        let mut lanes = Lanes::default();
        s.store(sum, &mut lanes);
        for sum in lanes.0 {
            total += sum as u64;
        }
    }
    out.write_known(s, row, scores, s.largest(largest));
    LEVELS / total as f32
}

/// The norm of queries (0) or keys (1).
#[allow(clippy::manual_map)] // a closure would not be compiled for the kernel
#[inline(always)]
fn norm_of(norms: Option<[&[Lanes]; 2]>, which: usize, epsilon: f32) -> Option<(&[Lanes], f32)> {
    match norms {
        Some(norms) => Some((norms[which], epsilon)),
        None => None,
    }
}

/// Writes a number into ranges of slots.
#[inline(always)]
fn fill(scores: &mut [Lanes], ranges: &[(usize, usize)], with: f32) {
    for (begin, end) in ranges {
        for slot in *begin..*end {
            scores[slot / LANES].0[slot % LANES] = with;
        }
    }
}

/// Quantises a vector to int8 as version 1 does, and gives its scale.
#[inline(always)]
fn quantise8<S: Vectors>(s: S, x: &[Lanes], to: &mut [i8]) -> f32 {
    const LEVELS: f32 = 127.0;
    let mut largest = s.splat(0.0);
    for x in x {
        largest = s.max(s.abs(s.load(x)), largest);
    }
    let largest = s.largest(largest);
    if largest < crate::exact::LEAST {
        to.fill(0);
        return 0.0;
    }
    let (factor, least, most) = (s.splat(LEVELS / largest), s.splat(-LEVELS), s.splat(LEVELS));
    let mut numbers = [0; LANES];
    for (x, to) in x.iter().zip(to.chunks_exact_mut(LANES)) {
        let q = s.min(s.max(s.mul(s.load(x), factor), least), most);
        s.store16(s.to_int(q), &mut numbers);
        for (to, number) in to.iter_mut().zip(numbers) {
            *to = number as i8;
        }
    }
    largest / LEVELS
}
