//! A model that is loaded and packed, to be shared by everything that computes it.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use super::engine::{Engine, LmStream, Network, Window};
use super::model::Files;
use super::{Identity, Model, ModelError, builtin, load};
use crate::exact::fpstate::exact;
use crate::exact::kernel::Kernel;
use crate::format::{HubName, Registered};
use crate::lm;
use crate::mix::Prior;
use crate::vocab::{START, Token, Vocabulary};

/// Tokens of a text that are read in one step.
const WINDOW: usize = 16;

/// A model ready to be computed by the chosen kernel. Copies share its memory.
#[derive(Clone)]
pub struct LoadedModel(Arc<Inner>);

struct Inner {
    name: String,
    identity: Identity,
    vocabulary: Vocabulary,
    /// For each token, a bit for each byte that would have made it longer.
    longer: Vec<[u64; 4]>,
    network: Arc<Network>,
    start: Arc<Prior>,
    origin: Option<HubName>,
    /// A stream at the beginning of a document.
    first: OnceLock<Arc<LmStream>>,
}

impl LoadedModel {
    /// Packs a model for the kernel that is chosen ([`Kernel::chosen`]).
    pub fn new(model: &Model) -> Result<Self, ModelError> {
        exact(|_| Self::pack(model))
    }

    fn pack(model: &Model) -> Result<Self, ModelError> {
        let network = Network::for_model(model, Kernel::chosen()?)?;
        let vocabulary = model.vocabulary().clone();
        Ok(Self(Arc::new(Inner {
            name: model.name().to_owned(),
            identity: model.identity(),
            longer: longer(&vocabulary),
            vocabulary,
            network: Arc::new(network),
            start: Arc::clone(model.start()),
            origin: model.origin().cloned(),
            first: OnceLock::new(),
        })))
    }

    /// A registered model out of the program's own files. Its identity is known, so nothing is
    /// hashed; a test holds it against the hash.
    fn registered(files: &Files, registered: &Registered) -> Result<Self, ModelError> {
        exact(|fp| {
            let vocabulary = Vocabulary::parse(files.vocabulary)?;
            let kernel = Kernel::chosen()?;
            let network = load::network(fp, files.config, files.tensors, &vocabulary, kernel)?;
            Ok(Self(Arc::new(Inner {
                name: registered.name.to_owned(),
                identity: Identity(registered.identity),
                longer: longer(&vocabulary),
                vocabulary,
                network: Arc::new(network),
                start: Model::start_of(fp, files.mixer)?,
                origin: None,
                first: OnceLock::new(),
            })))
        })
    }

    /// A built-in model by its name, or else the folder at a path. Built-in models are loaded once.
    pub fn find(name_or_path: &str) -> Result<Self, ModelError> {
        lm::ready(name_or_path, None)
    }

    /// The built-in model of a name, if there is one.
    pub(crate) fn builtin(name: &str) -> Option<Result<Self, ModelError>> {
        static BUILT_IN: LazyLock<Mutex<Vec<LoadedModel>>> = LazyLock::new(Mutex::default);
        let mut loaded = BUILT_IN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ready) = loaded.iter().find(|r| r.name() == name) {
            return Some(Ok(ready.clone()));
        }
        let ready = match Registered::by_name(name) {
            Some(registered) => Self::registered(builtin::find(name)?, registered),
            None => Model::builtin(name)?.and_then(|model| Self::new(&model)),
        };
        loaded.extend(ready.as_ref().ok().cloned());
        Some(ready)
    }

    /// The built-in model whose identity begins so. Nothing else is loaded if it is a registered
    /// one.
    pub fn built_in(identity: &[u8]) -> Option<Self> {
        let registered = Registered::by_identity(identity).map(|r| r.name);
        let mut names: Vec<_> = Model::builtin_names().collect();
        names.sort_by_key(|name| Some(*name) != registered);
        let mut ready = names.iter().filter_map(|name| Self::find(name).ok());
        ready.find(|ready| ready.identity().0.starts_with(identity))
    }

    /// What it is called: its built-in name or its folder's.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What archives name it by.
    pub fn identity(&self) -> Identity {
        self.0.identity
    }

    /// Where on the hub it was got, at which commit.
    pub fn origin(&self) -> Option<&HubName> {
        self.0.origin.as_ref()
    }

    /// Its tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.0.vocabulary
    }

    /// A bit for each byte that makes a token a longer one, 64 to a number. In greedy segmentation
    /// it does not follow.
    #[doc(hidden)]
    pub fn makes_longer(&self, token: Token) -> &[u64; 4] {
        &self.0.longer[token as usize]
    }

    /// What the context models begin with beside it.
    #[doc(hidden)]
    pub fn start(&self) -> &Prior {
        &self.0.start
    }

    /// Its weights, packed for the kernel.
    #[doc(hidden)]
    pub fn network(&self) -> &Arc<Network> {
        &self.0.network
    }

    /// A stream at the beginning of a document. Computed once.
    #[doc(hidden)]
    pub fn first(&self) -> Arc<LmStream> {
        Arc::clone(self.0.first.get_or_init(|| Arc::new(self.read(b""))))
    }

    /// A stream that has read a text from its beginning, cut greedily.
    #[doc(hidden)]
    pub fn read(&self, text: &[u8]) -> LmStream {
        exact(|_| {
            let mut engine = Engine::new(Arc::clone(self.network()));
            let mut stream = engine.stream();
            let tokens: Vec<_> =
                std::iter::once(START).chain(self.vocabulary().segment(text)).collect();
            let (last, tokens) = tokens.split_last().expect("a text begins with a token");
            let state = &mut stream.state;
            for tokens in tokens.chunks(WINDOW) {
                engine.read(&mut [Window { state: &mut *state, tokens, outputs: &mut [] }]);
            }
            engine.step(&mut [(&mut stream, *last)]);
            stream
        })
    }
}

/// For each token, the bytes that make it a longer one, 64 to a number; none for the empty ones.
fn longer(vocabulary: &Vocabulary) -> Vec<[u64; 4]> {
    let mut out = vec![[0; 4]; vocabulary.len()];
    let root = vocabulary.children(vocabulary.root()).iter();
    let mut open: Vec<_> = root.map(|(_, child)| vocabulary.node(*child)).collect();
    while let Some(node) = open.pop() {
        let mut bytes = [0; 4];
        for (byte, child) in vocabulary.children(node) {
            let child = vocabulary.node(*child);
            if child.own > 0 {
                bytes[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
            open.push(child);
        }
        for rank in node.first..node.first + node.own {
            out[vocabulary.sorted()[rank as usize] as usize] = bytes;
        }
    }
    out
}

impl fmt::Debug for LoadedModel {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "LoadedModel({}, {})", self.name(), self.identity())
    }
}

impl PartialEq for LoadedModel {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for LoadedModel {}
