//! One block, from raw bytes to coded bytes and back.

use super::choice::{alone, block, smaller, unmixed};
use super::range::{Coder, Decoder, Encoder};
use super::{mixed, pure, sample, walk};
use crate::dictionary::Dictionary;
use crate::error::CodecError;
use crate::format::{self, Method, Segment, content_check};
use crate::lm::LanguageModel;
use crate::lm::ppm::Ppm;
use crate::lm::rwkv7::Ready;
use crate::vocab::Token;

/// A block ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    pub method: Method,
    pub segments: Vec<Segment>,
    pub bytes: Vec<u8>,
    /// Why this method, for people.
    pub why: &'static str,
}

impl Coded {
    /// The bytes as they are.
    pub fn stored(raw: &[u8], why: &'static str) -> Self {
        Self { method: Method::Stored, segments: Vec::new(), bytes: raw.to_vec(), why }
    }
}

/// A model of a frame, ready to predict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// PPM with contexts of up to `order` bytes in 2^`memory` bytes.
    Ppm { order: u8, memory: u8 },
    /// A neural language model.
    Rwkv7(Ready),
}

impl Model {
    /// As a frame's header names it.
    pub fn named(&self) -> format::Model {
        match self {
            Self::Ppm { order, memory } => format::Model::Ppm { order: *order, memory: *memory },
            Self::Rwkv7(model) => format::Model::Rwkv7 { identity: model.identity().0.to_vec() },
        }
    }
}

/// The models of a frame, and what they have read before every block. Without any model, the context
/// models work alone.
#[derive(Debug, Clone, Copy)]
pub struct Models<'a> {
    pub table: &'a [Model],
    pub dictionary: Option<&'a Dictionary>,
    /// Whether context models predict together with a neural one. Of interest to an encoder: a block says it.
    pub mix: bool,
    /// The block's bitstream of codec 4 in one stream, where an encoder has it already.
    pub made: Option<&'a [u8]>,
    /// Threads that compute a neural model. The result does not depend on it.
    pub threads: usize,
}

impl<'a> Models<'a> {
    /// Those of a frame that is decoded.
    pub fn to_decode(table: &'a [Model], dictionary: Option<&'a Dictionary>, threads: usize) -> Self {
        Self { table, dictionary, mix: true, made: None, threads }
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
        let &Model::Ppm { order, memory } = self.get(number)? else { return Err(CodecError::WrongModel) };
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
        let number = segments.first().and_then(|s| s.model);
        match self.get(number)? {
            Model::Rwkv7(model) if segments.iter().all(|s| s.model == number) => Ok(model),
            _ => Err(CodecError::WrongModel),
        }
    }

    /// Whether the first segment's model is a neural one.
    fn are_neural(&self, segments: &[Segment]) -> bool {
        segments.first().is_some_and(|s| matches!(self.get(s.model), Ok(Model::Rwkv7(_))))
    }
}

/// Codes one stream of a model that has begun: the step function of encoder and decoder. `known` is what to encode, or nothing
/// when decoding; `each` gets each token's bytes.
fn stream<C: Coder>(
    coder: &mut C,
    model: &mut dyn LanguageModel,
    length: u64,
    mut known: impl FnMut(u64) -> Token,
    mut each: impl FnMut(&[u8]),
) -> Result<(), CodecError> {
    let mut at = 0;
    while at < length {
        let token = walk::token(coder, model.vocabulary(), model.sums(0), known(at))?;
        coder.check()?;
        let bytes = model.vocabulary().token(token);
        at += bytes.len() as u64;
        if at > length {
            return Err(CodecError::NotACodeword);
        }
        each(bytes);
        model.step(&[Some(token)]);
    }
    Ok(())
}

/// Codes a block with the first of the models, or in a simpler way where that is as small. `streams`: how
/// many streams it is cut into, unless that is decided by its length.
pub fn encode(raw: &[u8], models: &Models, streams: Option<usize>) -> Coded {
    let Some(&first) = raw.first() else { return Coded::stored(raw, "empty") };
    if raw.iter().all(|&b| b == first) {
        return Coded { method: Method::Fill, segments: Vec::new(), bytes: vec![first], why: "one byte repeated" };
    }
    if !sample::looks_compressible(raw, models) {
        return Coded::stored(raw, "looks random: flat, without repeats, and samples of it do not shrink");
    }
    let coded = match models.table {
        [] => alone(raw, models, streams, "context models make it smaller"),
        [Model::Rwkv7(model), ..] if !models.mix => unmixed(raw, model, models, streams),
        [Model::Rwkv7(model), ..] => smaller(raw, model, models, streams),
        [Model::Ppm { .. }, ..] => {
            let segments = vec![Segment { length: raw.len() as u64, model: Some(0) }];
            Coded { method: Method::Coded, segments, bytes: bare(raw, models), why: "the model makes it smaller" }
        }
    };
    if coded.bytes.len() >= raw.len() {
        return Coded::stored(raw, "coding makes it no smaller");
    }
    coded
}

/// The method of a bitstream without a frame, and the model that its one segment names.
pub fn bare_method(models: &Models) -> (Method, Option<usize>) {
    match models.table {
        [] => (Method::Mixed, None),
        [Model::Ppm { .. }, ..] => (Method::Coded, Some(0)),
        [Model::Rwkv7(_), ..] => (if models.mix { Method::Joint } else { Method::Coded }, Some(0)),
    }
}

/// The bitstream of `raw` in one stream, by the first of the models, or by context models.
pub fn bare(raw: &[u8], models: &Models) -> Vec<u8> {
    match models.table {
        _ if raw.is_empty() => Vec::new(),
        [] => mixed::encode(raw, &[raw.len()], models.dictionary()),
        [Model::Rwkv7(model), ..] => {
            let lengths = [raw.len()];
            let block = block(&lengths, model, models);
            if models.mix { block.encode(raw) } else { pure::encode(&block, raw) }
        }
        [Model::Ppm { .. }, ..] => {
            let mut coder = Encoder::default();
            let known = |at| Token::from(raw[at as usize]);
            let mut model = models.begin(Some(0)).expect("the table has a model of PPM");
            stream(&mut coder, &mut *model, raw.len() as u64, known, |_| ()).expect("encoding cannot fail");
            coder.finish()
        }
    }
}

/// Appends the raw bytes of a block to `out`, which grows as they are decoded.
pub fn decode(
    method: Method,
    raw: u64,
    segments: &[Segment],
    models: &Models,
    coded: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match method {
        Method::Stored => out.extend_from_slice(coded),
        Method::Fill => out.resize(out.len() + raw as usize, coded[0]),
        Method::Coded if models.are_neural(segments) => {
            let model = models.in_common(segments)?;
            pure::decode(&block(&lengths(segments), model, models), coded, out)?;
        }
        Method::Coded => {
            let mut coder = Decoder::new(coded);
            for segment in segments {
                let mut model = models.begin(segment.model)?;
                stream(&mut coder, &mut *model, segment.length, |_| 0, |b| out.extend_from_slice(b))?;
            }
        }
        Method::Mixed => mixed::decode(coded, &lengths(segments), models.dictionary(), out)?,
        Method::Joint => {
            let model = models.in_common(segments)?;
            block(&lengths(segments), model, models).decode(coded, out)?;
        }
    }
    Ok(())
}

fn lengths(segments: &[Segment]) -> Vec<usize> {
    segments.iter().map(|s| s.length as usize).collect()
}

/// [`decode`], and the raw bytes hold against the content check, whose first bytes `check` is.
pub fn decode_checked(
    method: Method,
    raw: u64,
    segments: &[Segment],
    models: &Models,
    coded: &[u8],
    check: &[u8],
) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    decode(method, raw, segments, models, coded, &mut out)?;
    let found = content_check(&out, coded).to_le_bytes();
    if found.starts_with(check) { Ok(out) } else { Err(CodecError::BadCheck) }
}
