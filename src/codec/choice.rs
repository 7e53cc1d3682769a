//! What of a block the language model reads, if anything. A block is never noticeably larger than
//! context mixing alone makes it: what helps is found out by coding, not guessed.

use super::context::{BlockContext, Coded, block};
use super::cost::BIT;
use super::reason::Reason;
use super::segmentation::{self, Costs, Part};
use super::{bound, cm, lm_only, streams};
use crate::error::CodecError;
use crate::format::{BlockHead, DeviceBound, Layout, Limits, Method, Segment};
use crate::lm::bound::Bound;
use crate::lm::rwkv7::LoadedModel;

/// Blocks of up to this are coded both ways, and then in parts if windows of so many bytes differ.
const BOTH: usize = 64 << 10;
pub const WINDOW: usize = 2 << 10;
/// Larger ones are judged by pieces of about this length, not fewer and not more than so many.
const PIECE: usize = 32 << 10;
const FEWEST: usize = 8;
const MOST: usize = 64;
/// Each piece by a sample of so many bytes in its middle, more if all samples together would not be
/// so many: with less the context models have learnt too little.
const SAMPLE: usize = 1 << 10;
const SAMPLES: usize = 16 << 10;
/// The model has to gain this part of a window. On text it gains a tenth and more; base64 beside
/// text seems to gain 1.5%, because weights that text and base64 share suit neither, as those of
/// segments would.
const LEAST_GAIN: u64 = 40;
/// The part that it has to gain of a sample that costs as many bits a byte as no text does, where the weights have
/// learnt less.
const LEAST_GAIN_IN_SAMPLES: u64 = 20;
const NO_TEXT: u64 = 4;

/// Up to this length a block that might be better in parts is coded as a whole with the model too.
const WHOLE: usize = 256 << 10;
/// Where the model gains less than this part of all samples, or of some nothing, the block is coded
/// by context models alone as well: they learn more from a whole block than from samples.
const CLEAR_GAIN: u64 = 5;

/// What it costs to begin another segment: the model and the contexts begin again, and it is
/// listed.
const CHANGE: u64 = 8 * 64 * BIT;
/// What it costs to begin another segment between samples, which stand for more than themselves.
const SAMPLE_CHANGE: u64 = 8 * BIT;

/// What codec 4 makes of a block in one stream that the model reads all of: the bitstream, and what
/// each window of [`WINDOW`] bytes costs, in parts of a bit.
pub type Precoded = (Vec<u8>, Vec<u64>);

/// Decides what a block is coded with.
pub struct Choice<'a> {
    /// The first of its models is the one that is tried.
    pub context: &'a BlockContext<'a>,
    /// How many streams it is cut into, unless that is decided by its length.
    pub streams: Option<usize>,
    /// Bytes that more than one segment or stream costs around the block: such a block does not fit
    /// a short frame.
    pub apart: usize,
    /// What codec 4 makes of the block in one stream, where that is there already.
    pub precoded: Option<&'a Precoded>,
}

/// Streams that the model may read of so many bytes.
fn most_streams(bytes: usize) -> usize {
    BlockHead::most_streams(bytes as u64).min(Limits::default().segments) as usize
}

impl Choice<'_> {
    /// A block by context models alone.
    pub fn alone(&self, raw: &[u8], reason: Reason) -> Coded {
        self.alone_by_windows(raw, raw.len(), reason).0
    }

    /// A block by context models alone, and what each of its windows costs.
    fn alone_by_windows(&self, raw: &[u8], window: usize, reason: Reason) -> (Coded, Vec<u64>) {
        let whole = Segment { length: raw.len() as u64, model: None };
        let layout = streams::cut(vec![whole], self.streams.unwrap_or(1));
        let (bytes, costs) = cm::encode_by_windows(raw, &layout, self.context.dictionary(), window);
        (Coded { method: Method::Cm, layout, bytes, reason }, costs)
    }

    /// A block whose parts are these, at least one of them with the model, and what its windows
    /// cost.
    fn together(
        &self,
        raw: &[u8],
        model: &LoadedModel,
        parts: &[Part],
        window: usize,
    ) -> (Coded, Vec<u64>) {
        let read = parts.iter().filter(|p| p.model).map(|p| p.end - p.begin).sum();
        let streams = self.streams.unwrap_or_else(|| streams::count(read, &model.network().config));
        let layout = streams::cut(segmentation::segments(parts), streams.min(most_streams(read)));
        let alone = layout.streams == 1 && layout.segments.len() == 1;
        let precoded = self.precoded.filter(|_| alone && window == WINDOW).cloned();
        let make = || block(&layout, model, self.context).encode_by_windows(raw, window);
        let (bytes, costs) = precoded.unwrap_or_else(make);
        let reason = match parts {
            [_] if raw.len() > BOTH => Reason::ModelOnPieces,
            [_] => Reason::Model,
            _ => Reason::ModelOnParts,
        };
        (Coded { method: Method::LmCm, layout, bytes, reason }, costs)
    }

    /// A block, not empty, with the first model of the table, which is this one, or without it, or
    /// parts of it with and parts without, whichever makes it smallest.
    pub fn smallest(&self, raw: &[u8], model: &LoadedModel, read: Read) -> Coded {
        let coded = match read {
            Read::Nothing => return self.alone(raw, Reason::NothingRead),
            Read::Unknown => self.by_coding(raw, model),
            Read::Parts { parts, clear: true } => self.together(raw, model, &parts, raw.len()).0,
            Read::Parts { parts, clear: false } => self.by_trying(raw, model, &parts),
        };
        if coded.method == Method::LmCm
            && raw.len() as u64 > Method::LmCm.most_raw(coded.bytes.len() as u64)
        {
            return self.alone(raw, Reason::RepeatsItself);
        }
        coded
    }

    /// A block by its parts, or alone, or as a whole.
    fn by_trying(&self, raw: &[u8], model: &LoadedModel, parts: &[Part]) -> Coded {
        let (coded, _) = self.together(raw, model, parts, raw.len());
        let best = self.smaller(self.alone(raw, Reason::WithoutModel), coded);
        if parts.len() == 1 || raw.len() > WHOLE {
            return best;
        }
        let whole = Part { begin: 0, end: raw.len(), model: true };
        self.smaller(best, self.together(raw, model, &[whole], raw.len()).0)
    }

    /// A block, not empty, by the first model of the table, which is this one, without context
    /// models.
    pub fn unmixed(&self, raw: &[u8], model: &LoadedModel) -> Coded {
        let whole = [Part { begin: 0, end: raw.len(), model: true }];
        let streams =
            self.streams.unwrap_or_else(|| streams::count(raw.len(), &model.network().config));
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
    pub fn bound(
        &self,
        raw: &[u8],
        model: &Bound,
        entry: &DeviceBound,
    ) -> Result<Coded, CodecError> {
        let streams = self.streams.unwrap_or_else(|| model.streams(raw.len()));
        let whole = [Part { begin: 0, end: raw.len(), model: true }];
        let streams = streams.min(most_streams(raw.len())).min(entry.batch as usize);
        let cut = if self.context.mix { streams::cut } else { streams::cut_apart };
        let layout = cut(segmentation::segments(&whole), streams);
        let BlockContext { dictionary, mix, .. } = *self.context;
        let bytes = bound::Block { layout: &layout, dictionary, model, entry, mix }.encode(raw)?;
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

    fn by_coding(&self, raw: &[u8], model: &LoadedModel) -> Coded {
        let whole = Part { begin: 0, end: raw.len(), model: true };
        let (with, costs_with) = self.together(raw, model, &[whole], WINDOW);
        let (without, costs_without) = self.alone_by_windows(raw, WINDOW, Reason::WithoutModel);
        let best = self.smaller(without, with);
        let costs: Vec<Costs> =
            costs_with.into_iter().zip(costs_without).map(|(a, b)| [a, b]).collect();
        let plan = segmentation::plan(
            &costs.iter().map(|c| handicapped(*c, LEAST_GAIN)).collect::<Vec<_>>(),
            CHANGE,
        );
        let changes =
            plan.windows(2).filter(|neighbours| neighbours[0] != neighbours[1]).count() as u64;
        let cost = costs.iter().zip(&plan).map(|(c, read)| c[usize::from(!read)]).sum::<u64>()
            + changes * CHANGE;
        // Half a percent, because the windows' costs are not those of the segments.
        let hope = (cost / BIT / 8) as usize + self.apart;
        if changes == 0 || hope >= self.size(&best) - self.size(&best) / 200 {
            return best;
        }
        let begins: Vec<usize> = (0..plan.len()).map(|i| i * WINDOW).collect();
        let (apart, _) =
            self.together(raw, model, &segmentation::parts(raw, &begins, &plan), raw.len());
        self.smaller(best, apart)
    }

    /// The smaller of two, the first if they are alike.
    fn smaller(&self, a: Coded, b: Coded) -> Coded {
        if self.size(&b) < self.size(&a) { b } else { a }
    }

    /// Bytes, with what they need around them.
    fn size(&self, coded: &Coded) -> usize {
        let segments = coded.layout.segments.len();
        let plain = segments <= 1 && coded.layout.streams <= 1;
        coded.bytes.len() + if plain { 0 } else { self.apart + 4 * segments }
    }
}

/// What of a block the model is to read, before it is coded.
#[derive(Debug)]
pub enum Read {
    /// That is found out by coding it.
    Unknown,
    /// None of it.
    Nothing,
    /// Some of these parts; whether it is clear that this makes the block smaller.
    Parts { parts: Vec<Part>, clear: bool },
}

impl Read {
    /// What the model is to read of a block: of more than [`BOTH`] bytes, judged by samples.
    pub fn of(raw: &[u8], model: &LoadedModel, context: &BlockContext) -> Self {
        if raw.len() <= BOTH {
            return Self::Unknown;
        }
        let count = (raw.len() / PIECE).clamp(FEWEST, MOST);
        let begins: Vec<usize> = (0..count).map(|i| raw.len() * i / count).collect();
        let costs = samples(raw, &begins, model, context);
        let plan = segmentation::plan(&costs, SAMPLE_CHANGE);
        if plan.iter().all(|read| !read) {
            return Self::Nothing;
        }
        let [with, without] = [0, 1].map(|i| costs.iter().map(|c| c[i]).sum::<u64>());
        let clear = plan.iter().all(|read| *read) && with + without / CLEAR_GAIN <= without;
        Self::Parts { parts: segmentation::parts(raw, &begins, &plan), clear }
    }
}

/// Costs by which the model is worth it only where it gains enough.
fn handicapped([with, without]: Costs, least_gain: u64) -> Costs {
    [with + with / least_gain, without]
}

/// What samples of pieces cost with the model and without, when they are coded as a block of their
/// own: the second half of each, when all that takes part has begun to learn.
fn samples(
    raw: &[u8],
    begins: &[usize],
    model: &LoadedModel,
    context: &BlockContext,
) -> Vec<Costs> {
    let count = begins.len();
    let sample = SAMPLE.max(SAMPLES / count);
    let ends = begins.iter().copied().skip(1).chain([raw.len()]);
    let middles = begins.iter().zip(ends).map(|(begin, end)| (begin + end - sample) / 2);
    let samples = middles.map(|at| &raw[at..at + sample]).collect::<Vec<_>>().concat();
    let [read, bare] = [Some(0), None].map(|model| Layout {
        segments: vec![Segment { length: samples.len() as u64, model }],
        streams: count as u64,
        stripe: sample as u64,
    });
    let (_, with) = block(&read, model, context).encode_by_windows(&samples, sample / 2);
    let (_, without) = cm::encode_by_windows(&samples, &bare, context.dictionary(), sample / 2);
    // A piece of text on which the model happens to gain little stays with its neighbours, with
    // which it shares contexts and weights.
    let no_text = (sample / 2) as u64 * NO_TEXT * BIT;
    let judged =
        |(a, b)| if b < no_text { [a, b] } else { handicapped([a, b], LEAST_GAIN_IN_SAMPLES) };
    with.into_iter().zip(without).map(judged).skip(1).step_by(2).collect()
}
