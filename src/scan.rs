//! Archives that can be seeked in: what is in them, and parts of their content.

use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;

use crate::codec::block;
use crate::error::{CodecError, Error, Result};
use crate::format::{
    BlockHead, FormatError, FrameHeader, Index, Input, Limits, Method, Model, Segment, ShortFrame, Start,
    TRAILER_BYTES, Trailer, content_check, start,
};

/// A block, or the whole of a short frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where it begins in the archive.
    pub at: u64,
    /// Where its content begins in the content of the archive.
    pub raw_at: u64,
    /// Bytes in the archive, head and check included.
    pub bytes: u64,
    /// Raw bytes.
    pub raw: u64,
    pub method: Method,
    /// Where its coded bytes begin in the archive, and how many they are.
    coded: (u64, u64),
    segments: Vec<Segment>,
    /// Bytes of its content check.
    check: usize,
}

/// A frame and its blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Where it begins in the archive.
    pub at: u64,
    /// Bytes in the archive.
    pub bytes: u64,
    pub kind: Start,
    pub models: Vec<Model>,
    pub blocks: Vec<Block>,
}

impl Frame {
    /// Raw bytes.
    pub fn raw(&self) -> u64 {
        self.blocks.iter().map(|b| b.raw).sum()
    }
}

/// An archive that can be seeked in. Opening it reads the heads of all blocks and no coded bytes.
pub struct Archive<R> {
    inner: R,
    frames: Vec<Frame>,
}

impl<R: Read + Seek> Archive<R> {
    /// Reads what the archive holds. Everything is checked but the content.
    pub fn open(inner: R, limits: &Limits) -> Result<Self> {
        let mut scan = Scan { inner, limits, at: 0, raw_at: 0 };
        let length = scan.inner.seek(SeekFrom::End(0))?;
        let mut frames = Vec::new();
        while scan.at < length {
            match scan.frame() {
                Err(Error::Format { at, source: FormatError::NotAFrame { .. } }) if !frames.is_empty() => {
                    return Err(Error::TrailingData { at });
                }
                frame => frames.push(frame?),
            }
        }
        if scan.at > length {
            return Err(Error::Format { at: length, source: FormatError::Incomplete });
        }
        if frames.is_empty() {
            return Err(Error::Empty);
        }
        Ok(Self { inner: scan.inner, frames })
    }

    pub fn frames(&self) -> &[Frame] {
        &self.frames
    }

    /// Raw bytes of all frames.
    pub fn raw(&self) -> u64 {
        self.frames.iter().map(Frame::raw).sum()
    }

    /// Decodes the part of the content that lies in `range`, block by block, into `write`. Whole blocks
    /// are decoded and checked; what reaches past the end of the content is left out.
    pub fn read_range(&mut self, range: Range<u64>, mut write: impl FnMut(&[u8]) -> std::io::Result<()>) -> Result<()> {
        for frame in &self.frames {
            for (i, b) in frame.blocks.iter().enumerate() {
                let (from, to) = (range.start.max(b.raw_at), range.end.min(b.raw_at + b.raw));
                if from < to {
                    let raw = decode(&mut self.inner, b, &frame.models, i as u64)?;
                    write(&raw[(from - b.raw_at) as usize..(to - b.raw_at) as usize])?;
                }
            }
        }
        Ok(())
    }
}

fn decode<R: Read + Seek>(inner: &mut R, b: &Block, models: &[Model], number: u64) -> Result<Vec<u8>> {
    let wrong = |source| Error::Block { block: number, at: b.at, raw_at: b.raw_at, source };
    inner.seek(SeekFrom::Start(b.coded.0))?;
    let mut coded = Vec::new();
    inner.take(b.coded.1).read_to_end(&mut coded)?;
    let mut check = Vec::new();
    inner.take(b.check as u64).read_to_end(&mut check)?;
    if (coded.len() as u64, check.len()) != (b.coded.1, b.check) {
        return Err(Error::Format { at: b.at, source: FormatError::Incomplete });
    }
    let mut raw = Vec::new();
    block::decode(b.method, b.raw, &b.segments, models, &coded, &mut raw).map_err(wrong)?;
    if content_check(&raw, &coded).to_le_bytes()[..b.check] != check[..] {
        return Err(wrong(CodecError::BadCheck));
    }
    Ok(raw)
}

struct Scan<'a, R> {
    inner: R,
    limits: &'a Limits,
    at: u64,
    raw_at: u64,
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
                    want = (want * 8).min(most)
                }
                Err(source) => return Err(Error::Format { at: self.at, source }),
                Ok(part) => {
                    self.at += input.position() as u64;
                    return Ok(part);
                }
            }
        }
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
        let mut frame = Frame { at, bytes: 0, kind, models: Vec::new(), blocks: Vec::new() };
        match kind {
            Start::Skippable(length) => self.at += 8 + length,
            Start::Short => {
                let ShortFrame { method, raw, coded } = self.parse(ShortFrame::LONGEST as u64, ShortFrame::read)?;
                frame.models.push(ShortFrame::MODEL);
                let segments = vec![Segment { length: raw, model: Some(0) }];
                self.block(&mut frame, at, BlockHead { last: true, method, raw, coded, segments }, 4);
            }
            Start::Full => {
                let limits = self.limits;
                let most = 64 + (limits.models as u64 + 64) * limits.field;
                frame.models = self.parse(most, |input| FrameHeader::read(input, limits))?.models;
                let models = frame.models.len();
                loop {
                    let at = self.at;
                    let head = self.parse(BlockHead::longest(limits) as u64, |i| BlockHead::read(i, models, limits))?;
                    let last = head.last;
                    self.block(&mut frame, at, head, 8);
                    if last {
                        break;
                    }
                }
                self.parse(32 + 20 * frame.blocks.len() as u64, Index::read)?;
                self.parse(TRAILER_BYTES as u64, Trailer::read)?;
            }
        }
        frame.bytes = self.at - at;
        Ok(frame)
    }

    /// Notes a block whose head begins at `at` and has just been read, and moves behind it.
    fn block(&mut self, frame: &mut Frame, at: u64, head: BlockHead, check: usize) {
        let coded = (self.at, head.coded);
        self.at += head.coded + check as u64;
        let BlockHead { raw, method, segments, .. } = head;
        frame.blocks.push(Block { at, raw_at: self.raw_at, bytes: self.at - at, raw, method, coded, segments, check });
        self.raw_at += raw;
    }
}
