//! Sections 1 and 2: comparison, rounding, and the elementary functions made of them.

pub(super) const LOG2_E: f32 = f32::from_bits(0x3fb8_aa3b);
pub(super) const LN2_HIGH: f32 = f32::from_bits(0x3f31_8000);
pub(super) const LN2_LOW: f32 = f32::from_bits(0xb95e_8083);
pub(super) const C0: f32 = f32::from_bits(0x3f00_0000);
pub(super) const C1: f32 = f32::from_bits(0x3e2a_aa47);
pub(super) const C2: f32 = f32::from_bits(0x3d2a_aa2f);
pub(super) const C3: f32 = f32::from_bits(0x3c09_1dc9);
pub(super) const C4: f32 = f32::from_bits(0x3ab6_da3f);

/// 1.5 * 2^23: a number added to it loses its fraction, to nearest even, and comes out again by subtraction.
pub(super) const ROUNDER: f32 = 12_582_912.0;

/// `x` between `low` and `high`; a NaN becomes `low`.
#[inline]
pub fn clamp(x: f32, low: f32, high: f32) -> f32 {
    // The comparisons alone say so too, but compilers make them fmaxnm and fminnm on AArch64, and these give a
    // signalling NaN back as a quiet one. (No arithmetic makes a signalling NaN: only a test could bring one.)
    let x = if x.is_nan() { low } else { x };
    let t = if x > low { x } else { low };
    if t < high { t } else { high }
}

/// The larger number; `y` if either is a NaN.
#[inline]
pub fn max(x: f32, y: f32) -> f32 {
    if x > y { x } else { y }
}

/// The nearest integer, ties to even, of |x| <= 2^22.
///
/// By an addition and a subtraction, because `f32::round_ties_even` may be a call of the C library. A result of
/// zero is always +0.
#[inline]
pub fn round(x: f32) -> f32 {
    (x + ROUNDER) - ROUNDER
}

/// e^x for -86 <= x <= 86, relative error at most 1.3e-7; beyond, the value at the nearer end, for a NaN that of -86.
#[inline]
pub fn exp(x: f32) -> f32 {
    let x = clamp(x, -86.0, 86.0);
    let n = round(x * LOG2_E);
    let r = (x - n * LN2_HIGH) - n * LN2_LOW;
    let p = (((C4 * r + C3) * r + C2) * r + C1) * r + C0;
    // |n| <= 124, so the exponent is that of a normal number.
    let power = f32::from_bits(((n as i32 + 127) as u32) << 23);
    (((p * r) * r + r) + 1.0) * power
}

/// 1 / (1 + e^-x).
#[inline]
pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The hyperbolic tangent.
#[inline]
pub fn tanh(x: f32) -> f32 {
    1.0 - 2.0 / (exp(2.0 * x) + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn comparisons_have_one_result_for_nan() {
        assert_eq!(clamp(f32::NAN, -3.0, 5.0), -3.0);
        assert_eq!(clamp(f32::INFINITY, -3.0, 5.0), 5.0);
        assert_eq!(max(f32::NAN, 2.0), 2.0);
        assert!(max(2.0, f32::NAN).is_nan());
    }

    proptest! {
        #[test]
        fn round_goes_to_the_nearest_even(x in -4_194_304.0f32..=4_194_304.0, half in -1000i32..1000) {
            prop_assert_eq!(round(x), x.round_ties_even());
            let tie = half as f32 + 0.5;
            prop_assert_eq!(round(tie), tie.round_ties_even());
        }

        /// Against f64's functions, to the bounds that the text states.
        #[test]
        fn functions_are_what_they_are_called(x in -86.0f32..=86.0) {
            let exact = f64::from(x).exp();
            prop_assert!((f64::from(exp(x)) - exact).abs() <= 1.3e-7 * exact);
            prop_assert!((f64::from(tanh(x)) - f64::from(x).tanh()).abs() <= 2e-7);
            if x.abs() <= 80.0 {
                let exact = 1.0 / (1.0 + (-f64::from(x)).exp());
                prop_assert!((f64::from(sigmoid(x)) - exact).abs() <= 2.5e-7 * exact);
            }
        }
    }
}
