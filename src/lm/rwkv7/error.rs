//! What can be wrong with a model folder.

use std::io;
use std::path::PathBuf;

use crate::exact::VERSION;
use crate::vocab::VocabularyError;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Neither a built-in model nor a folder.
    #[error("no model {name}: expected {} or the path of a model folder", built_in())]
    Unknown { name: String },
    /// A file of the folder cannot be read.
    #[error("{}: {source}; a model folder holds config.json, vocab.txt and model.safetensors", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A file of a checkpoint's folder cannot be read.
    #[error(
        "{}: {source}; a folder with an RWKV-7 checkpoint holds config.json, model.safetensors (or its index and parts) and \
         rwkv_vocab_v20230424.txt",
        path.display()
    )]
    Checkpoint { path: PathBuf, source: io::Error },
    /// A file of a hub model's folder cannot be read.
    #[error(
        "{}: {source}; the folder of a hub model holds config.json, tokenizer.json and model.safetensors (or its index and parts)",
        path.display()
    )]
    HubFile { path: PathBuf, source: io::Error },
    /// Of a model that this program does not compute.
    #[error("config.json: no architecture {found}; supported are RWKV-7 and {supported}")]
    Architecture { found: String, supported: String },
    /// A model for candle, in a build without it.
    #[error("config.json: {found} is computed by candle; this lmz is built without it: build one with the feature hub")]
    NoHub { found: String },
    /// `tokenizer.json` cannot be used.
    #[cfg(feature = "hub")]
    #[error("tokenizer.json: {0}")]
    Tokenizer(#[from] crate::vocab::hub::TokenizerError),
    /// A model that cannot be computed here.
    #[error(transparent)]
    Bound(#[from] crate::lm::bound::BoundError),
    /// `config.json` is not what this engine can run.
    #[error("config.json: {0}")]
    Config(String),
    /// Made for other arithmetic.
    #[error("config.json: expected arithmetic {VERSION}, found {found}; another version of lmz can run this model")]
    Arithmetic { found: u32 },
    /// `vocab.txt` is no vocabulary.
    #[error("vocab.txt: {0}")]
    Vocabulary(#[from] VocabularyError),
    /// `model.safetensors` cannot be parsed.
    #[error("model.safetensors: {0}")]
    Container(String),
    /// A tensor that a model of this kind has is not there.
    #[error("model.safetensors: the tensor {name} is missing")]
    Missing { name: String },
    /// A tensor that no model of this kind has.
    #[error("model.safetensors: the tensor {name} is no part of an lmz-rwkv7 model")]
    Unexpected { name: String },
    /// A tensor of another type or shape.
    #[error("model.safetensors: expected {name} to be {expected}, found {found}")]
    Tensor { name: String, expected: String, found: String },
    /// A tensor holds what the arithmetic does not allow.
    #[error("model.safetensors: expected {expected} in {name}, found {found} at position {position}")]
    Value { name: String, expected: &'static str, found: String, position: usize },
    /// `mixer.bin` is not of this version.
    #[error(
        "mixer.bin: expected {} bytes, found {found}; without this file the model can be used too",
        crate::mix::Start::MODEL_BYTES
    )]
    Mixer { found: usize },
    /// Sizes that no model can have, or that contradict each other.
    #[error("{0}")]
    Shape(String),
}

fn built_in() -> String {
    let names: Vec<_> = super::builtin::names().collect();
    if names.is_empty() { "(this build has no built-in models)".into() } else { names.join(", ") }
}
