//! Dictionaries: texts that a model reads before a block, so that it starts warm.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::{Error, Result};
use crate::format::{DictionaryHash, hex};
use crate::lm::LoadedModel;
use crate::lm::engine::LmStream;
use crate::lm::ppm::{self, Ppm};
use crate::lm::rwkv7::Identity;

/// A reference text, like what is to be compressed: earlier messages, an older version, a sample.
///
/// Every block is coded as if the text had come before it. An archive names it by its hash and
/// cannot be decoded without it. What PPM learns from it is learnt once, with the parameters that
/// were used last, and shared by all clones. So is what a neural language model makes of its last
/// [`READ`](Self::READ) bytes; context mixing reads all of it anew for each block and message.
///
/// ```
/// use lmz::{DecoderOptions, Dictionary, EncoderOptions};
///
/// let dictionary = Dictionary::new(&b"{\"name\": \"\", \"address\": \"\"}\n".repeat(3))?;
/// let options = EncoderOptions::new().dictionary(dictionary.clone());
/// let archive = lmz::compress_with(b"{\"name\": \"Ada\"}", &options)?;
/// let decoding = DecoderOptions::new().dictionary(dictionary);
/// assert_eq!(lmz::decompress_with(&archive, &decoding)?, b"{\"name\": \"Ada\"}");
/// assert!(lmz::decompress(&archive).is_err());
/// # Ok::<(), lmz::Error>(())
/// ```
#[derive(Clone)]
pub struct Dictionary(Arc<Inner>);

struct Inner {
    bytes: Vec<u8>,
    hash: DictionaryHash,
    /// The model of PPM that has read it last.
    primed: Mutex<Option<Primed>>,
    streams: Mutex<Vec<(Identity, Arc<LmStream>)>>,
}

/// A model of PPM with these parameters that has read a dictionary.
struct Primed {
    order: u8,
    memory: u8,
    ppm: Arc<Ppm>,
}

impl Dictionary {
    /// The longest text, in bytes.
    pub const LONGEST: usize = 64 << 20;

    /// How many bytes at its end a neural language model reads: more takes longer and hardly helps.
    pub const READ: usize = 8 << 10;

    /// Takes 1 to [`LONGEST`](Self::LONGEST) bytes; any other number is an error.
    pub fn new(bytes: &[u8]) -> Result<Self> {
        if bytes.is_empty() || bytes.len() > Self::LONGEST {
            return Err(Error::DictionaryLength { found: bytes.len(), most: Self::LONGEST });
        }
        let hash = *blake3::hash(bytes).as_bytes();
        let bytes = bytes.to_vec();
        Ok(Self(Arc::new(Inner {
            bytes,
            hash,
            primed: Mutex::default(),
            streams: Mutex::default(),
        })))
    }

    /// The BLAKE3 hash by which archives name it.
    pub fn hash(&self) -> &DictionaryHash {
        &self.0.hash
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// The model that has read it.
    pub(crate) fn prime(&self, order: u8, memory: u8) -> Ppm {
        // Parameters out of range stand for the nearest, and are not another model.
        let order = order.clamp(1, ppm::MAX_ORDER);
        let memory = memory.clamp(*ppm::MEMORY_RANGE.start(), *ppm::MEMORY_RANGE.end());
        let mut primed = self.0.primed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = primed.iter().find(|p| (p.order, p.memory) == (order, memory)) {
            let ppm = found.ppm.clone();
            drop(primed); // others may copy it at the same time
            return (*ppm).clone();
        }
        let mut ppm = Ppm::new(order, memory);
        ppm.read(&self.0.bytes);
        // One is kept: an archive can ask for hundreds, each as large as it likes.
        *primed = Some(Primed { order, memory, ppm: Arc::new(ppm.clone()) });
        ppm
    }

    /// The stream of a neural model that has read the end of it.
    fn stream(&self, model: &LoadedModel) -> Arc<LmStream> {
        let mut streams = self.0.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, found)) = streams.iter().find(|(identity, _)| *identity == model.identity())
        {
            return Arc::clone(found);
        }
        let bytes = self.bytes();
        let stream = Arc::new(model.read(&bytes[bytes.len().saturating_sub(Self::READ)..]));
        streams.push((model.identity(), Arc::clone(&stream)));
        stream
    }
}

/// The stream of a neural model that all streams of a block begin as.
pub(crate) fn first(dictionary: Option<&Dictionary>, model: &LoadedModel) -> Arc<LmStream> {
    dictionary.map_or_else(|| model.first(), |dictionary| dictionary.stream(model))
}

impl PartialEq for Dictionary {
    fn eq(&self, other: &Self) -> bool {
        self.0.hash == other.0.hash
    }
}

impl Eq for Dictionary {}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Dictionary({} bytes, {})", self.0.bytes.len(), hex(&self.0.hash))
    }
}
