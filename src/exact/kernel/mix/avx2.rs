//! AVX2, also for processors with AVX-512 (`Kernel::run_vectors` says why).

use std::arch::x86_64::*;

use super::{MixVectors, sse};
use crate::exact::kernel::avx2::Avx2;

// SAFETY of all that is unsafe below: the processor has the instructions, because a value of `Avx2`
// exists only then; and they touch memory only through references to what they read or write whole.
impl MixVectors for Avx2 {
    #[inline(always)]
    fn sums(self, [a, b, c, d]: [Self::V; 4]) -> [f32; 4] {
        unsafe { sse::sums([four(a), four(b), four(c), four(d)]) }
    }

    #[inline(always)]
    fn transpose(self, rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16] {
        unsafe { sse::transpose(rows) }
    }

    #[inline(always)]
    fn nonzero(self, x: &[u8; 32]) -> u32 {
        unsafe {
            let x = _mm256_loadu_si256(x.as_ptr().cast());
            let zeros = _mm256_movemask_epi8(_mm256_cmpeq_epi8(x, _mm256_setzero_si256()));
            !zeros as u32
        }
    }
}

/// The tree of a vector down to four lanes.
///
/// # Safety
///
/// The processor has AVX2.
#[inline(always)]
unsafe fn four(x: [__m256; 2]) -> __m128 {
    unsafe { sse::four(_mm256_add_ps(x[0], x[1])) }
}
