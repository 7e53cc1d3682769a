//! Kernels: the arithmetic of this module by the vector instructions of a processor, with the same
//! bits.
//!
//! What is computed is written once, over [`Isa`] and its [`Vectors`] of 16 f32: whether these are
//! one register, two, four or an array is the business of the files beside this one. Products of
//! int8 differ more, so each instruction set has its own inner loop ([`Isa::dot`]) and its own
//! layout of weights ([`Layout`]).
//!
//! A [`Job`] is a piece of work that is compiled once for each instruction set; [`Kernel::run`]
//! chooses at run time. Everything below a job's `run` must be `#[inline(always)]` and must not
//! pass through closures: what is not inlined is not compiled for the instruction set, and gets
//! slow calls instead of instructions.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod choice;
mod functions;
mod mix;
#[cfg(target_arch = "aarch64")]
mod neon;
mod packed;
mod pages;
mod plain;
#[cfg(test)]
mod tests;
mod wide;

pub use choice::{Kernel, UnknownKernel};
pub use functions::{exp, sigmoid, tanh};
pub use mix::{MixVectors, VectorJob};
pub use packed::{
    Arena, BLOCK, BLOCK_LANES, Int8Rows, Layout, Packed, Product, Quantised, Rows, Strided,
};
pub use pages::{Memory, zeros};
pub use wide::{Packed16, Product16, Quantised16, WIDE};

use super::LANES;

/// 16 numbers: a cache line.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[repr(align(64))]
pub struct Lanes(pub [f32; LANES]);

/// A vector's numbers, the last line filled up with zeros.
pub fn lanes(x: &[f32]) -> Vec<Lanes> {
    let line = |part: &[f32]| {
        let mut line = Lanes::default();
        line.0[..part.len()].copy_from_slice(part);
        line
    };
    x.chunks(LANES).map(line).collect()
}

/// Something to be computed by a kernel. [`run`](Self::run) must be `#[inline(always)]`.
pub trait Job {
    type Output;
    fn run<I: Isa>(self, isa: I) -> Self::Output;
}

/// Operations on 16 f32, each rounded by itself. A value of an implementing type exists only where
/// the processor has the instructions.
pub trait Vectors: Copy + Send + Sync + 'static {
    /// 16 f32
    type V: Copy;
    /// 16 i32
    type I: Copy;

    fn load(self, x: &Lanes) -> Self::V;
    fn store(self, x: Self::V, to: &mut Lanes);
    fn splat(self, x: f32) -> Self::V;
    fn add(self, x: Self::V, y: Self::V) -> Self::V;
    fn sub(self, x: Self::V, y: Self::V) -> Self::V;
    fn mul(self, x: Self::V, y: Self::V) -> Self::V;
    fn div(self, x: Self::V, y: Self::V) -> Self::V;
    /// `(x > y) ? x : y`
    fn max(self, x: Self::V, y: Self::V) -> Self::V;
    /// `(x < y) ? x : y`
    fn min(self, x: Self::V, y: Self::V) -> Self::V;
    fn abs(self, x: Self::V) -> Self::V;
    fn neg(self, x: Self::V) -> Self::V;
    /// The nearest integers, ties to even; no number is beyond 2^22.
    fn to_int(self, x: Self::V) -> Self::I;
    /// 2^n as f32, of n from -126 to 127 in the low bits of the numbers' own representation (as
    /// rounding by addition leaves it).
    fn power(self, x: Self::V) -> Self::V;
    /// The tree of lanes: 8, 4, 2, 1.
    fn sum(self, x: Self::V) -> f32;
    /// The largest number; none is a NaN.
    fn largest(self, x: Self::V) -> f32;
    /// The low byte, with its sign.
    fn low(self, x: Self::I) -> Self::I;
    /// `(x - low) / 256`
    fn high(self, x: Self::I, low: Self::I) -> Self::I;
    /// Integers from -32768 to 32767, as int16.
    fn store16(self, x: Self::I, to: &mut [i16; LANES]);
    /// Numbers from 0 to 2^30 cut to integers, plus 1.
    fn frequencies(self, x: Self::V, to: &mut [u32; LANES]);
}

/// An instruction set: vectors, and products of int8 vectors.
pub trait Isa: Copy + Send + Sync + 'static {
    type Vectors: Vectors;

    /// How [`dot`](Self::dot) wants weights.
    const LAYOUT: Layout;
    /// Bytes of a quantised number.
    const BYTES: usize;
    /// The most rows that [`dot`](Self::dot) is fast with: 4 or 8.
    const ROWS: usize;

    fn vectors(self) -> Self::Vectors;

    /// Runs a job, compiled for this instruction set.
    fn run<J: Job>(self, job: J) -> J::Output;

    /// Writes 16 quantised numbers, from -128 to 127, as [`dot`](Self::dot) wants them: 16 *
    /// [`BYTES`](Self::BYTES).
    fn write(self, q: <Self::Vectors as Vectors>::I, to: &mut [u8]);

    /// What a quantised zero is written as.
    fn zero(self) -> u8 {
        0
    }

    /// The sums over the inputs of weight times quantised number, for [`packed::BLOCK`] outputs and
    /// R rows, as f32. `start` has what each output's sum starts from; `ahead`: whether to prefetch
    /// the weights that follow.
    fn dot<const R: usize>(
        self,
        weights: &[i8],
        start: &[i32; packed::BLOCK],
        x: [&[u8]; R],
        ahead: bool,
    ) -> [[<Self::Vectors as Vectors>::V; 2]; R];

    /// The sums over the inputs of int8 weight times int16 number, exact and then rounded once to
    /// f32, for a block of outputs and R rows. A block is `[inputs / 2][32][2]`.
    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn dot16<const R: usize>(
        self,
        weights: &[i8],
        x: [&[i16]; R],
        _ahead: bool,
    ) -> [[<Self::Vectors as Vectors>::V; 2]; R] {
        let s = self.vectors();
        let sums = wide::plain_dot(weights, x);
        let mut out = [[s.splat(0.0); 2]; R];
        for r in 0..R {
            out[r] = [s.load(&sums[r][0]), s.load(&sums[r][1])];
        }
        out
    }
}

/// Begins to load what will be needed soon.
#[inline(always)]
pub fn prefetch<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction; it changes nothing, and any address will
    // do.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(place.cast());
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the instruction changes nothing, and any address will do.
    unsafe {
        std::arch::asm!("prfm pldl1keep, \
            [{}]", in(reg) place, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
    let _ = place;
}
