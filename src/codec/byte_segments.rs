//! The segments of a block of codec 4 that the language model does not read: base64, UTF-16, sound,
//! programs.
//!
//! They are coded byte by byte as context mixing alone does, one after the other. A step codes as
//! many of their bytes as makes them end about when the streams that the model reads do: while
//! these bytes are coded, the model computes.

use super::cm;
use super::range::Coder;
use crate::error::CodecError;
use crate::exact::fpstate::Exact;
use crate::format::{Layout, Segment};
use crate::mix::Mix;
use crate::mix::kernel::MixKernel;
use crate::mix::observe::Observer;

/// About as many bytes as a token has.
const TOKEN: u64 = 3;

/// What is left of these segments.
#[derive(Default)]
pub struct ByteSegments {
    /// Their streams, and where in the block they go on and end; the next one last.
    left: Vec<(usize, usize, usize)>,
    /// Bytes in a step.
    each: u64,
}

impl ByteSegments {
    /// The segments of a layout that have no model, as streams of a block that has the model's
    /// streams already.
    pub fn of<O: Observer>(fp: Exact, layout: &Layout, mix: &mut Mix<O>) -> Self {
        let mut left = Vec::new();
        let (mut at, mut bytes) = (0, 0);
        for Segment { length, model } in &layout.segments {
            let end = at + *length as usize;
            if model.is_none() {
                left.push((mix.stream_without_model(fp, at), at, end));
                bytes += length;
            }
            at = end;
        }
        left.reverse();
        // About what a stream of the model reads.
        let longest = layout.read().div_ceil(layout.streams.max(1)).max(1);
        Self { left, each: TOKEN.saturating_mul(bytes).div_ceil(longest) }
    }

    pub fn ended(&self) -> bool {
        self.left.is_empty()
    }

    /// Codes as many bytes as belong to a step. `raw`: what to encode; nothing when decoding.
    #[inline(always)]
    pub fn step<K: MixKernel, C: Coder, O: Observer>(
        &mut self,
        k: K,
        coder: &mut C,
        mix: &mut Mix<O>,
        raw: Option<&[u8]>,
    ) -> Result<(), CodecError> {
        for _ in 0..self.each {
            let Some((stream, at, end)) = self.left.last_mut() else { break };
            coder.at(*at);
            cm::byte(k, coder, mix, *stream, raw.map_or(0, |raw| raw[*at]))?;
            *at += 1;
            if at == end {
                self.left.pop();
            }
        }
        Ok(())
    }
}
