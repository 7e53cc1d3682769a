//! How to compress and how to decompress; and finding what an archive names, which are dictionaries
//! and models.

mod decoder;
mod encoder;
mod resolve;

pub use decoder::DecoderOptions;
pub use encoder::EncoderOptions;
pub(crate) use resolve::{Needs, Resolved, Resolver};
