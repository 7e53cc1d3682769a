//! Decompression: frames in, bytes out.

use std::io::{self, Read};

use crate::codec::block;
use crate::error::{CodecError, Error, Result};
use crate::format::{
    BlockHead, Entry, FormatError, FrameHeader, Index, Input, Limits, Model, Segment, ShortFrame, Start, TRAILER_BYTES,
    Trailer, content_check, start,
};

/// Bytes asked of the inner reader at a time.
const READ: usize = 64 << 10;

/// Decompresses the frames of an archive, one after the other.
///
/// Reads `R` to its end. An error comes after everything that precedes it has been delivered, and
/// stays: every later read gives it again. Memory: one block, coded and raw, and its model's.
pub struct Decoder<R: Read> {
    inner: R,
    limits: Limits,
    /// Archive bytes read and not yet used, from `used` on.
    buffer: Vec<u8>,
    used: usize,
    /// Place of `buffer[used]` in the archive.
    at: u64,
    /// Decoded bytes, delivered up to `delivered`.
    raw: Vec<u8>,
    delivered: usize,
    raw_at: u64,
    frames: u64,
    inside: Option<Inside>,
    end: End,
}

/// How reading ended, if it has.
enum End {
    NotYet,
    Well,
    /// With an error of this kind and message, which every later read repeats.
    Badly(io::ErrorKind, String),
}

/// What is known inside a full frame.
struct Inside {
    models: Vec<Model>,
    begin: u64,
    index: Vec<Entry>,
    last_seen: bool,
}

impl<R: Read> Decoder<R> {
    /// A decoder with the default limits.
    pub fn new(inner: R) -> Self {
        Self::with_limits(inner, Limits::default())
    }

    pub fn with_limits(inner: R, limits: Limits) -> Self {
        Self {
            inner,
            limits,
            buffer: Vec::new(),
            used: 0,
            at: 0,
            raw: Vec::new(),
            delivered: 0,
            raw_at: 0,
            frames: 0,
            inside: None,
            end: End::NotYet,
        }
    }

    /// Reads on until `n` unused bytes are there or the input ends. What is claimed is not allocated:
    /// memory grows with what arrives.
    fn fill(&mut self, n: u64) -> Result<()> {
        self.buffer.drain(..self.used);
        self.used = 0;
        let have = self.buffer.len() as u64;
        if have < n {
            let missing = (n - have).max(READ as u64);
            (&mut self.inner).take(missing).read_to_end(&mut self.buffer)?;
        }
        Ok(())
    }

    /// Parses a part, with as much more input as it takes, up to `most` bytes.
    fn parse<T>(&mut self, most: u64, read: impl Fn(&mut Input) -> Result<T, FormatError>) -> Result<T> {
        let mut want = 64;
        loop {
            self.fill(want)?;
            let mut input = Input::new(&self.buffer[self.used..]);
            match read(&mut input) {
                Err(FormatError::Incomplete) if self.buffer.len() as u64 >= want && want < most => {
                    want = (want * 4).min(most);
                }
                Err(source) => return Err(Error::Format { at: self.at, source }),
                Ok(part) => {
                    let n = input.position();
                    self.skip(n);
                    return Ok(part);
                }
            }
        }
    }

    fn skip(&mut self, n: usize) {
        self.used += n;
        self.at += n as u64;
    }

    /// The next `n` bytes, moved out of the buffer.
    fn take(&mut self, n: u64) -> Result<Vec<u8>> {
        self.fill(n)?;
        if (self.buffer.len() as u64) < n {
            return Err(Error::Format { at: self.at + self.buffer.len() as u64, source: FormatError::Incomplete });
        }
        let out = self.buffer[..n as usize].to_vec();
        self.skip(n as usize);
        Ok(out)
    }

    /// Decodes until there is something to deliver. False at the end of the archive.
    fn advance(&mut self) -> Result<bool> {
        self.raw.clear();
        self.delivered = 0;
        while self.raw.is_empty() {
            match self.inside.take() {
                Some(inside) if inside.last_seen => self.end_frame(inside)?,
                Some(inside) => self.block(inside)?,
                None => {
                    self.fill(8)?;
                    if self.buffer.is_empty() {
                        return if self.frames == 0 { Err(Error::Empty) } else { Ok(false) };
                    }
                    self.begin_frame()?;
                }
            }
        }
        Ok(true)
    }

    fn begin_frame(&mut self) -> Result<()> {
        let begin = self.at;
        match start(&self.buffer) {
            Ok(Start::Full) => {
                let limits = self.limits.clone();
                let most = 64 + (limits.models as u64 + 64) * limits.field;
                let header = self.parse(most, |input| FrameHeader::read(input, &limits))?;
                self.inside = Some(Inside { models: header.models, begin, index: Vec::new(), last_seen: false });
            }
            Ok(Start::Short) => self.short()?,
            Ok(Start::Skippable(length)) => {
                self.skip(8);
                // Passed over without being held.
                let mut left = length;
                while left > 0 {
                    self.fill(1)?;
                    let n = left.min(self.buffer.len() as u64);
                    if n == 0 {
                        return Err(Error::Format { at: self.at, source: FormatError::Incomplete });
                    }
                    self.skip(n as usize);
                    left -= n;
                }
            }
            Err(_) if self.frames > 0 => return Err(Error::TrailingData { at: begin }),
            Err(source) => return Err(Error::Format { at: begin, source }),
        }
        self.frames += 1;
        Ok(())
    }

    fn short(&mut self) -> Result<()> {
        let begin = self.at;
        let head = self.parse(ShortFrame::LONGEST as u64, ShortFrame::read)?;
        let coded = self.take(head.coded)?;
        let check = self.take(4)?;
        let segments = [Segment { length: head.raw, model: Some(0) }];
        let wrong = |source| Error::Block { block: 0, at: begin, raw_at: self.raw_at, source };
        block::decode(head.method, head.raw, &segments, &[ShortFrame::MODEL], &coded, &mut self.raw)
            .and_then(|()| {
                let found = content_check(&self.raw, &coded) as u32;
                if found.to_le_bytes()[..] == check[..] { Ok(()) } else { Err(CodecError::BadCheck) }
            })
            .map_err(|e| {
                self.raw.clear();
                wrong(e)
            })?;
        self.raw_at += head.raw;
        Ok(())
    }

    fn block(&mut self, mut inside: Inside) -> Result<()> {
        let begin = self.at;
        let limits = self.limits.clone();
        let models = inside.models.len();
        let head = self.parse(BlockHead::longest(&limits) as u64, |input| BlockHead::read(input, models, &limits))?;
        let coded = self.take(head.coded)?;
        let check = self.take(8)?;
        let decoded = block::decode(head.method, head.raw, &head.segments, &inside.models, &coded, &mut self.raw)
            .and_then(|()| {
                let found = content_check(&self.raw, &coded);
                if found.to_le_bytes()[..] == check[..] { Ok(()) } else { Err(CodecError::BadCheck) }
            });
        if let Err(source) = decoded {
            self.raw.clear();
            return Err(Error::Block { block: inside.index.len() as u64, at: begin, raw_at: self.raw_at, source });
        }
        self.raw_at += head.raw;
        inside.index.push(Entry { bytes: self.at - begin, raw: head.raw });
        inside.last_seen = head.last;
        self.inside = Some(inside);
        Ok(())
    }

    /// The index and the trailer must say what the blocks were.
    fn end_frame(&mut self, inside: Inside) -> Result<()> {
        let at = self.at;
        let most = 32 + 20 * inside.index.len() as u64;
        let index = self.parse(most, Index::read)?;
        if index.0 != inside.index {
            let source = FormatError::Malformed { what: "index", found: "other blocks than the frame" };
            return Err(Error::Format { at, source });
        }
        let at = self.at;
        let trailer = self.parse(TRAILER_BYTES as u64, Trailer::read)?;
        if trailer.frame != self.at - inside.begin {
            let source = FormatError::Malformed { what: "trailer", found: "another length than the frame's" };
            return Err(Error::Format { at, source });
        }
        Ok(())
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.delivered == self.raw.len() {
            match &self.end {
                End::Well => return Ok(0),
                End::Badly(kind, message) => return Err(io::Error::new(*kind, message.clone())),
                End::NotYet => {}
            }
            match self.advance() {
                Ok(true) => {}
                Ok(false) => {
                    self.end = End::Well;
                    return Ok(0);
                }
                Err(error) => {
                    let error = io::Error::from(error);
                    self.end = End::Badly(error.kind(), error.to_string());
                    return Err(error);
                }
            }
        }
        let n = out.len().min(self.raw.len() - self.delivered);
        out[..n].copy_from_slice(&self.raw[self.delivered..][..n]);
        self.delivered += n;
        Ok(n)
    }
}

/// Decompresses a whole archive from a slice.
pub fn decompress(archive: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = Decoder::new(archive);
    while decoder.advance()? {
        out.append(&mut decoder.raw);
    }
    Ok(out)
}
