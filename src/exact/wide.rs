//! Version 2 of the arithmetic, section 2.1: int16 activations, and their exact product with a
//! matrix of int8.

use super::fpstate::Exact;
use super::functions::{clamp, max, round};
use super::product::{Activations, LEAST, quantise};
use super::vectors::sum;

/// The largest quantised activation.
pub const LEVELS: f32 = 32_639.0;

/// Inputs that share a scale.
pub const GROUP: usize = 128;

/// A stored matrix: int8 in [-127, 127], and an f32 scale for each [`GROUP`] inputs of an output.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupedMatrix {
    /// `[outputs][inputs]`, row by row.
    pub weight: Vec<i8>,
    /// `[outputs][groups]`
    pub scale: Vec<f32>,
    pub outputs: usize,
    pub inputs: usize,
}

impl GroupedMatrix {
    /// Quantises the numbers of a matrix `[outputs][inputs]`, group by group.
    pub fn quantise(fp: Exact, values: &[f32], inputs: usize) -> Self {
        let mut out = Self::with_capacity(values.len() / inputs, inputs);
        out.push(fp, values);
        out
    }

    /// A matrix that has no outputs yet, with room for so many.
    pub fn with_capacity(outputs: usize, inputs: usize) -> Self {
        let weight = Vec::with_capacity(outputs * inputs);
        let scale = Vec::with_capacity(outputs * inputs.div_ceil(GROUP));
        Self { weight, scale, outputs: 0, inputs }
    }

    /// Quantises the numbers of further outputs, `[..][inputs]`.
    pub fn push(&mut self, fp: Exact, values: &[f32]) {
        for group in values.chunks(self.inputs).flat_map(|row| row.chunks(GROUP)) {
            let group = quantise(fp, group, Activations::Int8);
            self.weight.extend_from_slice(&group.low);
            self.scale.push(group.scale);
        }
        self.outputs += values.len() / self.inputs;
    }

    /// How many groups an output has.
    pub fn groups(&self) -> usize {
        self.inputs.div_ceil(GROUP)
    }

    /// The weights of one output, `[inputs]`.
    pub fn row(&self, output: usize) -> &[i8] {
        &self.weight[output * self.inputs..][..self.inputs]
    }

    /// The scales of one output, `[groups]`.
    pub fn scales(&self, output: usize) -> &[f32] {
        &self.scale[output * self.groups()..][..self.groups()]
    }
}

/// A vector in int16: element i stands for `numbers[i] * scale`.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantised16 {
    /// In [-32639, 32639].
    pub numbers: Vec<i16>,
    pub scale: f32,
}

/// Quantises a vector. NaNs are passed over in search of the largest element and become the lowest
/// value.
pub fn quantise16(fp: Exact, x: &[f32]) -> Quantised16 {
    let m = x.iter().fold(0.0, |m, x| max(fp, x.abs(), m));
    if m < LEAST {
        return Quantised16 { numbers: vec![0; x.len()], scale: 0.0 };
    }
    let factor = LEVELS / m;
    let number = |x: &f32| round(fp, clamp(fp, x * factor, -LEVELS, LEVELS)) as i16;
    Quantised16 { numbers: x.iter().map(number).collect(), scale: m / LEVELS }
}

/// The exact sum of products, converted once.
pub fn dot16(weights: impl IntoIterator<Item = i8>, x: &[i16]) -> f32 {
    weights.into_iter().zip(x).map(|(w, x)| i64::from(w) * i64::from(*x)).sum::<i64>() as f32
}

/// The product of a matrix with a vector `[inputs]`, which is quantised first. Gives `[outputs]`.
pub fn product16(fp: Exact, matrix: &GroupedMatrix, x: &[f32]) -> Vec<f32> {
    assert_eq!(x.len(), matrix.inputs, "the input has to fit the matrix");
    let q = quantise16(fp, x);
    let output = |o: usize| {
        let groups = matrix.row(o).chunks(GROUP).zip(q.numbers.chunks(GROUP));
        let mut total = 0.0;
        for ((weights, numbers), scale) in groups.zip(matrix.scales(o)) {
            total += dot16(weights.iter().copied(), numbers) * scale;
        }
        total * q.scale
    };
    (0..matrix.outputs).map(output).collect()
}

/// RMS norm (Zhang and Sennrich, 2019) of `x` with a weight, both `[D]`.
pub fn rms_norm(fp: Exact, x: &[f32], weight: &[f32], epsilon: f32) -> Vec<f32> {
    let v = sum(fp, x.iter().map(|x| x * x)) / x.len() as f32;
    let h = 1.0 / (v + epsilon).sqrt();
    x.iter().zip(weight).map(|(x, weight)| (x * h) * weight).collect()
}
