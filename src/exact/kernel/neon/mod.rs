//! NEON: 16 f32 are four registers. With the dot product extension, `sdot` multiplies 16 pairs of
//! int8 and sums them by fours; without, two products each are summed in int16, where they just
//! fit, and then widened in pairs.

mod vectors;

use std::arch::aarch64::*;
use std::arch::asm;

use super::packed::BLOCK;
use super::wide::{self, GROUPS, PAIR, TILE_GROUP};
use super::{Isa, Job, Layout, prefetch};
use crate::exact::LANES;

pub use vectors::{four, two};

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

// SAFETY of all that is unsafe below, where nothing else is said: the processor has the
// instructions, which touch memory only through references to what they read or write whole.

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

    #[inline(always)]
    fn dot16<const R: usize>(
        self,
        weights: &[i8],
        x: [&[i16]; R],
        ahead: bool,
    ) -> [[[float32x4_t; 4]; 2]; R] {
        dot16(weights, x, ahead)
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

    #[inline(always)]
    fn dot16<const R: usize>(
        self,
        weights: &[i8],
        x: [&[i16]; R],
        ahead: bool,
    ) -> [[[float32x4_t; 4]; 2]; R] {
        dot16(weights, x, ahead)
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

/// Groups of [`dot16`] whose numbers are one register.
const AT_ONCE: usize = 4;

/// [`Isa::dot16`], of both kernels: no extension multiplies int16 by int8. A load of pairs parts the
/// weights of both inputs of a group, so that each sum stays in its lane.
#[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
#[inline(always)]
fn dot16<const R: usize>(
    weights: &[i8],
    x: [&[i16]; R],
    ahead: bool,
) -> [[[float32x4_t; 4]; 2]; R] {
    const { assert!(GROUPS.is_multiple_of(AT_ONCE)) };
    let groups = weights.len() / PAIR;
    assert!(groups.is_multiple_of(AT_ONCE));
    for x in x {
        assert!(TILE_GROUP * groups <= x.len());
    }
    // SAFETY: group g reads weights 64 g to 64 g + 63, and numbers 2 g and 2 g + 1 of each row;
    // AT_ONCE groups are read together, and there is a multiple of so many.
    unsafe {
        let mut out = [[[vdupq_n_f32(0.0); 4]; 2]; R];
        for tile in 0..2 {
            let mut w = weights.as_ptr().add(32 * tile);
            let mut total = [[vdupq_n_s64(0); 8]; R];
            let mut begin = 0;
            loop {
                let end = groups.min(begin + GROUPS);
                let mut sums = [[vdupq_n_s32(0); 4]; R];
                for g in (begin..end).step_by(AT_ONCE) {
                    if ahead && tile == 0 {
                        for line in 0..AT_ONCE {
                            prefetch(w.wrapping_add(wide::AHEAD + PAIR * line));
                        }
                    }
                    let mut q = [vdupq_n_s16(0); R];
                    for r in 0..R {
                        q[r] = vld1q_s16(x[r].as_ptr().add(TILE_GROUP * g));
                    }
                    macro_rules! group {
                        ($first:literal, $second:literal) => {
                            let pairs = vld2q_s8(w);
                            let first = wide(pairs.0);
                            let second = wide(pairs.1);
                            for r in 0..R {
                                for i in 0..4 {
                                    let sum = vmlal_laneq_s16::<$first>(sums[r][i], first[i], q[r]);
                                    sums[r][i] = vmlal_laneq_s16::<$second>(sum, second[i], q[r]);
                                }
                            }
                            w = w.wrapping_add(PAIR);
                        };
                    }
                    group!(0, 1);
                    group!(2, 3);
                    group!(4, 5);
                    group!(6, 7);
                }
                if groups <= GROUPS {
                    for r in 0..R {
                        for i in 0..4 {
                            out[r][tile][i] = vcvtq_f32_s32(sums[r][i]);
                        }
                    }
                    break;
                }
                for r in 0..R {
                    for i in 0..4 {
                        let (low, high) = (vget_low_s32(sums[r][i]), vget_high_s32(sums[r][i]));
                        total[r][2 * i] = vaddw_s32(total[r][2 * i], low);
                        total[r][2 * i + 1] = vaddw_s32(total[r][2 * i + 1], high);
                    }
                }
                begin = end;
                if begin == groups {
                    for r in 0..R {
                        for i in 0..4 {
                            // f64 holds them: what is rounded is the conversion to f32 alone.
                            let low = vcvt_f32_f64(vcvtq_f64_s64(total[r][2 * i]));
                            let high = vcvt_f32_f64(vcvtq_f64_s64(total[r][2 * i + 1]));
                            out[r][tile][i] = vcombine_f32(low, high);
                        }
                    }
                    break;
                }
            }
        }
        out
    }
}

/// 16 weights as int16.
#[inline(always)]
fn wide(w: int8x16_t) -> [int16x4_t; 4] {
    unsafe {
        let (low, high) = (vmovl_s8(vget_low_s8(w)), vmovl_s8(vget_high_s8(w)));
        [vget_low_s16(low), vget_high_s16(low), vget_low_s16(high), vget_high_s16(high)]
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
