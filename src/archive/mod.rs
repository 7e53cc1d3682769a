//! Archives that can be seeked in: what is in them, and parts of their content.

mod listed;
mod scan;
mod stored;

use std::collections::HashSet;
use std::fmt;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::codec::content::Content;
use crate::codec::decode::{self, RawBlock};
use crate::codec::memory;
use crate::codec::work::Work;
use crate::error::{Error, Result};
use crate::exact::fpstate::{Host, exact, host};
use crate::format::{FormatError, Method, within};
use crate::options::{DecoderOptions, Resolved, Resolver};
use crate::parallel;
use crate::sticky::Sticky;
pub use listed::{Block, Frame};
use scan::Structure;
use stored::{Stored, decode, fetch_head, fetch_rest};

/// Bytes of the list of frames and blocks that do not count as memory beside a block.
const LISTED: u64 = 1 << 20;

/// An archive that can be seeked in, and read from as if it were its content.
///
/// Opening hops from trailer to trailer, from the end to the beginning, and reads headers and
/// indexes; where there is no trailer (short frames, skippable frames) it reads the heads from the
/// beginning on. A read decodes the whole block that it falls in and keeps the last one.
///
/// What is read is verified as by a [`Decoder`](crate::read::Decoder): every block that is touched,
/// against its frame's index and its own check, and also those without any content that lie there.
/// Who reads all of the content gets an error where a decoder would, [`Error::TrailingData`] too.
/// After an error, by damage or by the inner reader, every later read and seek gives it again; a
/// seek to before the beginning is none.
///
/// Memory: at most [`Limits::memory`](crate::Limits::memory), and about 32 MiB.
///
/// ```
/// use std::io::{Cursor, Read, Seek, SeekFrom};
///
/// let text = b"a line of text\n".repeat(400);
/// let archive = lmz::compress_with(&text, &lmz::EncoderOptions::new().block_size(2 << 10))?;
/// let mut content = lmz::Archive::open(Cursor::new(archive), lmz::DecoderOptions::new())?;
/// content.seek(SeekFrom::End(-5))?;
/// let mut end = String::new();
/// content.read_to_string(&mut end)?;
/// assert_eq!(end, "text\n");
/// # Ok::<(), lmz::Error>(())
/// ```
pub struct Archive<R> {
    inner: Host<R>,
    resolver: Resolver,
    frames: Vec<Frame>,
    /// Where the content of each frame ends.
    ends: Vec<u64>,
    /// Bytes of memory that the list of frames takes.
    memory: u64,
    trailing: Option<u64>,
    /// Where the next [`read`](Read::read) begins in the content.
    position: u64,
    /// The block decoded last, and its content.
    last: Option<(Block, Content)>,
    /// What the frame's blocks are decoded with that was read last, and the frame's number.
    resolved: Option<(usize, Resolved)>,
    /// Blocks, by frame and number, before which those without content have been verified.
    verified: HashSet<(usize, usize)>,
    work: Work,
    failure: Sticky,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads what the archive holds. No content is decoded, and no dictionary or model needed yet.
    pub fn open(inner: R, options: DecoderOptions) -> Result<Self> {
        let mut inner = Host::new(inner);
        let length = inner.seek(SeekFrom::End(0))?;
        let Structure { mut frames, trailing, memory } =
            Structure::read(&mut inner, &options.limits, length)?;
        if frames.is_empty() {
            return Err(Error::Empty);
        }
        let mut raw_at = 0u64;
        let mut ends = Vec::with_capacity(frames.len());
        for frame in &mut frames {
            for block in &mut frame.blocks {
                block.content_offset = raw_at;
                raw_at = within("bytes of a block", block.uncompressed_len, options.limits.block)
                    .and_then(|raw| {
                        raw_at.checked_add(raw).ok_or(FormatError::Malformed {
                            what: "index",
                            found: "more than 2^64 bytes",
                        })
                    })
                    .and_then(|end| within("bytes of content", end, options.limits.content))
                    .map_err(|source| Error::Format { at: block.offset, source })?;
            }
            ends.push(raw_at);
        }
        Ok(Self {
            inner,
            resolver: Resolver::new(options),
            frames,
            ends,
            memory,
            trailing,
            position: 0,
            last: None,
            resolved: None,
            verified: HashSet::new(),
            work: Work::default(),
            failure: Sticky::default(),
        })
    }

    /// The frames, in order.
    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Where bytes begin that belong to no frame. Zeros at the end of an archive are not such
    /// bytes.
    pub fn trailing_data(&self) -> Option<u64> {
        self.trailing
    }

    /// How a block is coded: read from its head.
    pub fn method(&mut self, frame: &Frame, block: &Block) -> Result<Method> {
        Ok(scan::head(&mut self.inner, self.resolver.limits(), frame, block)?.method)
    }

    /// A block as it stands in the archive.
    pub(crate) fn block(&mut self, frame: &Frame, number: usize) -> Result<RawBlock> {
        let mut stored = fetch_head(&mut self.inner, frame, number, self.resolver.limits())?;
        fetch_rest(&mut self.inner, &mut stored)?;
        Ok(stored.into_raw())
    }

    /// What the blocks of a frame are decoded with.
    pub(crate) fn resolve_frame(&mut self, frame: &Frame) -> Result<Resolved> {
        self.resolver.resolve(&frame.needs(), frame.offset)
    }

    /// The inner reader.
    pub fn get_ref(&self) -> &R {
        self.inner.get_ref()
    }

    /// The inner reader. Where it stands does not matter to the archive.
    pub fn get_mut(&mut self) -> &mut R {
        self.inner.get_mut()
    }

    /// The inner reader.
    pub fn into_inner(self) -> R {
        self.inner.into_inner()
    }

    /// Bytes of the content of all frames.
    pub fn uncompressed_len(&self) -> u64 {
        self.ends.last().copied().unwrap_or(0)
    }

    /// Decodes the part of the content that lies in `range`, as many blocks at once as there are
    /// threads, into `write`. Whole blocks are decoded and checked; what reaches past the end of
    /// the content is left out. Blocks without content are checked too where they lie in the range
    /// or at its ends, and a range to the end of the content ends with [`Error::TrailingData`]
    /// where a decoder would.
    pub fn read_range(
        &mut self,
        range: Range<u64>,
        mut write: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<()> {
        let mut write = |bytes: &[u8]| host(|| write(bytes));
        self.once(|archive| {
            // Frames before this one end before the range begins.
            let first = archive.ends.partition_point(|end| *end < range.start);
            for number in first..archive.frames.len() {
                if number > 0 && archive.ends[number - 1] > range.end {
                    break;
                }
                archive.read_frame(number, &range, &mut write)?;
            }
            match archive.trailing {
                Some(at) if range.end >= archive.uncompressed_len() => {
                    Err(Error::TrailingData { at })
                }
                _ => Ok(()),
            }
        })
    }

    /// The part of a frame's content that lies in `range`.
    fn read_frame(
        &mut self,
        frame: usize,
        range: &Range<u64>,
        write: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<()> {
        let blocks = &self.frames[frame].blocks;
        let first = blocks.partition_point(|b| b.content_end() < range.start);
        let touched = |b: &Block| match b.uncompressed_len {
            0 => (range.start..=range.end).contains(&b.content_offset),
            _ => range.start.max(b.content_offset) < range.end.min(b.content_end()),
        };
        let rest = blocks[first..].iter().take_while(|b| b.content_offset <= range.end);
        let numbers: Vec<usize> =
            rest.zip(first..).filter(|(b, _)| touched(b)).map(|(_, number)| number).collect();
        if numbers.is_empty() {
            return Ok(());
        }
        self.last = None;
        self.resolve(frame)?;
        let most = parallel::at_once(self.resolver.options.threads);
        let (mut group, mut memory) = (Vec::new(), 0u64);
        for number in numbers {
            // What comes before is delivered first, whatever is wrong here.
            let (mut stored, needed) = match self.begin(frame, number) {
                Ok(begun) => begun,
                Err(error) => {
                    self.write_group(frame, group, range, write)?;
                    return Err(error);
                }
            };
            if group.len() >= most || memory.saturating_add(needed) > self.resolver.limits().memory
            {
                self.write_group(frame, std::mem::take(&mut group), range, write)?;
                memory = 0;
            }
            if let Err(error) = fetch_rest(&mut self.inner, &mut stored) {
                self.write_group(frame, group, range, write)?;
                return Err(error);
            }
            group.push(stored);
            memory = memory.saturating_add(needed);
        }
        self.write_group(frame, group, range, write)
    }

    /// Reads a block's head, and says how much memory the block needs, if that and its work are
    /// allowed.
    fn begin(&mut self, frame: usize, number: usize) -> Result<(Stored, u64)> {
        self.resolver.go_on()?;
        let limits = self.resolver.limits();
        let stored = fetch_head(&mut self.inner, &self.frames[frame], number, limits)?;
        let needed = self.allow(frame, &stored)?;
        Ok((stored, needed))
    }

    /// Decodes blocks of a frame at once and gives out what lies in `range`.
    fn write_group(
        &mut self,
        frame: usize,
        group: Vec<Stored>,
        range: &Range<u64>,
        write: &mut impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<()> {
        self.resolve(frame)?;
        let (resolved, options) = (self.resolved.as_ref().map(|(_, r)| r), &self.resolver.options);
        let table = resolved.map_or(&[][..], |resolved| resolved.context(1, None).table);
        let uses = |stored: &Stored| decode::uses(&stored.head, table);
        let results = parallel::share(group, options.threads, uses, |stored, threads| {
            (stored.block, decode(stored, resolved, options, threads))
        });
        for (b, content) in results {
            let content = content?;
            let (from, to) = (range.start.max(b.content_offset), range.end.min(b.content_end()));
            if from < to {
                content.write(from - b.content_offset, to - b.content_offset, &mut *write)?;
            }
        }
        Ok(())
    }

    /// Finds what a frame's blocks are predicted by.
    fn resolve(&mut self, number: usize) -> Result<()> {
        if self.resolved.as_ref().is_none_or(|(found, _)| *found != number) {
            self.resolved = None;
            let frame = &self.frames[number];
            let resolved = self.resolver.resolve(&frame.needs(), frame.offset)?;
            self.resolved = Some((number, resolved));
        }
        Ok(())
    }

    /// The memory that a block needs, if that and its work are within the limits.
    fn allow(&mut self, frame: usize, stored: &Stored) -> Result<u64> {
        self.resolve(frame)?;
        let Some((_, resolved)) = &self.resolved else { return Ok(0) };
        let (context, limits) = (resolved.context(1, None), self.resolver.limits());
        let listed = self.memory.saturating_sub(LISTED);
        let needed = memory::decoding(&stored.head, &context).saturating_add(listed);
        memory::allow("a block", needed, limits.memory)?;
        let added = self.work.add(&stored.head, stored.block.compressed_len, &context, limits);
        added.map_err(|source| Error::Format { at: stored.block.offset, source })?;
        Ok(needed)
    }

    /// Decodes one block.
    fn decode(&mut self, frame: usize, number: usize) -> Result<(Block, Content)> {
        let (mut stored, _) = self.begin(frame, number)?;
        fetch_rest(&mut self.inner, &mut stored)?;
        let block = stored.block;
        let (resolved, options) = (self.resolved.as_ref(), &self.resolver.options);
        Ok((block, decode(stored, resolved.map(|(_, r)| r), options, options.threads)?))
    }

    /// Decodes the block at the current position, unless it is the last one decoded.
    fn load(&mut self) -> Result<()> {
        let at = self.position;
        if self
            .last
            .as_ref()
            .is_some_and(|(b, _)| (b.content_offset..b.content_end()).contains(&at))
        {
            return Ok(());
        }
        self.last = None;
        exact(|_| self.decode_at(at))
    }

    fn decode_at(&mut self, at: u64) -> Result<()> {
        // Frames without content end where the one before them ends, or at 0: they are passed over.
        let frame = self.ends.partition_point(|end| *end <= at);
        let blocks = self.frames.get(frame).map_or(&[][..], |frame| &frame.blocks);
        let number = blocks.partition_point(|b| b.content_end() <= at);
        self.verify_before(frame, number)?;
        if frame < self.frames.len() {
            self.last = Some(self.decode(frame, number)?);
        } else if let Some(at) = self.trailing {
            return Err(Error::TrailingData { at });
        }
        Ok(())
    }

    /// Decodes the blocks without content that come directly before this one, which may be the end.
    fn verify_before(&mut self, frame: usize, number: usize) -> Result<()> {
        if self.verified.contains(&(frame, number)) {
            return Ok(());
        }
        let mut empty = Vec::new();
        let mut place = (frame, number);
        loop {
            place = match place {
                (0, 0) => break,
                (frame, 0) => (frame - 1, self.frames[frame - 1].blocks.len()),
                (frame, number) if self.frames[frame].blocks[number - 1].uncompressed_len == 0 => {
                    empty.push((frame, number - 1));
                    (frame, number - 1)
                }
                _ => break,
            };
        }
        for (frame, number) in empty.into_iter().rev() {
            self.decode(frame, number)?;
        }
        self.verified.insert((frame, number));
        Ok(())
    }

    /// Does what may fail or, where foreign code runs, panic.
    fn once<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.failure.check()?;
        self.failure.begin("an earlier call panicked: open the archive anew");
        let result = exact(|_| work(self));
        self.failure.end(&result);
        result
    }
}

impl<R: Read + Seek> Read for Archive<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        self.once(Self::load)?;
        let Some((b, content)) = &self.last else { return Ok(0) };
        let n = content.copy(self.position - b.content_offset, out);
        self.position += n as u64;
        Ok(n)
    }
}

impl<R: Read + Seek> Seek for Archive<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.failure.check()?;
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.uncompressed_len().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                "a seek to before the beginning of the content",
            )
        })?;
        Ok(self.position)
    }
}

impl<R> fmt::Debug for Archive<R> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut out = f.debug_struct("Archive");
        out.field("frames", &self.frames.len()).field("trailing", &self.trailing);
        out.field("position", &self.position).field("failure", &self.failure);
        out.finish_non_exhaustive()
    }
}
