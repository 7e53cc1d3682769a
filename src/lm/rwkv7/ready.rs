//! A model that is loaded and packed, to be shared by everything that computes it.

use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, OnceLock, PoisonError};

use super::engine::{Engine, LmStream, Network, Window};
use super::{Identity, Model, ModelError};
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
        let network = Arc::new(Network::for_model(model, Kernel::chosen()?)?);
        let (name, identity) = (model.name().to_owned(), model.identity());
        let vocabulary = model.vocabulary().clone();
        let longer =
            (0..vocabulary.len()).map(|token| longer(&vocabulary, token as Token)).collect();
        let (start, first) = (Arc::clone(model.start()), OnceLock::new());
        let origin = model.origin().cloned();
        Ok(Self(Arc::new(Inner {
            name,
            identity,
            vocabulary,
            longer,
            network,
            start,
            origin,
            first,
        })))
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
        let ready = Model::builtin(name)?.and_then(|model| Self::new(&model));
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

/// The bytes that make a token a longer one, 64 to a number.
fn longer(vocabulary: &Vocabulary, token: Token) -> [u64; 4] {
    let mut out = [0; 4];
    let mut node = vocabulary.root();
    for byte in vocabulary.token(token) {
        let children = vocabulary.children(node);
        let Ok(at) = children.binary_search_by_key(byte, |c| c.0) else { return out };
        node = vocabulary.node(children[at].1);
    }
    if !vocabulary.token(token).is_empty() {
        for (byte, child) in vocabulary.children(node) {
            if vocabulary.node(*child).own > 0 {
                out[usize::from(byte >> 6)] |= 1 << (byte & 63);
            }
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
