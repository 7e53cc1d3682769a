//! Shapes of the architectures that candle-transformers computes.
//!
//! Its configurations say less than `config.json` does: what they have no field for is passed over
//! there. So every field that changes what is computed is looked at here, and what that code does
//! not compute, or computes otherwise than `transformers`, is refused.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::{File, Scaling, wrong};
use lmz::lm::rwkv7::ModelError;

/// The shape of a model that candle-transformers computes.
#[derive(Debug, Clone, Serialize)]
pub struct Other {
    pub vocab: usize,
    pub hidden: usize,
    pub intermediate: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub layers: usize,
    /// Positions that the model was made for, all of which every layer sees.
    pub positions: usize,
    /// The fields of the configuration that candle-transformers has for the architecture, but for
    /// `max_position_embeddings`, which is as many as are needed.
    pub fields: BTreeMap<&'static str, Value>,
}

impl File<'_> {
    pub fn other(&self, architecture: &str) -> Result<Other, ModelError> {
        if architecture == "GPTBigCodeForCausalLM" {
            return self.big_code();
        }
        let (hidden, heads) = (self.size("hidden_size")?, self.size("num_attention_heads")?);
        let kv_heads = self.size_or("num_key_value_heads", heads)?;
        let head_dim = head_dim(hidden, heads, kv_heads)?;
        self.expect_value("head_dim", head_dim as u64, head_dim as u64)?;
        let activation = match architecture {
            "PhiForCausalLM" => "gelu_new",
            "Starcoder2ForCausalLM" => "gelu_pytorch_tanh",
            _ => "silu",
        };
        let activation = self.0["hidden_act"].as_str().unwrap_or(activation);
        if !["silu", "gelu", "gelu_new", "gelu_pytorch_tanh"].contains(&activation) {
            return wrong(format!(
                "expected the activation silu, gelu, gelu_new or gelu_pytorch_tanh, found \
                {activation}"
            ));
        }
        let rotary = self.rotary(0)?;
        if rotary.scaling != Scaling::None {
            return wrong(format!(
                "expected rotary positions of the type default for {architecture}, found {:?}",
                rotary.scaling
            ));
        }
        let most = self.size_or("max_position_embeddings", 2048)?;
        let sees_a_window = matches!(architecture, "Phi3ForCausalLM" | "Starcoder2ForCausalLM");
        // Within the window all is seen, so that it does not matter.
        let window = if sees_a_window { self.size_or("sliding_window", most)? } else { most };
        let layers = self.small_or("num_hidden_layers", 32)?;
        let tied = ["Starcoder2ForCausalLM", "SmolLM3ForCausalLM"].contains(&architecture);
        let mut out = Other {
            vocab: self.size("vocab_size")?,
            hidden,
            intermediate: self.size("intermediate_size")?,
            heads,
            kv_heads,
            layers,
            positions: most.min(window),
            fields: BTreeMap::new(),
        };
        out.fields.extend([
            ("vocab_size", json!(out.vocab)),
            ("hidden_size", json!(hidden)),
            ("intermediate_size", json!(out.intermediate)),
            ("num_hidden_layers", json!(layers)),
            ("num_attention_heads", json!(heads)),
            ("num_key_value_heads", json!(kv_heads)),
            ("hidden_act", json!(activation)),
            ("rope_theta", json!(rotary.theta)),
            ("tie_word_embeddings", json!(self.flag("tie_word_embeddings", tied))),
        ]);
        out.fields.extend(self.own_fields(architecture, layers, head_dim)?);
        Ok(out)
    }

    /// The fields that an architecture has for itself.
    fn own_fields(
        &self,
        architecture: &str,
        layers: usize,
        head_dim: usize,
    ) -> Result<Vec<(&'static str, Value)>, ModelError> {
        let bias = |name| json!(self.flag(name, false));
        let eps = |name, default| self.number_or(name, default).map(|eps| json!(eps));
        Ok(match architecture {
            "PhiForCausalLM" => {
                self.expect("qk_layernorm", false, false)?;
                self.expect("tie_word_embeddings", false, false)?;
                vec![
                    ("layer_norm_eps", eps("layer_norm_eps", 1e-5)?),
                    ("partial_rotary_factor", json!(self.partial(0.5, head_dim)?)),
                    ("qk_layernorm", json!(false)),
                ]
            }
            "Phi3ForCausalLM" => {
                self.expect("attention_bias", false, false)?;
                let partial = self.partial(1.0, head_dim)?;
                vec![
                    ("rms_norm_eps", eps("rms_norm_eps", 1e-5)?),
                    // Nothing is left over of a head that turns as a whole.
                    ("partial_rotary_factor", json!(Some(partial).filter(|part| *part < 1.0))),
                ]
            }
            "StableLmForCausalLM" => {
                self.expect("use_parallel_residual", false, false)?;
                self.expect("qk_layernorm", false, false)?;
                self.expect("tie_word_embeddings", false, false)?;
                vec![
                    ("layer_norm_eps", eps("layer_norm_eps", 1e-5)?),
                    ("partial_rotary_factor", json!(self.partial(0.25, head_dim)?)),
                    ("use_cache", json!(true)),
                    ("use_qkv_bias", bias("use_qkv_bias")),
                ]
            }
            "OlmoForCausalLM" => vec![
                ("attention_bias", bias("attention_bias")),
                ("clip_qkv", json!(self.optional("clip_qkv")?)),
            ],
            "Olmo2ForCausalLM" => vec![
                ("attention_bias", bias("attention_bias")),
                ("rms_norm_eps", eps("rms_norm_eps", 1e-5)?),
            ],
            "Starcoder2ForCausalLM" => {
                self.expect("tie_word_embeddings", true, true)?;
                vec![
                    ("norm_epsilon", eps("norm_epsilon", 1e-5)?),
                    ("use_bias", json!(self.flag("use_bias", true))),
                ]
            }
            _ => {
                self.expect("use_sliding_window", false, false)?;
                vec![
                    ("rms_norm_eps", eps("rms_norm_eps", 1e-6)?),
                    ("attention_bias", bias("attention_bias")),
                    ("mlp_bias", bias("mlp_bias")),
                    ("no_rope_layers", json!(self.turned(layers)?)),
                ]
            }
        })
    }

    /// SmolLM3's layers: 1 where queries and keys are turned by their positions, else 0.
    fn turned(&self, layers: usize) -> Result<Vec<u64>, ModelError> {
        let stated = &self.0["no_rope_layers"];
        if stated.is_null() {
            let every = self.size_or("no_rope_layer_interval", 4)?;
            return Ok((1..=layers).map(|number| u64::from(number % every != 0)).collect());
        }
        let known = |value: &Value| value.as_u64().filter(|turned| *turned <= 1);
        let found: Option<Vec<u64>> =
            stated.as_array().and_then(|layers| layers.iter().map(known).collect());
        match found.filter(|found| found.len() == layers) {
            Some(found) => Ok(found),
            None => wrong(format!("expected no_rope_layers to be {layers} times 0 or 1")),
        }
    }

    /// StarCoder 1, whose file names its sizes as GPT-2's does.
    fn big_code(&self) -> Result<Other, ModelError> {
        let (hidden, heads) = (self.size("n_embd")?, self.size("n_head")?);
        head_dim(hidden, heads, 1)?;
        self.expect("multi_query", true, true)?;
        self.expect("scale_attn_weights", true, true)?;
        self.expect("tie_word_embeddings", true, true)?;
        let activation = self.0["activation_function"].as_str().unwrap_or("gelu_pytorch_tanh");
        if activation != "gelu_pytorch_tanh" {
            return wrong(format!(
                "expected activation_function to be gelu_pytorch_tanh, found {activation}"
            ));
        }
        let eps = self.number_or("layer_norm_epsilon", 1e-5)?;
        Ok(Other {
            vocab: self.size("vocab_size")?,
            hidden,
            intermediate: self.size_or("n_inner", 4 * hidden)?,
            heads,
            kv_heads: 1,
            layers: self.small_or("n_layer", 12)?,
            positions: self.size_or("n_positions", 1024)?,
            fields: BTreeMap::from([("layer_norm_epsilon", json!(eps))]),
        })
    }

    /// The part of each head that turns.
    fn partial(&self, default: f64, head_dim: usize) -> Result<f64, ModelError> {
        let name = "partial_rotary_factor";
        let within = &self.0["rope_parameters"];
        let value = if within[name].is_null() { self.0 } else { within };
        let found = super::number(value, name, Some(default))?;
        let turned = (found * head_dim as f64) as usize;
        let all = turned == head_dim && default == 1.0;
        if turned >= 2 && turned.is_multiple_of(2) && (turned < head_dim || all) {
            return Ok(found);
        }
        wrong(format!("expected {name} to be an even part of {head_dim} channels, found {found}"))
    }

    /// An error unless a switch, whose value is `default` where it is not stated, is `known`.
    fn expect(&self, name: &str, default: bool, known: bool) -> Result<(), ModelError> {
        match self.flag(name, default) == known {
            true => Ok(()),
            false => {
                wrong(format!("expected {name} to be {known}, found {}: not computed", !known))
            }
        }
    }

    fn expect_value(&self, name: &str, default: u64, known: u64) -> Result<(), ModelError> {
        match self.0[name].as_u64().unwrap_or(default) {
            found if found == known => Ok(()),
            found => wrong(format!("expected {name} to be {known}, found {found}")),
        }
    }
}

/// The size of a head.
fn head_dim(hidden: usize, heads: usize, kv_heads: usize) -> Result<usize, ModelError> {
    let size = hidden / heads;
    if heads.is_multiple_of(kv_heads) && size * heads == hidden && size.is_multiple_of(2) {
        return Ok(size);
    }
    wrong(format!(
        "expected heads of an even size that fill {hidden} channels, in groups for each key head; \
        found {heads} heads, {kv_heads} key heads"
    ))
}
