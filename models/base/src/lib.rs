//! The files of `base`, a language model that is built into programs which use the lossless
//! compressor [`lmz`](https://docs.rs/lmz). They are data; `lmz` with its feature `base` reads
//! them.
#![no_std]
#![deny(missing_docs)]

/// The shape of the model and the arithmetic that it is made for, as JSON.
pub const CONFIG: &[u8] = include_bytes!("../config.json");
/// The tokens, one for each line.
pub const VOCABULARY: &[u8] = include_bytes!("../vocab.txt");
/// The weights, in the format of safetensors.
pub const TENSORS: &[u8] = include_bytes!("../model.safetensors");
/// What context mixing begins with beside this model.
pub const MIXER: &[u8] = include_bytes!("../mixer.bin");
