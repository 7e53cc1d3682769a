//! Compression: bytes in, one frame out.

mod coding;
mod frame;

use std::fmt;
use std::io::{self, Write};
use std::mem;

use crate::codec::context::{BlockContext, Coded, Model};
use crate::codec::encode::Plan;
use crate::codec::memory;
use crate::error::{Error, Result};
use crate::exact::fpstate::{Host, exact, host};
use crate::format::{BlockHead, Index, ShortFrame};
use crate::options::EncoderOptions;
use crate::parallel;
use crate::progress::BlockProgress;
use crate::report::{BlockReport, OnBlock};
use crate::sticky::Sticky;
use coding::{Coding, code_block};

/// Compresses what is written to it, as one frame, into `W`.
///
/// ```
/// use std::io::Write;
///
/// let mut encoder = lmz::write::Encoder::new(Vec::new());
/// for line in ["one line, ", "and another\n"] {
///     encoder.write_all(line.as_bytes())?;
/// }
/// let archive: Vec<u8> = encoder.finish()?;
/// assert_eq!(lmz::decompress(&archive)?, b"one line, and another\n");
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// Memory: at most [`EncoderOptions::memory`], and about 32 MiB. Blocks are coded at once, one for
/// each thread and processor (with a neural model half as many), as far as the bound allows.
///
/// Content below 64 KiB that is finished without a [`flush`](Write::flush) becomes a short frame.
/// [`finish`](Self::finish) must be called: a dropped encoder leaves an archive that says that it
/// is incomplete. So does one that has failed, by an error or by a panic of the inner writer: from
/// then on every call gives an error, [`finish`](Self::finish) too.
pub struct Encoder<W: Write> {
    inner: Host<W>,
    options: EncoderOptions,
    /// What predicts, loaded when the first bytes are coded.
    models: Vec<Model>,
    /// Blocks that are coded at once, as many as threads, processors and memory allow; `None` until
    /// the models are loaded.
    at_once: Option<usize>,
    /// Raw bytes not yet coded.
    pending: Vec<u8>,
    /// Bytes of the frame written so far; 0: no header yet.
    written: u64,
    /// Raw bytes of the blocks written so far.
    raw: u64,
    index: Index,
    /// Whether the frame has ended.
    finished: bool,
    /// How a call has failed: nothing more is written then.
    failure: Sticky,
    on_block: OnBlock,
}

impl<W: Write> Encoder<W> {
    /// An encoder with the default options.
    pub fn new(inner: W) -> Self {
        Self::made(inner, EncoderOptions::default())
    }

    /// An encoder with these options.
    ///
    /// # Errors
    ///
    /// [`Error::Option`] if an option has a value that cannot be.
    pub fn with_options(inner: W, options: EncoderOptions) -> Result<Self> {
        options.check()?;
        Ok(Self::made(inner, options))
    }

    /// An encoder with options that have been checked.
    fn made(inner: W, options: EncoderOptions) -> Self {
        Self {
            inner: Host::new(inner),
            options,
            models: Vec::new(),
            at_once: None,
            pending: Vec::new(),
            written: 0,
            raw: 0,
            index: Index::default(),
            finished: false,
            failure: Sticky::default(),
            on_block: OnBlock::default(),
        }
    }

    /// Calls `report` for each block as it is written.
    pub fn on_block(&mut self, report: impl FnMut(BlockReport) + Send + 'static) {
        self.on_block.0 = Some(Box::new(report));
    }

    /// The inner writer.
    pub fn get_ref(&self) -> &W {
        self.inner.get_ref()
    }

    /// The inner writer. What is written to it directly becomes part of the archive.
    pub fn get_mut(&mut self) -> &mut W {
        self.inner.get_mut()
    }

    /// The inner writer as it is. What has not been coded is lost, and the archive is incomplete
    /// unless [`try_finish`](Self::try_finish) has succeeded.
    pub fn into_inner(self) -> W {
        self.inner.into_inner()
    }

    /// Codes what is pending, ends the frame, and flushes the inner writer. After that nothing more
    /// can be written, and calling this again does nothing.
    ///
    /// # Errors
    ///
    /// If coding or writing fails. An encoder that has failed before gives its error again, and
    /// does not end the frame.
    pub fn try_finish(&mut self) -> Result<()> {
        self.once(|encoder| {
            if !encoder.finished {
                encoder.end()?;
                encoder.finished = true;
            }
            Ok(())
        })
    }

    /// Does what [`try_finish`](Self::try_finish) does, and gives the inner writer back.
    ///
    /// # Errors
    ///
    /// Where `try_finish` does.
    pub fn finish(mut self) -> Result<W> {
        self.try_finish()?;
        Ok(self.inner.into_inner())
    }

    fn report(&mut self, raw: &[u8], coded: &Coded) {
        if let Some(report) = &mut self.on_block.0 {
            let block = BlockReport {
                uncompressed_len: raw.len() as u64,
                compressed_len: coded.bytes.len() as u64,
                method: coded.method,
                streams: coded.layout.streams as usize,
                reason: Some(coded.reason),
            };
            host(|| report(block));
        }
    }

    /// Loads what predicts, if that has not been done.
    fn prepare(&mut self) -> Result<usize> {
        if let Some(at_once) = self.at_once {
            return Ok(at_once);
        }
        self.models = self.options.models()?;
        let needed = self.needed(self.options.get_block_size()).max(1);
        let fit = usize::try_from(self.options.memory / needed).unwrap_or(usize::MAX);
        let at_once = parallel::at_once(self.options.threads).min(fit).max(1);
        self.at_once = Some(at_once);
        Ok(at_once)
    }

    fn end(&mut self) -> Result<()> {
        self.prepare()?;
        let total = self.raw + self.pending.len() as u64;
        if let Some(expected) = self.options.content_length.filter(|n| *n != total) {
            return Err(Error::ContentLength { expected, found: total });
        }
        // Of one block at most, so that the number of threads does not decide.
        let length = self.pending.len();
        if self.written == 0
            && (length as u64) < ShortFrame::LIMIT
            && length <= self.options.get_block_size()
        {
            self.write_short()?;
        } else {
            let blocks = self.code()?;
            self.write_blocks(blocks, true)?;
            self.write_end()?;
        }
        self.inner.flush()?;
        Ok(())
    }

    /// Does what may fail or, where foreign code runs, panic. What is lost by that cannot be
    /// written later.
    fn once<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.failure.check()?;
        self.failure.begin("an earlier call panicked: the archive is incomplete");
        let result = exact(|_| work(self));
        self.failure.end(&result);
        result
    }

    /// Bytes of memory that a block of `raw` bytes takes.
    fn needed(&self, raw: usize) -> u64 {
        let context = self.context(self.options.threads);
        memory::encoding(raw as u64, &context, self.options.streams)
    }

    /// Codes all that is pending, block by block, each with the bytes it was made from.
    fn code(&mut self) -> Result<Vec<(Vec<u8>, Coded)>> {
        let at_once = self.prepare()?;
        self.bind()?;
        let raw = mem::take(&mut self.pending);
        let parts: Vec<&[u8]> = raw.chunks(self.options.get_block_size()).collect();
        let mut out = Vec::with_capacity(parts.len());
        let longest = parts.first().map_or(0, |part| part.len());
        memory::allow("a block", self.needed(longest), self.options.memory)?;
        for group in parts.chunks(at_once) {
            out.extend(self.code_group(group)?);
        }
        Ok(out)
    }

    /// Codes no more blocks than there are threads.
    fn code_group(&self, group: &[&[u8]]) -> Result<Vec<(Vec<u8>, Coded)>> {
        let (threads, coding) = (self.options.threads, self.coding());
        let context = self.context(threads / group.len());
        let plans = parallel::map(group.to_vec(), |part| (part, Plan::of(part, &context)));
        let shared = self.options.progress.as_ref();
        let code = |(part, plan): (&[u8], Plan), threads| {
            let progress = BlockProgress::new(shared, part.len() as u64);
            let context = BlockContext { threads, progress: progress.as_ref(), ..context };
            let coded = code_block(part, plan, &context, coding)?;
            progress.iter().for_each(BlockProgress::coded);
            Ok((part.to_vec(), coded))
        };
        parallel::share(plans, threads, |(_, plan)| plan.uses(&context), code).into_iter().collect()
    }

    fn coding(&self) -> Coding {
        let EncoderOptions { streams, verify, .. } = self.options;
        Coding { streams, split_overhead: 0, verify, raw_at: self.raw }
    }

    /// Finds out what a device-bound model is here, before the first block: how many rows it will
    /// have, and the probe.
    fn bind(&mut self) -> Result<()> {
        let length = self.pending.len().min(self.options.get_block_size());
        if let Some(Model::DeviceBound(model, entry)) =
            self.models.first_mut().filter(|_| length > 0 && self.written == 0)
        {
            let streams = self.options.streams.unwrap_or_else(|| model.streams(length));
            let most = BlockHead::most_streams(length as u64) as usize;
            let mut found = model.0.entry(streams.min(most).min(length) as u64)?;
            found.probe = model.0.probe(&found)?;
            **entry = found;
        }
        Ok(())
    }

    /// What a block is coded with when it has this many threads to itself.
    fn context(&self, threads: usize) -> BlockContext<'_> {
        let (table, dictionary) = (&self.models[..], self.options.dictionary.as_ref());
        BlockContext {
            table,
            dictionary,
            mix: self.options.mix,
            threads,
            cancel: None,
            progress: None,
        }
    }
}

impl<W: Write> Write for Encoder<W> {
    /// Takes as many of the bytes as its memory allows. After an error it takes none: every later
    /// call gives the error again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.failure.check()?;
        if self.finished {
            let message = "the archive has been finished";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        }
        let block = self.options.get_block_size();
        let total = self.raw + self.pending.len() as u64 + bytes.len() as u64;
        if let Some(expected) = self.options.content_length.filter(|n| *n < total) {
            self.once(|_| Err::<(), _>(Error::ContentLength { expected, found: total }))?;
        }
        let at_once = match self.at_once {
            Some(at_once) => at_once,
            None if self.pending.len().saturating_add(bytes.len()) > block => {
                self.once(Self::prepare)?
            }
            None => 1,
        };
        // One byte more than the blocks in flight: the last block of a frame is marked as such, so
        // a block can be written only when it is known not to be the last.
        let most = block.saturating_mul(at_once);
        let room = most.saturating_add(1).saturating_sub(self.pending.len());
        let bytes = &bytes[..bytes.len().min(room)];
        self.pending.extend_from_slice(bytes);
        if self.pending.len() > most {
            self.once(|encoder| {
                let keep = (encoder.pending.len() - 1) % block + 1;
                let rest = encoder.pending.split_off(encoder.pending.len() - keep);
                let blocks = encoder.code()?;
                encoder.pending = rest;
                encoder.write_blocks(blocks, false)
            })?;
        }
        Ok(bytes.len())
    }

    /// Ends the block, so that a reader can decode all that was written so far. It costs about 30
    /// bytes and what the next block must learn again.
    fn flush(&mut self) -> io::Result<()> {
        self.once(|encoder| {
            if !encoder.pending.is_empty() {
                let blocks = encoder.code()?;
                encoder.write_blocks(blocks, false)?;
            }
            Ok(encoder.inner.flush()?)
        })?;
        Ok(())
    }
}

impl<W: Write> fmt::Debug for Encoder<W> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut out = f.debug_struct("Encoder");
        out.field("options", &self.options).field("written", &self.written);
        out.field("finished", &self.finished).field("failure", &self.failure);
        out.finish_non_exhaustive()
    }
}
