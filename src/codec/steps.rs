//! The step loop of the codecs with a language model: streams advance in lock step, one token each.
//!
//! Comes in: groups of rows that a model computes, and what predicts their tokens' decisions. Each
//! stream's next token is coded, in order, step by step, until none has anything left.

use super::range::Coder;
use super::scheduler::{BatchScheduler, Reading, Sums};
use super::streams::{Next, Streams};
use super::walk::Walk;
use crate::error::CodecError;
use crate::vocab::{START, Token};
use std::ops::Range;

/// What predicts the decisions of a token.
pub trait Predict {
    /// Codes the next token of a stream; `known` is what to encode.
    fn token<C: Coder>(
        &mut self,
        coder: &mut C,
        walk: &Walk,
        stream: usize,
        known: Token,
    ) -> Result<Token, CodecError>;

    /// Learns that a token with these bytes has been coded, of a stream that had `left` of the
    /// block before it.
    fn coded(&mut self, stream: usize, token: Token, left: &Range<usize>, bytes: &[u8]);

    /// A stream goes on at another place.
    fn begin_again(&mut self, stream: usize, at: usize) {
        let _ = (stream, at);
    }

    /// Whether there is nothing to be coded between the steps any more.
    fn ended(&self) -> bool {
        true
    }

    /// Codes something else, while the model computes.
    fn between<C: Coder>(&mut self, coder: &mut C, raw: Option<&[u8]>) -> Result<(), CodecError> {
        let _ = (coder, raw);
        Ok(())
    }
}

/// Codes the next token of a stream, of which a model has said `sums`, and says how it goes on.
#[inline(always)]
pub fn token<C: Coder>(
    coder: &mut C,
    sums: &[u64],
    reading: &mut impl Reading,
    streams: &mut Streams,
    number: usize,
    raw: Option<&[u8]>,
    predict: &mut impl Predict,
) -> Result<(Token, Next), CodecError> {
    let place = streams.at(number);
    coder.at(place.left.start);
    let known = raw.map_or(START, |raw| reading.next(place.stripe, &raw[place.left.clone()]));
    let walk = Walk::of(&*reading, sums, place.before, place.left.len());
    let token = predict.token(coder, &walk, number, known)?;
    coder.check()?;
    coder.token(reading.vocabulary(), sums, token);
    let bytes = reading.vocabulary().token(token);
    if bytes.len() > place.left.len() {
        return Err(CodecError::NotACodeword);
    }
    predict.coded(number, token, &place.left, bytes);
    let next = streams.advance(number, token, bytes.len());
    if let Next::Stripe(at) = next {
        predict.begin_again(number, at);
    }
    Ok((token, next))
}

/// Codes all streams. `raw`: what to encode; nothing when decoding.
#[inline(always)]
pub fn steps<C: Coder, R: BatchScheduler>(
    coder: &mut C,
    rows: &mut R,
    mut reading: impl Reading,
    mut streams: Streams,
    raw: Option<&[u8]>,
    predict: &mut impl Predict,
) -> Result<(), CodecError> {
    // Groups of streams in order, step by step, until none has anything left.
    let mut open = rows.groups();
    while open > 0 || !predict.ended() {
        let mut first = None;
        for number in 0..rows.groups() {
            let Some(mut group) = rows.take(number)? else { continue };
            for row in &mut group.rows {
                let (sums, number) = (row.stream.sums(), row.number);
                let next;
                (row.token, next) =
                    token(coder, sums, &mut reading, &mut streams, number, raw, predict)?;
                row.ended = next == Next::End;
            }
            group.rows.retain(|row| !row.ended);
            if let Some(row) = group.rows.first() {
                first = first.or(Some(streams.at(row.number).left.start));
                rows.give(number, group);
            } else {
                open -= 1;
            }
        }
        if let Some(at) = first {
            rows.check(coder, at)?;
        }
        predict.between(coder, raw)?; // while the model computes
    }
    Ok(())
}
