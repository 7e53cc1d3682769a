//! What predicts, by name.

use crate::exact::fpstate::exact;
use crate::lm::bound::Bound;
use crate::lm::rwkv7::{ModelError, Ready};
use crate::lm::{Finder, Found};
use crate::options::Options;

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
    pub const DEFAULT: &str = "base";

    /// What a name stands for: `none`, `ppm`, a built-in model, the path of a model folder, or a name of the hub (`hf:OWNER/NAME`).
    ///
    /// ```
    /// # #[cfg(feature = "embed")] {
    /// use lmz::{Options, Predictor};
    ///
    /// let options = Options { predictor: Predictor::find("nano")?, ..Options::default() };
    /// let archive = lmz::compress(b"What a small text needs is a model that knows the language.", &options);
    /// assert!(archive.len() < 45);
    /// assert_eq!(lmz::decompress(&archive).unwrap().len(), 59);
    /// # }
    /// # Ok::<(), lmz::lm::rwkv7::ModelError>(())
    /// ```
    pub fn find(name_or_path: &str) -> Result<Self, ModelError> {
        Self::find_with(name_or_path, &Finder::default())
    }

    /// The same, found in a way that the caller says.
    pub fn find_with(name_or_path: &str, finder: &Finder) -> Result<Self, ModelError> {
        exact(|_| Self::load(name_or_path, finder))
    }

    fn load(name_or_path: &str, finder: &Finder) -> Result<Self, ModelError> {
        match name_or_path {
            "none" => return Ok(Self::None),
            "ppm" => return Ok(Self::Ppm),
            _ => {}
        }
        // Built-in models are loaded once.
        if let Some(built_in) = Ready::builtin(name_or_path) {
            return built_in.map(Self::Model);
        }
        match finder.find(name_or_path)? {
            Found::Exact(model) => Ready::new(&model).map(Self::Model),
            Found::Bound(model) => Ok(Self::Bound(model)),
        }
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
