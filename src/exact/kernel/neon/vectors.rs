//! The arithmetic of 16 f32 in four registers.

use std::arch::aarch64::*;

use super::Neon;
use crate::exact::LANES;
use crate::exact::kernel::{Lanes, Vectors};

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
    fn store16(self, [a, b, c, d]: Self::I, to: &mut [i16; LANES]) {
        unsafe {
            vst1q_s16(to.as_mut_ptr(), vcombine_s16(vmovn_s32(a), vmovn_s32(b)));
            vst1q_s16(to.as_mut_ptr().add(8), vcombine_s16(vmovn_s32(c), vmovn_s32(d)));
        }
    }

    #[inline(always)]
    fn frequencies(self, x: Self::V, to: &mut [u32; LANES]) {
        let (quarters, _) = to.as_chunks_mut::<4>();
        for (x, to) in x.into_iter().zip(quarters) {
            unsafe { vst1q_u32(to.as_mut_ptr(), vaddq_u32(vcvtq_u32_f32(x), vdupq_n_u32(1))) };
        }
    }
}

/// The tree of a vector down to four lanes.
///
/// # Safety
///
/// The processor has NEON.
#[inline(always)]
pub unsafe fn four(x: [float32x4_t; 4]) -> float32x4_t {
    unsafe { vaddq_f32(vaddq_f32(x[0], x[2]), vaddq_f32(x[1], x[3])) }
}

/// The tree of four lanes down to two.
///
/// # Safety
///
/// The processor has NEON.
#[inline(always)]
pub unsafe fn two(x: float32x4_t) -> float32x2_t {
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
