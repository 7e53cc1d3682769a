//! Whether the language model is worth it. A block is never noticeably larger than context mixing alone makes it: what
//! helps is found out by coding, not guessed.

use super::block::{Coded, Models};
use super::{joint, mixed, pure, streams};
use crate::format::{Method, Segment};
use crate::lm::rwkv7::Ready;

/// Blocks of up to this are coded both ways.
const BOTH: usize = 64 << 10;
/// Of larger blocks, pieces: so many, of so many bytes, evenly spread, in a block of their own.
const PIECES: usize = 4;
const PIECE: usize = 8 << 10;

/// A block by context models alone. `streams`: how many it is cut into, one unless said otherwise.
pub fn alone(raw: &[u8], models: &Models, streams: Option<usize>, why: &'static str) -> Coded {
    let lengths = streams::cut(raw, streams.unwrap_or(1));
    let bytes = mixed::encode(raw, &lengths, models.dictionary());
    Coded { method: Method::Mixed, segments: segments(&lengths, None), bytes, why }
}

/// A block by the first model of the table, which is this one.
fn together(raw: &[u8], model: &Ready, models: &Models, streams: Option<usize>, why: &'static str) -> Coded {
    let lengths = streams::cut(raw, streams.unwrap_or_else(|| streams::count(raw.len())));
    let made = models.made.filter(|_| lengths.len() == 1).map(<[u8]>::to_vec);
    let bytes = made.unwrap_or_else(|| block(&lengths, model, models).encode(raw));
    Coded { method: Method::Joint, segments: segments(&lengths, Some(0)), bytes, why }
}

/// What a block of codecs 4 and 2 is coded with.
pub fn block<'a>(lengths: &'a [usize], model: &'a Ready, models: &'a Models) -> joint::Block<'a> {
    joint::Block { lengths, dictionary: models.dictionary, model, threads: models.threads }
}

/// A block, not empty, by the first model of the table, which is this one, without context models.
pub fn unmixed(raw: &[u8], model: &Ready, models: &Models, streams: Option<usize>) -> Coded {
    let lengths = streams::cut(raw, streams.unwrap_or_else(|| streams::count(raw.len())));
    let bytes = pure::encode(&block(&lengths, model, models), raw);
    if raw.len() as u64 > pure::most_raw(bytes.len()) {
        return alone(raw, models, streams, "repeats itself too much to need the model");
    }
    let why = "the language model alone, without context models";
    Coded { method: Method::Coded, segments: segments(&lengths, Some(0)), bytes, why }
}

fn segments(lengths: &[usize], model: Option<usize>) -> Vec<Segment> {
    lengths.iter().map(|length| Segment { length: *length as u64, model }).collect()
}

/// A block, not empty, with the first model of the table, which is this one, or without it, whichever makes it smaller.
pub fn smaller(raw: &[u8], model: &Ready, models: &Models, streams: Option<usize>) -> Coded {
    if raw.len() > BOTH && !pieces_gain(raw, model, models) {
        return alone(raw, models, streams, "context models alone make pieces of it smaller than with the model");
    }
    let coded = together(raw, model, models, streams, "the model makes pieces of it smaller");
    if raw.len() as u64 > Method::Joint.most_raw(coded.bytes.len() as u64) {
        return alone(raw, models, streams, "repeats itself too much to need the model");
    }
    if raw.len() > BOTH {
        return coded;
    }
    let without = alone(raw, models, streams, "context models alone make it smaller than with the model");
    if without.bytes.len() <= coded.bytes.len() {
        return without;
    }
    Coded { why: "the model makes it smaller", ..coded }
}

/// Whether the model makes pieces of a large block smaller than context models alone do.
fn pieces_gain(raw: &[u8], model: &Ready, models: &Models) -> bool {
    let stride = (raw.len() - PIECE) / (PIECES - 1);
    let pieces: Vec<&[u8]> = (0..PIECES).map(|i| &raw[i * stride..][..PIECE]).collect();
    let (pieces, lengths) = (pieces.concat(), [PIECE; PIECES]);
    let with = block(&lengths, model, models).encode(&pieces).len();
    with < mixed::encode(&pieces, &lengths, models.dictionary()).len()
}
