//! AVX-512: 16 f32 are one register; `vpdpbusd` multiplies 64 pairs of int8 and sums them by fours.

use std::arch::x86_64::*;

use super::avx2::Avx2;
use super::packed::BLOCK;
use super::wide::{self, GROUPS, PAIR};
use super::{Isa, Job, Lanes, Layout, Vectors, prefetch};
use crate::exact::LANES;

/// How far ahead weights are prefetched, in bytes. 4 KiB was best (measured on an EPYC 9005).
const AHEAD: usize = 4096;

/// Exists only where the processor has AVX-512 F, BW, DQ, VL and VNNI, and what [`Avx2`] asks for.
#[derive(Clone, Copy)]
pub struct Avx512(());

impl Avx512 {
    pub fn get() -> Option<Self> {
        let there = Avx2::get().is_some()
            && is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512vnni");
        there.then_some(Self(()))
    }
}

// SAFETY of all that is unsafe below, where nothing else is said: the processor has the
// instructions, because a value of `Avx512` exists only then; and they touch memory only through
// references to what they read or write whole.
impl Vectors for Avx512 {
    type V = __m512;
    type I = __m512i;

    #[inline(always)]
    fn load(self, x: &Lanes) -> __m512 {
        unsafe { _mm512_load_ps(x.0.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, x: __m512, to: &mut Lanes) {
        unsafe { _mm512_store_ps(to.0.as_mut_ptr(), x) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    fn add(self, x: __m512, y: __m512) -> __m512 {
        unsafe { _mm512_add_ps(x, y) }
    }

    #[inline(always)]
    fn sub(self, x: __m512, y: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(x, y) }
    }

    #[inline(always)]
    fn mul(self, x: __m512, y: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(x, y) }
    }

    #[inline(always)]
    fn div(self, x: __m512, y: __m512) -> __m512 {
        unsafe { _mm512_div_ps(x, y) }
    }

    /// As the instruction has it: the second if either is a NaN.
    #[inline(always)]
    fn max(self, x: __m512, y: __m512) -> __m512 {
        unsafe { _mm512_max_ps(x, y) }
    }

    #[inline(always)]
    fn min(self, x: __m512, y: __m512) -> __m512 {
        unsafe { _mm512_min_ps(x, y) }
    }

    #[inline(always)]
    fn abs(self, x: __m512) -> __m512 {
        unsafe { _mm512_abs_ps(x) }
    }

    #[inline(always)]
    fn neg(self, x: __m512) -> __m512 {
        unsafe { _mm512_xor_ps(x, _mm512_set1_ps(-0.0)) }
    }

    #[inline(always)]
    fn to_int(self, x: __m512) -> __m512i {
        unsafe { _mm512_cvtps_epi32(x) }
    }

    #[inline(always)]
    fn power(self, x: __m512) -> __m512 {
        unsafe {
            let exponent = _mm512_slli_epi32::<23>(_mm512_castps_si512(x));
            _mm512_castsi512_ps(_mm512_add_epi32(exponent, _mm512_set1_epi32(127 << 23)))
        }
    }

    #[inline(always)]
    fn sum(self, x: __m512) -> f32 {
        unsafe {
            let x = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x));
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    fn largest(self, x: __m512) -> f32 {
        unsafe {
            let x = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps::<1>(x));
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    fn low(self, x: __m512i) -> __m512i {
        unsafe { _mm512_srai_epi32::<24>(_mm512_slli_epi32::<24>(x)) }
    }

    #[inline(always)]
    fn high(self, x: __m512i, low: __m512i) -> __m512i {
        unsafe { _mm512_srai_epi32::<8>(_mm512_sub_epi32(x, low)) }
    }

    #[inline(always)]
    fn store16(self, x: Self::I, to: &mut [i16; LANES]) {
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi16(x)) }
    }

    #[inline(always)]
    fn frequencies(self, x: Self::V, to: &mut [u32; LANES]) {
        unsafe {
            let frequencies = _mm512_add_epi32(_mm512_cvttps_epi32(x), _mm512_set1_epi32(1));
            _mm512_storeu_si512(to.as_mut_ptr().cast(), frequencies);
        }
    }
}

impl Isa for Avx512 {
    type Vectors = Self;
    const LAYOUT: Layout = Layout { tile: BLOCK, group: 4, offset: true };
    const BYTES: usize = 1;
    const ROWS: usize = 8;

    #[inline(always)]
    fn vectors(self) -> Self {
        self
    }

    #[inline(always)]
    fn run<J: Job>(self, job: J) -> J::Output {
        #[target_feature(
            enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,bmi1,bmi2,lzcnt,popcnt"
        )]
        fn compiled<J: Job>(isa: Avx512, job: J) -> J::Output {
            job.run(isa)
        }
        unsafe { compiled(self, job) }
    }

    #[inline(always)]
    fn write(self, q: __m512i, to: &mut [u8]) {
        assert_eq!(to.len(), LANES);
        unsafe {
            let bytes = _mm_xor_si128(_mm512_cvtepi32_epi8(q), _mm_set1_epi8(-128));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    fn zero(self) -> u8 {
        128
    }

    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn dot16<const R: usize>(
        self,
        weights: &[i8],
        x: [&[i16]; R],
        ahead: bool,
    ) -> [[__m512; 2]; R] {
        let groups = weights.len() / PAIR;
        assert!(groups.is_multiple_of(2));
        for x in x {
            assert!(2 * groups <= x.len());
        }
        // SAFETY: group g reads weights 64 g to 64 g + 63, and numbers 2 g and 2 g + 1 of each row.
        unsafe {
            let w = weights.as_ptr();
            let mut total = [[[_mm512_setzero_pd(); 2]; 2]; R];
            let mut begin = 0;
            loop {
                let end = groups.min(begin + GROUPS);
                // With few rows more sums than they have, or each would wait for the one before it.
                let mut sums = [[[_mm512_setzero_si512(); 2]; 2]; R];
                for g in (begin..end).step_by(2) {
                    for odd in 0..2 {
                        if ahead {
                            prefetch(w.wrapping_add(PAIR * (g + odd) + wide::AHEAD));
                        }
                        for tile in 0..2 {
                            let at = w.add(PAIR * (g + odd) + 32 * tile);
                            let w = _mm512_cvtepi8_epi16(_mm256_loadu_si256(at.cast()));
                            for r in 0..R {
                                let q = x[r].as_ptr().add(2 * (g + odd)).cast::<i32>();
                                let q = _mm512_set1_epi32(q.read_unaligned());
                                let sum = &mut sums[r][if R <= 4 { odd } else { 0 }][tile];
                                *sum = dot2(*sum, w, q);
                            }
                        }
                    }
                }
                let mut both = [[_mm512_setzero_si512(); 2]; R];
                for r in 0..R {
                    for tile in 0..2 {
                        both[r][tile] = _mm512_add_epi32(sums[r][0][tile], sums[r][1][tile]);
                    }
                }
                let mut out = [[_mm512_setzero_ps(); 2]; R];
                if groups <= GROUPS {
                    for r in 0..R {
                        for tile in 0..2 {
                            out[r][tile] = _mm512_cvtepi32_ps(both[r][tile]);
                        }
                    }
                    return out;
                }
                for r in 0..R {
                    for tile in 0..2 {
                        let low = _mm512_castsi512_si256(both[r][tile]);
                        let high = _mm512_extracti64x4_epi64::<1>(both[r][tile]);
                        let to = &mut total[r][tile];
                        to[0] = _mm512_add_pd(to[0], _mm512_cvtepi32_pd(low));
                        to[1] = _mm512_add_pd(to[1], _mm512_cvtepi32_pd(high));
                    }
                }
                begin = end;
                if begin == groups {
                    for r in 0..R {
                        for tile in 0..2 {
                            let [low, high] = total[r][tile];
                            let low = _mm512_castps256_ps512(_mm512_cvtpd_ps(low));
                            out[r][tile] = _mm512_insertf32x8::<1>(low, _mm512_cvtpd_ps(high));
                        }
                    }
                    return out;
                }
            }
        }
    }

    #[inline(always)]
    fn dot<const R: usize>(
        self,
        weights: &[i8],
        start: &[i32; BLOCK],
        x: [&[u8]; R],
        ahead: bool,
    ) -> [[__m512; 2]; R] {
        let groups = weights.len() / (4 * BLOCK);
        for x in x {
            assert!(4 * groups <= x.len());
        }
        // SAFETY: group g reads weights from 128 g to 128 g + 127, and numbers 4 g to 4 g + 3 of
        // each row.
        unsafe {
            let first = [
                _mm512_loadu_si512(start.as_ptr().cast()),
                _mm512_loadu_si512(start.as_ptr().add(LANES).cast()),
            ];
            let mut sums = [first; R];
            let mut w = weights.as_ptr();
            if R == 1 {
                // More sums than one row has, or each would wait for the one before it. Inputs are
                // filled up to multiples of 16, so groups come in fours.
                let mut more = [[_mm512_setzero_si512(); 2]; 3];
                for g in 0..groups / 4 {
                    if ahead {
                        for line in 0..8 {
                            prefetch(w.wrapping_add(AHEAD + 64 * line));
                        }
                    }
                    let q = x[0].as_ptr().add(16 * g).cast::<i32>();
                    for half in 0..2 {
                        let w = w.add(64 * half);
                        sums[0][half] = dot4(sums[0][half], q, w);
                        more[0][half] = dot4(more[0][half], q.add(1), w.add(128));
                        more[1][half] = dot4(more[1][half], q.add(2), w.add(256));
                        more[2][half] = dot4(more[2][half], q.add(3), w.add(384));
                    }
                    w = w.add(512);
                }
                for half in 0..2 {
                    let two = _mm512_add_epi32(more[0][half], more[1][half]);
                    sums[0][half] =
                        _mm512_add_epi32(_mm512_add_epi32(sums[0][half], more[2][half]), two);
                }
            } else {
                for g in 0..groups {
                    if ahead {
                        prefetch(w.wrapping_add(AHEAD));
                        prefetch(w.wrapping_add(AHEAD + 64));
                    }
                    let (w0, w1) =
                        (_mm512_loadu_si512(w.cast()), _mm512_loadu_si512(w.add(64).cast()));
                    for r in 0..R {
                        let q = _mm512_set1_epi32(
                            x[r].as_ptr().add(4 * g).cast::<i32>().read_unaligned(),
                        );
                        sums[r][0] = _mm512_dpbusd_epi32(sums[r][0], q, w0);
                        sums[r][1] = _mm512_dpbusd_epi32(sums[r][1], q, w1);
                    }
                    w = w.add(128);
                }
            }
            let mut out = [[_mm512_setzero_ps(); 2]; R];
            for r in 0..R {
                out[r] = [_mm512_cvtepi32_ps(sums[r][0]), _mm512_cvtepi32_ps(sums[r][1])];
            }
            out
        }
    }
}

/// Adds 16 sums of four products each.
///
/// # Safety
///
/// The processor has AVX-512 VNNI; four numbers can be read at `q`, 64 weights at `w`.
#[inline(always)]
unsafe fn dot4(sum: __m512i, q: *const i32, w: *const i8) -> __m512i {
    unsafe {
        _mm512_dpbusd_epi32(
            sum,
            _mm512_set1_epi32(q.read_unaligned()),
            _mm512_loadu_si512(w.cast()),
        )
    }
}

/// Adds 16 sums of two products of int16 each.
///
/// Compilers know processors on which `vpdpwssd` waits longer than a multiplication and an addition,
/// and put these in its place, which takes twice the instructions where it matters: so it is written
/// as it is to be.
///
/// # Safety
///
/// The processor has AVX-512 VNNI.
#[target_feature(enable = "avx512f,avx512vnni")]
#[inline]
unsafe fn dot2(mut sum: __m512i, w: __m512i, q: __m512i) -> __m512i {
    // SAFETY: the instruction touches nothing but these registers.
    unsafe {
        std::arch::asm!(
            "vpdpwssd {sum}, {w}, {q}",
            sum = inout(zmm_reg) sum,
            w = in(zmm_reg) w,
            q = in(zmm_reg) q,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    sum
}
