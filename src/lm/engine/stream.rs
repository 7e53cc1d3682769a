//! What belongs to one stream.

use super::Window;
use super::network::Network;
use crate::exact::LANES;
use crate::exact::kernel::{Lanes, Memory};
use crate::lm::{rwkv7, transformer};
use crate::vocab::Token;

/// What a stream knows of the tokens that it has read.
#[derive(Debug, Clone)]
pub enum LmState {
    Rwkv7(rwkv7::StreamState),
    Transformer(transformer::Cache),
}

impl LmState {
    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        match self {
            Self::Rwkv7(state) => state.memory(),
            Self::Transformer(cache) => cache.memory(),
        }
    }
}

/// What a model says of the token that comes next.
#[derive(Debug, Clone)]
pub struct LmOutput {
    /// `[V]`, the last line filled up.
    pub(in crate::lm) logits: Vec<Lanes>,
    pub(in crate::lm) sums: Memory<u64>,
}

impl LmOutput {
    /// Room for what a model of so many tokens says.
    pub fn new(vocab: usize) -> Self {
        let logits = vec![Lanes::default(); vocab.div_ceil(LANES)];
        Self { logits, sums: Memory::zeros(vocab + 1) }
    }

    /// Prefix sums `[V + 1]` of the frequencies of the next token, by rank.
    pub fn sums(&self) -> &[u64] {
        &self.sums
    }
}

/// A stream: its state, and what the model says of its next token. It can be moved between threads
/// and engines of the same model, dropped at any time, and cloned to go on in two ways.
#[derive(Debug, Clone)]
pub struct LmStream {
    pub(crate) state: LmState,
    pub(crate) output: LmOutput,
}

impl LmStream {
    /// Before a document, which begins with the token [`START`](crate::vocab::START). `context`:
    /// tokens that a prediction is made of at most, where the model has such a number.
    pub fn new(network: &Network, context: Option<usize>) -> Self {
        Self { state: network.begin(context), output: LmOutput::new(network.vocab()) }
    }

    /// Prefix sums `[V + 1]` of the frequencies of the next token, by rank.
    pub fn sums(&self) -> &[u64] {
        self.output.sums()
    }

    /// The logits `[V]` of the next token, by rank.
    pub fn logits(&self) -> impl Iterator<Item = f32> {
        let vocab = self.sums().len() - 1;
        self.output.logits.iter().flat_map(|l| l.0).take(vocab)
    }

    /// Tokens that it is to read in one step, for [`Engine::read`](super::Engine::read). What the
    /// stream itself says afterwards is what it said before.
    pub fn window<'a>(
        &'a mut self,
        tokens: &'a [Token],
        outputs: &'a mut [LmOutput],
    ) -> Window<'a> {
        Window { state: &mut self.state, tokens, outputs }
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        let logits = self.output.logits.len() * size_of::<Lanes>();
        self.state.memory() + logits + size_of_val(&self.output.sums[..])
    }
}
