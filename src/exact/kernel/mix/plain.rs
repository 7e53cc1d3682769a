//! Arrays, in safe Rust.

use super::MixVectors;
use crate::exact::kernel::Vectors;
use crate::exact::kernel::plain::Plain;

impl MixVectors for Plain {
    #[inline(always)]
    fn sums(self, x: [Self::V; 4]) -> [f32; 4] {
        x.map(|x| self.sum(x))
    }

    #[inline(always)]
    fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16] {
        std::array::from_fn(|i| std::array::from_fn(|j| rows[j][i]))
    }

    #[inline(always)]
    fn nonzero(self, x: &[u8; 32]) -> u32 {
        x.iter().rev().fold(0, |bits, x| bits << 1 | u32::from(*x != 0))
    }
}
