//! Codec 4: a language model and context mixing together. Streams advance in lock step, one token
//! each.
//!
//! A token is coded on its way down the byte trie, as in [`walk`](super::walk): does it end here,
//! then the bits of the next byte. The model's mass below each node is one more input of the mixer,
//! which sees the bytes as context mixing alone does. Segments that the model does not read are
//! coded in between (`byte_segments`).

use super::byte_segments::ByteSegments;
use super::cost::Metered;
use super::lead::Reader;
use super::pipeline;
use super::range::{Coder, Decoder};
use super::scheduler::{BatchScheduler, Cut, Reading};
use super::steps::{Predict, steps};
use super::streams::Streams;
use super::walk::{At, Decide, Walk, ratio};
use super::{lead, streams, windows};
use crate::dictionary::{self, Dictionary};
use crate::error::CodecError;
use crate::exact::fpstate::{Exact, exact};
use crate::format::Layout;
use crate::lm::LoadedModel;
use crate::lm::engine::{Engine, LmStream};
use crate::mix::kernel::{self, MixJob, MixKernel};
use crate::mix::observe::Observer;
use crate::mix::{Ending, Lengths, LmHint, Mix};
use crate::progress::BlockProgress;
use crate::vocab::Token;
use std::ops::Range;
use std::sync::Arc;

/// Why an encoder's result is one.
pub const ENCODING: &str = "encoding cannot fail";

/// A block: its parts, and what predicts it.
#[derive(Clone, Copy)]
pub struct LmBlock<'a> {
    /// At least one segment has a model, which is this one.
    pub layout: &'a Layout,
    /// Read by the context models first; the language model reads the end of it.
    pub dictionary: Option<&'a Dictionary>,
    pub model: &'a LoadedModel,
    /// The coder's and others that compute the model. The result does not depend on it.
    pub threads: usize,
    /// What is told how far the coding has come.
    pub progress: Option<&'a BlockProgress>,
}

impl LmBlock<'_> {
    /// The bitstream of a block.
    pub fn encode(&self, raw: &[u8]) -> Vec<u8> {
        let mut coder = Metered::new(raw.len(), raw.len()).told_to(self.progress);
        self.encode_by(&mut coder, raw).expect(ENCODING);
        coder.finish().0
    }

    /// Encodes a block by a coder, whose errors come out.
    pub fn encode_by<C: Coder>(&self, coder: &mut C, raw: &[u8]) -> Result<(), CodecError> {
        exact(|fp| self.encode_with(coder, raw, self.begin(fp)).map(drop))
    }

    /// Appends the raw bytes of a block to `out`.
    pub fn decode(&self, coded: &[u8], out: &mut Vec<u8>) -> Result<(), CodecError> {
        self.decode_by(&mut Decoder::new(coded), out)
    }

    /// Decodes by a coder that reads the block, and appends the raw bytes to `out`.
    pub fn decode_by<C: Coder>(&self, coder: &mut C, out: &mut Vec<u8>) -> Result<(), CodecError> {
        let mix = exact(|fp| {
            let reading = Cut::new(self.model, self.layout, None);
            let mut begun = self.begun(coder, reading, Vec::new(), None, self.begin(fp))?;
            let first = begun.read.take().map_or_else(|| self.first(), Arc::new);
            let open = begun.streams.open();
            pipeline::run(self.model.network(), &first, &open, self.threads, |rows| {
                self.run(coder, rows, begun, None)
            })
        })?;
        out.extend_from_slice(&mix.raw()[self.read_first().len()..]);
        Ok(())
    }

    fn begin(&self, fp: Exact) -> Mix {
        let block = self.layout.segments.iter().map(|s| s.length as usize).sum();
        Mix::with_model(
            fp,
            &Lengths { dictionary: self.read_first().len(), block },
            self.model.start(),
        )
    }

    /// What the context models read first.
    fn read_first(&self) -> &[u8] {
        self.dictionary.map_or(&[], Dictionary::bytes)
    }

    /// Codes a block with context models that have begun, and gives them back with what they have
    /// learnt.
    #[doc(hidden)]
    pub fn watch<O: Observer>(&self, raw: &[u8], mix: Mix<O>) -> Mix<O> {
        let mut coder = Metered::new(raw.len(), raw.len());
        exact(|_| self.encode_with(&mut coder, raw, mix)).expect(ENCODING)
    }

    fn encode_with<C: Coder, O: Observer>(
        &self,
        coder: &mut C,
        raw: &[u8],
        mix: Mix<O>,
    ) -> Result<Mix<O>, CodecError> {
        let reading = Cut::new(self.model, self.layout, Some(raw));
        let has_lead = self.has_lead();
        let (lead, tokens) =
            windows::tokens(reading.clone(), streams::of(self.layout), raw, has_lead);
        let mut begun = self.begun(coder, reading, lead, Some(raw), mix)?;
        let first = begun.read.take().map_or_else(|| self.first(), Arc::new);
        windows::run(self.model.network(), &first, tokens, self.threads, |rows| {
            self.run(coder, rows, begun, Some(raw))
        })
    }

    /// Codes a block of one stream whose tokens are not known beforehand by a coder that decides,
    /// as a decoder does. `raw`: what is known of it, and anything behind that; it is cut as
    /// `reading` says.
    pub fn sample<C: Coder>(
        &self,
        coder: &mut C,
        raw: &[u8],
        reading: Cut,
    ) -> Result<(), CodecError> {
        exact(|fp| {
            let begun = self.begun(coder, reading, Vec::new(), Some(raw), self.begin(fp))?;
            let open = begun.streams.open();
            pipeline::run(self.model.network(), &self.first(), &open, self.threads, |rows| {
                self.run(coder, rows, begun, Some(raw)).map(drop)
            })
        })
    }

    /// Whether the first stream begins alone.
    pub fn has_lead(&self) -> bool {
        self.layout.streams > 1 && self.model.network().is_shared()
    }

    /// What reads the lead, if there is one; an encoder knows it.
    pub fn reader(&self, known: Vec<Token>) -> Option<Reader> {
        let reader = || {
            let engine = Engine::with_threads(Arc::clone(self.model.network()), self.threads);
            Reader::new(engine, LmStream::clone(&self.first()), known)
        };
        self.has_lead().then(reader)
    }

    /// What all streams begin as, if there is no lead.
    pub fn first(&self) -> Arc<LmStream> {
        dictionary::first(self.dictionary, self.model)
    }

    /// Begins all streams, and codes the lead.
    fn begun<'b, C: Coder, O: Observer>(
        &'b self,
        coder: &mut C,
        reading: Cut<'b>,
        lead: Vec<Token>,
        raw: Option<&[u8]>,
        mix: Mix<O>,
    ) -> Result<Begun<'b, Cut<'b>, O>, CodecError> {
        let (reader, streams) = (self.reader(lead), streams::of(self.layout));
        let dictionary = self.read_first();
        kernel::run(Begin { coder, reader, reading, streams, dictionary, raw, mix })
    }

    fn run<C: Coder, R: BatchScheduler, O: Observer>(
        &self,
        coder: &mut C,
        rows: &mut R,
        begun: Begun<Cut, O>,
        raw: Option<&[u8]>,
    ) -> Result<Mix<O>, CodecError> {
        kernel::run(LmCm { coder, rows, begun, layout: self.layout, raw })
    }
}

/// Streams that begin, by a language model and context models together: the context models read the
/// dictionary, and the first stream codes its lead, if there is what reads it.
pub struct Begin<'a, 's, C, T, O: Observer> {
    pub coder: &'a mut C,
    pub reader: Option<Reader>,
    pub reading: T,
    pub streams: Streams<'s>,
    pub dictionary: &'a [u8],
    /// What to encode; nothing when decoding.
    pub raw: Option<&'a [u8]>,
    pub mix: Mix<O>,
}

/// Streams that have begun.
pub struct Begun<'a, T, O: Observer> {
    pub mix: Mix<O>,
    pub reading: T,
    pub streams: Streams<'a>,
    /// What has read the lead.
    pub read: Option<LmStream>,
}

impl<'s, C: Coder, T: Reading, O: Observer> MixJob for Begin<'_, 's, C, T, O> {
    type Output = Result<Begun<'s, T, O>, CodecError>;

    #[inline(always)]
    fn run<K: MixKernel>(self, k: K) -> Self::Output {
        let Self { coder, reader, mut reading, mut streams, dictionary, raw, mut mix } = self;
        mix.read(k, dictionary);
        streams.begins().for_each(|at| mix.stream(at));
        let mut read = None;
        if let Some(reader) = reader {
            let mut predict = Both { k, mix, bytes: ByteSegments::default() };
            let stream = lead::run(coder, reader, &mut reading, &mut streams, raw, &mut predict)?;
            (mix, read) = (predict.mix, Some(stream));
        }
        Ok(Begun { mix, reading, streams, read })
    }
}

/// The streams of a block, by a language model and context models together: the step function of
/// encoder and decoder.
pub struct LmCm<'a, 'b, C, R, T, O: Observer> {
    pub coder: &'a mut C,
    pub rows: &'a mut R,
    pub begun: Begun<'b, T, O>,
    pub layout: &'a Layout,
    /// What to encode; nothing when decoding.
    pub raw: Option<&'a [u8]>,
}

impl<C: Coder, R: BatchScheduler, T: Reading, O: Observer> MixJob for LmCm<'_, '_, C, R, T, O> {
    type Output = Result<Mix<O>, CodecError>;

    #[inline(always)]
    fn run<K: MixKernel>(self, k: K) -> Self::Output {
        let Self { coder, rows, begun, layout, raw } = self;
        let Begun { mut mix, reading, streams, .. } = begun;
        let bytes = ByteSegments::of(k.exact(), layout, &mut mix);
        let mut predict = Both { k, mix, bytes };
        steps(coder, rows, reading, streams, raw, &mut predict)?;
        Ok(predict.mix)
    }
}

/// Tokens by both together, and in between the segments that the language model does not read.
struct Both<K, O: Observer> {
    k: K,
    mix: Mix<O>,
    bytes: ByteSegments,
}

impl<K: MixKernel, O: Observer> Predict for Both<K, O> {
    #[inline(always)]
    fn token<C: Coder>(
        &mut self,
        coder: &mut C,
        walk: &Walk,
        stream: usize,
        known: Token,
    ) -> Result<Token, CodecError> {
        token(self.k, coder, &mut self.mix, stream, walk, known)
    }

    #[inline(always)]
    fn coded(&mut self, stream: usize, token: Token, _: &Range<usize>, _: &[u8]) {
        self.mix.end_token(stream, token);
    }

    #[inline(always)]
    fn begin_again(&mut self, stream: usize, at: usize) {
        self.mix.begin_again(stream, at);
    }

    fn ended(&self) -> bool {
        self.bytes.ended()
    }

    #[inline(always)]
    fn between<C: Coder>(&mut self, coder: &mut C, raw: Option<&[u8]>) -> Result<(), CodecError> {
        self.bytes.step(self.k, coder, &mut self.mix, raw)
    }
}

/// Codes the next token of a stream of the context models.
#[inline(always)]
pub fn token<K: MixKernel, C: Coder, O: Observer>(
    k: K,
    coder: &mut C,
    mix: &mut Mix<O>,
    stream: usize,
    walk: &Walk,
    known: Token,
) -> Result<Token, CodecError> {
    let sure = LmHint::sure(walk.total());
    walk.token(&mut Mixed { k, coder, mix, stream, walk, sure }, known)
}

/// Decisions of a token that are mixed and then coded.
struct Mixed<'a, K, C, O: Observer> {
    k: K,
    coder: &'a mut C,
    mix: &'a mut Mix<O>,
    stream: usize,
    walk: &'a Walk<'a>,
    sure: usize,
}

impl<K: MixKernel, C: Coder, O: Observer> Decide for Mixed<'_, K, C, O> {
    #[inline(always)]
    fn end(&mut self, known: bool, at: &At, own: u64, deeper: u64) -> Result<bool, CodecError> {
        self.coder.depth(at.depth);
        if deeper == 0 {
            return Ok(true);
        }
        if own == 0 {
            return Ok(false);
        }
        let copy = self.mix.copy(self.stream);
        let copy = copy.map(|(copy, class)| (!self.walk.goes_on(at.number, copy), class));
        let hint = LmHint { p: ratio(own, own + deeper), depth: at.depth, sure: self.sure };
        let ending = Ending { hint, node: at.number, before: self.walk.before, copy };
        let p = self.mix.predict_end(self.k, self.stream, &ending);
        let ended = self.coder.decide(known, p)?;
        self.mix.update_end(self.k, ended);
        Ok(ended)
    }

    #[inline(always)]
    fn bit(&mut self, known: bool, at: &At, zero: u64, one: u64) -> Result<bool, CodecError> {
        self.coder.depth(at.depth);
        if zero == 0 || one == 0 {
            self.mix.skip(self.k, self.stream, one > 0);
            return Ok(one > 0);
        }
        let hint = LmHint { p: ratio(one, zero + one), depth: at.depth, sure: self.sure };
        let p = self.mix.predict_with(self.k, self.stream, hint);
        let bit = self.coder.decide(known, p)?;
        self.mix.update_with(self.k, self.stream, bit, hint);
        Ok(bit)
    }
}
