//! Arrays, in safe Rust: for processors without a kernel of their own. Compilers find vector
//! instructions for much of it.

use super::packed::BLOCK;
use super::{Isa, Job, Lanes, Layout, Vectors};
use crate::exact::LANES;
use crate::exact::functions::{ROUNDER, larger};

#[derive(Clone, Copy)]
pub struct Plain;

#[inline(always)]
fn map(x: [f32; LANES], f: impl Fn(f32) -> f32) -> [f32; LANES] {
    x.map(f)
}

#[inline(always)]
fn zip(mut x: [f32; LANES], y: [f32; LANES], f: impl Fn(f32, f32) -> f32) -> [f32; LANES] {
    for (x, y) in x.iter_mut().zip(y) {
        *x = f(*x, y);
    }
    x
}

impl Vectors for Plain {
    type V = [f32; LANES];
    type I = [i32; LANES];

    #[inline(always)]
    fn load(self, x: &Lanes) -> Self::V {
        x.0
    }

    #[inline(always)]
    fn store(self, x: Self::V, to: &mut Lanes) {
        to.0 = x;
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        [x; LANES]
    }

    #[inline(always)]
    fn add(self, x: Self::V, y: Self::V) -> Self::V {
        zip(x, y, |x, y| x + y)
    }

    #[inline(always)]
    fn sub(self, x: Self::V, y: Self::V) -> Self::V {
        zip(x, y, |x, y| x - y)
    }

    #[inline(always)]
    fn mul(self, x: Self::V, y: Self::V) -> Self::V {
        zip(x, y, |x, y| x * y)
    }

    #[inline(always)]
    fn div(self, x: Self::V, y: Self::V) -> Self::V {
        zip(x, y, |x, y| x / y)
    }

    #[inline(always)]
    fn max(self, x: Self::V, y: Self::V) -> Self::V {
        zip(x, y, larger)
    }

    #[inline(always)]
    fn min(self, x: Self::V, y: Self::V) -> Self::V {
        zip(x, y, |x, y| if x < y { x } else { y })
    }

    #[inline(always)]
    fn abs(self, x: Self::V) -> Self::V {
        map(x, f32::abs)
    }

    #[inline(always)]
    fn neg(self, x: Self::V) -> Self::V {
        map(x, |x| -x)
    }

    #[inline(always)]
    fn to_int(self, x: Self::V) -> Self::I {
        x.map(|x| (x + ROUNDER).to_bits().wrapping_sub(ROUNDER.to_bits()) as i32)
    }

    #[inline(always)]
    fn power(self, x: Self::V) -> Self::V {
        map(x, |x| f32::from_bits((x.to_bits() << 23).wrapping_add(127 << 23)))
    }

    #[inline(always)]
    fn sum(self, mut x: Self::V) -> f32 {
        for width in [8, 4, 2, 1] {
            for i in 0..width {
                x[i] += x[i + width];
            }
        }
        x[0]
    }

    #[inline(always)]
    fn largest(self, x: Self::V) -> f32 {
        x.into_iter().fold(f32::NEG_INFINITY, |m, x| larger(x, m))
    }

    #[inline(always)]
    fn low(self, x: Self::I) -> Self::I {
        x.map(|x| i32::from(x as i8))
    }

    #[inline(always)]
    fn high(self, mut x: Self::I, low: Self::I) -> Self::I {
        for (x, low) in x.iter_mut().zip(low) {
            *x = (*x - low) >> 8;
        }
        x
    }

    #[inline(always)]
    fn store16(self, x: Self::I, to: &mut [i16; LANES]) {
        *to = x.map(|x| x as i16);
    }

    #[inline(always)]
    fn frequencies(self, x: Self::V, to: &mut [u32; LANES]) {
        *to = x.map(|x| x as u32 + 1);
    }
}

impl Isa for Plain {
    type Vectors = Self;
    const LAYOUT: Layout = Layout { tile: 16, group: 1, offset: false };
    const BYTES: usize = 1;
    const ROWS: usize = 4;

    #[inline(always)]
    fn vectors(self) -> Self {
        self
    }

    #[inline(always)]
    fn run<J: Job>(self, job: J) -> J::Output {
        job.run(self)
    }

    #[inline(always)]
    fn write(self, q: [i32; LANES], to: &mut [u8]) {
        for (to, q) in to.iter_mut().zip(q) {
            *to = q as u8;
        }
    }

    #[inline(always)]
    fn dot<const R: usize>(
        self,
        weights: &[i8],
        start: &[i32; BLOCK],
        x: [&[u8]; R],
        _: bool,
    ) -> [[[f32; LANES]; 2]; R] {
        let mut out = [[[0.0; LANES]; 2]; R];
        let tiles = weights.chunks_exact(weights.len() / 2).zip(start.chunks_exact(LANES));
        for (tile, (weights, start)) in tiles.enumerate() {
            let weights = weights.as_chunks::<LANES>().0;
            for (out, x) in out.iter_mut().zip(x) {
                let mut sums = [0i32; LANES];
                sums.copy_from_slice(start);
                for (w, x) in weights.iter().zip(x) {
                    let x = i16::from(*x as i8);
                    for (sum, w) in sums.iter_mut().zip(w) {
                        // The product of two int8 fits.
                        *sum = sum.wrapping_add(i32::from(i16::from(*w) * x));
                    }
                }
                out[tile] = sums.map(|sum| sum as f32);
            }
        }
        out
    }
}
