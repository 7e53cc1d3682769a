//! `config.json` of a hub model: which architecture it is, and its shape. What is not known is
//! refused, never passed over in silence: a model that is computed wrongly would still compress,
//! badly.

mod candle_transformers;
mod mamba;

use serde::Serialize;
use serde_json::Value;

use crate::HubError;
use crate::architecture::{CANDLE, MAMBA, OTHERS};
use lmz::lm::rwkv7::ModelError;

pub use candle_transformers::Other;
pub use mamba::Mamba;

/// Bounds on what a file may claim.
const MOST: u64 = 1 << 20;
/// No stream is longer before it begins anew unless more is asked for.
const CONTEXT: u64 = 1024;

/// A model's shape.
#[derive(Debug, Clone, Serialize)]
pub enum Shape {
    Attention(Attention),
    Mamba(Mamba),
    /// What candle-transformers computes.
    Other(Other),
}

/// What transformers with rotary positions have in common, and where they differ.
#[derive(Debug, Clone, Serialize)]
pub struct Attention {
    pub vocab: usize,
    pub hidden: usize,
    pub intermediate: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
    pub eps: f64,
    pub gelu: bool,
    /// Biases of q, k and v; of the attention's output; of the feed-forward part.
    pub qkv_bias: bool,
    pub o_bias: bool,
    pub mlp_bias: bool,
    /// Norms of each head's q and k.
    pub qk_norm: bool,
    /// Norms multiply by 1 + weight, and embeddings are scaled by the root of the width.
    pub gemma: bool,
    /// Norms behind attention and feed-forward part as well as before.
    pub post_norms: bool,
    pub scale: f64,
    pub attention_cap: Option<f64>,
    pub logit_cap: Option<f64>,
    pub tied: bool,
    /// Of each layer the rotary positions.
    pub layers: Vec<Rotary>,
    /// Positions that the model was made for, all of which a layer sees.
    pub positions: usize,
    /// Positions that the model was made for. Like what follows it is no part of an identity.
    #[serde(skip)]
    pub longest: usize,
    /// Of each layer whether it sees so many of the last tokens only.
    #[serde(skip)]
    pub local: Vec<bool>,
    #[serde(skip)]
    pub window: usize,
}

/// Rotary positions of a layer.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rotary {
    pub theta: f64,
    pub scaling: Scaling,
}

/// How positions are stretched beyond those of training.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub enum Scaling {
    None,
    Linear {
        factor: f64,
    },
    Llama3 {
        factor: f64,
        low: f64,
        high: f64,
        original: f64,
    },
    /// What each pair's frequency is divided by, as GGUF files have it.
    Factors {
        factors: Vec<f64>,
    },
}

/// What the file says.
#[derive(Debug, Clone)]
pub struct Config {
    pub architecture: &'static str,
    pub shape: Shape,
    /// What a document begins with.
    pub start: u32,
    /// Ids that do not occur in text.
    pub special: Vec<u32>,
    /// The type of numbers that the weights have, if it is stated.
    pub dtype: Option<String>,
}

impl Config {
    pub fn parse(json: &[u8]) -> Result<Self, HubError> {
        Self::of(&serde_json::from_slice(json).map_err(|e| ModelError::Config(e.to_string()))?)
    }

    /// From the content of the file.
    pub fn of(value: &Value) -> Result<Self, HubError> {
        let file = File(value);
        let named = value["architectures"][0].as_str();
        let unsupported = || HubError::Architecture {
            found: named.or(value["model_type"].as_str()).unwrap_or("none").to_owned(),
        };
        let architecture =
            named.and_then(|n| CANDLE.iter().find(|a| **a == n)).ok_or_else(unsupported)?;
        let shape = match *architecture {
            MAMBA => Shape::Mamba(file.mamba()?),
            other if OTHERS.contains(&other) => Shape::Other(file.other(other)?),
            _ => Shape::Attention(file.attention(architecture)?),
        };
        let ids = |name: &str| match &value[name] {
            Value::Array(ids) => ids.iter().filter_map(Value::as_u64).collect(),
            id => id.as_u64().into_iter().collect::<Vec<_>>(),
        };
        let [begin, end, pad] = ["bos_token_id", "eos_token_id", "pad_token_id"].map(ids);
        let special: Vec<u32> =
            begin.iter().chain(&end).chain(&pad).filter_map(|id| u32::try_from(*id).ok()).collect();
        let start = special.first().copied().unwrap_or(0);
        if start as usize >= shape.vocab() {
            return Ok(wrong(format!(
                "expected a bos_token_id below {}, found {start}",
                shape.vocab()
            ))?);
        }
        let dtype = value["dtype"].as_str().or(value["torch_dtype"].as_str()).map(str::to_owned);
        Ok(Self { architecture, shape, start, special, dtype })
    }
}

impl Shape {
    /// How many logits there are.
    pub fn vocab(&self) -> usize {
        match self {
            Self::Attention(shape) => shape.vocab,
            Self::Mamba(shape) => shape.vocab,
            Self::Other(shape) => shape.vocab,
        }
    }

    /// Whether it is computed in f32 alone.
    pub fn is_f32_only(&self) -> bool {
        matches!(self, Self::Other(_))
    }

    /// Numbers of the embedding where it is the head as well.
    pub fn twice(&self) -> u64 {
        match self {
            Self::Attention(shape) if !shape.tied => 0,
            Self::Attention(shape) => (shape.vocab * shape.hidden) as u64,
            Self::Mamba(shape) => (shape.vocab * shape.hidden) as u64,
            // One tensor stands for both.
            Self::Other(_) => 0,
        }
    }

    /// Tokens after which a stream begins anew, and with how many of them, unless something else is
    /// asked for; of a model whose state has one size 0 and 0.
    pub fn context(&self) -> (u64, u64) {
        match self.positions() {
            Some(positions) => {
                let limit = CONTEXT.min(positions);
                (limit, limit / 2)
            }
            None => (0, 0),
        }
    }

    /// The most tokens that a stream may have; nothing for a model whose state has one size.
    pub fn positions(&self) -> Option<u64> {
        match self {
            Self::Attention(shape) => Some(shape.positions as u64),
            Self::Other(shape) => Some(shape.positions as u64),
            Self::Mamba(_) => None,
        }
    }
}

fn wrong<T>(message: String) -> Result<T, ModelError> {
    Err(ModelError::Config(message))
}

/// The file's fields.
struct File<'a>(&'a Value);

impl File<'_> {
    fn size(&self, name: &str) -> Result<usize, ModelError> {
        match self.0[name].as_u64() {
            Some(n) if (1..=MOST).contains(&n) => Ok(n as usize),
            _ => wrong(format!("expected {name} to be from 1 to {MOST}, found {}", self.0[name])),
        }
    }

    fn size_or(&self, name: &str, default: usize) -> Result<usize, ModelError> {
        if self.0[name].is_null() { Ok(default) } else { self.size(name) }
    }

    fn small_or(&self, name: &str, default: usize) -> Result<usize, ModelError> {
        let found = self.size_or(name, default)?;
        if found <= 1024 {
            Ok(found)
        } else {
            wrong(format!("expected {name} to be at most 1024, found {found}"))
        }
    }

    fn number_or(&self, name: &str, default: f64) -> Result<f64, ModelError> {
        number(self.0, name, Some(default))
    }

    fn optional(&self, name: &str) -> Result<Option<f64>, ModelError> {
        if self.0[name].is_null() { Ok(None) } else { number(self.0, name, None).map(Some) }
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.0[name].as_bool().unwrap_or(default)
    }

    fn attention(&self, architecture: &str) -> Result<Attention, ModelError> {
        let gemma = architecture.starts_with("Gemma");
        let (hidden, heads) = (self.size("hidden_size")?, self.size("num_attention_heads")?);
        let head_dim = self.size_or("head_dim", hidden / heads)?;
        let kv_heads = self.size_or("num_key_value_heads", heads)?;
        if !heads.is_multiple_of(kv_heads) || !head_dim.is_multiple_of(2) || head_dim == 0 {
            return wrong(format!(
                "expected heads of an even size, in groups for each key head; found {heads} heads \
                of {head_dim}, {kv_heads} key heads"
            ));
        }
        let stated = self.0["hidden_activation"]
            .as_str()
            .or(self.0["hidden_act"].as_str())
            .unwrap_or("silu");
        let gelu = match stated {
            "silu" | "swish" if !gemma => false,
            "gelu_pytorch_tanh" | "gelu_new" => true,
            // The first Gemma's files say this and mean the other.
            "gelu" if architecture == "GemmaForCausalLM" => true,
            _ => {
                return wrong(format!(
                    "expected the activation silu or gelu_pytorch_tanh, found {stated}"
                ));
            }
        };
        let layers = self.small_or("num_hidden_layers", 32)?;
        let positions = self.size_or("max_position_embeddings", 2048)?;
        // A context within the window sees all of it, so the window does not matter.
        let window = if self.flag("use_sliding_window", true) {
            self.size_or("sliding_window", positions)?
        } else {
            positions
        };
        let local =
            (0..layers).map(|layer| window < positions && self.is_local(layer, architecture));
        let numbered = matches!(architecture, "Gemma2ForCausalLM" | "Gemma3ForCausalLM");
        let scale = if numbered {
            self.number_or("query_pre_attn_scalar", 256.0)?
        } else {
            head_dim as f64
        };
        let bias = self.flag("attention_bias", false);
        Ok(Attention {
            vocab: self.size("vocab_size")?,
            hidden,
            intermediate: self.size("intermediate_size")?,
            heads,
            kv_heads,
            head_dim,
            eps: self.number_or("rms_norm_eps", 1e-6)?,
            gelu,
            qkv_bias: bias || architecture == "Qwen2ForCausalLM",
            // Qwen 2 has none there, whatever its file says.
            o_bias: bias && architecture != "Qwen2ForCausalLM",
            mlp_bias: self.flag("mlp_bias", false),
            qk_norm: matches!(architecture, "Qwen3ForCausalLM" | "Gemma3ForCausalLM"),
            gemma,
            post_norms: numbered,
            scale: 1.0 / scale.sqrt(),
            attention_cap: self.optional("attn_logit_softcapping")?,
            logit_cap: self.optional("final_logit_softcapping")?,
            tied: self.flag("tie_word_embeddings", gemma),
            layers: (0..layers).map(|layer| self.rotary(layer)).collect::<Result<_, _>>()?,
            positions: positions.min(window),
            longest: positions,
            local: local.collect(),
            window,
        })
    }

    /// Whether a layer sees a window only, in a model that has one.
    fn is_local(&self, layer: usize, architecture: &str) -> bool {
        let number = layer as u64 + 1;
        let stated = |name: &str, default: u64| self.0[name].as_u64().unwrap_or(default).max(1);
        match (self.0["layer_types"][layer].as_str(), architecture) {
            (Some(kind), _) => kind == "sliding_attention",
            (None, "Gemma2ForCausalLM") => !number.is_multiple_of(2),
            (None, "Gemma3ForCausalLM") => {
                !number.is_multiple_of(stated("sliding_window_pattern", 6))
            }
            (None, "Qwen2ForCausalLM" | "Qwen3ForCausalLM") => {
                self.flag("use_sliding_window", false)
                    && number > self.0["max_window_layers"].as_u64().unwrap_or(28)
            }
            (None, "MistralForCausalLM") => true,
            _ => false,
        }
    }

    /// The rotary positions of a layer. Files say it in three ways: of all layers, of all by
    /// `rope_parameters`, or by kinds of layers.
    fn rotary(&self, layer: usize) -> Result<Rotary, ModelError> {
        let file = self.0;
        let every = file["sliding_window_pattern"].as_u64().unwrap_or(6).max(1);
        let kind = match file["layer_types"][layer].as_str() {
            Some(kind) => kind,
            None if (layer as u64 + 1).is_multiple_of(every) => "full_attention",
            None => "sliding_attention",
        };
        if !matches!(kind, "full_attention" | "sliding_attention") {
            return wrong(format!(
                "expected layer_types to be full_attention or sliding_attention, found {kind}"
            ));
        }
        let parameters = &file["rope_parameters"];
        if !parameters.is_null() {
            let own = &parameters[kind];
            return rotary(if own.is_null() { parameters } else { own }, 1e4);
        }
        if kind == "sliding_attention" && !file["rope_local_base_freq"].is_null() {
            return Ok(Rotary {
                theta: number(file, "rope_local_base_freq", None)?,
                scaling: Scaling::None,
            });
        }
        if let Some(factors) = file["lmz_rope_factors"].as_array() {
            let factors = factors.iter().map(|f| f.as_f64().filter(|f| *f >= 1.0)).collect();
            let Some(factors) = factors else {
                return wrong("expected rotary factors of 1 or more".into());
            };
            let scaling = Scaling::Factors { factors };
            return Ok(Rotary { theta: self.number_or("rope_theta", 1e4)?, scaling });
        }
        let scaling = rotary(&file["rope_scaling"], 1e4)?.scaling;
        Ok(Rotary { theta: self.number_or("rope_theta", 1e4)?, scaling })
    }
}

fn rotary(value: &Value, theta: f64) -> Result<Rotary, ModelError> {
    let theta = number(value, "rope_theta", Some(theta))?;
    let kind = value["rope_type"].as_str().or(value["type"].as_str()).unwrap_or("default");
    let field = |name| number(value, name, None);
    let scaling = match kind {
        "default" => Scaling::None,
        "linear" => Scaling::Linear { factor: field("factor")? },
        "llama3" => Scaling::Llama3 {
            factor: field("factor")?,
            low: field("low_freq_factor")?,
            high: field("high_freq_factor")?,
            original: field("original_max_position_embeddings")?,
        },
        found => {
            return wrong(format!(
                "expected rotary positions of the type default, linear or llama3, found {found}"
            ));
        }
    };
    Ok(Rotary { theta, scaling })
}

/// A field that is a finite number above 0.
fn number(value: &Value, name: &str, default: Option<f64>) -> Result<f64, ModelError> {
    let found = if value[name].is_null() { default } else { value[name].as_f64() };
    match found.filter(|x| x.is_finite() && *x > 0.0) {
        Some(found) => Ok(found),
        None => wrong(format!("expected {name} to be a number above 0, found {}", value[name])),
    }
}
