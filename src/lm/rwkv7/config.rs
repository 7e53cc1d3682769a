//! The shape of a model, as its `config.json` states it and its tensors have it.

use serde::Deserialize;

use super::error::ModelError;
use crate::exact::fpstate::Exact;
use crate::exact::{Activations, LONGEST_INPUT, VERSION};

/// Largest values that are accepted: far beyond any model that this engine could run, small enough
/// that no product of a few of them overflows.
const MOST_LAYERS: usize = 1 << 12;

/// The shape of a model, complete. Symbols are those of docs/ARITHMETIC.md.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Config {
    /// How inputs of products are quantised.
    pub activations: Activations,
    /// Channels, D.
    pub hidden: usize,
    pub layers: usize,
    /// Channels of a head, N, which divides D.
    pub head_size: usize,
    /// Tokens, V.
    pub vocab: usize,
    /// Channels inside the channel mix.
    pub intermediate: usize,
    /// The rank of w1 and w2.
    pub decay_rank: usize,
    /// The rank of a1 and a2.
    pub a_rank: usize,
    /// The rank of v1 and v2, which layer 0 does not have: any number where there is one layer.
    pub v_rank: usize,
    /// The rank of g1 and g2.
    pub gate_rank: usize,
}

impl Config {
    /// A shape with nano's proportions: int8 activations, head size 32, channel mix of 4 D, ranks
    /// 32, 32, 32 and 64.
    pub const fn new(layers: usize, hidden: usize, vocab: usize) -> Self {
        Self {
            activations: Activations::Int8,
            hidden,
            layers,
            head_size: 32,
            vocab,
            intermediate: 4 * hidden,
            decay_rank: 32,
            a_rank: 32,
            v_rank: 32,
            gate_rank: 64,
        }
    }

    /// Heads, H = D / N.
    pub fn heads(&self) -> usize {
        self.hidden / self.head_size
    }

    /// Whether a step's large matrices (4 D^2 + 2 D I a layer, V D for the head; one byte each) are
    /// too much for most processors' caches: 16 MiB and more. Archives' streams depend on it, so it
    /// is a matter of the shape alone.
    pub fn is_large(&self) -> bool {
        let [hidden, inner, layers, vocab] =
            [self.hidden, self.intermediate, self.layers, self.vocab].map(|n| n as u64);
        layers * (4 * hidden * hidden + 2 * hidden * inner) + vocab * hidden >= 16 << 20
    }

    /// Whether a model can have this shape.
    pub fn check(&self) -> Result<(), ModelError> {
        let wrong = |message: String| Err(ModelError::Shape(message));
        let inputs = [
            ("hidden_size", self.hidden),
            ("intermediate_size", self.intermediate),
            ("decay_low_rank_dim", self.decay_rank),
            ("a_low_rank_dim", self.a_rank),
            ("v_low_rank_dim", self.v_rank),
            ("gate_low_rank_dim", self.gate_rank),
        ];
        for (name, length) in inputs {
            // One layer has none, whatever config.json states.
            let least = usize::from(name != "v_low_rank_dim" || self.layers > 1);
            if length < least || length > LONGEST_INPUT {
                return wrong(format!(
                    "expected {name} from {least} to {LONGEST_INPUT}, found {length}"
                ));
            }
        }
        if self.head_size == 0 || !self.hidden.is_multiple_of(self.head_size) {
            return wrong(format!(
                "expected a head_dim that divides hidden_size {}, found {}",
                self.hidden, self.head_size
            ));
        }
        if self.layers == 0 || self.layers > MOST_LAYERS {
            return wrong(format!("expected 1 to {MOST_LAYERS} layers, found {}", self.layers));
        }
        Ok(())
    }
}

/// What `config.json` says. Sizes may be left out: the tensors have them, and are held against
/// those stated. Other fields are passed over.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ConfigJson {
    model_type: Option<String>,
    arithmetic: Option<u32>,
    activations: Option<String>,
    norm_eps: Option<f64>,
    group_norm_eps: Option<f64>,
    start_token_id: Option<u64>,
    segmentation: Option<String>,
    hidden_size: Option<usize>,
    num_hidden_layers: Option<usize>,
    pub head_dim: Option<usize>,
    vocab_size: Option<usize>,
    intermediate_size: Option<usize>,
    decay_low_rank_dim: Option<usize>,
    a_low_rank_dim: Option<usize>,
    pub v_low_rank_dim: Option<usize>,
    gate_low_rank_dim: Option<usize>,
}

impl ConfigJson {
    /// Parses `config.json`, which holds decimal fractions, and refuses what this engine does not
    /// compute.
    pub fn parse(_: Exact, json: &[u8]) -> Result<Self, ModelError> {
        let stated: Self =
            serde_json::from_slice(json).map_err(|e| ModelError::Config(e.to_string()))?;
        let missing = |field| ModelError::Config(format!("expected the field {field}, found none"));
        let must_be = |field: &str, expected: String, found: String| {
            if expected == found {
                return Ok(());
            }
            Err(ModelError::Config(format!("expected {field} to be {expected}, found {found}")))
        };
        let kind = stated.model_type.as_deref().ok_or(missing("model_type"))?;
        must_be("model_type", "lmz-rwkv7".into(), kind.into())?;
        match stated.arithmetic.ok_or(missing("arithmetic"))? {
            VERSION => {}
            found => return Err(ModelError::Arithmetic { found }),
        }
        // The arithmetic has these built in.
        if let Some(found) = stated.norm_eps {
            must_be("norm_eps", "0.00001".into(), (found as f32).to_string())?;
        }
        if let Some(found) = stated.group_norm_eps {
            must_be("group_norm_eps", "0.00064".into(), (found as f32).to_string())?;
        }
        if let Some(found) = stated.start_token_id {
            must_be("start_token_id", "0".into(), found.to_string())?;
        }
        if let Some(found) = &stated.segmentation {
            must_be("segmentation", "greedy".into(), found.clone())?;
        }
        stated.activations()?;
        Ok(stated)
    }

    /// How activations are quantised.
    pub fn activations(&self) -> Result<Activations, ModelError> {
        match self.activations.as_deref() {
            Some("int8") => Ok(Activations::Int8),
            Some("int16") => Ok(Activations::Int16),
            found => Err(ModelError::Config(format!(
                "expected activations to be int8 or int16, found {}",
                found.unwrap_or("none")
            ))),
        }
    }

    /// Holds the sizes that are stated against those of the tensors.
    pub fn agrees(&self, config: &Config) -> Result<(), ModelError> {
        let sizes = [
            ("hidden_size", self.hidden_size, config.hidden),
            ("num_hidden_layers", self.num_hidden_layers, config.layers),
            ("head_dim", self.head_dim, config.head_size),
            ("vocab_size", self.vocab_size, config.vocab),
            ("intermediate_size", self.intermediate_size, config.intermediate),
            ("decay_low_rank_dim", self.decay_low_rank_dim, config.decay_rank),
            ("a_low_rank_dim", self.a_low_rank_dim, config.a_rank),
            ("v_low_rank_dim", self.v_low_rank_dim, config.v_rank),
            ("gate_low_rank_dim", self.gate_low_rank_dim, config.gate_rank),
        ];
        for (field, stated, found) in sizes {
            if let Some(stated) = stated.filter(|s| *s != found) {
                return Err(ModelError::Shape(format!(
                    "config.json states {field} {stated}, the tensors have {found}"
                )));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No tensor says how many values a single layer mixes in, so `config.json` could state any
    /// number, by which memory is taken.
    #[test]
    fn ranks_without_tensors_are_bounded() {
        for (layers, v_rank, fits) in
            [(1, 0, true), (1, 8, true), (1, usize::MAX, false), (2, 0, false), (2, 8, true)]
        {
            let config = Config { v_rank, ..Config::new(layers, 64, 300) };
            assert_eq!(config.check().is_ok(), fits, "{layers} layers, rank {v_rank}");
        }
    }
}
