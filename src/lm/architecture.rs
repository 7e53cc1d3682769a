//! What computes a model, by its `config.json`.

use std::path::Path;

use serde::Deserialize;

use super::file::{self, most};
use super::rwkv7::ModelError;

/// Architectures that candle computes (feature `hub`), by their names in `config.json`.
pub const CANDLE: [&str; 8] = [
    "LlamaForCausalLM",
    "MistralForCausalLM",
    "Qwen2ForCausalLM",
    "Qwen3ForCausalLM",
    "GemmaForCausalLM",
    "Gemma2ForCausalLM",
    "Gemma3ForCausalLM",
    "MambaForCausalLM",
];

/// What computes a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Exact,
    #[cfg(feature = "hub")]
    Candle,
}

/// What computes the model at a path. Where no `config.json` can be read that says it, the exact engine says what it misses.
pub fn at(path: &Path) -> Result<Engine, ModelError> {
    match file::read(&path.join("config.json"), most::CONFIG) {
        Ok(config) => of(&config),
        Err(_) => Ok(Engine::Exact),
    }
}

/// The same, by the content of `config.json`.
pub fn of(config: &[u8]) -> Result<Engine, ModelError> {
    #[derive(Deserialize)]
    struct Stated {
        model_type: Option<String>,
        #[serde(default)]
        architectures: Vec<String>,
    }
    let Ok(Stated { model_type, architectures }) = serde_json::from_slice(config) else { return Ok(Engine::Exact) };
    let found = match (model_type.as_deref(), architectures.first()) {
        (Some("rwkv7" | "lmz-rwkv7"), _) | (None, None) => return Ok(Engine::Exact),
        (_, Some(name)) => name.as_str(),
        (Some(kind), None) => kind,
    };
    if !CANDLE.contains(&found) {
        let kind = model_type.as_deref().map_or_else(String::new, |kind| format!(" (model_type {kind})"));
        return Err(ModelError::Architecture { found: format!("{found}{kind}") });
    }
    #[cfg(feature = "hub")]
    return Ok(Engine::Candle);
    #[cfg(not(feature = "hub"))]
    Err(ModelError::NoHub { what: format!("a model of the architecture {found}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_computes_what() {
        for exact in [
            r#"{"model_type": "rwkv7", "architectures": ["RWKV7ForCausalLM"]}"#,
            r#"{"model_type": "lmz-rwkv7"}"#,
            r#"{"hidden_size": 64}"#,
            "no JSON",
        ] {
            assert_eq!(of(exact.as_bytes()).unwrap(), Engine::Exact, "{exact}");
        }
        let llama = of(br#"{"model_type": "llama", "architectures": ["LlamaForCausalLM"]}"#);
        #[cfg(feature = "hub")]
        assert_eq!(llama.unwrap(), Engine::Candle);
        #[cfg(not(feature = "hub"))]
        assert!(llama.unwrap_err().to_string().contains("LlamaForCausalLM needs an lmz with the feature hub"));
        for (other, named) in [
            (
                r#"{"model_type": "t5", "architectures": ["T5ForConditionalGeneration"]}"#,
                "T5ForConditionalGeneration (model_type t5)",
            ),
            (r#"{"model_type": "bert"}"#, "bert (model_type bert)"),
            ("{\"architectures\": [\"\\u001b[31m\"]}", "\\u{1b}[31m"),
        ] {
            let message = of(other.as_bytes()).unwrap_err().to_string();
            assert!(message.contains(named) && message.contains("Qwen3ForCausalLM"), "{message}");
        }
    }
}
