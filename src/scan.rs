//! Archives that can be seeked in: what is in them, and parts of their content.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use crate::codec::block::{self, Models};
use crate::error::{Error, Result};
use crate::exact::fpstate::{Host, exact, host};
use crate::format::{
    BlockHead, FormatError, FrameHeader, Index, Input, Limits, Method, Model, Origins, ShortFrame, Start,
    TRAILER_BYTES, Trailer, start, within,
};
use crate::options::DecodeOptions;
use crate::parallel;

/// A block, or the whole of a short frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Where it begins in the archive.
    pub at: u64,
    /// Where its content begins in the content of the archive.
    pub raw_at: u64,
    /// Bytes in the archive, head and check included.
    pub bytes: u64,
    /// Raw bytes.
    pub raw: u64,
}

/// A frame and its blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins in the archive.
    pub at: u64,
    /// Bytes in the archive.
    pub bytes: u64,
    pub kind: Start,
    /// What its blocks may be predicted by; of a short frame what it is predicted by.
    pub models: Vec<Model>,
    /// Of these models, by their number, where on the hub they were got.
    pub origins: Origins,
    /// The hash of the dictionary that its blocks need, or how it begins (in short frames).
    pub dictionary: Option<Vec<u8>>,
    pub blocks: Vec<Block>,
}

impl Frame {
    /// Raw bytes.
    pub fn raw(&self) -> u64 {
        self.blocks.iter().map(|b| b.raw).sum()
    }

    fn raw_end(&self) -> u64 {
        self.blocks.last().map_or(0, |b| b.raw_at + b.raw)
    }
}

/// An archive that can be seeked in, and read from as if it were its content.
///
/// Opening hops from trailer to trailer, from the end to the beginning, and reads headers and indexes;
/// where there is no trailer (short frames, skippable frames) it reads the heads from the beginning on.
/// A read decodes the whole block that it falls in and keeps the last one.
///
/// ```
/// use std::io::{Cursor, Read, Seek, SeekFrom};
///
/// let text = b"a line of text\n".repeat(10_000);
/// let archive = lmz::compress(&text, &lmz::Options { block: 32 << 10, ..lmz::Options::default() });
/// let mut content = lmz::scan::Archive::open(Cursor::new(archive), lmz::DecodeOptions::default())?;
/// content.seek(SeekFrom::End(-5))?;
/// let mut end = String::new();
/// content.read_to_string(&mut end)?;
/// assert_eq!(end, "text\n");
/// # Ok::<(), lmz::Error>(())
/// ```
pub struct Archive<R> {
    inner: Host<R>,
    options: DecodeOptions,
    frames: Vec<Frame>,
    /// Where the next [`read`](Read::read) begins in the content.
    position: u64,
    /// The block decoded last, and its content.
    last: Option<(Block, Vec<u8>)>,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads what the archive holds. No content is decoded, and no dictionary or model needed yet.
    pub fn open(inner: R, options: DecodeOptions) -> Result<Self> {
        let mut inner = Host::new(inner);
        let length = inner.seek(SeekFrom::End(0))?;
        let mut scan = Scan { inner: &mut inner, options: &options, at: 0 };
        let mut frames = scan.backward(length)?;
        let begin = frames.first().map_or(length, |f| f.at);
        if begin > 0 {
            scan.at = 0;
            frames = match scan.forward(begin, length)? {
                Some(mut first) => {
                    first.append(&mut frames);
                    first
                }
                // What looked like a trailer was inside of something else.
                None => {
                    scan.at = 0;
                    scan.forward(length, length)?.ok_or(Error::Empty)?
                }
            };
        }
        if frames.is_empty() {
            return Err(Error::Empty);
        }
        let mut raw_at = 0u64;
        for block in frames.iter_mut().flat_map(|f| &mut f.blocks) {
            block.raw_at = raw_at;
            raw_at = within("bytes of a block", block.raw, options.limits.block)
                .and_then(|raw| {
                    raw_at
                        .checked_add(raw)
                        .ok_or(FormatError::Malformed { what: "index", found: "more than 2^64 bytes" })
                })
                .and_then(|end| within("bytes of content", end, options.limits.content))
                .map_err(|source| Error::Format { at: block.at, source })?;
        }
        Ok(Self { inner, options, frames, position: 0, last: None })
    }

    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// How a block is coded: read from its head.
    pub fn method(&mut self, frame: &Frame, block: &Block) -> Result<Method> {
        let mut scan = Scan { inner: &mut self.inner, options: &self.options, at: block.at };
        if frame.kind == Start::Short {
            return Ok(scan.parse(ShortFrame::LONGEST as u64, ShortFrame::read)?.method);
        }
        let (models, limits) = (frame.models.len(), &self.options.limits);
        Ok(scan.parse(BlockHead::longest(limits) as u64, |i| BlockHead::read(i, models, limits))?.method)
    }

    /// A block as it stands in the archive: its head, its coded bytes and its check.
    pub(crate) fn block(&mut self, frame: &Frame, block: &Block) -> Result<(BlockHead, Vec<u8>, Vec<u8>)> {
        let bytes = fetch(&mut self.inner, block)?;
        let (head, coded, check) = parts(&bytes, frame, block, &self.options.limits)?;
        Ok((head, coded.to_vec(), check.to_vec()))
    }

    /// Raw bytes of all frames.
    pub fn raw(&self) -> u64 {
        self.frames.iter().map(Frame::raw).sum()
    }

    /// Decodes the part of the content that lies in `range`, as many blocks at once as there are threads,
    /// into `write`. Whole blocks are decoded and checked; what reaches past the end of the content is
    /// left out.
    pub fn read_range(&mut self, range: Range<u64>, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> Result<()> {
        exact(|_| self.decode_range(range, |bytes| host(|| write(bytes))))
    }

    fn decode_range(&mut self, range: Range<u64>, mut write: impl FnMut(&[u8]) -> io::Result<()>) -> Result<()> {
        let Self { inner, options, frames, .. } = self;
        for frame in frames.iter() {
            let touched = |b: &&Block| range.start.max(b.raw_at) < range.end.min(b.raw_at + b.raw);
            let blocks: Vec<&Block> = frame.blocks.iter().filter(touched).collect();
            let number = |b: &Block| (frame.blocks.partition_point(|x| x.at < b.at)) as u64;
            if !blocks.is_empty() {
                options.look_up(&frame.models, &frame.origins, frame.at)?;
            }
            for group in blocks.chunks(options.threads.max(1)) {
                let read: Vec<_> = group.iter().map(|b| (**b, fetch(inner, b))).collect();
                let uses = |(_, bytes): &(Block, Result<Vec<u8>>)| {
                    let head = bytes.as_ref().map(|bytes| head(&mut Input::new(bytes), frame, &options.limits));
                    head.map_or(1, |head| head.map_or(1, |head| block::uses(head.method)))
                };
                let results = parallel::share(read, options.threads, uses, |(b, bytes), threads| {
                    (b, bytes.and_then(|x| decode(&x, frame, &b, number(&b), options, threads)))
                });
                for (b, raw) in results {
                    let (from, to) = (range.start.max(b.raw_at), range.end.min(b.raw_at + b.raw));
                    write(&raw?[(from - b.raw_at) as usize..(to - b.raw_at) as usize])?;
                }
            }
        }
        Ok(())
    }

    /// Decodes the block at the current position, unless it is the last one decoded.
    fn load(&mut self) -> Result<()> {
        let at = self.position;
        if self.last.as_ref().is_some_and(|(b, _)| (b.raw_at..b.raw_at + b.raw).contains(&at)) {
            return Ok(());
        }
        self.last = None;
        exact(|_| self.decode_at(at))
    }

    fn decode_at(&mut self, at: u64) -> Result<()> {
        // Frames without content end where the one before them ends, or at 0: they are passed over.
        for frame in self.frames.iter().skip_while(|f| f.raw_end() <= at) {
            let number = frame.blocks.partition_point(|b| b.raw_at + b.raw <= at);
            if let Some(&b) = frame.blocks.get(number) {
                self.options.look_up(&frame.models, &frame.origins, frame.at)?;
                let bytes = fetch(&mut self.inner, &b)?;
                self.last = Some((b, decode(&bytes, frame, &b, number as u64, &self.options, self.options.threads)?));
                break;
            }
        }
        Ok(())
    }
}

impl<R: Read + Seek> Read for Archive<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        self.load()?;
        let Some((b, raw)) = &self.last else { return Ok(0) };
        let rest = &raw[(self.position - b.raw_at) as usize..];
        let n = rest.len().min(out.len());
        out[..n].copy_from_slice(&rest[..n]);
        self.position += n as u64;
        Ok(n)
    }
}

impl<R: Read + Seek> Seek for Archive<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let position = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.raw().checked_add_signed(by),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
        };
        self.position = position.ok_or_else(|| {
            io::Error::new(io::ErrorKind::InvalidInput, "a seek to before the beginning of the content")
        })?;
        Ok(self.position)
    }
}

/// The bytes of a block in the archive.
fn fetch<R: Read + Seek>(inner: &mut R, b: &Block) -> Result<Vec<u8>> {
    inner.seek(SeekFrom::Start(b.at))?;
    let mut bytes = Vec::new();
    inner.take(b.bytes).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The head of a block or short frame.
fn head(input: &mut Input, frame: &Frame, limits: &Limits) -> Result<BlockHead, FormatError> {
    match frame.kind {
        Start::Short => ShortFrame::read(input).map(ShortFrame::into_head),
        _ => BlockHead::read(input, frame.models.len(), limits),
    }
}
/// A block's head, its coded bytes and its check.
fn parts<'a>(bytes: &'a [u8], frame: &Frame, b: &Block, limits: &Limits) -> Result<(BlockHead, &'a [u8], &'a [u8])> {
    let format = |source| Error::Format { at: b.at, source };
    let mut input = Input::new(bytes);
    let head = head(&mut input, frame, limits).map_err(format)?;
    let check = if frame.kind == Start::Short { 4 } else { 8 };
    if head.raw != b.raw || Some(b.bytes) != head.coded.checked_add(input.position() as u64 + check) {
        return Err(format(FormatError::Malformed { what: "index", found: "other lengths than a block's head" }));
    }
    let coded = input.take(head.coded as usize).map_err(format)?;
    let check = input.take(check as usize).map_err(format)?;
    Ok((head, coded, check))
}

/// Decodes a block from its bytes in the archive. They are believed no more than those of a stream.
fn decode(
    bytes: &[u8],
    frame: &Frame,
    b: &Block,
    number: u64,
    options: &DecodeOptions,
    threads: usize,
) -> Result<Vec<u8>> {
    let (BlockHead { method, raw, layout, .. }, coded, check) = parts(bytes, frame, b, &options.limits)?;
    let dictionary = options.dictionary(frame.dictionary.as_deref(), frame.at)?;
    let table = options.models(&frame.models, &frame.origins, frame.at)?;
    let models = Models::to_decode(&table, dictionary, threads);
    block::decode_checked(method, raw, &layout, &models, coded, check).map_err(|source| Error::Block {
        block: number,
        at: b.at,
        raw_at: b.raw_at,
        source,
    })
}

/// Reads structure, not content.
struct Scan<'a, R> {
    inner: &'a mut R,
    options: &'a DecodeOptions,
    at: u64,
}

impl<R: Read + Seek> Scan<'_, R> {
    /// Parses a part at the current place, with as many bytes as it takes up to `most`, and moves behind it.
    fn parse<T>(&mut self, most: u64, read: impl Fn(&mut Input) -> Result<T, FormatError>) -> Result<T> {
        let mut want = 128.min(most);
        loop {
            self.inner.seek(SeekFrom::Start(self.at))?;
            let mut bytes = Vec::new();
            (&mut self.inner).take(want).read_to_end(&mut bytes)?;
            let mut input = Input::new(&bytes);
            match read(&mut input) {
                Err(FormatError::Incomplete) if bytes.len() as u64 == want && want < most => {
                    want = want.saturating_mul(8).min(most)
                }
                Err(source) => return Err(Error::Format { at: self.at, source }),
                Ok(part) => {
                    self.at += input.position() as u64;
                    return Ok(part);
                }
            }
        }
    }

    /// The frames that can be found from their trailers, from the end of the archive back, in order.
    fn backward(&mut self, length: u64) -> Result<Vec<Frame>> {
        let mut frames = Vec::new();
        let mut end = length;
        loop {
            match self.frame_before(end) {
                Ok(Some(frame)) => {
                    end = frame.at;
                    frames.push(frame);
                }
                Err(Error::Io(error)) => return Err(error.into()),
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
        let (Some(begin), Some(index_at)) = (end.checked_sub(trailer.frame), trailer_at.checked_sub(trailer.index))
        else {
            return Ok(None);
        };
        self.at = index_at;
        let index = self.parse(trailer.index, Index::read)?;
        if self.at != trailer_at || begin >= index_at {
            return Ok(None);
        }
        self.at = begin;
        let mut frame = self.header()?;
        for entry in index.0 {
            let Some(next) = self.at.checked_add(entry.bytes) else { return Ok(None) };
            frame.blocks.push(Block { at: self.at, raw_at: 0, bytes: entry.bytes, raw: entry.raw });
            self.at = next;
        }
        frame.bytes = trailer.frame;
        Ok((self.at == index_at).then_some(frame))
    }

    fn header(&mut self) -> Result<Frame> {
        let at = self.at;
        let limits = &self.options.limits;
        let FrameHeader { models, origins, dictionary, .. } =
            self.parse(FrameHeader::longest(limits), |input| FrameHeader::read(input, limits))?;
        let dictionary = dictionary.map(|hash| hash.to_vec());
        Ok(Frame { at, bytes: 0, kind: Start::Full, models, origins, dictionary, blocks: Vec::new() })
    }

    /// The frames from the current place to `end`; nothing if none ends there. The archive's own end is
    /// `length`: what reaches past that is incomplete.
    fn forward(&mut self, end: u64, length: u64) -> Result<Option<Vec<Frame>>> {
        let mut frames = Vec::new();
        while self.at < end {
            match self.frame() {
                Err(Error::Format { at, source: FormatError::NotAFrame { .. } }) if !frames.is_empty() => {
                    return Err(Error::TrailingData { at });
                }
                frame => frames.push(frame?),
            }
        }
        if self.at > length {
            return Err(Error::Format { at: length, source: FormatError::Incomplete });
        }
        Ok((self.at == end).then_some(frames))
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
        let mut frame = Frame {
            at,
            bytes: 0,
            kind,
            models: Vec::new(),
            origins: Origins::new(),
            dictionary: None,
            blocks: Vec::new(),
        };
        match kind {
            Start::Skippable(length) => self.at += 8 + length,
            Start::Short => {
                let short = self.parse(ShortFrame::LONGEST as u64, ShortFrame::read)?;
                frame.models = short.models();
                frame.dictionary = short.dictionary.map(|d| d.to_vec());
                self.block(&mut frame, at, short.raw, short.coded, 4);
            }
            Start::Full => {
                frame = self.header()?;
                let limits = &self.options.limits;
                let models = frame.models.len();
                loop {
                    let at = self.at;
                    let head = self.parse(BlockHead::longest(limits) as u64, |i| BlockHead::read(i, models, limits))?;
                    self.block(&mut frame, at, head.raw, head.coded, 8);
                    if head.last {
                        break;
                    }
                }
                self.parse(Index::longest(frame.blocks.len() as u64), Index::read)?;
                self.parse(TRAILER_BYTES as u64, Trailer::read)?;
            }
        }
        frame.bytes = self.at - at;
        Ok(frame)
    }

    /// Notes a block that begins at `at` and whose head has just been read, and moves behind it.
    fn block(&mut self, frame: &mut Frame, at: u64, raw: u64, coded: u64, check: u64) {
        self.at = self.at.saturating_add(coded).saturating_add(check);
        frame.blocks.push(Block { at, raw_at: 0, bytes: self.at - at, raw });
    }
}
