//! One block, from raw bytes to coded bytes and back.

use super::range::{Coder, Decoder, Encoder};
use super::{sample, walk};
use crate::error::CodecError;
use crate::format::{Method, Model, Segment};
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

fn instance(model: Model) -> Box<dyn LanguageModel> {
    match model {
        Model::Ppm { order, memory } => Box::new(Ppm::new(order, memory)),
    }
}

/// Codes one stream: the step function of encoder and decoder. `known` is what to encode, or nothing
/// when decoding; `each` gets each token's bytes.
fn stream<C: Coder>(
    coder: &mut C,
    model: &mut dyn LanguageModel,
    length: u64,
    mut known: impl FnMut(u64) -> Token,
    mut each: impl FnMut(&[u8]),
) -> Result<(), CodecError> {
    model.start(1);
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

/// Codes a block with `model`, the first of the frame's table, or in a simpler way where that is as small.
pub fn encode(raw: &[u8], model: Model) -> Coded {
    let Some(&first) = raw.first() else { return Coded::stored(raw, "empty") };
    if raw.iter().all(|&b| b == first) {
        return Coded { method: Method::Fill, segments: Vec::new(), bytes: vec![first], why: "one byte repeated" };
    }
    if !sample::looks_compressible(raw, model) {
        return Coded::stored(raw, "looks random: flat, without repeats, and samples of it do not shrink");
    }
    let bytes = bare(raw, model);
    if bytes.len() >= raw.len() {
        return Coded::stored(raw, "the model makes it no smaller");
    }
    let segments = vec![Segment { length: raw.len() as u64, model: Some(0) }];
    Coded { method: Method::Coded, segments, bytes, why: "the model makes it smaller" }
}

/// The bitstream of `raw` as one stream of `model`.
pub fn bare(raw: &[u8], model: Model) -> Vec<u8> {
    let mut coder = Encoder::default();
    let known = |at| Token::from(raw[at as usize]);
    stream(&mut coder, &mut *instance(model), raw.len() as u64, known, |_| ()).expect("encoding cannot fail");
    coder.finish()
}

/// Appends the raw bytes of a block to `out`, which grows as they are decoded.
pub fn decode(
    method: Method,
    raw: u64,
    segments: &[Segment],
    models: &[Model],
    coded: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    match method {
        Method::Stored => out.extend_from_slice(coded),
        Method::Fill => out.resize(out.len() + raw as usize, coded[0]),
        Method::Coded => {
            let mut coder = Decoder::new(coded);
            for segment in segments {
                let model = segment.model.and_then(|m| models.get(m)).ok_or(CodecError::NoModel)?;
                stream(&mut coder, &mut *instance(*model), segment.length, |_| 0, |b| out.extend_from_slice(b))?;
            }
        }
    }
    Ok(())
}
