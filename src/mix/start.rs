//! What the context models know before they have seen anything: a text that they read first, and numbers
//! that were learnt on a corpus (`start.bin`, made by `examples/train_mix.rs`).

use std::sync::LazyLock;

use super::contexts::CONTEXTS;
use super::kernel::{INPUTS, SETS, Vector};
use super::logistic::{LIMIT, Tables};
use super::maps::{self, HistoryMap, POINTS, Row};
use super::{KNOWN, matching};

/// Weight sets of each family that are stored: the others are copies.
pub const STORED: [usize; SETS] = [256, 1, matching::SELECT * 8, KNOWN + 1];
/// Weight sets of the last mixer.
pub const LAST: usize = 64;
/// What a stored weight counts in, and one of the last mixer.
pub const WEIGHT: f32 = 1.0 / 64.0;
pub const LAST_WEIGHT: f32 = 1.0 / 4096.0;

/// The beginning of a block.
#[derive(Clone)]
pub struct Start {
    /// A text that every block's tables have seen: phrases that many documents share.
    pub primer: Vec<u8>,
    /// Of each context and bit history the probability of a one.
    pub maps: Box<[HistoryMap; CONTEXTS]>,
    /// Of each class of match lengths the probability that the predicted bit comes.
    pub right: [u16; matching::LENGTHS],
    /// The weight sets of each family, as many as [`STORED`].
    pub families: [Vec<Vector>; SETS],
    pub last: [[f32; SETS]; LAST],
    /// What a correction begins with.
    pub row: Row,
}

impl Start {
    pub fn get() -> &'static Self {
        static START: LazyLock<Start> =
            LazyLock::new(|| Start::parse(include_bytes!("start.bin")).unwrap_or_else(|| Start::untrained(&[])));
        &START
    }

    /// What can be said without a corpus.
    pub fn untrained(primer: &[u8]) -> Self {
        let t = Tables::get();
        let weight = |i| if i < CONTEXTS + matching::INPUTS { 0.1 } else { 0.0 };
        Self {
            primer: primer.to_vec(),
            maps: Box::new([HistoryMap::new(); CONTEXTS]),
            right: std::array::from_fn(|i| ((1.0 - 0.4 / (i as f32 + 1.0)) * 65535.0) as u16),
            families: STORED.map(|n| vec![Vector(std::array::from_fn(weight)); n]),
            last: [[1.0 / SETS as f32; SETS]; LAST],
            row: Row(std::array::from_fn(|i| (t.squash((i as f32 - LIMIT).min(LIMIT)) * 65535.0) as u16)),
        }
    }

    /// Reads `start.bin` (docs/MIXING.md); nothing if it has another length.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut bytes = Reader(bytes);
        let length = bytes.u16()?;
        let mut out = Self::untrained(bytes.take(length.into())?);
        for map in out.maps.iter_mut() {
            for p in &mut map.0 {
                *p = bytes.u16()?;
            }
            map.0[0] = maps::NOTHING;
        }
        for p in out.right.iter_mut().chain(&mut out.row.0[..USED]) {
            *p = bytes.u16()?;
        }
        for set in out.families.iter_mut().flatten() {
            for w in &mut set.0[..LANES] {
                *w = f32::from(bytes.take(1)?[0] as i8) * WEIGHT;
            }
        }
        for w in out.last.iter_mut().flatten() {
            *w = f32::from(bytes.u16()? as i16) * LAST_WEIGHT;
        }
        bytes.0.is_empty().then_some(out)
    }
}

/// Inputs that are used, and points of a correction.
pub const LANES: usize = CONTEXTS + matching::INPUTS + 1;
pub const USED: usize = 2 * LIMIT as usize + 1;
const _: () = assert!(LANES <= INPUTS && USED <= POINTS);

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
}
