//! NEON: 16 f32 are four registers. With the dot product extension, `sdot` multiplies 16 pairs of
//! int8 and sums them by fours; without, two products each are summed in int16, where they just
//! fit, and then widened in pairs.

use std::arch::aarch64::*;
use std::arch::asm;

use super::packed::BLOCK;
use super::{Isa, Job, Lanes, Layout, MixVectors, Vectors, prefetch};
use crate::exact::LANES;

/// How far ahead weights are prefetched, in bytes.
const AHEAD: usize = 2048;

/// Every AArch64 processor that Rust's standard library runs on has it.
#[derive(Clone, Copy)]
pub struct Neon;

/// Exists only where the processor has the dot product extension.
#[derive(Clone, Copy)]
pub struct NeonDot(());

impl NeonDot {
    pub fn get() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("dotprod").then_some(Self(()))
    }
}

/// An operation on each quarter.
macro_rules! each {
    ($operation:ident, $x:expr $(, $y:expr)?) => {{
        let x = $x;
        unsafe {
            [
                $operation(x[0] $(, $y[0])?),
                $operation(x[1] $(, $y[1])?),
                $operation(x[2] $(, $y[2])?),
                $operation(x[3] $(, $y[3])?),
            ]
        }
    }};
}

// SAFETY of all that is unsafe below, where nothing else is said: the processor has the
// instructions, which touch memory only through references to what they read or write whole.
impl Vectors for Neon {
    type V = [float32x4_t; 4];
    type I = [int32x4_t; 4];

    #[inline(always)]
    fn load(self, x: &Lanes) -> Self::V {
        let x = x.0.as_ptr();
        unsafe { [vld1q_f32(x), vld1q_f32(x.add(4)), vld1q_f32(x.add(8)), vld1q_f32(x.add(12))] }
    }

    #[inline(always)]
    fn store(self, x: Self::V, to: &mut Lanes) {
        let to = to.0.as_mut_ptr();
        unsafe {
            vst1q_f32(to, x[0]);
            vst1q_f32(to.add(4), x[1]);
            vst1q_f32(to.add(8), x[2]);
            vst1q_f32(to.add(12), x[3]);
        }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        unsafe { [vdupq_n_f32(x); 4] }
    }

    #[inline(always)]
    fn add(self, x: Self::V, y: Self::V) -> Self::V {
        each!(vaddq_f32, x, y)
    }

    #[inline(always)]
    fn sub(self, x: Self::V, y: Self::V) -> Self::V {
        each!(vsubq_f32, x, y)
    }

    #[inline(always)]
    fn mul(self, x: Self::V, y: Self::V) -> Self::V {
        each!(vmulq_f32, x, y)
    }

    #[inline(always)]
    fn div(self, x: Self::V, y: Self::V) -> Self::V {
        each!(vdivq_f32, x, y)
    }

    /// Not `fmax`, which gives a NaN if either is one.
    #[inline(always)]
    fn max(self, x: Self::V, y: Self::V) -> Self::V {
        each!(larger, x, y)
    }

    #[inline(always)]
    fn min(self, x: Self::V, y: Self::V) -> Self::V {
        each!(smaller, x, y)
    }

    #[inline(always)]
    fn abs(self, x: Self::V) -> Self::V {
        each!(vabsq_f32, x)
    }

    #[inline(always)]
    fn neg(self, x: Self::V) -> Self::V {
        each!(vnegq_f32, x)
    }

    #[inline(always)]
    fn to_int(self, x: Self::V) -> Self::I {
        each!(vcvtnq_s32_f32, x)
    }

    #[inline(always)]
    fn power(self, x: Self::V) -> Self::V {
        each!(power, x)
    }

    #[inline(always)]
    fn sum(self, x: Self::V) -> f32 {
        unsafe {
            let x = two(four(x));
            vget_lane_f32::<0>(x) + vget_lane_f32::<1>(x)
        }
    }

    #[inline(always)]
    fn largest(self, x: Self::V) -> f32 {
        unsafe { vmaxvq_f32(vmaxq_f32(vmaxq_f32(x[0], x[1]), vmaxq_f32(x[2], x[3]))) }
    }

    #[inline(always)]
    fn low(self, x: Self::I) -> Self::I {
        each!(low_byte, x)
    }

    #[inline(always)]
    fn high(self, x: Self::I, low: Self::I) -> Self::I {
        each!(shift_8, each!(vsubq_s32, x, low))
    }

    #[inline(always)]
    fn frequencies(self, x: Self::V, to: &mut [u32; LANES]) {
        let (quarters, _) = to.as_chunks_mut::<4>();
        for (x, to) in x.into_iter().zip(quarters) {
            unsafe { vst1q_u32(to.as_mut_ptr(), vaddq_u32(vcvtq_u32_f32(x), vdupq_n_u32(1))) };
        }
    }
}

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

/// The tree of a vector down to four lanes.
///
/// # Safety
///
/// The processor has NEON.
#[inline(always)]
unsafe fn four(x: [float32x4_t; 4]) -> float32x4_t {
    unsafe { vaddq_f32(vaddq_f32(x[0], x[2]), vaddq_f32(x[1], x[3])) }
}

/// The tree of four lanes down to two.
///
/// # Safety
///
/// The processor has NEON.
#[inline(always)]
unsafe fn two(x: float32x4_t) -> float32x2_t {
    unsafe { vadd_f32(vget_low_f32(x), vget_high_f32(x)) }
}

/// # Safety
///
/// The processor has NEON.
#[inline(always)]
unsafe fn larger(x: float32x4_t, y: float32x4_t) -> float32x4_t {
    unsafe { vbslq_f32(vcgtq_f32(x, y), x, y) }
}

/// # Safety
///
/// The processor has NEON.
#[inline(always)]
unsafe fn smaller(x: float32x4_t, y: float32x4_t) -> float32x4_t {
    unsafe { vbslq_f32(vcltq_f32(x, y), x, y) }
}

/// # Safety
///
/// The processor has NEON.
#[inline(always)]
unsafe fn power(x: float32x4_t) -> float32x4_t {
    unsafe {
        let exponent = vshlq_n_s32::<23>(vreinterpretq_s32_f32(x));
        vreinterpretq_f32_s32(vaddq_s32(exponent, vdupq_n_s32(127 << 23)))
    }
}

/// # Safety
///
/// The processor has NEON.
#[inline(always)]
unsafe fn low_byte(x: int32x4_t) -> int32x4_t {
    unsafe { vshrq_n_s32::<24>(vshlq_n_s32::<24>(x)) }
}

/// # Safety
///
/// The processor has NEON.
#[inline(always)]
unsafe fn shift_8(x: int32x4_t) -> int32x4_t {
    unsafe { vshrq_n_s32::<8>(x) }
}

/// 16 quantised numbers, one byte each.
#[inline(always)]
fn write(q: [int32x4_t; 4], to: &mut [u8]) {
    assert_eq!(to.len(), LANES);
    unsafe {
        let low = vcombine_s16(vmovn_s32(q[0]), vmovn_s32(q[1]));
        let high = vcombine_s16(vmovn_s32(q[2]), vmovn_s32(q[3]));
        vst1q_s8(to.as_mut_ptr().cast(), vcombine_s8(vmovn_s16(low), vmovn_s16(high)));
    }
}

/// A tile is 16 outputs, and a group of it four registers: 4 outputs of 4 inputs each.
const LAYOUT: Layout = Layout { tile: 16, group: 4, offset: false };

/// The four registers of weights at `w`.
///
/// # Safety
///
/// 64 weights can be read there.
#[inline(always)]
unsafe fn weights_at(w: *const i8) -> [int8x16_t; 4] {
    unsafe { [vld1q_s8(w), vld1q_s8(w.add(16)), vld1q_s8(w.add(32)), vld1q_s8(w.add(48))] }
}

impl Isa for Neon {
    type Vectors = Self;
    const LAYOUT: Layout = LAYOUT;
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
    fn write(self, q: [int32x4_t; 4], to: &mut [u8]) {
        write(q, to);
    }

    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn dot<const R: usize>(
        self,
        weights: &[i8],
        start: &[i32; BLOCK],
        x: [&[u8]; R],
        ahead: bool,
    ) -> [[[float32x4_t; 4]; 2]; R] {
        let groups = weights.len() / (4 * BLOCK);
        for x in x {
            assert!(4 * groups <= x.len());
        }
        // SAFETY: group g of a tile reads its weights 64 g to 64 g + 63, and numbers 4 g to 4 g + 3
        // of each row. Inputs are filled up to multiples of 16, so groups come in pairs.
        unsafe {
            let mut out = [[[vdupq_n_f32(0.0); 4]; 2]; R];
            for tile in 0..2 {
                // One row at a time, and for each register of weights two of sums: outputs 0 and 1,
                // outputs 2 and 3, each with the products of inputs 0 and 1, and 2 and 3, apart.
                for r in 0..R {
                    let mut sums = [[vdupq_n_s32(0); 2]; 4];
                    let mut w = weights.as_ptr().add(64 * groups * tile);
                    for g in 0..groups / 2 {
                        if ahead && r == 0 {
                            prefetch(w.wrapping_add(AHEAD));
                            prefetch(w.wrapping_add(AHEAD + 64));
                        }
                        let q = x[r].as_ptr().add(8 * g).cast::<i32>();
                        let q0 = vreinterpret_s8_s32(vdup_n_s32(q.read_unaligned()));
                        let q1 = vreinterpret_s8_s32(vdup_n_s32(q.add(1).read_unaligned()));
                        let (w0, w1) = (weights_at(w), weights_at(w.add(64)));
                        for i in 0..4 {
                            // At most 2 * 127 * 128, which int16 holds.
                            let low =
                                vmlal_s8(vmull_s8(vget_low_s8(w0[i]), q0), vget_low_s8(w1[i]), q1);
                            let high = vmlal_s8(
                                vmull_s8(vget_high_s8(w0[i]), q0),
                                vget_high_s8(w1[i]),
                                q1,
                            );
                            sums[i][0] = vpadalq_s16(sums[i][0], low);
                            sums[i][1] = vpadalq_s16(sums[i][1], high);
                        }
                        w = w.add(128);
                    }
                    for i in 0..4 {
                        let start = vld1q_s32(start.as_ptr().add(16 * tile + 4 * i));
                        let sum = vaddq_s32(start, vpaddq_s32(sums[i][0], sums[i][1]));
                        out[r][tile][i] = vcvtq_f32_s32(sum);
                    }
                }
            }
            out
        }
    }
}

impl Isa for NeonDot {
    type Vectors = Neon;
    const LAYOUT: Layout = LAYOUT;
    const BYTES: usize = 1;
    const ROWS: usize = 4;

    #[inline(always)]
    fn vectors(self) -> Neon {
        Neon
    }

    #[inline(always)]
    fn run<J: Job>(self, job: J) -> J::Output {
        #[target_feature(enable = "neon,dotprod")]
        fn compiled<J: Job>(isa: NeonDot, job: J) -> J::Output {
            job.run(isa)
        }
        // SAFETY: the processor has the extension, because a value of `NeonDot` exists only then.
        unsafe { compiled(self, job) }
    }

    #[inline(always)]
    fn write(self, q: [int32x4_t; 4], to: &mut [u8]) {
        write(q, to);
    }

    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn dot<const R: usize>(
        self,
        weights: &[i8],
        start: &[i32; BLOCK],
        x: [&[u8]; R],
        ahead: bool,
    ) -> [[[float32x4_t; 4]; 2]; R] {
        let groups = weights.len() / (4 * BLOCK);
        for x in x {
            assert!(4 * groups <= x.len());
        }
        // SAFETY: group g of a tile reads its weights 64 g to 64 g + 63, and numbers 4 g to 4 g + 3
        // of each row.
        unsafe {
            let mut out = [[[vdupq_n_f32(0.0); 4]; 2]; R];
            for tile in 0..2 {
                let start = start.as_ptr().add(16 * tile);
                let first = [
                    vld1q_s32(start),
                    vld1q_s32(start.add(4)),
                    vld1q_s32(start.add(8)),
                    vld1q_s32(start.add(12)),
                ];
                let mut sums = [first; R];
                let mut w = weights.as_ptr().add(64 * groups * tile);
                for g in 0..groups {
                    if ahead {
                        prefetch(w.wrapping_add(AHEAD));
                    }
                    let w4 = weights_at(w);
                    for r in 0..R {
                        let q = x[r].as_ptr().add(4 * g).cast::<i32>().read_unaligned();
                        let q = vreinterpretq_s8_s32(vdupq_n_s32(q));
                        for i in 0..4 {
                            sums[r][i] = sdot(sums[r][i], w4[i], q);
                        }
                    }
                    w = w.add(64);
                }
                for r in 0..R {
                    for i in 0..4 {
                        out[r][tile][i] = vcvtq_f32_s32(sums[r][i]);
                    }
                }
            }
            out
        }
    }
}

/// Adds four sums of four products each. The intrinsic (`vdotq_s32`) is not stable in Rust 1.95.
///
/// # Safety
///
/// The processor has the dot product extension, and the caller is compiled for it.
#[inline(always)]
unsafe fn sdot(mut sum: int32x4_t, w: int8x16_t, q: int8x16_t) -> int32x4_t {
    // SAFETY: nothing but registers.
    unsafe {
        asm!(
            "sdot {sum:v}.4s, {w:v}.16b, {q:v}.16b",
            sum = inout(vreg) sum, w = in(vreg) w, q = in(vreg) q,
            options(pure, nomem, nostack, preserves_flags)
        );
    }
    sum
}
