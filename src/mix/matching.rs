//! The match model: where the last bytes came before, and what followed.

use super::kernel::prefetch;
use super::logistic::Tables;
use super::maps::AdaptiveProb;
use crate::exact::fpstate::Exact;

/// Inputs for the mixer.
pub const INPUTS: usize = 2;
/// Values of [`Found::select`].
pub const SELECT: usize = 24;

/// Bytes hashed to find a candidate.
const LOOK: usize = 6;
/// Classes of match lengths.
pub const LENGTHS: usize = 32;

/// Shared by the streams: where hashed strings were seen last, and how far matches can be trusted.
#[derive(Clone)]
pub struct Matches {
    places: Vec<u32>,
    bits: u32,
    /// How often the predicted bit comes, for each length class.
    right: Vec<AdaptiveProb>,
    /// The bit that comes, for each predicted byte and partial byte.
    bytes: Vec<AdaptiveProb>,
}

/// A stream's current match.
#[derive(Default)]
pub struct Matcher {
    /// Where the copy goes on; 0: no match.
    from: usize,
    length: usize,
    /// The predicted byte with a leading 1, or 0.
    expected: usize,
    classes: (usize, usize),
    /// Where the next byte is looked up.
    line: usize,
}

pub struct Found {
    pub x: [i16; INPUTS],
    pub select: usize,
    /// The predicted bit: 0 or 1, or 2 where there is none.
    pub direction: usize,
}

impl Matches {
    /// log2 of the number of places for `length` bytes.
    pub fn bits_for(length: usize) -> u32 {
        (length | 1).ilog2().clamp(8, 21) + 1
    }

    /// log2 of the number of places.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// How far matches can be trusted at the beginning of a block.
    pub fn trust(&mut self, right: &[u16; LENGTHS]) {
        self.right = right.map(AdaptiveProb).to_vec();
    }

    /// With 2^`bits` places.
    pub fn new(fp: Exact, bits: u32) -> Self {
        Self {
            places: vec![0; 1 << bits],
            bits,
            right: Vec::new(),
            bytes: vec![AdaptiveProb::new(fp, 0.5); 1 << 16],
        }
    }
}

fn class(length: usize) -> usize {
    match length {
        0..=15 => length,
        16..=31 => 16 + (length - 16) / 4,
        32..=63 => 20 + (length - 32) / 8,
        64..=511 => 24 + (length - 64) / 64,
        _ => 31,
    }
}

impl Matcher {
    #[inline(always)]
    pub fn predict(
        &mut self,
        shared: &mut Matches,
        t: &Tables,
        partial: usize,
        bits: usize,
    ) -> Found {
        if self.expected == 0 || (self.expected | 256) >> (8 - bits) != partial {
            self.expected = 0;
            return Found { x: [0; INPUTS], select: 0, direction: 2 };
        }
        let bit = self.expected >> (7 - bits) & 1;
        let class = class(self.length);
        self.classes = (class, (self.expected & 255) << 8 | partial);
        let p = shared.right[class].p();
        let s = t.stretch(p);
        let q = shared.bytes[self.classes.1].p();
        let x = [if bit == 1 { s } else { -s }, t.stretch(q)];
        Found { x, select: 1 + class.min(22), direction: bit }
    }

    /// The length class of a match, and whether it predicts a bit.
    pub fn would_be_right(&self, bits: usize, bit: bool) -> Option<(usize, bool)> {
        (self.expected != 0)
            .then(|| (self.classes.0, (self.expected >> (7 - bits) & 1 == 1) == bit))
    }

    #[inline(always)]
    pub fn learn(&mut self, shared: &mut Matches, bits: usize, bit: bool) {
        if self.expected != 0 {
            let expected = self.expected >> (7 - bits) & 1 == 1;
            shared.right[self.classes.0].learn::<7>(expected == bit);
            shared.bytes[self.classes.1].learn::<6>(bit);
        }
    }

    /// Where the copy goes on, and the class of its length.
    pub fn copy(&self) -> Option<(usize, usize)> {
        (self.expected != 0).then(|| (self.from, class(self.length)))
    }

    /// Goes on with the match or looks for one, when `raw[at - 1]` has come.
    /// `recent`: the last eight bytes, the latest in the low bits.
    pub fn push(&mut self, shared: &mut Matches, raw: &[u8], at: usize, begin: usize, recent: u64) {
        if self.length > 0 && raw[self.from] == raw[at - 1] {
            self.length += 1;
            self.from += 1;
        } else {
            self.length = 0;
        }
        if at - begin >= LOOK {
            let spread = (raw[at - 1] as u32).wrapping_mul(0x9e37_79b1) >> 28;
            let place = &mut shared.places[self.line | spread as usize];
            if self.length == 0 && *place > 0 {
                let from = *place as usize;
                let most = 32.min(from).min(at - begin);
                let same = (1..=most).take_while(|i| raw[from - i] == raw[at - i]).count();
                if same >= LOOK - 1 {
                    (self.from, self.length) = (from, same);
                }
            }
            *place = at as u32;
        }
        self.expected =
            if self.length > 0 && self.from < at { usize::from(raw[self.from]) | 256 } else { 0 };
        if self.expected == 0 {
            self.length = 0;
        }
        // Where the next byte will be looked up: one of 16 places of a cache line, loaded until
        // then.
        let h = (recent << (64 - 8 * (LOOK - 1))).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.line = (h >> (64 - shared.bits)) as usize & !15;
        prefetch(&shared.places[self.line]);
    }
}
