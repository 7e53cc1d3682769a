//! What AVX2 does in registers of 128 bits.

use std::arch::x86_64::*;

/// The tree of eight lanes down to four.
///
/// # Safety
///
/// The processor has AVX.
#[inline(always)]
pub unsafe fn four(x: __m256) -> __m128 {
    unsafe { _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x)) }
}

/// The trees of four lanes each: transposed, so that lanes become rows.
///
/// # Safety
///
/// None beyond that of x86-64, whose processors all have SSE2.
#[inline(always)]
pub unsafe fn sums([a, b, c, d]: [__m128; 4]) -> [f32; 4] {
    unsafe {
        let (ab, cd) = (_mm_unpacklo_ps(a, b), _mm_unpacklo_ps(c, d));
        let (ab_high, cd_high) = (_mm_unpackhi_ps(a, b), _mm_unpackhi_ps(c, d));
        let (r0, r1) = (_mm_movelh_ps(ab, cd), _mm_movehl_ps(cd, ab));
        let (r2, r3) = (_mm_movelh_ps(ab_high, cd_high), _mm_movehl_ps(cd_high, ab_high));
        let sums = _mm_add_ps(_mm_add_ps(r0, r2), _mm_add_ps(r1, r3));
        let mut out = [0.0; 4];
        _mm_storeu_ps(out.as_mut_ptr(), sums);
        out
    }
}

/// Rows become columns. Each round interleaves the first half with the second; after four, rows are
/// columns.
///
/// # Safety
///
/// None beyond that of x86-64, whose processors all have SSE2.
#[inline(always)]
pub unsafe fn transpose(rows: &[[u8; 16]; 16]) -> [[u8; 16]; 16] {
    // SAFETY: a row has the bytes of a register.
    unsafe {
        let mut a = [_mm_setzero_si128(); 16];
        for i in 0..16 {
            a[i] = _mm_loadu_si128(rows[i].as_ptr().cast());
        }
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
