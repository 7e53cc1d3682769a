//! Which models the exact engine computes, by their `config.json`.

use std::path::Path;

use serde::Deserialize;

use super::file::{self, most};
use super::rwkv7::ModelError;

/// What `config.json` says of the kind of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Architecture {
    /// RWKV-7, or nothing that could be another: the exact engine says what it misses.
    Rwkv7,
    /// Another, by the first of its `architectures`, or else its `model_type`.
    Other {
        /// Its name.
        name: String,
        /// What `model_type` says beside it.
        model_type: Option<String>,
    },
}

impl Architecture {
    /// The architecture of the model at a path.
    pub fn at(path: &Path) -> Self {
        file::read(&path.join("config.json"), most::CONFIG)
            .map_or(Self::Rwkv7, |config| Self::of(&config))
    }

    /// The architecture that the content of `config.json` names.
    pub fn of(config: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct ConfigJson {
            model_type: Option<String>,
            #[serde(default)]
            architectures: Vec<String>,
        }
        let Ok(ConfigJson { model_type, architectures }) = serde_json::from_slice(config) else {
            return Self::Rwkv7;
        };
        match (model_type.as_deref(), architectures.into_iter().next()) {
            (Some("rwkv7" | "lmz-rwkv7"), _) | (None, None) => Self::Rwkv7,
            (_, Some(name)) => Self::Other { name, model_type },
            (Some(kind), None) => Self::Other { name: kind.to_owned(), model_type: None },
        }
    }
}

/// An error if the model at a path is of an architecture that the exact engine does not compute.
pub(super) fn check(path: &Path) -> Result<(), ModelError> {
    match Architecture::at(path) {
        Architecture::Rwkv7 => Ok(()),
        Architecture::Other { name, model_type } => {
            Err(ModelError::Architecture { name, model_type })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_are_computed_exactly() {
        for exact in [
            r#"{"model_type": "rwkv7", "architectures": ["RWKV7ForCausalLM"]}"#,
            r#"{"model_type": "lmz-rwkv7"}"#,
            r#"{"hidden_size": 64}"#,
            "no JSON",
        ] {
            assert_eq!(Architecture::of(exact.as_bytes()), Architecture::Rwkv7, "{exact}");
        }
        for (other, name, kind) in [
            (r#"{"model_type": "t5", "architectures": ["T5Model"]}"#, "T5Model", Some("t5")),
            (r#"{"model_type": "bert"}"#, "bert", None),
            (r#"{"architectures": ["Unnamed"]}"#, "Unnamed", None),
        ] {
            let found = Architecture::of(other.as_bytes());
            assert_eq!(
                found,
                Architecture::Other { name: name.into(), model_type: kind.map(str::to_owned) }
            );
        }
    }
}
