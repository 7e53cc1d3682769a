//! Why an encoder chose a method.

use std::fmt;

/// Why a block is coded by the method that it is coded by. It prints as words for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The block has no bytes.
    Empty,
    /// The block is one byte, repeated.
    OneByte,
    /// Bytes are equally frequent, nothing repeats, and samples do not shrink.
    LooksRandom,
    /// There is no language model, and context models make the block smaller.
    ContextModels,
    /// The language model makes the block smaller.
    Model,
    /// The language model makes pieces of the block smaller that were tried.
    ModelOnPieces,
    /// The language model makes some parts of the block smaller and reads only these.
    ModelOnParts,
    /// The language model alone was asked for, without context models.
    ModelAlone,
    /// Context models alone make the block smaller than together with the language model.
    WithoutModel,
    /// Context models alone make pieces of the block smaller that were tried.
    WithoutModelOnPieces,
    /// Nothing of the block is for the language model.
    NothingRead,
    /// The block shrinks so much that a language model is not worth its time.
    RepeatsItself,
    /// There is no language model to use.
    NoModel,
    /// Coding makes the block no smaller.
    NoSmaller,
    /// The header that names a device-bound model takes more than the model gains.
    HeaderTooLong,
    /// The frame ends with an empty block.
    FrameEnds,
}

impl Reason {
    /// The reason in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::OneByte => "one byte repeated",
            Self::LooksRandom => {
                "looks random: flat, without repeats, and samples of it do not shrink"
            }
            Self::ContextModels => "context models make it smaller",
            Self::Model => "the model makes it smaller",
            Self::ModelOnPieces => "the model makes pieces of it smaller",
            Self::ModelOnParts => "the model makes parts of it smaller",
            Self::ModelAlone => "the language model alone, without context models",
            Self::WithoutModel => "context models alone make it smaller than with the model",
            Self::WithoutModelOnPieces => {
                "context models alone make pieces of it smaller than with the model"
            }
            Self::NothingRead => "the model reads nothing of it",
            Self::RepeatsItself => "repeats itself too much to need the model",
            Self::NoModel => "there is no model",
            Self::NoSmaller => "coding makes it no smaller",
            Self::HeaderTooLong => {
                "so short that the device-bound model gains less than its header takes"
            }
            Self::FrameEnds => "the frame ends",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.words())
    }
}
