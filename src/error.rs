//! What can go wrong.

use std::io;

use crate::exact::kernel::UnknownKernel;
use crate::format::{FormatError, HubName, Numerics, Registered, hex};
use crate::lm::device::DeviceError;
use crate::lm::rwkv7::ModelError;

/// A coded block that does not decode.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
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
    Streams {
        /// The streams that its head states.
        found: u64,
    },
    /// A device-bound model does not give the frequencies that it gave the encoder.
    #[error(
        "from byte {at} of the block on, the model gives other frequencies here than it gave the \
        encoder: its files, the \
         device or the libraries are not what made the archive"
    )]
    Diverged {
        /// The byte of the block.
        at: u64,
    },
    /// A device-bound model cannot be computed.
    #[error(transparent)]
    DeviceBound(#[from] DeviceError),
    /// It needs more memory than there is.
    #[error("it needs {needed} bytes of memory, and the system has not as much for it")]
    Memory {
        /// Bytes that it needs.
        needed: u64,
    },
    /// The work was ended by a [`CancellationToken`](crate::CancellationToken).
    #[error("the work was cancelled")]
    Cancelled,
    /// Decoded, but to other bytes than were encoded.
    #[error("its bytes do not fit its check")]
    BadCheck,
}

/// Everything that this library reports.
///
/// A message says what is wrong and not why: the cause is the error's
/// [`source`](std::error::Error::source), and [`told`] gives the whole chain as one line. What to
/// do about it depends on who asks, so the values hold the facts for that.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Reading or writing failed.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An option has a value that cannot be.
    #[error("{name}: expected {least} to {most}, found {found}")]
    Option {
        /// Which option.
        name: &'static str,
        /// The value that was given.
        found: u64,
        /// The smallest value that can be.
        least: u64,
        /// The largest value that can be.
        most: u64,
    },
    /// A text cannot be drawn so.
    #[error("{name}: expected 0 to {most}, found {found}")]
    Sampling {
        /// Which value of [`Sampling`](crate::generate::Sampling).
        name: &'static str,
        /// The value that was given.
        found: f32,
        /// The largest value that can be.
        most: f32,
    },
    /// The default model cannot be used; where it is not built in, this is how that is found out.
    #[error("the default model cannot be used")]
    DefaultModel {
        /// Why not.
        source: Box<ModelError>,
    },
    /// Another number of bytes was written than
    /// [`EncoderOptions::content_length`](crate::EncoderOptions::content_length) had said.
    #[error("expected {expected} bytes of content, found {found}")]
    ContentLength {
        /// What was said.
        expected: u64,
        /// What there is, so far.
        found: u64,
    },
    /// The environment asks for a kernel (`LMZ_KERNEL`) that there is not.
    #[error(transparent)]
    Kernel(#[from] UnknownKernel),
    /// A part of the container is not what the format says.
    #[error("at byte {at} of the archive")]
    Format {
        /// Where the part begins.
        at: u64,
        /// What is wrong with it.
        source: FormatError,
    },
    /// A block does not decode. What came before it was delivered.
    #[error("block {block} (at byte {at} of the archive, {raw_at} of the content)")]
    Block {
        /// The block's number in its frame, from 0.
        block: u64,
        /// Where the block begins in the archive.
        at: u64,
        /// Where its content begins.
        raw_at: u64,
        /// What is wrong with it.
        source: CodecError,
    },
    /// A message without a frame cannot be coded, or does not decode.
    #[error("the message")]
    Bare {
        /// Why not.
        source: CodecError,
    },
    /// Bytes after the last frame that do not begin another. All content was delivered.
    #[error("at byte {at} of the archive: data after the last frame is not another frame")]
    TrailingData {
        /// Where they begin.
        at: u64,
    },
    /// The models of a frame have read a dictionary that was not given.
    #[error(
        "at byte {at} of the archive: made with a dictionary whose BLAKE3 hash is {}",
        hash(needed)
    )]
    NoDictionary {
        /// Where the frame begins.
        at: u64,
        /// The BLAKE3 hash of the dictionary, or the beginning of it.
        needed: Vec<u8>,
    },
    /// A frame names a neural model that is neither built in nor given, nor found by a provider.
    #[error("at byte {at} of the archive: made with {}", model(needed))]
    NoModel {
        /// Where the frame begins.
        at: u64,
        /// The model's identity, or the beginning of it.
        needed: Vec<u8>,
        /// Where on the hub it was got, if the frame says so.
        origin: Option<Box<HubName>>,
    },
    /// The provider has a model and cannot load it.
    #[error("at byte {at} of the archive: made with {origin}, which is in the cache")]
    Model {
        /// Where the frame begins.
        at: u64,
        /// Where on the hub the model was got.
        origin: Box<HubName>,
        /// Why it cannot be loaded.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What the provider gives for a name is not the model that the frame needs.
    #[error(
        "at byte {at} of the archive: made with {}; what the cache has as {origin} is another",
        model(needed)
    )]
    OtherModel {
        /// Where the frame begins.
        at: u64,
        /// Where on the hub the model was got.
        origin: Box<HubName>,
        /// The identity of the frame's model, or the beginning of it.
        needed: Vec<u8>,
    },
    /// A frame names a device-bound model that was not given, nor found by a provider.
    #[error(
        "at byte {at} of the archive: made with a model that ran as {numerics}, and whose \
        identity is {}",
        hex(identity)
    )]
    NoDeviceModel {
        /// Where the frame begins.
        at: u64,
        /// The model's identity.
        identity: [u8; 32],
        /// What computed it where the archive was made.
        numerics: Box<Numerics>,
        /// Where on the hub it was got, if the frame says so.
        origin: Option<Box<HubName>>,
    },
    /// The provider has something for a device-bound model that a frame names, and cannot load it.
    #[error(
        "at byte {at} of the archive: made with a model whose identity is {}; what was given to \
        decode it with cannot be loaded",
        hex(identity)
    )]
    DeviceModel {
        /// Where the frame begins.
        at: u64,
        /// The model's identity.
        identity: [u8; 32],
        /// Why it cannot be loaded.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A device-bound model does not give here what it gave the encoder.
    #[error(
        "at byte {at} of the archive: the model does not give here what it gave where the archive \
        was made, so it cannot be decoded here. Made with {made}; here it is {here}"
    )]
    OtherNumbers {
        /// Where the frame begins.
        at: u64,
        /// What computed the model where the archive was made.
        made: Box<Numerics>,
        /// What computes it here.
        here: Box<Numerics>,
    },
    /// A device-bound model cannot be computed.
    #[error(transparent)]
    DeviceBound(#[from] DeviceError),
    /// What was encoded does not decode: a device-bound model does not give the same frequencies
    /// twice on this device.
    #[error(
        "the block at byte {raw_at} of the content does not decode to what it was: the model does \
        not give the same frequencies twice on this device"
    )]
    NotReproduced {
        /// Where the block begins in the content.
        raw_at: u64,
        /// How decoding it failed.
        source: CodecError,
    },
    /// Something needs more memory than [`Limits::memory`](crate::Limits::memory) or
    /// [`EncoderOptions::memory`](crate::EncoderOptions::memory) allows.
    #[error("{what} needs {needed} bytes of memory, over the limit of {limit}")]
    Memory {
        /// What needs it.
        what: &'static str,
        /// Bytes that it needs.
        needed: u64,
        /// Bytes that are allowed.
        limit: u64,
    },
    /// The work was ended by a [`CancellationToken`](crate::CancellationToken).
    #[error("the work was cancelled")]
    Cancelled,
    /// A dictionary too short or too long.
    #[error("expected a dictionary of 1 to {most} bytes, found {found}")]
    DictionaryLength {
        /// Its bytes.
        found: usize,
        /// The most that it may have.
        most: usize,
    },
    /// There is nothing to decode, not even an empty frame.
    #[error("not an lmz archive: it is empty")]
    Empty,
}

/// An error with its causes as one line: each cause behind what it caused, each once.
///
/// ```
/// let error = lmz::decompress(b"no archive").unwrap_err();
/// let told = lmz::error::told(&error);
/// assert!(told.starts_with("at byte 0 of the archive: "), "{told}");
/// ```
pub fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Wrappers of the standard library and of others repeat what is inside of them.
        if !told.contains(&next) {
            told = format!("{told}: {next}");
        }
        cause = error.source();
    }
    told
}

impl Error {
    /// The kind of the [`io::Error`] that this becomes.
    pub(crate) fn kind(&self) -> io::ErrorKind {
        match self {
            Self::Io(error) => error.kind(),
            Self::Format { source: FormatError::Incomplete, .. } => io::ErrorKind::UnexpectedEof,
            Self::Memory { .. }
            | Self::Block { source: CodecError::Memory { .. }, .. }
            | Self::Bare { source: CodecError::Memory { .. } } => io::ErrorKind::OutOfMemory,
            Self::Kernel(_)
            | Self::Option { .. }
            | Self::Sampling { .. }
            | Self::ContentLength { .. }
            | Self::DefaultModel { .. } => io::ErrorKind::InvalidInput,
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
        (kind, format!("an earlier call failed: {}", told(self)))
    }

    /// What went wrong with a block, unless it was not the block's fault.
    pub(crate) fn of_block(block: u64, at: u64, raw_at: u64, source: CodecError) -> Self {
        match source {
            CodecError::Cancelled => Self::Cancelled,
            source => Self::Block { block, at, raw_at, source },
        }
    }

    /// What went wrong with a message that has no frame.
    pub(crate) fn of_message(source: CodecError) -> Self {
        match source {
            CodecError::DeviceBound(error) => Self::DeviceBound(error),
            CodecError::Cancelled => Self::Cancelled,
            source => Self::Bare { source },
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
