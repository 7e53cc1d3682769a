//! Transformers of the hub for the exact engine: a folder in the hub's layout comes in, a model
//! whose archives decode anywhere goes out.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use lmz::exact::fpstate::{Exact, exact};
use lmz::exact::rotary;
use lmz::lm::file::{self, most};
use lmz::lm::memory;
use lmz::lm::rwkv7::ModelError;
use lmz::lm::rwkv7::checkpoint::CheckpointTensors;
use lmz::lm::transformer::{self, Gate, Model, Source};
use lmz::vocab::{Segmenter, Token};

use crate::HubError;
use crate::config::{Attention, Config, Rotary, Scaling, Shape};
use crate::gguf::GgufFile;
use crate::tensors::Tensors;
use crate::tokenizer::HubVocabulary;

/// A special token that models of several families read between documents, whatever their
/// configuration says that a text begins with: what begins so is a document, and no dialogue.
const BETWEEN: &str = "<|endoftext|>";

/// Opens the folder of a model. `allowed`: bytes that loading it may take; nothing stands for what
/// the machine has free.
pub fn open(folder: &Path, allowed: Option<u64>) -> Result<Model, HubError> {
    let read = |name: &str, most: u64| {
        let path = folder.join(name);
        file::read(&path, most).map_err(|source| HubError::File { path, source })
    };
    let config = Config::parse(&read("config.json", most::CONFIG)?)?;
    let words = read("tokenizer.json", most::WORDS)?;
    let mixer = match read("mixer.bin", most::MIXER) {
        Err(HubError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
        read => Some(read?),
    };
    let tensors = Tensors::open(folder)?;
    let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
    let files = Files {
        config: &config,
        stored: tensors.bytes() + words.len() as u64,
        words,
        tensors: &tensors,
        elements: tensors.elements(),
        mixer: mixer.as_deref(),
    };
    load(&name, files, allowed)
}

/// Whether the exact engine can compute the model of a folder, by its sizes.
pub fn fits(folder: &Path) -> Result<bool, HubError> {
    let path = folder.join("config.json");
    let read = file::read(&path, most::CONFIG);
    let config = Config::parse(&read.map_err(|source| HubError::File { path, source })?)?;
    let Shape::Attention(shape) = &config.shape else { return Ok(false) };
    let multiples = [(shape.head_dim, 32), (shape.hidden, 16), (shape.intermediate, 16)];
    Ok(!shape.mlp_bias && multiples.iter().all(|(size, of)| size.is_multiple_of(*of)))
}

/// Opens a GGUF file.
pub fn open_gguf(path: &Path, allowed: Option<u64>) -> Result<Model, HubError> {
    let mut file = GgufFile::open(path)?;
    let config = Config::of(&file.config_json()?)?;
    let words = file.tokenizer_json()?;
    file.forget_values();
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
    let files = Files {
        config: &config,
        words,
        tensors: &file,
        elements: file.elements().iter().fold(0, |all, n| all.saturating_add(*n)),
        stored: file.length(),
        mixer: None,
    };
    load(&name, files, allowed)
}

/// What a model is loaded from.
pub struct Files<'a> {
    pub config: &'a Config,
    /// `tokenizer.json`
    pub words: Vec<u8>,
    pub tensors: &'a dyn CheckpointTensors,
    /// Numbers of all tensors.
    pub elements: u64,
    /// Bytes of all files.
    pub stored: u64,
    /// What context mixing begins with beside the model.
    pub mixer: Option<&'a [u8]>,
}

/// Loads a model of files that are open.
pub fn load(name: &str, mut files: Files, allowed: Option<u64>) -> Result<Model, HubError> {
    exact(|fp| {
        let config = files.config;
        let Shape::Attention(shape) = &config.shape else {
            return Err(HubError::Architecture { found: config.architecture.to_owned() });
        };
        // The weights in 8 bits with their scales, and the embedding as it is quantised.
        memory::allow(needed(&files, shape), allowed)?;
        let vocabulary = HubVocabulary::parse(&files.words, shape.vocab, &config.special)?;
        files.words = Vec::new();
        let start = vocabulary.special(BETWEEN).unwrap_or(config.start);
        let count = vocabulary.vocabulary().len() as Token;
        let ids =
            (0..count).map(|token| if token == 0 { Some(start) } else { vocabulary.id(token) });
        let ids: Vec<Option<u32>> = ids.collect();
        let parts = transformer::Parts {
            name,
            architecture: config.architecture,
            config: shape_of(fp, shape, &ids)?,
            vocabulary: vocabulary.shared(),
            segmenter: Arc::new(vocabulary),
            mixer: files.mixer,
            stored: usize::try_from(files.stored).unwrap_or(usize::MAX),
        };
        let mut source = Numbers { tensors: files.tensors, shape, ids };
        Ok(Model::new(parts, &mut source)?)
    })
}

impl Segmenter for HubVocabulary {
    fn segment(&self, text: &[u8]) -> Vec<Token> {
        HubVocabulary::segment(self, text)
    }
}

/// The exact engine's shape of a model whose tokens have these ids.
fn shape_of(
    fp: Exact,
    shape: &Attention,
    ids: &[Option<u32>],
) -> Result<transformer::Config, ModelError> {
    if shape.mlp_bias {
        let message = "expected a feed-forward part without biases, found mlp_bias".into();
        return Err(ModelError::Config(message));
    }
    let frequencies = |is_local: bool| {
        let layer = shape.local.iter().position(|local| *local == is_local).unwrap_or(0);
        shape.layers.get(layer).map(|rotary| turns(fp, rotary, shape.head_dim)).unwrap_or_default()
    };
    // Layers of one kind turn alike in every architecture; what does not is not known here.
    let alike = |layer: usize| {
        let first = shape.local.iter().position(|local| *local == shape.local[layer]);
        first.is_some_and(|first| shape.layers[layer] == shape.layers[first])
    };
    if !(0..shape.layers.len()).all(alike) {
        let message = "expected layers of one kind to have the same rotary positions".into();
        return Err(ModelError::Config(message));
    }
    let absent = ids.iter().enumerate().filter(|(_, id)| id.is_none());
    Ok(transformer::Config {
        hidden: shape.hidden,
        intermediate: shape.intermediate,
        heads: shape.heads,
        kv_heads: shape.kv_heads,
        head_size: shape.head_dim,
        vocab: ids.len(),
        absent: absent.map(|(token, _)| token as Token).collect(),
        epsilon: shape.eps as f32,
        gate: if shape.gelu { Gate::Gelu } else { Gate::Silu },
        embedding_scale: if shape.gemma { (shape.hidden as f32).sqrt() } else { 1.0 },
        query_scale: shape.scale as f32,
        score_cap: shape.attention_cap.map(|cap| cap as f32),
        logit_cap: shape.logit_cap.map(|cap| cap as f32),
        head_norms: shape.qk_norm,
        post_norms: shape.post_norms,
        bias: shape.qkv_bias,
        output_bias: shape.o_bias,
        tied: shape.tied,
        local: shape.local.clone(),
        window: shape.window,
        rotary: [frequencies(false), frequencies(true)],
        longest: shape.longest,
    })
}

/// The frequencies of rotary positions.
fn turns(fp: Exact, rotary: &Rotary, size: usize) -> Vec<f64> {
    let frequencies = rotary::frequencies(fp, rotary.theta, size);
    match &rotary.scaling {
        Scaling::None => frequencies,
        Scaling::Factors { factors } => {
            frequencies.iter().zip(factors).map(|(f, factor)| f / factor).collect()
        }
        Scaling::Linear { factor } => frequencies.iter().map(|f| f / factor).collect(),
        Scaling::Llama3 { factor, low, high, original } => {
            rotary::stretched(fp, &frequencies, *factor, [*low, *high], *original)
        }
    }
}

/// Tensors by the engine's names, with rows in the order of the engine's tokens.
struct Numbers<'a> {
    tensors: &'a dyn CheckpointTensors,
    shape: &'a Attention,
    /// The model's id of each token.
    ids: Vec<Option<u32>>,
}

/// Numbers of a matrix that are in memory at once.
const PART: usize = 1 << 20;

impl Numbers<'_> {
    /// An error that says what a tensor was expected to be.
    fn differs(&self, name: &str, expected: String) -> ModelError {
        ModelError::Tensor { name: name.to_owned(), expected, found: self.tensors.describe(name) }
    }

    fn check_shape(&self, name: &str, shape: &[usize]) -> Result<(), ModelError> {
        match self.tensors.shape(name) {
            None => Err(ModelError::Missing { name: name.to_owned() }),
            Some(found) if found != shape => {
                Err(self.differs(name, format!("of the shape {shape:?}")))
            }
            Some(_) => Ok(()),
        }
    }

    /// Numbers of a tensor, of which so many come before them, if they are of a type that is known
    /// and finite.
    fn checked(
        &self,
        name: &str,
        numbers: Option<Vec<f32>>,
        before: usize,
    ) -> Result<Vec<f32>, ModelError> {
        let numbers = numbers.ok_or_else(|| self.differs(name, "F32, BF16 or F16".into()))?;
        match numbers.iter().position(|x| !x.is_finite()) {
            None => Ok(numbers),
            Some(position) => Err(ModelError::Value {
                name: name.to_owned(),
                expected: "finite numbers",
                found: numbers[position].to_string(),
                position: before + position,
            }),
        }
    }

    /// The model's ids of tokens that follow each other, as runs of rows of the embedding; and how
    /// many tokens have none.
    fn runs(&self, most: usize) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        for id in &self.ids {
            match (runs.last_mut(), id.map(|id| id as usize)) {
                (Some(Run::Rows(rows)), Some(id)) if rows.end == id && rows.len() < most => {
                    rows.end += 1;
                }
                (Some(Run::Absent(count)), None) if *count < most => *count += 1,
                (_, Some(id)) => runs.push(Run::Rows(id..id + 1)),
                (_, None) => runs.push(Run::Absent(1)),
            }
        }
        runs
    }
}

/// Rows of the embedding, for tokens in order.
enum Run {
    Rows(Range<usize>),
    /// Of so many tokens that the model lacks.
    Absent(usize),
}

/// The name of a tensor in files.
fn full_name(name: &str) -> String {
    match name {
        "lm_head" => "lm_head.weight".to_owned(),
        name if name.ends_with(".bias") => format!("model.{name}"),
        name => format!("model.{name}.weight"),
    }
}

impl Source for Numbers<'_> {
    type Error = ModelError;

    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, ModelError> {
        let full = full_name(name);
        self.check_shape(&full, shape)?;
        let mut numbers = self.checked(&full, self.tensors.floats(&full)?, 0)?;
        // Gemma's norms are written down as what differs from 1.
        if self.shape.gemma && shape.len() == 1 && !name.ends_with(".bias") {
            numbers.iter_mut().for_each(|x| *x += 1.0);
        }
        Ok(numbers)
    }

    fn rows(
        &mut self,
        name: &str,
        [outputs, width]: [usize; 2],
        take: &mut dyn FnMut(&[f32]),
    ) -> Result<(), ModelError> {
        let full = full_name(name);
        let most = (PART / width).max(1);
        let by_token = matches!(name, "lm_head" | "embed_tokens");
        self.check_shape(&full, &[if by_token { self.shape.vocab } else { outputs }, width])?;
        let runs = match by_token {
            true => self.runs(most),
            false => (0..outputs)
                .step_by(most)
                .map(|begin| Run::Rows(begin..outputs.min(begin + most)))
                .collect(),
        };
        for run in runs {
            match run {
                Run::Rows(rows) => {
                    let before = rows.start * width;
                    let numbers = self.tensors.rows(&full, rows)?;
                    take(&self.checked(&full, numbers, before)?);
                }
                // What a model lacks stays zero: nothing is known of it.
                Run::Absent(count) => take(&vec![0.0; count * width]),
            }
        }
        Ok(())
    }
}

/// Bytes that loading a model takes: what comes of its vocabulary, the weights in 8 bits with their
/// scales, packed, and the embedding in 8 bits until the head is made of it.
fn needed(files: &Files, shape: &Attention) -> u64 {
    let embedding = (shape.vocab as u64).saturating_mul(shape.hidden as u64);
    let weights = files.elements.saturating_add(embedding).saturating_mul(33) / 32;
    weights.saturating_add(memory::tokens(&files.words)).saturating_add(4 * PART as u64 * 4)
}
