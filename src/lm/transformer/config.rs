//! The shape of a transformer.

use super::ring::{Ring, SINKS};
use crate::exact::LONGEST_INPUT;
use crate::lm::rwkv7::ModelError;
use crate::vocab::Token;

/// What the inner part of a layer multiplies its inputs by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// `x sigmoid(x)`
    Silu,
    /// The approximation of GELU by a hyperbolic tangent.
    Gelu,
}

/// What a transformer with rotary positions is made of, beside its tensors. Symbols are those of
/// docs/ARITHMETIC.md, version 2.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Channels, D.
    pub hidden: usize,
    /// Channels of the inner part.
    pub intermediate: usize,
    /// Heads of queries, H.
    pub heads: usize,
    /// Heads of keys and values, which divide those of queries into groups.
    pub kv_heads: usize,
    /// Channels of a head, N.
    pub head_size: usize,
    /// Tokens, V.
    pub vocab: usize,
    /// Tokens that the model lacks, which get the least frequency: bytes that its tokenizer never
    /// gives, so that any text can be written.
    pub absent: Vec<Token>,
    /// What the norms add to the mean square.
    pub epsilon: f32,
    pub gate: Gate,
    /// What embeddings are multiplied by.
    pub embedding_scale: f32,
    /// What scores are multiplied by.
    pub query_scale: f32,
    /// Scores and logits become `cap tanh(x / cap)`.
    pub score_cap: Option<f32>,
    pub logit_cap: Option<f32>,
    /// Whether queries and keys are normed, head by head.
    pub head_norms: bool,
    /// Whether attention and inner part are followed by a norm.
    pub post_norms: bool,
    /// Whether queries, keys and values have a bias, and whether the output of attention has.
    pub bias: bool,
    pub output_bias: bool,
    /// Whether the embedding is the head too.
    pub tied: bool,
    /// Of each layer whether it sees the last [`window`](Self::window) tokens only.
    pub local: Vec<bool>,
    /// Tokens that a local layer sees.
    pub window: usize,
    /// Frequencies of the rotary positions, `[N / 2]`: of the other layers, and of local ones.
    pub rotary: [Vec<f64>; 2],
    /// Tokens that the model was made to see.
    pub longest: usize,
}

/// The largest numbers that are accepted, far beyond the models that can be computed.
const MOST: usize = 1 << 20;
const MOST_LAYERS: usize = 1 << 12;
/// Tokens of context unless something else is asked for (docs/decisions/transformers.md).
const CONTEXT: usize = 2048;

impl Config {
    /// Layers.
    pub fn layers(&self) -> usize {
        self.local.len()
    }

    /// Query heads that share a head of keys.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Tokens of context unless something else is asked for.
    pub fn context(&self) -> usize {
        CONTEXT.min(self.longest)
    }

    /// Which tokens a layer sees of so many tokens of context.
    pub fn ring(&self, context: usize, local: bool) -> Ring {
        if local && self.window < context {
            Ring::new(self.window, 0)
        } else {
            Ring::new(context - SINKS, SINKS)
        }
    }

    /// Whether a step's matrices, one byte a weight, are too much for most processors' caches: 16
    /// MiB and more. Archives' streams depend on it, so it is a matter of the shape alone.
    pub fn is_large(&self) -> bool {
        let [d, inner, heads, keys, n, vocab] =
            [self.hidden, self.intermediate, self.heads, self.kv_heads, self.head_size, self.vocab]
                .map(|n| n as u64);
        let layer = d * (2 * heads * n + 2 * keys * n + 3 * inner);
        self.layers() as u64 * layer + vocab * d >= 16 << 20
    }

    /// An error unless the model can be computed with so many tokens of context.
    pub fn check_context(&self, context: usize) -> Result<(), ModelError> {
        let (least, most) = (Self::LEAST_CONTEXT, self.longest);
        if (least..=most).contains(&context) {
            return Ok(());
        }
        let message = format!("expected a context of {least} to {most} tokens, found {context}");
        Err(ModelError::Shape(message))
    }

    /// The fewest tokens of context.
    pub const LEAST_CONTEXT: usize = 16;

    /// Whether a model can have this shape.
    pub fn check(&self) -> Result<(), ModelError> {
        let wrong = |message: String| Err(ModelError::Shape(message));
        let sizes = [
            ("hidden_size", self.hidden),
            ("intermediate_size", self.intermediate),
            ("num_attention_heads", self.heads),
            ("num_key_value_heads", self.kv_heads),
            ("head_dim", self.head_size),
            ("vocab_size", self.vocab),
            ("the window of local layers", self.window),
            ("max_position_embeddings", self.longest),
        ];
        if let Some((name, found)) = sizes.iter().find(|(_, n)| *n == 0 || *n > MOST) {
            return wrong(format!("expected {name} from 1 to {MOST}, found {found}"));
        }
        let multiples = [
            ("hidden_size", self.hidden, 16),
            ("intermediate_size", self.intermediate, 16),
            ("head_dim", self.head_size, 32),
        ];
        for (name, found, of) in multiples {
            if !found.is_multiple_of(of) || found > LONGEST_INPUT {
                return wrong(format!("expected {name} to be a multiple of {of}, found {found}"));
            }
        }
        if self.head_size > 512 || self.heads * self.head_size > LONGEST_INPUT {
            return wrong(format!(
                "expected heads of at most 512 channels, {LONGEST_INPUT} together, found {} of {}",
                self.heads, self.head_size
            ));
        }
        if !self.heads.is_multiple_of(self.kv_heads) {
            return wrong(format!(
                "expected num_key_value_heads to divide num_attention_heads {}, found {}",
                self.heads, self.kv_heads
            ));
        }
        if self.layers() == 0 || self.layers() > MOST_LAYERS {
            return wrong(format!("expected 1 to {MOST_LAYERS} layers, found {}", self.layers()));
        }
        if self.longest < Self::LEAST_CONTEXT {
            return wrong(format!(
                "expected max_position_embeddings of at least {}, found {}",
                Self::LEAST_CONTEXT,
                self.longest
            ));
        }
        if let Some(token) = self.absent.iter().find(|token| **token as usize >= self.vocab) {
            return wrong(format!("expected tokens below {}, found {token}", self.vocab));
        }
        let pairs = self.head_size / 2;
        let turns = self.rotary.iter().flatten().all(|f| (0.0..=1.0).contains(f));
        if self.rotary.iter().any(|f| f.len() != pairs) || !turns {
            return wrong(format!("expected {pairs} rotary frequencies from 0 to 1"));
        }
        let numbers = [
            Some(self.epsilon),
            Some(self.embedding_scale),
            Some(self.query_scale),
            self.score_cap,
            self.logit_cap,
        ];
        if numbers.into_iter().flatten().any(|x| !x.is_finite() || x <= 0.0) {
            return wrong("expected scales, epsilon and caps to be numbers above 0".into());
        }
        Ok(())
    }
}
