//! Section 3: sums of vectors and the layer norm.

use super::fpstate::Exact;

/// Lanes that a sum is spread over.
pub const LANES: usize = 16;

/// The epsilon of a layer norm, 1e-5.
pub(crate) const EPSILON: f32 = f32::from_bits(0x3727_c5ac);

/// The sum of a vector: element i goes to lane i mod 16, in order; then the lanes are added as a
/// tree of 8, 4, 2, 1.
pub fn sum(_: Exact, x: impl IntoIterator<Item = f32>) -> f32 {
    let mut lanes = [0.0; LANES];
    for (i, x) in x.into_iter().enumerate() {
        lanes[i % LANES] += x;
    }
    for width in [8, 4, 2, 1] {
        for i in 0..width {
            lanes[i] += lanes[i + width];
        }
    }
    lanes[0]
}

/// Layer norm (Ba and others, 2016) of `x`, with weight and bias, all `[D]`.
pub fn layer_norm(fp: Exact, x: &[f32], weight: &[f32], bias: &[f32]) -> Vec<f32> {
    let length = x.len() as f32;
    let mean = sum(fp, x.iter().copied()) / length;
    let d: Vec<f32> = x.iter().map(|x| x - mean).collect();
    let v = sum(fp, d.iter().map(|d| d * d)) / length;
    let h = 1.0 / (v + EPSILON).sqrt();
    d.iter().zip(weight).zip(bias).map(|((d, weight), bias)| (d * h) * weight + bias).collect()
}
