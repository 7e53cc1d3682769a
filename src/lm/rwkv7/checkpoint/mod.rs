//! RWKV-7 checkpoints as their authors publish them, in floating point, to the engine's tensors.
//!
//! Comes in: a folder of the Hugging Face hub, its tensors by the names of the reference code or those of `transformers`. Goes
//! out: the [`Weights`] that the engine computes with, quantised by the rule of docs/ARITHMETIC.md, section 8, so that a
//! checkpoint is the same model wherever it is loaded, and its archives decode anywhere.

mod layout;
#[cfg(feature = "hub")]
mod pth;
mod tensors;

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use layout::{Layout, Place};
use tensors::Tensors;

use super::config::Config;
use super::error::ModelError;
use super::weights::{Matrix, Source, Weights};
use crate::exact::{Activations, fpstate, layer_norm, quantise};
use crate::vocab::{START, Vocabulary};

/// What `config.json` says of such a checkpoint.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Stated {
    model_type: Option<String>,
    head_dim: Option<usize>,
    norm_eps: Option<f64>,
    #[serde(default)]
    tie_word_embeddings: bool,
}

impl Stated {
    /// Nothing if the file is one of this project's, or says nothing; an error if it is of an architecture that the exact engine does not
    /// compute.
    pub fn parse(json: &[u8]) -> Result<Option<Self>, ModelError> {
        let Ok(stated) = serde_json::from_slice::<Self>(json) else { return Ok(None) };
        match stated.model_type.as_deref() {
            Some("rwkv7") => Ok(Some(stated)),
            Some("lmz-rwkv7") | None => Ok(None),
            Some(kind) => Err(ModelError::NotExact { found: kind.escape_debug().to_string() }),
        }
    }
}

/// Whether a file that PyTorch wrote holds an RWKV-7 checkpoint.
#[cfg(feature = "hub")]
pub(crate) fn is_pth(file: &Path) -> bool {
    pth::Pth::open(file).is_ok_and(|pth| pth.shape("blocks.0.att.r_k").is_some())
}

/// How many elements each tensor has of a file that PyTorch wrote.
#[cfg(feature = "hub")]
pub(crate) fn elements(file: &Path) -> Option<Vec<u64>> {
    Some(pth::Pth::open(file).ok()?.elements())
}

/// A checkpoint's files.
pub(super) struct Files {
    tensors: Container,
    vocabulary: Words,
    /// Bytes of all of them.
    stored: usize,
}

/// What holds the tensors.
enum Container {
    /// `model.safetensors`, or the files that `model.safetensors.index.json` names.
    Safe(Vec<Vec<u8>>),
    /// A file that PyTorch wrote.
    #[cfg(feature = "hub")]
    Pth(std::path::PathBuf),
}

/// A vocabulary's file.
enum Words {
    /// Of the "World" models.
    World(Vec<u8>),
    /// `tokenizer.json`, of those that were trained on the Pile.
    ByteLevel(Vec<u8>),
}

/// Where `model.safetensors.index.json` says that tensors are.
#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

pub(crate) const TENSORS: &str = "model.safetensors";
pub(crate) const INDEX: &str = "model.safetensors.index.json";
/// The vocabulary of the "World" models.
pub(crate) const WORLD: &str = "rwkv_vocab_v20230424.txt";
/// Names of the vocabulary of the others.
pub(crate) const BYTE_LEVEL: [&str; 2] = ["tokenizer.json", "20B_tokenizer.json"];

/// The files that an index names, in the index's own folder.
pub(crate) fn parts(index: &[u8]) -> Result<Vec<String>, ModelError> {
    let wrong = |what: String| Err(ModelError::Container(format!("{INDEX}: {what}")));
    let index: Index = match serde_json::from_slice(index) {
        Ok(index) => index,
        Err(e) => return wrong(e.to_string()),
    };
    let mut names: Vec<String> = index.weight_map.into_values().collect();
    names.sort_unstable();
    names.dedup();
    match names.iter().find(|name| name.contains(['/', '\\'])) {
        Some(name) => wrong(format!("expected names of files, found {name}")),
        None => Ok(names),
    }
}

impl Files {
    /// Reads the files of a folder. The vocabulary may be elsewhere.
    pub fn read(folder: &Path, vocabulary: Option<&Path>) -> Result<Self, ModelError> {
        let read = |name: &str| read(&folder.join(name));
        let names = if folder.join(TENSORS).exists() { vec![TENSORS.to_owned()] } else { parts(&read(INDEX)?)? };
        let tensors: Vec<Vec<u8>> = names.iter().map(|name| read(name)).collect::<Result<_, _>>()?;
        let stored = tensors.iter().map(Vec::len).sum();
        Self::with(Container::Safe(tensors), stored, folder, vocabulary)
    }

    /// A checkpoint that PyTorch wrote, its vocabulary in the same folder or elsewhere.
    #[cfg(feature = "hub")]
    pub fn pth(path: &Path, vocabulary: Option<&Path>) -> Result<Self, ModelError> {
        let stored =
            std::fs::metadata(path).map_err(|source| ModelError::Checkpoint { path: path.to_owned(), source })?.len();
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::with(Container::Pth(path.to_owned()), stored as usize, folder, vocabulary)
    }

    fn with(tensors: Container, stored: usize, folder: &Path, vocabulary: Option<&Path>) -> Result<Self, ModelError> {
        let byte_level = BYTE_LEVEL.iter().map(|name| folder.join(name)).find(|path| path.exists());
        let world = folder.join(WORLD);
        let vocabulary = match (vocabulary, byte_level) {
            (Some(path), _) if path.extension().is_some_and(|e| e == "json") => Words::ByteLevel(read(path)?),
            (Some(path), _) => Words::World(read(path)?),
            (None, Some(path)) if !world.exists() => Words::ByteLevel(read(&path)?),
            _ => Words::World(read(&world)?),
        };
        let (Words::World(file) | Words::ByteLevel(file)) = &vocabulary;
        Ok(Self { tensors, stored: stored + file.len(), vocabulary })
    }

    /// How many bytes they have.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// The model in them.
    pub fn model(&self, stated: &Stated) -> Result<(Weights, Vocabulary), ModelError> {
        let tensors = match &self.tensors {
            Container::Safe(files) => Tensors::safe(files)?,
            #[cfg(feature = "hub")]
            Container::Pth(path) => Tensors::Pth(pth::Pth::open(path)?),
        };
        let transformers = tensors.shape("model.embeddings.weight").is_some();
        let layout = if transformers { Layout::Transformers } else { Layout::Reference };
        let mut checkpoint = Checkpoint { tensors, layout };
        let config = checkpoint.config(stated)?;
        config.check()?;
        let vocabulary = match &self.vocabulary {
            Words::World(file) => Vocabulary::parse_world(file, config.vocab),
            Words::ByteLevel(file) => Vocabulary::parse_byte_level(file, config.vocab),
        };
        let vocabulary = vocabulary.map_err(ModelError::Words)?;
        if !vocabulary.token(START).is_empty() {
            let found = vocabulary.token(START).escape_ascii();
            return Err(ModelError::Shape(format!(
                "expected a token 0 without text, which begins a document, found {found}"
            )));
        }
        let weights = fpstate::exact(|_| Weights::from_source(&config, &mut checkpoint))?;
        Ok((weights, vocabulary))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, ModelError> {
    std::fs::read(path).map_err(|source| ModelError::Checkpoint { path: path.to_owned(), source })
}

struct Checkpoint<'a> {
    tensors: Tensors<'a>,
    layout: Layout,
}

impl Checkpoint<'_> {
    /// The shape of the model, from the shapes of its tensors.
    fn config(&self, stated: &Stated) -> Result<Config, ModelError> {
        let number = |name: &str| {
            let rest = name.strip_prefix("blocks.").or(name.strip_prefix("model.layers."))?;
            rest.split('.').next()?.parse::<u16>().ok()
        };
        let layers = self.tensors.names().into_iter().filter_map(number).max().map_or(0, |last| usize::from(last) + 1);
        let outputs = |name: &str| Ok::<_, ModelError>(self.shape(name)?.0);
        let (vocab, hidden) = self.shape("emb")?;
        let head_size = match stated.head_dim {
            Some(head_size) => head_size,
            // The reference code has r_k as [H][N].
            None => self.find("blocks.0.att.r_k")?.1.last().copied().unwrap_or(0),
        };
        let wrong = |message: String| Err(ModelError::Config(message));
        if stated.tie_word_embeddings {
            return wrong("expected an embedding and a head of their own, found tie_word_embeddings".into());
        }
        // The arithmetic has both epsilons built in; that of the heads' norm is the other one's times their size.
        if stated.norm_eps.is_some_and(|eps| eps as f32 != 1e-5) || head_size != 64 {
            let eps = stated.norm_eps.unwrap_or(1e-5);
            return wrong(format!("expected head_dim 64 and norm_eps 0.00001, found {head_size} and {eps}"));
        }
        Ok(Config {
            activations: Activations::Int16,
            hidden,
            layers,
            head_size,
            vocab,
            intermediate: outputs("blocks.0.ffn.key")?,
            decay_rank: outputs("blocks.0.att.w1")?,
            a_rank: outputs("blocks.0.att.a1")?,
            v_rank: if layers > 1 { outputs("blocks.1.att.v1")? } else { 0 },
            gate_rank: outputs("blocks.0.att.g1")?,
        })
    }

    /// The place of a tensor by the engine's name, and its shape.
    fn find(&self, name: &str) -> Result<(Place, &[usize]), ModelError> {
        let place = self.layout.place(name);
        match self.tensors.shape(&place.name) {
            Some(shape) => Ok((place, shape)),
            None => Err(ModelError::Missing { name: place.name }),
        }
    }

    /// Outputs and inputs of a matrix.
    fn shape(&self, name: &str) -> Result<(usize, usize), ModelError> {
        let (place, shape) = self.find(name)?;
        match (shape, place.transposed) {
            ([outputs, inputs], false) | ([inputs, outputs], true) => Ok((*outputs, *inputs)),
            _ => Err(self.differs(place.name, "a matrix")),
        }
    }

    /// The finite numbers of a tensor, `[length]`.
    fn floats(&self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        let (Place { name, .. }, shape) = self.find(name)?;
        if shape.iter().try_fold(1usize, |all, n| all.checked_mul(*n)) != Some(length) {
            return Err(self.differs(name, &format!("of {length} elements")));
        }
        let Some(values) = self.tensors.floats(&name)? else {
            return Err(self.differs(name, "F32, BF16 or F16"));
        };
        match values.iter().position(|x| !x.is_finite()) {
            None => Ok(values),
            Some(position) => {
                let found = values[position].to_string();
                Err(ModelError::Value { name, expected: "finite numbers", found, position })
            }
        }
    }

    fn differs(&self, name: String, expected: &str) -> ModelError {
        let found = self.tensors.describe(&name);
        ModelError::Tensor { name, expected: expected.to_owned(), found }
    }
}

impl Source for Checkpoint<'_> {
    type Error = ModelError;

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        self.floats(name, length)
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, ModelError> {
        if self.shape(name)? != (outputs, inputs) {
            let (place, _) = self.find(name)?;
            return Err(self.differs(place.name, &format!("{outputs} outputs of {inputs} inputs")));
        }
        let mut values = self.floats(name, outputs * inputs)?;
        if self.layout.place(name).transposed {
            values = (0..outputs * inputs).map(|i| values[i % inputs * outputs + i / inputs]).collect();
        }
        if name == "emb" {
            let [weight, bias] = ["weight", "bias"].map(|part| self.floats(&format!("blocks.0.ln0.{part}"), inputs));
            let (weight, bias) = (weight?, bias?);
            values = fpstate::exact(|fp| {
                values.chunks(inputs).flat_map(|row| layer_norm(fp, row, &weight, &bias)).collect()
            });
        }
        let mut matrix = Matrix { weight: Vec::with_capacity(values.len()), scale: Vec::new(), outputs, inputs };
        for row in values.chunks(inputs) {
            let row = fpstate::exact(|fp| quantise(fp, row, Activations::Int8));
            matrix.weight.extend_from_slice(&row.low);
            matrix.scale.push(row.scale);
        }
        Ok(matrix)
    }
}
