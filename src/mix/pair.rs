//! What two predictions of a bit are worth together: a mixer of two inputs, by which an encoder
//! estimates what context mixing and a language model would make of a text, from what each of them
//! says of it alone.

use super::logistic::{self, Tables, UNIT};
use crate::exact::fpstate::Exact;

/// How fast weights learn.
const RATE: f32 = 0.01;
/// What the weights of the first and of the second input begin as.
const BEGIN: [f32; 2] = [0.4, 0.65];

/// A mixer of two inputs, with as many weight sets as it has contexts.
pub struct Pair<const SETS: usize> {
    tables: &'static Tables,
    weights: [[f32; 2]; SETS],
}

impl<const SETS: usize> Pair<SETS> {
    pub fn new(fp: Exact) -> Self {
        Self { tables: Tables::get(fp), weights: [BEGIN; SETS] }
    }

    /// The probability of a one by two probabilities, all in units of 2^-16 and neither 0 nor 1.
    /// Then learns that `bit` came.
    pub fn mix(&mut self, _: Exact, set: usize, ps: [u16; 2], bit: bool) -> u16 {
        let x = ps.map(|p| f32::from(self.tables.stretch(p)) * (1.0 / UNIT));
        let weights = &mut self.weights[set];
        let p = self.tables.squash(logistic::clamp(x[0] * weights[0] + x[1] * weights[1]));
        let wrong = (f32::from(u8::from(bit)) - p) * RATE;
        for (weight, x) in weights.iter_mut().zip(x) {
            *weight += wrong * x;
        }
        logistic::nearest(p * 65536.0).clamp(1, 65535) as u16
    }
}
