//! Language models: given each stream's next token, the frequencies of the one after.

pub mod architecture;
pub mod device;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod engine;
pub mod file;
mod find;
pub mod header;
mod loaded;
pub mod memory;
pub mod ppm;
#[allow(clippy::float_arithmetic, reason = "exact steps of few bits")]
pub(crate) mod random;
pub mod rwkv7;
pub mod transformer;

pub use find::{Found, find, ready};
pub use loaded::LoadedModel;

use crate::vocab::{Token, Vocabulary};

/// A model that reads streams of tokens in lock step and predicts the next token of each.
///
/// Predictions are a function of the stream's own tokens alone: not of the other streams, their
/// number, threads or the machine. Encoder and decoder call the same methods in the same order.
pub trait LanguageModel {
    /// The tokens it reads and predicts.
    fn vocabulary(&self) -> &Vocabulary;

    /// Forgets everything and begins `streams` documents.
    fn start(&mut self, streams: usize);

    /// Prefix sums `[V + 1]` of the frequencies of a stream's next token, tokens sorted by bytes
    /// ([`Vocabulary::sorted`]); the total is below 2^48.
    fn sums(&self, stream: usize) -> &[u64];

    /// Reads each stream's next token, `[streams]`; `None` for a stream that has ended.
    fn step(&mut self, next: &[Option<Token>]);
}
