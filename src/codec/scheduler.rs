//! The seam between the step function and what computes a model: groups of rows that are taken,
//! coded and given back.

use super::range::Coder;
use crate::error::CodecError;
use crate::lm::rwkv7::{LmStream, LoadedModel};
use crate::vocab::{START, Token, Vocabulary};

/// What is kept of a stream between its steps.
pub trait Sums {
    /// Prefix sums `[V + 1]` of the frequencies of its next token.
    fn sums(&self) -> &[u64];
}

impl Sums for LmStream {
    fn sums(&self) -> &[u64] {
        LmStream::sums(self)
    }
}

/// A stream of the block and the token that it read last, or reads next; what it begins with counts
/// as [`START`](crate::vocab::START).
pub struct Row<S> {
    pub number: usize,
    pub stream: S,
    pub token: Token,
    /// Whether nothing of it is left to be coded.
    pub ended: bool,
}

impl<S> Row<S> {
    /// Of a stream that has read nothing but what all begin with.
    pub fn new(number: usize, stream: S) -> Self {
        Self { number, stream, token: START, ended: false }
    }
}

/// Streams that are computed together.
pub struct Group<S> {
    pub rows: Vec<Row<S>>,
}

/// What computes the streams of a block.
pub trait BatchScheduler {
    type State: Sums;

    /// How many groups there are.
    fn groups(&self) -> usize;

    /// A group whose streams have been computed; nothing if they have all ended.
    fn take(&mut self, number: usize) -> Result<Option<Group<Self::State>>, CodecError>;

    /// Gives a group back, to be computed. Streams that have ended are no longer in it.
    fn give(&mut self, number: usize, group: Group<Self::State>);

    /// Codes what is to be coded behind each step. `at`: the place in the block where the first
    /// stream stands that goes on.
    fn check<C: Coder>(&mut self, coder: &mut C, at: usize) -> Result<(), CodecError> {
        let _ = (coder, at);
        Ok(())
    }
}

/// How a text becomes tokens, and which of them can follow each other.
pub trait Reading {
    fn vocabulary(&self) -> &Vocabulary;

    /// A bit for each byte that cannot come first behind a token, 64 to a number.
    fn impossible(&self, token: Token) -> &[u64; 4];

    /// The next token of a stripe of which this is left.
    fn next(&mut self, stripe: usize, rest: &[u8]) -> Token;
}

/// Greedy segmentation: what would have made a token longer cannot follow it.
impl Reading for &LoadedModel {
    fn vocabulary(&self) -> &Vocabulary {
        LoadedModel::vocabulary(self)
    }

    fn impossible(&self, token: Token) -> &[u64; 4] {
        self.makes_longer(token)
    }

    fn next(&mut self, _: usize, rest: &[u8]) -> Token {
        LoadedModel::vocabulary(self).longest(rest).0
    }
}
