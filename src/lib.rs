//! lmz: a lossless compressor whose predictions come from a language model.
//!
//! Being built. So far: the container, context mixing alone, together with a neural language model
//! ([`Predictor::find`]), and PPM as a baseline; the training kit is in `scripts/train`, the models
//! in `models`, and the arithmetic that the neural models follow bit for bit in
//! `docs/ARITHMETIC.md`.

// Floating point is computed in the standard state alone, where `exact::fpstate` gives a proof of
// it. Modules that ask for that proof, or run inside of the gate, say so where they allow it.
#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod archive;
pub mod bufread;
mod cancel;
#[doc(hidden)]
pub mod codec;
mod copy;
mod decoder;
mod dictionary;
mod encoder;
pub mod error;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
#[doc(hidden)]
pub mod exact;
pub mod explain;
#[doc(hidden)]
pub mod format;
#[doc(hidden)]
pub mod lm;
mod message;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
#[doc(hidden)]
pub mod mix;
#[cfg(feature = "train")]
#[doc(hidden)]
pub use mix::train;
mod options;
#[doc(hidden)]
pub mod parallel;
mod predictor;
mod provider;
pub mod read;
pub mod recover;
mod report;
#[doc(hidden)]
pub mod vocab;
mod window;
pub mod write;

pub use archive::{Archive, Block, Frame};
pub use cancel::CancellationToken;
pub use copy::{compress, compress_with, copy_decode, copy_encode};
pub use decoder::{decompress, decompress_with};
pub use dictionary::Dictionary;
pub use error::{CodecError, Error, Result};
pub use explain::{Explanation, explain};
pub use format::{FormatError, HubName, Limits, Method};
pub use lm::bound::{Bound, BoundError};
pub use lm::rwkv7::{Identity, ModelError, Ready};
pub use message::{compress_bare, compress_many, decompress_bare};
pub use options::{DecoderOptions, EncoderOptions};
pub use predictor::Predictor;
pub use provider::ModelProvider;
pub use report::{BlockReport, Reason};
