//! AVX2: 16 f32 are two registers. Without VNNI, weights are widened to int16 and `vpmaddwd` sums
//! pairs of products (`vpmaddubsw` would do twice as many but saturates); with it, `vpdpbusd` sums
//! four.

use std::arch::x86_64::*;

use super::packed::BLOCK;
use super::wide::{self, GROUPS, PAIR};
use super::{Isa, Job, Lanes, Layout, Vectors, prefetch};
use crate::exact::LANES;

/// How far ahead weights are prefetched, in bytes.
const AHEAD: usize = 4096;

/// Exists only where the processor has AVX2, and what every processor has that has AVX2: BMI1, BMI2,
/// LZCNT and POPCNT.
#[derive(Clone, Copy)]
pub struct Avx2(());

impl Avx2 {
    pub fn get() -> Option<Self> {
        let there = is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("bmi1")
            && is_x86_feature_detected!("bmi2")
            && is_x86_feature_detected!("lzcnt")
            && is_x86_feature_detected!("popcnt");
        there.then_some(Self(()))
    }
}

/// Exists only where the processor has AVX2 and AVX-VNNI.
#[derive(Clone, Copy)]
pub struct AvxVnni(Avx2);

impl AvxVnni {
    pub fn get() -> Option<Self> {
        Avx2::get().filter(|_| is_x86_feature_detected!("avxvnni")).map(Self)
    }
}

/// An operation on both halves.
macro_rules! both {
    ($operation:ident, $x:expr $(, $y:expr)?) => {
        unsafe { [$operation($x[0] $(, $y[0])?), $operation($x[1] $(, $y[1])?)] }
    };
}

// SAFETY of all that is unsafe below, where nothing else is said: the processor has the
// instructions, because a value of `Avx2` exists only then; and they touch memory only through
// references to what they read or write whole.
impl Vectors for Avx2 {
    type V = [__m256; 2];
    type I = [__m256i; 2];

    #[inline(always)]
    fn load(self, x: &Lanes) -> Self::V {
        unsafe { [_mm256_load_ps(x.0.as_ptr()), _mm256_load_ps(x.0.as_ptr().add(8))] }
    }

    #[inline(always)]
    fn store(self, x: Self::V, to: &mut Lanes) {
        unsafe {
            _mm256_store_ps(to.0.as_mut_ptr(), x[0]);
            _mm256_store_ps(to.0.as_mut_ptr().add(8), x[1]);
        }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        unsafe { [_mm256_set1_ps(x); 2] }
    }

    #[inline(always)]
    fn add(self, x: Self::V, y: Self::V) -> Self::V {
        both!(_mm256_add_ps, x, y)
    }

    #[inline(always)]
    fn sub(self, x: Self::V, y: Self::V) -> Self::V {
        both!(_mm256_sub_ps, x, y)
    }

    #[inline(always)]
    fn mul(self, x: Self::V, y: Self::V) -> Self::V {
        both!(_mm256_mul_ps, x, y)
    }

    #[inline(always)]
    fn div(self, x: Self::V, y: Self::V) -> Self::V {
        both!(_mm256_div_ps, x, y)
    }

    /// As the instruction has it: the second if either is a NaN.
    #[inline(always)]
    fn max(self, x: Self::V, y: Self::V) -> Self::V {
        both!(_mm256_max_ps, x, y)
    }

    #[inline(always)]
    fn min(self, x: Self::V, y: Self::V) -> Self::V {
        both!(_mm256_min_ps, x, y)
    }

    #[inline(always)]
    fn abs(self, x: Self::V) -> Self::V {
        let sign = self.splat(-0.0);
        both!(_mm256_andnot_ps, sign, x)
    }

    #[inline(always)]
    fn neg(self, x: Self::V) -> Self::V {
        let sign = self.splat(-0.0);
        both!(_mm256_xor_ps, sign, x)
    }

    #[inline(always)]
    fn to_int(self, x: Self::V) -> Self::I {
        both!(_mm256_cvtps_epi32, x)
    }

    #[inline(always)]
    fn power(self, x: Self::V) -> Self::V {
        unsafe { [power(x[0]), power(x[1])] }
    }

    #[inline(always)]
    fn sum(self, x: Self::V) -> f32 {
        unsafe {
            let x = _mm256_add_ps(x[0], x[1]);
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    fn largest(self, x: Self::V) -> f32 {
        unsafe {
            let x = _mm256_max_ps(x[0], x[1]);
            let x = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let x = _mm_max_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_max_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    fn low(self, x: Self::I) -> Self::I {
        unsafe {
            [
                _mm256_srai_epi32::<24>(_mm256_slli_epi32::<24>(x[0])),
                _mm256_srai_epi32::<24>(_mm256_slli_epi32::<24>(x[1])),
            ]
        }
    }

    #[inline(always)]
    fn high(self, x: Self::I, low: Self::I) -> Self::I {
        let difference = both!(_mm256_sub_epi32, x, low);
        unsafe { [_mm256_srai_epi32::<8>(difference[0]), _mm256_srai_epi32::<8>(difference[1])] }
    }

    #[inline(always)]
    fn store16(self, x: Self::I, to: &mut [i16; LANES]) {
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), to_16(x)) }
    }

    #[inline(always)]
    fn frequencies(self, x: Self::V, to: &mut [u32; LANES]) {
        let to = to.as_mut_ptr().cast::<__m256i>();
        unsafe {
            let one = _mm256_set1_epi32(1);
            _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_cvttps_epi32(x[0]), one));
            _mm256_storeu_si256(to.add(1), _mm256_add_epi32(_mm256_cvttps_epi32(x[1]), one));
        }
    }
}

/// # Safety
///
/// The processor has AVX2.
#[inline(always)]
unsafe fn power(x: __m256) -> __m256 {
    unsafe {
        let exponent = _mm256_slli_epi32::<23>(_mm256_castps_si256(x));
        _mm256_castsi256_ps(_mm256_add_epi32(exponent, _mm256_set1_epi32(127 << 23)))
    }
}

/// 16 numbers as int16, in order.
///
/// # Safety
///
/// The processor has AVX2.
#[inline(always)]
unsafe fn to_16(q: [__m256i; 2]) -> __m256i {
    unsafe { _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packs_epi32(q[0], q[1])) }
}

impl Isa for Avx2 {
    type Vectors = Self;
    const LAYOUT: Layout = Layout { tile: 16, group: 2, offset: false };
    const BYTES: usize = 2;
    const ROWS: usize = 4;

    #[inline(always)]
    fn vectors(self) -> Self {
        self
    }

    #[inline(always)]
    fn run<J: Job>(self, job: J) -> J::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
        fn compiled<J: Job>(isa: Avx2, job: J) -> J::Output {
            job.run(isa)
        }
        unsafe { compiled(self, job) }
    }

    #[inline(always)]
    fn write(self, q: [__m256i; 2], to: &mut [u8]) {
        assert_eq!(to.len(), 2 * LANES);
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), to_16(q)) }
    }

    #[inline(always)]
    fn dot16<const R: usize>(
        self,
        weights: &[i8],
        x: [&[i16]; R],
        ahead: bool,
    ) -> [[[__m256; 2]; 2]; R] {
        dot16(self, weights, x, ahead)
    }

    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn dot<const R: usize>(
        self,
        weights: &[i8],
        start: &[i32; BLOCK],
        x: [&[u8]; R],
        ahead: bool,
    ) -> [[[__m256; 2]; 2]; R] {
        let groups = weights.len() / (2 * BLOCK);
        for x in x {
            assert!(4 * groups <= x.len());
        }
        // SAFETY: group g of a tile reads its weights 32 g to 32 g + 31, and bytes 4 g to 4 g + 3,
        // two numbers, of each row.
        unsafe {
            let mut out = [[[_mm256_setzero_ps(); 2]; 2]; R];
            for tile in 0..2 {
                let start = start.as_ptr().add(16 * tile);
                let first =
                    [_mm256_loadu_si256(start.cast()), _mm256_loadu_si256(start.add(8).cast())];
                let mut sums = [first; R];
                let mut w = weights.as_ptr().add(32 * groups * tile);
                for g in 0..groups {
                    if ahead {
                        prefetch(w.wrapping_add(AHEAD));
                    }
                    let w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.cast()));
                    let w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.add(16).cast()));
                    for r in 0..R {
                        let q = _mm256_set1_epi32(
                            x[r].as_ptr().add(4 * g).cast::<i32>().read_unaligned(),
                        );
                        sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(q, w0));
                        sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(q, w1));
                    }
                    w = w.add(32);
                }
                for r in 0..R {
                    out[r][tile] = [_mm256_cvtepi32_ps(sums[r][0]), _mm256_cvtepi32_ps(sums[r][1])];
                }
            }
            out
        }
    }
}

/// [`Isa::dot16`], of both kernels: `vpmaddwd` and an addition are as fast as `vpdpwssd` where both
/// run on two ports, and few processors with AVX-VNNI are without AVX-512's.
#[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
#[inline(always)]
fn dot16<const R: usize>(
    _: Avx2,
    weights: &[i8],
    x: [&[i16]; R],
    ahead: bool,
) -> [[[__m256; 2]; 2]; R] {
    let groups = weights.len() / PAIR;
    for x in x {
        assert!(2 * groups <= x.len());
    }
    // SAFETY: the processor has AVX2, because a value of `Avx2` is there. Group g reads weights
    // 64 g to 64 g + 63, and numbers 2 g and 2 g + 1 of each row.
    unsafe {
        let mut out = [[[_mm256_setzero_ps(); 2]; 2]; R];
        for tile in 0..2 {
            let mut total = [[_mm256_setzero_pd(); 4]; R];
            let mut w = weights.as_ptr().add(32 * tile);
            let mut begin = 0;
            loop {
                let end = groups.min(begin + GROUPS);
                let mut sums = [[_mm256_setzero_si256(); 2]; R];
                for g in begin..end {
                    if ahead && tile == 0 {
                        prefetch(w.wrapping_add(wide::AHEAD));
                    }
                    let w0 = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.cast()));
                    let w1 = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.add(16).cast()));
                    for r in 0..R {
                        let q = x[r].as_ptr().add(2 * g).cast::<i32>().read_unaligned();
                        let q = _mm256_set1_epi32(q);
                        sums[r][0] = _mm256_add_epi32(sums[r][0], _mm256_madd_epi16(q, w0));
                        sums[r][1] = _mm256_add_epi32(sums[r][1], _mm256_madd_epi16(q, w1));
                    }
                    w = w.wrapping_add(PAIR);
                }
                if groups <= GROUPS {
                    for r in 0..R {
                        out[r][tile] =
                            [_mm256_cvtepi32_ps(sums[r][0]), _mm256_cvtepi32_ps(sums[r][1])];
                    }
                    break;
                }
                for r in 0..R {
                    for half in 0..2 {
                        let low = _mm256_castsi256_si128(sums[r][half]);
                        let high = _mm256_extracti128_si256::<1>(sums[r][half]);
                        let to = &mut total[r][2 * half..][..2];
                        to[0] = _mm256_add_pd(to[0], _mm256_cvtepi32_pd(low));
                        to[1] = _mm256_add_pd(to[1], _mm256_cvtepi32_pd(high));
                    }
                }
                begin = end;
                if begin == groups {
                    for r in 0..R {
                        for half in 0..2 {
                            let low = _mm256_cvtpd_ps(total[r][2 * half]);
                            let high = _mm256_cvtpd_ps(total[r][2 * half + 1]);
                            out[r][tile][half] = _mm256_set_m128(high, low);
                        }
                    }
                    break;
                }
            }
        }
        out
    }
}

impl Isa for AvxVnni {
    type Vectors = Avx2;
    const LAYOUT: Layout = Layout { tile: 16, group: 4, offset: true };
    const BYTES: usize = 1;
    const ROWS: usize = 4;

    #[inline(always)]
    fn vectors(self) -> Avx2 {
        self.0
    }

    #[inline(always)]
    fn run<J: Job>(self, job: J) -> J::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt,avxvnni")]
        fn compiled<J: Job>(isa: AvxVnni, job: J) -> J::Output {
            job.run(isa)
        }
        // SAFETY: the processor has both, because a value of `AvxVnni` exists only then.
        unsafe { compiled(self, job) }
    }

    #[inline(always)]
    fn write(self, q: [__m256i; 2], to: &mut [u8]) {
        assert_eq!(to.len(), LANES);
        unsafe {
            let words = to_16(q);
            let bytes = _mm_packs_epi16(
                _mm256_castsi256_si128(words),
                _mm256_extracti128_si256::<1>(words),
            );
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm_xor_si128(bytes, _mm_set1_epi8(-128)));
        }
    }

    #[inline(always)]
    fn zero(self) -> u8 {
        128
    }

    #[inline(always)]
    fn dot16<const R: usize>(
        self,
        weights: &[i8],
        x: [&[i16]; R],
        ahead: bool,
    ) -> [[[__m256; 2]; 2]; R] {
        dot16(self.0, weights, x, ahead)
    }

    #[allow(clippy::needless_range_loop)] // loops over constant ranges are unrolled
    #[inline(always)]
    fn dot<const R: usize>(
        self,
        weights: &[i8],
        start: &[i32; BLOCK],
        x: [&[u8]; R],
        ahead: bool,
    ) -> [[[__m256; 2]; 2]; R] {
        let groups = weights.len() / (4 * BLOCK);
        for x in x {
            assert!(4 * groups <= x.len());
        }
        // SAFETY: group g of a tile reads its weights 64 g to 64 g + 63, and numbers 4 g to 4 g + 3
        // of each row.
        unsafe {
            let mut out = [[[_mm256_setzero_ps(); 2]; 2]; R];
            for tile in 0..2 {
                let start = start.as_ptr().add(16 * tile);
                let first =
                    [_mm256_loadu_si256(start.cast()), _mm256_loadu_si256(start.add(8).cast())];
                let mut sums = [first; R];
                let mut w = weights.as_ptr().add(64 * groups * tile);
                for g in 0..groups {
                    if ahead {
                        prefetch(w.wrapping_add(AHEAD));
                    }
                    let (w0, w1) =
                        (_mm256_loadu_si256(w.cast()), _mm256_loadu_si256(w.add(32).cast()));
                    for r in 0..R {
                        let q = _mm256_set1_epi32(
                            x[r].as_ptr().add(4 * g).cast::<i32>().read_unaligned(),
                        );
                        sums[r][0] = _mm256_dpbusd_avx_epi32(sums[r][0], q, w0);
                        sums[r][1] = _mm256_dpbusd_avx_epi32(sums[r][1], q, w1);
                    }
                    w = w.add(64);
                }
                for r in 0..R {
                    out[r][tile] = [_mm256_cvtepi32_ps(sums[r][0]), _mm256_cvtepi32_ps(sums[r][1])];
                }
            }
            out
        }
    }
}
