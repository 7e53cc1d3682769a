//! What belongs to one stream.

use super::Window;
use crate::exact::LANES;
use crate::exact::kernel::Lanes;
use crate::lm::rwkv7::Config;
use crate::vocab::Token;

/// What a stream knows of the tokens that it has read.
#[derive(Debug, Clone, Default)]
pub struct LmState {
    /// `[layers][2][D]`: the last inputs of time mix and channel mix.
    last: Vec<Lanes>,
    /// `[H]`, each `[layers][N columns][N rows]`: S, with its columns one after the other, so that
    /// a vector holds rows and no sum crosses lanes.
    pub(super) heads: Vec<Box<[Lanes]>>,
}

impl LmState {
    fn new(config: &Config) -> Self {
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
}

/// What a model says of the token that comes next.
#[derive(Debug, Clone, Default)]
pub struct LmOutput {
    /// `[V]`, the last line filled up.
    pub(super) logits: Vec<Lanes>,
    pub(super) sums: Sums,
}

impl LmOutput {
    /// Room for what a model of this shape says.
    pub fn new(config: &Config) -> Self {
        Self {
            logits: vec![Lanes::default(); config.vocab.div_ceil(LANES)],
            sums: Sums::new(config.vocab),
        }
    }

    /// Prefix sums `[V + 1]` of the frequencies of the next token, by rank.
    pub fn sums(&self) -> &[u64] {
        self.sums.get()
    }
}

/// A stream: its state, and what the model says of its next token. It can be moved between threads
/// and engines of the same model, dropped at any time, and cloned to go on in two ways.
#[derive(Debug, Clone, Default)]
pub struct LmStream {
    pub(crate) state: LmState,
    pub(crate) output: LmOutput,
}

impl LmStream {
    /// Before a document, which begins with the token [`START`](crate::vocab::START).
    pub(super) fn new(config: &Config) -> Self {
        Self { state: LmState::new(config), output: LmOutput::new(config) }
    }

    /// Prefix sums `[V + 1]` of the frequencies of the next token, by rank.
    pub fn sums(&self) -> &[u64] {
        self.output.sums()
    }

    /// The logits `[V]` of the next token, by rank.
    pub fn logits(&self) -> impl Iterator<Item = f32> {
        let vocab = self.sums().len() - 1;
        self.output.logits.iter().flat_map(|l| l.0).take(vocab)
    }

    /// Tokens that it is to read in one step, for [`Engine::read`](super::Engine::read). What the
    /// stream itself says afterwards is what it said before.
    pub fn window<'a>(
        &'a mut self,
        tokens: &'a [Token],
        outputs: &'a mut [LmOutput],
    ) -> Window<'a> {
        Window { state: &mut self.state, tokens, outputs }
    }

    /// Bytes that it takes.
    pub fn memory(&self) -> usize {
        let heads = self.state.heads.iter().map(|h| h.len()).sum::<usize>();
        let lines = self.state.last.len() + self.output.logits.len() + heads;
        lines * size_of::<Lanes>() + size_of_val(self.output.sums.room.as_slice())
    }
}

/// Prefix sums, aligned to cache lines.
#[derive(Debug, Default)]
pub(super) struct Sums {
    room: Vec<u64>,
    begin: usize,
    length: usize,
}

impl Sums {
    fn new(vocab: usize) -> Self {
        let room = vec![0; vocab + 1 + 7];
        let begin = room.as_ptr().align_offset(64);
        Self { begin, room, length: vocab + 1 }
    }

    pub fn get(&self) -> &[u64] {
        &self.room[self.begin..][..self.length]
    }

    pub fn get_mut(&mut self) -> &mut [u64] {
        &mut self.room[self.begin..][..self.length]
    }
}

impl Clone for Sums {
    /// The copy has an alignment of its own.
    fn clone(&self) -> Self {
        let mut new = Self::new(self.length.saturating_sub(1));
        new.length = self.length;
        new.get_mut().copy_from_slice(self.get());
        new
    }
}
