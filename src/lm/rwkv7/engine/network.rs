//! A model's weights as a kernel wants them.

use crate::exact::kernel::{Arena, Int8Rows, Kernel, Lanes, Packed, lanes};
use crate::exact::{LANES, Matrix};
use crate::lm::rwkv7::weights::end_from_source;
use crate::lm::rwkv7::{Config, Layer, Model, ModelError, Norm, Source, Weights};
use crate::vocab::{Token, Vocabulary};

/// A layer norm, `[D]` each.
#[derive(Debug)]
pub struct PackedNorm {
    pub weight: Vec<Lanes>,
    pub bias: Vec<Lanes>,
}

impl PackedNorm {
    fn new(norm: &Norm) -> Self {
        Self { weight: lanes(&norm.weight), bias: lanes(&norm.bias) }
    }
}

/// Number of inputs of the time mix: r, w, k, v, a, g.
pub const INPUTS: usize = 6;

/// What the heads need to know of 16 channels.
#[derive(Debug, Clone, Copy)]
pub struct Channels {
    pub w0: Lanes,
    pub a0: Lanes,
    /// Zeros in layer 0, which has none.
    pub v0: Lanes,
    pub k_k: Lanes,
    pub k_a: Lanes,
    pub r_k: Lanes,
    pub norm_weight: Lanes,
    pub norm_bias: Lanes,
}

/// A layer's weights, named as in docs/ARITHMETIC.md.
#[derive(Debug)]
pub struct PackedLayer {
    pub ln1: PackedNorm,
    /// `[D / 16]`, each for r, w, k, v, a, g.
    pub mix: Vec<[Lanes; INPUTS]>,
    pub receptance: Packed,
    pub key: Packed,
    pub value: Packed,
    pub w1: Packed,
    pub a1: Packed,
    pub g1: Packed,
    pub w2: Packed,
    pub a2: Packed,
    pub g2: Packed,
    /// v1 and v2.
    pub value_mix: Option<(Packed, Packed)>,
    /// `[D / 16]`
    pub channels: Vec<Channels>,
    pub output: Packed,
    pub ln2: PackedNorm,
    /// `[D / 16]`
    pub ffn_mix: Vec<[Lanes; 1]>,
    pub ffn_key: Packed,
    pub ffn_value: Packed,
}

/// A model ready to be computed by one kernel.
#[derive(Debug)]
pub struct Network {
    pub config: Config,
    pub kernel: Kernel,
    /// The embedding, as it was loaded.
    pub emb: Matrix,
    /// All other matrices, in order of use.
    pub arena: Arena,
    pub layers: Vec<PackedLayer>,
    pub ln_out: PackedNorm,
    /// The matrix that gives logits, its outputs in the order of the tokens' ranks.
    pub head: Packed,
    /// How many tokens, the first by rank, are empty strings: they cannot occur and get frequency
    /// 0.
    pub massless: usize,
}

impl Network {
    /// Packs a model for a kernel.
    ///
    /// # Errors
    ///
    /// [`ModelError::Shape`] for a head size that is no multiple of 16.
    pub fn for_model(model: &Model, kernel: Kernel) -> Result<Self, ModelError> {
        Self::with_vocabulary(model.weights(), model.vocabulary(), kernel)
    }

    /// [`for_model`](Self::for_model), of weights and vocabulary.
    pub fn with_vocabulary(
        weights: &Weights,
        vocabulary: &Vocabulary,
        kernel: Kernel,
    ) -> Result<Self, ModelError> {
        let mut packer = Packer::new(&weights.config, kernel)?;
        weights.layers.iter().for_each(|layer| packer.layer(layer));
        Ok(packer.finish(weights.emb.clone(), &weights.ln_out, &weights.head, Some(vocabulary)))
    }

    /// Packs weights whose tokens are sorted by their bytes, token 0 being the only empty one.
    ///
    /// # Errors
    ///
    /// The errors of [`for_model`](Self::for_model).
    pub fn new(weights: &Weights, kernel: Kernel) -> Result<Self, ModelError> {
        let mut packer = Packer::new(&weights.config, kernel)?;
        weights.layers.iter().for_each(|layer| packer.layer(layer));
        Ok(packer.finish(weights.emb.clone(), &weights.ln_out, &weights.head, None))
    }

    /// Packs a model of this shape, whose embedding has been taken, out of a source: layer by
    /// layer, so that there is never more of it in memory than what is packed and a layer.
    pub(in crate::lm::rwkv7) fn from_source<S>(
        config: &Config,
        emb: Matrix,
        source: &mut S,
        vocabulary: &Vocabulary,
        kernel: Kernel,
    ) -> Result<Self, ModelError>
    where
        S: Source<Matrix: Int8Rows, Error = ModelError>,
    {
        let mut packer = Packer::new(config, kernel)?;
        for number in 0..config.layers {
            packer.layer(&Layer::from_source(config, number, source)?);
        }
        let (ln_out, head) = end_from_source(config, source)?;
        Ok(packer.finish(emb, &ln_out, &head, Some(vocabulary)))
    }

    /// Lines of a vector `[D]`.
    pub fn lines(&self) -> usize {
        self.config.hidden / LANES
    }
}

/// A network whose layers are being packed.
struct Packer {
    config: Config,
    kernel: Kernel,
    arena: Arena,
    layers: Vec<PackedLayer>,
}

impl Packer {
    fn new(config: &Config, kernel: Kernel) -> Result<Self, ModelError> {
        if !config.head_size.is_multiple_of(LANES) {
            let message = format!(
                "expected a head_dim that is a multiple of {LANES}, found {}",
                config.head_size
            );
            return Err(ModelError::Shape(message));
        }
        let arena = Arena::new(kernel.layout(), bytes(config));
        Ok(Self { config: *config, kernel, arena, layers: Vec::with_capacity(config.layers) })
    }

    fn layer<M: Int8Rows>(&mut self, weights: &Layer<M>) {
        self.layers.push(layer(weights, &mut self.arena));
    }

    /// Packs the head, its outputs in the order of the tokens' ranks. Without a vocabulary tokens
    /// are sorted, and the first is the only empty one.
    fn finish(
        self,
        emb: Matrix,
        ln_out: &Norm,
        head: &impl Int8Rows,
        vocabulary: Option<&Vocabulary>,
    ) -> Network {
        let Self { config, kernel, mut arena, layers } = self;
        let (head, massless) = match vocabulary {
            None => (arena.add(head), 1),
            Some(vocabulary) => {
                let sorted = vocabulary.sorted();
                let empty = |id: &&Token| vocabulary.token(**id).is_empty();
                let head = arena.add_rows(head, |rank| sorted[rank] as usize);
                (head, sorted.iter().filter(empty).count())
            }
        };
        let ln_out = PackedNorm::new(ln_out);
        Network { config, kernel, emb, arena, layers, ln_out, head, massless }
    }
}

/// The room that a model's matrices need in an arena, without the embedding.
fn bytes(config: &Config) -> usize {
    let Config { hidden: d, intermediate, vocab, .. } = *config;
    let there_and_back = |n| Arena::bytes_for(n, d) + Arena::bytes_for(d, n);
    let inner = [config.decay_rank, config.a_rank, config.gate_rank, intermediate];
    let layer = 4 * Arena::bytes_for(d, d) + inner.map(there_and_back).iter().sum::<usize>();
    // Layer 0 has no values to mix in.
    let value_mix = config.layers.saturating_sub(1) * there_and_back(config.v_rank);
    config.layers * layer + value_mix + Arena::bytes_for(vocab, d)
}

fn layer<M: Int8Rows>(layer: &Layer<M>, arena: &mut Arena) -> PackedLayer {
    let Layer { ln1, att, ln2, ffn } = layer;
    let d = att.x_r.len();
    let v0 = att.value_mix.as_ref().map_or(vec![0.0; d], |m| m.v0.clone());
    let line = |x: &[f32], i: usize| lanes(&x[i * LANES..][..LANES])[0];
    let mixes = [&att.x_r, &att.x_w, &att.x_k, &att.x_v, &att.x_a, &att.x_g];
    let channels = |i| Channels {
        w0: line(&att.w0, i),
        a0: line(&att.a0, i),
        v0: line(&v0, i),
        k_k: line(&att.k_k, i),
        k_a: line(&att.k_a, i),
        r_k: line(&att.r_k, i),
        norm_weight: line(&att.ln_x.weight, i),
        norm_bias: line(&att.ln_x.bias, i),
    };
    // In the order of use: forward.rs.
    let [receptance, key, value, w1] =
        [&att.receptance, &att.key, &att.value, &att.w1].map(|m| arena.add(m));
    let v1 = att.value_mix.as_ref().map(|m| arena.add(&m.v1));
    let [a1, g1, w2, a2] = [&att.a1, &att.g1, &att.w2, &att.a2].map(|m| arena.add(m));
    let v2 = att.value_mix.as_ref().map(|m| arena.add(&m.v2));
    let [g2, output, ffn_key, ffn_value] =
        [&att.g2, &att.output, &ffn.key, &ffn.value].map(|m| arena.add(m));
    PackedLayer {
        ln1: PackedNorm::new(ln1),
        mix: (0..d / LANES).map(|i| mixes.map(|m| line(m, i))).collect(),
        receptance,
        key,
        value,
        w1,
        a1,
        g1,
        w2,
        a2,
        g2,
        value_mix: v1.zip(v2),
        channels: (0..d / LANES).map(channels).collect(),
        output,
        ln2: PackedNorm::new(ln2),
        ffn_mix: (0..d / LANES).map(|i| [line(&ffn.x_k, i)]).collect(),
        ffn_key,
        ffn_value,
    }
}
