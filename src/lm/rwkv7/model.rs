//! A model folder, loaded: built in, or from a path.

use std::path::Path;
use std::sync::Arc;

use super::error::ModelError;
use super::identity::Identity;
use super::weights::Weights;
use super::{builtin, checkpoint, load};
use crate::mix::Start;
use crate::vocab::{START, Token, Vocabulary};

/// The files of a model folder, as bytes.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// `config.json`
    pub config: &'a [u8],
    /// `vocab.txt`
    pub vocabulary: &'a [u8],
    /// `model.safetensors`
    pub tensors: &'a [u8],
    /// `mixer.bin`: what the context models begin with beside this model. A model that has none of its own begins with `nano`'s.
    pub mixer: Option<&'a [u8]>,
}

/// A model that is ready to be computed.
///
/// ```
/// # #[cfg(feature = "embed")] {
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
    start: Arc<Start>,
    identity: Identity,
    stored: usize,
}

impl Model {
    /// The names of the built-in models; none without the feature `embed`.
    pub fn builtin_names() -> impl Iterator<Item = &'static str> {
        builtin::names()
    }

    /// A built-in model by its name, or else the folder at a path. (`./nano` is always a path.)
    pub fn find(name_or_path: &str) -> Result<Self, ModelError> {
        match builtin::find(name_or_path) {
            Some(files) => Self::parse(name_or_path, files),
            None if Path::new(name_or_path).exists() => Self::open(Path::new(name_or_path)),
            None => Err(ModelError::Unknown { name: name_or_path.to_owned() }),
        }
    }

    /// The folder at a path: one of this project's, or an RWKV-7 checkpoint as it is published on the Hugging Face hub.
    pub fn open(folder: &Path) -> Result<Self, ModelError> {
        let read = |name| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| ModelError::File { path, source })
        };
        let config = read("config.json")?;
        let checkpoint = checkpoint::Stated::parse(&config);
        let mixer = match read("mixer.bin") {
            Err(ModelError::File { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => None,
            read => Some(read?),
        };
        let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy();
        let mixer = mixer.as_deref();
        if let Some(stated) = checkpoint {
            let files = checkpoint::Files::read(folder)?;
            let (weights, vocabulary) = files.model(&stated)?;
            let stored = config.len() + files.stored() + mixer.unwrap_or_default().len();
            return Self::new(&name, weights, vocabulary, mixer, stored);
        }
        let (vocabulary, tensors) = (read("vocab.txt")?, read("model.safetensors")?);
        Self::parse(&name, &Files { config: &config, vocabulary: &vocabulary, tensors: &tensors, mixer })
    }

    /// From the bytes of a folder's files. The name is for messages only.
    pub fn parse(name: &str, files: &Files) -> Result<Self, ModelError> {
        let weights = load::weights(files.config, files.tensors)?;
        let vocabulary = Vocabulary::parse(files.vocabulary)?;
        if vocabulary.len() != weights.config.vocab {
            let (expected, found) = (weights.config.vocab, vocabulary.len());
            let message = format!("the tensors have {expected} tokens, vocab.txt {found}: they are not of one model");
            return Err(ModelError::Shape(message));
        }
        if !vocabulary.token(START).is_empty() {
            let found = vocabulary.token(START).escape_ascii();
            let message = format!("vocab.txt: expected an empty first line (token 0 begins a document), found {found}");
            return Err(ModelError::Shape(message));
        }
        let stored = [files.config, files.vocabulary, files.tensors, files.mixer.unwrap_or_default()];
        Self::new(name, weights, vocabulary, files.mixer, stored.iter().map(|file| file.len()).sum())
    }

    /// From its parts, whose files have `stored` bytes. Token 0 is empty, and there are as many tokens as the weights have.
    fn new(
        name: &str,
        weights: Weights,
        vocabulary: Vocabulary,
        mixer: Option<&[u8]>,
        stored: usize,
    ) -> Result<Self, ModelError> {
        let start = match mixer {
            None => Start::with_model(),
            Some(bytes) => Arc::new(Start::of_model(bytes).ok_or(ModelError::Mixer { found: bytes.len() })?),
        };
        let identity = Identity::new(&weights, &vocabulary, mixer);
        Ok(Self { name: name.to_owned(), weights, vocabulary, start, identity, stored })
    }

    /// What it is called: its built-in name or its folder's.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn weights(&self) -> &Weights {
        &self.weights
    }

    pub fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    /// What the context models begin with beside it.
    pub(crate) fn start(&self) -> &Arc<Start> {
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
