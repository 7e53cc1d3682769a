//! What the context models know before they have seen anything: a text that they read first, and
//! numbers that were learnt on a corpus (`start.bin`, made by lmz-train).

use std::sync::{Arc, OnceLock};

use super::contexts::CONTEXTS;
use super::kernel::{SETS, Vector};
use super::logistic::{LIMIT, Tables};
use super::maps::{self, POINTS, Row, StateMap};
use super::mixer::{COUNTER, Rates};
use super::token_end::{self, TokenEndPrior};
use super::{KNOWN, lm_hint, matching};
use crate::exact::fpstate::Exact;

/// What predicts: the context models alone, or a language model with them; a transformer of the
/// exact engine has a mixer of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Alone,
    WithModel,
    WithTransformer,
}

impl Kind {
    /// Inputs that are used.
    pub fn lanes(self) -> usize {
        let alone = CONTEXTS + matching::INPUTS + 1;
        if self == Kind::Alone { alone } else { alone + lm_hint::INPUTS }
    }

    /// Weight sets of each family; of the second there are 2^`wide` where order 1 chooses.
    pub fn sets(self, wide: u32) -> [usize; SETS] {
        match self {
            Self::Alone => [256, 1 << wide, matching::SELECT * 8, (KNOWN + 1) * 256],
            Self::WithModel => [256, 1 << wide, matching::SELECT * 8, lm_hint::SETS],
            Self::WithTransformer => self.stored(),
        }
    }

    /// Weight sets of each family that are stored: the others are copies.
    pub fn stored(self) -> [usize; SETS] {
        match self {
            Self::Alone => [256, 1, matching::SELECT * 8, KNOWN + 1],
            Self::WithModel => [256, 1, matching::SELECT * 8, lm_hint::SETS],
            Self::WithTransformer => [256, 256, matching::SELECT * 2, lm_hint::SETS],
        }
    }

    /// The stored weight set that one of a family begins as.
    pub fn begins_as(self, family: usize, set: usize) -> usize {
        match (family, self) {
            (1, Self::Alone | Self::WithModel) => 0,
            (3, Self::Alone) => set / 256,
            _ => set,
        }
    }

    /// How fast weights learn.
    pub fn rates(self) -> Rates {
        if self == Self::WithTransformer { Rates::SLOW } else { Rates::USUAL }
    }

    /// Whether APMs have the last word.
    pub fn corrects(self) -> bool {
        self != Self::WithTransformer
    }
}

/// What is built in for models that bring nothing of their own.
const MIXER: &[u8] = include_bytes!("mixer.bin");
const TRANSFORMER: &[u8] = include_bytes!("transformer.bin");

/// Weight sets of the last mixer.
pub const LAST: usize = 64;
/// What a stored weight counts in, and one of the last mixer.
pub const WEIGHT: f32 = 1.0 / 64.0;
pub const LAST_WEIGHT: f32 = 1.0 / 4096.0;

/// The beginning of a block.
#[derive(Clone)]
pub struct Prior {
    pub kind: Kind,
    /// A text that every block's tables have seen: phrases that many documents share.
    pub primer: Vec<u8>,
    /// The probability of a one for each context and bit history.
    pub maps: Box<[StateMap; CONTEXTS]>,
    /// The probability that the predicted bit comes, for each class of match lengths.
    pub right: [u16; matching::LENGTHS],
    /// The weight sets of each family, as many as are [stored](Kind::stored).
    pub families: [Vec<Vector>; SETS],
    pub last: [[f32; SETS]; LAST],
    /// What an APM begins with.
    pub row: Row,
    /// For the ends of tokens, where a language model has them.
    pub ends: Option<TokenEndPrior>,
}

impl Prior {
    /// The length of a `mixer.bin`.
    pub const MODEL_BYTES: usize = MIXER.len();
    /// The length of that of a transformer.
    pub const TRANSFORMER_BYTES: usize = TRANSFORMER.len();

    /// What is built in, parsed once.
    pub fn get(fp: Exact) -> &'static Self {
        static START: OnceLock<Prior> = OnceLock::new();
        START.get_or_init(|| {
            let bytes = include_bytes!("start.bin");
            Prior::parse(fp, Kind::Alone, bytes)
                .unwrap_or_else(|| Prior::untrained(fp, Kind::Alone, &[]))
        })
    }

    /// What a block begins with that a language model predicts too, if the model brings nothing of
    /// its own: what was learnt beside `nano`.
    pub fn with_model(fp: Exact) -> Arc<Self> {
        static START: OnceLock<Arc<Prior>> = OnceLock::new();
        Arc::clone(START.get_or_init(|| Self::built_in(fp, Kind::WithModel, MIXER)))
    }

    /// As [`with_model`](Self::with_model), beside a transformer: what was learnt beside
    /// SmolLM2-135M.
    pub fn with_transformer(fp: Exact) -> Arc<Self> {
        static START: OnceLock<Arc<Prior>> = OnceLock::new();
        Arc::clone(START.get_or_init(|| Self::built_in(fp, Kind::WithTransformer, TRANSFORMER)))
    }

    fn built_in(fp: Exact, kind: Kind, bytes: &[u8]) -> Arc<Self> {
        let untrained = || Prior::untrained(fp, kind, Self::primer(fp, kind));
        Arc::new(Prior::beside(fp, kind, bytes).unwrap_or_else(untrained))
    }

    /// What the context models read first, of a kind with a model. A transformer knows the phrases
    /// that many documents share: with a primer source code is 0.9% larger.
    fn primer(fp: Exact, kind: Kind) -> &'static [u8] {
        if kind == Kind::WithTransformer { &[] } else { &Self::get(fp).primer }
    }

    /// Reads the `mixer.bin` of a model; its primer is that of the context models.
    pub fn of_model(fp: Exact, bytes: &[u8]) -> Option<Self> {
        Self::beside(fp, Kind::WithModel, bytes)
    }

    /// Reads the `mixer.bin` of a transformer, which has no primer.
    pub fn of_transformer(fp: Exact, bytes: &[u8]) -> Option<Self> {
        Self::beside(fp, Kind::WithTransformer, bytes)
    }

    fn beside(fp: Exact, kind: Kind, bytes: &[u8]) -> Option<Self> {
        let start = Self::parse(fp, kind, bytes)?;
        Some(Self { primer: Self::primer(fp, kind).to_vec(), ..start })
    }

    /// What can be said without a corpus.
    pub fn untrained(fp: Exact, kind: Kind, primer: &[u8]) -> Self {
        let t = Tables::get(fp);
        let alone = CONTEXTS + matching::INPUTS;
        let weight = |i| match kind {
            Kind::Alone if i < alone => 0.1,
            Kind::WithModel if i < alone => 0.06,
            Kind::WithModel if i == alone + 1 => 0.5,
            Kind::WithTransformer if i < alone => 0.03,
            Kind::WithTransformer if i == alone + 1 => 0.8,
            _ => 0.0,
        };
        Self {
            kind,
            ends: (kind != Kind::Alone).then(|| TokenEndPrior::untrained(fp)),
            primer: primer.to_vec(),
            maps: Box::new([StateMap::new(fp); CONTEXTS]),
            right: std::array::from_fn(|i| ((1.0 - 0.4 / (i as f32 + 1.0)) * 65535.0) as u16),
            families: kind.stored().map(|n| vec![Vector(std::array::from_fn(weight)); n]),
            last: [[1.0 / SETS as f32; SETS]; LAST],
            row: Row(std::array::from_fn(|i| {
                (t.squash((i as f32 - LIMIT).min(LIMIT)) * 65535.0) as u16
            })),
        }
    }

    /// Reads `start.bin` or `mixer.bin` (docs/MIXING.md); nothing if it has another length.
    pub fn parse(fp: Exact, kind: Kind, bytes: &[u8]) -> Option<Self> {
        let mut bytes = Reader(bytes);
        let length = bytes.u16()?;
        let mut out = Self::untrained(fp, kind, bytes.take(length.into())?);
        for map in out.maps.iter_mut() {
            for p in &mut map.0 {
                *p = bytes.u16()?;
            }
            map.0[0] = maps::NOTHING;
        }
        let row = if kind.corrects() { USED } else { 0 };
        for p in out.right.iter_mut().chain(&mut out.row.0[..row]) {
            *p = bytes.u16()?;
        }
        bytes.weights(out.families.iter_mut().flatten(), kind.lanes())?;
        bytes.last(&mut out.last)?;
        if let Some(ends) = &mut out.ends {
            for p in ends.maps.iter_mut().flat_map(|map| &mut map.0).chain(&mut ends.copies) {
                *p = bytes.u16()?;
            }
            ends.maps.iter_mut().for_each(|map| map.0[0] = maps::NOTHING);
            bytes.weights(ends.families.iter_mut().flatten(), token_end::USED_INPUTS)?;
            bytes.last(&mut ends.last)?;
        }
        bytes.0.is_empty().then_some(out)
    }
}

impl std::fmt::Debug for Prior {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "Prior({:?})", self.kind) // thousands of numbers say nothing
    }
}

/// Points of an APM that are used.
pub const USED: usize = 2 * LIMIT as usize + 1;
const _: () =
    assert!(CONTEXTS + matching::INPUTS + 1 + lm_hint::INPUTS <= COUNTER && USED <= POINTS);

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn weights<'v>(
        &mut self,
        sets: impl Iterator<Item = &'v mut Vector>,
        lanes: usize,
    ) -> Option<()> {
        for set in sets {
            for w in &mut set.0[..lanes] {
                *w = f32::from(self.take(1)?[0] as i8) * WEIGHT;
            }
        }
        Some(())
    }

    fn last(&mut self, sets: &mut [[f32; SETS]]) -> Option<()> {
        for w in sets.iter_mut().flatten() {
            *w = f32::from(self.u16()? as i16) * LAST_WEIGHT;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exact::fpstate::exact;

    #[test]
    fn what_is_built_in_is_read() {
        let parses = |kind, bytes| exact(|fp| Prior::parse(fp, kind, bytes).is_some());
        assert!(parses(Kind::Alone, include_bytes!("start.bin")));
        assert!(parses(Kind::WithModel, MIXER));
        assert!(parses(Kind::WithTransformer, TRANSFORMER));
        assert!(!parses(Kind::WithModel, include_bytes!("start.bin")));
    }
}
