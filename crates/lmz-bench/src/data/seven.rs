//! The way of "Language Modeling Is Compression" to code any data with a model of ASCII text. NOT
//! LOSSLESS: a bit is dropped.
//!
//! Text: bytes of 128 and above lose their top bit. Everything else: each byte is shifted right by
//! one bit and loses its last one. What is coded are the bytes of 7 bits; the paper multiplies
//! their coded length by all bits over those that were kept (8/7 where each byte loses one). That
//! prices a dropped bit like the others, though it is the one that is hardest to predict; paid in
//! full it costs 12.5% of the data ([`Seven::bound`]).

use super::{DataSet, Form, Sample};

/// What a name of a codec ends with that codes in this way.
pub const SUFFIX: &str = "-7bit";

/// Data of 7 bits a byte, and what was lost.
#[derive(Debug, Clone, PartialEq)]
pub struct Seven {
    pub pieces: Vec<Sample>,
    /// Bytes of the data.
    pub raw: u64,
    /// Bits that cannot be told any more.
    pub lost: u64,
}

impl Seven {
    /// A data set without one bit of each byte: `text` loses top bits, everything else last bits.
    pub fn new(set: &DataSet, text: bool) -> Self {
        let map = |b: &u8| if text { b & 0x7F } else { b >> 1 };
        let pieces = set.pieces.iter().map(|piece| {
            let bytes = piece.bytes.iter().map(map).collect();
            Sample { name: piece.name.clone(), form: Form::Bytes, bytes }
        });
        let high =
            set.pieces.iter().flat_map(|piece| &piece.bytes).filter(|b| **b >= 0x80).count() as u64;
        let raw = set.raw();
        Self { pieces: pieces.collect(), raw, lost: if text { high } else { raw } }
    }

    /// The paper's rate for a number of coded bytes, as a fraction:
    /// `coded / raw * bits / (bits - lost)`.
    pub fn rate(&self, coded: u64) -> f64 {
        let bits = 8.0 * self.raw as f64;
        coded as f64 / self.raw as f64 * bits / (bits - self.lost as f64)
    }

    /// An honest upper bound of the rate: one more bit is sent for each byte, from which everything
    /// can be told again.
    pub fn bound(&self, coded: u64) -> f64 {
        coded as f64 / self.raw as f64 + 1.0 / 8.0
    }
}
