//! Weights of any shape, for tests and benchmarks that need no trained ones.

use std::convert::Infallible;

use super::config::{Config, Gate};
use super::weights::{Source, Weights};
use crate::exact::fpstate;
use crate::exact::rotary::frequencies;
use crate::lm::random::Random;

impl Config {
    /// A shape of Llama's kind, with two query heads for each head of keys, heads of 32 channels
    /// and an inner part of 2 D.
    pub fn new(layers: usize, hidden: usize, vocab: usize) -> Self {
        let rotary = fpstate::exact(|fp| frequencies(fp, 10_000.0, 32));
        Self {
            hidden,
            intermediate: 2 * hidden,
            heads: hidden / 32,
            kv_heads: hidden / 64,
            head_size: 32,
            vocab,
            absent: Vec::new(),
            epsilon: 1e-5,
            gate: Gate::Silu,
            embedding_scale: 1.0,
            query_scale: 0.2,
            score_cap: None,
            logit_cap: None,
            head_norms: false,
            post_norms: false,
            bias: false,
            output_bias: false,
            tied: true,
            local: vec![false; layers],
            window: 16,
            rotary: [rotary.clone(), rotary],
            longest: 2048,
        }
    }
}

impl Weights {
    /// Random weights whose activations stay of ordinary size. A shape and a seed give equal
    /// weights on every machine.
    ///
    /// # Panics
    ///
    /// If [`Config::check`] refuses the shape.
    pub fn random(config: &Config, seed: u64) -> Self {
        config.check().expect("a shape that a model can have");
        let Ok(weights) =
            fpstate::exact(|fp| Self::from_source(fp, config, &mut Numbers(Random::new(seed))));
        weights
    }
}

/// Numbers of ordinary size, whatever tensor they are for.
struct Numbers(Random);

impl Source for Numbers {
    type Error = Infallible;

    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Infallible> {
        let mut uniform = |low, high| self.0.uniform(low, high);
        Ok(match *shape {
            // A product of inputs of size 1 has outputs of size 1; logits are larger.
            [outputs, inputs] => {
                let size = if name == "embed_tokens" || name == "lm_head" { 6.0 } else { 1.7 };
                let most = size / (inputs as f32).sqrt();
                (0..outputs * inputs).map(|_| uniform(-most, most)).collect()
            }
            _ => {
                let (low, high) = if name.ends_with("bias") { (-1.0, 1.0) } else { (0.5, 1.5) };
                (0..shape.iter().product()).map(|_| uniform(low, high)).collect()
            }
        })
    }
}
