//! Reads the structure of an archive, not its content: which frames and blocks there are, and
//! where.

use std::io::{Read, Seek};

use super::{Block, Frame};
use crate::codec::memory;
use crate::error::{Error, Result};
use crate::format::{
    BlockHead, FormatError, FrameHeader, FrameKind, Index, Input, Limits, Origins, ShortFrame,
    TRAILER_BYTES, Trailer, start,
};
use crate::window::Window;

/// Bytes that are read around a place: headers of small frames lie near each other.
const BEFORE: u64 = 32 << 10;
const BEHIND: usize = 32 << 10;
/// Bytes that a part is taken to have at first.
const FIRST: u64 = 128;
/// How many times its bytes an index takes in memory, at most: two bytes can be an entry.
const INDEX_GROWS: u64 = 32;

/// The frames of an archive, in order, and where something begins behind them that belongs to none.
pub struct Structure {
    pub frames: Vec<Frame>,
    pub trailing: Option<u64>,
    /// Bytes of memory that this takes.
    pub memory: u64,
}

impl Structure {
    pub fn read<R: Read + Seek>(inner: &mut R, limits: &Limits, length: u64) -> Result<Self> {
        let mut scan =
            Scan { inner, limits, window: Window::new(BEFORE, BEHIND), at: 0, memory: 0 };
        let mut frames = scan.backward(length)?;
        if frames.is_empty() {
            let end = scan.without_zeros(length)?;
            if end < length {
                frames = scan.backward(end)?;
            }
        }
        let begin = frames.first().map_or(length, |f| f.offset);
        let mut trailing = None;
        if begin > 0 {
            scan.at = 0;
            let first = match scan.forward(begin, length)? {
                Some(first) => first,
                // What looked like a trailer was inside of something else.
                None => {
                    (scan.at, scan.memory) = (0, 0);
                    frames.clear();
                    scan.forward(length, length)?.ok_or(Error::Empty)?
                }
            };
            trailing = first.1;
            if trailing.is_some() {
                frames.clear();
            }
            let last = std::mem::replace(&mut frames, first.0);
            frames.extend(last);
        }
        Ok(Self { frames, trailing, memory: scan.memory })
    }
}

/// The head of a block or short frame: read where it is.
pub fn head<R: Read + Seek>(
    inner: &mut R,
    limits: &Limits,
    frame: &Frame,
    block: &Block,
) -> Result<BlockHead> {
    let mut scan = Scan { inner, limits, window: Window::new(0, 0), at: block.offset, memory: 0 };
    if frame.kind == FrameKind::Short {
        return Ok(scan.parse(ShortFrame::LONGEST as u64, ShortFrame::read)?.into_head());
    }
    scan.parse(BlockHead::longest(limits), |input| {
        BlockHead::read(input, frame.models.len(), limits)
    })
}

struct Scan<'a, R> {
    inner: &'a mut R,
    limits: &'a Limits,
    window: Window,
    at: u64,
    memory: u64,
}

impl<R: Read + Seek> Scan<'_, R> {
    /// Parses a part at the current place, with as many bytes as it takes up to `most`, and moves
    /// behind it.
    fn parse<T>(
        &mut self,
        most: u64,
        read: impl Fn(&mut Input) -> Result<T, FormatError>,
    ) -> Result<T> {
        let (part, n) = self.window.parse(self.inner, self.at, FIRST, most, read)?;
        self.at += n as u64;
        Ok(part)
    }

    /// Where the zeros begin that an archive ends with.
    fn without_zeros(&mut self, length: u64) -> Result<u64> {
        let mut end = length;
        while end > 0 {
            let from = end.saturating_sub(BEFORE);
            let bytes = self.window.get(self.inner, from, (end - from) as usize)?;
            let bytes = &bytes[..bytes.len().min((end - from) as usize)];
            if let Some(last) = bytes.iter().rposition(|byte| *byte != 0) {
                return Ok(from + last as u64 + 1);
            }
            end = from;
        }
        Ok(0)
    }

    /// Whether there are only zeros from a place to the end.
    fn only_zeros(&mut self, mut at: u64) -> Result<bool> {
        loop {
            let bytes = self.window.get(self.inner, at, 1)?;
            if bytes.is_empty() {
                return Ok(true);
            }
            if bytes.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            at += bytes.len() as u64;
        }
    }

    /// Counts what a frame takes in memory.
    fn hold(&mut self, frame: Frame) -> Result<Frame> {
        let names: usize = frame.models.len() * 64 + frame.origins.len() * 256 + 64;
        let blocks = frame.blocks.capacity() * size_of::<Block>();
        self.memory = self.memory.saturating_add((size_of::<Frame>() * 2 + names + blocks) as u64);
        memory::allow("the list of all frames and blocks", self.memory, self.limits.memory)?;
        Ok(frame)
    }

    /// The frames that can be found from their trailers, from the end of the archive back, in
    /// order.
    fn backward(&mut self, length: u64) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        let mut end = length;
        loop {
            match self.frame_before(end) {
                Ok(Some(frame)) => {
                    end = frame.offset;
                    frames.push(self.hold(frame)?);
                }
                Err(error @ (Error::Io(_) | Error::Memory { .. })) => return Err(error),
                // Damage is reported by reading forward, which knows better what it is.
                Ok(None) | Err(_) => break,
            }
        }
        frames.reverse();
        Ok(frames)
    }

    /// The full frame whose trailer ends at `end`, if header, index and trailer fit together.
    fn frame_before(&mut self, end: u64) -> Result<Option<Frame>> {
        let Some(trailer_at) = end.checked_sub(TRAILER_BYTES as u64) else { return Ok(None) };
        self.at = trailer_at;
        let trailer = self.parse(TRAILER_BYTES as u64, Trailer::read)?;
        let (Some(begin), Some(index_at)) =
            (end.checked_sub(trailer.frame), trailer_at.checked_sub(trailer.index))
        else {
            return Ok(None);
        };
        let needed = self.memory.saturating_add(trailer.index.saturating_mul(INDEX_GROWS));
        memory::allow("an index", needed, self.limits.memory)?;
        self.at = index_at;
        let index = self.parse(trailer.index, Index::read)?;
        // A frame has a last block, if only one of no bytes.
        if self.at != trailer_at || begin >= index_at || index.0.is_empty() {
            return Ok(None);
        }
        self.at = begin;
        let mut frame = self.header()?;
        frame.blocks.reserve_exact(index.0.len());
        for entry in index.0 {
            let Some(next) = self.at.checked_add(entry.bytes) else { return Ok(None) };
            frame.blocks.push(Block {
                offset: self.at,
                content_offset: 0,
                compressed_len: entry.bytes,
                uncompressed_len: entry.raw,
            });
            self.at = next;
        }
        frame.compressed_len = trailer.frame;
        Ok((self.at == index_at).then_some(frame))
    }

    fn header(&mut self) -> Result<Frame> {
        let (at, limits) = (self.at, self.limits);
        let FrameHeader { models, origins, dictionary, .. } =
            self.parse(FrameHeader::longest(limits), |input| FrameHeader::read(input, limits))?;
        let dictionary = dictionary.map(|hash| hash.to_vec());
        Ok(Frame {
            offset: at,
            compressed_len: 0,
            kind: FrameKind::Full,
            models,
            origins,
            dictionary,
            blocks: Vec::new(),
        })
    }

    /// The frames from the current place to `end`, and where something else begins before; nothing
    /// if no frame ends at `end`. The archive's own end is `length`: what reaches past that is
    /// incomplete.
    fn forward(&mut self, end: u64, length: u64) -> Result<Option<(Vec<Frame>, Option<u64>)>> {
        let mut frames = Vec::new();
        while self.at < end {
            match self.frame() {
                Err(Error::Format { at, source: FormatError::NotAFrame { .. } })
                    if !frames.is_empty() =>
                {
                    let trailing = if self.only_zeros(at)? { None } else { Some(at) };
                    return Ok(Some((frames, trailing)));
                }
                frame => {
                    let frame = frame?;
                    frames.push(self.hold(frame)?);
                }
            }
        }
        if self.at > length {
            return Err(Error::Format { at: length, source: FormatError::Incomplete });
        }
        Ok((self.at == end).then_some((frames, None)))
    }

    fn frame(&mut self) -> Result<Frame> {
        let at = self.at;
        let kind = self.parse(8, |input| {
            let mut all = *input;
            let n = (1..=8).take_while(|_| all.byte().is_ok()).count();
            let mut first = *input;
            start(first.take(n)?)
        })?;
        self.at = at;
        let (models, origins, blocks) = (Vec::new(), Origins::new(), Vec::new());
        let mut frame = Frame {
            offset: at,
            compressed_len: 0,
            kind,
            models,
            origins,
            dictionary: None,
            blocks,
        };
        match kind {
            FrameKind::Skippable(length) => self.at += 8 + length,
            FrameKind::Short => {
                let short = self.parse(ShortFrame::LONGEST as u64, ShortFrame::read)?;
                frame.models = short.models();
                frame.dictionary = short.dictionary.map(|d| d.to_vec());
                self.block(&mut frame, at, short.raw, short.coded)?;
            }
            FrameKind::Full => {
                frame = self.header()?;
                self.blocks(&mut frame)?;
            }
        }
        frame.compressed_len = self.at - at;
        Ok(frame)
    }

    /// The blocks of a full frame, and what ends it, which must say the same.
    fn blocks(&mut self, frame: &mut Frame) -> Result<()> {
        let (models, limits) = (frame.models.len(), self.limits);
        loop {
            let at = self.at;
            let head =
                self.parse(BlockHead::longest(limits), |i| BlockHead::read(i, models, limits))?;
            self.block(frame, at, head.raw, head.coded)?;
            if head.last {
                break;
            }
        }
        let at = self.at;
        let index = self.parse(Index::longest(frame.blocks.len() as u64), Index::read)?;
        let entries = frame.blocks.iter().map(|b| (b.compressed_len, b.uncompressed_len));
        if !index.0.iter().map(|e| (e.bytes, e.raw)).eq(entries) {
            let source =
                FormatError::Malformed { what: "index", found: "other blocks than the frame" };
            return Err(Error::Format { at, source });
        }
        let index = self.at - at;
        let at = self.at;
        let trailer = self.parse(TRAILER_BYTES as u64, Trailer::read)?;
        if trailer != (Trailer { frame: self.at - frame.offset, index }) {
            let source =
                FormatError::Malformed { what: "trailer", found: "other lengths than the frame's" };
            return Err(Error::Format { at, source });
        }
        Ok(())
    }

    /// Notes a block that begins at `at` and whose head has just been read, and moves behind it.
    fn block(&mut self, frame: &mut Frame, at: u64, raw: u64, coded: u64) -> Result<()> {
        self.at = self.at.saturating_add(coded).saturating_add(frame.check_len() as u64);
        let (compressed_len, uncompressed_len) = (self.at - at, raw);
        let block = Block { offset: at, content_offset: 0, compressed_len, uncompressed_len };
        frame.blocks.push(block);
        let blocks = (frame.blocks.capacity() * size_of::<Block>()) as u64;
        memory::allow(
            "the list of all frames and blocks",
            self.memory.saturating_add(blocks),
            self.limits.memory,
        )
    }
}
