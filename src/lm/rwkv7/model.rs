//! A model folder, loaded: built in, or from a path.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::checkpoint::CheckpointTensors;
use super::error::ModelError;
use super::identity::Identity;
use super::weights::Weights;
use super::{builtin, checkpoint, load};
use crate::exact::fpstate::{Exact, exact};
use crate::format::HubName;
use crate::lm::file::{self, most};
use crate::lm::{self, memory};
use crate::mix::Prior;
use crate::vocab::{Token, Vocabulary};

/// The files of a model folder, as bytes.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// `config.json`
    pub config: &'a [u8],
    /// `vocab.txt`
    pub vocabulary: &'a [u8],
    /// `model.safetensors`
    pub tensors: &'a [u8],
    /// `mixer.bin`: what the context models begin with beside this model. A model that has none of
    /// its own begins with `nano`'s.
    pub mixer: Option<&'a [u8]>,
}

/// A model that is ready to be computed.
///
/// ```
/// # #[cfg(feature = "nano")] {
/// use lmz::lm::rwkv7::{Model, Oracle};
/// use lmz::vocab::START;
///
/// let model = Model::find("nano")?;
/// let mut oracle = Oracle::new(model.weights());
/// let mut logits = oracle.step(START);
/// for token in model.vocabulary().segment(b"The cat sat on the ma") {
///     logits = oracle.step(token);
/// }
/// let likeliest = (0..logits.len()).max_by(|a, b| logits[*a].total_cmp(&logits[*b])).unwrap();
/// println!("{}", model.vocabulary().token(likeliest as u32).escape_ascii());
/// # }
/// # Ok::<(), lmz::lm::rwkv7::ModelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Model {
    name: String,
    weights: Weights,
    vocabulary: Vocabulary,
    start: Arc<Prior>,
    identity: Identity,
    stored: usize,
    origin: Option<HubName>,
}

impl Model {
    /// The names of the built-in models; none without the features `base` and `nano`.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        builtin::names()
    }

    /// A built-in model by its name, or else the folder at a path.
    pub fn find(name_or_path: &str) -> Result<Self, ModelError> {
        lm::find(name_or_path, None)
    }

    /// The built-in model of a name.
    pub(crate) fn builtin(name: &str) -> Option<Result<Self, ModelError>> {
        builtin::find(name).map(|files| Self::parse(name, files))
    }

    /// What is at a path: a folder of this project's, or one with an RWKV-7 checkpoint as it is
    /// published on the Hugging Face hub in the format of safetensors. (The package `lmz-hub` reads
    /// `.pth` files.)
    pub fn open(path: &Path) -> Result<Self, ModelError> {
        memory::check(path, None)?;
        Self::open_with(path, None)
    }

    /// Opens what is at a path without asking for memory, which the caller has done. A checkpoint's
    /// vocabulary may be in another place.
    pub fn open_with(path: &Path, vocabulary: Option<&Path>) -> Result<Self, ModelError> {
        exact(|fp| Self::load(fp, path, vocabulary))
    }

    fn load(fp: Exact, path: &Path, vocabulary: Option<&Path>) -> Result<Self, ModelError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        if let Some(file) = pth(path) {
            let what = format!("{}: reading what PyTorch wrote", file.display());
            return Err(ModelError::Unsupported { what });
        }
        let read = |name, most| {
            let path = path.join(name);
            file::read(&path, most).map_err(|source| ModelError::File { path, source })
        };
        let config = read("config.json", most::CONFIG)?;
        let checkpoint = checkpoint::ConfigJson::parse(&config)?;
        let mixer = match read("mixer.bin", most::MIXER) {
            Err(ModelError::File { source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                None
            }
            read => Some(read?),
        };
        let mixer = mixer.as_deref();
        if let Some(stated) = checkpoint {
            let files = checkpoint::Files::read(path, vocabulary)?;
            let (weights, vocabulary) = files.model(&stated)?;
            let stored = config.len() + files.stored() + mixer.unwrap_or_default().len();
            drop(files); // as large as the rest of the model
            return Self::new(fp, &name, weights, vocabulary, mixer, stored);
        }
        let (vocabulary, tensors) =
            (read("vocab.txt", most::WORDS)?, read("model.safetensors", u64::MAX)?);
        Self::parse(
            &name,
            &Files { config: &config, vocabulary: &vocabulary, tensors: &tensors, mixer },
        )
    }

    /// An RWKV-7 checkpoint whose tensors are elsewhere, in files of `stored` bytes. Its vocabulary
    /// is in the folder, or where it is said to be.
    pub fn of_checkpoint(
        name: &str,
        tensors: &dyn CheckpointTensors,
        stored: usize,
        folder: &Path,
        vocabulary: Option<&Path>,
    ) -> Result<Self, ModelError> {
        exact(|fp| {
            let words = checkpoint::Words::find(folder, vocabulary)?;
            let (weights, vocabulary) =
                checkpoint::model(tensors, &words, &checkpoint::ConfigJson::default())?;
            Self::new(fp, name, weights, vocabulary, None, stored + words.len())
        })
    }

    /// From the bytes of a folder's files. The name is for messages only.
    pub fn parse(name: &str, files: &Files) -> Result<Self, ModelError> {
        exact(|fp| Self::parse_files(fp, name, files))
    }

    fn parse_files(fp: Exact, name: &str, files: &Files) -> Result<Self, ModelError> {
        let weights = load::weights(fp, files.config, files.tensors)?;
        let vocabulary = Vocabulary::parse(files.vocabulary)?;
        load::check_vocabulary(&vocabulary, &weights.config)?;
        let stored =
            [files.config, files.vocabulary, files.tensors, files.mixer.unwrap_or_default()];
        Self::new(
            fp,
            name,
            weights,
            vocabulary,
            files.mixer,
            stored.iter().map(|file| file.len()).sum(),
        )
    }

    /// From its parts, whose files have `stored` bytes. Token 0 is empty, and there are as many
    /// tokens as the weights have.
    fn new(
        fp: Exact,
        name: &str,
        weights: Weights,
        vocabulary: Vocabulary,
        mixer: Option<&[u8]>,
        stored: usize,
    ) -> Result<Self, ModelError> {
        let start = Self::start_of(fp, mixer)?;
        let identity = Identity::new(&weights, &vocabulary, mixer);
        Ok(Self {
            name: name.to_owned(),
            weights,
            vocabulary,
            start,
            identity,
            stored,
            origin: None,
        })
    }

    /// What context mixing begins with beside a model that has this `mixer.bin`, or none.
    pub(in crate::lm) fn start_of(
        fp: Exact,
        mixer: Option<&[u8]>,
    ) -> Result<Arc<Prior>, ModelError> {
        let Some(bytes) = mixer else { return Ok(Prior::with_model(fp)) };
        let start = Prior::of_model(fp, bytes)
            .ok_or(ModelError::Mixer { expected: Prior::MODEL_BYTES, found: bytes.len() })?;
        Ok(Arc::new(start))
    }

    /// What it is called: its built-in name or its folder's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where on the hub it was got, at which commit.
    pub fn origin(&self) -> Option<&HubName> {
        self.origin.as_ref()
    }

    /// The model with a name on the hub, where it was got.
    pub fn with_origin(self, origin: HubName) -> Self {
        Self { name: origin.to_string(), origin: Some(origin), ..self }
    }

    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// What the context models begin with beside it.
    pub fn start(&self) -> &Arc<Prior> {
        &self.start
    }

    /// What archives name it by.
    pub fn identity(&self) -> Identity {
        self.identity
    }

    /// The bytes of its files.
    pub fn stored(&self) -> usize {
        self.stored
    }

    /// Whether a token can occur in text: the empty ones cannot, and get frequency 0.
    pub fn has_mass(&self, token: Token) -> bool {
        !self.vocabulary.token(token).is_empty()
    }
}

/// The file that PyTorch wrote at a path: itself, or the only one in a folder without
/// `config.json`.
pub fn pth(path: &Path) -> Option<PathBuf> {
    let is_pth = |path: &Path| path.extension().is_some_and(|e| e == "pth");
    if path.is_file() {
        return is_pth(path).then(|| path.to_owned());
    }
    let mut files = std::fs::read_dir(path)
        .ok()?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| is_pth(path));
    let (first, second) = (files.next(), files.next());
    first.filter(|_| second.is_none() && !path.join("config.json").exists())
}
