//! What predicts, by name.

use std::path::Path;

use crate::encoder::Options;
use crate::lm::bound::{Bound, Settings};
use crate::lm::rwkv7::{Model, ModelError, Ready};

/// What predicts the content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Predictor {
    /// No model: context mixing alone.
    None,
    /// PPM, the baseline.
    Ppm,
    /// A neural language model, together with context mixing. A decoder needs the same model.
    Model(Ready),
    /// Any other language model, computed by ordinary floating-point kernels (feature `hub`). A decoder needs the same model,
    /// and a device that gives the same numbers.
    Bound(Bound),
}

impl Predictor {
    /// The name of what predicts unless something else is asked for. The one place to change it.
    pub const DEFAULT: &str = "nano";

    /// What a name stands for: `none`, `ppm`, a built-in model, or else the path of a model folder.
    ///
    /// ```
    /// # #[cfg(feature = "embed")] {
    /// use lmz::{Options, Predictor};
    ///
    /// // The default where it is built in.
    /// let options = Options { predictor: Predictor::find("nano")?, ..Options::default() };
    /// let archive = lmz::compress(b"What a small text needs is a model that knows the language.", &options);
    /// assert!(archive.len() < 45);
    /// assert_eq!(lmz::decompress(&archive).unwrap().len(), 59);
    /// # }
    /// # Ok::<(), lmz::lm::rwkv7::ModelError>(())
    /// ```
    pub fn find(name_or_path: &str) -> Result<Self, ModelError> {
        Self::find_with(name_or_path, &Settings::default())
    }

    /// The same, with what a device-bound model needs.
    pub fn find_with(name_or_path: &str, settings: &Settings) -> Result<Self, ModelError> {
        let path = Path::new(name_or_path);
        match name_or_path {
            "none" => Ok(Self::None),
            "ppm" => Ok(Self::Ppm),
            _ if Model::builtin_names().all(|name| name != name_or_path) && path.exists() => Self::open(path, settings),
            _ => Ready::find(name_or_path).map(Self::Model),
        }
    }

    /// The model in a folder: of this project and RWKV-7 checkpoints for the exact engine, any other for candle (feature `hub`).
    pub fn open(folder: &Path, settings: &Settings) -> Result<Self, ModelError> {
        match for_candle(folder) {
            None => Ready::new(&Model::open(folder)?).map(Self::Model),
            Some(found) => computed(folder, settings, found).map(Self::Bound),
        }
    }

    /// The model at a path, if it is one that the exact engine does not compute.
    pub fn device_bound(path: &str) -> Option<Result<Bound, ModelError>> {
        let built_in = Model::builtin_names().any(|name| name == path);
        let found = for_candle(Path::new(path)).filter(|_| !built_in)?;
        Some(computed(Path::new(path), &Settings::default(), found))
    }

    /// Bytes of a block unless something else is asked for.
    pub fn block(&self) -> usize {
        match self {
            Self::Bound(model) => model.block(),
            _ => Options::BLOCK,
        }
    }
}

impl Default for Predictor {
    /// [`DEFAULT`](Self::DEFAULT), or context mixing alone where that is not built in.
    fn default() -> Self {
        Self::find(Self::DEFAULT).unwrap_or(Self::None)
    }
}

/// What `config.json` calls a model that the exact engine does not compute.
fn for_candle(folder: &Path) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Stated {
        model_type: Option<String>,
        architectures: Option<Vec<String>>,
    }
    let json = std::fs::read(folder.join("config.json")).ok()?;
    let Stated { model_type, architectures } = serde_json::from_slice(&json).ok()?;
    // Without either the engine's own message is the better one.
    let found = architectures.and_then(|names| names.into_iter().next()).or(model_type.clone())?;
    (!matches!(model_type.as_deref(), Some("rwkv7" | "lmz-rwkv7"))).then_some(found)
}

#[cfg(feature = "hub")]
fn computed(folder: &Path, settings: &Settings, _: String) -> Result<Bound, ModelError> {
    crate::lm::hub::open(folder, settings)
}

#[cfg(not(feature = "hub"))]
fn computed(_: &Path, _: &Settings, found: String) -> Result<Bound, ModelError> {
    Err(ModelError::NoHub { found })
}
