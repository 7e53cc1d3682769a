//! All of it at once: from a slice to a vector, from a reader to a writer.

use std::io::{self, Read, Write};

use crate::decoder::Decoder;
use crate::encoder::Encoder;
use crate::error::{Error, Result};
use crate::options::{DecoderOptions, EncoderOptions};

/// Bytes that are moved at a time.
const PIECE: usize = 64 << 10;

/// Compresses a slice into one frame, with the default options.
///
/// ```
/// let archive = lmz::compress(b"some text")?;
/// assert_eq!(lmz::decompress(&archive)?, b"some text");
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// If the default model is not built in ([`Error::DefaultModel`]).
pub fn compress(content: &[u8]) -> Result<Vec<u8>> {
    compress_with(content, &EncoderOptions::default())
}

/// Compresses a slice into one frame.
///
/// # Errors
///
/// If an option has a value that cannot be, if a block needs more memory than the options allow, or
/// if the model cannot be loaded or computed or does not give the same twice.
pub fn compress_with(content: &[u8], options: &EncoderOptions) -> Result<Vec<u8>> {
    let mut encoder = Encoder::with_options(Vec::new(), options.clone())?;
    encoder.write_all(content).map_err(typed)?;
    encoder.finish()
}

/// Compresses all that a reader gives into a writer, as one frame, and returns the number of bytes
/// read. The writer is flushed.
///
/// ```
/// let mut archive = Vec::new();
/// let n = lmz::copy_encode(&b"some text"[..], &mut archive, &lmz::EncoderOptions::new())?;
/// assert_eq!((n, lmz::decompress(&archive)?), (9, b"some text".to_vec()));
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// If reading or writing fails, and where [`compress_with`] gives one.
pub fn copy_encode(mut from: impl Read, to: impl Write, options: &EncoderOptions) -> Result<u64> {
    let mut encoder = Encoder::with_options(to, options.clone())?;
    let n = copy(&mut from, &mut encoder)?;
    encoder.finish()?;
    Ok(n)
}

/// Decompresses the archive that a reader gives into a writer, and returns the number of bytes
/// written. The writer is flushed.
///
/// ```
/// let archive = lmz::compress(b"some text")?;
/// let mut text = Vec::new();
/// lmz::copy_decode(&archive[..], &mut text, &lmz::DecoderOptions::new())?;
/// assert_eq!(text, b"some text");
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// If reading or writing fails, and where a [`Decoder`](crate::read::Decoder) gives one; all
/// content before that has been written.
pub fn copy_decode(from: impl Read, mut to: impl Write, options: &DecoderOptions) -> Result<u64> {
    let n = copy(&mut Decoder::with_options(from, options.clone()), &mut to)?;
    to.flush()?;
    Ok(n)
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> Result<u64> {
    let (mut buffer, mut moved) = (vec![0; PIECE], 0);
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(moved),
            Ok(n) => {
                to.write_all(&buffer[..n]).map_err(typed)?;
                moved += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(typed(error)),
        }
    }
}

/// An error as it was before it became one of the standard library.
pub(crate) fn typed(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(error) => error,
        Err(error) => Error::Io(error),
    }
}
