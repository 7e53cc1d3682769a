//! How much work an archive asks for, against the bytes that it has.

use super::context::BlockContext;
use crate::format::{BlockHead, FormatError, Limits, Method};

/// A block by context models or PPM takes about as long as so many bytes more than it has, to
/// begin.
const BEGIN: u64 = 4 << 10;

/// What the blocks so far have asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Work {
    /// Raw bytes that models predict.
    predicted: u64,
    /// Bytes of the archive.
    bytes: u64,
}

impl Work {
    /// Adds a block, which has so many bytes in the archive.
    pub fn add(
        &mut self,
        head: &BlockHead,
        bytes: u64,
        context: &BlockContext,
        limits: &Limits,
    ) -> Result<(), FormatError> {
        self.bytes = self.bytes.saturating_add(bytes);
        self.predicted = self.predicted.saturating_add(predicted(head, context));
        let free = self.predicted.saturating_sub(Limits::FREE_WORK);
        let each = free.div_ceil(self.bytes.max(1));
        if each > limits.expansion {
            let what = "bytes to be predicted for each byte of the archive";
            return Err(FormatError::OverLimit { what, found: each, limit: limits.expansion });
        }
        Ok(())
    }
}

/// Raw bytes that models predict, those of dictionaries too.
fn predicted(head: &BlockHead, context: &BlockContext) -> u64 {
    let dictionary = context.dictionary().len() as u64;
    let times = match head.method {
        Method::Stored | Method::Rle => return 0,
        Method::Modelled => head.layout.segments.iter().filter(|s| s.length > 0).count() as u64,
        _ => 1,
    };
    let before = dictionary.saturating_add(BEGIN).saturating_mul(times);
    head.raw.saturating_add(before)
}
