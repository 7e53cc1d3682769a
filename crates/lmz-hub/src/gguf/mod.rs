//! Models as llama.cpp and Ollama have them (`.gguf`): one file that says what the model is, how it
//! cuts text, and what its tensors are.
//!
//! Comes in: such a file, of the architectures [`ARCHITECTURES`]. Goes out: what a folder of the
//! Hugging Face hub would say of the same model. [`GgufFile::config_json`] is its `config.json`,
//! [`GgufFile::tokenizer_json`] its `tokenizer.json`, and the [`CheckpointTensors`] of the file are
//! those of its `model.safetensors`, under the names and in the order that `transformers` has them:
//! what the conversion to GGUF changed is undone. So what computes a folder computes a file.
//!
//! Opening reads the head of the file alone; tensors are read one by one, when they are asked for,
//! and never more than a part of one beside its numbers. Files come from strangers: all that they
//! say is held against the file itself before memory is taken for it.

mod architecture;
#[allow(clippy::float_arithmetic, reason = "runs inside of the gate")]
mod blocks;
mod config;
mod header;
#[cfg(test)]
mod tests;
mod tokenizer;

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use lmz::exact::fpstate;
use lmz::format::printable;
use lmz::lm::file;
use lmz::lm::rwkv7::ModelError;
use lmz::lm::rwkv7::checkpoint::CheckpointTensors;

pub use architecture::ARCHITECTURES;
use architecture::{Architecture, Change};
use blocks::Kind;
use header::{MAGIC, Place, Value};

/// Why a GGUF file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The file that is meant, and what is wrong with it.
    #[error("{}: {source}", printable(&path.display()))]
    In { path: PathBuf, source: Box<GgufError> },
    /// It cannot be read.
    #[error("{0}")]
    Read(#[from] io::Error),
    /// Its head is not one of GGUF, or does not fit the file.
    #[error("{}", printable(_0))]
    Header(String),
    /// A model that is not known.
    #[error(
        "found the architecture {}; known are {} (llama stands for Mistral's models too); use \
        another model",
        printable(found),
        ARCHITECTURES.join(", ")
    )]
    Architecture { found: String },
    /// A tensor of a type that is not known.
    #[error(
        "{}: found the type {found}; known are {}; use a file with other quantisation, as \
        Q4_K_M, Q5_K_M, Q6_K or Q8_0",
        printable(name),
        Kind::names()
    )]
    Type { name: String, found: String },
    /// A tensor that no model of this architecture has.
    #[error(
        "found the tensor {}, which is no part of a model of the architecture {architecture} as \
        it is known here; use another model",
        printable(name)
    )]
    Tensor { name: String, architecture: &'static str },
    /// What it says of the model is not enough, or contradicts itself.
    #[error("{}", printable(_0))]
    Config(String),
    /// Its vocabulary cannot be used.
    #[error("its vocabulary: {}", printable(_0))]
    Tokenizer(String),
}

/// A GGUF file whose head was read.
#[derive(Debug)]
pub struct GgufFile {
    path: PathBuf,
    /// One that reads moves the others' place.
    file: Mutex<File>,
    length: u64,
    architecture: Architecture,
    values: HashMap<String, Value>,
    /// By the names of the Hugging Face hub.
    tensors: BTreeMap<String, (Place, Change)>,
    /// What Llama 3 divides its rotary frequencies by.
    rope_factors: Option<Place>,
}

/// Whether a file says that it is one of GGUF.
pub fn is_gguf(path: &Path) -> bool {
    let mut magic = [0; MAGIC.len()];
    let read = file::open(path).and_then(|(mut file, _)| file.read_exact(&mut magic));
    read.is_ok() && magic == MAGIC
}

/// Bytes that are read at once.
const PART: usize = 1 << 20;
/// The tensor that is no part of a checkpoint, but what Llama 3's configuration comes to.
const ROPE_FACTORS: &str = "rope_freqs.weight";

impl GgufFile {
    /// Reads what a file says of its model and its tensors, and nothing of the tensors themselves.
    /// Files of other architectures than [`ARCHITECTURES`] are refused, and those with tensors that
    /// a model of theirs does not have: what is computed without them would be another model.
    pub fn open(path: &Path) -> Result<Self, GgufError> {
        let here = |source| GgufError::In { path: path.to_owned(), source: Box::new(source) };
        Self::read(path).map_err(here)
    }

    fn read(path: &Path) -> Result<Self, GgufError> {
        let (file, length) = file::open(path)?;
        // Gemma 3's files of Ollama have what sees images too.
        let sees = |values: &HashMap<String, Value>, name: &str| {
            matches!(values.get(ARCHITECTURE), Some(Value::Text(of)) if of == "gemma3")
                && (name.starts_with("v.") || name.starts_with("mm."))
        };
        let head = header::read(io::BufReader::with_capacity(1 << 16, &file), length, sees)?;
        let architecture = match head.values.get(ARCHITECTURE) {
            Some(Value::Text(name)) if name.len() <= 64 => Architecture::of(name)?,
            found => {
                return Err(GgufError::Config(format!(
                    "expected {ARCHITECTURE} to name an architecture, found {}",
                    found.map_or_else(|| "none".into(), Value::brief)
                )));
            }
        };
        config::whole(&head.values)?;
        let heads = config::Heads::of(architecture, &head.values)?;
        let (mut tensors, mut rope_factors) = (BTreeMap::new(), None);
        for (name, place) in head.tensors {
            if name == ROPE_FACTORS {
                rope_factors = Some(place);
                continue;
            }
            let architecture_name = architecture.name();
            let Some(known) = architecture.tensor(&name) else {
                return Err(GgufError::Tensor { name, architecture: architecture_name });
            };
            let change = architecture.change(&known, &heads);
            if let Change::Halves { heads } = change
                && !place.shape[0].is_multiple_of(2 * heads)
            {
                return Err(GgufError::Config(format!(
                    "expected {name} to have the rows of {heads} heads of an even size, found {}",
                    place.shape[0]
                )));
            }
            tensors.insert(known, (place, change));
        }
        let (path, file) = (path.to_owned(), Mutex::new(file));
        Ok(Self { path, file, length, architecture, values: head.values, tensors, rope_factors })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The architecture, as llama.cpp calls it.
    pub fn architecture(&self) -> &'static str {
        self.architecture.name()
    }

    /// How many elements each tensor has.
    pub fn elements(&self) -> Vec<u64> {
        self.tensors.values().map(|(place, _)| place.elements as u64).collect()
    }

    /// What the `config.json` of the model's folder would say: the fields that `transformers` has
    /// for the architecture, as far as the file states them or llama.cpp knows them.
    ///
    /// Llama 3's scaling of the rotary frequencies is in the file as what it comes to, and here as
    /// `lmz_rope_factors`, an array of head_dim / 2 numbers: the frequency
    /// `rope_theta^(-2 i / head_dim)` is divided by the `i`th. `rope_scaling` is null then.
    pub fn config_json(&self) -> Result<serde_json::Value, GgufError> {
        config::json(self).map_err(|e| self.failed(e))
    }

    /// What the model's `tokenizer.json` would be: the bytes of a file that cuts text as the one
    /// does that the model was made with, for [`HubVocabulary`](crate::tokenizer::HubVocabulary).
    ///
    /// # Errors
    ///
    /// A vocabulary that is neither byte-level BPE (`gpt2`) with one of the ways to cut words that
    /// are known, nor one of SentencePiece (`llama`).
    pub fn tokenizer_json(&self) -> Result<Vec<u8>, GgufError> {
        tokenizer::json(&self.values).map_err(|e| self.failed(e))
    }

    /// Gives back the memory of what the file says beside its tensors, most of which is its
    /// vocabulary: [`config_json`](Self::config_json) and [`tokenizer_json`](Self::tokenizer_json)
    /// find nothing any more.
    pub fn forget_values(&mut self) {
        self.values = HashMap::new();
    }

    fn failed(&self, source: GgufError) -> GgufError {
        GgufError::In { path: self.path.clone(), source: Box::new(source) }
    }

    /// Numbers of a tensor, whole blocks that are there, as they are in the file.
    fn numbers(&self, place: &Place, which: Range<usize>) -> io::Result<Vec<f32>> {
        let mut out = Vec::new();
        out.try_reserve_exact(which.len()).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let (count, block) = place.kind.block();
        let mut left = which.len() / count * block;
        let mut part = vec![0; left.min(PART / block * block)];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(place.begin + (which.start / count * block) as u64))?;
        while left > 0 {
            let part = &mut part[..left.min(PART / block * block)];
            file.read_exact(part)?;
            place.kind.read(part, &mut out);
            left -= part.len();
        }
        Ok(out)
    }
}

const ARCHITECTURE: &str = "general.architecture";

impl CheckpointTensors for GgufFile {
    fn names(&self) -> Vec<&str> {
        self.tensors.keys().map(String::as_str).collect()
    }

    fn shape(&self, name: &str) -> Option<&[usize]> {
        self.tensors.get(name).map(|(place, _)| &place.shape[..])
    }

    fn describe(&self, name: &str) -> String {
        let place = self.tensors.get(name).map(|(place, _)| place);
        place.map_or_else(String::new, |p| format!("{} {:?}", p.kind.name(), p.shape))
    }

    /// The numbers of a tensor, as a checkpoint of the Hugging Face hub has them; of a tensor that
    /// is quantised what its blocks stand for, in `f32` to the bit on every machine.
    fn floats(&self, name: &str) -> Result<Option<Vec<f32>>, ModelError> {
        let Some((place, change)) = self.tensors.get(name) else { return Ok(None) };
        let numbers = fpstate::exact(|_| {
            let numbers = self.numbers(place, 0..place.elements)?;
            change.undo(numbers, place.shape[0])
        });
        numbers.map(Some).map_err(|e| ModelError::from(self.failed(e.into())))
    }

    fn rows(&self, name: &str, rows: Range<usize>) -> Result<Option<Vec<f32>>, ModelError> {
        let Some((place, change)) = self.tensors.get(name) else { return Ok(None) };
        let (height, width) = (place.shape[0], place.elements / place.shape[0]);
        // Blocks lie within rows, but of a vector's rows many lie within a block.
        if place.shape.len() < 2 {
            let rows = rows.start.min(height)..rows.end.min(height);
            let numbers = self.floats(name)?;
            return Ok(numbers.map(|all| all.get(rows).unwrap_or_default().to_vec()));
        }
        let end = rows.end.min(height);
        let rows = rows.start.min(end)..end;
        let numbers = fpstate::exact(|_| {
            let (whole, change) = change.around(&rows, height);
            let numbers = self.numbers(place, whole.start * width..whole.end * width)?;
            let mut numbers = change.undo(numbers, whole.len())?;
            numbers.truncate((rows.end - whole.start) * width);
            numbers.drain(..(rows.start - whole.start) * width);
            Ok(numbers)
        });
        numbers.map(Some).map_err(|e: io::Error| ModelError::from(self.failed(e.into())))
    }
}

/// The one error of `lmz` that is of a file with everything in it.
impl From<GgufError> for ModelError {
    fn from(error: GgufError) -> Self {
        match error {
            GgufError::In { path, source } => Self::Pth { path, what: source.to_string() },
            other => Self::Shape(other.to_string()),
        }
    }
}
