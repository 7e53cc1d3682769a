//! The models that there are, behind one interface.

use std::fmt;

use super::stream::{LmOutput, LmState};
use super::timer::Timer;
use crate::exact::fpstate::Exact;
use crate::lm::{rwkv7, transformer};
use crate::vocab::Token;

/// A row of a step: which of the states reads a token, and the token. Rows of the same state follow
/// each other: all that depends on the state is computed row by row, in order.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    pub state: usize,
    pub token: Token,
    /// Whether what the model says behind it is asked for.
    pub said: bool,
}

/// A model in exact arithmetic, its weights packed for a kernel.
pub trait ExactModel: fmt::Debug + Send + Sync {
    /// What a stream knows of the tokens that it has read.
    type State: Clone + fmt::Debug + Send;
    /// What computing takes, for as many rows as there have been.
    type Scratch: Send;

    /// Tokens, V.
    fn vocab(&self) -> usize;

    /// Tokens that a prediction is made of, at most, unless something else is asked for; nothing
    /// where there is no such number.
    fn context(&self) -> Option<usize>;

    /// An error unless the model can be computed with so many tokens of context.
    fn check_context(&self, context: usize) -> Result<(), rwkv7::ModelError>;

    /// Whether the weights of a step are too much for most processors' caches. Archives' streams
    /// depend on it, so it is a matter of the shape alone.
    fn is_large(&self) -> bool;

    /// The state before a document.
    fn begin(&self, context: usize) -> Self::State;

    /// Bytes that the state takes at most behind so many tokens.
    fn state_bytes(&self, context: usize, tokens: u64) -> u64;

    /// Whether threads can share a step, because it takes long enough.
    const SHARED: bool;

    /// What computing takes, by so many threads, if they can share a step.
    fn scratch(threads: usize) -> Self::Scratch;

    /// Advances each state by its rows' tokens. `outputs` has what the model says behind each row
    /// of which it is asked, in order.
    fn run(
        &self,
        fp: Exact,
        states: &mut [&mut Self::State],
        rows: &[Row],
        outputs: &mut [&mut LmOutput],
        scratch: &mut Self::Scratch,
    );

    /// What measures the parts of a step.
    fn timer(scratch: &mut Self::Scratch) -> &mut Timer;
}

/// A model of any architecture.
#[derive(Debug)]
pub enum Network {
    Rwkv7(rwkv7::Network),
    Transformer(transformer::Network),
}

impl From<rwkv7::Network> for Network {
    fn from(network: rwkv7::Network) -> Self {
        Self::Rwkv7(network)
    }
}

impl From<transformer::Network> for Network {
    fn from(network: transformer::Network) -> Self {
        Self::Transformer(network)
    }
}

/// What an engine computes in.
#[allow(clippy::large_enum_variant)] // an engine has one
pub enum Scratch {
    Rwkv7(<rwkv7::Network as ExactModel>::Scratch),
    Transformer(<transformer::Network as ExactModel>::Scratch),
}

impl Scratch {
    pub fn of(network: &Network, threads: usize) -> Self {
        match network {
            Network::Rwkv7(_) => Self::Rwkv7(<rwkv7::Network as ExactModel>::scratch(threads)),
            Network::Transformer(_) => {
                Self::Transformer(<transformer::Network as ExactModel>::scratch(threads))
            }
        }
    }

    pub fn timer(&mut self) -> &mut Timer {
        match self {
            Self::Rwkv7(scratch) => <rwkv7::Network as ExactModel>::timer(scratch),
            Self::Transformer(scratch) => <transformer::Network as ExactModel>::timer(scratch),
        }
    }
}

/// The same expression of whichever model it is.
macro_rules! each {
    ($network:expr, $model:ident => $value:expr) => {
        match $network {
            Network::Rwkv7($model) => $value,
            Network::Transformer($model) => $value,
        }
    };
}

impl Network {
    /// Tokens, V.
    pub fn vocab(&self) -> usize {
        each!(self, model => ExactModel::vocab(model))
    }

    /// Tokens that a prediction is made of, at most, unless something else is asked for.
    pub fn context(&self) -> Option<usize> {
        each!(self, model => ExactModel::context(model))
    }

    /// An error unless the model can be computed with so many tokens of context.
    pub fn check_context(&self, context: usize) -> Result<(), rwkv7::ModelError> {
        each!(self, model => ExactModel::check_context(model, context))
    }

    /// Whether the weights of a step are too much for most processors' caches.
    pub fn is_large(&self) -> bool {
        each!(self, model => ExactModel::is_large(model))
    }

    /// Whether threads can share a step.
    pub fn is_shared(&self) -> bool {
        match self {
            Self::Rwkv7(_) => <rwkv7::Network as ExactModel>::SHARED,
            Self::Transformer(_) => <transformer::Network as ExactModel>::SHARED,
        }
    }

    /// The state before a document, with so many tokens of context.
    pub fn begin(&self, context: Option<usize>) -> LmState {
        let context = context.or(self.context()).unwrap_or(0);
        match self {
            Self::Rwkv7(model) => LmState::Rwkv7(ExactModel::begin(model, context)),
            Self::Transformer(model) => LmState::Transformer(ExactModel::begin(model, context)),
        }
    }

    /// Bytes that a stream's state takes at most behind so many tokens.
    pub fn state_bytes(&self, context: Option<usize>, tokens: u64) -> u64 {
        let context = context.or(self.context()).unwrap_or(0);
        each!(self, model => ExactModel::state_bytes(model, context, tokens))
    }

    /// What an engine does in a step.
    ///
    /// # Panics
    ///
    /// If a state is of another model.
    pub(super) fn run(
        &self,
        fp: Exact,
        states: &mut [&mut LmState],
        rows: &[Row],
        outputs: &mut [&mut LmOutput],
        scratch: &mut Scratch,
    ) {
        match (self, scratch) {
            (Self::Rwkv7(model), Scratch::Rwkv7(scratch)) => {
                let states = states.iter_mut().map(|state| match &mut **state {
                    LmState::Rwkv7(state) => state,
                    _ => panic!("a stream of another model"),
                });
                model.run(fp, &mut states.collect::<Vec<_>>(), rows, outputs, scratch);
            }
            (Self::Transformer(model), Scratch::Transformer(scratch)) => {
                let states = states.iter_mut().map(|state| match &mut **state {
                    LmState::Transformer(state) => state,
                    _ => panic!("a stream of another model"),
                });
                model.run(fp, &mut states.collect::<Vec<_>>(), rows, outputs, scratch);
            }
            _ => unreachable!("an engine's scratch is that of its network"),
        }
    }
}
