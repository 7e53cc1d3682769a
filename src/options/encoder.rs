//! How to compress.

use crate::codec::context::Model;
use crate::dictionary::Dictionary;
use crate::error::{Error, Result};
use crate::exact::kernel::Kernel;
use crate::format::{BLOCK, Limits};
use crate::lm::ppm;
use crate::options::DecoderOptions;
use crate::predictor::Predictor;
use crate::progress::Progress;

/// How to compress: what predicts, how the content is cut, and what that may take.
///
/// Nothing is loaded or checked when options are made. Values that cannot be are an error
/// ([`Error::Option`]) where an encoder is made of them, and the default model is loaded when the
/// first bytes are coded.
///
/// ```
/// use lmz::{EncoderOptions, Predictor};
///
/// let options = EncoderOptions::new().block_size(1 << 20).threads(2).predictor(Predictor::None);
/// let archive = lmz::compress_with(b"some text", &options)?;
/// assert_eq!(lmz::decompress(&archive)?, b"some text");
/// # Ok::<(), lmz::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncoderOptions {
    pub(crate) block_size: Option<usize>,
    pub(crate) threads: usize,
    /// `None` stands for the default.
    pub(crate) predictor: Option<Predictor>,
    pub(crate) mix: bool,
    pub(crate) streams: Option<usize>,
    pub(crate) ppm_order: u8,
    pub(crate) ppm_memory: u8,
    pub(crate) dictionary: Option<Dictionary>,
    pub(crate) verify: bool,
    pub(crate) memory: u64,
    pub(crate) content_length: Option<u64>,
    pub(crate) progress: Option<Progress>,
}

impl Default for EncoderOptions {
    fn default() -> Self {
        Self {
            block_size: None,
            threads: 1,
            predictor: None,
            mix: true,
            streams: None,
            ppm_order: ppm::ORDER,
            ppm_memory: ppm::MEMORY_LOG2,
            dictionary: None,
            verify: true,
            memory: Limits::MEMORY,
            content_length: None,
            progress: None,
        }
    }
}

impl EncoderOptions {
    /// Bytes of a block unless something else is asked for: 4 MiB.
    pub const BLOCK_SIZE: usize = BLOCK;

    /// The default: the model [`Predictor::DEFAULT`] with context mixing, blocks of
    /// [`BLOCK_SIZE`](Self::BLOCK_SIZE) bytes, one thread.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the bytes of content in a block, 1 to 2^30. A block is the unit of random access, of
    /// damage and of parallel work. Without it: [`BLOCK_SIZE`](Self::BLOCK_SIZE).
    pub fn block_size(mut self, bytes: usize) -> Self {
        self.block_size = Some(bytes);
        self
    }

    /// Sets the number of threads, at least 1: for blocks coded at once, no more than there are
    /// processors, and in each block for a neural model beside the coder. The archive does not
    /// depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Sets what predicts the content.
    pub fn predictor(mut self, predictor: Predictor) -> Self {
        self.predictor = Some(predictor);
        self
    }

    /// Sets whether context mixing predicts together with a neural model, as it does by default.
    /// Without it a block is what the model alone makes of it: much larger, the figure that papers
    /// report. It is of no consequence with other predictors.
    pub fn mix(mut self, mix: bool) -> Self {
        self.mix = mix;
        self
    }

    /// Sets the number of streams that a block is cut into, 1 to 1,024. With `None` its length
    /// decides: with a neural model one stream for each 64 KiB and 16 at most (64 with a model of
    /// 16 MiB and more), without a model always one. More streams are faster with a model, and make
    /// the block larger.
    pub fn streams(mut self, streams: impl Into<Option<usize>>) -> Self {
        self.streams = streams.into();
        self
    }

    /// Sets the longest context of PPM in bytes, 1 to 32. The default is 6.
    pub fn ppm_order(mut self, order: u8) -> Self {
        self.ppm_order = order;
        self
    }

    /// Sets the memory that PPM takes for contexts, as the logarithm to base 2 of its bytes: 16 to
    /// 30. The default is 26.
    pub fn ppm_memory(mut self, log2: u8) -> Self {
        self.ppm_memory = log2;
        self
    }

    /// Sets what the models read before each block. A decoder needs the dictionary too.
    pub fn dictionary(mut self, dictionary: impl Into<Option<Dictionary>>) -> Self {
        self.dictionary = dictionary.into();
        self
    }

    /// Sets whether blocks of a device-bound model are decoded and compared before they are
    /// written, as they are by default. It is of no consequence with other predictors, which give
    /// the same numbers everywhere.
    pub fn verify(mut self, verify: bool) -> Self {
        self.verify = verify;
        self
    }

    /// Sets how many bytes of memory compressing may take: fewer blocks are coded at once until
    /// they fit, and one that needs more by itself is an error. The archive does not depend on it.
    /// The default is 4 GiB.
    pub fn memory(mut self, bytes: u64) -> Self {
        self.memory = bytes;
        self
    }

    /// Says how many bytes of content will be written. A full frame then tells it in its header, so
    /// that a decoder knows it before the end ([`content_length`] there), and it is an error if it
    /// turns out to be wrong. By default nothing is said.
    ///
    /// [`content_length`]: crate::read::Decoder::content_length
    pub fn content_length(mut self, bytes: impl Into<Option<u64>>) -> Self {
        self.content_length = bytes.into();
        self
    }

    /// Sets a counter that tells how many bytes of content have been coded, for other threads to
    /// look at.
    pub fn progress(mut self, progress: Progress) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The number of threads.
    pub fn get_threads(&self) -> usize {
        self.threads
    }

    /// The bytes of memory that compressing may take.
    pub fn get_memory(&self) -> u64 {
        self.memory
    }

    /// Whether context mixing takes part beside a neural model.
    pub fn get_mix(&self) -> bool {
        self.mix
    }

    /// The longest context of PPM, in bytes.
    pub fn get_ppm_order(&self) -> u8 {
        self.ppm_order
    }

    /// The logarithm to base 2 of the bytes that PPM takes for contexts.
    pub fn get_ppm_memory(&self) -> u8 {
        self.ppm_memory
    }

    /// What predicts, if it was set; else it is the default.
    pub fn get_predictor(&self) -> Option<&Predictor> {
        self.predictor.as_ref()
    }

    /// What the models read before each block.
    pub fn get_dictionary(&self) -> Option<&Dictionary> {
        self.dictionary.as_ref()
    }

    /// The bytes of a block.
    pub fn get_block_size(&self) -> usize {
        self.block_size.unwrap_or(BLOCK)
    }

    /// An error unless all that was set can be.
    pub(crate) fn check(&self) -> Result<()> {
        let limits = Limits::default();
        let (least, most) = ppm::MEMORY_RANGE.into_inner();
        let streams = self.streams.map_or(1, |n| n as u64);
        for (name, found, least, most) in [
            ("block size in bytes", self.get_block_size() as u64, 1, limits.block),
            ("threads", self.threads as u64, 1, u64::MAX),
            ("streams of a block", streams, 1, limits.segments),
            ("longest context of PPM", self.ppm_order.into(), 1, ppm::MAX_ORDER.into()),
            ("logarithm of PPM's memory", self.ppm_memory.into(), least.into(), most.into()),
        ] {
            if !(least..=most).contains(&found) {
                return Err(Error::Option { name, found, least, most });
            }
        }
        Ok(())
    }

    /// The models that predict, loaded now: one or none.
    pub(crate) fn models(&self) -> Result<Vec<Model>> {
        Kernel::chosen()?;
        Ok(match self.loaded()? {
            Predictor::None => Vec::new(),
            Predictor::Ppm => {
                vec![Model::Ppm { order: self.ppm_order, memory: self.ppm_memory }]
            }
            Predictor::Model(model) => vec![Model::Exact(model)],
            Predictor::DeviceBound(model) => vec![Model::DeviceBound(model, Box::default())],
        })
    }

    /// What predicts, loaded now.
    pub(crate) fn loaded(&self) -> Result<Predictor> {
        match &self.predictor {
            Some(predictor) => Ok(predictor.clone()),
            None => Predictor::find(Predictor::DEFAULT)
                .map_err(|source| Error::DefaultModel { source: Box::new(source) }),
        }
    }

    /// How to decompress what is compressed so: with the dictionary, the model, the number of
    /// threads and the bound on memory that are set here.
    pub fn decoding(&self) -> DecoderOptions {
        let limits = Limits { memory: self.memory, ..Limits::default() };
        let mut out = DecoderOptions::new().threads(self.threads).limits(limits);
        out.dictionaries.extend(self.dictionary.clone());
        match &self.predictor {
            None | Some(Predictor::None | Predictor::Ppm) => out,
            Some(Predictor::Model(model)) => out.model(model.clone()),
            Some(Predictor::DeviceBound(model)) => out.device_model(model.clone()),
        }
    }
}
