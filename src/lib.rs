//! A lossless compressor whose predictions come from a language model.
//!
//! What comes out is exactly what went in, on every machine: the built-in models are computed in
//! arithmetic that is defined to the bit, and a block whose check does not fit is an error, never
//! other content. On text, code and logs an archive is much smaller than those of general
//! compressors, and it takes much longer: with the default model tens of kB/s, to compress and
//! to decompress. Short messages gain most, since a model that knows the language needs
//! no beginning to learn from. Take another compressor where speed counts
//! more than size, or for what is compressed or encrypted already.
//!
//! # Ten lines that work
//!
//! ```
//! use std::io::{Read, Write};
//!
//! let archive = lmz::compress(b"to be or not to be")?;
//! assert_eq!(lmz::decompress(&archive)?, b"to be or not to be");
//!
//! let mut encoder = lmz::write::Encoder::new(Vec::new());
//! encoder.write_all(b"piece by piece")?;
//! let archive = encoder.finish()?;
//! let mut content = String::new();
//! lmz::read::Decoder::new(&archive[..]).read_to_string(&mut content)?;
//! assert_eq!(content, "piece by piece");
//! # Ok::<(), lmz::Error>(())
//! ```
//!
//! # What to take
//!
//! | for | take |
//! |---|---|
//! | slices | [`compress`], [`decompress`], [`compress_with`], [`decompress_with`] |
//! | a reader and a writer | [`copy_encode`], [`copy_decode`] |
//! | bytes that are written | [`write::Encoder`], [`write::Decoder`] |
//! | bytes that are read | [`read::Encoder`], [`read::Decoder`], and the same in [`bufread`] |
//! | parts of an archive, or what is in it | [`Archive`] |
//! | many short messages | [`compress_many`], with a [`Dictionary`] if they resemble each other |
//! | messages in a protocol that has lengths and checks | [`compress_bare`] |
//! | what is left of a damaged archive | [`recover::recover`] |
//! | where the bits go | [`explain`](fn@explain) |
//! | how well a predictor predicts a text | [`score`] |
//! | text as a predictor expects it | [`generate`] |
//! | how alike texts are | [`similarity`] |
//!
//! # How to choose a model
//!
//! [`EncoderOptions::predictor`] sets what predicts. An archive names its model, and a decoder needs
//! the same one; built-in models are there without being given.
//!
//! | predictor | what it is |
//! |---|---|
//! | `base` (the default) | the built-in RWKV-7 model for prose, code and markup, with context mixing |
//! | `nano` | a smaller built-in model: faster, and larger archives |
//! | [`Predictor::None`] | context mixing alone: many times faster, for any content; needs no model |
//! | a folder | any RWKV-7 model, by its path: [`Predictor::find`] |
//! | the Hugging Face hub | any model, with the package `lmz-hub`, which implements [`ModelProvider`] |
//!
//! # Features
//!
//! `base` and `nano`, both on by default, build the models of these names in (11.5 and 4.8 MB).
//! Without `base` the default model is missing, and using it is an error
//! ([`Error::DefaultModel`]).
//!
//! # Compatibility
//!
//! The format is version 1.0 and frozen: what any release has written, every later one decodes.

#![deny(missing_docs)]
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
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod generate;
#[doc(hidden)]
pub mod lm;
mod message;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
#[doc(hidden)]
pub mod mix;
mod options;
#[doc(hidden)]
pub mod parallel;
mod predictor;
mod progress;
mod provider;
pub mod read;
pub mod recover;
mod report;
#[allow(clippy::float_arithmetic, reason = "adds up what was decided, and decides nothing")]
pub mod score;
#[allow(clippy::float_arithmetic, reason = "compares what was decided, and decides nothing")]
pub mod similarity;
mod sticky;
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
pub use lm::LoadedModel;
pub use lm::device::{DeviceBoundModel, DeviceError};
pub use lm::rwkv7::{Identity, ModelError};
pub use message::{compress_bare, compress_many, decompress_bare};
pub use options::{DecoderOptions, EncoderOptions};
pub use predictor::Predictor;
pub use progress::Progress;
pub use provider::ModelProvider;
pub use report::{BlockReport, Reason};
