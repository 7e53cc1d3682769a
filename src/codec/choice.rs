//! The ways to code a block by models, and which is taken: by what of it the language model is to
//! read ([`judge`](super::judge)), if anything.

use super::context::{BlockContext, Coded, block};
use super::judge::{BOTH, LEAST_GAIN, Read};
use super::reason::Reason;
use super::segmentation::{self, Part};
use super::{cm, device, lm_only, streams};
use crate::error::CodecError;
use crate::format::{BlockHead, DeviceBoundEntry, Limits, Method, Segment};
use crate::lm::LoadedModel;
use crate::lm::device::DeviceBoundModel;

/// Decides what a block is coded with.
pub struct Choice<'a> {
    /// The first of its models is the one that is tried.
    pub context: &'a BlockContext<'a>,
    /// How many streams it is cut into, unless that is decided by its length.
    pub streams: Option<usize>,
    /// Bytes that more than one segment or stream costs around the block: such a block does not fit
    /// a short frame.
    pub split_overhead: usize,
}

/// Streams that the model may read of so many bytes.
fn most_streams(bytes: usize) -> usize {
    BlockHead::most_streams(bytes as u64).min(Limits::default().segments) as usize
}

impl Choice<'_> {
    /// A block by context models alone.
    pub fn alone(&self, raw: &[u8], reason: Reason) -> Coded {
        let whole = Segment { length: raw.len() as u64, model: None };
        let layout = streams::cut(vec![whole], self.streams.unwrap_or(1));
        let BlockContext { progress, .. } = *self.context;
        let bytes = cm::encode(raw, &layout, self.context.dictionary(), progress);
        Coded { method: Method::Cm, layout, bytes, reason }
    }

    /// A block whose parts are these, at least one of them with the model.
    fn together(&self, raw: &[u8], model: &LoadedModel, parts: &[Part]) -> Coded {
        let read = parts.iter().filter(|p| p.model).map(|p| p.end - p.begin).sum();
        let streams = self.streams.unwrap_or_else(|| streams::count(read, model.network()));
        let (segments, streams) = (segmentation::segments(parts), streams.min(most_streams(read)));
        let layout = streams::cut_for(model.network(), segments, streams);
        let bytes = block(&layout, model, self.context).encode(raw);
        let reason = match parts {
            [_] if raw.len() > BOTH => Reason::ModelOnPieces,
            [_] => Reason::Model,
            _ => Reason::ModelOnParts,
        };
        Coded { method: Method::LmCm, layout, bytes, reason }
    }

    /// A block, not empty, with the first model of the table, which is this one, as far as it is to
    /// read it.
    pub fn read(&self, raw: &[u8], model: &LoadedModel, read: Read) -> Coded {
        let coded = match read {
            Read::Nothing(alone) => {
                return self.whole(alone, raw, Reason::WithoutModelOnPieces);
            }
            Read::Both => {
                let alone = self.alone(raw, Reason::WithoutModel);
                if alone.bytes.len() >= raw.len() {
                    return alone;
                }
                let whole = Part { begin: 0, end: raw.len(), model: true };
                self.smaller(alone, self.together(raw, model, &[whole]))
            }
            Read::Parts(parts, alone) => {
                let coded = self.together(raw, model, &parts);
                let read = coded.layout.read();
                let gains = |alone: &Coded| {
                    let (with, without) = (self.size(&coded) as u64, self.size(alone) as u64);
                    let share = read * without / raw.len() as u64;
                    with + share / LEAST_GAIN <= without
                };
                match alone.filter(|alone| !gains(alone)) {
                    Some(alone) => self.whole(Some(alone), raw, Reason::WithoutModel),
                    None => coded,
                }
            }
        };
        if coded.method == Method::LmCm
            && raw.len() as u64 > Method::LmCm.most_raw(coded.bytes.len() as u64)
        {
            return self.alone(raw, Reason::RepeatsItself);
        }
        coded
    }

    /// A block by context models alone, which may be there already in one stream.
    fn whole(&self, alone: Option<Coded>, raw: &[u8], reason: Reason) -> Coded {
        match alone.filter(|_| self.streams.is_none_or(|streams| streams == 1)) {
            Some(alone) => Coded { reason, ..alone },
            None => self.alone(raw, reason),
        }
    }

    /// A block, not empty, by the first model of the table, which is this one, without context
    /// models.
    pub fn unmixed(&self, raw: &[u8], model: &LoadedModel) -> Coded {
        let whole = [Part { begin: 0, end: raw.len(), model: true }];
        let streams = self.streams.unwrap_or_else(|| streams::count(raw.len(), model.network()));
        let layout = streams::cut_apart(
            segmentation::segments(&whole),
            streams.min(most_streams(raw.len())),
        );
        let bytes = lm_only::encode(&block(&layout, model, self.context), raw);
        if raw.len() as u64 > lm_only::most_raw(bytes.len()) {
            return self.alone(raw, Reason::RepeatsItself);
        }
        let reason = Reason::ModelAlone;
        Coded { method: Method::Modelled, layout, bytes, reason }
    }

    /// A block, not empty, by the first model of the table, which is this one and device-bound, or
    /// without it where that makes it smaller.
    pub fn device_bound(
        &self,
        raw: &[u8],
        model: &DeviceBoundModel,
        entry: &DeviceBoundEntry,
    ) -> Result<Coded, CodecError> {
        let streams = self.streams.unwrap_or_else(|| model.streams(raw.len()));
        let whole = [Part { begin: 0, end: raw.len(), model: true }];
        let streams = streams.min(most_streams(raw.len())).min(entry.batch as usize);
        let cut = if self.context.mix { streams::cut } else { streams::cut_apart };
        let layout = cut(segmentation::segments(&whole), streams);
        let BlockContext { dictionary, mix, progress, .. } = *self.context;
        let bytes = device::Block { layout: &layout, dictionary, model, entry, mix }
            .encode(raw, progress)?;
        let (method, reason) = match mix {
            true => (Method::DeviceLmCm, Reason::Model),
            false => (Method::DeviceLm, Reason::ModelAlone),
        };
        let coded = Coded { method, layout, bytes, reason };
        if raw.len() as u64 > method.most_raw(coded.bytes.len() as u64) {
            return Ok(self.alone(raw, Reason::RepeatsItself));
        }
        Ok(if mix { self.smaller(self.alone(raw, Reason::WithoutModel), coded) } else { coded })
    }

    /// The smaller of two, the first if they are alike.
    fn smaller(&self, a: Coded, b: Coded) -> Coded {
        if self.size(&b) < self.size(&a) { b } else { a }
    }

    /// Bytes, with what they need around them.
    fn size(&self, coded: &Coded) -> usize {
        let segments = coded.layout.segments.len();
        let plain = segments <= 1 && coded.layout.streams <= 1;
        coded.bytes.len() + if plain { 0 } else { self.split_overhead + 4 * segments }
    }
}
