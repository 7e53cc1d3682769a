//! Attention: queries, keys and values of some tokens go in; what the heads make of them comes out.
//! Both its products are those of int8 weights with int16 numbers: the keys in the cache with the
//! queries, then the values with the shares of the tokens.

use super::cache::{Cache, Ring};
use super::config::Config;
use super::norms;
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
    /// Turns by these angles, which are those of row after row.
    pub fn fill(
        &mut self,
        pairs: usize,
        rows: usize,
        mut turn: impl FnMut(usize, usize) -> [f32; 2],
    ) {
        self.lines = pairs / LANES;
        self.numbers.resize(rows * 2 * self.lines, Lanes::default());
        for (row, to) in self.numbers.chunks_exact_mut(2 * self.lines).take(rows).enumerate() {
            let (cosines, sines) = to.split_at_mut(self.lines);
            for pair in 0..pairs {
                let [cosine, sine] = turn(row, pair);
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

/// Room for the scores of some queries.
#[derive(Debug, Default)]
pub struct Room {
    /// `[queries][slots]`
    scores: Vec<Lanes>,
    shares: Quantised16,
    /// Slots that there is room for.
    slots: usize,
    key: Vec<i8>,
    value: Vec<i8>,
    far: Vec<Lanes>,
}

impl Room {
    fn reserve(&mut self, slots: usize, size: usize) {
        self.key.resize(size, 0);
        self.value.resize(size, 0);
        self.far.resize(size / LANES, Lanes::default());
        if self.slots < slots {
            self.slots = slots.next_power_of_two();
            self.scores.resize(QUERIES * self.slots / LANES, Lanes::default());
            self.shares = Quantised16::new(QUERIES, self.slots);
        }
    }
}

/// A layer's attention of some rows of one stream, which follow each other.
pub struct Attend<'a> {
    pub config: &'a Config,
    pub ring: Ring,
    /// The norms of queries and keys, `[N]`.
    pub head_norms: Option<[&'a [Lanes]; 2]>,
    pub cache: &'a mut Cache,
    pub layer: usize,
    /// The number of the first row among all of the step.
    pub first: usize,
    pub rows: usize,
    /// `[rows][H N]`, of all rows of the step; changed.
    pub queries: &'a mut [Lanes],
    /// `[rows][key heads * N]`; keys are changed.
    pub keys: &'a mut [Lanes],
    pub values: &'a [Lanes],
    /// Of all rows of the step: where they are, and where they are at most for the sinks.
    pub turns: [&'a Turns; 2],
    /// Room for the queries of all rows, and for those that look at the sinks.
    pub quantised: [&'a mut Quantised16; 2],
    pub room: &'a mut Room,
    /// `[rows][H N]`
    pub out: &'a mut [Lanes],
}

impl Job for Attend<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        let s = isa.vectors();
        let used = self.ring.used(self.cache.length + self.rows as u64);
        self.room.reserve(used, self.config.head_size);
        for row in 0..self.rows {
            self.keep(s, row);
            self.ask(s, row);
        }
        let queries = self.rows * self.config.group();
        for head in 0..self.config.kv_heads {
            let mut query = 0;
            while I::ROWS >= 8 && query + 8 <= queries {
                self.tile::<I, 8>(isa, head, query, used);
                query += 8;
            }
            while query + 4 <= queries {
                self.tile::<I, 4>(isa, head, query, used);
                query += 4;
            }
            match queries - query {
                3 => self.tile::<I, 3>(isa, head, query, used),
                2 => self.tile::<I, 2>(isa, head, query, used),
                1 => self.tile::<I, 1>(isa, head, query, used),
                _ => {}
            }
        }
    }
}

impl Attend<'_> {
    /// Puts keys and values of a row into the cache.
    #[inline(always)]
    fn keep<S: Vectors>(&mut self, s: S, row: usize) {
        let (config, lines) = (self.config, self.config.head_size / LANES);
        let slot = self.ring.slot(self.cache.length + row as u64);
        let row = self.first + row;
        let used = self.ring.used(self.cache.length + self.rows as u64);
        let weight = norm_of(self.head_norms, 1, config.epsilon);
        for head in 0..config.kv_heads {
            let at = (row * config.kv_heads + head) * lines;
            let key = &mut self.keys[at..][..lines];
            norms::turn(s, key, weight, self.turns[0].row(row));
            let scales = [
                quantise8(s, key, &mut self.room.key),
                quantise8(s, &self.values[at..][..lines], &mut self.room.value),
            ];
            let kept = &mut self.cache.heads[self.layer * config.kv_heads + head];
            kept.reserve(used, config.head_size, &self.ring);
            kept.write(slot, &self.room.key, &self.room.value, scales);
        }
    }

    /// Turns and quantises the queries of a row.
    #[inline(always)]
    fn ask<S: Vectors>(&mut self, s: S, row: usize) {
        let (config, lines) = (self.config, self.config.head_size / LANES);
        let is_far = self.is_far(row);
        let row = self.first + row;
        let weight = norm_of(self.head_norms, 0, config.epsilon);
        for head in 0..config.heads {
            let at = row * config.heads + head;
            let query = &mut self.queries[at * lines..][..lines];
            if is_far {
                let far = &mut self.room.far[..lines];
                far.copy_from_slice(query);
                norms::turn(s, far, weight, self.turns[1].row(row));
                self.quantised[1].write(s, at, far);
            }
            norms::turn(s, query, weight, self.turns[0].row(row));
            self.quantised[0].write(s, at, query);
        }
    }

    /// Whether a row sees the sinks from further away than it is turned for.
    #[inline(always)]
    fn is_far(&self, row: usize) -> bool {
        self.ring.sinks > 0 && self.cache.length + row as u64 > self.ring.window as u64
    }

    /// R queries that share a head of keys, from number `query` on: heads of a group, row by row.
    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn tile<I: Isa, const R: usize>(&mut self, isa: I, head: usize, query: usize, used: usize) {
        let s = isa.vectors();
        let (config, size) = (self.config, self.config.head_size);
        let group = config.group();
        let cache = &self.cache.heads[self.layer * config.kv_heads + head];
        let stride = self.room.slots / LANES;
        // Of each query its row, and its number among those of all rows.
        let mut at = [(0, 0); R];
        let mut x: [&[i16]; R] = [&[]; R];
        let mut scale = [s.splat(0.0); R];
        for r in 0..R {
            let row = (query + r) / group;
            let number = (self.first + row) * config.heads + head * group + (query + r) % group;
            at[r] = (row, number);
            x[r] = &self.quantised[0].row(number)[..size];
            scale[r] = s.splat(self.quantised[0].scale(number) * config.query_scale);
        }
        let mut is_far = [false; R];
        for r in 0..R {
            is_far[r] = self.is_far(at[r].0);
        }
        let scores = &mut self.room.scores[..];
        for block in 0..used / BLOCK {
            let sums = isa.dot16::<R>(cache.keys(block, size), x, false);
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
            let (row, number) = at[r];
            let scores = &mut scores[r * stride..][..used / LANES];
            if is_far[r] {
                let far = &self.quantised[1];
                let sums = isa.dot16::<1>(cache.keys(0, size), [&far.row(number)[..size]], false);
                let scale = s.splat(far.scale(number) * config.query_scale);
                let mut line = Lanes::default();
                let score = s.mul(s.mul(sums[0][0], scale), s.load(&cache.key_scale[0]));
                s.store(score, &mut line);
                scores[0].0[..self.ring.sinks].copy_from_slice(&line.0[..self.ring.sinks]);
            }
            if let Some(cap) = config.score_cap {
                norms::cap(s, scores, cap);
            }
            let unseen = self.ring.unseen(self.cache.length + row as u64, used);
            totals[r] = share(s, scores, &unseen, &cache.value_scale, r, &mut self.room.shares);
        }
        let mut shares: [&[i16]; R] = [&[]; R];
        for (r, shares) in shares.iter_mut().enumerate() {
            *shares = &self.room.shares.row(r)[..used];
        }
        for block in 0..size / BLOCK {
            let sums = isa.dot16::<R>(cache.values(block, used), shares, false);
            for r in 0..R {
                let out = &mut self.out[at[r].1 * (size / LANES) + 2 * block..][..2];
                let (scale, total) = (s.splat(self.room.shares.scale(r)), s.splat(totals[r]));
                for half in 0..2 {
                    s.store(s.mul(s.mul(sums[r][half], scale), total), &mut out[half]);
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
