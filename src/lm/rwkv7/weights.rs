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
pub struct Layer {
    pub ln1: Norm,
    pub att: TimeMix,
    pub ln2: Norm,
    pub ffn: ChannelMix,
}

/// A layer norm, `[D]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct Norm {
    pub weight: Vec<f32>,
    pub bias: Vec<f32>,
}

/// `blocks.L.att`. Vectors are `[D]`.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeMix {
    pub x_r: Vec<f32>,
    pub x_w: Vec<f32>,
    pub x_k: Vec<f32>,
    pub x_v: Vec<f32>,
    pub x_a: Vec<f32>,
    pub x_g: Vec<f32>,
    /// `[D][D]`
    pub receptance: Matrix,
    /// `[D][D]`
    pub key: Matrix,
    /// `[D][D]`
    pub value: Matrix,
    /// `[D][D]`
    pub output: Matrix,
    pub w0: Vec<f32>,
    /// `[decay rank][D]`
    pub w1: Matrix,
    /// `[D][decay rank]`
    pub w2: Matrix,
    pub a0: Vec<f32>,
    /// `[a rank][D]`
    pub a1: Matrix,
    /// `[D][a rank]`
    pub a2: Matrix,
    /// `[gate rank][D]`
    pub g1: Matrix,
    /// `[D][gate rank]`
    pub g2: Matrix,
    /// None in layer 0, whose values the other layers mix in.
    pub value_mix: Option<ValueMix>,
    pub k_k: Vec<f32>,
    pub k_a: Vec<f32>,
    pub r_k: Vec<f32>,
    pub ln_x: Norm,
}

/// How much of layer 0's values goes into those of a later layer.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueMix {
    /// `[D]`
    pub v0: Vec<f32>,
    /// `[v rank][D]`
    pub v1: Matrix,
    /// `[D][v rank]`
    pub v2: Matrix,
}

/// `blocks.L.ffn`
#[derive(Debug, Clone, PartialEq)]
pub struct ChannelMix {
    /// `[D]`
    pub x_k: Vec<f32>,
    /// `[intermediate][D]`
    pub key: Matrix,
    /// `[D][intermediate]`
    pub value: Matrix,
}

/// Where tensors come from, by name: a file, or a generator.
pub trait Source {
    type Error;

    /// A vector of f32, `[length]`.
    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, Self::Error>;

    /// `NAME.weight` (int8, `[outputs][inputs]`) and `NAME.scale` (f32, `[outputs]`).
    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, Self::Error>;
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

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, S::Error> {
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
    pub fn from_source<S: Source>(config: &Config, source: &mut S) -> Result<Self, S::Error> {
        let d = config.hidden;
        let emb = source.matrix("emb", config.vocab, d)?;
        let layers =
            (0..config.layers).map(|i| layer(config, i, source)).collect::<Result<_, _>>()?;
        let ln_out = Part { source, name: String::new() }.norm("ln_out", d)?;
        let head = source.matrix("head", config.vocab, d)?;
        Ok(Self { config: *config, emb, layers, ln_out, head })
    }
}

fn layer<S: Source>(config: &Config, number: usize, source: &mut S) -> Result<Layer, S::Error> {
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
    Ok(Layer { ln1, att, ln2, ffn })
}
