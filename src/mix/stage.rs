//! What makes one probability of all that is said of a bit, and learns what that was worth.

use super::CONTEXTS;
use super::maps::{Apm, StateMap};
use super::mixer::Mixer;
use super::prior::Prior;

/// State maps, mixer and APMs. The streams that a language model reads share one, those of
/// bytes another.
pub struct MixerStage {
    pub maps: Box<[StateMap; CONTEXTS]>,
    pub mixer: Mixer,
    pub apms: [Apm; 3],
}

impl MixerStage {
    /// `wide`: log2 of the contexts of what is chosen by order 1 and 2.
    pub fn new(start: &Prior, wide: u32) -> Self {
        Self {
            maps: start.maps.clone(),
            mixer: Mixer::new(start.kind.sets(wide), start),
            apms: [256, 1 << wide, 1 << wide].map(|n| Apm::new(n, start.row)),
        }
    }
}
