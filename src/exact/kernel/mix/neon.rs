//! NEON.

use std::arch::aarch64::*;

use super::MixVectors;
use crate::exact::kernel::neon::{Neon, four, two};

// SAFETY of all that is unsafe below: the processor has the instructions, which touch memory only
// through references to what they read or write whole.
impl MixVectors for Neon {
    #[inline(always)]
    fn sums(self, [a, b, c, d]: [Self::V; 4]) -> [f32; 4] {
        unsafe {
            // Lane i and lane i + 2 of two trees side by side, then lane 0 and 1 of all four.
            let (a, b, c, d) = (four(a), four(b), four(c), four(d));
            let ab = vcombine_f32(two(a), two(b));
            let cd = vcombine_f32(two(c), two(d));
            let mut out = [0.0; 4];
            vst1q_f32(out.as_mut_ptr(), vaddq_f32(vuzp1q_f32(ab, cd), vuzp2q_f32(ab, cd)));
            out
        }
    }

    #[inline(always)]
    fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16] {
        unsafe {
            let mut a = [vdupq_n_u8(0); 16];
            for i in 0..16 {
                a[i] = vld1q_u8(rows[i].as_ptr());
            }
            // Each round interleaves the first half with the second; after four, rows are columns.
            for _ in 0..4 {
                let before = a;
                for i in 0..8 {
                    a[2 * i] = vzip1q_u8(before[i], before[i + 8]);
                    a[2 * i + 1] = vzip2q_u8(before[i], before[i + 8]);
                }
            }
            let mut out = [[0; 16]; 16];
            for i in 0..16 {
                vst1q_u8(out[i].as_mut_ptr(), a[i]);
            }
            out
        }
    }

    #[inline(always)]
    fn nonzero(self, x: &[u8; 32]) -> u32 {
        x.iter().rev().fold(0, |bits, x| bits << 1 | u32::from(*x != 0))
    }
}
