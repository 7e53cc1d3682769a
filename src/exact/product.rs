//! Section 3: quantisation of a vector, and its product with a matrix of int8.

use std::fmt;

use super::fpstate::Exact;
use super::functions::{clamp, max, round};

/// The longest input of a product: its integer sums stay within i32.
pub const LONGEST_INPUT: usize = 1 << 17;

/// 2^-100: a vector whose largest element is below is taken as zero.
pub(crate) const LEAST: f32 = f32::from_bits(0x0d80_0000);

/// A stored matrix: int8 in [-127, 127] and an f32 scale for each output.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// `[outputs][inputs]`, row by row.
    pub weight: Vec<i8>,
    /// `[outputs]`
    pub scale: Vec<f32>,
    pub outputs: usize,
    /// At most [`LONGEST_INPUT`].
    pub inputs: usize,
}

impl Matrix {
    /// The weights of one output, `[inputs]`.
    pub fn row(&self, output: usize) -> &[i8] {
        &self.weight[output * self.inputs..][..self.inputs]
    }
}

/// How the input of a product is quantised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activations {
    /// One plane of int8.
    Int8,
    /// Two planes of int8, `256 * high + low`: for models whose activations have large outliers.
    Int16,
}

impl fmt::Display for Activations {
    /// Writes the name that `config.json` has.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Int8 => "int8",
            Self::Int16 => "int16",
        })
    }
}

impl Activations {
    /// The largest quantised value. For two planes 256 * 127 + 127, so that the high one never
    /// needs 128.
    pub const fn levels(self) -> f32 {
        match self {
            Self::Int8 => 127.0,
            Self::Int16 => 32_639.0,
        }
    }
}

/// A quantised vector; element i stands for `(256 * high[i] + low[i]) * scale`, without `high` for
/// `low[i] * scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantised {
    /// In [-127, 127] alone, in [-128, 127] below a high plane.
    pub low: Vec<i8>,
    /// In [-127, 127]; only of [`Activations::Int16`].
    pub high: Option<Vec<i8>>,
    pub scale: f32,
}

/// Quantises a vector. NaNs are passed over in search of the largest element and become the lowest
/// value.
pub fn quantise(fp: Exact, x: &[f32], activations: Activations) -> Quantised {
    let levels = activations.levels();
    let m = x.iter().fold(0.0, |m, x| max(fp, x.abs(), m));
    let (scale, factor) = if m < LEAST { (0.0, 0.0) } else { (m / levels, levels / m) };
    let q = x.iter().map(|x| {
        if m < LEAST { 0 } else { round(fp, clamp(fp, x * factor, -levels, levels)) as i32 }
    });
    match activations {
        Activations::Int8 => Quantised { low: q.map(|q| q as i8).collect(), high: None, scale },
        Activations::Int16 => {
            // The low byte with its sign, and what is left.
            let (low, high) = q.map(|q| (q as i8, ((q - i32::from(q as i8)) / 256) as i8)).unzip();
            Quantised { low, high: Some(high), scale }
        }
    }
}

/// The product of a matrix with a vector `[inputs]`, which is quantised first. Gives `[outputs]`.
pub fn product(fp: Exact, matrix: &Matrix, x: &[f32], activations: Activations) -> Vec<f32> {
    assert_eq!(x.len(), matrix.inputs, "the input has to fit the matrix");
    let x = quantise(fp, x, activations);
    let dot = |row: &[i8], q: &[i8]| {
        row.iter().zip(q).map(|(w, q)| i32::from(*w) * i32::from(*q)).sum::<i32>() as f32
    };
    let output = |o: usize| {
        let row = matrix.row(o);
        let total = match &x.high {
            None => dot(row, &x.low),
            Some(high) => dot(row, high) * 256.0 + dot(row, &x.low),
        };
        (total * x.scale) * matrix.scale[o]
    };
    (0..matrix.outputs).map(output).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fpstate::exact;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_not_finite_has_one_result() {
        let quantise = |x: &[f32], activations| exact(|fp| quantise(fp, x, activations));
        let q = quantise(&[f32::NAN, 2.0, -4.0], Activations::Int8);
        assert_eq!((q.low, q.scale), (vec![-127, 64, -127], 4.0 / 127.0));
        let q = quantise(&[f32::NAN, f32::INFINITY, 1.0], Activations::Int8);
        assert_eq!((q.low, q.scale), (vec![-127, -127, 0], f32::INFINITY));
        let q = quantise(&[f32::NAN, f32::NAN], Activations::Int8);
        assert_eq!((q.low, q.scale), (vec![0, 0], 0.0));
    }

    #[test]
    fn integer_sums_of_the_longest_input_do_not_overflow() {
        let inputs = LONGEST_INPUT;
        let matrix = Matrix { weight: vec![-127; inputs], scale: vec![1.0], outputs: 1, inputs };
        // The value whose low plane is -128 throughout: 32,640 - 256 = 126 * 256 + 128 = 127 * 256
        // - 128.
        let mut x = vec![32_384.0; inputs];
        x[0] = 32_639.0;
        let q = exact(|fp| quantise(fp, &x, Activations::Int16));
        assert_eq!((q.low[1], q.high.as_ref().unwrap()[1], q.scale), (-128, 127, 1.0));
        let y = exact(|fp| product(fp, &matrix, &x, Activations::Int16));
        let true_sum = -127.0 * (32_639.0 + 32_384.0 * (inputs as f64 - 1.0));
        assert!((f64::from(y[0]) / true_sum - 1.0).abs() < 1e-6, "{} {true_sum}", y[0]);
    }

    proptest! {
        /// Both planes together are the rounded value, and it is within half a step of the input;
        /// the factor's own rounding, a few times 2^-24 of up to 32,639 levels, is the rest.
        #[test]
        fn quantised_values_are_near(x in prop::collection::vec(-1e3f32..1e3, 1..70)) {
            for activations in [Activations::Int8, Activations::Int16] {
                let q = exact(|fp| quantise(fp, &x, activations));
                for (i, x) in x.iter().enumerate() {
                    let high = q.high.as_ref().map_or(0, |h| i32::from(h[i]));
                    let value = f64::from(256 * high + i32::from(q.low[i]));
                    let (scale, x) = (f64::from(q.scale), f64::from(*x));
                    prop_assert!(value.abs() <= f64::from(activations.levels()));
                    prop_assert!((value * scale - x).abs() <= 0.51 * scale, "{x} {value} {scale}");
                }
            }
        }
    }
}
