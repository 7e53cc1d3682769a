//! What bytes and tokens cost, over the pieces of a data set.

use serde::{Deserialize, Serialize};

use super::{Bench, ExperimentError};
use crate::codecs::lmz::Lmz;
use crate::data::DataSet;
use crate::state::Key;
use crate::{Codec, Job, Sample, Settings};
use ::lmz::explain::explain_archive;
use ::lmz::{EncoderOptions, Explanation, parallel};

/// Sums over pieces. Costs are of archives that were decoded and whose checks were right.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Explained {
    /// Bytes of the pieces, and of their archives.
    pub raw: u64,
    pub archives: u64,
    /// Tokens, and bytes that were coded by themselves.
    pub symbols: u64,
    /// The tokens among them that a language model read, and their bytes.
    pub tokens: u64,
    pub token_bytes: u64,
    /// What the language model alone had said of those: -log2 of its probabilities, in bits.
    pub said: f64,
    /// Bits and bytes by place in a piece: [`range`] says where.
    pub places: Vec<(f64, u64)>,
}

/// The bytes of a piece that one of [`Explained::places`] counts: the first 16, then each as many
/// as all before.
pub fn range(place: usize) -> std::ops::Range<u64> {
    match place {
        0 => 0..16,
        n => 8 << n..16 << n,
    }
}

/// Which of [`Explained::places`] a byte belongs to.
fn place(byte: u64) -> usize {
    (byte / 8).max(1).ilog2() as usize
}

impl Explained {
    fn add(&mut self, explanation: &Explanation) {
        self.raw += explanation.raw;
        self.archives += explanation.archive;
        self.symbols += explanation.tokens.len() as u64;
        for token in &explanation.tokens {
            let length = token.range.end - token.range.start;
            if let Some(said) = &token.said {
                self.tokens += 1;
                self.token_bytes += length;
                self.said += said.bits;
            }
            // The bytes of a token share its cost.
            for byte in token.range.clone() {
                let at = place(byte);
                if self.places.len() <= at {
                    self.places.resize(at + 1, (0.0, 0));
                }
                self.places[at].0 += token.bits / length as f64;
                self.places[at].1 += 1;
            }
        }
    }

    fn join(mut self, other: Self) -> Self {
        self.raw += other.raw;
        self.archives += other.archives;
        self.symbols += other.symbols;
        self.tokens += other.tokens;
        self.token_bytes += other.token_bytes;
        self.said += other.said;
        self.places.resize(self.places.len().max(other.places.len()), (0.0, 0));
        for (sum, (bits, bytes)) in self.places.iter_mut().zip(other.places) {
            *sum = (sum.0 + bits, sum.1 + bytes);
        }
        self
    }
}

impl Bench<'_> {
    /// Codes pieces with lmz and tells their costs, or what is known of them. `pieces`: of the set,
    /// or all of it as one.
    pub fn explain(
        &mut self,
        codec: &str,
        set: &DataSet,
        pieces: &[Sample],
    ) -> Result<Explained, ExperimentError> {
        let threads = self.runner.threads;
        let lmz = Lmz::find(codec, threads)?;
        let lmz = lmz.ok_or_else(|| ExperimentError::NotOurs { codec: codec.to_owned() })?;
        let job = Job { codec: codec.to_owned(), threads, settings: Settings::default() };
        let chunk = pieces.first().map(|piece| piece.bytes.len() as u64);
        let key = Key::new(pieces, chunk, &job, lmz.version());
        if let Some(known) = self.explained.get(&key) {
            return Ok(known.clone());
        }
        (self.progress)(&format!("{codec} on {}, byte by byte", set.name));
        let explained = explain(pieces, lmz.options()).map_err(|source| {
            ExperimentError::Explain { codec: codec.to_owned(), set: set.name.clone(), source }
        })?;
        self.explained.put(key, explained.clone())?;
        Ok(explained)
    }
}

fn explain(pieces: &[Sample], options: &EncoderOptions) -> ::lmz::Result<Explained> {
    let messages: Vec<&[u8]> = pieces.iter().map(|piece| &piece.bytes[..]).collect();
    let archives = ::lmz::compress_many(&messages, options)?;
    let decoding = options.decoding().threads(1);
    let each = archives.len().div_ceil(options.get_threads()).max(1);
    let work = |archives: &[Vec<u8>]| {
        let mut sum = Explained::default();
        for archive in archives {
            sum.add(&explain_archive(archive, &decoding, u64::MAX)?);
        }
        Ok(sum)
    };
    let parts = parallel::map(archives.chunks(each).collect(), work);
    parts
        .into_iter()
        .try_fold(Explained::default(), |sum, part: ::lmz::Result<Explained>| Ok(sum.join(part?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_ranges() {
        for byte in 0..5_000 {
            assert!(range(place(byte)).contains(&byte), "{byte}");
        }
        assert_eq!(range(place(2047)), 1024..2048);
    }
}
