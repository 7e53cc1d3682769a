//! The engine as a [`LanguageModel`].

use std::sync::Arc;

use super::{Engine, Network, Stream};
use crate::lm::LanguageModel;
use crate::vocab::{START, Token, Vocabulary};

/// Most streams that are begun at once: as many as a block may have.
const MOST_STREAMS: usize = 1024;

/// Streams that advance in lock step.
pub struct LockStep {
    vocabulary: Arc<Vocabulary>,
    engine: Engine,
    streams: Vec<Stream>,
}

impl LockStep {
    /// On some threads ([`Engine::new`]). `network` has been made from a model of this vocabulary
    /// ([`Network::for_model`]).
    pub fn new(network: Arc<Network>, vocabulary: Arc<Vocabulary>, threads: usize) -> Self {
        assert_eq!(network.config.vocab, vocabulary.len(), "the vocabulary has to be the model's");
        Self { vocabulary, engine: Engine::new(network, threads), streams: Vec::new() }
    }
}

impl LanguageModel for LockStep {
    fn vocabulary(&self) -> &Vocabulary {
        &self.vocabulary
    }

    fn most_streams(&self) -> usize {
        MOST_STREAMS
    }

    fn start(&mut self, streams: usize) {
        self.streams.truncate(streams);
        self.streams.resize_with(streams, || self.engine.stream());
        self.step(&vec![Some(START); streams]);
    }

    fn sums(&self, stream: usize) -> &[u64] {
        self.streams[stream].sums()
    }

    fn step(&mut self, next: &[Option<Token>]) {
        let rows = self
            .streams
            .iter_mut()
            .zip(next)
            .filter_map(|(stream, token)| token.map(|token| (stream, token)));
        self.engine.step(&mut rows.collect::<Vec<_>>());
    }
}
