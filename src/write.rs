//! Adapters for writers: what is written to them goes on, compressed or decompressed.
//!
//! Take these where bytes are made or where they arrive piece by piece, for instance from a socket
//! that is not waited for. Whoever has a reader takes [`read`](crate::read).

use std::fmt;
use std::io::{self, Read, Write};

use crate::copy::typed;
use crate::decoder;
pub use crate::encoder::Encoder;
use crate::error::Result;
use crate::options::DecoderOptions;
use crate::report::BlockReport;
use crate::sticky::Sticky;

/// Bytes of content that are given to the inner writer at a time, at most.
const PIECE: usize = 64 << 10;

/// Decompresses the archive that is written to it, into `W`.
///
/// Each block goes to the inner writer as soon as the last byte of it has been written here. What
/// [`read::Decoder`](crate::read::Decoder) says of damage, memory and bytes behind an archive holds
/// here too: an error comes after everything that precedes it has gone to the inner writer, and
/// stays. Only the end of an archive is not found out before
/// [`try_finish`](Self::try_finish) or [`finish`](Self::finish), which must be called: it is an
/// error if the archive is not whole.
///
/// ```
/// use std::io::Write;
///
/// let archive = lmz::compress(b"some text")?;
/// let mut decoder = lmz::write::Decoder::new(Vec::new());
/// for piece in archive.chunks(3) {
///     decoder.write_all(piece)?;
/// }
/// assert_eq!(decoder.finish()?, b"some text");
/// # Ok::<(), lmz::Error>(())
/// ```
pub struct Decoder<W: Write> {
    inner: W,
    decoder: decoder::Decoder<Arrived>,
    /// Content that the inner writer has not taken yet is `content[taken..]`.
    content: Vec<u8>,
    taken: usize,
    /// Whether all that has arrived has been decoded and passed on.
    waits: bool,
    /// What went wrong with bytes that had been taken: the next call gives it.
    failure: Option<io::Error>,
    /// Whether the inner writer has panicked.
    panicked: Sticky,
}

/// What has been written and not yet decoded.
#[derive(Default)]
struct Arrived {
    bytes: Vec<u8>,
    used: usize,
    ended: bool,
}

impl Read for Arrived {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let rest = &self.bytes[self.used..];
        if rest.is_empty() && !self.ended && !out.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.used += n;
        Ok(n)
    }
}

impl<W: Write> Decoder<W> {
    /// A decoder with the default options.
    pub fn new(inner: W) -> Self {
        Self::with_options(inner, DecoderOptions::default())
    }

    /// A decoder with these options.
    pub fn with_options(inner: W, options: DecoderOptions) -> Self {
        let decoder = decoder::Decoder::with_options(Arrived::default(), options);
        Self {
            inner,
            decoder,
            content: Vec::new(),
            taken: 0,
            waits: true,
            failure: None,
            panicked: Sticky::default(),
        }
    }

    /// Calls `report` for each block when it has been decoded.
    pub fn on_block(&mut self, report: impl FnMut(BlockReport) + Send + 'static) {
        self.decoder.on_block(report);
    }

    /// The bytes of content of the frame that is being decoded, where the archive says it before
    /// they come.
    pub fn content_length(&self) -> Option<u64> {
        self.decoder.content_length()
    }

    /// The inner writer.
    pub fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The inner writer. What is written to it directly comes between the content.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The inner writer as it is, whether the archive was whole or not.
    pub fn into_inner(self) -> W {
        self.inner
    }

    /// Ends the archive: all content goes to the inner writer, which is flushed.
    ///
    /// # Errors
    ///
    /// If the archive is not whole or is damaged, or if the inner writer fails.
    pub fn try_finish(&mut self) -> Result<()> {
        self.go_on().map_err(typed)?;
        self.decoder.get_mut().ended = true;
        self.pass_on().map_err(typed)?;
        Ok(self.inner.flush()?)
    }

    /// Does what [`try_finish`](Self::try_finish) does, and gives the inner writer back.
    ///
    /// # Errors
    ///
    /// Where `try_finish` does.
    pub fn finish(mut self) -> Result<W> {
        self.try_finish()?;
        Ok(self.inner)
    }

    /// What went wrong before; else what is left of what has arrived goes on.
    fn go_on(&mut self) -> io::Result<()> {
        self.panicked.check()?;
        match self.failure.take() {
            Some(error) => Err(error),
            None if self.waits => Ok(()),
            None => self.pass_on(),
        }
    }

    /// Gives the inner writer all content that can be decoded of what has arrived.
    fn pass_on(&mut self) -> io::Result<()> {
        self.waits = false;
        loop {
            while self.taken < self.content.len() {
                // How much a writer that panics has taken is not known.
                self.panicked.begin("the inner writer panicked: what it has taken is not known");
                let written = self.inner.write(&self.content[self.taken..]);
                self.panicked.clear();
                match written {
                    Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                    // A writer that claims more than it was given is broken, and must not break
                    // this.
                    Ok(n) => self.taken = (self.taken + n).min(self.content.len()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            self.taken = 0;
            self.content.resize(PIECE, 0);
            let found = self.decoder.read(&mut self.content);
            self.content.truncate(*found.as_ref().unwrap_or(&0));
            match found {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                // No more has arrived.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.waits = true;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
    }
}

impl<W: Write> Write for Decoder<W> {
    /// Takes all bytes, unless something was wrong with those before them: if they were damaged or
    /// the inner writer has failed, it takes none. After a failure of the inner writer nothing is
    /// lost: the next call goes on where it was.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        // What is left of earlier bytes first, so that an error means that none of these was taken.
        self.go_on()?;
        let arrived = self.decoder.get_mut();
        if arrived.ended {
            let message = "the archive has been finished";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        arrived.bytes.drain(..arrived.used);
        arrived.used = 0;
        arrived.bytes.extend_from_slice(bytes);
        // The bytes are here, whatever comes of them: what goes wrong is for the next call.
        self.failure = self.pass_on().err();
        Ok(bytes.len())
    }

    /// Gives the inner writer all content of the blocks that have arrived, and flushes it.
    fn flush(&mut self) -> io::Result<()> {
        self.go_on()?;
        self.inner.flush()
    }
}

impl<W: Write> fmt::Debug for Decoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Decoder").field("decoder", &self.decoder).finish_non_exhaustive()
    }
}
