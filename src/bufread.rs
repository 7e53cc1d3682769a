//! Adapters for readers that have a buffer of their own.

use std::fmt;
use std::io::{self, BufRead, Read, Write};

use crate::decoder;
use crate::encoder;
use crate::error::Result;
use crate::options::{DecoderOptions, EncoderOptions};
use crate::report::BlockReport;

/// Bytes that are read at a time.
pub(crate) const PIECE: usize = 64 << 10;

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
/// lmz::bufread::Encoder::new(&b"some text"[..]).read_to_end(&mut archive)?;
/// assert_eq!(lmz::decompress(&archive)?, b"some text");
/// # Ok::<(), lmz::Error>(())
/// ```
pub struct Encoder<R: BufRead> {
    inner: R,
    encoder: encoder::Encoder<Vec<u8>>,
    /// How much of what the encoder has written has been read.
    given: usize,
    ended: bool,
}

impl<R: BufRead> Encoder<R> {
    /// An encoder with the default options.
    pub fn new(inner: R) -> Self {
        Self { inner, encoder: encoder::Encoder::new(Vec::new()), given: 0, ended: false }
    }

    /// An encoder with these options.
    ///
    /// # Errors
    ///
    /// [`Error::Option`](crate::Error::Option) if an option has a value that cannot be.
    pub fn with_options(inner: R, options: EncoderOptions) -> Result<Self> {
        let encoder = encoder::Encoder::with_options(Vec::new(), options)?;
        Ok(Self { inner, encoder, given: 0, ended: false })
    }

    /// Calls `report` for each block as it is coded.
    pub fn on_block(&mut self, report: impl FnMut(BlockReport) + Send + 'static) {
        self.encoder.on_block(report);
    }

    /// The inner reader.
    pub fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The inner reader. What is read from it directly is missing in the archive.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The inner reader. More may have been read from it than is in the archive so far.
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// Codes more of the content, until there is something to give or the frame has ended.
    fn fill(&mut self) -> io::Result<()> {
        self.encoder.get_mut().clear();
        self.given = 0;
        while self.encoder.get_ref().is_empty() && !self.ended {
            match self.inner.fill_buf() {
                Ok([]) => {
                    self.encoder.try_finish()?;
                    self.ended = true;
                }
                Ok(bytes) => {
                    let n = self.encoder.write(bytes)?;
                    self.inner.consume(n);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl<R: BufRead> Read for Encoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.given == self.encoder.get_ref().len() {
            self.fill()?;
        }
        let rest = &self.encoder.get_ref()[self.given..];
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        Ok(n)
    }
}

impl<R: BufRead> fmt::Debug for Encoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Encoder").field("encoder", &self.encoder).finish_non_exhaustive()
    }
}

/// Gives the content of the archive that it reads from `R`.
///
/// All of [`read::Decoder`](crate::read::Decoder) holds here: it is what decompresses.
///
/// ```
/// use std::io::Read;
///
/// let archive = lmz::compress(b"some text")?;
/// let mut text = String::new();
/// lmz::bufread::Decoder::new(&archive[..]).read_to_string(&mut text)?;
/// assert_eq!(text, "some text");
/// # Ok::<(), lmz::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder<R: BufRead>(decoder::Decoder<R>);

impl<R: BufRead> Decoder<R> {
    /// A decoder with the default options.
    pub fn new(inner: R) -> Self {
        Self(decoder::Decoder::new(inner))
    }

    /// A decoder with these options.
    pub fn with_options(inner: R, options: DecoderOptions) -> Self {
        Self(decoder::Decoder::with_options(inner, options))
    }

    /// Calls `report` for each block when it has been decoded.
    pub fn on_block(&mut self, report: impl FnMut(BlockReport) + Send + 'static) {
        self.0.on_block(report);
    }

    /// The bytes of content of the frame that is being decoded, where the archive says it before
    /// they come.
    pub fn content_length(&self) -> Option<u64> {
        self.0.content_length()
    }

    /// Where bytes begin that belong to no frame, once all content before them has been delivered.
    pub fn trailing_data(&self) -> Option<u64> {
        self.0.trailing_data()
    }

    /// The inner reader.
    pub fn get_ref(&self) -> &R {
        self.0.get_ref()
    }

    /// The inner reader. What is read from it directly is missing in the archive.
    pub fn get_mut(&mut self) -> &mut R {
        self.0.get_mut()
    }

    /// The inner reader. More may have been read from it than has been decoded.
    pub fn into_inner(self) -> R {
        self.0.into_inner()
    }
}

impl<R: BufRead> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.0.read(out)
    }
}
