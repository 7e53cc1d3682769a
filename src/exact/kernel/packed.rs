//! Matrices of int8 as kernels want them, quantised vectors, and their products.

use super::{Isa, Job, Lanes, Vectors, zeros};
use crate::exact::product::LEAST;
use crate::exact::{Activations, LANES, Matrix};

/// Outputs that are computed together; matrices are filled up to a multiple with zeros.
pub const BLOCK: usize = 32;
/// A block's vectors.
pub const BLOCK_LANES: usize = BLOCK / LANES;

/// The order of a matrix' weights: `[outputs / tile][inputs / group][tile][group]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Outputs whose sums are held in registers together: 16 or [`BLOCK`].
    pub tile: usize,
    /// Inputs of one output that an instruction sums.
    pub group: usize,
    /// Whether quantised numbers are stored as unsigned, 128 larger than they are. Sums start so
    /// that this is undone.
    pub offset: bool,
}

/// The weights of many matrices, in the order in which they were added: best the order of use, for
/// each is prefetched while the one before it is multiplied.
#[derive(Debug)]
pub struct Arena {
    layout: Layout,
    weights: Vec<i8>,
    /// Where the first matrix begins, at a cache line.
    begin: usize,
    /// Bytes of what was added.
    used: usize,
}

/// A matrix to be packed: int8 `[outputs][inputs]`, and a scale for each output.
pub trait Int8Rows {
    /// An int8, or the byte that a file has for it.
    type Weight: Copy;

    /// Outputs and inputs.
    fn shape(&self) -> (usize, usize);
    /// The weights of one output.
    fn row(&self, output: usize) -> &[Self::Weight];
    fn scale(&self) -> &[f32];
    fn int8(weight: Self::Weight) -> i8;
}

impl Int8Rows for Matrix {
    type Weight = i8;

    fn shape(&self) -> (usize, usize) {
        (self.outputs, self.inputs)
    }

    fn row(&self, output: usize) -> &[i8] {
        Matrix::row(self, output)
    }

    fn scale(&self) -> &[f32] {
        &self.scale
    }

    fn int8(weight: i8) -> i8 {
        weight
    }
}

/// A matrix in an [`Arena`].
#[derive(Debug)]
pub struct Packed {
    pub outputs: usize,
    pub inputs: usize,
    at: usize,
    /// What the sums of each block of outputs start from.
    start: Vec<[i32; BLOCK]>,
    scale: Vec<[Lanes; BLOCK_LANES]>,
}

impl Packed {
    /// Blocks of outputs, the last perhaps not full.
    fn blocks(&self) -> usize {
        self.start.len()
    }

    /// Bytes of a block's weights.
    fn block_bytes(&self) -> usize {
        BLOCK * self.inputs.next_multiple_of(LANES)
    }
}

impl Arena {
    /// An arena for as many bytes as [`bytes_for`](Self::bytes_for) gives for all its matrices
    /// together.
    pub fn new(layout: Layout, bytes: usize) -> Self {
        let (weights, begin) = zeros(bytes);
        Self { layout, weights, begin, used: 0 }
    }

    /// Bytes of the weights of a matrix `[outputs][inputs]`.
    pub fn bytes_for(outputs: usize, inputs: usize) -> usize {
        outputs.next_multiple_of(BLOCK) * inputs.next_multiple_of(LANES)
    }

    /// Adds a matrix.
    pub fn add(&mut self, matrix: &impl Int8Rows) -> Packed {
        self.add_rows(matrix, |output| output)
    }

    /// Adds a matrix whose output `o` is that of number `row(o)`.
    ///
    /// # Panics
    ///
    /// If there is no room.
    pub fn add_rows<M: Int8Rows>(&mut self, matrix: &M, row: impl Fn(usize) -> usize) -> Packed {
        let (outputs, inputs) = matrix.shape();
        let Layout { tile, group, offset } = self.layout;
        let blocks = outputs.div_ceil(BLOCK);
        let (at, bytes) = (self.used, Self::bytes_for(outputs, inputs));
        self.used += bytes;
        let weights = &mut self.weights[self.begin + at..][..bytes];
        let mut start = vec![[0; BLOCK]; blocks];
        let mut scale = vec![[Lanes::default(); BLOCK_LANES]; blocks];
        let tile_bytes = tile * inputs.next_multiple_of(LANES);
        for output in 0..outputs {
            let number = row(output);
            let from = matrix.row(number);
            let to = &mut weights[output / tile * tile_bytes..][..tile_bytes];
            match group {
                1 => spread::<M, 1>(from, to, tile, output % tile),
                2 => spread::<M, 2>(from, to, tile, output % tile),
                4 => spread::<M, 4>(from, to, tile, output % tile),
                _ => unreachable!("no kernel sums {group} inputs at once"),
            }
            let (block, of_block) = (output / BLOCK, output % BLOCK);
            if offset {
                start[block][of_block] = -128 * sum::<M>(from);
            }
            scale[block][of_block / LANES].0[of_block % LANES] = matrix.scale()[number];
        }
        Packed { outputs, inputs, at, start, scale }
    }

    /// Takes room for the weights of a matrix `[outputs][inputs]`: where it begins.
    pub(super) fn take(&mut self, outputs: usize, inputs: usize) -> usize {
        let at = self.used;
        self.used += Self::bytes_for(outputs, inputs);
        at
    }

    /// Room that was taken.
    pub(super) fn room(&mut self, at: usize, bytes: usize) -> &mut [i8] {
        &mut self.weights[self.begin + at..][..bytes]
    }

    /// Weights in room that was taken.
    #[inline(always)]
    pub(super) fn weights(&self, at: usize, bytes: usize) -> &[i8] {
        &self.weights[self.begin + at..][..bytes]
    }

    /// How much it holds.
    pub fn bytes(&self) -> usize {
        self.used
    }

    /// The weights of a block of outputs.
    #[inline(always)]
    fn block(&self, matrix: &Packed, block: usize) -> &[i8] {
        let bytes = matrix.block_bytes();
        &self.weights[self.begin + matrix.at + block * bytes..][..bytes]
    }
}

/// Writes a row of weights as the output of a number into a tile, `[inputs / GROUP][tile][GROUP]`.
fn spread<M: Int8Rows, const GROUP: usize>(
    row: &[M::Weight],
    to: &mut [i8],
    tile: usize,
    output: usize,
) {
    let (groups, rest) = row.as_chunks::<GROUP>();
    let mut places = to.as_chunks_mut::<GROUP>().0.chunks_exact_mut(tile);
    for (group, place) in groups.iter().zip(&mut places) {
        place[output] = group.map(M::int8);
    }
    if let Some(place) = places.next() {
        place[output].iter_mut().zip(rest).for_each(|(to, weight)| *to = M::int8(*weight));
    }
}

/// The sum of weights: 256 of them stay within 16 bits, of which a vector has twice as many.
fn sum<M: Int8Rows>(row: &[M::Weight]) -> i32 {
    let part =
        |part: &[M::Weight]| i32::from(part.iter().map(|w| i16::from(M::int8(*w))).sum::<i16>());
    row.chunks(256).map(part).sum()
}

/// Rows of quantised numbers, one for each stream.
#[derive(Debug)]
pub struct Quantised {
    activations: Activations,
    bytes: Vec<u8>,
    /// Bytes of a row of one plane. With two planes, the high one of a row comes first, then its
    /// low one.
    stride: usize,
    scale: Vec<f32>,
}

impl Quantised {
    /// Room for `rows` vectors of up to `inputs` numbers of up to 2 bytes.
    pub fn new(activations: Activations, rows: usize, inputs: usize) -> Self {
        let stride = inputs.next_multiple_of(LANES) * 2;
        Self {
            activations,
            bytes: vec![0; rows * planes(activations) * stride],
            stride,
            scale: vec![0.0; rows],
        }
    }

    /// One plane of a row. The rows of two planes are counted singly.
    #[inline(always)]
    fn plane(&self, row: usize) -> &[u8] {
        &self.bytes[row * self.stride..][..self.stride]
    }

    /// Quantises a row, whose largest absolute value is `largest` and whose last line is filled up
    /// with zeros.
    #[inline(always)]
    pub fn write<I: Isa>(&mut self, isa: I, row: usize, x: &[Lanes], largest: f32) {
        let s = isa.vectors();
        let levels = self.activations.levels();
        let planes = planes(self.activations);
        let bytes = &mut self.bytes[row * planes * self.stride..][..planes * self.stride];
        let line = LANES * I::BYTES;
        if largest < LEAST {
            self.scale[row] = 0.0;
            for plane in bytes.chunks_exact_mut(self.stride) {
                plane[..x.len() * line].fill(isa.zero());
            }
            return;
        }
        self.scale[row] = largest / levels;
        let (factor, least, most) = (s.splat(levels / largest), s.splat(-levels), s.splat(levels));
        if planes == 1 {
            for (x, to) in x.iter().zip(bytes.chunks_exact_mut(line)) {
                let q = s.min(s.max(s.mul(s.load(x), factor), least), most);
                isa.write(s.to_int(q), to);
            }
        } else {
            let (high, low) = bytes.split_at_mut(self.stride);
            for ((x, high), low) in
                x.iter().zip(high.chunks_exact_mut(line)).zip(low.chunks_exact_mut(line))
            {
                let q = s.to_int(s.min(s.max(s.mul(s.load(x), factor), least), most));
                let low_q = s.low(q);
                isa.write(s.high(q, low_q), high);
                isa.write(low_q, low);
            }
        }
    }
}

fn planes(activations: Activations) -> usize {
    match activations {
        Activations::Int8 => 1,
        Activations::Int16 => 2,
    }
}

/// Rows of numbers, one for each stream.
pub trait Rows {
    fn row(&mut self, row: usize) -> &mut [Lanes];
}

/// Rows one after the other.
pub struct Strided<'a> {
    pub x: &'a mut [Lanes],
    /// Lines of a row.
    pub stride: usize,
}

impl Rows for Strided<'_> {
    #[inline(always)]
    fn row(&mut self, row: usize) -> &mut [Lanes] {
        &mut self.x[row * self.stride..][..self.stride]
    }
}

/// The product of a matrix with the first `rows` rows of `x`.
pub struct Product<'a, R> {
    pub arena: &'a Arena,
    pub matrix: &'a Packed,
    pub x: &'a Quantised,
    pub rows: usize,
    /// Rows of all outputs.
    pub out: R,
}

impl<Out: Rows> Job for Product<'_, Out> {
    type Output = ();

    #[inline(always)]
    fn run<I: Isa>(mut self, isa: I) {
        assert_eq!(self.arena.layout, I::LAYOUT, "the weights are packed for another kernel");
        match self.x.activations {
            Activations::Int8 => self.blocks::<I, 1>(isa),
            Activations::Int16 => self.blocks::<I, 2>(isa),
        }
    }
}

impl<Out: Rows> Product<'_, Out> {
    #[inline(always)]
    fn blocks<I: Isa, const PLANES: usize>(&mut self, isa: I) {
        let rows = self.rows * PLANES;
        for block in 0..self.matrix.blocks() {
            let mut row = 0;
            while I::ROWS >= 8 && row + 8 <= rows {
                self.tile::<I, PLANES, 8>(isa, block, row);
                row += 8;
            }
            while row + 4 <= rows {
                self.tile::<I, PLANES, 4>(isa, block, row);
                row += 4;
            }
            if row + 2 <= rows {
                self.tile::<I, PLANES, 2>(isa, block, row);
                row += 2;
            }
            if PLANES == 1 && row < rows {
                self.tile::<I, 1, 1>(isa, block, row);
            }
        }
    }

    /// A block of outputs of R rows, from `row` on; two planes of a row are two rows here.
    #[inline(always)]
    fn tile<I: Isa, const PLANES: usize, const R: usize>(
        &mut self,
        isa: I,
        block: usize,
        row: usize,
    ) {
        let s = isa.vectors();
        let mut x: [&[u8]; R] = [&[]; R];
        for (r, x) in x.iter_mut().enumerate() {
            *x = self.x.plane(row + r);
        }
        let (start, scale) = (&self.matrix.start[block], &self.matrix.scale[block]);
        let sums = isa.dot::<R>(self.arena.block(self.matrix, block), start, x, row == 0);
        let first = row / PLANES;
        for r in 0..R / PLANES {
            let row_scale = s.splat(self.x.scale[first + r]);
            // The last block of a row may have one line only.
            let out = self.out.row(first + r)[block * BLOCK_LANES..].iter_mut().take(BLOCK_LANES);
            for (half, out) in out.enumerate() {
                let mut total = sums[r * PLANES][half];
                if PLANES == 2 {
                    total = s.add(s.mul(total, s.splat(256.0)), sums[r * PLANES + 1][half]);
                }
                s.store(s.mul(s.mul(total, row_scale), s.load(&scale[half])), out);
            }
        }
    }
}
