//! A transformer that has been read and packed.

use std::sync::Arc;

use super::config::Config;
use super::identity::Hasher;
use super::network::Packer;
use super::weights::{Layer, Source, Tensors};
use crate::exact::fpstate::exact;
use crate::exact::kernel::Kernel;
use crate::format::HubName;
use crate::lm::engine::Network;
use crate::lm::loaded::{self, LoadedModel, Reading};
use crate::lm::rwkv7::{Identity, ModelError};
use crate::mix::Prior;
use crate::vocab::{START, Segmenter, Vocabulary};

/// A transformer ready to predict.
#[derive(Debug, Clone)]
pub struct Model {
    loaded: LoadedModel,
    config: Arc<Config>,
    architecture: Arc<str>,
    parameters: u64,
    stored: usize,
}

/// What a transformer is made of, beside its tensors.
#[derive(Debug)]
pub struct Parts<'a> {
    /// What it is called.
    pub name: &'a str,
    /// What its configuration calls its architecture.
    pub architecture: &'a str,
    pub config: Config,
    /// Its tokens. Token 0 is empty: it begins a document.
    pub vocabulary: Arc<Vocabulary>,
    /// What cuts texts for it.
    pub segmenter: Arc<dyn Segmenter>,
    /// What context mixing begins with beside it, if it has something of its own.
    pub mixer: Option<&'a [u8]>,
    /// Bytes of its files.
    pub stored: usize,
}

impl Model {
    /// Takes all tensors from a source, layer by layer, and packs them for the kernel that is
    /// chosen.
    ///
    /// # Errors
    ///
    /// Those of the source; if the shape or the vocabulary cannot be.
    pub fn new(
        parts: Parts,
        source: &mut impl Source<Error = ModelError>,
    ) -> Result<Self, ModelError> {
        exact(|fp| {
            let Parts { name, architecture, config, vocabulary, segmenter, mixer, stored } = parts;
            config.check()?;
            if vocabulary.len() != config.vocab || !vocabulary.token(START).is_empty() {
                return Err(ModelError::Shape(format!(
                    "expected {} tokens, the first without text, found {}",
                    config.vocab,
                    vocabulary.len()
                )));
            }
            let mut hasher = Hasher::new(&config, &vocabulary);
            let mut packer = Packer::new(&config, Kernel::chosen()?)?;
            let mut source = Tensors { fp, source };
            let embedding = source.embedding(&config)?;
            hasher.matrix(&embedding);
            let mut parameters = embedding.weight.len() + config.hidden;
            for number in 0..config.layers() {
                let layer = Layer::take(&config, number, &mut source)?;
                hasher.layer(&layer);
                packer.layer(&layer);
                parameters += layer.parameters();
            }
            let (norm, head) = source.end(&config)?;
            hasher.vector(Some(&norm));
            if let Some(head) = &head {
                hasher.matrix(head);
                parameters += head.weight.len();
            }
            let identity = hasher.finish(mixer);
            let network = packer.finish(embedding, &norm, head.as_ref(), &vocabulary);
            let loaded = LoadedModel::from_parts(loaded::Parts {
                name: name.to_owned(),
                identity,
                reading: Reading::Own(segmenter),
                vocabulary,
                network: Arc::new(Network::Transformer(network)),
                start: match mixer {
                    None => Prior::with_transformer(fp),
                    Some(bytes) => {
                        Arc::new(Prior::of_transformer(fp, bytes).ok_or(ModelError::Mixer {
                            expected: Prior::TRANSFORMER_BYTES,
                            found: bytes.len(),
                        })?)
                    }
                },
            });
            let (config, architecture) = (Arc::new(config), architecture.into());
            Ok(Self { loaded, config, architecture, parameters: parameters as u64, stored })
        })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        self.loaded.name()
    }

    /// What archives name it by.
    pub fn identity(&self) -> Identity {
        self.loaded.identity()
    }

    /// What its configuration calls its architecture.
    pub fn architecture(&self) -> &str {
        &self.architecture
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// How many trained numbers it has.
    pub fn parameters(&self) -> u64 {
        self.parameters
    }

    /// The bytes of its files.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// The model, to predict with.
    pub fn loaded(&self) -> &LoadedModel {
        &self.loaded
    }

    /// The model with a name on the hub, where it was got.
    pub fn with_origin(self, origin: HubName) -> Self {
        Self { loaded: self.loaded.with_origin(origin), ..self }
    }

    /// The model with another number of tokens of context.
    ///
    /// # Errors
    ///
    /// If it cannot be computed with so many.
    pub fn with_context(self, context: Option<usize>) -> Result<Self, ModelError> {
        Ok(Self { loaded: self.loaded.with_context(context)?, ..self })
    }
}

impl Layer {
    /// How many numbers it has.
    fn parameters(&self) -> usize {
        let Self { attention, gate, up, down, .. } = self;
        let linear = [&attention.query, &attention.key, &attention.value, &attention.output];
        let biases = linear.iter().filter_map(|l| l.bias.as_ref());
        let norms = [
            Some(&self.input_norm),
            Some(&self.inner_norm),
            self.attention_norm.as_ref(),
            self.outer_norm.as_ref(),
        ];
        let heads = attention.head_norms.iter().flatten();
        linear.iter().map(|l| l.matrix.weight.len()).sum::<usize>()
            + [gate, up, down].iter().map(|m| m.weight.len()).sum::<usize>()
            + biases.chain(norms.into_iter().flatten()).chain(heads).map(Vec::len).sum::<usize>()
    }
}
