//! What can still be read of a damaged archive.
//!
//! Every place that could begin a frame or a block is tried: a header gives the models for the
//! blocks behind it, a block or short frame counts if its content check fits. Nothing else is
//! trusted, so the result holds no wrong byte; what lies between is a hole. Zeros from the end of a
//! frame to the end of the archive are no hole.
//!
//! The time is in proportion to the archive's length, whatever it holds: no byte is looked at or
//! decoded in vain more than a few times.

mod search;

use std::io::{Read, Seek};

use crate::codec::memory;
use crate::error::{Error, Result};
use crate::exact::fpstate::{Host, exact, host};
use crate::format::within;
use crate::options::DecoderOptions;
use search::{Part, Search};

/// A part of an archive that could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hole {
    /// Where it begins in the archive.
    pub at: u64,
    /// Bytes of the archive.
    pub bytes: u64,
    /// Bytes of content that came out before it.
    pub raw_at: u64,
    /// Raw bytes missing, as far as the heads of damaged blocks that can be read say.
    pub raw_known: u64,
}

/// What [`recover`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Recovered {
    /// Raw bytes written.
    pub raw: u64,
    /// Blocks and short frames that were whole.
    pub blocks: u64,
    /// What could not be read, in order.
    pub holes: Vec<Hole>,
}

/// Writes everything in an archive whose check fits, in order, and says what is missing.
///
/// A frame that names a dictionary or model which is not there is an error: give it, or what needs
/// it would count as damaged. So is a block that needs more memory than
/// [`Limits::memory`](crate::Limits::memory) allows, which bounds the memory of the run.
///
/// ```
/// use std::io::Cursor;
///
/// let mut archive = lmz::compress(b"some text")?;
/// archive.extend(b"damage");
/// let mut content = Vec::new();
/// let found = lmz::recover::recover(Cursor::new(archive), &lmz::DecoderOptions::new(), |bytes| {
///     content.extend_from_slice(bytes);
///     Ok(())
/// })?;
/// assert_eq!((&content[..], found.holes[0].bytes), (&b"some text"[..], 6));
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// # Errors
///
/// If reading or writing fails, or if what the archive needs is not there.
pub fn recover<R: Read + Seek>(
    inner: R,
    options: &DecoderOptions,
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<Recovered> {
    exact(|_| search(Host::new(inner), options, |bytes| host(|| write(bytes))))
}

fn search<R: Read + Seek>(
    inner: R,
    options: &DecoderOptions,
    mut write: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> Result<Recovered> {
    let mut search = Search::new(inner, options)?;
    let mut out = Recovered::default();
    let mut hole: Option<Hole> = None;
    loop {
        let begin = search.at;
        match search.part()? {
            Part::End => break,
            Part::Structure => {}
            Part::Content(raw) => {
                let end = out.raw.saturating_add(raw.len());
                within("bytes of content", end, options.limits.content)
                    .map_err(|source| Error::Format { at: begin, source })?;
                raw.write(0, raw.len(), &mut write)?;
                out.raw = end;
                out.blocks += 1;
            }
            Part::Damage { raw } => {
                let hole =
                    hole.get_or_insert(Hole { at: begin, bytes: 0, raw_at: out.raw, raw_known: 0 });
                hole.raw_known = hole.raw_known.saturating_add(raw);
                hole.bytes = search.at - hole.at;
                continue;
            }
        }
        if let Some(hole) = hole.take() {
            out.holes.push(hole);
            let needed = (out.holes.capacity() * size_of::<Hole>()) as u64;
            memory::allow("the list of holes", needed, options.limits.memory)?;
        }
    }
    out.holes.extend(hole);
    Ok(out)
}
