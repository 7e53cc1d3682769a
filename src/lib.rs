//! lmz: a lossless compressor whose predictions come from a language model.
//!
//! Being built. So far: the container, context mixing alone, together with a neural language model
//! ([`Predictor::find`]), and PPM as a baseline; the training kit is in `scripts/train`, the models
//! in `models`, and the arithmetic that the neural models follow bit for bit in
//! `docs/ARITHMETIC.md`.

// Floating point is computed in the standard state alone, where `exact::fpstate` gives a proof of
// it. Modules that ask for that proof, or run inside of the gate, say so where they allow it.
#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod cancel;
pub mod codec;
mod decoder;
mod dictionary;
mod encoder;
pub mod error;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod exact;
pub mod explain;
pub mod format;
pub mod lm;
mod message;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod mix;
mod options;
#[doc(hidden)]
pub mod parallel;
mod predictor;
mod provider;
pub mod recover;
pub mod scan;
pub mod vocab;
mod window;

pub use cancel::CancellationToken;
pub use decoder::{Decoder, decompress, decompress_with};
pub use dictionary::Dictionary;
pub use encoder::{BlockReport, Encoder, compress};
pub use error::{CodecError, Error, Result};
pub use explain::{Explanation, explain};
pub use format::Limits;
pub use message::{compress_bare, compress_many, decompress_bare};
pub use options::{DecodeOptions, Options};
pub use predictor::Predictor;
pub use provider::ModelProvider;
