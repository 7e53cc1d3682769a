//! Transformers with rotary positions and grouped heads: Llama, Mistral, Qwen2, Qwen3, Gemma 1 to
//! 3.
//!
//! Written for streams in lock step: all rows are at the same position, and keys and values are
//! kept in tensors of a fixed length, so that a step has the same shapes wherever it is. (The
//! models of candle-transformers let them grow by concatenation, which copies all of them at every
//! step, and repeat them for each head of a group.) Shapes: B rows, T tokens of each, H heads, K
//! key heads of G heads each, N the size of a head, C the context.
//!
//! Llama 2 (Touvron and others, 2023), GQA (Ainslie and others, 2023), Gemma 2 and 3 (Google, 2024
//! and 2025), Qwen3 (2025).

use candle_core::{DType, Device, Tensor};
use candle_nn::ops::{rms_norm, silu, softmax_last_dim};
use candle_nn::rotary_emb::rope;

use super::failed;
use super::linear::Linear;
use super::network::{Network, Result};
use crate::config::{Attention, Rotary, Scaling};
use crate::tensors::Tensors;
use lmz::lm::device::DeviceError;

struct Layer {
    q: Linear,
    k: Linear,
    v: Linear,
    o: Linear,
    gate: Linear,
    up: Linear,
    down: Linear,
    before: Tensor,
    before_mlp: Tensor,
    /// Behind attention and feed-forward part.
    behind: Option<(Tensor, Tensor)>,
    /// Of each head's q and k.
    norms: Option<(Tensor, Tensor)>,
    /// Which of the tables of rotary positions.
    rotary: usize,
}

/// The weights.
pub struct Weights {
    shape: Attention,
    embedding: Tensor,
    head: Linear,
    norm: Tensor,
    layers: Vec<Layer>,
    /// Different rotary positions of the layers: cosines and sines `[positions][N / 2]`.
    rotary: Vec<(Tensor, Tensor)>,
    dtype: DType,
    device: Device,
}

impl Weights {
    pub fn load(
        shape: &Attention,
        tensors: &Tensors,
        positions: usize,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Self, DeviceError> {
        let get = |name: String, dims: &[usize]| tensors.get(&name, dims, dtype, device);
        let norm = |name: String, length: usize| {
            let weight = get(format!("{name}.weight"), &[length])?;
            if shape.gemma { (weight + 1.0).map_err(failed) } else { Ok(weight) }
        };
        let linear = |name: String, outputs: usize, inputs: usize, bias: bool| {
            let bias = bias.then(|| get(format!("{name}.bias"), &[outputs])).transpose()?;
            Linear::new(&get(format!("{name}.weight"), &[outputs, inputs])?, bias)
        };
        let Attention { hidden, intermediate, heads, kv_heads, head_dim, .. } = *shape;
        let embedding = get("model.embed_tokens.weight".into(), &[shape.vocab, hidden])?;
        let head = match shape.tied {
            true => Linear::new(&embedding, None)?,
            false => linear("lm_head".into(), shape.vocab, hidden, false)?,
        };
        let mut kinds: Vec<&Rotary> = Vec::new();
        let mut layers = Vec::with_capacity(shape.layers.len());
        for (number, kind) in shape.layers.iter().enumerate() {
            let rotary = kinds.iter().position(|k| *k == kind).unwrap_or_else(|| {
                kinds.push(kind);
                kinds.len() - 1
            });
            let at = |part: &str| format!("model.layers.{number}.{part}");
            let (qkv, o, mlp) = (shape.qkv_bias, shape.o_bias, shape.mlp_bias);
            let before_mlp = if shape.post_norms {
                "pre_feedforward_layernorm"
            } else {
                "post_attention_layernorm"
            };
            let behind = |()| {
                Ok((
                    norm(at("post_attention_layernorm"), hidden)?,
                    norm(at("post_feedforward_layernorm"), hidden)?,
                ))
            };
            let of_heads = |()| {
                Ok((
                    norm(at("self_attn.q_norm"), head_dim)?,
                    norm(at("self_attn.k_norm"), head_dim)?,
                ))
            };
            layers.push(Layer {
                q: linear(at("self_attn.q_proj"), heads * head_dim, hidden, qkv)?,
                k: linear(at("self_attn.k_proj"), kv_heads * head_dim, hidden, qkv)?,
                v: linear(at("self_attn.v_proj"), kv_heads * head_dim, hidden, qkv)?,
                o: linear(at("self_attn.o_proj"), hidden, heads * head_dim, o)?,
                gate: linear(at("mlp.gate_proj"), intermediate, hidden, mlp)?,
                up: linear(at("mlp.up_proj"), intermediate, hidden, mlp)?,
                down: linear(at("mlp.down_proj"), hidden, intermediate, mlp)?,
                before: norm(at("input_layernorm"), hidden)?,
                before_mlp: norm(at(before_mlp), hidden)?,
                behind: shape.post_norms.then_some(()).map(behind).transpose()?,
                norms: shape.qk_norm.then_some(()).map(of_heads).transpose()?,
                rotary,
            });
        }
        let tables = kinds.iter().map(|kind| table(kind, head_dim, positions, dtype, device));
        Ok(Self {
            shape: shape.clone(),
            embedding,
            head,
            norm: norm("model.norm".into(), hidden)?,
            layers,
            rotary: tables.collect::<candle_core::Result<_>>().map_err(failed)?,
            dtype,
            device: device.clone(),
        })
    }
}

/// Cosines and sines of positions.
fn table(
    rotary: &Rotary,
    head_dim: usize,
    positions: usize,
    dtype: DType,
    device: &Device,
) -> candle_core::Result<(Tensor, Tensor)> {
    let frequency = |i: usize| {
        let frequency = rotary.theta.powf(-((2 * i) as f64) / head_dim as f64);
        match rotary.scaling {
            Scaling::None => frequency,
            Scaling::Factors { .. } => unreachable!("of GGUF files alone"),
            Scaling::Linear { factor } => frequency / factor,
            Scaling::Llama3 { factor, low, high, original } => {
                let wave = std::f64::consts::TAU / frequency;
                // 1 where the wave is short, 0 where it is long.
                let share = ((original / wave - low) / (high - low)).clamp(0.0, 1.0);
                (1.0 - share) * frequency / factor + share * frequency
            }
        }
    };
    let half = head_dim / 2;
    let angles: Vec<f32> =
        (0..positions * half).map(|i| ((i / half) as f32) * frequency(i % half) as f32).collect();
    let make = |f: fn(f32) -> f32| {
        let values: Vec<f32> = angles.iter().map(|a| f(*a)).collect();
        Tensor::from_vec(values, (positions, half), device)?.to_dtype(dtype)
    };
    Ok((make(f32::cos)?, make(f32::sin)?))
}

/// Rows of a model.
pub struct Streams<W> {
    weights: W,
    batch: usize,
    context: usize,
    /// Of each layer the keys and the values, `[B K][C][N]`.
    cache: Vec<(Tensor, Tensor)>,
}

impl<W: AsRef<Weights>> Streams<W> {
    /// Rows that may be so long.
    pub fn new(weights: W, batch: usize, context: usize) -> Result<Self> {
        let Weights { shape, layers, dtype, device, .. } = weights.as_ref();
        let dims = (batch * shape.kv_heads, context, shape.head_dim);
        let zeros = || Tensor::zeros(dims, *dtype, device);
        let cache =
            layers.iter().map(|_| Ok((zeros()?, zeros()?))).collect::<candle_core::Result<_>>()?;
        Ok(Self { weights, batch, context, cache })
    }

    /// Reads tokens `[B][T]` at positions from `begin` on; logits `[B][V]` of the last.
    fn forward(&self, ids: &[u32], begin: usize) -> Result<Tensor> {
        let weights = self.weights.as_ref();
        let (shape, length) = (&weights.shape, ids.len() / self.batch);
        let ids = Tensor::from_slice(ids, ids.len(), &weights.device)?;
        let mut x = weights.embedding.index_select(&ids, 0)?; // [B T][hidden]
        if shape.gemma {
            x = (x * (shape.hidden as f64).sqrt())?;
        }
        let mask = self.mask(begin, length)?;
        let norm = |x: &Tensor, weight: &Tensor| rms_norm(x, weight, shape.eps as f32);
        for (layer, cache) in weights.layers.iter().zip(&self.cache) {
            let mut y =
                self.attend(layer, cache, &norm(&x, &layer.before)?, begin, length, &mask)?;
            if let Some((behind, _)) = &layer.behind {
                y = norm(&y, behind)?;
            }
            x = (x + y)?;
            let y = norm(&x, &layer.before_mlp)?;
            let gate = layer.gate.of(&y)?;
            let gate = if shape.gelu { gate.gelu()? } else { silu(&gate)? };
            let mut y = layer.down.of(&(gate * layer.up.of(&y)?)?)?;
            if let Some((_, behind)) = &layer.behind {
                y = norm(&y, behind)?;
            }
            x = (x + y)?;
        }
        if length > 1 {
            x = x
                .reshape((self.batch, length, shape.hidden))?
                .narrow(1, length - 1, 1)?
                .squeeze(1)?
                .contiguous()?;
        }
        let logits = weights.head.of(&norm(&x, &weights.norm)?)?.to_dtype(DType::F32)?;
        capped(logits, shape.logit_cap)
    }

    /// What is added to the scores: nothing to see what came before, minus infinity for what comes
    /// after. `[1][1][C]` of a step, where the whole cache is looked at; else `[1][G T][T]`.
    fn mask(&self, begin: usize, length: usize) -> Result<Tensor> {
        let Weights { shape, device, .. } = self.weights.as_ref();
        let value = |hidden: bool| if hidden { f32::NEG_INFINITY } else { 0.0 };
        if length == 1 {
            let mask: Vec<f32> = (0..self.context).map(|at| value(at > begin)).collect();
            return Tensor::from_vec(mask, (1, 1, self.context), device);
        }
        let group = shape.heads / shape.kv_heads;
        let rows = (0..group).flat_map(|_| 0..length);
        let mask: Vec<f32> =
            rows.flat_map(|row| (0..length).map(move |at| value(at > row))).collect();
        Tensor::from_vec(mask, (1, group * length, length), device)
    }

    fn attend(
        &self,
        layer: &Layer,
        (keys, values): &(Tensor, Tensor),
        x: &Tensor,
        begin: usize,
        length: usize,
        mask: &Tensor,
    ) -> Result<Tensor> {
        let weights = self.weights.as_ref();
        let &Attention { heads, kv_heads, head_dim, scale, attention_cap, eps, .. } =
            &weights.shape;
        let (batch, group) = (self.batch, heads / kv_heads);
        let (cos, sin) = &weights.rotary[layer.rotary];
        let (cos, sin) = (cos.narrow(0, begin, length)?, sin.narrow(0, begin, length)?);
        // [B T][H N] to [B][H][T][N]
        let apart = |x: Tensor, heads: usize| {
            x.reshape((batch, length, heads, head_dim))?.transpose(1, 2)?.contiguous()
        };
        let mut q = apart(layer.q.of(x)?, heads)?;
        let mut k = apart(layer.k.of(x)?, kv_heads)?;
        let v = apart(layer.v.of(x)?, kv_heads)?;
        if let Some((of_q, of_k)) = &layer.norms {
            (q, k) = (rms_norm(&q, of_q, eps as f32)?, rms_norm(&k, of_k, eps as f32)?);
        }
        let q = rope(&q, &cos, &sin)?.reshape((batch * kv_heads, group * length, head_dim))?;
        let k = rope(&k, &cos, &sin)?.reshape((batch * kv_heads, length, head_dim))?;
        let v = v.reshape((batch * kv_heads, length, head_dim))?;
        keys.slice_set(&k, 1, begin)?;
        values.slice_set(&v, 1, begin)?;
        let (k, v) = if length == 1 { (keys, values) } else { (&k, &v) };
        // [B K][G T][C], or [..][T] of more than one token
        let scores = (q.matmul(&k.transpose(1, 2)?)?.to_dtype(DType::F32)? * scale)?;
        let scores = capped(scores, attention_cap)?.broadcast_add(mask)?;
        let y = softmax_last_dim(&scores)?.to_dtype(weights.dtype)?.matmul(v)?;
        let y = y.reshape((batch, heads, length, head_dim))?.transpose(1, 2)?;
        layer.o.of(&y.reshape((batch * length, heads * head_dim))?)
    }
}

/// Softly between minus `cap` and `cap`.
fn capped(x: Tensor, cap: Option<f64>) -> Result<Tensor> {
    match cap {
        None => Ok(x),
        Some(cap) => (x / cap)?.tanh()? * cap,
    }
}

impl<W: AsRef<Weights> + Send> Network for Streams<W> {
    fn prime(&mut self, ids: &[u32]) -> Result<Tensor> {
        self.forward(ids, 0)
    }

    fn step(&mut self, ids: &[u32], position: usize) -> Result<Tensor> {
        self.forward(ids, position)
    }
}

/// Bytes that the caches of so many rows need, the scores of a pass over `keep` tokens, and the
/// tables of positions.
pub fn memory(shape: &Attention, batch: u64, limit: u64, keep: u64, dtype: DType) -> u64 {
    let wide = |n: usize| n as u128;
    let (batch, limit, keep) = (u128::from(batch), u128::from(limit), u128::from(keep));
    let size = wide(dtype.size_in_bytes());
    let cache = 2
        * wide(shape.layers.len())
        * batch
        * limit
        * wide(shape.kv_heads)
        * wide(shape.head_dim)
        * size;
    let scores = 3 * batch * wide(shape.heads) * keep * keep * 4;
    let inner = 3 * batch * keep * wide(shape.intermediate) * size;
    // Angles, and of each the cosine and sine as they are computed and as they stay; layers are of
    // two kinds at most.
    let tables = 2 * limit * wide(shape.head_dim / 2) * (4 + 4 + 2 * size);
    u64::try_from(cache + scores + inner + tables + 3 * batch * wide(shape.vocab) * 4)
        .unwrap_or(u64::MAX)
}
