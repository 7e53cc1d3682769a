//! Decoding a block: from its head and coded bytes to its content, held against its check.

use super::content::Content;
use super::context::{BlockContext, Model, block, stream, used_by};
use super::range::{Coder, Decoder};
use super::{cm, device, lm_only, memory};
use crate::error::CodecError;
use crate::format::{BlockHead, Method, content_check};

/// How many threads decoding a block of a frame with these models keeps busy.
pub fn uses(head: &BlockHead, table: &[Model]) -> usize {
    let model = head.layout.segments.iter().find_map(|segment| table.get(segment.model?));
    match (head.method, model) {
        (Method::LmCm | Method::Modelled, Some(Model::Exact(model))) => used_by(model),
        (Method::DeviceLmCm | Method::DeviceLm, _) => usize::MAX,
        _ => 1,
    }
}

/// A block as it stands in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawBlock {
    /// What it says of itself.
    pub head: BlockHead,
    /// The coded bytes.
    pub coded: Vec<u8>,
    /// The content check, or the first bytes of it.
    pub check: Vec<u8>,
}

impl RawBlock {
    /// Takes the coded bytes and the check, which follow each other behind a head.
    pub fn new(head: BlockHead, mut bytes: Vec<u8>) -> Self {
        let check = bytes.split_off(bytes.len().min(head.coded as usize));
        Self { head, coded: bytes, check }
    }

    /// The content, held against the check. What needs no work is not held in memory.
    ///
    /// # Errors
    ///
    /// If the block is damaged, if it needs more memory than the system has, or if the work was
    /// cancelled.
    pub fn decode(mut self, context: &BlockContext) -> Result<Content, CodecError> {
        let content = match self.head.method {
            Method::Stored => Content::Bytes(std::mem::take(&mut self.coded)),
            Method::Rle => {
                let byte = *self.coded.first().ok_or(CodecError::TooShort)?;
                Content::Fill { byte, left: self.head.raw }
            }
            _ => {
                memory::available(memory::decoding(&self.head, context))?;
                return self.decode_bytes(context).map(Content::Bytes);
            }
        };
        self.hold(content.check(context.cancel)?, context)?;
        Ok(content)
    }

    /// The content as bytes, held against the check.
    ///
    /// # Errors
    ///
    /// If the block is damaged, or if the work was cancelled.
    pub fn decode_bytes(&self, context: &BlockContext) -> Result<Vec<u8>, CodecError> {
        let coder = Decoder::new(&self.coded).cancelled_by(context.cancel);
        let mut coder = coder.told_to(context.progress);
        self.decode_by(&mut coder, context)
    }

    /// The content as bytes, held against the check, by a coder that reads the coded bytes.
    ///
    /// # Errors
    ///
    /// If the block is damaged, or if the work was cancelled.
    pub fn decode_by<C: Coder>(
        &self,
        coder: &mut C,
        context: &BlockContext,
    ) -> Result<Vec<u8>, CodecError> {
        let mut out = Vec::new();
        decode_by(coder, &self.head, context, &self.coded, &mut out)?;
        self.hold(content_check(&out, &self.coded), context)?;
        Ok(out)
    }

    /// Holds what was found against the check. If it fits, the block is done.
    fn hold(&self, found: u64, context: &BlockContext) -> Result<(), CodecError> {
        if !found.to_le_bytes().starts_with(&self.check) {
            return Err(CodecError::BadCheck);
        }
        context.progress.iter().for_each(|progress| progress.end());
        Ok(())
    }
}

/// Appends the content of a block to `out`, which grows as it is decoded. Nothing checks it.
///
/// # Errors
///
/// If the coded bytes are not what an encoder writes, or if the work was cancelled.
pub fn decode(
    head: &BlockHead,
    context: &BlockContext,
    coded: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let coder = Decoder::new(coded).cancelled_by(context.cancel);
    decode_by(&mut coder.told_to(context.progress), head, context, coded, out)
}

/// Appends the content of a block to `out` by a coder that reads `coded`.
fn decode_by<C: Coder>(
    coder: &mut C,
    head: &BlockHead,
    context: &BlockContext,
    coded: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), CodecError> {
    let BlockHead { method, raw, ref layout, .. } = *head;
    let segments = &layout.segments;
    match method {
        Method::Stored => out.extend_from_slice(coded),
        Method::Rle => {
            let byte = *coded.first().ok_or(CodecError::TooShort)?;
            out.resize(out.len() + raw as usize, byte);
        }
        Method::Modelled if context.are_neural(segments) => {
            if segments.iter().any(|s| s.model.is_none()) {
                return Err(CodecError::NoModel);
            }
            let model = context.in_common(segments)?;
            lm_only::decode(&block(layout, model, context), coder, coded.len(), out)?;
        }
        Method::Modelled if layout.streams > 1 => {
            return Err(CodecError::Streams { found: layout.streams });
        }
        Method::Modelled => {
            let mut begin = 0;
            // One without bytes decodes nothing: a model that has read a dictionary is dear.
            for segment in segments.iter().filter(|s| s.length > 0) {
                let mut model = context.begin(segment.model)?;
                let end = begin + segment.length;
                stream(coder, &mut *model, begin..end, |_| 0, |b| out.extend_from_slice(b))?;
                begin = end;
            }
        }
        Method::Cm => {
            cm::decode(coder, layout, context.dictionary(), out)?;
        }
        Method::LmCm => {
            let model = context.in_common(segments)?;
            block(layout, model, context).decode_by(coder, out)?;
        }
        Method::DeviceLmCm | Method::DeviceLm => {
            let (model, entry) = context.device_bound(segments)?;
            let (dictionary, mix) = (context.dictionary, method == Method::DeviceLmCm);
            device::Block { layout, dictionary, model, entry, mix }.decode(
                coder,
                coded.len(),
                out,
            )?;
        }
    }
    Ok(())
}
