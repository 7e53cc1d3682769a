//! RWKV-7 (Peng and others, "RWKV-7 Goose", 2025) in exact arithmetic: docs/ARITHMETIC.md, section
//! 4.
//!
//! A model folder comes in ([`Model`]); tokens are read one by one, logits of the next one go out.
//! [`Oracle`] is the definition, for one stream; [`Network`] is what the
//! [engine](super::engine) computes.

mod builtin;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod checkpoint;
mod config;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
pub mod engine;
mod error;
mod identity;
mod load;
mod model;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
mod oracle;
#[allow(clippy::float_arithmetic, reason = "asks for the proof of the standard state")]
mod random;
mod ready;
mod tensors;
mod weights;

pub use config::Config;
pub use engine::{Network, StreamState};
pub use error::ModelError;
pub use identity::Identity;
pub use model::{Files, Model, pth};
pub use oracle::{LayerState, Oracle, State};
pub use tensors::Tensor;
pub use weights::{ChannelMix, Layer, Matrix, Norm, Source, TimeMix, ValueMix, Weights};
