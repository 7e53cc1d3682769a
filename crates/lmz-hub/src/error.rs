//! What can go wrong with models of the hub.

use std::io;
use std::path::PathBuf;

use lmz::format::{HubName, printable};
use lmz::lm::device::DeviceError;
use lmz::lm::rwkv7::ModelError;

use crate::architecture::CANDLE;
use crate::gguf::GgufError;
use crate::tokenizer::TokenizerError;

/// Why a model could not be got, or not be found in the cache.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// Not a name that the hub gives.
    #[error(
        "expected hf:OWNER/NAME, and after it /FILE (.pth, .gguf) or @REVISION where wanted, of letters, \
        digits, dots, dashes and underscores; found \
         {0:?}"
    )]
    Name(String),
    /// The hub wants to know who asks.
    #[error(
        "{name}: the hub says 401: no such repository, or it is private or gated and needs a \
        token; check the name, set HF_TOKEN (make one at \
         {}/settings/tokens), or save it with `hf auth login`",
        printable(endpoint)
    )]
    Token { name: HubName, endpoint: String },
    /// The hub knows who asks and does not give it.
    #[error(
        "{name}: the hub says 403: access is granted on request; ask for it at {}/{}, with the \
        account of your token",
        printable(endpoint),
        name.repository()
    )]
    Gated { name: HubName, endpoint: String },
    /// There is no such repository.
    #[error("{name}: there is no repository {} at {} (404); check the \
        name", name.repository(), printable(endpoint))]
    NoRepository { name: HubName, endpoint: String },
    /// There is no such branch, tag or commit.
    #[error("{name}: the repository has no revision {} (404)", name.revision())]
    NoRevision { name: HubName },
    /// A file is not in the repository.
    #[error("{name}: the repository has no file {}; {}", printable(file), printable(advice))]
    NoFile { name: HubName, file: String, advice: String },
    /// There is more than one model to choose from.
    #[error("{name}: it holds several checkpoints; name one of them:{}", list(names))]
    Several { name: HubName, names: Vec<HubName> },
    /// No answer.
    #[error(
        "{name}: no answer from {}: {}; check the network and HF_ENDPOINT",
        printable(endpoint),
        printable(what)
    )]
    Network { name: HubName, endpoint: String, what: String },
    /// The hub said something else than was expected.
    #[error(
        "{name}: expected {} from {}, found status {status}; try again later",
        printable(file),
        printable(endpoint)
    )]
    Status { name: HubName, file: String, endpoint: String, status: u16 },
    /// Cut off again and again.
    #[error(
        "{name}: {} broke off after {have} of {size} bytes: {}; the same command goes on from \
        there",
        printable(file),
        printable(what)
    )]
    Interrupted { name: HubName, file: String, have: u64, size: u64, what: String },
    /// Another content than the hub's own check says.
    #[error(
        "{name}: {} is not what the hub says it is ({}); it was thrown away, try again",
        printable(file),
        printable(what)
    )]
    Damaged { name: HubName, file: String, what: String },
    /// Someone else gets it.
    #[error(
        "{name}: {} is being downloaded by another program; wait for it, or end it",
        printable(file)
    )]
    Busy { name: HubName, file: String },
    /// Not allowed to ask, and not there.
    #[error(
        "{name} is not in the cache ({}), and nothing is downloaded offline",
        printable(&cache.display())
    )]
    Offline { name: HubName, cache: PathBuf },
    /// Not in the cache.
    #[error("{name} is not in the cache ({})", printable(&cache.display()))]
    NotCached { name: HubName, cache: PathBuf },
    /// A checkpoint whose vocabulary is not known.
    #[error(
        "{name}: the repository has no vocabulary ({}), and no other in the cache has the one of \
        the World models",
        lmz::lm::rwkv7::checkpoint::WORLD
    )]
    NoVocabulary { name: HubName },
    /// What is on the hub cannot be computed here.
    #[error("{name}: {source}")]
    Model { name: HubName, source: Box<HubError> },
    /// A model cannot be loaded.
    #[error(transparent)]
    Load(#[from] ModelError),
    /// A device-bound model cannot be computed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// A file of a hub model's folder cannot be read.
    #[error(
        "{}: {source}; the folder of a hub model holds config.json, tokenizer.json and \
        model.safetensors (or its index and parts)",
        printable(&path.display())
    )]
    File { path: PathBuf, source: io::Error },
    /// `tokenizer.json` cannot be used.
    #[error("tokenizer.json: {}", printable(_0))]
    Tokenizer(#[from] TokenizerError),
    /// A GGUF file cannot be used.
    #[error(transparent)]
    Gguf(#[from] GgufError),
    /// A model that is not computed here.
    #[error(
        "config.json: found the architecture {}; lmz computes RWKV-7 (model_type rwkv7, and \
        lmz-rwkv7 of this project) and {}; \
         use another model",
        printable(found),
        CANDLE.join(", ")
    )]
    Architecture { found: String },
    /// The cache cannot be used.
    #[error("{}: {source}", printable(&path.display()))]
    Cache { path: PathBuf, source: io::Error },
    /// What came from the hub cannot be used.
    #[error("{name}: {}", printable(what))]
    Other { name: HubName, what: String },
    /// No client can be made of the settings.
    #[error("the settings of the hub's client (HF_ENDPOINT and others): {}", printable(_0))]
    Settings(String),
}

fn list(names: &[HubName]) -> String {
    names.iter().map(|name| format!("\n  {name}")).collect()
}
