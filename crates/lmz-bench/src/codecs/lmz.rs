//! lmz itself, with each of its predictors.

use super::FindError;
use crate::codec::{Codec, CodecFailure, ModelSize};
use crate::sample::Form;
use ::lmz::lm::Found;
use ::lmz::lm::rwkv7::{Model, ModelError};
use ::lmz::{DecoderOptions, EncoderOptions, Predictor};
use lmz_cli::hub::{self, Finder};

/// What names of codecs begin with that use a model without context mixing.
pub const UNMIXED: &str = "lmz-unmixed-";

/// lmz with the options of its command but for the predictor.
pub struct Lmz {
    name: String,
    options: EncoderOptions,
    decoding: DecoderOptions,
    model: Option<ModelSize>,
}

impl Lmz {
    /// `lmz-none`, `lmz-ppm`, `lmz-NAME` for a built-in model, `lmz:PATH` for a folder or a file;
    /// `lmz-unmixed-NAME` and `lmz-unmixed:PATH` without context mixing. Nothing if the name is of
    /// another kind.
    ///
    /// `threads`: as in [`find`](super::find).
    pub fn find(name: &str, threads: usize) -> Result<Option<Self>, FindError> {
        let (mix, named, path) = if let Some(path) = name.strip_prefix("lmz:") {
            (true, None, Some(path))
        } else if let Some(path) = name.strip_prefix("lmz-unmixed:") {
            (false, None, Some(path))
        } else if let Some(named) = name.strip_prefix(UNMIXED) {
            (false, Some(named), None)
        } else {
            (true, name.strip_prefix("lmz-"), None)
        };
        let (predictor, model) = match (named, path) {
            (Some("none"), _) if mix => (Predictor::None, None),
            (Some("ppm"), _) if mix => (Predictor::Ppm, None),
            (Some(named), _) if Model::builtin_names().any(|name| name == named) => {
                (Predictor::find(named)?, Some(size(&Model::find(named)?, true)))
            }
            (_, Some(path)) => {
                let (predictor, size) = open(path)?;
                (predictor, Some(size))
            }
            _ => return Ok(None),
        };
        let threads = threads.max(1);
        let options = EncoderOptions::new().predictor(predictor).mix(mix).threads(threads);
        let decoding = options.decoding();
        Ok(Some(Self { name: name.to_owned(), options, decoding, model }))
    }
}

impl Lmz {
    /// What it compresses with.
    pub fn options(&self) -> &EncoderOptions {
        &self.options
    }
}

/// The model at a path, even if it is called like a built-in model, or of the hub's cache.
fn open(path: &str) -> Result<(Predictor, ModelSize), FindError> {
    let own = Model::builtin_names().any(|name| name == path).then(|| format!("./{path}"));
    let found = hub::find(own.as_deref().unwrap_or(path), &Finder::default());
    let found = found.map_err(|error| match hub::is_unknown(&error) {
        true => FindError::Model(ModelError::Unknown { name: path.to_owned() }),
        false => FindError::Load(hub::message(path, &error)),
    })?;
    let size = match &found {
        Found::Exact(model) => size(model, false),
        Found::Transformer(model) => ModelSize {
            parameters: model.parameters(),
            stored: model.stored() as u64,
            built_in: false,
        },
        // Its weights are in 16 bits, as they are published.
        Found::DeviceBound(model) => ModelSize {
            parameters: model.parameters(),
            stored: 2 * model.parameters(),
            built_in: false,
        },
    };
    Ok((Predictor::of(found)?, size))
}

fn size(model: &Model, built_in: bool) -> ModelSize {
    ModelSize {
        parameters: model.weights().parameters() as u64,
        stored: model.stored() as u64,
        built_in,
    }
}

impl Codec for Lmz {
    fn name(&self) -> &str {
        &self.name
    }

    fn version(&self) -> String {
        let mix = if self.options.get_mix() { "" } else { " without context mixing" };
        let what = match self.options.get_predictor() {
            Some(Predictor::Ppm) => {
                let order = self.options.get_ppm_order();
                format!("PPM, order {order}, 2^{} bytes", self.options.get_ppm_memory())
            }
            Some(Predictor::Model(model)) => {
                format!("model {} {}{mix}", model.name(), model.identity())
            }
            Some(Predictor::DeviceBound(model)) => {
                format!("model {} {}{mix}", model.name(), model.identity())
            }
            _ => "context mixing alone".to_owned(),
        };
        format!("lmz {}, {what}", env!("CARGO_PKG_VERSION"))
    }

    fn model(&self) -> Option<ModelSize> {
        self.model
    }

    fn compress(&self, bytes: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        ::lmz::compress_with(bytes, &self.options).map_err(CodecFailure::of_lmz)
    }

    fn decompress(&self, coded: &[u8], _: &Form) -> Result<Vec<u8>, CodecFailure> {
        ::lmz::decompress_with(coded, &self.decoding).map_err(CodecFailure::of_lmz)
    }

    /// Many at once where there is a model: each archive is the same as alone.
    fn compress_each(&self, pieces: &[(&[u8], &Form)]) -> Result<Vec<Vec<u8>>, CodecFailure> {
        let messages: Vec<&[u8]> = pieces.iter().map(|(bytes, _)| *bytes).collect();
        ::lmz::compress_many(&messages, &self.options).map_err(CodecFailure::of_lmz)
    }
}
