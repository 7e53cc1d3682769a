//! What computes a model, by its `config.json`.

use std::path::Path;

use lmz::lm::architecture::Architecture;

use crate::HubError;

/// Architectures that candle computes, by their names in `config.json`.
pub const CANDLE: [&str; 16] = [
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "GemmaForCausalLM",
    "Gemma2ForCausalLM",
    "Gemma3ForCausalLM",
    MAMBA,
    OTHERS[0],
    OTHERS[1],
    OTHERS[2],
    OTHERS[3],
    OTHERS[4],
    OTHERS[5],
    OTHERS[6],
    OTHERS[7],
];

/// The one of them that is no transformer.
pub const MAMBA: &str = "MambaForCausalLM";

/// Those of them that are computed by the code of candle-transformers; the others by lmz's own over
/// candle, or by the exact engine where no device and no type of numbers is asked for.
pub const OTHERS: [&str; 8] = [
    "PhiForCausalLM",
    "Phi3ForCausalLM",
    "StableLmForCausalLM",
    "OlmoForCausalLM",
    "Olmo2ForCausalLM",
    "Starcoder2ForCausalLM",
    "GPTBigCodeForCausalLM",
    "SmolLM3ForCausalLM",
];

/// What computes a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The exact engine of `lmz`.
    Exact,
    /// The exact engine as a transformer, or candle.
    Transformer,
    /// Candle.
    Candle,
}

/// What computes the model at a path.
pub fn at(path: &Path) -> Result<Engine, HubError> {
    engine(Architecture::at(path))
}

/// What computes the model that the content of `config.json` is of.
pub fn of(config: &[u8]) -> Result<Engine, HubError> {
    engine(Architecture::of(config))
}

fn engine(architecture: Architecture) -> Result<Engine, HubError> {
    match architecture {
        Architecture::Rwkv7 => Ok(Engine::Exact),
        Architecture::Other { name, .. } if name == MAMBA || OTHERS.contains(&name.as_str()) => {
            Ok(Engine::Candle)
        }
        Architecture::Other { name, .. } if CANDLE.contains(&name.as_str()) => {
            Ok(Engine::Transformer)
        }
        Architecture::Other { name, model_type } => {
            let kind = model_type.map_or_else(String::new, |kind| format!(" (model_type {kind})"));
            Err(HubError::Architecture { found: format!("{name}{kind}") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_computes_what() {
        assert_eq!(of(br#"{"model_type": "rwkv7"}"#).unwrap(), Engine::Exact);
        assert_eq!(
            of(br#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}"#).unwrap(),
            Engine::Transformer
        );
        for (other, named) in [
            (
                r#"{"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}"#,
                "T5ForConditionalGeneration (model_type t5)",
            ),
            (r#"{"model_type": "bert"}"#, "bert"),
            ("{\"architectures\": [\"\\u001b[31m\"]}", "\\u{1b}[31m"),
        ] {
            let message = of(other.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(named) && message.contains("Qwen3ForCausalLM"), "{message}");
        }
    }
}
