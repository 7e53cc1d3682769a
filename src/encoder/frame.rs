//! Writing frames: short ones, and the header, blocks and end of full ones.

use std::io::Write;
use std::mem;

use super::Encoder;
use super::coding::{Coding, code_block};
use crate::codec::context::{BlockContext, Coded, Model};
use crate::codec::encode::{self, Plan};
use crate::codec::memory;
use crate::codec::reason::Reason;
use crate::error::Result;
use crate::format::{
    BlockHead, Entry, FrameHeader, Method, ShortFrame, ShortModel, TRAILER_BYTES, Trailer,
    content_check,
};
use crate::lm::LoadedModel;
use crate::predictor::Predictor;
use crate::progress::BlockProgress;

/// Bytes of a short frame that name a transformer.
const TRANSFORMER_NAME: usize = 4;

impl<W: Write> Encoder<W> {
    /// Codes what is pending as one block.
    pub(super) fn write_short(&mut self) -> Result<()> {
        self.bind()?;
        memory::allow("a block", self.needed(self.pending.len()), self.options.memory)?;
        let raw = mem::take(&mut self.pending);
        let mut header = Vec::new();
        self.header(&self.models).write(&mut header);
        let progress = BlockProgress::new(self.options.progress.as_ref(), raw.len() as u64);
        let context = self.context(self.options.threads);
        let context = BlockContext { progress: progress.as_ref(), ..context };
        let coding = self.coding();
        let coding = Coding { split_overhead: ShortFrame::SAVES, ..coding };
        let mut coded = code_block(&raw, Plan::of(&raw, &context), &context, coding)?;
        if let Some(plan) = encode::instead(&coded, self.options.mix) {
            let alone = code_block(&raw, plan, &context, coding)?;
            if encode::is_header_too_long(&coded, header.len(), &alone) {
                coded = alone;
            }
        }
        if let Some((model, other)) = self.built_in_instead(&raw, &coded, header.len(), coding)? {
            self.models = vec![Model::Exact(model)];
            coded = other;
        }
        progress.iter().for_each(BlockProgress::coded);
        let default = match coded.method {
            Method::Modelled => self.models[0].named() == ShortFrame::MODEL,
            Method::LmCm => {
                !matches!(&self.models[0], Model::Exact(model) if model.context().is_some())
            }
            method => !method.is_device_bound(),
        };
        if !default || coded.layout.segments.len() > 1 || coded.layout.streams > 1 {
            // Short frames know the default parameters only; a full frame holds any.
            self.write_blocks(vec![(raw, coded)], true)?;
            return self.write_end();
        }
        self.report(&raw, &coded);
        let mut out = Vec::new();
        let model = match self.models.first() {
            Some(Model::Exact(model)) if model.is_rwkv7() => {
                Some(ShortModel::of(&model.identity().0))
            }
            Some(Model::Exact(model)) => Some(ShortModel::of_transformer(&model.identity().0)),
            _ => None,
        };
        let head = ShortFrame {
            method: coded.method,
            model: model.filter(|_| coded.method == Method::LmCm),
            dictionary: self.options.dictionary.as_ref().map(|d| ShortFrame::name(d.hash())),
            raw: raw.len() as u64,
            coded: coded.bytes.len() as u64,
        };
        head.write(&mut out);
        let check = content_check(&raw, &coded.bytes) as u32;
        out.append(&mut coded.bytes);
        out.extend(check.to_le_bytes());
        self.put(&out)?;
        self.wrote(raw.len());
        Ok(())
    }

    /// A block as the default model makes it, if that is smaller than with the one that was asked
    /// for, which is not built in and takes much longer: what names it can be more than it gains.
    fn built_in_instead(
        &self,
        raw: &[u8],
        coded: &Coded,
        header: usize,
        coding: Coding,
    ) -> Result<Option<(LoadedModel, Coded)>> {
        let names = match self.models.first() {
            Some(Model::Exact(model)) if !model.is_rwkv7() => TRANSFORMER_NAME,
            Some(Model::DeviceBound(..)) if coded.method.is_device_bound() => {
                header + ShortFrame::SAVES
            }
            _ => return Ok(None),
        };
        let trivial = matches!(coded.method, Method::Stored | Method::Rle);
        if !self.options.mix || raw.len() as u64 >= ShortFrame::LIMIT || trivial {
            return Ok(None);
        }
        let Some(Ok(model)) = LoadedModel::builtin(Predictor::DEFAULT) else { return Ok(None) };
        let table = [Model::Exact(model.clone())];
        let context = self.context(self.options.threads);
        let context = BlockContext { table: &table, progress: None, ..context };
        let other = code_block(raw, Plan::of(raw, &context), &context, coding)?;
        let size = |coded: &Coded, names: usize| {
            let is_short = coded.layout.segments.len() <= 1 && coded.layout.streams <= 1;
            coded.bytes.len()
                + if is_short { 0 } else { coding.split_overhead }
                + if coded.method == Method::LmCm || coded.method.is_device_bound() {
                    names
                } else {
                    0
                }
        };
        Ok((size(&other, 0) < size(coded, names)).then_some((model, other)))
    }

    /// Tells that a block of so many bytes has been written.
    fn wrote(&self, length: usize) {
        self.options.progress.iter().for_each(|progress| progress.written(length as u64));
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.inner.write_all(bytes)?;
        self.written += bytes.len() as u64;
        Ok(())
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
            raw: self.options.content_length,
        }
    }

    /// Writes blocks, after the header where it is missing. `last`: the frame ends with them.
    pub(super) fn write_blocks(
        &mut self,
        mut blocks: Vec<(Vec<u8>, Coded)>,
        last: bool,
    ) -> Result<()> {
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
            // Every frame has a last block.
            blocks.push((Vec::new(), Coded::stored(&[], Reason::FrameEnds)));
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
            self.wrote(raw.len());
        }
        Ok(())
    }

    pub(super) fn write_end(&mut self) -> Result<()> {
        let mut out = Vec::new();
        self.index.write(&mut out);
        let index = out.len() as u64;
        Trailer { frame: self.written + index + TRAILER_BYTES as u64, index }.write(&mut out);
        self.put(&out)
    }
}
