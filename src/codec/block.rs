//! One block, from raw bytes to coded bytes and back.

pub use super::choice::Made;
use super::choice::{Choice, Read, block};
pub use super::content::Content;
use super::range::{Coder, Decoder, Encoder};
use super::{bound, cm, lm_only, memory, sample, walk};
use crate::cancel::CancellationToken;
use crate::dictionary::Dictionary;
use crate::error::CodecError;
use crate::format::{self, BlockHead, DeviceBound, Layout, Method, Segment, content_check};
use crate::lm::LanguageModel;
use crate::lm::bound::Bound;
use crate::lm::ppm::Ppm;
use crate::lm::rwkv7::Ready;
use crate::vocab::Token;
use std::ops::Range;

/// How many threads a block with a neural model keeps busy: the coder is one, and has about as much
/// to do as the model. More blocks at once would be as fast, and each needs memory of its own.
const USED_BY_NEURAL: usize = 2;

/// A block ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    pub method: Method,
    pub layout: Layout,
    pub bytes: Vec<u8>,
    /// Why this method, for people.
    pub why: &'static str,
}

impl Coded {
    /// The bytes as they are.
    pub fn stored(raw: &[u8], why: &'static str) -> Self {
        Self { method: Method::Stored, layout: Layout::default(), bytes: raw.to_vec(), why }
    }
}

/// A model of a frame, ready to predict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// PPM with contexts of up to `order` bytes in 2^`memory` bytes.
    Ppm { order: u8, memory: u8 },
    /// A neural language model.
    Rwkv7(Ready),
    /// One that is device-bound, and what the archive says of it.
    Bound(Bound, Box<DeviceBound>),
}

impl Model {
    /// As a frame's header names it.
    pub fn named(&self) -> format::Model {
        match self {
            Self::Ppm { order, memory } => format::Model::Ppm { order: *order, memory: *memory },
            Self::Rwkv7(model) => format::Model::Rwkv7 { identity: model.identity().0.to_vec() },
            Self::Bound(_, entry) => format::Model::Bound(DeviceBound::clone(entry)),
        }
    }

    /// Where on the hub it was got.
    pub fn origin(&self) -> Option<&format::HubName> {
        match self {
            Self::Ppm { .. } => None,
            Self::Rwkv7(model) => model.origin(),
            Self::Bound(model, _) => model.origin(),
        }
    }
}

/// The models of a frame, and what they have read before every block. Without any model, the
/// context models work alone.
#[derive(Debug, Clone, Copy)]
pub struct Models<'a> {
    pub table: &'a [Model],
    pub dictionary: Option<&'a Dictionary>,
    /// Whether context models predict together with a neural one. Of interest to an encoder: a
    /// block says it.
    pub mix: bool,
    /// What codec 4 makes of the block in one stream, where an encoder has it already.
    pub made: Option<&'a Made>,
    /// Threads that compute a neural model. The result does not depend on it.
    pub threads: usize,
    /// What ends decoding early.
    pub cancel: Option<&'a CancellationToken>,
}

impl<'a> Models<'a> {
    /// Those of a frame that is decoded.
    pub fn to_decode(
        table: &'a [Model],
        dictionary: Option<&'a Dictionary>,
        threads: usize,
    ) -> Self {
        Self { table, dictionary, mix: true, made: None, threads, cancel: None }
    }

    /// The bytes of the dictionary; none if there is none.
    pub fn dictionary(&self) -> &'a [u8] {
        self.dictionary.map_or(&[], Dictionary::bytes)
    }

    fn get(&self, number: Option<usize>) -> Result<&Model, CodecError> {
        number.and_then(|n| self.table.get(n)).ok_or(CodecError::NoModel)
    }

    /// PPM, begun as one stream.
    fn begin(&self, number: Option<usize>) -> Result<Box<dyn LanguageModel>, CodecError> {
        let &Model::Ppm { order, memory } = self.get(number)? else {
            return Err(CodecError::WrongModel);
        };
        Ok(Box::new(match self.dictionary {
            Some(dictionary) => dictionary.prime(order, memory),
            None => {
                let mut ppm = Ppm::new(order, memory);
                ppm.start(1);
                ppm
            }
        }))
    }

    /// A model of the table that codec 4 uses, or codec 2 for streams in lock step.
    fn in_common(&self, segments: &[Segment]) -> Result<&Ready, CodecError> {
        let number = segments.iter().find_map(|s| s.model);
        match self.get(number)? {
            Model::Rwkv7(model)
                if segments.iter().all(|s| s.model.is_none() || s.model == number) =>
            {
                Ok(model)
            }
            _ => Err(CodecError::WrongModel),
        }
    }

    /// A device-bound model of the table that codecs 5 and 6 use.
    fn bound_in_common(&self, segments: &[Segment]) -> Result<(&Bound, &DeviceBound), CodecError> {
        let number = segments.iter().find_map(|s| s.model);
        match self.get(number)? {
            Model::Bound(model, entry)
                if segments.iter().all(|s| s.model.is_none() || s.model == number) =>
            {
                Ok((model, entry))
            }
            _ => Err(CodecError::WrongModel),
        }
    }

    /// Whether the first segment's model is a neural one.
    fn are_neural(&self, segments: &[Segment]) -> bool {
        segments.first().is_some_and(|s| matches!(self.get(s.model), Ok(Model::Rwkv7(_))))
    }
}

/// Codes one stream of a model that has begun, which is this part of the block: the step function
/// of encoder and decoder. `known` is what to encode, or nothing when decoding; `each` gets each
/// token's bytes.
fn stream<C: Coder>(
    coder: &mut C,
    model: &mut dyn LanguageModel,
    Range { start, end }: Range<u64>,
    mut known: impl FnMut(u64) -> Token,
    mut each: impl FnMut(&[u8]),
) -> Result<(), CodecError> {
    let mut at = start;
    while at < end {
        coder.at(at as usize);
        let token = walk::token(coder, model.vocabulary(), model.sums(0), known(at))?;
        coder.check()?;
        coder.token(model.vocabulary(), model.sums(0), token);
        let bytes = model.vocabulary().token(token);
        at += bytes.len() as u64;
        if at > end {
            return Err(CodecError::NotACodeword);
        }
        each(bytes);
        model.step(&[Some(token)]);
    }
    Ok(())
}

/// How a block is to be coded: what is found out before it is.
pub enum Plan {
    /// In a simple way, as it has been.
    Done(Coded),
    /// By context models alone, and why.
    Alone(&'static str),
    Ppm,
    /// By the language model alone.
    Unmixed,
    Neural(Read),
    /// By a device-bound model.
    Bound,
}

impl Plan {
    /// What a block needs; with the first of the models if that makes it smaller.
    pub fn of(raw: &[u8], models: &Models) -> Self {
        let Some(&first) = raw.first() else { return Self::Done(Coded::stored(raw, "empty")) };
        if raw.iter().all(|&b| b == first) {
            let why = "one byte repeated";
            return Self::Done(Coded {
                method: Method::Fill,
                layout: Layout::default(),
                bytes: vec![first],
                why,
            });
        }
        if !sample::looks_compressible(raw, models) {
            let why = "looks random: flat, without repeats, and samples of it do not shrink";
            return Self::Done(Coded::stored(raw, why));
        }
        match models.table {
            [] => Self::Alone("context models make it smaller"),
            [Model::Ppm { .. }, ..] => Self::Ppm,
            [Model::Bound(..), ..] => Self::Bound,
            [Model::Rwkv7(_), ..] if !models.mix => Self::Unmixed,
            [Model::Rwkv7(model), ..] => match Read::of(raw, model, models) {
                Read::Nothing => Self::Alone(
                    "context models alone make pieces of it smaller than with the model",
                ),
                read => Self::Neural(read),
            },
        }
    }

    /// How many threads the work keeps busy.
    pub fn uses(&self) -> usize {
        match self {
            Self::Neural(_) | Self::Unmixed => USED_BY_NEURAL,
            // One block at once: a device is busy with it, and has memory for one.
            Self::Bound => usize::MAX,
            _ => 1,
        }
    }

    /// Codes the block that the plan was made for. `streams`: how many it is cut into, unless that
    /// is decided by its length. `apart`: bytes that more than one segment costs around the block.
    /// Only a device-bound model can fail.
    pub fn encode(
        self,
        raw: &[u8],
        models: &Models,
        streams: Option<usize>,
        apart: usize,
    ) -> Result<Coded, CodecError> {
        let choice = Choice { models, streams, apart };
        let coded = match (self, models.table) {
            (Self::Done(coded), _) => return Ok(coded),
            (Self::Bound, [Model::Bound(model, entry), ..]) => choice.bound(raw, model, entry)?,
            (Self::Neural(read), [Model::Rwkv7(model), ..]) => choice.smallest(raw, model, read),
            (Self::Ppm, _) => {
                let layout = Layout::whole(raw.len() as u64, Some(0));
                Coded {
                    method: Method::Coded,
                    layout,
                    bytes: bare(raw, models),
                    why: "the model makes it smaller",
                }
            }
            (Self::Alone(why), _) => choice.alone(raw, why),
            (Self::Unmixed, [Model::Rwkv7(model), ..]) => choice.unmixed(raw, model),
            (Self::Neural(_) | Self::Unmixed | Self::Bound, _) => {
                choice.alone(raw, "there is no model")
            }
        };
        if coded.bytes.len() >= raw.len() {
            return Ok(Coded::stored(raw, "coding makes it no smaller"));
        }
        Ok(coded)
    }
}

/// How many threads decoding a block keeps busy.
pub fn uses(method: Method) -> usize {
    match method {
        Method::Joint => USED_BY_NEURAL,
        Method::Bound | Method::BoundAlone => usize::MAX,
        _ => 1,
    }
}

/// The method of a bitstream without a frame, and the model that its one segment names.
pub fn bare_method(models: &Models) -> (Method, Option<usize>) {
    match models.table {
        [] => (Method::Mixed, None),
        [Model::Ppm { .. }, ..] => (Method::Coded, Some(0)),
        [Model::Rwkv7(_), ..] => (if models.mix { Method::Joint } else { Method::Coded }, Some(0)),
        [Model::Bound(..), ..] => {
            (if models.mix { Method::Bound } else { Method::BoundAlone }, Some(0))
        }
    }
}

/// The bitstream of `raw` in one stream, by the first of the models, or by context models.
///
/// # Panics
///
/// If a device-bound model fails.
pub fn bare(raw: &[u8], models: &Models) -> Vec<u8> {
    match models.table {
        _ if raw.is_empty() => Vec::new(),
        [] => cm::encode(raw, &Layout::whole(raw.len() as u64, None), models.dictionary()),
        [Model::Rwkv7(model), ..] => {
            let layout = Layout::whole(raw.len() as u64, Some(0));
            let block = block(&layout, model, models);
            if models.mix { block.encode(raw) } else { lm_only::encode(&block, raw) }
        }
        [Model::Bound(model, entry), ..] => {
            let layout = &Layout::whole(raw.len() as u64, Some(0));
            let (dictionary, mix) = (models.dictionary, models.mix);
            bound::Block { layout, dictionary, model, entry, mix }
                .encode(raw)
                .expect("the model can be computed")
        }
        [Model::Ppm { .. }, ..] => {
            let mut coder = Encoder::default();
            let known = |at| Token::from(raw[at as usize]);
            let mut model = models.begin(Some(0)).expect("the table has a model of PPM");
            stream(&mut coder, &mut *model, 0..raw.len() as u64, known, |_| ())
                .expect("encoding cannot fail");
            coder.finish()
        }
    }
}

/// Appends the raw bytes of a block to `out`, which grows as they are decoded.
pub fn decode(
    method: Method,
    raw: u64,
    layout: &Layout,
    models: &Models,
    coded: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let mut decoder = Decoder::new(coded).cancelled_by(models.cancel);
    decode_by(&mut decoder, method, raw, layout, models, coded, out)
}

/// The same by a coder that reads `coded`.
pub fn decode_by<C: Coder>(
    coder: &mut C,
    method: Method,
    raw: u64,
    layout: &Layout,
    models: &Models,
    coded: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let segments = &layout.segments;
    match method {
        Method::Stored => out.extend_from_slice(coded),
        Method::Fill => {
            let byte = *coded.first().ok_or(CodecError::TooShort)?;
            out.resize(out.len() + raw as usize, byte);
        }
        Method::Coded if models.are_neural(segments) => {
            if segments.iter().any(|s| s.model.is_none()) {
                return Err(CodecError::NoModel);
            }
            let model = models.in_common(segments)?;
            lm_only::decode(&block(layout, model, models), coder, coded.len(), out)?;
        }
        Method::Coded if layout.streams > 1 => {
            return Err(CodecError::Streams { found: layout.streams });
        }
        Method::Coded => {
            let mut begin = 0;
            // One without bytes decodes nothing: a model that has read a dictionary is dear.
            for segment in segments.iter().filter(|s| s.length > 0) {
                let mut model = models.begin(segment.model)?;
                let end = begin + segment.length;
                stream(coder, &mut *model, begin..end, |_| 0, |b| out.extend_from_slice(b))?;
                begin = end;
            }
        }
        Method::Mixed => {
            cm::decode(coder, layout, models.dictionary(), out)?;
        }
        Method::Joint => {
            let model = models.in_common(segments)?;
            block(layout, model, models).decode_by(coder, out)?;
        }
        Method::Bound | Method::BoundAlone => {
            let (model, entry) = models.bound_in_common(segments)?;
            let (dictionary, mix) = (models.dictionary, method == Method::Bound);
            bound::Block { layout, dictionary, model, entry, mix }.decode(
                coder,
                coded.len(),
                out,
            )?;
        }
    }
    Ok(())
}

/// The content of a block whose head is this, held against the content check, whose first bytes
/// `check` is. What needs no work is not held in memory.
pub fn content(
    head: &BlockHead,
    coded: Vec<u8>,
    check: &[u8],
    models: &Models,
) -> Result<Content, CodecError> {
    let content = match head.method {
        Method::Stored => Content::Bytes(coded),
        Method::Fill => {
            let byte = *coded.first().ok_or(CodecError::TooShort)?;
            Content::Fill { byte, left: head.raw }
        }
        _ => {
            memory::available(memory::decoding(head, models))?;
            let raw = decode_checked(head.method, head.raw, &head.layout, models, &coded, check)?;
            return Ok(Content::Bytes(raw));
        }
    };
    let found = content.check(models.cancel)?.to_le_bytes();
    if found.starts_with(check) { Ok(content) } else { Err(CodecError::BadCheck) }
}

/// [`decode`], and the raw bytes hold against the content check, whose first bytes `check` is.
pub fn decode_checked(
    method: Method,
    raw: u64,
    layout: &Layout,
    models: &Models,
    coded: &[u8],
    check: &[u8],
) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    decode(method, raw, layout, models, coded, &mut out)?;
    let found = content_check(&out, coded).to_le_bytes();
    if found.starts_with(check) { Ok(out) } else { Err(CodecError::BadCheck) }
}
