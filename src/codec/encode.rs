//! Encoding a block: from raw bytes to the method that makes them smallest.

use super::choice::Choice;
use super::context::{BlockContext, Coded, Model, bare_method, block, stream, used_by};
use super::cost::Metered;
use super::judge::Read;
use super::range::Coder;
use super::reason::Reason;
use super::{cm, device, lm_only, sample};
use crate::error::CodecError;
use crate::format::{Layout, Method};
use crate::vocab::Token;

/// How a block is to be coded: what is found out before it is.
#[derive(Debug)]
pub enum Plan {
    /// It has been coded, in a simple way.
    Done(Coded),
    /// By context models alone, and why.
    Alone(Reason),
    /// By PPM.
    Ppm,
    /// By the language model alone.
    Unmixed,
    /// By the language model and context models, as far as the model covers the block.
    Neural(Read),
    /// By a device-bound model.
    DeviceBound,
}

impl Plan {
    /// What a block needs; with the first of the models if that makes it smaller.
    pub fn of(raw: &[u8], context: &BlockContext) -> Self {
        let Some(&first) = raw.first() else {
            return Self::Done(Coded::stored(raw, Reason::Empty));
        };
        if raw.iter().all(|&b| b == first) {
            return Self::Done(Coded {
                method: Method::Rle,
                layout: Layout::default(),
                bytes: vec![first],
                reason: Reason::OneByte,
            });
        }
        if !sample::looks_compressible(raw, context) {
            return Self::Done(Coded::stored(raw, Reason::LooksRandom));
        }
        match context.table {
            [] => Self::Alone(Reason::ContextModels),
            [Model::Ppm { .. }, ..] => Self::Ppm,
            [Model::DeviceBound(..), ..] => Self::DeviceBound,
            [Model::Exact(_), ..] if !context.mix => Self::Unmixed,
            [Model::Exact(model), ..] => match Read::of(raw, model, context) {
                Read::Nothing(None) => Self::Alone(Reason::WithoutModelOnPieces),
                read => Self::Neural(read),
            },
        }
    }

    /// How many threads the work keeps busy.
    pub fn uses(&self, context: &BlockContext) -> usize {
        match (self, context.table) {
            (Self::Neural(Read::Nothing(_)), _) => 1,
            (Self::Neural(_) | Self::Unmixed, [Model::Exact(model), ..]) => used_by(model),
            // One block at once: a device is busy with it, and has memory for one.
            (Self::DeviceBound, _) => usize::MAX,
            _ => 1,
        }
    }

    /// Codes the block that the plan was made for. `streams`: how many it is cut into, unless that
    /// is decided by its length. `split_overhead`: bytes that more than one segment costs around
    /// the block.
    ///
    /// # Errors
    ///
    /// If a device-bound model fails.
    pub fn encode(
        self,
        raw: &[u8],
        context: &BlockContext,
        streams: Option<usize>,
        split_overhead: usize,
    ) -> Result<Coded, CodecError> {
        let choice = Choice { context, streams, split_overhead };
        let coded = match (self, context.table) {
            (Self::Done(coded), _) => return Ok(coded),
            (Self::DeviceBound, [Model::DeviceBound(model, entry), ..]) => {
                choice.device_bound(raw, model, entry)?
            }
            (Self::Neural(read), [Model::Exact(model), ..]) => choice.read(raw, model, read),
            (Self::Ppm, _) => {
                let layout = Layout::whole(raw.len() as u64, Some(0));
                let bytes = bare(raw, context)?;
                Coded { method: Method::Modelled, layout, bytes, reason: Reason::Model }
            }
            (Self::Alone(reason), _) => choice.alone(raw, reason),
            (Self::Unmixed, [Model::Exact(model), ..]) => choice.unmixed(raw, model),
            (Self::Neural(_) | Self::Unmixed | Self::DeviceBound, _) => {
                choice.alone(raw, Reason::NoModel)
            }
        };
        if coded.bytes.len() >= raw.len() {
            return Ok(Coded::stored(raw, Reason::NoSmaller));
        }
        Ok(coded)
    }
}

/// Bytes, about, of what is around the coded bytes in a full frame, without its header.
const REST_OF_FRAME: usize = 60;

/// How else a short block is to be tried that was coded by a device-bound model: the header that
/// names such a model can be more than it gains.
pub fn instead(coded: &Coded, mix: bool) -> Option<Plan> {
    (coded.method.is_device_bound() && mix).then_some(Plan::Alone(Reason::HeaderTooLong))
}

/// Whether a block without the device-bound model is smaller than with it and the header that names
/// the model.
pub fn is_header_too_long(coded: &Coded, header: usize, alone: &Coded) -> bool {
    alone.bytes.len() < coded.bytes.len() + header + REST_OF_FRAME
}

/// The bitstream of `raw` in one stream, by the first of the models, or by context models.
///
/// # Errors
///
/// If a device-bound model fails.
pub fn bare(raw: &[u8], context: &BlockContext) -> Result<Vec<u8>, CodecError> {
    let mut coder = Metered::new(raw.len(), raw.len()).told_to(context.progress);
    bare_by(&mut coder, raw, context)?;
    Ok(coder.finish().0)
}

/// Encodes `raw` as [`bare`] does, by a coder.
///
/// # Errors
///
/// Those of the coder, and if a device-bound model fails.
pub fn bare_by<C: Coder>(
    coder: &mut C,
    raw: &[u8],
    context: &BlockContext,
) -> Result<(), CodecError> {
    if raw.is_empty() {
        return Ok(());
    }
    let (method, model) = bare_method(context);
    by(coder, method, &Layout::whole(raw.len() as u64, model), raw, context)
}

/// Encodes a block whose method and layout are known by a coder. One that is stored, or repeats a
/// byte, has nothing to decide.
///
/// # Errors
///
/// Those of the coder, and if a device-bound model fails.
pub fn by<C: Coder>(
    coder: &mut C,
    method: Method,
    layout: &Layout,
    raw: &[u8],
    context: &BlockContext,
) -> Result<(), CodecError> {
    let segments = &layout.segments;
    match method {
        Method::Stored | Method::Rle => Ok(()),
        Method::Cm => cm::encode_by(coder, raw, layout, context.dictionary()),
        Method::LmCm => block(layout, context.in_common(segments)?, context).encode_by(coder, raw),
        Method::Modelled if context.are_neural(segments) => {
            let model = context.in_common(segments)?;
            lm_only::encode_by(coder, &block(layout, model, context), raw)
        }
        Method::Modelled => {
            let known = |at| Token::from(raw[at as usize]);
            let mut model = context.begin(Some(0))?;
            stream(coder, &mut *model, 0..raw.len() as u64, known, |_| ())
        }
        Method::DeviceLmCm | Method::DeviceLm => {
            let (model, entry) = context.device_bound(segments)?;
            let (dictionary, mix) = (context.dictionary, method == Method::DeviceLmCm);
            device::Block { layout, dictionary, model, entry, mix }.encode_by(coder, raw)
        }
    }
}
