//! Sections 1 and 2: comparison, rounding, and the elementary functions made of them.

use super::fpstate::Exact;

pub(super) const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
pub(super) const LN2_HIGH: f32 = f32::from_bits(0x3f31_8000);
pub(super) const LN2_LOW: f32 = f32::from_bits(0xb95e_8083);
pub(super) const C0: f32 = f32::from_bits(0x3f00_0000);
pub(super) const C1: f32 = f32::from_bits(0x3e2a_aa47);
pub(super) const C2: f32 = f32::from_bits(0x3d2a_aa2f);
pub(super) const C3: f32 = f32::from_bits(0x3c09_1dc9);
pub(super) const C4: f32 = f32::from_bits(0x3ab6_da3f);

/// 1.5 * 2^23: a number added to it loses its fraction, to nearest even, and comes out again by
/// subtraction.
pub(super) const ROUNDER: f32 = 12_582_912.0;

/// `x` between `low` and `high`; a NaN becomes `low`.
#[inline]
pub fn clamp(_: Exact, x: f32, low: f32, high: f32) -> f32 {
    // The comparisons alone say so too, but compilers make them fmaxnm and fminnm on AArch64, and
    // these give a signalling NaN back as a quiet one. (No arithmetic makes a signalling NaN: only
    // a test could bring one.)
    let x = if x.is_nan() { low } else { x };
    let t = if x > low { x } else { low };
    if t < high { t } else { high }
}

/// The larger number; `y` if either is a NaN.
#[inline]
pub fn max(_: Exact, x: f32, y: f32) -> f32 {
    larger(x, y)
}

/// [`max`], for the kernels, which are run in the standard state.
#[inline]
pub(super) fn larger(x: f32, y: f32) -> f32 {
    if x > y { x } else { y }
}

/// The nearest integer, ties to even, of |x| <= 2^22.
///
/// By an addition and a subtraction, because `f32::round_ties_even` may be a call of the C library.
/// A result of zero is always +0.
#[inline]
pub fn round(_: Exact, x: f32) -> f32 {
    (x + ROUNDER) - ROUNDER
}

/// e^x for -86 <= x <= 86, relative error at most 1.3e-7; beyond, the value at the nearer end, for
/// a NaN that of -86.
#[inline]
pub fn exp(fp: Exact, x: f32) -> f32 {
    let x = clamp(fp, x, -86.0, 86.0);
    let n = round(fp, x * LOG2_E);
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let p = (((C4 * r + C3) * r + C2) * r + C1) * r + C0;
    // |n| <= 124, so the exponent is that of a normal number.
    let power = f32::from_bits(((n as i32 + 127) as u32) << 23);
    (((p * r) * r + r) + 1.0) * power
}

/// 1 / (1 + e^-x).
#[inline]
pub fn sigmoid(fp: Exact, x: f32) -> f32 {
    1.0 / (1.0 + exp(fp, -x))
}

/// The hyperbolic tangent.
#[inline]
pub fn tanh(fp: Exact, x: f32) -> f32 {
    1.0 - 2.0 / (exp(fp, 2.0 * x) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::super::fpstate::exact;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comparisons_have_one_result_for_nan() {
        exact(|fp| {
            assert_eq!(clamp(fp, f32::NAN, -3.0, 5.0), -3.0);
            assert_eq!(clamp(fp, f32::INFINITY, -3.0, 5.0), 5.0);
            assert_eq!(max(fp, f32::NAN, 2.0), 2.0);
            assert!(max(fp, 2.0, f32::NAN).is_nan());
        });
    }

    proptest! {
        #[test]
        fn round_goes_to_the_nearest_even(x in -4_194_304.0f32..=4_194_304.0, half in -1000i32..1000) {
            let tie = half as f32 + 0.5;
            let rounded = exact(|fp| [x, tie].map(|x| round(fp, x)));
            prop_assert_eq!(rounded, [x, tie].map(f32::round_ties_even));
        }

        /// Against f64's functions, to the bounds that the text states.
        #[test]
        fn functions_are_what_they_are_called(x in -86.0f32..=86.0) {
            let [exp, tanh, sigmoid] = exact(|fp| [exp(fp, x), tanh(fp, x), sigmoid(fp, x)].map(f64::from));
            let true_exp = f64::from(x).exp();
            prop_assert!((exp - true_exp).abs() <= 1.3e-7 * true_exp);
            prop_assert!((tanh - f64::from(x).tanh()).abs() <= 2e-7);
            if x.abs() <= 80.0 {
                let true_sigmoid = 1.0 / (1.0 + (-f64::from(x)).exp());
                prop_assert!((sigmoid - true_sigmoid).abs() <= 2.5e-7 * true_sigmoid);
            }
        }
    }
}
