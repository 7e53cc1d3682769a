//! Adapters for readers: what is read from them is compressed or decompressed.
//!
//! Take these where there is something to read from, such as a file. Bytes that arrive piece by
//! piece without being waited for are for [`write`](crate::write); a reader that has a buffer of
//! its own is for [crate::bufread], which saves a copy.

use std::io::{self, BufReader, Read};

use crate::bufread;
pub use crate::decoder::Decoder;
use crate::error::Result;
use crate::options::EncoderOptions;
use crate::report::BlockReport;

/// Gives the archive of what it reads from `R`.
///
/// All of [`write::Encoder`](crate::write::Encoder) holds here: it is what compresses. The archive
/// ends where the inner reader does. After an error of the inner reader the next read goes on where
/// it was.
///
/// ```
/// use std::io::Read;
///
/// let mut archive = Vec::new();
/// lmz::read::Encoder::new(&b"some text"[..]).read_to_end(&mut archive)?;
/// assert_eq!(lmz::decompress(&archive)?, b"some text");
/// # Ok::<(), lmz::Error>(())
/// ```
#[derive(Debug)]
pub struct Encoder<R: Read>(bufread::Encoder<BufReader<R>>);

impl<R: Read> Encoder<R> {
    /// An encoder with the default options.
    pub fn new(inner: R) -> Self {
        Self(bufread::Encoder::new(BufReader::with_capacity(bufread::PIECE, inner)))
    }

    /// An encoder with these options.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if an option has a value that cannot be.
    pub fn with_options(inner: R, options: EncoderOptions) -> Result<Self> {
        let inner = BufReader::with_capacity(bufread::PIECE, inner);
        Ok(Self(bufread::Encoder::with_options(inner, options)?))
    }

    /// Calls `report` for each block as it is coded.
    pub fn on_block(&mut self, report: impl FnMut(BlockReport) + Send + 'static) {
        self.0.on_block(report);
    }

    /// The inner reader.
    pub fn get_ref(&self) -> &R {
        self.0.get_ref().get_ref()
    }

    /// The inner reader. What is read from it directly is missing in the archive.
    pub fn get_mut(&mut self) -> &mut R {
        self.0.get_mut().get_mut()
    }

    /// The inner reader. More may have been read from it than is in the archive so far.
    pub fn into_inner(self) -> R {
        self.0.into_inner().into_inner()
    }
}

impl<R: Read> Read for Encoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}
