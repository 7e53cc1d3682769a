//! What makes one probability of all that is said of a bit, and learns what that was worth.

use super::CONTEXTS;
use super::logistic::Tables;
use super::maps::{Apm, StateMap};
use super::mixer::Mixer;
use super::prior::Prior;

/// State maps, mixer and APMs. The streams that a language model reads share one, those of
/// bytes another.
pub struct MixerStage {
    pub maps: Box<[StateMap; CONTEXTS]>,
    pub mixer: Mixer,
    /// What has the last word, if not the mixer.
    pub apms: Option<[Apm; 3]>,
}

impl MixerStage {
    /// `wide`: log2 of the contexts of what is chosen by order 1 and 2.
    pub fn new(start: &Prior, wide: u32) -> Self {
        Self {
            maps: start.maps.clone(),
            mixer: Mixer::new(start.kind.sets(wide), start),
            apms: start
                .kind
                .corrects()
                .then(|| [256, 1 << wide, 1 << wide].map(|n| Apm::new(n, start.row))),
        }
    }

    /// The probability of a one whose log-odds are `mixed`. `rows`: those of the APMs.
    #[inline(always)]
    pub fn last_word(&mut self, t: &Tables, rows: [usize; 3], mixed: f32) -> f32 {
        let p = t.squash(mixed);
        let Some([first, second, third]) = &mut self.apms else { return p };
        let p1 = first.refine(rows[0], mixed);
        let p2 = second.refine(rows[1], mixed);
        let p3 = third.refine(rows[2], mixed);
        p * 0.2 + p1 * 0.1 + p2 * 0.35 + p3 * 0.35
    }

    /// Begins to load what order 1 and 2 choose.
    #[inline(always)]
    pub fn prefetch(&self, order1: usize, order2: usize) {
        // Without APMs no order chooses anything.
        if let Some([_, second, third]) = &self.apms {
            self.mixer.prefetch(order1);
            second.prefetch(order1);
            third.prefetch(order2);
        }
    }
}
