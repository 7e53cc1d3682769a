//! The vector arithmetic of the mixer: a plain kernel, which is the definition, and faster ones
//! that must give the same bits.

use crate::exact::fpstate::{Exact, exact};
#[cfg(target_arch = "x86_64")]
use crate::exact::kernel as choice;

/// Inputs of a mixer: the lanes of a vector.
pub const INPUTS: usize = 32;
/// Weight sets that are used at once.
pub const SETS: usize = 4;

/// Two cache lines of numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(64))]
pub struct Vector(pub [f32; INPUTS]);

/// How sums and products are computed. Products are rounded before they are added. A kernel exists
/// only in the standard floating-point state.
pub trait MixKernel: Copy {
    /// The proof of it.
    fn exact(&self) -> Exact<'_>;

    /// The sum of weights times inputs for each weight set, as a tree: lane i takes lane i + 16,
    /// then i + 8, i + 4, i + 2, i + 1.
    fn dot(self, weights: [&Vector; SETS], x: &Vector) -> [f32; SETS];

    /// Adds the inputs times `step` to a weight set.
    fn train(self, weights: &mut Vector, x: &Vector, step: f32);

    /// Rows become columns.
    fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16];

    /// A bit for each that is not 0.
    fn nonzero(self, x: &[u8; INPUTS]) -> u32;
}

/// Begins to load what will be needed soon, without waiting for it as a load would.
#[inline(always)]
pub fn prefetch<T>(place: &T) {
    crate::exact::kernel::prefetch(std::ptr::from_ref(place));
}

/// What a function gives for each lane: written out, so that it stays in registers.
#[rustfmt::skip]
#[inline(always)]
pub fn lanes<T>(f: impl Fn(usize) -> T) -> [T; INPUTS] {
    [
        f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7),
        f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15),
        f(16), f(17), f(18), f(19), f(20), f(21), f(22), f(23),
        f(24), f(25), f(26), f(27), f(28), f(29), f(30), f(31),
    ]
}

/// Something that is computed by a kernel. [`run`](Self::run) must be `#[inline(always)]`, so that
/// it is compiled for the processor that the kernel needs.
pub trait MixJob {
    type Output;
    fn run<K: MixKernel>(self, k: K) -> Self::Output;
}

/// Runs a job by the kernel of the instruction set that is chosen
/// ([`Kernel::chosen`](crate::exact::kernel::Kernel::chosen)), or the next simpler that there is
/// here, with the processor's floating-point arithmetic set as exactness needs it. The result is
/// the same.
pub fn run<J: MixJob>(job: J) -> J::Output {
    exact(|fp| {
        #[cfg(target_arch = "x86_64")]
        if let Some(avx2) =
            Avx2::get(fp).filter(|_| !matches!(choice::Kernel::chosen(), Ok(choice::Kernel::Plain)))
        {
            #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
            fn wide<J: MixJob>(job: J, k: Avx2<'_>) -> J::Output {
                job.run(k)
            }
            // SAFETY: the kernel exists only where the processor has AVX2 and the others.
            return unsafe { wide(job, avx2) };
        }
        job.run(Plain(fp))
    })
}

/// The definition.
#[derive(Clone, Copy)]
pub struct Plain<'gate>(Exact<'gate>);

impl MixKernel for Plain<'_> {
    fn exact(&self) -> Exact<'_> {
        self.0
    }

    #[inline(always)]
    fn dot(self, weights: [&Vector; SETS], x: &Vector) -> [f32; SETS] {
        weights.map(|w| {
            let mut lanes: [f32; INPUTS] = std::array::from_fn(|i| w.0[i] * x.0[i]);
            for width in [16, 8, 4, 2, 1] {
                for i in 0..width {
                    lanes[i] += lanes[i + width];
                }
            }
            lanes[0]
        })
    }

    #[inline(always)]
    fn train(self, weights: &mut Vector, x: &Vector, step: f32) {
        weights.0.iter_mut().zip(x.0).for_each(|(w, x)| *w += x * step);
    }

    #[inline(always)]
    fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16] {
        std::array::from_fn(|i| std::array::from_fn(|j| rows[j][i]))
    }

    #[inline(always)]
    fn nonzero(self, x: &[u8; INPUTS]) -> u32 {
        x.iter().rev().fold(0, |bits, x| bits << 1 | u32::from(*x != 0))
    }
}

#[cfg(target_arch = "x86_64")]
pub use x86::Avx2;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{INPUTS, MixKernel, SETS, Vector};
    use crate::exact::fpstate::Exact;

    /// 256-bit vectors. Only [`get`](Self::get) makes one, where the processor has them.
    #[derive(Clone, Copy)]
    pub struct Avx2<'gate>(Exact<'gate>);

    impl<'gate> Avx2<'gate> {
        pub fn get(fp: Exact<'gate>) -> Option<Self> {
            let all = is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("bmi1")
                && is_x86_feature_detected!("bmi2")
                && is_x86_feature_detected!("lzcnt")
                && is_x86_feature_detected!("popcnt");
            all.then_some(Self(fp))
        }
    }

    /// Weights times inputs, summed from 32 to 4 lanes.
    #[inline(always)]
    unsafe fn four_lanes(w: &Vector, x: [__m256; 4]) -> __m128 {
        // SAFETY: the caller has AVX2; each load is of 8 of a vector's 32 aligned numbers.
        unsafe {
            let w = w.0.as_ptr();
            let a = _mm256_mul_ps(_mm256_load_ps(w), x[0]);
            let b = _mm256_mul_ps(_mm256_load_ps(w.add(8)), x[1]);
            let c = _mm256_mul_ps(_mm256_load_ps(w.add(16)), x[2]);
            let d = _mm256_mul_ps(_mm256_load_ps(w.add(24)), x[3]);
            let sum = _mm256_add_ps(_mm256_add_ps(a, c), _mm256_add_ps(b, d));
            _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum))
        }
    }

    impl MixKernel for Avx2<'_> {
        fn exact(&self) -> Exact<'_> {
            self.0
        }

        #[inline(always)]
        fn dot(self, weights: [&Vector; SETS], x: &Vector) -> [f32; SETS] {
            // SAFETY: self exists only where AVX2 does; each load is of 8 of a vector's 32 aligned
            // numbers.
            unsafe {
                let p = x.0.as_ptr();
                let x = [
                    _mm256_load_ps(p),
                    _mm256_load_ps(p.add(8)),
                    _mm256_load_ps(p.add(16)),
                    _mm256_load_ps(p.add(24)),
                ];
                // No closures: what is not inlined is not compiled for AVX2.
                let [a, b, c, d] = weights;
                let (a, b) = (four_lanes(a, x), four_lanes(b, x));
                let (c, d) = (four_lanes(c, x), four_lanes(d, x));
                // Four sums of four lanes: transposed, so that lanes become rows.
                let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
                let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
                let (r0, r1) = (_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
                let (r2, r3) = (_mm_movelh_ps(ab_high, cd_high), _mm_movehl_ps(cd_high, ab_high));
                let sums = _mm_add_ps(_mm_add_ps(r0, r2), _mm_add_ps(r1, r3));
                let mut out = [0.0; SETS];
                _mm_storeu_ps(out.as_mut_ptr(), sums);
                out
            }
        }

        #[inline(always)]
        fn train(self, weights: &mut Vector, x: &Vector, step: f32) {
            // SAFETY: self exists only where AVX2 does; each access is to 8 of a vector's 32
            // aligned numbers.
            unsafe {
                let step = _mm256_set1_ps(step);
                let (w, x) = (weights.0.as_mut_ptr(), x.0.as_ptr());
                for i in [0, 8, 16, 24] {
                    let add = _mm256_mul_ps(_mm256_load_ps(x.add(i)), step);
                    _mm256_store_ps(w.add(i), _mm256_add_ps(_mm256_load_ps(w.add(i)), add));
                }
            }
        }

        #[inline(always)]
        fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16] {
            // SAFETY: self exists only where AVX2 does; a row has the bytes of a vector.
            unsafe {
                let mut a = [_mm_setzero_si128(); 16];
                for i in 0..16 {
                    a[i] = _mm_loadu_si128(rows[i].as_ptr().cast());
                }
                // Each round interleaves the first half with the second; after four, rows are
                // columns.
                for _ in 0..4 {
                    let before = a;
                    for i in 0..8 {
                        a[2 * i] = _mm_unpacklo_epi8(before[i], before[i + 8]);
                        a[2 * i + 1] = _mm_unpackhi_epi8(before[i], before[i + 8]);
                    }
                }
                let mut out = [[0; 16]; 16];
                for i in 0..16 {
                    _mm_storeu_si128(out[i].as_mut_ptr().cast(), a[i]);
                }
                out
            }
        }

        #[inline(always)]
        fn nonzero(self, x: &[u8; INPUTS]) -> u32 {
            // SAFETY: self exists only where AVX2 does; 16 bytes are loaded.
            unsafe {
                let x = _mm256_loadu_si256(x.as_ptr().cast());
                let zeros = _mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_setzero_si256()));
                !zeros as u32
            }
        }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn kernels_agree(
            values in prop::collection::vec(-12.0f32..12.0, 5 * INPUTS),
            step in -1.0f32..1.0,
        ) {
            exact(|fp| {
                let Some(avx2) = Avx2::get(fp) else { return Ok(()) };
                let plain = Plain(fp);
                let chunks = values.as_chunks::<INPUTS>().0;
                let v: Vec<Vector> = chunks.iter().map(|v| Vector(*v)).collect();
                let weights = [&v[0], &v[1], &v[2], &v[3]];
                let bits = |x: [f32; SETS]| x.map(f32::to_bits);
                prop_assert_eq!(bits(plain.dot(weights, &v[4])), bits(avx2.dot(weights, &v[4])));
                let (mut a, mut b) = (v[0], v[0]);
                plain.train(&mut a, &v[4], step);
                avx2.train(&mut b, &v[4], step);
                prop_assert_eq!(a.0.map(f32::to_bits), b.0.map(f32::to_bits));
                let low = |i: usize| values[i].to_bits() as u8 & 3;
                let row = |i: usize| std::array::from_fn(|j| low(i + j));
                let rows: [[u8; 16]; 16] = std::array::from_fn(row);
                prop_assert_eq!(plain.transpose(&rows), avx2.transpose(&rows));
                let bytes: [u8; INPUTS] = std::array::from_fn(low);
                prop_assert_eq!(plain.nonzero(&bytes), avx2.nonzero(&bytes));
                Ok(())
            })?;
        }
    }
}
