//! What a GGUF file says of its model, as `config.json` would say it.

use std::collections::HashMap;

use serde_json::{Value as Json, json};

use lmz::exact::fpstate;
use lmz::lm::rwkv7::checkpoint::CheckpointTensors;

use super::architecture::Architecture;
use super::header::Value;
use super::{GgufError, GgufFile};

/// The most layers, and the largest of the other sizes: some times what the largest models have.
const LAYERS: u64 = 1024;
const MOST: u64 = 1 << 24;

/// How many heads a model's attention has, of queries and of keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heads {
    pub queries: usize,
    pub keys: usize,
}

impl Heads {
    pub fn of(
        architecture: Architecture,
        values: &HashMap<String, Value>,
    ) -> Result<Self, GgufError> {
        let fields = Fields { values, prefix: architecture.name() };
        let queries = fields.size("attention.head_count", MOST)?;
        let keys = fields.size_if("attention.head_count_kv", MOST)?.unwrap_or(queries);
        Ok(Self { queries, keys })
    }
}

/// That the file is the whole model, and not one of several.
pub fn whole(values: &HashMap<String, Value>) -> Result<(), GgufError> {
    match (Fields { values, prefix: "split" }).size_if("count", MOST) {
        Ok(None | Some(1)) => Ok(()),
        _ => wrong(
            "expected the whole model in one file, found a part of one; join the parts with \
            `llama-gguf-split --merge FIRST_PART WHOLE.gguf`",
        ),
    }
}

pub fn json(file: &GgufFile) -> Result<Json, GgufError> {
    let architecture = file.architecture;
    let gemma = architecture.is_gemma();
    let fields = Fields { values: &file.values, prefix: architecture.name() };
    let hidden = fields.size("embedding_length", MOST)?;
    let heads = Heads::of(architecture, &file.values)?;
    let layers = fields.size("block_count", LAYERS)?;
    let positions = fields.size("context_length", 1 << 32)?;
    let head_dim = head_dim(&fields, hidden, heads.queries)?;
    let Some(vocab) = file.shape("model.embed_tokens.weight").map(|shape| shape[0]) else {
        return wrong("expected the tensor token_embd.weight, found none");
    };
    let there = |name: &str| file.shape(name).is_some();
    let (class, model_type) = architecture.names();
    let mut out = json!({
        "architectures": [class],
        "model_type": model_type,
        "hidden_size": hidden,
        "intermediate_size": fields.size("feed_forward_length", MOST)?,
        "num_hidden_layers": layers,
        "num_attention_heads": heads.queries,
        "num_key_value_heads": heads.keys,
        "head_dim": head_dim,
        "vocab_size": vocab,
        "rms_norm_eps": fields.number("attention.layer_norm_rms_epsilon")?,
        "rope_theta": fields
            .first(&["rope.freq_base", "rope.global.freq_base"])?
            .unwrap_or_else(|| json!(1e4)),
        "rope_scaling": scaling(&fields)?,
        "max_position_embeddings": positions,
        "tie_word_embeddings": !there("lm_head.weight"),
        // Qwen 2 has a bias of queries, keys and values, and none of the product behind them.
        "attention_bias": there("model.layers.0.self_attn.q_proj.bias"),
        "mlp_bias": there("model.layers.0.mlp.down_proj.bias"),
        "torch_dtype": "float32",
    });
    for (name, of) in [
        ("bos_token_id", "tokenizer.ggml.bos_token_id"),
        ("eos_token_id", "tokenizer.ggml.eos_token_id"),
        ("pad_token_id", "tokenizer.ggml.padding_token_id"),
    ] {
        out[name] = match file.values.get(of) {
            None => Json::Null,
            Some(value) => match unsigned(value) {
                Some(id) => json!(id),
                None => {
                    return wrong(format!("expected {of} to be a number, found {}", value.brief()));
                }
            },
        };
    }
    if gemma {
        out["hidden_activation"] = json!("gelu_pytorch_tanh");
    }
    out["hidden_act"] = json!(if gemma { "gelu_pytorch_tanh" } else { "silu" });
    let window = fields.size_if("attention.sliding_window", MOST)?;
    match architecture {
        Architecture::Gemma2 => {
            // The files of 2024 do not state what all of these models have.
            out["sliding_window"] = json!(window.unwrap_or(4096));
            out["layer_types"] = kinds(&fields, layers, 2)?;
            for (name, usual) in
                [("attn_logit_softcapping", 50.0), ("final_logit_softcapping", 30.0)]
            {
                out[name] = fields.first(&[name])?.unwrap_or_else(|| json!(usual));
            }
        }
        Architecture::Gemma3 => {
            let Some(window) = window else {
                return wrong("expected gemma3.attention.sliding_window, found none");
            };
            out["sliding_window"] = json!(window);
            out["layer_types"] = kinds(&fields, layers, 6)?;
            let local = ["rope.freq_base_swa", "rope.local.freq_base"];
            out["rope_local_base_freq"] = fields.first(&local)?.unwrap_or_else(|| json!(1e4));
            out["attn_logit_softcapping"] = Json::Null;
            out["final_logit_softcapping"] =
                fields.first(&["final_logit_softcapping"])?.unwrap_or(Json::Null);
        }
        _ => out["sliding_window"] = window.map_or(Json::Null, Json::from),
    }
    // The largest two of both families, which llama.cpp knows by their layers: theirs is not the
    // size of a head.
    let largest = match architecture {
        Architecture::Gemma2 => Some(46),
        Architecture::Gemma3 => Some(62),
        _ => None,
    };
    if let Some(largest) = largest {
        out["query_pre_attn_scalar"] =
            json!(if layers == largest { hidden / heads.queries } else { head_dim });
    }
    if let Some(place) = &file.rope_factors {
        if place.elements != head_dim / 2 {
            return wrong(format!(
                "expected {} numbers in rope_freqs.weight, half of a head's size, found {}",
                head_dim / 2,
                place.elements
            ));
        }
        let factors = fpstate::exact(|_| file.numbers(place, 0..place.elements))?;
        if let Some(found) = factors.iter().find(|x| !x.is_finite() || **x <= 0.0) {
            return wrong(format!(
                "expected finite numbers above 0 in rope_freqs.weight, found {found}"
            ));
        }
        out["lmz_rope_factors"] = json!(factors);
        // What they come from is not in the file.
        out["rope_scaling"] = Json::Null;
    }
    Ok(out)
}

/// The size of a head, of which all turns with the position.
fn head_dim(fields: &Fields, hidden: usize, heads: usize) -> Result<usize, GgufError> {
    let stated = fields.size_if("attention.key_length", MOST)?;
    let value = fields.size_if("attention.value_length", MOST)?;
    let rotary = fields.size_if("rope.dimension_count", MOST)?;
    let size = stated.or(hidden.is_multiple_of(heads).then_some(hidden / heads)).unwrap_or(0);
    let others = [value.unwrap_or(size), rotary.unwrap_or(size)];
    if size == 0 || !size.is_multiple_of(2) || others != [size; 2] {
        return wrong(format!(
            "expected heads of an even size, the same for keys and values and all of it rotary; \
            found {heads} heads in {hidden} channels, key_length {stated:?}, value_length \
            {value:?} and rope.dimension_count {rotary:?}"
        ));
    }
    Ok(size)
}

/// How positions are scaled. The files of 2023 state the factor alone.
fn scaling(fields: &Fields) -> Result<Json, GgufError> {
    let kind = match fields.get("rope.scaling.type") {
        None => None,
        Some(Value::Text(kind)) if kind.len() <= 64 => Some(&kind[..]),
        Some(found) => {
            return wrong(format!(
                "expected rope.scaling.type to be short text, found {}",
                found.brief()
            ));
        }
    };
    let factor = fields.first(&["rope.scaling.factor", "rope.scale_linear"])?;
    let stated = factor.as_ref().and_then(Json::as_f64).filter(|f| *f != 0.0 && *f != 1.0);
    match (kind, stated) {
        (None | Some("none"), None) | (Some("linear"), None) => Ok(Json::Null),
        (Some("none"), Some(_)) => Ok(Json::Null),
        (None | Some("linear"), Some(factor)) => {
            Ok(json!({"rope_type": "linear", "type": "linear", "factor": factor}))
        }
        (Some(found), _) => wrong(format!(
            "expected rotary positions that are scaled linearly or not at all, found \
            rope.scaling.type {found}; use a model without"
        )),
    }
}

/// Which layers see a window alone: all but every so manyth, unless the file says something else.
fn kinds(fields: &Fields, layers: usize, every: u64) -> Result<Json, GgufError> {
    let name = "attention.sliding_window_pattern";
    let kind = |slides: bool| if slides { "sliding_attention" } else { "full_attention" };
    let found = fields.get(name);
    if let Some(Value::Array(stated)) = found {
        let kinds: Vec<_> = stated
            .iter()
            .filter_map(|value| match value {
                Value::Bool(slides) => Some(kind(*slides)),
                value => unsigned(value).map(|n| kind(n != 0)),
            })
            .collect();
        return match kinds.len() == layers && stated.len() == layers {
            true => Ok(json!(kinds)),
            false => wrong(format!(
                "expected {name} to say of {layers} layers whether they see a window, found {} \
                values",
                stated.len()
            )),
        };
    }
    let every = match found {
        Some(value) => unsigned(value).filter(|n| *n > 0),
        None => Some(every),
    };
    match every {
        Some(every) => {
            Ok((1..=layers as u64).map(|layer| kind(!layer.is_multiple_of(every))).collect())
        }
        None => wrong(format!("expected {name} to be flags or a number above 0")),
    }
}

/// The values of one architecture.
struct Fields<'a> {
    values: &'a HashMap<String, Value>,
    prefix: &'a str,
}

impl Fields<'_> {
    fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(&format!("{}.{name}", self.prefix))
    }

    /// A number from 1 on, which may be stated for each layer.
    fn size_if(&self, name: &str, most: u64) -> Result<Option<usize>, GgufError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let one = match value {
            Value::Array(all) => {
                all.first().filter(|first| all.iter().all(|value| value == *first))
            }
            value => Some(value),
        };
        let size = one.and_then(unsigned).filter(|n| (1..=most).contains(n));
        match size.and_then(|n| usize::try_from(n).ok()) {
            Some(size) => Ok(Some(size)),
            None => wrong(format!(
                "expected {}.{name} to be from 1 to {most}, the same for all layers, found {}",
                self.prefix,
                value.brief()
            )),
        }
    }

    fn size(&self, name: &str, most: u64) -> Result<usize, GgufError> {
        self.size_if(name, most)?
            .map_or_else(|| wrong(format!("expected {}.{name}, found none", self.prefix)), Ok)
    }

    /// The first that is there of some finite numbers from 0 on.
    fn first(&self, names: &[&str]) -> Result<Option<Json>, GgufError> {
        let there = names.iter().find_map(|name| self.get(name).map(|value| (name, value)));
        let Some((name, value)) = there else { return Ok(None) };
        let number = match value {
            // The number that its author wrote: the shortest one that reads as this.
            Value::F32(x) => x.to_string().parse().ok(),
            Value::F64(x) => Some(*x),
            // Of up to 53 bits all are there.
            value => unsigned(value).filter(|n| *n <= 1 << 53).map(|n| n as f64),
        };
        match number.filter(|x: &f64| x.is_finite() && *x >= 0.0) {
            Some(number) => Ok(Some(json!(number))),
            None => wrong(format!(
                "expected {}.{name} to be a number, found {}",
                self.prefix,
                value.brief()
            )),
        }
    }

    fn number(&self, name: &str) -> Result<Json, GgufError> {
        self.first(&[name])?
            .map_or_else(|| wrong(format!("expected {}.{name}, found none", self.prefix)), Ok)
    }
}

fn unsigned(value: &Value) -> Option<u64> {
    match value {
        Value::Unsigned(n) => Some(*n),
        Value::Signed(n) => u64::try_from(*n).ok(),
        _ => None,
    }
}

fn wrong<T>(what: impl Into<String>) -> Result<T, GgufError> {
    Err(GgufError::Config(what.into()))
}
