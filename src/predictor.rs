//! What predicts, by name.

use crate::exact::fpstate::exact;
use crate::format::BLOCK;
use crate::lm::LoadedModel;
use crate::lm::device::DeviceBoundModel;
use crate::lm::rwkv7::ModelError;
use crate::lm::{self, Found};

/// What predicts the content.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Predictor {
    /// No model: context mixing alone.
    None,
    /// PPM, the baseline.
    Ppm,
    /// A neural language model, together with context mixing. A decoder needs the same model.
    Model(LoadedModel),
    /// Any other language model, computed by ordinary floating-point kernels (package `lmz-hub`). A
    /// decoder needs the same model, and a device that gives the same numbers.
    DeviceBound(DeviceBoundModel),
}

impl Predictor {
    /// The name of what predicts unless something else is asked for. The one place to change it.
    pub const DEFAULT: &str = "base";

    /// What a name stands for: `none`, `ppm`, a built-in model, or the path of a model folder.
    /// Models of the Hugging Face hub are found by the package `lmz-hub`.
    ///
    /// ```
    /// # #[cfg(feature = "nano")] {
    /// use lmz::{EncoderOptions, Predictor};
    ///
    /// let options = EncoderOptions::new().predictor(Predictor::find("nano")?);
    /// let text = b"What a small text needs is a model that knows the language.";
    /// let archive = lmz::compress_with(text, &options)?;
    /// assert!(archive.len() < 45);
    /// assert_eq!(lmz::decompress(&archive)?, text);
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn find(name_or_path: &str) -> Result<Self, ModelError> {
        match Self::named(name_or_path) {
            Some(found) => found,
            None => exact(|_| lm::ready(name_or_path, None)).map(Self::Model),
        }
    }

    /// What a name stands for that needs no file: `none`, `ppm` or a built-in model.
    pub fn named(name: &str) -> Option<Result<Self, ModelError>> {
        match name {
            "none" => Some(Ok(Self::None)),
            "ppm" => Some(Ok(Self::Ppm)),
            // Built-in models are loaded once.
            _ => exact(|_| LoadedModel::builtin(name)).map(|ready| ready.map(Self::Model)),
        }
    }

    /// What predicts if it is this model.
    pub fn of(found: Found) -> Result<Self, ModelError> {
        match found {
            Found::Exact(model) => LoadedModel::new(&model).map(Self::Model),
            Found::Transformer(model) => Ok(Self::Model(model.loaded().clone())),
            Found::DeviceBound(model) => Ok(Self::DeviceBound(model)),
        }
    }

    /// Bytes of a block unless something else is asked for.
    pub fn block_size(&self) -> usize {
        match self {
            Self::DeviceBound(model) => model.block(),
            _ => BLOCK,
        }
    }
}
