//! Products of int8 weights with int16 numbers, of version 2 of the arithmetic. All kernels have one
//! layout of weights: blocks of 32 outputs, `[inputs / 2][32][2]`, of which a pair of inputs fills a
//! cache line. A block is read from its beginning to its end, and so are the blocks of a matrix:
//! processors load what is read so by themselves, twice as fast as two places in turn. What grows
//! while a model reads, a cache of keys and values, can be multiplied as weights are.

use super::{Arena, BLOCK, BLOCK_LANES, Isa, Job, Lanes, Layout, Vectors};
use crate::exact::LANES;
use crate::exact::product::LEAST;
use crate::exact::wide::{GROUP, GroupedMatrix, LEVELS};
use std::ops::Range;

/// Inputs of an output that stand side by side.
pub const TILE_GROUP: usize = 2;

/// The layout of weights, of every kernel.
pub const WIDE: Layout = Layout { tile: BLOCK, group: TILE_GROUP, offset: false };

/// Groups of two products whose sum stays within i32: 256 * 2 * 127 * 32,639 is below 2^31.
pub const GROUPS: usize = 256;

/// Bytes of a pair of inputs of a block.
pub const PAIR: usize = TILE_GROUP * BLOCK;

/// How far ahead weights are prefetched, in bytes: as fast as any distance of 4 to 16 KiB (an EPYC
/// 9004).
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
pub const AHEAD: usize = 8192;

/// [`Isa::dot16`] by arrays.
#[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
#[inline(always)]
pub fn plain_dot<const R: usize>(weights: &[i8], x: [&[i16]; R]) -> [[Lanes; 2]; R] {
    let mut out = [[Lanes::default(); 2]; R];
    let groups = weights.as_chunks::<PAIR>().0;
    for (out, x) in out.iter_mut().zip(x) {
        let mut total = [0i64; BLOCK];
        let pairs = x.as_chunks::<TILE_GROUP>().0;
        for (groups, pairs) in groups.chunks(GROUPS).zip(pairs.chunks(GROUPS)) {
            let mut sums = [0i32; BLOCK];
            for (w, [a, b]) in groups.iter().zip(pairs) {
                for (sum, [v, w]) in sums.iter_mut().zip(w.as_chunks::<TILE_GROUP>().0) {
                    let products = i32::from(*v) * i32::from(*a) + i32::from(*w) * i32::from(*b);
                    *sum = sum.wrapping_add(products);
                }
            }
            for lane in 0..BLOCK {
                total[lane] += i64::from(sums[lane]);
            }
        }
        for lane in 0..BLOCK {
            out[lane / LANES].0[lane % LANES] = total[lane] as f32;
        }
    }
    out
}

/// A matrix in an [`Arena`] with the layout [`WIDE`].
#[derive(Debug)]
pub struct Packed16 {
    pub outputs: usize,
    pub inputs: usize,
    at: usize,
    /// `[blocks][groups]`
    scale: Vec<[Lanes; BLOCK_LANES]>,
}

impl Packed16 {
    /// Adds a matrix to an arena; its output `o` is that of number `row(o)`.
    ///
    /// # Panics
    ///
    /// If there is no room.
    pub fn new(arena: &mut Arena, matrix: &GroupedMatrix, row: impl Fn(usize) -> usize) -> Self {
        let GroupedMatrix { outputs, inputs, .. } = *matrix;
        let at = arena.take(outputs, inputs);
        let weights = arena.room(at, Arena::bytes_for(outputs, inputs));
        let groups = matrix.groups();
        let blocks = outputs.div_ceil(BLOCK);
        let mut scale = vec![[Lanes::default(); BLOCK_LANES]; blocks * groups];
        let block_bytes = BLOCK * inputs.next_multiple_of(LANES);
        for output in 0..outputs {
            let number = row(output);
            let (block, place) = (output / BLOCK, output % BLOCK);
            let places = weights[block * block_bytes..][..block_bytes].as_chunks_mut::<2>().0;
            let pairs = matrix.row(number).as_chunks::<2>().0;
            for (pair, to) in pairs.iter().zip(places[place..].iter_mut().step_by(BLOCK)) {
                *to = *pair;
            }
            let scales = &mut scale[block * groups..][..groups];
            for (to, scale) in scales.iter_mut().zip(matrix.scales(number)) {
                to[place / LANES].0[place % LANES] = *scale;
            }
        }
        Self { outputs, inputs, at, scale }
    }

    /// Blocks of outputs.
    pub fn blocks(&self) -> usize {
        self.outputs.div_ceil(BLOCK)
    }

    /// Lines of outputs.
    pub fn lines(&self) -> usize {
        self.outputs.div_ceil(LANES)
    }

    /// Numbers of a row, in full lines.
    #[inline(always)]
    fn length(&self) -> usize {
        self.inputs.next_multiple_of(LANES)
    }

    /// The weights of a block of outputs.
    #[inline(always)]
    fn block<'a>(&self, arena: &'a Arena, block: usize) -> &'a [i8] {
        let bytes = BLOCK * self.length();
        arena.weights(self.at + bytes * block, bytes)
    }

    /// How many groups of inputs there are.
    #[inline(always)]
    fn groups(&self) -> usize {
        self.inputs.div_ceil(GROUP)
    }

    /// An output's weights as numbers, `[inputs]`.
    pub fn output(&self, arena: &Arena, output: usize, to: &mut [f32]) {
        let weights = self.block(arena, output / BLOCK);
        let (place, groups) = (output % BLOCK, self.groups());
        let scales = &self.scale[output / BLOCK * groups..][..groups];
        for (i, to) in to.iter_mut().enumerate() {
            let scale = scales[i / GROUP][place / LANES].0[place % LANES];
            *to = f32::from(weights[(i / 2 * BLOCK + place) * 2 + i % 2]) * scale;
        }
    }
}

/// Rows of numbers in int16.
#[derive(Debug, Default)]
pub struct Quantised16 {
    numbers: Vec<i16>,
    /// Numbers of a row.
    stride: usize,
    scale: Vec<f32>,
}

impl Quantised16 {
    /// Room for `rows` vectors of up to `inputs` numbers.
    pub fn new(rows: usize, inputs: usize) -> Self {
        let stride = inputs.next_multiple_of(LANES);
        Self { numbers: vec![0; rows * stride], stride, scale: vec![0.0; rows] }
    }

    /// The numbers of a row.
    #[inline(always)]
    pub fn row(&self, row: usize) -> &[i16] {
        &self.numbers[row * self.stride..][..self.stride]
    }

    #[inline(always)]
    pub fn scale(&self, row: usize) -> f32 {
        self.scale[row]
    }

    /// Quantises a row, whose last line is filled up with zeros.
    #[inline(always)]
    pub fn write<S: Vectors>(&mut self, s: S, row: usize, x: &[Lanes]) {
        let mut largest = s.splat(0.0);
        for x in x {
            largest = s.max(s.abs(s.load(x)), largest);
        }
        self.write_known(s, row, x, s.largest(largest));
    }

    /// Quantises a row whose largest absolute value is known.
    #[inline(always)]
    pub fn write_known<S: Vectors>(&mut self, s: S, row: usize, x: &[Lanes], largest: f32) {
        let to = &mut self.numbers[row * self.stride..][..self.stride];
        let to = &mut to.as_chunks_mut::<LANES>().0[..x.len()];
        if largest < LEAST {
            self.scale[row] = 0.0;
            to.as_flattened_mut().fill(0);
            return;
        }
        self.scale[row] = largest / LEVELS;
        let (factor, least, most) = (s.splat(LEVELS / largest), s.splat(-LEVELS), s.splat(LEVELS));
        for (x, to) in x.iter().zip(to) {
            let q = s.min(s.max(s.mul(s.load(x), factor), least), most);
            s.store16(s.to_int(q), to);
        }
    }
}

/// The product of blocks of outputs of a matrix in the layout [`WIDE`] with the first `rows` rows
/// of `x`.
pub struct Product16<'a> {
    pub arena: &'a Arena,
    pub matrix: &'a Packed16,
    /// The numbers of the blocks that are asked for.
    pub blocks: Range<usize>,
    pub x: &'a Quantised16,
    pub rows: usize,
    /// What is added, `[outputs]`, to all outputs of the matrix.
    pub bias: Option<&'a [Lanes]>,
    /// Of each row the lines of these outputs.
    pub out: Vec<&'a mut [Lanes]>,
}

impl Job for Product16<'_> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        for block in self.blocks.clone() {
            let mut row = 0;
            while I::ROWS >= 8 && row + 8 <= self.rows {
                self.tile::<I, 8>(isa, block, row);
                row += 8;
            }
            while row + 4 <= self.rows {
                self.tile::<I, 4>(isa, block, row);
                row += 4;
            }
            match self.rows - row {
                3 => self.tile::<I, 3>(isa, block, row),
                2 => self.tile::<I, 2>(isa, block, row),
                1 => self.tile::<I, 1>(isa, block, row),
                _ => {}
            }
        }
    }
}

impl Product16<'_> {
    /// A block of outputs of R rows, from `row` on.
    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn tile<I: Isa, const R: usize>(&mut self, isa: I, block: usize, row: usize) {
        let s = isa.vectors();
        let mut x: [&[i16]; R] = [&[]; R];
        for (r, x) in x.iter_mut().enumerate() {
            *x = self.x.row(row + r);
        }
        let weights = self.matrix.block(self.arena, block);
        let groups = self.matrix.groups();
        let scale = &self.matrix.scale[block * groups..][..groups];
        let length = self.matrix.length();
        let mut total = [[s.splat(0.0); 2]; R];
        for (group, scale) in scale.iter().enumerate() {
            let (begin, end) = (group * GROUP, length.min((group + 1) * GROUP));
            let weights = &weights[BLOCK * begin..BLOCK * end];
            let mut part: [&[i16]; R] = [&[]; R];
            for r in 0..R {
                part[r] = &x[r][begin..end];
            }
            let sums = isa.dot16::<R>(weights, part, row == 0);
            for r in 0..R {
                for half in 0..2 {
                    let sum = s.mul(sums[r][half], s.load(&scale[half]));
                    total[r][half] = s.add(total[r][half], sum);
                }
            }
        }
        for (r, total) in total.iter().enumerate() {
            let row_scale = s.splat(self.x.scale(row + r));
            // The last block of a row may have one line only.
            let at = (block - self.blocks.start) * BLOCK_LANES;
            let out = self.out[row + r][at..].iter_mut().take(BLOCK_LANES);
            for (half, out) in out.enumerate() {
                let mut y = s.mul(total[half], row_scale);
                if let Some(bias) = self.bias {
                    y = s.add(y, s.load(&bias[block * BLOCK_LANES + half]));
                }
                s.store(y, out);
            }
        }
    }
}

const _: () = assert!(BLOCK == 2 * LANES, "a block has two lines");
