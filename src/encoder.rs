//! Compression: bytes in, frames out.

use std::io::{self, Write};
use std::mem;

use crate::codec::block::{self, Coded, Made, Model, Models, Plan};
use crate::codec::memory;
use crate::error::{CodecError, Error, Result};
use crate::exact::fpstate::{Host, exact, host};
use crate::format::{
    BlockHead, Entry, FrameHeader, Index, Limits, Method, ShortFrame, ShortModel, TRAILER_BYTES,
    Trailer, content_check,
};
use crate::options::Options;
use crate::parallel;

/// What became of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlockReport {
    /// Raw bytes.
    pub raw: u64,
    /// Coded bytes, without head and checks.
    pub coded: u64,
    pub method: Method,
    /// Streams that it was coded in.
    pub streams: usize,
    /// Why this method, in words; when decoding, nothing.
    pub why: &'static str,
}

/// Compresses what is written to it, as one frame, into `W`.
///
/// ```
/// use std::io::Write;
///
/// let mut encoder = lmz::Encoder::new(Vec::new(), lmz::Options::default());
/// for line in ["one line, ", "and another\n"] {
///     encoder.write_all(line.as_bytes())?;
/// }
/// let archive: Vec<u8> = encoder.finish()?;
/// assert_eq!(lmz::decompress(&archive)?, b"one line, and another\n");
/// # Ok::<(), lmz::Error>(())
/// ```
///
/// Memory: at most [`Options::memory`], and about 32 MiB. Blocks are coded at once, one for each
/// thread and processor (with a neural model half as many), as far as the bound allows.
///
/// Content below 64 KiB that is finished without a [`flush`](Write::flush) becomes a short frame.
/// [`finish`](Self::finish) must be called: a dropped encoder leaves an archive that says that it
/// is incomplete. So does one that has failed, by an error or by a panic of the inner writer: from
/// then on every call gives an error, [`finish`](Self::finish) too.
pub struct Encoder<W: Write> {
    inner: Host<W>,
    options: Options,
    models: Vec<Model>,
    /// Blocks that are coded at once: as many as threads, processors and memory allow.
    at_once: usize,
    /// Raw bytes not yet coded.
    pending: Vec<u8>,
    /// Bytes of the frame written so far; 0: no header yet.
    written: u64,
    /// Raw bytes of the blocks written so far.
    raw: u64,
    index: Index,
    /// How a call has failed: nothing more is written then.
    failure: Option<(io::ErrorKind, String)>,
    on_block: Option<Box<dyn FnMut(BlockReport)>>,
}

impl<W: Write> Encoder<W> {
    /// An encoder; lengths and numbers in the options that cannot be are moved to the nearest that
    /// can.
    pub fn new(inner: W, mut options: Options) -> Self {
        options.block = options.block.clamp(1, Limits::default().block as usize);
        options.threads = options.threads.max(1);
        options.streams = options.streams.map(|n| n.clamp(1, Limits::default().segments as usize));
        let models = options.models();
        let mut encoder = Self {
            inner: Host::new(inner),
            options,
            models,
            at_once: 1,
            pending: Vec::new(),
            written: 0,
            raw: 0,
            index: Index::default(),
            failure: None,
            on_block: None,
        };
        let needed = encoder.needed(encoder.options.block).max(1);
        let fit = usize::try_from(encoder.options.memory / needed).unwrap_or(usize::MAX);
        encoder.at_once = parallel::at_once(encoder.options.threads).min(fit).max(1);
        encoder
    }

    /// Calls `report` for each block as it is written.
    pub fn on_block(&mut self, report: impl FnMut(BlockReport) + 'static) {
        self.on_block = Some(Box::new(report));
    }

    fn report(&mut self, raw: &[u8], coded: &Coded) {
        if let Some(report) = &mut self.on_block {
            let block = BlockReport {
                raw: raw.len() as u64,
                coded: coded.bytes.len() as u64,
                method: coded.method,
                streams: coded.layout.streams as usize,
                why: coded.why,
            };
            host(|| report(block));
        }
    }

    /// Codes what is pending, ends the frame and gives the inner writer back, flushed. An encoder
    /// that has failed before gives its error again, and does not end the frame.
    pub fn finish(mut self) -> Result<W> {
        self.go_on()?;
        exact(|_| self.end())?;
        Ok(self.inner.into_inner())
    }

    fn end(&mut self) -> Result<()> {
        // Of one block at most, so that the number of threads does not decide.
        let length = self.pending.len();
        if self.written == 0 && (length as u64) < ShortFrame::LIMIT && length <= self.options.block
        {
            self.write_short(None)?;
        } else {
            let blocks = self.code()?;
            self.write_blocks(blocks, true)?;
            self.write_end()?;
        }
        self.inner.flush()?;
        Ok(())
    }

    /// An error if a call before has failed.
    fn go_on(&self) -> io::Result<()> {
        match &self.failure {
            None => Ok(()),
            Some((kind, message)) => Err(io::Error::new(*kind, message.clone())),
        }
    }

    /// Does what may fail or, where foreign code runs, panic. What is lost by that cannot be
    /// written later.
    fn once<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> io::Result<T> {
        self.go_on()?;
        let panicked = "an earlier call panicked: the archive is incomplete";
        self.failure = Some((io::ErrorKind::Other, panicked.into()));
        let result = exact(|_| work(self));
        self.failure = result.as_ref().err().map(Error::lasting);
        result.map_err(io::Error::from)
    }

    /// Bytes of memory that a block of so many raw bytes takes.
    fn needed(&self, raw: usize) -> u64 {
        memory::encoding(raw as u64, &self.models(1), self.options.streams)
    }

    /// Codes what is pending as one block; `made` is its bitstream of codec 4 in one stream, if it
    /// has been made already.
    fn write_short(&mut self, made: Option<&Made>) -> Result<()> {
        self.bind()?;
        memory::allow("a block", self.needed(self.pending.len()), self.options.memory)?;
        let raw = mem::take(&mut self.pending);
        let (models, coding) =
            (Models { made, ..self.models(self.options.threads) }, self.coding());
        let mut coded = code_block(
            &raw,
            Plan::of(&raw, &models),
            &models,
            Coding { apart: ShortFrame::SAVES, ..coding },
        )?;
        if coded.method.is_bound() && self.options.mix {
            // The header that names such a model can be more than it gains. The rest of a full
            // frame takes about 60 bytes.
            let alone = Plan::Alone(
                "so short that the device-bound model gains less than its header takes",
            );
            let alone =
                code_block(&raw, alone, &models, Coding { apart: ShortFrame::SAVES, ..coding })?;
            let mut header = Vec::new();
            self.header(&self.models).write(&mut header);
            if alone.bytes.len() < coded.bytes.len() + header.len() + 60 {
                coded = alone;
            }
        }
        let default = match coded.method {
            Method::Coded => self.models[0].named() == ShortFrame::MODEL,
            method => !method.is_bound(),
        };
        if !default || coded.layout.segments.len() > 1 || coded.layout.streams > 1 {
            // Short frames know the default parameters only; a full frame holds any.
            self.write_blocks(vec![(raw, coded)], true)?;
            return self.write_end();
        }
        self.report(&raw, &coded);
        let mut out = Vec::new();
        let model = match self.models.first() {
            Some(Model::Rwkv7(model)) => Some(ShortModel::of(&model.identity().0)),
            _ => None,
        };
        let head = ShortFrame {
            method: coded.method,
            model: model.filter(|_| coded.method == Method::Joint),
            dictionary: self.options.dictionary.as_ref().map(|d| ShortFrame::name(d.hash())),
            raw: raw.len() as u64,
            coded: coded.bytes.len() as u64,
        };
        head.write(&mut out);
        let check = content_check(&raw, &coded.bytes) as u32;
        out.append(&mut coded.bytes);
        out.extend(check.to_le_bytes());
        self.put(&out)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Codes all that is pending, block by block, each with the bytes it was made from.
    fn code(&mut self) -> Result<Vec<(Vec<u8>, Coded)>> {
        self.bind()?;
        let raw = mem::take(&mut self.pending);
        let parts: Vec<&[u8]> = raw.chunks(self.options.block).collect();
        let mut out = Vec::with_capacity(parts.len());
        let longest = parts.first().map_or(0, |part| part.len());
        memory::allow("a block", self.needed(longest), self.options.memory)?;
        for group in parts.chunks(self.at_once) {
            out.extend(self.code_group(group)?);
        }
        Ok(out)
    }

    /// Codes no more blocks than there are threads.
    fn code_group(&self, group: &[&[u8]]) -> Result<Vec<(Vec<u8>, Coded)>> {
        let (threads, coding) = (self.options.threads, self.coding());
        let models = self.models(threads / group.len());
        let plans = parallel::map(group.to_vec(), |part| (part, Plan::of(part, &models)));
        let code = |(part, plan): (&[u8], Plan), threads| {
            let models = Models { threads, ..models };
            Ok((part.to_vec(), code_block(part, plan, &models, coding)?))
        };
        parallel::share(plans, threads, |(_, plan)| plan.uses(), code).into_iter().collect()
    }

    fn coding(&self) -> Coding {
        let Options { streams, verify, .. } = self.options;
        Coding { streams, apart: 0, verify, raw_at: self.raw }
    }

    /// Finds out what a device-bound model is here, before the first block: how many rows it will
    /// have, and the probe.
    fn bind(&mut self) -> Result<()> {
        let length = self.pending.len().min(self.options.block);
        if let Some(Model::Bound(model, entry)) =
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

    /// What a block is coded with, when it has so many threads to itself.
    fn models(&self, threads: usize) -> Models<'_> {
        let Options { dictionary, mix, .. } = &self.options;
        Models {
            table: &self.models,
            dictionary: dictionary.as_ref(),
            mix: *mix,
            made: None,
            threads,
            cancel: None,
        }
    }

    /// The header of a frame with these models.
    fn header(&self, models: &[Model]) -> FrameHeader {
        let dictionary = self.options.dictionary.as_ref().map(|d| *d.hash());
        let origins = models
            .iter()
            .enumerate()
            .filter_map(|(i, model)| Some((i, model.origin()?.clone())))
            .collect();
        FrameHeader {
            models: models.iter().map(Model::named).collect(),
            origins,
            dictionary,
            raw: None,
        }
    }

    /// Writes blocks, after the header where it is missing. `last`: the frame ends with them.
    fn write_blocks(&mut self, mut blocks: Vec<(Vec<u8>, Coded)>, last: bool) -> Result<()> {
        let mut out = Vec::new();
        if self.written == 0 {
            // Of content of one block it is known what it needs.
            let needless = last
                && blocks.len() == 1
                && blocks[0].1.layout.segments.iter().all(|s| s.model.is_none());
            self.header(if needless { &[] } else { &self.models }).write(&mut out);
            self.put(&out)?;
        }
        if last && blocks.is_empty() {
            blocks.push((
                Vec::new(),
                Coded::stored(
                    &[],
                    "the frame \
                ends",
                ),
            )); // every frame has a last block
        }
        let count = blocks.len();
        for (i, (raw, mut coded)) in blocks.into_iter().enumerate() {
            self.report(&raw, &coded);
            out.clear();
            BlockHead {
                last: last && i + 1 == count,
                method: coded.method,
                raw: raw.len() as u64,
                coded: coded.bytes.len() as u64,
                layout: coded.layout,
            }
            .write(&mut out);
            let check = content_check(&raw, &coded.bytes);
            out.append(&mut coded.bytes);
            out.extend(check.to_le_bytes());
            self.put(&out)?;
            self.index.0.push(Entry { bytes: out.len() as u64, raw: raw.len() as u64 });
            self.raw += raw.len() as u64;
        }
        Ok(())
    }

    fn write_end(&mut self) -> Result<()> {
        let mut out = Vec::new();
        self.index.write(&mut out);
        let index = out.len() as u64;
        Trailer { frame: self.written + index + TRAILER_BYTES as u64, index }.write(&mut out);
        self.put(&out)
    }
}

/// How a block is to be coded, and where it is.
#[derive(Clone, Copy)]
struct Coding {
    streams: Option<usize>,
    /// Bytes that more than one segment costs around the block.
    apart: usize,
    verify: bool,
    /// Where the first block that is coded together with it begins in the content.
    raw_at: u64,
}

/// Codes a block, and makes sure that it decodes where that is not certain.
fn code_block(raw: &[u8], plan: Plan, models: &Models, coding: Coding) -> Result<Coded> {
    let Coding { streams, apart, verify, raw_at } = coding;
    let failed = |error| match error {
        CodecError::Bound(error) => Error::Bound(error),
        source => Error::NotReproduced { raw_at, source },
    };
    let coded = plan.encode(raw, models, streams, apart).map_err(failed)?;
    if coded.method.is_bound() && verify {
        let check = content_check(raw, &coded.bytes).to_le_bytes();
        let models = Models::to_decode(models.table, models.dictionary, models.threads);
        let Coded { method, layout, bytes, .. } = &coded;
        block::decode_checked(*method, raw.len() as u64, layout, &models, bytes, &check)
            .map_err(failed)?;
    }
    Ok(coded)
}

impl<W: Write> Write for Encoder<W> {
    /// Takes as many of the bytes as its memory allows. After an error it takes none: every later
    /// call gives the error again.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.go_on()?;
        // One byte more than the blocks in flight: the last block of a frame is marked as such, so
        // a block can be written only when it is known not to be the last.
        let most = self.options.block.saturating_mul(self.at_once);
        let room = most.saturating_add(1).saturating_sub(self.pending.len());
        let bytes = &bytes[..bytes.len().min(room)];
        self.pending.extend_from_slice(bytes);
        if self.pending.len() > most {
            self.once(|encoder| {
                let keep = (encoder.pending.len() - 1) % encoder.options.block + 1;
                let rest = encoder.pending.split_off(encoder.pending.len() - keep);
                let blocks = encoder.code()?;
                encoder.pending = rest;
                encoder.write_blocks(blocks, false)
            })?;
        }
        Ok(bytes.len())
    }

    /// Ends the block, so that a reader can decode all that was written so far. Costs about 30
    /// bytes and what the next block must learn again.
    fn flush(&mut self) -> io::Result<()> {
        self.once(|encoder| {
            if !encoder.pending.is_empty() {
                let blocks = encoder.code()?;
                encoder.write_blocks(blocks, false)?;
            }
            Ok(encoder.inner.flush()?)
        })
    }
}

/// Compresses a slice into one frame.
///
/// # Panics
///
/// If a device-bound model cannot be computed, or does not give the same twice, or if a block needs
/// more memory than [`Options::memory`] allows; an [`Encoder`] reports that.
pub fn compress(raw: &[u8], options: &Options) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), options.clone());
    encoder
        .write_all(raw)
        .and_then(|()| encoder.finish().map_err(Into::into))
        .expect("a vector takes every byte")
}

/// The same for content that fits a short frame, when its bitstream of codec 4 in one stream has
/// been made already.
pub(crate) fn compress_made(raw: &[u8], made: &Made, options: &Options) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new(), options.clone());
    encoder.pending = raw.to_vec();
    encoder.write_short(Some(made)).expect("a vector takes every byte");
    encoder.inner.into_inner()
}
