//! Language models of the Hugging Face hub for the lossless compressor [`lmz`].
//!
//! [`Finder`] finds a model by name: built in, in the hub's cache, got from the hub, or at a path.
//! RWKV-7 and transformers of Llama's kind are computed by the exact engine of `lmz`, whose archives
//! decode anywhere; on a GPU, or as numbers of a type that is asked for, by candle, as other
//! architectures ([`CANDLE`]) are: such archives decode where the device gives the same numbers. A
//! finder is a [`ModelProvider`](lmz::ModelProvider) too: a decoder that has one finds in the hub's
//! cache what an archive names. [`known`] has a few models to begin with.

// Floating point is computed in the standard state alone: see `lmz::exact::fpstate`.
#![cfg_attr(not(test), deny(clippy::float_arithmetic))]

mod architecture;
#[allow(clippy::float_arithmetic, reason = "runs inside of the gate")]
mod candle;
#[allow(clippy::float_arithmetic, reason = "runs inside of the gate")]
mod config;
mod error;
mod find;
pub mod gguf;
pub mod hub;
pub mod known;
mod pth;
mod tensors;
pub mod tokenizer;
#[allow(clippy::float_arithmetic, reason = "runs inside of the gate")]
mod transformer;

pub use architecture::CANDLE;
pub use error::HubError;
pub use find::{Finder, Settings};
