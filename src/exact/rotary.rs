//! Version 2 of the arithmetic, sections 2.2 and 2.6: rotary positions (Su and others, 2021), in binary64.
//!
//! Only `+ - * /`, comparison and conversion of f64 are used, in the order that stands here, so the
//! numbers are the same on every machine, to the bit. Their error is far below what f32 shows.

use super::fpstate::Exact;

/// The natural logarithm of 2, in two parts: products of the first with numbers below 2^20 are
/// exact.
const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);
/// A quarter of the circle likewise, for numbers below 2^26; and its inverse.
const QUARTER_HIGH: f64 = f64::from_bits(0x3ff9_21fb_5000_0000);
const QUARTER_LOW: f64 = f64::from_bits(0x3e51_10b4_611a_6263);
const QUARTERS: f64 = f64::from_bits(0x3fe4_5f30_6dc9_c883);

/// The largest angle, in radians.
pub const LARGEST: f64 = 67_108_864.0;

/// The natural logarithm of a normal number above 0.
fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i32 - 1023;
    let mut m = f64::from_bits(bits & 0x000f_ffff_ffff_ffff | 0x3ff0_0000_0000_0000);
    if m > 1.5 {
        m *= 0.5;
        exponent += 1;
    }
    let z = (m - 1.0) / (m + 1.0);
    let square = z * z;
    // The series of the inverse hyperbolic tangent; |z| is at most 0.2.
    let mut series = 0.0;
    let mut n = 25.0;
    while n > 0.0 {
        series = series * square + 1.0 / n;
        n -= 2.0;
    }
    let e = f64::from(exponent);
    e * LN2_HIGH + (e * LN2_LOW + 2.0 * z * series)
}

/// e^x for -700 <= x <= 0.
fn exp(x: f64) -> f64 {
    // The nearest integer: the conversion cuts towards 0, and x is not above it.
    let n = (x / (LN2_HIGH + LN2_LOW) - 0.5) as i64;
    let r = (x - n as f64 * LN2_HIGH) - n as f64 * LN2_LOW;
    // Taylor's series; |r| is at most 0.35.
    let mut series = 1.0;
    let mut k = 16.0;
    while k > 0.0 {
        series = series * r / k + 1.0;
        k -= 1.0;
    }
    series * f64::from_bits(((n + 1023) as u64) << 52)
}

/// The frequencies of the pairs of a head, `[size / 2]`: `theta^(-2 i / size)`.
pub fn frequencies(_: Exact, theta: f64, size: usize) -> Vec<f64> {
    let log = ln(theta);
    (0..size / 2).map(|i| exp(-((2 * i) as f64 / size as f64 * log))).collect()
}

/// Frequencies for more positions than a model was first trained on, as Llama 3.1 has them: slow
/// turns are slowed down by a factor, quick ones are not, and between wave lengths of
/// `original / low` and `original / high` positions it is something in between.
pub fn stretched(
    _: Exact,
    frequencies: &[f64],
    factor: f64,
    [low, high]: [f64; 2],
    original: f64,
) -> Vec<f64> {
    const CIRCLE: f64 = f64::from_bits(0x4019_21fb_5444_2d18);
    let stretch = |f: &f64| {
        let length = CIRCLE / f;
        if length < original / high {
            *f
        } else if length > original / low {
            f / factor
        } else {
            let share = (original / length - low) / (high - low);
            (1.0 - share) * f / factor + share * f
        }
    };
    frequencies.iter().map(stretch).collect()
}

/// Cosine and sine of an angle from 0 to [`LARGEST`], rounded to f32.
pub fn turn(_: Exact, angle: f64) -> [f32; 2] {
    let n = (angle * QUARTERS + 0.5) as i64;
    let r = (angle - n as f64 * QUARTER_HIGH) - n as f64 * QUARTER_LOW;
    let square = r * r;
    // Taylor's series of both; |r| is at most 0.79.
    let (mut sine, mut cosine) = (1.0, 1.0);
    let mut k = 16.0;
    while k > 0.0 {
        cosine = 1.0 - cosine * square / (k * (k - 1.0));
        sine = 1.0 - sine * square / ((k + 1.0) * k);
        k -= 2.0;
    }
    sine *= r;
    let [cosine, sine] = match n & 3 {
        0 => [cosine, sine],
        1 => [-sine, cosine],
        2 => [-cosine, -sine],
        _ => [sine, -cosine],
    };
    [cosine as f32, sine as f32]
}

#[cfg(test)]
mod tests {
    use super::super::fpstate::exact;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn functions_are_what_they_are_called(
            theta in 1f64..1e8, half in 1usize..200, angle in 0f64..LARGEST,
        ) {
            exact(|fp| {
                for (i, found) in frequencies(fp, theta, 2 * half).into_iter().enumerate() {
                    let expected = theta.powf(-(i as f64) / half as f64);
                    prop_assert!((found / expected - 1.0).abs() < 1e-12, "{i}: {found} {expected}");
                }
                let [cosine, sine] = turn(fp, angle).map(f64::from);
                prop_assert!((cosine - angle.cos()).abs() < 6e-8, "{cosine} {}", angle.cos());
                prop_assert!((sine - angle.sin()).abs() < 6e-8, "{sine} {}", angle.sin());
                Ok(())
            })?;
        }
    }

    #[test]
    fn the_first_pair_turns_by_one() {
        exact(|fp| {
            assert_eq!(frequencies(fp, 10_000.0, 64)[0], 1.0);
            assert_eq!(turn(fp, 0.0), [1.0, 0.0]);
        });
    }
}
