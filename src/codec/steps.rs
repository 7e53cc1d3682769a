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

/// Codes all streams. `raw`: what to encode; nothing when decoding.
#[inline(always)]
pub fn steps<C: Coder, R: BatchScheduler, I: Iterator<Item = (usize, Range<usize>)>>(
    coder: &mut C,
    rows: &mut R,
    mut reading: impl Reading,
    mut streams: Streams<I>,
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
                let place = streams.at(row.number);
                coder.at(place.left.start);
                let known =
                    raw.map_or(START, |raw| reading.next(place.stripe, &raw[place.left.clone()]));
                let walk = Walk::of(&reading, row.stream.sums(), place.before, place.left.len());
                row.token = predict.token(coder, &walk, row.number, known)?;
                coder.check()?;
                coder.token(reading.vocabulary(), row.stream.sums(), row.token);
                let bytes = reading.vocabulary().token(row.token);
                if bytes.len() > place.left.len() {
                    return Err(CodecError::NotACodeword);
                }
                predict.coded(row.number, row.token, &place.left, bytes);
                match streams.advance(row.number, row.token, bytes.len()) {
                    Next::Same => {}
                    Next::Stripe(at) => predict.begin_again(row.number, at),
                    Next::End => row.ended = true,
                }
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
