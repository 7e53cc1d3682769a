//! The tensors of a model, with the names of docs/ARITHMETIC.md, section 4.

use super::config::Config;
pub use crate::exact::Matrix;

/// All tensors of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    pub config: Config,
    /// `[V][D]`; the embedding after its norm, ln0.
    pub emb: Matrix,
    pub layers: Vec<Layer>,
    pub ln_out: Norm,
    /// `[V][D]`
    pub head: Matrix,
}

/// `blocks.L`
#[derive(Debug, Clone, PartialEq)]
pub struct Layer<M = Matrix> {
    pub ln1: Norm,
    pub att: TimeMix<M>,
    pub ln2: Norm,
    pub ffn: ChannelMix<M>,
}

/// A layer norm, `[D]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// `blocks.L.att`. Vectors are `[D]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeMix<M = Matrix> {
    pub x_r: Vec<f32>,
    pub x_w: Vec<f32>,
    pub x_k: Vec<f32>,
    pub x_v: Vec<f32>,
    pub x_a: Vec<f32>,
    pub x_g: Vec<f32>,
    /// `[D][D]`
    pub receptance: M,
    /// `[D][D]`
    pub key: M,
    /// `[D][D]`
    pub value: M,
    /// `[D][D]`
    pub output: M,
    pub w0: Vec<f32>,
    /// `[decay rank][D]`
    pub w1: M,
    /// `[D][decay rank]`
    pub w2: M,
    pub a0: Vec<f32>,
    /// `[a rank][D]`
    pub a1: M,
    /// `[D][a rank]`
    pub a2: M,
    /// `[gate rank][D]`
    pub g1: M,
    /// `[D][gate rank]`
    pub g2: M,
    /// None in layer 0, whose values the other layers mix in.
    pub value_mix: Option<ValueMix<M>>,
    pub k_k: Vec<f32>,
    pub k_a: Vec<f32>,
    pub r_k: Vec<f32>,
    pub ln_x: Norm,
}

/// How much of layer 0's values goes into those of a later layer.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueMix<M = Matrix> {
    /// `[D]`
    pub v0: Vec<f32>,
    /// `[v rank][D]`
    pub v1: M,
    /// `[D][v rank]`
    pub v2: M,
}

/// `blocks.L.ffn`
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelMix<M = Matrix> {
    /// `[D]`
    pub x_k: Vec<f32>,
    /// `[intermediate][D]`
    pub key: M,
    /// `[D][intermediate]`
    pub value: M,
}

/// Where tensors come from, by name: a file, or a generator.
pub trait Source {
    type Matrix;
    type Error;

    /// A vector of f32, `[length]`.
    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, Self::Error>;

    /// `NAME.weight` (int8, `[outputs][inputs]`) and `NAME.scale` (f32, `[outputs]`).
    fn matrix(
        &mut self,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Self::Matrix, Self::Error>;
}

/// Tensors of a module whose name is a prefix.
struct Part<'a, S> {
    source: &'a mut S,
    name: String,
}

impl<S: Source> Part<'_, S> {
    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, S::Error> {
        self.source.vector(&format!("{}{name}", self.name), length)
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<S::Matrix, S::Error> {
        self.source.matrix(&format!("{}{name}", self.name), outputs, inputs)
    }

    fn norm(&mut self, name: &str, length: usize) -> Result<Norm, S::Error> {
        Ok(Norm {
            weight: self.vector(&format!("{name}.weight"), length)?,
            bias: self.vector(&format!("{name}.bias"), length)?,
        })
    }
}

impl Weights {
    /// Takes all tensors of a shape from a source.
    pub fn from_source<S: Source<Matrix = Matrix>>(
        config: &Config,
        source: &mut S,
    ) -> Result<Self, S::Error> {
        let emb = source.matrix("emb", config.vocab, config.hidden)?;
        let layers = (0..config.layers)
            .map(|number| Layer::from_source(config, number, source))
            .collect::<Result<_, _>>()?;
        let (ln_out, head) = end_from_source(config, source)?;
        Ok(Self { config: *config, emb, layers, ln_out, head })
    }
}

/// Takes what comes behind the layers: the last norm, and the head.
pub(super) fn end_from_source<S: Source>(
    config: &Config,
    source: &mut S,
) -> Result<(Norm, S::Matrix), S::Error> {
    let d = config.hidden;
    let ln_out = Part { source, name: String::new() }.norm("ln_out", d)?;
    Ok((ln_out, source.matrix("head", config.vocab, d)?))
}

impl<M> Layer<M> {
    /// Takes a layer's tensors from a source.
    pub(super) fn from_source<S: Source<Matrix = M>>(
        config: &Config,
        number: usize,
        source: &mut S,
    ) -> Result<Self, S::Error> {
        let d = config.hidden;
        let mut block = Part { source, name: format!("blocks.{number}.") };
        let (ln1, ln2) = (block.norm("ln1", d)?, block.norm("ln2", d)?);
        let mut att = Part { source, name: format!("blocks.{number}.att.") };
        let att = TimeMix {
            x_r: att.vector("x_r", d)?,
            x_w: att.vector("x_w", d)?,
            x_k: att.vector("x_k", d)?,
            x_v: att.vector("x_v", d)?,
            x_a: att.vector("x_a", d)?,
            x_g: att.vector("x_g", d)?,
            receptance: att.matrix("receptance", d, d)?,
            key: att.matrix("key", d, d)?,
            value: att.matrix("value", d, d)?,
            output: att.matrix("output", d, d)?,
            w0: att.vector("w0", d)?,
            w1: att.matrix("w1", config.decay_rank, d)?,
            w2: att.matrix("w2", d, config.decay_rank)?,
            a0: att.vector("a0", d)?,
            a1: att.matrix("a1", config.a_rank, d)?,
            a2: att.matrix("a2", d, config.a_rank)?,
            g1: att.matrix("g1", config.gate_rank, d)?,
            g2: att.matrix("g2", d, config.gate_rank)?,
            value_mix: match number {
                0 => None,
                _ => Some(ValueMix {
                    v0: att.vector("v0", d)?,
                    v1: att.matrix("v1", config.v_rank, d)?,
                    v2: att.matrix("v2", d, config.v_rank)?,
                }),
            },
            k_k: att.vector("k_k", d)?,
            k_a: att.vector("k_a", d)?,
            r_k: att.vector("r_k", d)?,
            ln_x: att.norm("ln_x", d)?,
        };
        let mut ffn = Part { source, name: format!("blocks.{number}.ffn.") };
        let ffn = ChannelMix {
            x_k: ffn.vector("x_k", d)?,
            key: ffn.matrix("key", config.intermediate, d)?,
            value: ffn.matrix("value", d, config.intermediate)?,
        };
        Ok(Self { ln1, att, ln2, ffn })
    }
}
