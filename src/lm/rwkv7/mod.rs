//! RWKV-7 (Peng and others, "RWKV-7 Goose", 2025) in exact arithmetic: docs/ARITHMETIC.md, section 4.
//!
//! A model folder comes in ([`Model`]); tokens are read one by one, logits of the next one go out. [`Oracle`] is the
//! definition, for one stream.

mod builtin;
mod config;
pub mod engine;
mod error;
mod load;
mod oracle;
mod random;
mod weights;

pub use config::Config;
pub use engine::{Engine, Network, Stream};
pub use error::ModelError;
pub use oracle::{LayerState, Oracle, State};
pub use weights::{ChannelMix, Layer, Matrix, Norm, Source, TimeMix, ValueMix, Weights};

impl Weights {
    /// From the bytes of a folder's `config.json` and `model.safetensors`.
    pub fn parse(config: &[u8], tensors: &[u8]) -> Result<Self, ModelError> {
        load::weights(config, tensors)
    }
}
