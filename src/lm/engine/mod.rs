//! Exact models at full speed: many streams in lock step, with the bits of the models' definitions
//! ([`rwkv7::Oracle`](super::rwkv7::Oracle), [`transformer::Oracle`](super::transformer::Oracle)).
//!
//! Streams and the token that each reads come in ([`Engine::step`]); each stream then has the
//! prefix sums of its next token's frequencies. Weights are read once for all streams of a step.
//! What a stream gives depends on its own tokens alone: not on the other streams, their number, or
//! the kernel.
//!
//! Where a stream's tokens are known, as they are to an encoder, many of them are read in one step
//! ([`Engine::read`]).
//!
//! A stream is a value ([`LmStream`]): begin one at any step, drop it at any step, and step any
//! subset. So while one half of the streams is in the engine, the other can be in the coder.
//!
//! What computes the models is behind [`ExactModel`]; who uses an engine knows no architecture.

mod frequencies;
mod network;
mod stream;
mod team;
mod timer;

use std::sync::Arc;

pub use frequencies::{Frequencies, RowSums};
use network::Scratch;
pub use network::{ExactModel, Network, Row};
pub use stream::{LmOutput, LmState, LmStream};
pub use team::Team;
pub use timer::{Part, Timer};

use crate::exact::fpstate;
use crate::vocab::{START, Token};

/// Computes a model. To use more threads, give each an engine and streams of its own: engines share
/// the network. The steps of a large model can be shared among threads too
/// ([`with_threads`](Engine::with_threads)), which few streams need.
pub struct Engine {
    network: Arc<Network>,
    scratch: Scratch,
}

impl Engine {
    /// An engine of a model that others may use too.
    pub fn new(network: Arc<Network>) -> Self {
        Self::with_threads(network, 1)
    }

    /// An engine that shares each step among so many threads, if the model's steps are long enough
    /// for that. What it gives does not depend on them.
    pub fn with_threads(network: Arc<Network>, threads: usize) -> Self {
        Self { scratch: Scratch::of(&network, threads), network }
    }

    /// An engine of a model that nobody else uses.
    pub fn of(network: impl Into<Network>) -> Self {
        Self::new(Arc::new(network.into()))
    }

    pub fn network(&self) -> &Arc<Network> {
        &self.network
    }

    /// A new stream. Its first token is [`START`](crate::vocab::START).
    pub fn stream(&self) -> LmStream {
        LmStream::new(&self.network, None)
    }

    /// Measures the parts of a step, for benchmarks.
    #[doc(hidden)]
    pub fn timer(&mut self) -> &mut Timer {
        self.scratch.timer()
    }

    /// Each stream reads its token, a number below V.
    ///
    /// # Panics
    ///
    /// If a token is not below V, or a stream is of another model's shape.
    pub fn step(&mut self, rows: &mut [(&mut LmStream, Token)]) {
        let numbered = rows.iter().enumerate();
        let tokens: Vec<_> =
            numbered.map(|(state, row)| Row { state, token: row.1, said: true }).collect();
        let (mut states, mut outputs): (Vec<_>, Vec<_>) =
            rows.iter_mut().map(|(stream, _)| (&mut stream.state, &mut stream.output)).unzip();
        self.run(&mut states, &tokens, &mut outputs);
    }

    /// Each state reads tokens that are known beforehand, all in one step: much faster than one
    /// after the other, because the weights are read once, and with the same bits.
    ///
    /// # Panics
    ///
    /// As [`step`](Self::step); if a window has more outputs than tokens, or
    /// [`START`](crate::vocab::START) behind its first token.
    pub fn read(&mut self, windows: &mut [Window]) {
        let mut rows = Vec::new();
        let (mut states, mut outputs) = (Vec::new(), Vec::new());
        for (state, window) in windows.iter_mut().enumerate() {
            let unsaid = window.tokens.len().checked_sub(window.outputs.len());
            let unsaid = unsaid.expect("no more outputs than tokens");
            // A document's beginning forgets what the rows before it have yet to read.
            assert!(window.tokens.iter().skip(1).all(|token| *token != START), "START is first");
            let numbered = window.tokens.iter().enumerate();
            rows.extend(numbered.map(|(i, token)| Row { state, token: *token, said: i >= unsaid }));
            states.push(&mut *window.state);
            outputs.extend(window.outputs.iter_mut());
        }
        self.run(&mut states, &rows, &mut outputs);
    }

    fn run(&mut self, states: &mut [&mut LmState], rows: &[Row], outputs: &mut [&mut LmOutput]) {
        if rows.is_empty() {
            return;
        }
        let (network, scratch) = (&*self.network, &mut self.scratch);
        fpstate::exact(|fp| network.run(fp, states, rows, outputs, scratch));
    }
}

/// Tokens that a stream reads in one step.
pub struct Window<'a> {
    /// What has read the tokens before, and then these.
    pub state: &'a mut LmState,
    /// The tokens, each a number below V.
    pub tokens: &'a [Token],
    /// What the model says behind each of the last tokens; as many as there are outputs.
    pub outputs: &'a mut [LmOutput],
}
