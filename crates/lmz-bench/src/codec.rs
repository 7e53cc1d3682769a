//! What every codec that is compared looks like.

use super::Form;

/// Why a codec could not do its work: said in its own words.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CodecFailure(pub String);

impl CodecFailure {
    /// The words of another error.
    pub fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }

    /// The words of an error of lmz and of its causes.
    pub fn of_lmz(error: lmz::Error) -> Self {
        Self(lmz::error::told(&error))
    }
}

/// What a decoder has to have besides its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelSize {
    /// Trained numbers.
    pub parameters: u64,
    /// Bytes of its files.
    pub stored: u64,
    /// Whether the program holds it already.
    pub built_in: bool,
}

/// A lossless codec, whole content in memory.
pub trait Codec: Send + Sync {
    /// Its name and setting in tables and on the command line, such as `zstd-19`. Unique:
    /// [`find`](super::codecs::find) gives the codec for it.
    fn name(&self) -> &str;

    /// The library behind it, that library's version, and what is set.
    fn version(&self) -> String;

    /// The model that decoding needs, if there is one.
    fn model(&self) -> Option<ModelSize> {
        None
    }

    /// Whether it can code data of this form; codecs for bytes take all of them.
    fn takes(&self, form: &Form) -> bool {
        let _ = form;
        true
    }

    /// The coded bytes, with everything that decoding needs but the form.
    fn compress(&self, bytes: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure>;

    /// The bytes again. `form` is what [`compress`](Self::compress) was given.
    fn decompress(&self, coded: &[u8], form: &Form) -> Result<Vec<u8>, CodecFailure>;

    /// What [`compress`](Self::compress) makes of each piece, byte for byte; some codecs are faster
    /// with many at once.
    fn compress_each(&self, pieces: &[(&[u8], &Form)]) -> Result<Vec<Vec<u8>>, CodecFailure> {
        pieces.iter().map(|(bytes, form)| self.compress(bytes, form)).collect()
    }
}
