//! The seam between the step function and what computes a model: groups of rows that are taken,
//! coded and given back.

use super::range::Coder;
use crate::error::CodecError;
use crate::format::Layout;
use crate::lm::LoadedModel;
use crate::lm::engine::LmStream;
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

/// Stripes of a block as the model's own tokenizer cuts them, or greedily.
#[derive(Clone)]
pub struct Cut<'a> {
    vocabulary: &'a Vocabulary,
    /// The model, if it says what cannot follow a token.
    greedy: Option<&'a LoadedModel>,
    /// What is left of each stripe; nothing where it is cut greedily, and when decoding.
    stripes: Vec<std::vec::IntoIter<Token>>,
}

impl<'a> Cut<'a> {
    /// The stripes of a layout, as an exact model reads them.
    pub fn new(model: &'a LoadedModel, layout: &Layout, raw: Option<&[u8]>) -> Self {
        match model.is_greedy() {
            true => {
                Self { vocabulary: model.vocabulary(), greedy: Some(model), stripes: Vec::new() }
            }
            false => Self::by(model.vocabulary(), layout, raw, |text| model.segment(text)),
        }
    }

    /// A single stripe of which only the beginning is known, cut as an exact model reads it.
    pub fn begun(model: &'a LoadedModel, beginning: &[u8]) -> Self {
        let tokens = model.segment(beginning).into_iter();
        let greedy = model.is_greedy().then_some(model);
        Self { vocabulary: model.vocabulary(), greedy, stripes: vec![tokens] }
    }

    /// The stripes of a layout, cut by something.
    pub fn by(
        vocabulary: &'a Vocabulary,
        layout: &Layout,
        raw: Option<&[u8]>,
        segment: impl Fn(&[u8]) -> Vec<Token>,
    ) -> Self {
        let cut = |raw: &[u8]| layout.stripes().map(|s| segment(&raw[s]).into_iter()).collect();
        Self { vocabulary, greedy: None, stripes: raw.map(cut).unwrap_or_default() }
    }
}

impl Reading for Cut<'_> {
    fn vocabulary(&self) -> &Vocabulary {
        self.vocabulary
    }

    /// What would have made a token longer cannot follow it in greedy segmentation.
    fn impossible(&self, token: Token) -> &[u64; 4] {
        self.greedy.map_or(&[0; 4], |model| model.impossible(token))
    }

    fn next(&mut self, stripe: usize, rest: &[u8]) -> Token {
        let next = self.stripes.get_mut(stripe).and_then(Iterator::next);
        next.unwrap_or_else(|| self.vocabulary.longest(rest).0)
    }
}
