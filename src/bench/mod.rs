//! Comparing codecs, and the experiments of "Language Modeling Is Compression" (feature `bench`).
//!
//! A [`Sample`] is data with its [`Form`]: bytes, a picture, or sound. A [`Codec`] turns samples into coded bytes and back.

pub mod codec;
pub mod sample;

pub use codec::{Codec, CodecFailure};
pub use sample::{Form, Sample};
