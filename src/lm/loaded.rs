//! A model that is loaded and packed, to be shared by everything that computes it.

use std::fmt;
use std::sync::{Arc, OnceLock};

use super::engine::{Engine, LmStream, Network, Window};
use super::rwkv7::{Identity, ModelError};
use crate::exact::fpstate::exact;
use crate::format::HubName;
use crate::mix::Prior;
use crate::vocab::{START, Segmenter, Token, Vocabulary};

/// Tokens of a text that are read in one step.
const WINDOW: usize = 16;

/// A model ready to be computed by the chosen kernel. Copies share its memory.
#[derive(Clone)]
pub struct LoadedModel {
    parts: Arc<Parts>,
    origin: Option<Arc<HubName>>,
    /// Tokens that a prediction is made of, at most, if not as many as the model has by itself.
    context: Option<usize>,
    /// A stream at the beginning of a document.
    first: Arc<OnceLock<Arc<LmStream>>>,
}

/// What a model is made of.
pub(in crate::lm) struct Parts {
    pub name: String,
    pub identity: Identity,
    pub vocabulary: Arc<Vocabulary>,
    pub reading: Reading,
    pub network: Arc<Network>,
    pub start: Arc<Prior>,
}

/// How texts become tokens of a model.
pub(in crate::lm) enum Reading {
    /// By the longest token that fits, always. For each token, a bit for each byte that would have
    /// made it longer, which then cannot follow it.
    Greedy(Vec<[u64; 4]>),
    /// As the model's own tokenizer cuts them, so that any token may follow another.
    Own(Arc<dyn Segmenter>),
}

impl Reading {
    /// Greedy reading of a vocabulary.
    pub fn greedy(vocabulary: &Vocabulary) -> Self {
        Self::Greedy(longer(vocabulary))
    }
}

impl LoadedModel {
    pub(in crate::lm) fn from_parts(parts: Parts) -> Self {
        Self { parts: Arc::new(parts), origin: None, context: None, first: Arc::default() }
    }

    /// The model with another number of tokens of context, or with that which it has by itself.
    ///
    /// # Errors
    ///
    /// If the model cannot be computed with so many.
    pub fn with_context(&self, context: Option<usize>) -> Result<Self, ModelError> {
        if let Some(context) = context {
            self.network().check_context(context)?;
        }
        // The usual number has no other name.
        let context = context.filter(|context| Some(*context) != self.network().context());
        Ok(Self { context, first: Arc::default(), ..self.clone() })
    }

    /// Tokens that a prediction is made of at most, if that is not the model's usual number.
    pub fn context(&self) -> Option<usize> {
        self.context
    }

    /// What it is called: its built-in name or its folder's.
    pub fn name(&self) -> &str {
        &self.parts.name
    }

    /// What archives name it by.
    pub fn identity(&self) -> Identity {
        self.parts.identity
    }

    /// Where on the hub it was got, at which commit.
    pub fn origin(&self) -> Option<&HubName> {
        self.origin.as_deref()
    }

    /// The model, with a note of where on the hub it was got.
    pub fn with_origin(self, origin: HubName) -> Self {
        Self { origin: Some(Arc::new(origin)), ..self }
    }

    /// Its tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        &self.parts.vocabulary
    }

    /// Whether it is a model of RWKV-7, which archives have a kind of their own for.
    #[doc(hidden)]
    pub fn is_rwkv7(&self) -> bool {
        matches!(**self.network(), Network::Rwkv7(_))
    }

    /// A bit for each byte that cannot follow a token, 64 to a number: in greedy segmentation what
    /// makes it a longer one.
    #[doc(hidden)]
    pub fn impossible(&self, token: Token) -> &[u64; 4] {
        match &self.parts.reading {
            Reading::Greedy(longer) => &longer[token as usize],
            Reading::Own(_) => &[0; 4],
        }
    }

    /// The tokens of a text as the model reads it: their bytes, joined, are the text.
    #[doc(hidden)]
    pub fn segment(&self, text: &[u8]) -> Vec<Token> {
        match &self.parts.reading {
            Reading::Greedy(_) => self.vocabulary().segment(text).collect(),
            Reading::Own(segmenter) => segmenter.segment(text),
        }
    }

    /// Whether [`segment`](Self::segment) is greedy.
    #[doc(hidden)]
    pub fn is_greedy(&self) -> bool {
        matches!(self.parts.reading, Reading::Greedy(_))
    }

    /// What the context models begin with beside it.
    #[doc(hidden)]
    pub fn start(&self) -> &Prior {
        &self.parts.start
    }

    /// Its weights, packed for the kernel.
    #[doc(hidden)]
    pub fn network(&self) -> &Arc<Network> {
        &self.parts.network
    }

    /// A stream at the beginning of a document. Computed once.
    #[doc(hidden)]
    pub fn first(&self) -> Arc<LmStream> {
        Arc::clone(self.first.get_or_init(|| Arc::new(self.read(b""))))
    }

    /// A stream that has read a text from its beginning, cut greedily.
    #[doc(hidden)]
    pub fn read(&self, text: &[u8]) -> LmStream {
        exact(|_| {
            let mut engine = Engine::new(Arc::clone(self.network()));
            let mut stream = LmStream::new(self.network(), self.context);
            // Not by a tokenizer, of which a decoder may have another version.
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
        self.identity() == other.identity() && self.context == other.context
    }
}

impl Eq for LoadedModel {}
