//! Decompression of archives that are there as a whole.

use super::Decoder;
use crate::codec::content::Content;
use crate::codec::memory;
use crate::error::{Error, Result};
use crate::exact::fpstate::exact;
use crate::options::DecoderOptions;

/// Decompresses a whole archive from a slice, with the default options.
///
/// ```
/// let archive = lmz::compress(b"some text")?;
/// assert_eq!(lmz::decompress(&archive)?, b"some text");
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// If the archive is damaged, names what is not there, or needs more than the limits allow.
pub fn decompress(archive: &[u8]) -> Result<Vec<u8>> {
    decompress_with(archive, &DecoderOptions::default())
}

/// Decompresses a whole archive from a slice.
///
/// The content counts as memory of the run ([`Limits::memory`](crate::Limits::memory)), since all
/// of it is held: what has more is for a [`Decoder`].
///
/// # Errors
///
/// If the archive is damaged, names what is not there, or needs more than the limits allow.
pub fn decompress_with(archive: &[u8], options: &DecoderOptions) -> Result<Vec<u8>> {
    let limit = options.limits.memory;
    let mut out = Vec::new();
    let mut decoder = Decoder::with_options(archive, options.clone());
    while exact(|_| decoder.advance())? {
        for content in decoder.raw.drain(..) {
            append(&mut out, content, limit)?;
        }
        decoder.resolver.options.limits.memory = limit.saturating_sub(out.capacity() as u64);
    }
    Ok(out)
}

/// Appends content, within a limit on memory.
fn append(out: &mut Vec<u8>, content: Content, limit: u64) -> Result<()> {
    let needed = (out.len() as u64).saturating_add(content.len());
    memory::allow("the whole content", needed, limit)?;
    match content {
        Content::Bytes(bytes) if out.is_empty() => *out = bytes,
        content => {
            // Twice as much as there is, so that little is moved, but not all that is left.
            let spare = (out.capacity() as u64).min((limit - needed) / 4);
            let more =
                usize::try_from(needed + spare).unwrap_or(usize::MAX).saturating_sub(out.len());
            let no_memory = |_| Error::Memory { what: "the whole content", needed, limit };
            if out.capacity() - out.len() < content.len() as usize {
                out.try_reserve_exact(more).map_err(no_memory)?;
            }
            content.write(0, content.len(), |piece| {
                out.extend_from_slice(piece);
                Ok::<_, Error>(())
            })?;
        }
    }
    Ok(())
}
