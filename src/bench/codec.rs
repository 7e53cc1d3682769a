//! What every codec that is compared looks like.

use super::Form;

/// Why a codec could not do its work: said in its own words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CodecFailure(pub String);

/// A lossless codec, whole content in memory.
pub trait Codec: Send + Sync {
    /// Its name and setting in tables and on the command line, such as `zstd-19`. Unique.
    fn name(&self) -> &str;

    /// The library behind it and that library's version.
    fn version(&self) -> String;

    /// Whether it can code data of this form; codecs for bytes take all of them.
    fn takes(&self, form: &Form) -> bool {
        let _ = form;
        true
    }

    /// The coded bytes, with everything that decoding needs but the form.
    fn compress(&self, bytes: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure>;

    /// The bytes again. `form` is what [`compress`](Self::compress) was given.
    fn decompress(&self, coded: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure>;
}
