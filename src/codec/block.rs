//! One block, from raw bytes to coded bytes and back.

use super::range::{Coder, Decoder, Encoder};
use super::{mixed, sample, walk};
use crate::dictionary::Dictionary;
use crate::error::CodecError;
use crate::format::{Method, Model, Segment, content_check};
use crate::lm::LanguageModel;
use crate::lm::ppm::Ppm;
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

/// The models of a frame, and what they have read before every block. Without any model, the context
/// models work alone.
#[derive(Debug, Clone, Copy)]
pub struct Models<'a> {
    pub table: &'a [Model],
    pub dictionary: Option<&'a Dictionary>,
}

impl Models<'_> {
    fn dictionary(&self) -> &[u8] {
        self.dictionary.map_or(&[], Dictionary::bytes)
    }

    /// A model of the table, begun as one stream.
    fn begin(&self, number: Option<usize>) -> Result<Box<dyn LanguageModel>, CodecError> {
        let model = *number.and_then(|n| self.table.get(n)).ok_or(CodecError::NoModel)?;
        let Model::Ppm { order, memory } = model;
        Ok(Box::new(match self.dictionary {
            Some(dictionary) => dictionary.prime(model),
            None => {
                let mut ppm = Ppm::new(order, memory);
                ppm.start(1);
                ppm
            }
        }))
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
/// many the context models cut it into.
pub fn encode(raw: &[u8], models: &Models, streams: usize) -> Coded {
    let Some(&first) = raw.first() else { return Coded::stored(raw, "empty") };
    if raw.iter().all(|&b| b == first) {
        return Coded { method: Method::Fill, segments: Vec::new(), bytes: vec![first], why: "one byte repeated" };
    }
    if !sample::looks_compressible(raw, models) {
        return Coded::stored(raw, "looks random: flat, without repeats, and samples of it do not shrink");
    }
    let lengths = if models.table.is_empty() { cut(raw.len(), streams) } else { vec![raw.len()] };
    let bytes = bare(raw, models, &lengths);
    if bytes.len() >= raw.len() {
        return Coded::stored(raw, "coding makes it no smaller");
    }
    let (method, model, why) = match models.table {
        [] => (Method::Mixed, None, "context models make it smaller"),
        _ => (Method::Coded, Some(0), "the model makes it smaller"),
    };
    let segments = lengths.iter().map(|length| Segment { length: *length as u64, model }).collect();
    Coded { method, segments, bytes, why }
}

/// Lengths of streams, as equal as can be, none empty.
fn cut(length: usize, streams: usize) -> Vec<usize> {
    let streams = streams.clamp(1, length.max(1));
    (0..streams).map(|i| length * (i + 1) / streams - length * i / streams).collect()
}

/// The bitstream of `raw`, by the first of the models as one stream, or by context models in streams of
/// these lengths.
pub fn bare(raw: &[u8], models: &Models, lengths: &[usize]) -> Vec<u8> {
    if models.table.is_empty() {
        return mixed::encode(raw, lengths, models.dictionary());
    }
    let mut coder = Encoder::default();
    let known = |at| Token::from(raw[at as usize]);
    let mut model = models.begin(Some(0)).expect("an encoder has a model");
    stream(&mut coder, &mut *model, raw.len() as u64, known, |_| ()).expect("encoding cannot fail");
    coder.finish()
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
        Method::Coded => {
            let mut coder = Decoder::new(coded);
            for segment in segments {
                let mut model = models.begin(segment.model)?;
                stream(&mut coder, &mut *model, segment.length, |_| 0, |b| out.extend_from_slice(b))?;
            }
        }
        Method::Mixed => {
            let lengths: Vec<usize> = segments.iter().map(|s| s.length as usize).collect();
            mixed::decode(coded, &lengths, models.dictionary(), out)?;
        }
    }
    Ok(())
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
