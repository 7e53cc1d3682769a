//! What a stream knows.

use crate::exact::LANES;
use crate::exact::kernel::Lanes;
use crate::lm::rwkv7::Config;

/// What a stream knows of the tokens that it has read.
#[derive(Debug, Clone, Default)]
pub struct StreamState {
    /// `[layers][2][D]`: the last inputs of time mix and channel mix.
    last: Vec<Lanes>,
    /// `[H]`, each `[layers][N columns][N rows]`: S, with its columns one after the other, so that
    /// a vector holds rows and no sum crosses lanes.
    pub(super) heads: Vec<Box<[Lanes]>>,
}

impl StreamState {
    pub fn new(config: &Config) -> Self {
        let (d, n) = (config.hidden / LANES, config.head_size);
        let head = vec![Lanes::default(); config.layers * n * n / LANES].into_boxed_slice();
        Self {
            last: vec![Lanes::default(); config.layers * 2 * d],
            heads: vec![head; config.heads()],
        }
    }

    /// The last input of the time mix (0) or channel mix (1) of a layer, `[D]`.
    #[inline(always)]
    pub(super) fn last(&mut self, layer: usize, which: usize, lines: usize) -> &mut [Lanes] {
        &mut self.last[(layer * 2 + which) * lines..][..lines]
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.last.fill(Lanes::default());
        for head in &mut self.heads {
            head.fill(Lanes::default());
        }
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        let heads = self.heads.iter().map(|h| h.len()).sum::<usize>();
        (self.last.len() + heads) * size_of::<Lanes>()
    }
}
