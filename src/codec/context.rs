//! What a block is coded with, and what comes out: known to the encoder and the decoder of blocks
//! alike.

use std::ops::Range;

use super::range::Coder;
use super::reason::Reason;
use super::{lm_cm, walk};
use crate::cancel::CancellationToken;
use crate::dictionary::Dictionary;
use crate::error::CodecError;
use crate::format::{self, DeviceBoundEntry, Layout, Method, Segment};
use crate::lm::LanguageModel;
use crate::lm::LoadedModel;
use crate::lm::device::DeviceBoundModel;
use crate::lm::ppm::Ppm;
use crate::progress::BlockProgress;
use crate::vocab::Token;

/// How many threads a block with a neural model keeps busy: the coder is one, and has about as much
/// to do as the model. More blocks at once would be as fast, and each needs memory of its own.
const USED_BY_NEURAL: usize = 2;
/// As [`USED_BY_NEURAL`], of a model whose steps threads share: it takes nearly all of the time.
const USED_BY_SHARED: usize = 16;

/// How many threads a block keeps busy that a neural model reads.
pub(super) fn used_by(model: &LoadedModel) -> usize {
    if model.network().is_shared() { USED_BY_SHARED } else { USED_BY_NEURAL }
}

/// A block ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coded {
    /// How it is coded.
    pub method: Method,
    /// Its segments and streams.
    pub layout: Layout,
    /// The coded bytes.
    pub bytes: Vec<u8>,
    /// Why this method.
    pub reason: Reason,
}

impl Coded {
    /// The bytes as they are.
    pub fn stored(raw: &[u8], reason: Reason) -> Self {
        Self { method: Method::Stored, layout: Layout::default(), bytes: raw.to_vec(), reason }
    }
}

/// A model of a frame, ready to predict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Model {
    /// PPM with contexts of up to `order` bytes in 2^`memory` bytes.
    Ppm { order: u8, memory: u8 },
    /// A neural language model, computed by the exact engine.
    Exact(LoadedModel),
    /// One that is device-bound, and what the archive says of it.
    DeviceBound(DeviceBoundModel, Box<DeviceBoundEntry>),
}

impl Model {
    /// As a frame's header names it.
    pub fn named(&self) -> format::ModelRef {
        match self {
            Self::Ppm { order, memory } => format::ModelRef::Ppm { order: *order, memory: *memory },
            Self::Exact(model) => {
                let identity = model.identity().0.to_vec();
                match model.is_rwkv7() {
                    true => format::ModelRef::Rwkv7 { identity },
                    false => {
                        let context = model.context().map_or(0, |context| context as u64);
                        format::ModelRef::Transformer { identity, context }
                    }
                }
            }
            Self::DeviceBound(_, entry) => {
                format::ModelRef::DeviceBound(DeviceBoundEntry::clone(entry))
            }
        }
    }

    /// Where on the hub it was got.
    pub fn origin(&self) -> Option<&format::HubName> {
        match self {
            Self::Ppm { .. } => None,
            Self::Exact(model) => model.origin(),
            Self::DeviceBound(model, _) => model.origin(),
        }
    }
}

/// What every block of a frame is coded with: the models, and what they have read before it.
/// Without any model, the context models work alone.
#[derive(Debug, Clone, Copy)]
pub struct BlockContext<'a> {
    /// The models of the frame, which segments name by their number.
    pub table: &'a [Model],
    /// What the models have read before the block.
    pub dictionary: Option<&'a Dictionary>,
    /// Whether context models predict together with a neural one. Of interest to an encoder: a
    /// block says it.
    pub mix: bool,
    /// Threads that compute a neural model. The result does not depend on it.
    pub threads: usize,
    /// What ends decoding early.
    pub cancel: Option<&'a CancellationToken>,
    /// What is told how far a coding of the block has come; nothing for what is no coding of it, as
    /// a sample.
    pub progress: Option<&'a BlockProgress>,
}

impl<'a> BlockContext<'a> {
    /// What a block is decoded with, which says itself whether context models take part.
    pub fn to_decode(
        table: &'a [Model],
        dictionary: Option<&'a Dictionary>,
        threads: usize,
    ) -> Self {
        Self { table, dictionary, mix: true, threads, cancel: None, progress: None }
    }

    /// The bytes of the dictionary; none if there is none.
    pub fn dictionary(&self) -> &'a [u8] {
        self.dictionary.map_or(&[], Dictionary::bytes)
    }

    pub(super) fn get(&self, number: Option<usize>) -> Result<&Model, CodecError> {
        number.and_then(|n| self.table.get(n)).ok_or(CodecError::NoModel)
    }

    /// PPM, begun as one stream.
    pub(super) fn begin(
        &self,
        number: Option<usize>,
    ) -> Result<Box<dyn LanguageModel>, CodecError> {
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
    pub(super) fn in_common(&self, segments: &[Segment]) -> Result<&LoadedModel, CodecError> {
        let number = segments.iter().find_map(|s| s.model);
        match self.get(number)? {
            Model::Exact(model)
                if segments.iter().all(|s| s.model.is_none() || s.model == number) =>
            {
                Ok(model)
            }
            _ => Err(CodecError::WrongModel),
        }
    }

    /// A device-bound model of the table that codecs 5 and 6 use.
    pub(super) fn device_bound(
        &self,
        segments: &[Segment],
    ) -> Result<(&DeviceBoundModel, &DeviceBoundEntry), CodecError> {
        let number = segments.iter().find_map(|s| s.model);
        match self.get(number)? {
            Model::DeviceBound(model, entry)
                if segments.iter().all(|s| s.model.is_none() || s.model == number) =>
            {
                Ok((model, entry))
            }
            _ => Err(CodecError::WrongModel),
        }
    }

    /// Whether the first segment's model is a neural one.
    pub(super) fn are_neural(&self, segments: &[Segment]) -> bool {
        segments.first().is_some_and(|s| matches!(self.get(s.model), Ok(Model::Exact(_))))
    }
}

/// What a block of codecs 4 and 2 is coded with.
pub(crate) fn block<'a>(
    layout: &'a Layout,
    model: &'a LoadedModel,
    context: &'a BlockContext,
) -> lm_cm::LmBlock<'a> {
    let BlockContext { dictionary, threads, progress, .. } = *context;
    lm_cm::LmBlock { layout, dictionary, model, threads, progress }
}

/// The method of a bitstream without a frame, and the model that its one segment names.
pub fn bare_method(models: &BlockContext) -> (Method, Option<usize>) {
    match models.table {
        [] => (Method::Cm, None),
        [Model::Ppm { .. }, ..] => (Method::Modelled, Some(0)),
        [Model::Exact(_), ..] => {
            (if models.mix { Method::LmCm } else { Method::Modelled }, Some(0))
        }
        [Model::DeviceBound(..), ..] => {
            (if models.mix { Method::DeviceLmCm } else { Method::DeviceLm }, Some(0))
        }
    }
}

/// Codes one stream of a model that has begun, which is this part of the block: the step function
/// of encoder and decoder. `known` is what to encode, or nothing when decoding; `each` gets each
/// token's bytes.
pub(super) fn stream<C: Coder>(
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
