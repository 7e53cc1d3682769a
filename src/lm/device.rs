//! Models that ordinary floating-point kernels compute: what the codec asks of them.
//!
//! Their output is that of one build on one kind of device. So an archive says what it was made
//! with ([`DeviceBoundEntry`](crate::format::DeviceBoundEntry)), and every step computes the same
//! number of rows: a stream that has ended goes on with rows that nobody reads.

use std::fmt;
use std::sync::Arc;

use crate::format::{DeviceBoundEntry as Entry, HubName, Numerics, printable};
use crate::lm::rwkv7::Identity;
use crate::mix::Prior;
use crate::vocab::{Token, Vocabulary};

/// Why a device-bound model cannot be computed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// What computes it failed.
    #[error("{}", printable(_0))]
    Failed(String),
    /// Too large for the device.
    #[error(
        "the model needs about {} MiB (weights {}, context of {batch} streams {}), and {} MiB are \
        free",
        (weights + context) >> 20, weights >> 20, context >> 20, free >> 20
    )]
    Memory {
        /// Bytes of its weights.
        weights: u64,
        /// Bytes of what it remembers of its streams.
        context: u64,
        /// Streams at once.
        batch: u64,
        /// Bytes that the device has free.
        free: u64,
    },
}

/// A model ready to predict, with its files read; weights are loaded when they are first needed.
pub trait DeviceModel: fmt::Debug + Send + Sync {
    /// What it is called.
    fn name(&self) -> &str;

    /// What its configuration calls its architecture.
    fn architecture(&self) -> &str;

    /// What archives name it by.
    fn identity(&self) -> Identity;

    /// Its tokens. Token 0 is empty: it begins a document.
    fn vocabulary(&self) -> &Vocabulary;

    /// What the context models begin with beside it.
    fn start(&self) -> &Prior;

    /// How many trained numbers it has.
    fn parameters(&self) -> u64;

    /// Tokens of a text, as the model was trained to read it: their bytes, joined, are the text.
    fn segment(&self, text: &[u8]) -> Vec<Token>;

    /// What an archive says of it: all but the probe's hash.
    fn entry(&self, batch: u64) -> Result<Entry, DeviceError>;

    /// What would compute it here, with numbers of the type that the entry names.
    fn numerics(&self, entry: &Entry) -> Result<Numerics, DeviceError>;

    /// The hash that the entry's probe should have.
    fn probe(&self, entry: &Entry) -> Result<[u8; 16], DeviceError>;

    /// Rows that have read what a document begins with and then `first`.
    fn begin(&self, entry: &Entry, first: &[Token]) -> Result<Box<dyn DeviceSession>, DeviceError>;
}

/// The streams of a block and rows that nobody reads, in lock step.
pub trait DeviceSession: Send {
    /// Reads each row's next token, `[batch]`.
    fn step(&mut self, tokens: &[Token]) -> Result<(), DeviceError>;

    /// Writes the prefix sums `[V + 1]` of the frequencies of some rows' next tokens.
    fn sums(&mut self, rows: &mut [(usize, &mut Vec<u64>)]) -> Result<(), DeviceError>;
}

/// A device-bound model. Copies share its memory.
#[derive(Debug, Clone)]
pub struct DeviceBoundModel(pub(crate) Arc<dyn DeviceModel>, Option<HubName>);

impl DeviceBoundModel {
    /// A model that something else computes.
    pub fn new(model: Arc<dyn DeviceModel>) -> Self {
        Self(model, None)
    }

    /// The model, with a note of where on the hub it was got.
    pub fn with_origin(self, origin: HubName) -> Self {
        Self(self.0, Some(origin))
    }

    /// Where on the hub it was got, at which commit.
    pub fn origin(&self) -> Option<&HubName> {
        self.1.as_ref()
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        self.0.name()
    }

    /// What its configuration calls its architecture.
    pub fn architecture(&self) -> &str {
        self.0.architecture()
    }

    /// What archives name it by.
    pub fn identity(&self) -> Identity {
        self.0.identity()
    }

    /// Its tokens.
    pub fn vocabulary(&self) -> &Vocabulary {
        self.0.vocabulary()
    }

    /// How many trained numbers it has.
    pub fn parameters(&self) -> u64 {
        self.0.parameters()
    }

    /// Bytes of a block that take about a minute or two: a power of two, by the number of
    /// parameters alone.
    pub fn block(&self) -> usize {
        let bytes = WORK / self.parameters().max(1);
        1 << bytes.max(1).ilog2().clamp(SMALLEST.ilog2(), LARGEST.ilog2())
    }

    /// Streams of a block of `length` bytes.
    pub(crate) fn streams(&self, length: usize) -> usize {
        (length / EACH).clamp(1, MOST)
    }
}

impl PartialEq for DeviceBoundModel {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for DeviceBoundModel {}

/// Parameters times bytes of about a minute: 3.1 million take 94 s for 256 KiB, 135 million 125 s
/// for the 16 KiB that a block has at least, in CPU time on a machine that was busy with other
/// things (docs/ARCHITECTURE.md).
const WORK: u64 = 1 << 40;
const SMALLEST: u64 = 16 << 10;
const LARGEST: u64 = 4 << 20;

/// Bytes of a block for each of its streams, and the most streams. Fewer bytes than with models
/// whose rows are cheap: a row alone costs nearly as much as eight.
const EACH: usize = 4 << 10;
const MOST: usize = 32;

#[cfg(test)]
mod tests;
