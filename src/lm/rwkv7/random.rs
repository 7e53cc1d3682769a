//! Weights of any shape, for tests and benchmarks that need no trained ones.

use std::convert::Infallible;

use super::config::Config;
use super::weights::{Matrix, Source, Weights};
use crate::exact::fpstate::{self, Exact};
use crate::lm::random::Random;

impl Weights {
    /// Random weights whose activations stay of ordinary size, so that no part of the arithmetic
    /// idles or saturates. A shape and a seed give equal weights on every machine.
    ///
    /// # Panics
    ///
    /// If [`Config::check`] refuses the shape.
    pub fn random(config: &Config, seed: u64) -> Self {
        config.check().expect("a shape that a model can have");
        let Ok(weights) =
            fpstate::exact(|fp| Self::from_source(config, &mut Generator(fp, Random::new(seed))));
        weights
    }
}

struct Generator<'a>(Exact<'a>, Random);

impl Source for Generator<'_> {
    type Matrix = Matrix;
    type Error = Infallible;

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, Infallible> {
        let last = name.rsplit('.').next().unwrap_or(name);
        let (low, high) = match last {
            "weight" => (0.5, 1.5),
            "x_r" | "x_w" | "x_k" | "x_v" | "x_a" | "x_g" => (0.0, 1.0),
            "w0" => (-6.0, 2.0), // from quick to slow decay
            _ => (-1.0, 1.0),
        };
        Ok((0..length).map(|_| self.1.uniform(low, high)).collect())
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, Infallible> {
        let weight = (0..outputs * inputs)
            .map(|_| (self.1.next() % 255) as i16 as i8)
            .map(|w| w.max(-127))
            .collect();
        // Uniform int8 have a standard deviation of 73: a product of inputs of size 1 has outputs
        // of about that size.
        let size = if name == "emb" { 1.0 } else { 1.0 / (inputs as f32).sqrt() };
        let scale = (0..outputs).map(|_| self.1.uniform(0.7, 1.4) * size / 73.0).collect();
        Ok(Matrix { weight, scale, outputs, inputs })
    }
}

#[cfg(test)]
mod tests {
    use super::super::Oracle;
    use super::*;
    use crate::exact::Activations;

    /// Odd shapes among them: one layer, ranks that are no multiple of 16, the checkpoints' head
    /// size, 16 bits.
    #[test]
    fn random_models_are_alive() {
        let shapes = [
            Config::new(2, 64, 300),
            Config::new(1, 32, 257),
            Config { head_size: 64, ..Config::new(2, 128, 300) },
            Config {
                head_size: 20,
                decay_rank: 7,
                a_rank: 1,
                v_rank: 5,
                gate_rank: 33,
                ..Config::new(3, 60, 300)
            },
            Config {
                activations: Activations::Int16,
                intermediate: 100,
                ..Config::new(2, 64, 300)
            },
        ];
        for config in shapes {
            let weights = Weights::random(&config, 1);
            assert!(
                weights == Weights::random(&config, 1) && weights != Weights::random(&config, 2)
            );
            assert!(weights.tensors().iter().all(|(_, tensor)| !tensor.is_empty()));
            let mut oracle = Oracle::new(&weights);
            let mut last = Vec::new();
            for token in [0, 5, 256, 5, 5] {
                let logits = oracle.step(token);
                let most = logits.iter().fold(0.0f32, |most, x| most.max(x.abs()));
                assert!(
                    logits.iter().all(|x| x.is_finite()) && (0.1..100.0).contains(&most),
                    "{config:?}: {most}"
                );
                assert_ne!(logits, last, "{config:?}: the state counts");
                last = logits;
            }
            // The state is finite and moves, and a document's beginning clears it.
            assert!(
                oracle
                    .state
                    .layers
                    .iter()
                    .all(|l| l.s.iter().all(|s| s.is_finite() && s.abs() < 1e4))
            );
            let first = Oracle::new(&weights).step(0);
            assert_eq!(oracle.step(0), first);
        }
    }
}
