//! What mixing needs of vectors beside the arithmetic of the model: sums of four vectors at once,
//! columns of bytes, and which bytes are not 0. Mixing has no products of int8, so that its work is
//! over vectors alone, and instruction sets that differ in their products share it.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "aarch64")]
mod neon;
mod plain;
#[cfg(target_arch = "x86_64")]
mod sse;

use super::Vectors;

/// Something to be computed by vectors alone. [`run`](Self::run) must be `#[inline(always)]`.
pub trait VectorJob {
    type Output;
    fn run<V: MixVectors>(self, vectors: V) -> Self::Output;
}

/// Vectors with what mixing needs.
pub trait MixVectors: Vectors {
    /// The trees of four vectors ([`sum`](Vectors::sum)).
    fn sums(self, x: [Self::V; 4]) -> [f32; 4];
    /// Rows of bytes become columns.
    fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16];
    /// A bit for each byte that is not 0, the first in the lowest.
    fn nonzero(self, x: &[u8; 32]) -> u32;
}
