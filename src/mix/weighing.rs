//! What makes one probability of all that is said of a bit, and learns what that was worth.

use super::CONTEXTS;
use super::maps::{Correction, HistoryMap};
use super::mixer::Mixer;
use super::start::Start;

/// History maps, mixer and corrections. The streams that a language model reads share one, those of bytes another.
pub struct Weighing {
    pub maps: Box<[HistoryMap; CONTEXTS]>,
    pub mixer: Mixer,
    pub corrections: [Correction; 3],
    /// Bytes coded, up to a bound, and the mixers' learning rate, which falls with them.
    age: u32,
    pub rate: f32,
}

impl Weighing {
    /// `wide`: log2 of the contexts of what is chosen by order 1 and 2.
    pub fn new(start: &Start, wide: u32) -> Self {
        Self {
            maps: start.maps.clone(),
            mixer: Mixer::new(start.kind.sets(wide), start),
            corrections: [256, 1 << wide, 1 << wide].map(|n| Correction::new(n, start.row)),
            age: 0,
            rate: 0.02,
        }
    }

    /// Learns that a byte is complete.
    #[inline(always)]
    pub fn end_byte(&mut self) {
        self.age += u32::from(self.age < 1 << 16);
        self.rate = 0.008 + 0.075 / (self.age as f32 + 5.0);
    }
}
