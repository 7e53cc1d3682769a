//! Codecs 5 and 6: as 4 and 2, with a device-bound model.
//!
//! It computes the same number of rows at every step, whatever streams go on. The text is segmented
//! by its own tokenizer, so any token can follow another. Every 64 steps 16 bits of a hash of the
//! frequencies are coded: a decoder whose model gives others notices it there.

use xxhash_rust::xxh64::xxh64;

use super::cost::Metered;
use super::lm_cm::{Begin, LmCm};
use super::lm_only::{self, Alone};
use super::range::Coder;
use super::scheduler::{self, Cut, Group, Row, Sums};
use super::streams;
use crate::dictionary::Dictionary;
use crate::error::CodecError;
use crate::exact::fpstate::exact;
use crate::format::{BlockHead, DeviceBoundEntry, Layout, Method};
use crate::lm::device::{DeviceBoundModel, DeviceError, DeviceSession};
use crate::mix::kernel;
use crate::mix::{Lengths, Mix};
use crate::progress::BlockProgress;
use crate::vocab::{START, Token};

/// Steps from check to check.
const STEPS: u32 = 64;
/// Bits of a check.
const BITS: u32 = 16;
/// How many prefix sums of a row go into the hash. Every frequency is part of the last of them.
const SUMS: usize = 16;

/// A block: its parts, and what predicts it.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    /// At least one segment has a model, which is this one.
    pub layout: &'a Layout,
    /// Read by the context models first; the language model reads the end of it.
    pub dictionary: Option<&'a Dictionary>,
    pub model: &'a DeviceBoundModel,
    pub entry: &'a DeviceBoundEntry,
    /// Whether context models predict too.
    pub mix: bool,
}

impl Block<'_> {
    /// The bitstream of a block; `progress` is told how far it has come.
    pub fn encode(
        &self,
        raw: &[u8],
        progress: Option<&BlockProgress>,
    ) -> Result<Vec<u8>, CodecError> {
        let mut coder = Metered::new(raw.len(), raw.len()).told_to(progress);
        self.encode_by(&mut coder, raw)?;
        Ok(coder.finish().0)
    }

    /// Encodes a block by a coder.
    pub fn encode_by<C: Coder>(&self, coder: &mut C, raw: &[u8]) -> Result<(), CodecError> {
        match self.mix {
            true => self.joint(coder, Some(raw)).map(drop),
            false => self.pure(coder, Some(raw)).map(drop),
        }
    }

    /// Appends the raw bytes of a block to `out`. `coder` reads its coded bytes, of which there are
    /// so many.
    pub fn decode<C: Coder>(
        &self,
        coder: &mut C,
        coded: usize,
        out: &mut Vec<u8>,
    ) -> Result<(), CodecError> {
        let claimed: u64 = self.layout.segments.iter().map(|s| s.length).sum();
        let streams = self.layout.streams;
        if claimed > Method::DeviceLmCm.most_raw(coded as u64)
            || streams > BlockHead::most_streams(claimed)
        {
            return Err(CodecError::TooShort);
        }
        if streams > self.entry.batch {
            let message = format!(
                "damaged: a block has {streams} streams, and the header {} rows",
                self.entry.batch
            );
            return Err(DeviceError::Failed(message).into());
        }
        if self.mix {
            let mix = self.joint(coder, None)?;
            out.extend_from_slice(&mix.raw()[self.read_first().len()..]);
        } else {
            out.extend(self.pure(coder, None)?);
        }
        Ok(())
    }

    /// What the context models read first.
    fn read_first(&self) -> &[u8] {
        self.dictionary.map_or(&[], Dictionary::bytes)
    }

    fn joint<C: Coder>(&self, coder: &mut C, raw: Option<&[u8]>) -> Result<Mix, CodecError> {
        let block = self.layout.segments.iter().map(|s| s.length as usize).sum();
        let lengths = Lengths { dictionary: self.read_first().len(), block };
        let mix = exact(|fp| Mix::with_model(fp, &lengths, self.model.0.start()));
        let (mut rows, reading) = (self.rows()?, self.reading(raw));
        let (streams, dictionary) = (streams::of(self.layout), self.read_first());
        let begin = Begin { coder, reader: None, reading, streams, dictionary, raw, mix };
        let begun = kernel::run(begin)?;
        kernel::run(LmCm { coder, rows: &mut rows, begun, layout: self.layout, raw })
    }

    fn pure<C: Coder>(&self, coder: &mut C, raw: Option<&[u8]>) -> Result<Vec<u8>, CodecError> {
        let predict = Alone::new(self.layout);
        let streams = streams::of(self.layout);
        lm_only::steps(coder, &mut self.rows()?, self.reading(raw), streams, raw, predict)
    }

    fn rows(&self) -> Result<LockStep, CodecError> {
        let read = self.read_first();
        // Greedily, so that no version of a tokenizer takes part.
        let read = &read[read.len().saturating_sub(Dictionary::READ)..];
        let first: Vec<Token> = self.model.vocabulary().segment(read).collect();
        LockStep::new(
            self.model.0.begin(self.entry, &first)?,
            self.layout.streams as usize,
            self.entry.batch as usize,
        )
    }

    fn reading(&self, raw: Option<&[u8]>) -> Cut<'_> {
        Cut::by(self.model.vocabulary(), self.layout, raw, |text| self.model.0.segment(text))
    }
}

impl Sums for Vec<u64> {
    fn sums(&self) -> &[u64] {
        self
    }
}

/// All streams as one group, and rows that nobody reads.
struct LockStep {
    rows: Box<dyn DeviceSession>,
    /// What each row reads next, `[batch]`.
    tokens: Vec<Token>,
    group: Option<Group<Vec<u64>>>,
    /// Whether the group waits to be computed.
    given: bool,
    hash: u64,
    steps: u32,
}

impl LockStep {
    fn new(rows: Box<dyn DeviceSession>, streams: usize, batch: usize) -> Result<Self, CodecError> {
        let row = |number| Row { number, stream: Vec::new(), token: START, ended: false };
        let group = Group { rows: (0..streams).map(row).collect() };
        let mut out = Self {
            rows,
            tokens: vec![START; batch],
            group: Some(group),
            given: false,
            hash: 0,
            steps: 0,
        };
        out.fill()?;
        Ok(out)
    }

    /// Takes the frequencies of the streams that go on, and hashes them.
    fn fill(&mut self) -> Result<(), DeviceError> {
        let rows = self.group.iter_mut().flat_map(|group| &mut group.rows);
        let mut rows: Vec<_> = rows.map(|row| (row.number, &mut row.stream)).collect();
        self.rows.sums(&mut rows)?;
        for (_, stream) in rows {
            let mut bytes = [0; 8 * SUMS];
            for (i, to) in bytes.chunks_exact_mut(8).enumerate() {
                to.copy_from_slice(&stream[(stream.len() - 1) * (i + 1) / SUMS].to_le_bytes());
            }
            self.hash = xxh64(&bytes, self.hash);
        }
        Ok(())
    }
}

impl scheduler::BatchScheduler for LockStep {
    type State = Vec<u64>;

    fn groups(&self) -> usize {
        1
    }

    fn take(&mut self, _: usize) -> Result<Option<Group<Vec<u64>>>, CodecError> {
        if std::mem::take(&mut self.given) {
            self.tokens.fill(START);
            for row in self.group.iter().flat_map(|group| &group.rows) {
                self.tokens[row.number] = row.token;
            }
            self.rows.step(&self.tokens)?;
            self.fill()?;
        }
        Ok(self.group.take())
    }

    fn give(&mut self, _: usize, group: Group<Vec<u64>>) {
        self.group = Some(group);
        self.given = true;
    }

    fn check<C: Coder>(&mut self, coder: &mut C, at: usize) -> Result<(), CodecError> {
        self.steps += 1;
        if self.steps < STEPS {
            return Ok(());
        }
        self.steps = 0;
        coder.at(at);
        for shift in 0..BITS {
            let bit = self.hash >> shift & 1 == 1;
            if coder.decide(bit, 1 << 15)? != bit {
                return Err(CodecError::Diverged { at: at as u64 });
            }
        }
        coder.check()
    }
}
