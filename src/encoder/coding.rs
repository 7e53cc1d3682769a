//! Coding one block, and making sure that it decodes.

use crate::codec::context::{BlockContext, Coded};
use crate::codec::decode::RawBlock;
use crate::codec::encode::Plan;
use crate::error::{CodecError, Error, Result};
use crate::format::{BlockHead, content_check};

/// How a block is to be coded, and where it is.
#[derive(Clone, Copy)]
pub struct Coding {
    /// Streams that it is cut into, unless its length decides.
    pub streams: Option<usize>,
    /// Bytes that more than one segment costs around the block.
    pub split_overhead: usize,
    /// Whether what is device-bound is decoded and compared.
    pub verify: bool,
    /// Where the first block that is coded together with it begins in the content.
    pub raw_at: u64,
}

/// Codes a block, and makes sure that it decodes where that is not certain.
pub fn code_block(raw: &[u8], plan: Plan, context: &BlockContext, coding: Coding) -> Result<Coded> {
    let Coding { streams, split_overhead, verify, raw_at } = coding;
    let failed = |error| match error {
        CodecError::DeviceBound(error) => Error::DeviceBound(error),
        source => Error::NotReproduced { raw_at, source },
    };
    let coded = plan.encode(raw, context, streams, split_overhead).map_err(failed)?;
    if coded.method.is_device_bound() && verify {
        let Coded { method, ref layout, ref bytes, .. } = coded;
        let head = BlockHead {
            last: true,
            method,
            raw: raw.len() as u64,
            coded: bytes.len() as u64,
            layout: layout.clone(),
        };
        let check = content_check(raw, bytes).to_le_bytes().to_vec();
        let block = RawBlock { head, coded: bytes.clone(), check };
        let context = BlockContext::to_decode(context.table, context.dictionary, context.threads);
        block.decode_bytes(&context).map_err(failed)?;
    }
    Ok(coded)
}
