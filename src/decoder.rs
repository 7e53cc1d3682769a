//! Decompression: frames in, bytes out.

mod frame;
mod source;
mod whole;

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Read};

use crate::codec::content::Content;
use crate::codec::context::BlockContext;
use crate::codec::decode::{self, RawBlock};
use crate::codec::memory;
use crate::codec::work::Work;
use crate::error::{Error, Result, told};
use crate::exact::fpstate::{Host, exact, host};
use crate::format::{
    BlockHead, CHECK, FormatError, FrameHeader, FrameKind, Input, SHORT_CHECK, ShortFrame, start,
    within,
};
use crate::options::{DecoderOptions, Needs, Resolver};
use crate::parallel;
use crate::progress::BlockProgress;
use crate::report::{BlockReport, OnBlock};
use frame::{Inside, end_frame};
use source::Source;
pub use whole::{decompress, decompress_with};

/// Bytes that are asked for beyond a block, at most, so that the next ones can be decoded with it.
const AHEAD: u64 = 16 << 20;

/// Bytes of a frame's index that do not count as memory: that of hundreds of thousands of blocks.
const LISTED: u64 = 1 << 20;

/// Decompresses the frames of an archive, one after the other.
///
/// Reads `R` to its end, and never waits for more than what comes next lacks: a block that has
/// arrived is delivered before the next one has. An error comes after everything that precedes it
/// has been delivered, and stays: every later read gives it again. Only
/// [`WouldBlock`](io::ErrorKind::WouldBlock) from the inner reader does not: the next read goes on.
/// Zeros behind the last frame are passed over.
///
/// Memory: at most [`Limits::memory`](crate::Limits::memory), and about 32 MiB. Blocks are decoded
/// at once, one for each thread and processor (with a neural model half as many), as far as the
/// bound allows and they have arrived together.
///
/// ```
/// use std::io::Read;
///
/// let archive = lmz::compress(b"some text")?;
/// let mut text = String::new();
/// lmz::read::Decoder::new(archive.as_slice()).read_to_string(&mut text)?;
/// assert_eq!(text, "some text");
/// # Ok::<(), lmz::Error>(())
/// ```
pub struct Decoder<R: Read> {
    source: Source<Host<R>>,
    resolver: Resolver,
    state: State,
    /// Decoded blocks, the first delivered up to `delivered`.
    raw: VecDeque<Content>,
    delivered: u64,
    /// Raw bytes of all blocks whose heads were read.
    raw_at: u64,
    frames: u64,
    work: Work,
    /// What comes after the decoded blocks.
    failure: Option<Error>,
    end: End,
    trailing: Option<u64>,
    /// Raw bytes of the frame begun last, where it says so at its beginning.
    content_length: Option<u64>,
    on_block: OnBlock,
}

/// How reading ended, if it has.
enum End {
    NotYet,
    Well,
    /// With an error of this kind and message, which every later read repeats.
    Badly(io::ErrorKind, String),
}

impl End {
    /// While foreign code runs, which may panic: if it does, this stays.
    fn panicked() -> Self {
        Self::Badly(
            io::ErrorKind::Other,
            "an earlier read panicked: what comes next is not known".into(),
        )
    }
}

/// What comes next in the archive.
enum State {
    /// A frame, or the end.
    Frame,
    /// The rest of a skippable frame.
    Skippable(u64),
    /// Zeros from here to the end, or something that belongs to no frame.
    Zeros(u64),
    Blocks(Inside),
    /// The index and the trailer of a full frame, where its blocks ended: as many bytes, which are
    /// known.
    Ending {
        at: u64,
        expected: Vec<u8>,
    },
}

/// A block or short frame that has been read and not decoded.
struct Job {
    number: u64,
    at: u64,
    raw_at: u64,
    block: RawBlock,
}

/// Why a block is not read now.
enum NotNow {
    /// It has not arrived, or there is no memory for it beside the others.
    Later,
    Failed(Error),
}

impl From<Error> for NotNow {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl<R: Read> Decoder<R> {
    /// A decoder with the default options.
    pub fn new(inner: R) -> Self {
        Self::with_options(inner, DecoderOptions::default())
    }

    /// A decoder with these options.
    pub fn with_options(inner: R, options: DecoderOptions) -> Self {
        Self {
            source: Source::new(Host::new(inner)),
            resolver: Resolver::new(options),
            state: State::Frame,
            raw: VecDeque::new(),
            delivered: 0,
            raw_at: 0,
            frames: 0,
            work: Work::default(),
            failure: None,
            end: End::NotYet,
            trailing: None,
            content_length: None,
            on_block: OnBlock::default(),
        }
    }

    /// The inner reader.
    pub fn get_ref(&self) -> &R {
        self.source.get_ref().get_ref()
    }

    /// The inner reader. What is read from it directly is missing in the archive.
    pub fn get_mut(&mut self) -> &mut R {
        self.source.get_mut().get_mut()
    }

    /// The inner reader. More may have been read from it than has been decoded.
    pub fn into_inner(self) -> R {
        self.source.into_inner().into_inner()
    }

    /// The bytes of content of the frame that is being decoded, where the archive says it before
    /// they come: short frames do, others where the encoder was told. It is known once the first
    /// block has been read, and holds for that frame alone. Nothing vouches for it.
    pub fn content_length(&self) -> Option<u64> {
        self.content_length
    }

    /// Where bytes begin that belong to no frame, once all content before them has been delivered
    /// and a read has given [`Error::TrailingData`]. Zeros at the end of an archive are not such
    /// bytes.
    pub fn trailing_data(&self) -> Option<u64> {
        self.trailing
    }

    /// Calls `report` for each block when it has been decoded.
    pub fn on_block(&mut self, report: impl FnMut(BlockReport) + Send + 'static) {
        self.on_block.0 = Some(Box::new(report));
    }

    /// Decodes until there is something to deliver. False at the end of the archive.
    fn advance(&mut self) -> Result<bool> {
        while self.raw.is_empty() {
            self.resolver.go_on()?;
            if let Some(failure) = self.failure.take() {
                return Err(failure);
            }
            match &mut self.state {
                State::Frame => {
                    if !self.source.fill(1, 0)? {
                        return if self.frames == 0 { Err(Error::Empty) } else { Ok(false) };
                    }
                    self.begin_frame()?;
                }
                State::Skippable(left) => {
                    self.source.pass(left)?;
                    self.state = State::Frame;
                }
                State::Zeros(at) => {
                    let at = *at;
                    if !self.source.pass_zeros()? {
                        self.trailing = Some(at);
                        return Err(Error::TrailingData { at });
                    }
                    self.state = State::Frame;
                }
                State::Blocks(inside) if inside.last_seen && inside.short => {
                    self.state = State::Frame
                }
                State::Blocks(inside) if inside.last_seen => {
                    let at = self.source.at();
                    self.state = State::Ending { at, expected: inside.ending(at) };
                }
                State::Blocks(_) => self.blocks()?,
                State::Ending { at, expected } => {
                    end_frame(&mut self.source, *at, expected)?;
                    self.state = State::Frame;
                }
            }
        }
        Ok(true)
    }

    fn begin_frame(&mut self) -> Result<()> {
        let begin = self.source.at();
        let kind = loop {
            match start(self.source.have()) {
                Err(FormatError::Incomplete)
                    if self.source.fill(self.source.have().len() + 1, 0)? => {}
                kind => break kind,
            }
        };
        match kind {
            Ok(FrameKind::Full) => {
                let limits = self.resolver.limits();
                let header = self.source.parse(FrameHeader::longest(limits), true, |input| {
                    FrameHeader::read(input, limits)
                })?;
                let header = header.unwrap_or_default();
                self.content_length = header.raw;
                let resolved = self.resolver.resolve(&Needs::of(&header), begin)?;
                self.state = State::Blocks(Inside::new(resolved, begin));
            }
            Ok(FrameKind::Short) => {
                let Some(short) =
                    self.source.parse(ShortFrame::LONGEST as u64, true, ShortFrame::read)?
                else {
                    return Ok(());
                };
                self.content_length = Some(short.raw);
                let models = short.models();
                let needs = Needs::of_short(&short, &models);
                let resolved = self.resolver.resolve(&needs, begin)?;
                let next = Some((short.into_head(), begin, Vec::new()));
                self.state =
                    State::Blocks(Inside { short: true, next, ..Inside::new(resolved, begin) });
            }
            Ok(FrameKind::Skippable(length)) => {
                self.source.skip(8);
                self.state = State::Skippable(length);
            }
            Err(FormatError::NotAFrame { .. }) if self.frames > 0 => {
                self.state = State::Zeros(begin);
                return Ok(());
            }
            Err(source) => return Err(Error::Format { at: begin, source }),
        }
        self.frames += 1;
        Ok(())
    }

    fn deliver(&mut self, head: &BlockHead, raw: Content) {
        if let Some(report) = &mut self.on_block.0 {
            let block = BlockReport {
                uncompressed_len: head.raw,
                compressed_len: head.coded,
                method: head.method,
                streams: head.layout.streams as usize,
                reason: None,
            };
            host(|| report(block));
        }
        if !raw.is_empty() {
            self.raw.push_back(raw);
        }
    }

    /// Reads and decodes a block, and with it those that have arrived already, as many as threads,
    /// processors and memory allow. What goes wrong is kept for later if blocks before it came out
    /// well.
    fn blocks(&mut self) -> Result<()> {
        let most = parallel::at_once(self.resolver.options.threads);
        let mut jobs: Vec<Job> = Vec::new();
        let mut memory = 0;
        while jobs.len() < most {
            match self.read_block(most, (!jobs.is_empty()).then_some(memory)) {
                Ok((job, needed)) => {
                    jobs.push(job);
                    memory = memory.saturating_add(needed);
                }
                Err(NotNow::Later) => break,
                Err(NotNow::Failed(failure)) if jobs.is_empty() => return Err(failure),
                Err(NotNow::Failed(failure)) => {
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        let State::Blocks(inside) = &self.state else { return Ok(()) };
        let (resolved, options) = (&inside.resolved, &self.resolver.options);
        let decode = |Job { number, at, raw_at, block }: Job, threads| {
            let head = block.head.clone();
            let progress = BlockProgress::new(options.progress.as_ref(), head.raw);
            let context = resolved.context(threads, options.cancel.as_ref());
            let context = BlockContext { progress: progress.as_ref(), ..context };
            let content = block.decode(&context);
            (content.map_err(|source| Error::of_block(number, at, raw_at, source)), head)
        };
        let table = resolved.context(1, None).table;
        let uses = |job: &Job| decode::uses(&job.block.head, table);
        for (raw, head) in parallel::share(jobs, options.threads, uses, decode) {
            match raw {
                Ok(raw) => self.deliver(&head, raw),
                Err(failure) => {
                    self.failure = Some(failure);
                    break;
                }
            }
        }
        Ok(())
    }

    /// Reads the next block of a frame, and says how much memory it needs. `beside`: what others
    /// need that are decoded with it; then nothing is waited for.
    fn read_block(&mut self, most: usize, beside: Option<u64>) -> Result<(Job, u64), NotNow> {
        let State::Blocks(inside) = &mut self.state else { return Err(NotNow::Later) };
        if inside.last_seen {
            return Err(NotNow::Later);
        }
        let (source, options) = (&mut self.source, &self.resolver.options);
        let limits = &options.limits;
        if inside.next.is_none() {
            let (at, models) = (source.at(), inside.resolved.models.len());
            let read = |input: &mut Input| BlockHead::read(input, models, limits);
            let head = source
                .parse(BlockHead::longest(limits), beside.is_none(), read)?
                .ok_or(NotNow::Later)?;
            inside.next = Some((head, at, Vec::new()));
        }
        let Some((head, at, bytes)) = &mut inside.next else { return Err(NotNow::Later) };
        let at = *at;
        let format = |source| Error::Format { at, source };
        within("bytes of content", self.raw_at.saturating_add(head.raw), limits.content)
            .map_err(format)?;
        let context = inside.resolved.context(options.threads, options.cancel.as_ref());
        let needed = memory::decoding(head, &context);
        let listed = (inside.index.capacity() as u64).saturating_sub(LISTED);
        memory::allow("a block", needed.saturating_add(listed), limits.memory)?;
        let check = if inside.short { SHORT_CHECK } else { CHECK };
        let whole = head.coded.saturating_add(check as u64);
        let whole = usize::try_from(whole).map_err(|_| Error::Memory {
            what: "a block",
            needed: head.coded,
            limit: limits.memory,
        })?;
        let free = limits.memory.saturating_sub(listed).saturating_sub(source.memory());
        match beside {
            Some(memory) if memory.saturating_add(needed) > free => return Err(NotNow::Later),
            Some(_) if source.have().len() < whole => return Err(NotNow::Later),
            // As many blocks as this one at once, if the reader has them; they may be somewhat
            // longer than this one.
            None if head.coded <= memory::BUFFERED => {
                let each = head.coded.saturating_add(head.coded / 4 + 64);
                let others = (most as u64 - 1).saturating_mul(each);
                let ahead = others.min(AHEAD).min(free.saturating_sub(needed) / 4);
                source
                    .fill(whole.saturating_sub(bytes.len()), ahead as usize)
                    .map_err(Error::from)?;
            }
            _ => {}
        }
        source.take(bytes, whole)?;
        let begin = source.at() - at;
        self.work.add(head, begin, &context, limits).map_err(format)?;
        let Some((head, at, bytes)) = inside.next.take() else { return Err(NotNow::Later) };
        let block = RawBlock::new(head, bytes);
        let job = Job { number: inside.blocks, at, raw_at: self.raw_at, block };
        self.raw_at += job.block.head.raw;
        inside.add(&job.block.head, begin);
        Ok((job, needed))
    }
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if out.is_empty() {
            return Ok(0);
        }
        if self.raw.is_empty() {
            match std::mem::replace(&mut self.end, End::panicked()) {
                End::NotYet => {}
                end => {
                    let result = match &end {
                        End::Badly(kind, message) => Err(io::Error::new(*kind, message.clone())),
                        _ => Ok(0),
                    };
                    self.end = end;
                    return result;
                }
            }
            match exact(|_| self.advance()) {
                Ok(true) => self.end = End::NotYet,
                Ok(false) => {
                    self.end = End::Well;
                    return Ok(0);
                }
                // All that has been read is still there, and what follows can be read later.
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.end = End::NotYet;
                    return Err(error);
                }
                Err(error) => {
                    self.end = End::Badly(error.kind(), told(&error));
                    let error = io::Error::from(error);
                    return Err(error);
                }
            }
        }
        let Some(raw) = self.raw.front() else { return Ok(0) };
        let n = raw.copy(self.delivered, out);
        self.delivered += n as u64;
        if self.delivered == raw.len() {
            self.raw.pop_front();
            self.delivered = 0;
        }
        Ok(n)
    }
}

impl<R: Read> fmt::Debug for Decoder<R> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut out = f.debug_struct("Decoder");
        out.field("options", &self.resolver.options).field("at", &self.source.at());
        out.field("frames", &self.frames).field("trailing", &self.trailing);
        out.finish_non_exhaustive()
    }
}
