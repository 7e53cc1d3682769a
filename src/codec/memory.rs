//! How much memory blocks need: bounds from above, by which it is decided how many blocks are
//! worked on at once, and which are refused.
//!
//! What is loaded once for all blocks (a model's weights, a dictionary) is not part of it, nor what
//! a device-bound model takes for itself.

use super::context::{BlockContext, Model};
use super::{streams, trial, windows};
use crate::dictionary::Dictionary;
use crate::error::{CodecError, Error};
use crate::format::{BlockHead, Method};
use crate::lm::LoadedModel;
use crate::lm::ppm;
use crate::mix::Lengths;

/// Coded bytes are read through a buffer up to this many in a block; more are read into their
/// place.
pub const BUFFERED: u64 = 64 << 20;

/// Weight sets and maps whose number does not depend on the block, and the primer. What small
/// blocks of a process share, and what they leave for the next, is not part of it: up to 32 MiB as
/// long as there are no others (`mix/primer`).
const MIX_REST: u64 = 3 << 20;
/// Places of the match model, weight sets and corrections by order 1 and 2: at most so many bytes
/// each.
const MIX_PART: u64 = 16 << 20;
/// The histories at the ends of tokens.
const MIX_ENDS: u64 = 4 << 20;
/// What a stream of context models takes.
const MIX_STREAM: u64 = 4 << 10;
/// What computes a language model, and does not depend on the streams.
const ENGINE: u64 = 2 << 20;
/// Below this nobody is asked whether there is as much.
const LARGE: u64 = 1 << 20;

/// The context models of a block of `raw` bytes behind a dictionary. `kinds`: 2 if some segments
/// have a language model and others not, else 1.
fn mix(dictionary: u64, raw: u64, kinds: u64) -> u64 {
    let both = dictionary.saturating_add(raw);
    let [dictionary, block] = [dictionary, raw].map(|n| usize::try_from(n).unwrap_or(usize::MAX));
    let table = 1 << Lengths { dictionary, block }.table();
    let matches = both.saturating_add(1 << 16).saturating_mul(8).min(MIX_PART);
    let wide = both.saturating_mul(1 << 10).clamp(1 << 18, MIX_PART);
    let ends = raw.saturating_mul(8).min(MIX_ENDS);
    both.saturating_add(table + matches + kinds * (wide + MIX_REST) + ends)
}

/// What a language model says of a token: logits, and sums of frequencies.
fn output(model: &LoadedModel) -> u64 {
    12 * model.network().vocab() as u64
}

/// Streams of a language model that read `raw` bytes together, with those of the context models.
fn all_streams(model: &LoadedModel, count: u64, raw: u64) -> u64 {
    // A token has a byte at least, and what all streams begin as has read the end of a dictionary.
    let tokens = (raw / count.max(1)).saturating_add(Dictionary::READ as u64);
    let state = model.network().state_bytes(model.context(), tokens);
    let stream = state.saturating_add(output(model)).saturating_add(MIX_STREAM);
    // One more is what they all begin as.
    stream.saturating_mul(count.saturating_add(1)).saturating_add(ENGINE)
}

/// PPM that has read so many bytes, `primed` of them from a dictionary. Its tables grow by
/// doubling, so they can take twice and, while they are moved, half as much more than what it
/// counts as its memory. What has read a dictionary is kept, and copied.
fn ppm(order: u8, memory: u8, read: u64, primed: bool) -> u64 {
    let order = u64::from(order.clamp(1, ppm::MAX_ORDER));
    let memory = memory.clamp(*ppm::MEMORY_RANGE.start(), *ppm::MEMORY_RANGE.end());
    let full = (5u64 << memory) / 2;
    let all = read.saturating_mul((order + 1) * 64).min(full).saturating_add(LARGE);
    if primed { all + all / 2 } else { all }
}

/// What decoding a block takes, from reading it until its content has been delivered.
pub fn decoding(head: &BlockHead, context: &BlockContext) -> u64 {
    let BlockHead { method, raw, coded, ref layout, .. } = *head;
    let dictionary = context.dictionary().len() as u64;
    let held =
        if coded <= BUFFERED { coded.saturating_mul(2) } else { coded.saturating_add(coded / 2) };
    let model = layout.segments.iter().find_map(|s| s.model).and_then(|n| context.table.get(n));
    let kinds = if layout.segments.iter().any(|s| s.model.is_none()) { 2 } else { 1 };
    let work = match (method, model) {
        (Method::Stored | Method::Rle, _) => return held,
        (Method::Cm, _) => {
            mix(dictionary, raw, 1).saturating_add(layout.streams.saturating_mul(MIX_STREAM))
        }
        (Method::Modelled, Some(&Model::Ppm { .. })) => {
            let each =
                layout.segments.iter().filter_map(|s| match *context.table.get(s.model?)? {
                    Model::Ppm { order, memory } => Some(ppm(
                        order,
                        memory,
                        dictionary.saturating_add(s.length),
                        dictionary > 0,
                    )),
                    _ => None,
                });
            each.max().unwrap_or(0).saturating_add(raw)
        }
        (Method::Modelled, Some(Model::Exact(model))) => {
            all_streams(model, layout.streams, raw).saturating_add(raw)
        }
        (_, Some(Model::Exact(model))) => {
            mix(dictionary, raw, kinds).saturating_add(all_streams(model, layout.streams, raw))
        }
        (_, Some(Model::DeviceBound(model, _))) => {
            let sums = 8 * model.vocabulary().len() as u64 + MIX_STREAM;
            mix(dictionary, raw, kinds).saturating_add(layout.streams.saturating_mul(sums))
        }
        _ => 0, // an error before anything is taken
    };
    work.saturating_add(held).saturating_add(raw)
}

/// What coding a block of so many bytes takes in all ways that an encoder may try, with what comes
/// out.
pub fn encoding(raw: u64, context: &BlockContext, streams_asked: Option<usize>) -> u64 {
    let dictionary = context.dictionary().len() as u64;
    let most = BlockHead::most_streams(raw);
    let work = match context.table.first() {
        None => mix(dictionary, raw, 1),
        Some(&Model::Ppm { order, memory }) => {
            ppm(order, memory, dictionary.saturating_add(raw), dictionary > 0)
        }
        Some(Model::Exact(model)) => {
            let length = usize::try_from(raw).unwrap_or(usize::MAX);
            let count = streams_asked.unwrap_or_else(|| streams::count(length, model.network()));
            let count = (count as u64).min(most);
            let outputs = windows::most_outputs(count as usize, context.threads)
                .max(trial::most_outputs(context.threads)) as u64;
            mix(dictionary, raw, 2)
                .saturating_add(all_streams(model, count, raw))
                .saturating_add(outputs.saturating_mul(output(model)))
        }
        Some(Model::DeviceBound(model, _)) => {
            let sums = 8 * model.vocabulary().len() as u64 + MIX_STREAM;
            mix(dictionary, raw, 2).saturating_add(most.min(1024).saturating_mul(sums))
        }
    };
    // The bytes themselves, a copy of them, and what has been made of them so far and now.
    work.saturating_add(raw.saturating_mul(6))
}

/// An error unless what is needed is allowed.
pub fn allow(what: &'static str, needed: u64, limit: u64) -> Result<(), Error> {
    if needed > limit { Err(Error::Memory { what, needed, limit }) } else { Ok(()) }
}

/// An error if the system does not have as much memory now. (One that promises more than it has
/// cannot be asked.) Without it, memory that is not there would end the program.
pub fn available(needed: u64) -> Result<(), CodecError> {
    if needed < LARGE {
        return Ok(());
    }
    let there =
        usize::try_from(needed).is_ok_and(|n| Vec::<u8>::new().try_reserve_exact(n).is_ok());
    if there { Ok(()) } else { Err(CodecError::Memory { needed }) }
}
