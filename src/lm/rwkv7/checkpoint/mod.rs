//! RWKV-7 checkpoints as their authors publish them, in floating point, to the engine's tensors.
//!
//! Comes in: a folder of the Hugging Face hub, its tensors by the names of the reference code or
//! those of `transformers`. Goes out: the [`Weights`] that the engine computes with, quantised by
//! the rule of docs/ARITHMETIC.md, section 8, so that a checkpoint is the same model wherever it is
//! loaded, and its archives decode anywhere.

mod layout;
mod tensors;

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use layout::{Layout, Place};
use tensors::Tensors;
pub use tensors::{CheckpointTensors, Float, numbers};

use super::config::Config;
use super::error::ModelError;
use super::weights::{Matrix, Source, Weights};
use crate::exact::{Activations, fpstate, layer_norm, quantise};
use crate::lm::file::{self, most};
use crate::vocab::{START, Vocabulary};

/// What `config.json` says of such a checkpoint.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ConfigJson {
    model_type: Option<String>,
    head_dim: Option<usize>,
    norm_eps: Option<f64>,
    #[serde(default)]
    tie_word_embeddings: bool,
}

impl ConfigJson {
    /// Nothing if the file is one of this project's, or says nothing; an error if it is of an
    /// architecture that the exact engine does not compute.
    pub fn parse(json: &[u8]) -> Result<Option<Self>, ModelError> {
        let Ok(stated) = serde_json::from_slice::<Self>(json) else { return Ok(None) };
        match stated.model_type.as_deref() {
            Some("rwkv7") => Ok(Some(stated)),
            Some("lmz-rwkv7") | None => Ok(None),
            Some(kind) => Err(ModelError::Architecture { name: kind.to_owned(), model_type: None }),
        }
    }
}

/// A checkpoint's files: `model.safetensors`, or those that `model.safetensors.index.json` names.
pub(super) struct Files {
    tensors: Vec<Vec<u8>>,
    vocabulary: Words,
    /// Bytes of all of them.
    stored: usize,
}

/// A vocabulary's file.
pub(super) struct Words {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Words {
    /// The vocabulary's file in a folder, unless it is said to be elsewhere.
    pub fn find(folder: &Path, vocabulary: Option<&Path>) -> Result<Self, ModelError> {
        let byte_level = BYTE_LEVEL.iter().map(|name| folder.join(name)).find(|path| path.exists());
        let world = folder.join(WORLD);
        let path = match (vocabulary, byte_level) {
            (Some(path), _) => path.to_owned(),
            (None, Some(path)) if !world.exists() => path,
            _ => world,
        };
        Ok(Self { bytes: read(&path, most::WORDS)?, path })
    }

    /// Bytes of the file.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The vocabulary of a model with `tokens` tokens: `tokenizer.json` of models that were trained
    /// on the Pile, or the list of the "World" models.
    fn parse(&self, tokens: usize) -> Result<Vocabulary, ModelError> {
        let is_json = self.path.extension().is_some_and(|e| e == "json");
        let parse = if is_json { Vocabulary::parse_byte_level } else { Vocabulary::parse_world };
        parse(&self.bytes, tokens).map_err(|error| {
            let source = std::io::Error::new(std::io::ErrorKind::InvalidData, error);
            ModelError::Checkpoint { path: self.path.clone(), source }
        })
    }
}

/// Where `model.safetensors.index.json` says that tensors are.
#[derive(Deserialize)]
struct Index {
    weight_map: Parts,
}

/// The files that it names, each once: of the tensors' names there may be many.
struct Parts(BTreeSet<String>);

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Parts;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("names of files by names of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Parts, A::Error> {
                let mut out = BTreeSet::new();
                while let Some((_, file)) = map.next_entry::<IgnoredAny, String>()? {
                    out.insert(file);
                    if out.len() > MOST_PARTS {
                        return Err(A::Error::custom(format!(
                            "expected at most {MOST_PARTS} files, found more"
                        )));
                    }
                }
                Ok(Parts(out))
            }
        }
        deserializer.deserialize_map(Names)
    }
}

/// The most files that a model's tensors are in.
const MOST_PARTS: usize = 1 << 12;
pub const TENSORS: &str = "model.safetensors";
pub const INDEX: &str = "model.safetensors.index.json";
/// The vocabulary of the "World" models.
pub const WORLD: &str = "rwkv_vocab_v20230424.txt";
/// Names of the vocabulary of the others.
pub const BYTE_LEVEL: [&str; 2] = ["tokenizer.json", "20B_tokenizer.json"];

/// The files that an index names, in the index's own folder.
pub fn parts(index: &[u8]) -> Result<Vec<String>, ModelError> {
    let wrong = |what: String| Err(ModelError::Container(format!("{INDEX}: {what}")));
    let index: Index = match serde_json::from_slice(index) {
        Ok(index) => index,
        Err(e) => return wrong(e.to_string()),
    };
    let names: Vec<String> = index.weight_map.0.into_iter().collect();
    match names.iter().find(|name| !is_file_name(name)) {
        Some(name) => wrong(format!("expected names of files, found {name}")),
        None => Ok(names),
    }
}

/// Whether a name stands for something in its own folder.
fn is_file_name(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && !name.contains(['/', '\\', ':', '\0'])
}

impl Files {
    /// Reads the files of a folder. The vocabulary may be elsewhere.
    pub fn read(folder: &Path, vocabulary: Option<&Path>) -> Result<Self, ModelError> {
        let read = |name: &str, most: u64| read(&folder.join(name), most);
        let there = folder.join(TENSORS).exists();
        let names =
            if there { vec![TENSORS.to_owned()] } else { parts(&read(INDEX, most::INDEX)?)? };
        // How long they may be was asked before (`lm::memory`).
        let tensors: Vec<Vec<u8>> =
            names.iter().map(|name| read(name, u64::MAX)).collect::<Result<_, _>>()?;
        let vocabulary = Words::find(folder, vocabulary)?;
        let stored = tensors.iter().map(Vec::len).sum::<usize>() + vocabulary.len();
        Ok(Self { tensors, stored, vocabulary })
    }

    /// How many bytes they have.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// The model in them.
    pub fn model(&self, stated: &ConfigJson) -> Result<(Weights, Vocabulary), ModelError> {
        model(&Tensors::parse(&self.tensors)?, &self.vocabulary, stated)
    }
}

/// The model that a checkpoint's tensors and its vocabulary are.
pub(super) fn model(
    tensors: &dyn CheckpointTensors,
    vocabulary: &Words,
    stated: &ConfigJson,
) -> Result<(Weights, Vocabulary), ModelError> {
    let transformers = tensors.shape("model.embeddings.weight").is_some();
    let layout = if transformers { Layout::Transformers } else { Layout::Reference };
    let mut checkpoint = Checkpoint { tensors, layout };
    let config = checkpoint.config(stated)?;
    config.check()?;
    let vocabulary = vocabulary.parse(config.vocab)?;
    if !vocabulary.token(START).is_empty() {
        let found = vocabulary.token(START).escape_ascii();
        return Err(ModelError::Shape(format!(
            "expected a token 0 without text, which begins a document, found {found}"
        )));
    }
    let weights = fpstate::exact(|_| Weights::from_source(&config, &mut checkpoint))?;
    Ok((weights, vocabulary))
}

fn read(path: &Path, most: u64) -> Result<Vec<u8>, ModelError> {
    file::read(path, most)
        .map_err(|source| ModelError::Checkpoint { path: path.to_owned(), source })
}

struct Checkpoint<'a> {
    tensors: &'a dyn CheckpointTensors,
    layout: Layout,
}

impl Checkpoint<'_> {
    /// The shape of the model, from the shapes of its tensors.
    fn config(&self, stated: &ConfigJson) -> Result<Config, ModelError> {
        let number = |name: &str| {
            let rest = name.strip_prefix("blocks.").or(name.strip_prefix("model.layers."))?;
            rest.split('.').next()?.parse::<u16>().ok()
        };
        let layers = self
            .tensors
            .names()
            .into_iter()
            .filter_map(number)
            .max()
            .map_or(0, |last| usize::from(last) + 1);
        let outputs = |name: &str| Ok::<_, ModelError>(self.shape(name)?.0);
        let (vocab, hidden) = self.shape("emb")?;
        let head_size = match stated.head_dim {
            Some(head_size) => head_size,
            // The reference code has r_k as [H][N].
            None => self.find("blocks.0.att.r_k")?.1.last().copied().unwrap_or(0),
        };
        let wrong = |message: String| Err(ModelError::Config(message));
        if stated.tie_word_embeddings {
            return wrong(
                "expected an embedding and a head of their own, found tie_word_embeddings".into(),
            );
        }
        // The arithmetic has both epsilons built in; that of the heads' norm is the other one's
        // times their size.
        if stated.norm_eps.is_some_and(|eps| eps as f32 != 1e-5) || head_size != 64 {
            let eps = stated.norm_eps.unwrap_or(1e-5);
            return wrong(format!(
                "expected head_dim 64 and norm_eps 0.00001, found {head_size} and {eps}"
            ));
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
    type Matrix = Matrix;
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
            values =
                (0..outputs * inputs).map(|i| values[i % inputs * outputs + i / inputs]).collect();
        }
        if name == "emb" {
            let [weight, bias] =
                ["weight", "bias"].map(|part| self.floats(&format!("blocks.0.ln0.{part}"), inputs));
            let (weight, bias) = (weight?, bias?);
            values = fpstate::exact(|fp| {
                values.chunks(inputs).flat_map(|row| layer_norm(fp, row, &weight, &bias)).collect()
            });
        }
        let mut matrix =
            Matrix { weight: Vec::with_capacity(values.len()), scale: Vec::new(), outputs, inputs };
        for row in values.chunks(inputs) {
            let row = fpstate::exact(|fp| quantise(fp, row, Activations::Int8));
            matrix.weight.extend_from_slice(&row.low);
            matrix.scale.push(row.scale);
        }
        Ok(matrix)
    }
}
