//! Weights of any shape, for tests and benchmarks that need no trained ones.

use std::convert::Infallible;

use super::config::Config;
use super::weights::{Matrix, Source, Weights};

impl Weights {
    /// Random weights whose activations stay of ordinary size, so that no part of the arithmetic idles or saturates.
    /// The same for the same shape and seed, on every machine.
    ///
    /// # Panics
    ///
    /// If [`Config::check`] refuses the shape.
    pub fn random(config: &Config, seed: u64) -> Self {
        config.check().expect("a shape that a model can have");
        let Ok(weights) = Self::from_source(config, &mut Generator(seed));
        weights
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
struct Generator(u64);

impl Generator {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From `low` to `high`.
    fn uniform(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * ((self.next() >> 40) as f32 / 16_777_216.0)
    }
}

impl Source for Generator {
    type Error = Infallible;

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, Infallible> {
        let last = name.rsplit('.').next().unwrap_or(name);
        let (low, high) = match last {
            "weight" => (0.5, 1.5),
            "x_r" | "x_w" | "x_k" | "x_v" | "x_a" | "x_g" => (0.0, 1.0),
            "w0" => (-6.0, 2.0), // from quick to slow decay
            _ => (-1.0, 1.0),
        };
        Ok((0..length).map(|_| self.uniform(low, high)).collect())
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, Infallible> {
        let weight = (0..outputs * inputs).map(|_| (self.next() % 255) as i16 as i8).map(|w| w.max(-127)).collect();
        // Uniform int8 have a standard deviation of 73: a product of inputs of size 1 has outputs of about that size.
        let size = if name == "emb" { 1.0 } else { 1.0 / (inputs as f32).sqrt() };
        let scale = (0..outputs).map(|_| self.uniform(0.7, 1.4) * size / 73.0).collect();
        Ok(Matrix { weight, scale, outputs, inputs })
    }
}
