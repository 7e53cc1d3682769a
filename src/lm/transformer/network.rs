//! A transformer's weights as kernels want them.

use super::cache::Cache;
use super::config::Config;
use super::weights::{Attention, Layer, Linear, Weights};
use crate::exact::kernel::{Arena, Kernel, Lanes, Packed16, WIDE, lanes};
use crate::exact::wide::GroupedMatrix as Matrix;
use crate::lm::rwkv7::ModelError;
use crate::vocab::{Token, Vocabulary};

/// A matrix and what is added to its outputs.
#[derive(Debug)]
pub struct PackedLinear {
    pub matrix: Packed16,
    pub bias: Option<Vec<Lanes>>,
}

/// A layer, as [`Layer`] has it.
#[derive(Debug)]
pub struct PackedLayer {
    pub input_norm: Vec<Lanes>,
    pub query: PackedLinear,
    pub key: PackedLinear,
    pub value: PackedLinear,
    pub head_norms: Option<[Vec<Lanes>; 2]>,
    pub output: PackedLinear,
    pub attention_norm: Option<Vec<Lanes>>,
    pub inner_norm: Vec<Lanes>,
    pub gate: Packed16,
    pub up: Packed16,
    pub down: Packed16,
    pub outer_norm: Option<Vec<Lanes>>,
}

/// A model ready to be computed by one kernel.
#[derive(Debug)]
pub struct Network {
    pub config: Config,
    pub kernel: Kernel,
    /// The embedding, where it is not the head.
    pub embedding: Option<Matrix>,
    /// All other matrices, in order of use.
    pub arena: Arena,
    pub layers: Vec<PackedLayer>,
    pub norm: Vec<Lanes>,
    /// The matrix that gives logits, its outputs in the order of the tokens' ranks.
    pub head: Packed16,
    /// The rank of each token.
    pub ranks: Vec<u32>,
    /// How many tokens, the first by rank, are empty strings: they cannot occur and get frequency
    /// 0.
    pub massless: usize,
}

impl Network {
    /// Packs weights whose tokens are these for a kernel.
    pub fn new(
        weights: &Weights,
        vocabulary: &Vocabulary,
        kernel: Kernel,
    ) -> Result<Self, ModelError> {
        let mut packer = Packer::new(&weights.config, kernel)?;
        weights.layers.iter().for_each(|layer| packer.layer(layer));
        let head = weights.head.as_ref();
        Ok(packer.finish(weights.embedding.clone(), &weights.norm, head, vocabulary))
    }

    /// The state before a document, with so many tokens of context.
    pub fn begin(&self, context: usize) -> Cache {
        Cache::new(&self.config, context)
    }

    /// Bytes that the state of a stream of so many tokens takes at most.
    pub fn state_bytes(&self, context: usize, tokens: u64) -> u64 {
        let head = 2 * (self.config.head_size + 4) * self.config.kv_heads;
        let layer = |local: &bool| {
            let all = self.config.ring(context, *local).used(u64::MAX) as u64;
            // Room grows by doubling.
            all.min(tokens.saturating_add(64).saturating_mul(2)).saturating_mul(head as u64)
        };
        self.config.local.iter().map(layer).fold(0, u64::saturating_add)
    }
}

/// A network whose layers are being packed.
pub(super) struct Packer {
    config: Config,
    kernel: Kernel,
    arena: Arena,
    layers: Vec<PackedLayer>,
}

impl Packer {
    pub fn new(config: &Config, kernel: Kernel) -> Result<Self, ModelError> {
        config.check()?;
        let arena = Arena::new(WIDE, bytes(config));
        let layers = Vec::with_capacity(config.layers());
        Ok(Self { config: config.clone(), kernel, arena, layers })
    }

    pub fn layer(&mut self, layer: &Layer) {
        let arena = &mut self.arena;
        let Attention { query, key, value, output, head_norms } = &layer.attention;
        let mut linear = |linear: &Linear| PackedLinear {
            matrix: Packed16::new(arena, &linear.matrix, |row| row),
            bias: linear.bias.as_deref().map(lanes),
        };
        let [query, key, value, output] = [query, key, value, output].map(&mut linear);
        let optional = |norm: &Option<Vec<f32>>| norm.as_deref().map(lanes);
        self.layers.push(PackedLayer {
            input_norm: lanes(&layer.input_norm),
            query,
            key,
            value,
            head_norms: head_norms.as_ref().map(|norms| norms.each_ref().map(|n| lanes(n))),
            output,
            attention_norm: optional(&layer.attention_norm),
            inner_norm: lanes(&layer.inner_norm),
            gate: Packed16::new(arena, &layer.gate, |row| row),
            up: Packed16::new(arena, &layer.up, |row| row),
            down: Packed16::new(arena, &layer.down, |row| row),
            outer_norm: optional(&layer.outer_norm),
        });
    }

    /// Packs the head, its outputs in the order of the tokens' ranks.
    pub fn finish(
        self,
        embedding: Matrix,
        norm: &[f32],
        head: Option<&Matrix>,
        vocabulary: &Vocabulary,
    ) -> Network {
        let Self { config, kernel, mut arena, layers } = self;
        let sorted = vocabulary.sorted();
        let empty = |id: &&Token| vocabulary.token(**id).is_empty();
        let massless = sorted.iter().take_while(empty).count();
        let mut ranks = vec![0; sorted.len()];
        for (rank, id) in sorted.iter().enumerate() {
            ranks[*id as usize] = rank as u32;
        }
        let tied = head.is_none();
        let from = head.unwrap_or(&embedding);
        let head = Packed16::new(&mut arena, from, |rank| sorted[rank] as usize);
        Network {
            kernel,
            embedding: (!tied).then_some(embedding),
            arena,
            layers,
            norm: lanes(norm),
            head,
            ranks,
            massless,
            config,
        }
    }
}

/// Bytes of all matrices.
fn bytes(config: &Config) -> usize {
    let (d, inner) = (config.hidden, config.intermediate);
    let (queries, keys) = (config.heads * config.head_size, config.kv_heads * config.head_size);
    let shapes =
        [(queries, d), (keys, d), (keys, d), (d, queries), (inner, d), (inner, d), (d, inner)];
    let layer: usize = shapes.iter().map(|(o, i)| Arena::bytes_for(*o, *i)).sum();
    layer * config.layers() + Arena::bytes_for(config.vocab, d)
}
