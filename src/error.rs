//! What can go wrong.

use std::io;

use crate::dictionary::{Dictionary, hex};
use crate::format::{FormatError, HubName, Numerics, Registered};
use crate::lm::bound::BoundError;

/// A coded block that does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The range coder met a value that no encoder writes.
    #[error("its coded data is not what any encoder writes")]
    NotACodeword,
    /// The coded data ended before the block did.
    #[error("its coded data ends before it does")]
    TooShort,
    /// A segment of a coded block names no model.
    #[error("a segment names no model of the frame")]
    NoModel,
    /// A segment names a model that its codec cannot use.
    #[error("a segment names a model of a kind that its codec does not use")]
    WrongModel,
    /// A block that PPM predicts has more streams than one.
    #[error("it has {found} streams, and PPM reads one")]
    Streams { found: u64 },
    /// A device-bound model does not give the frequencies that it gave the encoder.
    #[error(
        "from byte {at} of the block on, the model gives other frequencies here than it gave the \
        encoder: its files, the \
         device or the libraries are not what made the archive"
    )]
    Diverged { at: u64 },
    /// A device-bound model cannot be computed.
    #[error(transparent)]
    Bound(#[from] BoundError),
    /// It needs more memory than there is.
    #[error("it needs {needed} bytes of memory, and the system has not as much for it")]
    Memory { needed: u64 },
    /// It needs more memory than [`Options::memory`](crate::Options::memory) allows.
    #[error(
        "it needs {needed} bytes of memory, over the limit of {limit}: raise the limit on memory"
    )]
    MemoryLimit { needed: u64, limit: u64 },
    /// The work was ended by a [`CancellationToken`](crate::CancellationToken).
    #[error("the work was cancelled")]
    Cancelled,
    /// Decoded, but to other bytes than were encoded.
    #[error("its bytes do not fit its check")]
    BadCheck,
}

/// Everything that this library reports.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A part of the container is not what the format says.
    #[error("at byte {at} of the archive: {source}")]
    Format { at: u64, source: FormatError },
    /// A block does not decode. What came before it was delivered.
    #[error("block {block} (at byte {at} of the archive, {raw_at} of the content): {source}")]
    Block { block: u64, at: u64, raw_at: u64, source: CodecError },
    /// Bytes after the last frame that do not begin another. All content was delivered.
    #[error("at byte {at} of the archive: data after the last frame is not another frame")]
    TrailingData { at: u64 },
    /// The models of a frame have read a dictionary that was not given. `needed` is its BLAKE3
    /// hash, or the beginning of it.
    #[error(
        "at byte {at} of the archive: made with a dictionary whose BLAKE3 hash is {}; give that \
        file",
        hash(needed)
    )]
    NoDictionary { at: u64, needed: Vec<u8> },
    /// A frame names a neural model that is neither built in nor given, nor in the hub's cache.
    /// `needed` is its identity, or the beginning of it; `origin` is where on the hub it was got,
    /// if the frame says so.
    #[error("at byte {at} of the archive: made with {}; \
        {}", model(needed), remedy(needed, origin.as_deref()))]
    NoModel { at: u64, needed: Vec<u8>, origin: Option<Box<HubName>> },
    /// A model is in the hub's cache and cannot be loaded.
    #[error("at byte {at} of the archive: made with {origin}, which is in the cache: {reason}")]
    Model { at: u64, origin: Box<HubName>, reason: Box<dyn std::error::Error + Send + Sync> },
    /// What the hub's cache has is not the model that the frame needs.
    #[error(
        "at byte {at} of the archive: made with {}; what the cache has as {origin} is another: \
        remove it (lmz model rm {origin}) and get it \
         again, or use the lmz that made the archive",
        model(needed)
    )]
    OtherModel { at: u64, origin: Box<HubName>, needed: Vec<u8> },
    /// A frame names a device-bound model that was not given and is not in the hub's cache;
    /// `origin` is where on the hub it was got, if the frame says so.
    #[error(
        "at byte {at} of the archive: made with a model that ran as {numerics}, and whose \
        identity is {}; {}",
        hex(identity), bound_remedy(origin.as_deref())
    )]
    NoBoundModel {
        at: u64,
        identity: [u8; 32],
        numerics: Box<Numerics>,
        origin: Option<Box<HubName>>,
    },
    /// A device-bound model does not give here what it gave the encoder.
    #[error(
        "at byte {at} of the archive: the model does not give here what it gave where the archive \
        was made, so it cannot be \
         decoded here. Made with {made}; here it is {here}. {}",
        advice(made, here)
    )]
    OtherNumbers { at: u64, made: Box<Numerics>, here: Box<Numerics> },
    /// A device-bound model cannot be computed.
    #[error(transparent)]
    Bound(#[from] BoundError),
    /// What was encoded does not decode.
    #[error(
        "the block at byte {raw_at} of the content does not decode to what it was ({source}): the \
        model does not give the same \
         frequencies twice on this device. Take another device (--device), or context mixing \
         alone (--model none); \
         --no-verify would only hide it"
    )]
    NotReproduced { raw_at: u64, source: CodecError },
    /// Something needs more memory than [`Limits::memory`](crate::Limits::memory) or
    /// [`Options::memory`](crate::Options::memory) allows.
    #[error(
        "{what} needs {needed} bytes of memory, over the limit of {limit}: raise the limit on \
        memory \
         if the machine has as much"
    )]
    Memory { what: &'static str, needed: u64, limit: u64 },
    /// The work was ended by a [`CancellationToken`](crate::CancellationToken).
    #[error("the work was cancelled")]
    Cancelled,
    /// A dictionary too short or too long.
    #[error("expected a dictionary of 1 to {} bytes, found {found}", Dictionary::LONGEST)]
    DictionaryLength { found: usize },
    /// There is nothing to decode, not even an empty frame.
    #[error("not an lmz archive: it is empty")]
    Empty,
}

impl Error {
    /// The kind of the [`io::Error`] that this becomes.
    pub(crate) fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Format { source: FormatError::Incomplete, .. } => io::ErrorKind::UnexpectedEof,
            Self::Memory { .. } | Self::Block { source: CodecError::Memory { .. }, .. } => {
                io::ErrorKind::OutOfMemory
            }
            // Not `Interrupted`: who gets that tries again.
            Self::Cancelled => io::ErrorKind::Other,
            _ => io::ErrorKind::InvalidData,
        }
    }

    /// The kind and message that every later call gives of what failed with this.
    pub(crate) fn lasting(&self) -> (io::ErrorKind, String) {
        let kind = if self.kind() == io::ErrorKind::Interrupted {
            io::ErrorKind::Other
        } else {
            self.kind()
        };
        (kind, format!("an earlier call failed: {self}"))
    }

    /// What went wrong with a block, unless it was not the block's fault.
    pub(crate) fn of_block(block: u64, at: u64, raw_at: u64, source: CodecError) -> Self {
        match source {
            CodecError::Cancelled => Self::Cancelled,
            source => Self::Block { block, at, raw_at, source },
        }
    }
}

/// [`std::result::Result`], with [`Error`] unless another error is named.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Io(e) => e,
            error => io::Error::new(error.kind(), error),
        }
    }
}

/// A hash of 32 bytes, or how it begins.
fn hash(bytes: &[u8]) -> String {
    hex(bytes) + if bytes.len() < 32 { "..." } else { "" }
}

fn model(identity: &[u8]) -> String {
    let name = Registered::by_identity(identity)
        .map_or("a model".into(), |r| format!("the model {}", r.name));
    format!("{name} whose identity is {}", hash(identity))
}

/// How to get a model.
fn remedy(identity: &[u8], origin: Option<&HubName>) -> String {
    match (Registered::by_identity(identity), origin) {
        (Some(_), _) => "give its folder (--model PATH), or use an lmz that has it built in".into(),
        (_, Some(origin)) => format!(
            "get it: lmz model pull {origin} (with the feature hub), or give its folder (--model \
            PATH)"
        ),
        (None, None) => {
            "give its folder (--model PATH), or its name on the hub (--model hf:OWNER/NAME)".into()
        }
    }
}

/// How to get a device-bound model.
fn bound_remedy(origin: Option<&HubName>) -> String {
    let folder = "give its folder (--model PATH) to an lmz that has the feature hub";
    match origin {
        Some(origin) => format!("get it: lmz model pull {origin}; or {folder}"),
        None => folder.into(),
    }
}

/// What to do where a device-bound model gives other numbers.
fn advice(made: &Numerics, here: &Numerics) -> &'static str {
    match () {
        () if made.device != here.device => "Decode it on such a device (--device picks one)",
        () if made.backend != here.backend => "Decode it with the lmz that made it",
        () => {
            "Decode it with the build of lmz that made it, on the same machine if there is no \
            other way"
        }
    }
}
