//! Decompression: frames in, bytes out.

use std::collections::VecDeque;
use std::io::{self, Read};

use crate::codec::block::{self, Model, Models};
use crate::dictionary::Dictionary;
use crate::encoder::BlockReport;
use crate::error::{Error, Result};
use crate::exact::fpstate::{Host, exact, host};
use crate::format::{
    BlockHead, Entry, FormatError, FrameHeader, Index, Input, Origins, ShortFrame, Start, TRAILER_BYTES, Trailer,
    start, within,
};
use crate::options::DecodeOptions;
use crate::parallel;

/// Bytes asked of the inner reader at a time.
const READ: usize = 64 << 10;

/// Decompresses the frames of an archive, one after the other.
///
/// Reads `R` to its end. An error comes after everything that precedes it has been delivered, and
/// stays: every later read gives it again. Memory: `threads` blocks, coded and raw, and what as many
/// need to be decoded; with a neural model half as many.
///
/// ```
/// use std::io::Read;
///
/// let archive = lmz::compress(b"some text", &lmz::Options::default());
/// let mut text = String::new();
/// lmz::Decoder::new(archive.as_slice()).read_to_string(&mut text)?;
/// assert_eq!(text, "some text");
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Decoder<R: Read> {
    inner: Host<R>,
    options: DecodeOptions,
    /// Archive bytes read and not yet used, from `used` on.
    buffer: Vec<u8>,
    used: usize,
    /// Place of `buffer[used]` in the archive.
    at: u64,
    /// Decoded blocks, the first delivered up to `delivered`.
    raw: VecDeque<Vec<u8>>,
    delivered: usize,
    /// Raw bytes of all blocks whose heads were read.
    raw_at: u64,
    frames: u64,
    inside: Option<Inside>,
    /// What comes after the decoded blocks.
    failure: Option<Error>,
    end: End,
    on_block: Option<Box<dyn FnMut(BlockReport)>>,
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
    dictionary: Option<Dictionary>,
    begin: u64,
    index: Vec<Entry>,
    last_seen: bool,
}

/// A block or short frame that has been read and not decoded.
struct Job {
    number: u64,
    at: u64,
    raw_at: u64,
    head: BlockHead,
    coded: Vec<u8>,
    check: Vec<u8>,
}

impl Job {
    fn decode(&self, models: &Models) -> Result<Vec<u8>> {
        let BlockHead { method, raw, ref layout, .. } = self.head;
        block::decode_checked(method, raw, layout, models, &self.coded, &self.check).map_err(|source| Error::Block {
            block: self.number,
            at: self.at,
            raw_at: self.raw_at,
            source,
        })
    }
}

impl<R: Read> Decoder<R> {
    /// A decoder with the default options.
    pub fn new(inner: R) -> Self {
        Self::with_options(inner, DecodeOptions::default())
    }

    pub fn with_options(inner: R, options: DecodeOptions) -> Self {
        Self {
            inner: Host::new(inner),
            options,
            buffer: Vec::new(),
            used: 0,
            at: 0,
            raw: VecDeque::new(),
            delivered: 0,
            raw_at: 0,
            frames: 0,
            inside: None,
            failure: None,
            end: End::NotYet,
            on_block: None,
        }
    }

    /// Calls `report` for each block when it has been decoded.
    pub fn on_block(&mut self, report: impl FnMut(BlockReport) + 'static) {
        self.on_block = Some(Box::new(report));
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
        while self.raw.is_empty() {
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            match self.inside.take() {
                Some(inside) if inside.last_seen => self.end_frame(inside)?,
                Some(inside) => self.blocks(inside)?,
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
                let limits = self.options.limits.clone();
                let header = self.parse(FrameHeader::longest(&limits), |input| FrameHeader::read(input, &limits))?;
                let dictionary = header.dictionary.as_ref().map(|h| &h[..]);
                let dictionary = self.options.dictionary(dictionary, begin)?.cloned();
                self.options.look_up(&header.models, &header.origins, begin)?;
                let models = self.options.models(&header.models, &header.origins, begin)?;
                self.inside = Some(Inside { models, dictionary, begin, index: Vec::new(), last_seen: false });
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
        let at = self.at;
        let short = self.parse(ShortFrame::LONGEST as u64, ShortFrame::read)?;
        let dictionary = self.options.dictionary(short.dictionary.as_ref().map(|d| &d[..]), at)?.cloned();
        let table = self.options.models(&short.models(), &Origins::new(), at)?;
        let job = self.job(short.into_head(), at, 4, 0)?;
        let models = Models::to_decode(&table, dictionary.as_ref(), self.options.threads);
        let raw = job.decode(&models)?;
        self.deliver(&job.head, raw);
        Ok(())
    }

    /// Reads what follows a head that began at `at`.
    fn job(&mut self, head: BlockHead, at: u64, check: u64, number: u64) -> Result<Job> {
        let raw_at = self.raw_at;
        within("bytes of content", raw_at.saturating_add(head.raw), self.options.limits.content)
            .map_err(|source| Error::Format { at, source })?;
        let coded = self.take(head.coded)?;
        let check = self.take(check)?;
        self.raw_at += head.raw;
        Ok(Job { number, at, raw_at, head, coded, check })
    }

    fn deliver(&mut self, head: &BlockHead, raw: Vec<u8>) {
        if let Some(report) = &mut self.on_block {
            let block = BlockReport {
                raw: head.raw,
                coded: head.coded,
                method: head.method,
                streams: head.layout.streams as usize,
                why: "",
            };
            host(|| report(block));
        }
        if !raw.is_empty() {
            self.raw.push_back(raw);
        }
    }

    /// Reads and decodes blocks, as many as there are threads. What goes wrong is kept for later if
    /// blocks before it came out well.
    fn blocks(&mut self, mut inside: Inside) -> Result<()> {
        let mut jobs = Vec::new();
        while jobs.len() < self.options.threads.max(1) && !inside.last_seen {
            match self.read_block(&mut inside) {
                Ok(job) => jobs.push(job),
                Err(failure) => {
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        let decode = |job: Job, threads| {
            let models = Models::to_decode(&inside.models, inside.dictionary.as_ref(), threads);
            (job.decode(&models), job)
        };
        let uses = |job: &Job| block::uses(job.head.method);
        for (raw, job) in parallel::share(jobs, self.options.threads, uses, decode) {
            match raw {
                Ok(raw) => self.deliver(&job.head, raw),
                Err(failure) => {
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        self.inside = Some(inside);
        Ok(())
    }

    fn read_block(&mut self, inside: &mut Inside) -> Result<Job> {
        let at = self.at;
        let limits = self.options.limits.clone();
        let models = inside.models.len();
        let head = self.parse(BlockHead::longest(&limits) as u64, |input| BlockHead::read(input, models, &limits))?;
        let job = self.job(head, at, 8, inside.index.len() as u64)?;
        inside.index.push(Entry { bytes: self.at - at, raw: job.head.raw });
        inside.last_seen = job.head.last;
        Ok(job)
    }

    /// The index and the trailer must say what the blocks were.
    fn end_frame(&mut self, inside: Inside) -> Result<()> {
        let at = self.at;
        let index = self.parse(Index::longest(inside.index.len() as u64), Index::read)?;
        if index.0 != inside.index {
            let source = FormatError::Malformed { what: "index", found: "other blocks than the frame" };
            return Err(Error::Format { at, source });
        }
        let index = self.at - at;
        let at = self.at;
        let trailer = self.parse(TRAILER_BYTES as u64, Trailer::read)?;
        if trailer != (Trailer { frame: self.at - inside.begin, index }) {
            let source = FormatError::Malformed { what: "trailer", found: "other lengths than the frame's" };
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
        if self.raw.is_empty() {
            match &self.end {
                End::Well => return Ok(0),
                End::Badly(kind, message) => return Err(io::Error::new(*kind, message.clone())),
                End::NotYet => {}
            }
            match exact(|_| self.advance()) {
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
        let Some(raw) = self.raw.front() else { return Ok(0) };
        let n = out.len().min(raw.len() - self.delivered);
        out[..n].copy_from_slice(&raw[self.delivered..][..n]);
        self.delivered += n;
        if self.delivered == raw.len() {
            self.raw.pop_front();
            self.delivered = 0;
        }
        Ok(n)
    }
}

/// Decompresses a whole archive from a slice, with the default options.
pub fn decompress(archive: &[u8]) -> Result<Vec<u8>> {
    decompress_with(archive, &DecodeOptions::default())
}

/// Decompresses a whole archive from a slice.
pub fn decompress_with(archive: &[u8], options: &DecodeOptions) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut decoder = Decoder::with_options(archive, options.clone());
    while exact(|_| decoder.advance())? {
        decoder.raw.drain(..).for_each(|mut block| out.append(&mut block));
    }
    Ok(out)
}
