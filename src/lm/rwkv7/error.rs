//! What can be wrong with a model folder.

use std::io;
use std::path::PathBuf;

use crate::exact::VERSION;
use crate::exact::kernel::UnknownKernel;
use crate::format::printable;
use crate::vocab::VocabularyError;

/// Why a model cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// Neither a built-in model nor a folder.
    #[error(
        "no model {}: expected {}, the path of a model folder, or hf:OWNER/NAME of the Hugging \
        Face hub",
        printable(name),
        built_in()
    )]
    Unknown { name: String },
    /// A file of the folder cannot be read.
    #[error(
        "{}: {source}; a model folder holds config.json, vocab.txt and model.safetensors",
        printable(&path.display())
    )]
    File { path: PathBuf, source: io::Error },
    /// A file of a checkpoint's folder cannot be read.
    #[error(
        "{}: {source}; a folder with an RWKV-7 checkpoint holds config.json, model.safetensors \
        (or its index and parts) and \
         rwkv_vocab_v20230424.txt (or tokenizer.json)",
        printable(&path.display())
    )]
    Checkpoint { path: PathBuf, source: io::Error },
    /// A model that cannot be computed here.
    #[error(transparent)]
    DeviceBound(#[from] crate::lm::device::DeviceError),
    /// `config.json` is not what this engine can run.
    #[error("config.json: {}", printable(_0))]
    Config(String),
    /// Made for other arithmetic.
    #[error(
        "config.json: expected arithmetic {VERSION}, found {found}; another version of lmz can \
        run this model"
    )]
    Arithmetic { found: u32 },
    /// `vocab.txt` is no vocabulary.
    #[error("vocab.txt: {}", printable(_0))]
    Vocabulary(#[from] VocabularyError),
    /// The vocabulary of a checkpoint is none.
    #[error("its vocabulary: {}", printable(_0))]
    Words(VocabularyError),
    /// `model.safetensors` cannot be parsed.
    #[error("model.safetensors: {}", printable(_0))]
    Container(String),
    /// A tensor that a model of this kind has is not there.
    #[error("the tensor {} is missing", printable(name))]
    Missing { name: String },
    /// A tensor that no model of this kind has.
    #[error("the tensor {} is no part of an lmz-rwkv7 model", printable(name))]
    Unexpected { name: String },
    /// A tensor of another type or shape.
    #[error(
        "expected the tensor {} to be {}, found {}",
        printable(name),
        printable(expected),
        printable(found)
    )]
    Tensor { name: String, expected: String, found: String },
    /// A tensor holds what the arithmetic does not allow.
    #[error(
        "expected {expected} in the tensor {}, found {} at position {position}",
        printable(name),
        printable(found)
    )]
    Value { name: String, expected: &'static str, found: String, position: usize },
    /// `mixer.bin` is not of this version.
    #[error(
        "mixer.bin: expected {expected} bytes, found {found}; without this file the model can be \
        used too"
    )]
    Mixer { expected: usize, found: usize },
    /// A file that PyTorch should have written.
    #[error("{}: {}", printable(&path.display()), printable(what))]
    Pth { path: PathBuf, what: String },
    /// A model that the exact engine does not compute.
    #[error(
        "config.json: found the architecture {}{}, expected RWKV-7 (model_type rwkv7, or \
        lmz-rwkv7 of this project)",
        printable(name),
        model_type.as_ref().map_or_else(String::new, |kind| format!(" (model_type \
            {})", printable(kind)))
    )]
    Architecture { name: String, model_type: Option<String> },
    /// A model that is too large for the machine, or for what the caller allows.
    #[error(
        "needs about {} of memory to be loaded, and {} is {}",
        size(*needed),
        size(*available),
        if *stated { "allowed" } else { "available" }
    )]
    Memory { needed: u64, available: u64, stated: bool },
    /// The environment asks for a kernel that there is not.
    #[error(transparent)]
    Kernel(#[from] UnknownKernel),
    /// What this library leaves to others.
    #[error(
        "{} is not something that this lmz does by itself; with the package lmz-hub it does",
        printable(what)
    )]
    Unsupported { what: String },
    /// Sizes that no model can have, or that contradict each other.
    #[error("{}", printable(_0))]
    Shape(String),
}

/// Bytes in a unit that people read, to one decimal place. In integers, because a message is made
/// wherever it is asked for, also where an inexact operation would trap.
fn size(bytes: u64) -> String {
    let (unit, name) =
        if bytes < 1_000_000_000 { (1_000_000, "MB") } else { (1_000_000_000, "GB") };
    let tenths = u128::from(bytes) * 10;
    let tenths = (tenths + unit / 2) / unit;
    format!("{}.{} {name}", tenths / 10, tenths % 10)
}

fn built_in() -> String {
    let names: Vec<_> = super::builtin::names().collect();
    if names.is_empty() { "(this build has no built-in models)".into() } else { names.join(", ") }
}
