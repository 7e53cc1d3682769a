//! What an observer of a block's context models gets to see. The package lmz-train learns from it
//! what blocks begin with; a block that is only coded has the observer `()`, which does nothing
//! and costs nothing.

use super::history::State;
use super::kernel::{INPUTS, SETS};
use super::mixer::Mixer;
use super::token_end::TokenEndModel;
use super::{CmStream, Shared};

// The shape of what can be observed and learnt.
pub use super::contexts::CONTEXTS;
pub use super::kernel::Vector;
pub use super::maps::POINTS;
pub use super::matching::LENGTHS;
pub use super::mixer::COUNTER;
pub use super::prior::{Kind, LAST, LAST_WEIGHT, USED, WEIGHT};
pub use super::token_end::{
    CONTEXTS as END_CONTEXTS, COPIES, STORED as END_STORED, USED_INPUTS as END_INPUTS,
    begins_as as end_begins_as,
};

/// Sees each decision after it has been predicted and before anything learns from it.
pub trait Observer {
    /// A bit or the end of a token has been predicted: 1 with probability `p` / 2^16.
    fn predicted(&mut self, p: u16) {
        let _ = p;
    }

    /// The bit that was predicted last is known.
    fn bit(&mut self, seen: &Bit, bit: bool) {
        let _ = (seen, bit);
    }

    /// Whether the token ended, as was predicted last, is known.
    fn token_end(&mut self, seen: &TokenEnd, ended: bool) {
        let _ = (seen, ended);
    }
}

impl Observer for () {}

/// What predicted a bit.
pub struct Bit<'a> {
    pub(super) stream: &'a CmStream,
    pub(super) shared: &'a Shared,
}

impl Bit<'_> {
    /// The bit history of each context, `[CONTEXTS]`, and what fills the vector up.
    pub fn histories(&self) -> [State; INPUTS] {
        self.stream.states[self.stream.node & 15]
    }

    /// The length class of the match, if there is one, and whether it predicted the bit.
    pub fn matched(&self, bit: bool) -> Option<(usize, bool)> {
        self.stream.matcher.would_be_right(self.stream.bit, bit)
    }

    /// The point of the first APM that was nearest, if APMs have the last word.
    pub fn point(&self) -> Option<usize> {
        self.shared.stages[0].apms.as_ref().map(|apms| apms[0].point())
    }

    /// The weight set of each family, and that of the last mixer.
    pub fn sets(&self) -> ([usize; SETS], usize) {
        self.shared.stages[0].mixer.chosen()
    }
}

/// What predicted whether a token ends.
pub struct TokenEnd<'a>(pub(super) &'a TokenEndModel);

impl TokenEnd<'_> {
    /// The bit history of each context.
    pub fn histories(&self) -> [State; END_CONTEXTS] {
        self.0.histories()
    }

    /// The class of the match model's copy; [`COPIES`] if there is none.
    pub fn copy(&self) -> usize {
        self.0.copy
    }

    /// The weight set of each family.
    pub fn sets(&self) -> [usize; SETS] {
        self.0.mixer.chosen().0
    }
}

/// What the weights became in a block.
pub struct Learnt {
    /// The mixer of the streams that a language model reads, or of all if there is none.
    pub mixer: Mixer,
    /// The mixer of the ends of tokens.
    pub ends: Option<Mixer>,
}
