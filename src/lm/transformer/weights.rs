//! The tensors of a transformer, by the names that `transformers` gives them, without `model.` in
//! front and `.weight` behind.

use super::config::Config;
use crate::exact::fpstate::Exact;
use crate::exact::wide::GroupedMatrix as Matrix;

/// Where a model's numbers come from, by the names of its tensors.
pub trait Source {
    type Error;

    /// The finite numbers of a tensor of this shape: outputs and inputs, or the length of a vector.
    fn numbers(&mut self, name: &str, shape: &[usize]) -> Result<Vec<f32>, Self::Error>;

    /// Gives the rows of a matrix of this shape, outputs and inputs, in order, some of them at a
    /// time: a source that can do so never has all of a large one in memory.
    fn rows(
        &mut self,
        name: &str,
        shape: [usize; 2],
        take: &mut dyn FnMut(&[f32]),
    ) -> Result<(), Self::Error> {
        take(&self.numbers(name, &shape)?);
        Ok(())
    }
}

/// A source, and the quantisation of what comes from it.
pub(super) struct Tensors<'a, S> {
    pub fp: Exact<'a>,
    pub source: &'a mut S,
}

impl<S: Source> Tensors<'_, S> {
    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, S::Error> {
        self.source.numbers(name, &[length])
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, S::Error> {
        let mut matrix = Matrix::with_capacity(outputs, inputs);
        self.source.rows(name, [outputs, inputs], &mut |rows| matrix.push(self.fp, rows))?;
        Ok(matrix)
    }

    /// The embedding.
    pub fn embedding(&mut self, config: &Config) -> Result<Matrix, S::Error> {
        self.matrix("embed_tokens", config.vocab, config.hidden)
    }

    /// What comes behind the layers: the last norm, and the head, if there is one.
    pub fn end(&mut self, config: &Config) -> Result<(Vec<f32>, Option<Matrix>), S::Error> {
        let norm = self.vector("norm", config.hidden)?;
        let head = match config.tied {
            true => None,
            false => Some(self.matrix("lm_head", config.vocab, config.hidden)?),
        };
        Ok((norm, head))
    }
}

/// All tensors of a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    pub config: Config,
    /// `[V][D]`
    pub embedding: Matrix,
    pub layers: Vec<Layer>,
    /// `[D]`
    pub norm: Vec<f32>,
    /// `[V][D]`; the embedding where there is none.
    pub head: Option<Matrix>,
}

/// A layer. Norms are `[D]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    pub input_norm: Vec<f32>,
    pub attention: Attention,
    /// What the output of attention goes through before it is added.
    pub attention_norm: Option<Vec<f32>>,
    pub inner_norm: Vec<f32>,
    /// `[intermediate][D]`
    pub gate: Matrix,
    /// `[intermediate][D]`
    pub up: Matrix,
    /// `[D][intermediate]`
    pub down: Matrix,
    /// What the output of the inner part goes through before it is added.
    pub outer_norm: Option<Vec<f32>>,
}

/// A layer's attention.
#[derive(Debug, Clone, PartialEq)]
pub struct Attention {
    /// `[H N][D]`
    pub query: Linear,
    /// `[key heads * N][D]`
    pub key: Linear,
    /// `[key heads * N][D]`
    pub value: Linear,
    /// `[D][H N]`
    pub output: Linear,
    /// Norms of each head's query and key, `[N]`.
    pub head_norms: Option<[Vec<f32>; 2]>,
}

/// A matrix and what is added to its outputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Linear {
    pub matrix: Matrix,
    /// `[outputs]`
    pub bias: Option<Vec<f32>>,
}

impl Weights {
    /// Takes all tensors of a shape from a source.
    pub fn from_source<S: Source>(
        fp: Exact,
        config: &Config,
        source: &mut S,
    ) -> Result<Self, S::Error> {
        let mut source = Tensors { fp, source };
        let embedding = source.embedding(config)?;
        let layers = (0..config.layers()).map(|number| Layer::take(config, number, &mut source));
        let layers = layers.collect::<Result<_, _>>()?;
        let (norm, head) = source.end(config)?;
        Ok(Self { config: config.clone(), embedding, layers, norm, head })
    }
}

impl Layer {
    /// Takes a layer's tensors from a source.
    pub(super) fn take<S: Source>(
        config: &Config,
        number: usize,
        source: &mut Tensors<S>,
    ) -> Result<Self, S::Error> {
        let (d, n, inner) = (config.hidden, config.head_size, config.intermediate);
        let name = |part: &str| format!("layers.{number}.{part}");
        let mut linear = |part: &str, outputs: usize, inputs: usize, bias: bool| {
            let part = name(&format!("self_attn.{part}"));
            let matrix = source.matrix(&part, outputs, inputs)?;
            let bias = bias.then(|| source.vector(&format!("{part}.bias"), outputs)).transpose()?;
            Ok::<_, S::Error>(Linear { matrix, bias })
        };
        let (queries, keys) = (config.heads * n, config.kv_heads * n);
        let attention = Attention {
            query: linear("q_proj", queries, d, config.bias)?,
            key: linear("k_proj", keys, d, config.bias)?,
            value: linear("v_proj", keys, d, config.bias)?,
            output: linear("o_proj", d, queries, config.output_bias)?,
            head_norms: match config.head_norms {
                false => None,
                true => Some([
                    source.vector(&name("self_attn.q_norm"), n)?,
                    source.vector(&name("self_attn.k_norm"), n)?,
                ]),
            },
        };
        let mut norm = |part: &str| source.vector(&name(part), d);
        let input_norm = norm("input_layernorm")?;
        let behind = norm("post_attention_layernorm")?;
        // With norms on both sides this name is that of the one behind attention.
        let (attention_norm, inner_norm, outer_norm) = match config.post_norms {
            false => (None, behind, None),
            true => (
                Some(behind),
                norm("pre_feedforward_layernorm")?,
                Some(norm("post_feedforward_layernorm")?),
            ),
        };
        Ok(Self {
            input_norm,
            attention,
            attention_norm,
            inner_norm,
            gate: source.matrix(&name("mlp.gate_proj"), inner, d)?,
            up: source.matrix(&name("mlp.up_proj"), inner, d)?,
            down: source.matrix(&name("mlp.down_proj"), d, inner)?,
            outer_norm,
        })
    }
}
