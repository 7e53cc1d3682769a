//! Mamba (Gu and Dao, "Mamba: Linear-Time Sequence Modeling with Selective State Spaces", 2023,
//! algorithm 2 and section 3.3): a state of one size, so that a stream may have any length.
//!
//! (candle-transformers' own computes one row only: its B and C are not told apart by rows.)
//! Shapes: B rows, E inner channels, N numbers of state for each.

use candle_core::{D, DType, Device, Tensor};
use candle_nn::ops::{rms_norm, silu};

use super::failed;
use super::linear::Linear;
use super::network::{Network, Result};
use crate::config::Mamba;
use crate::tensors::Tensors;
use lmz::lm::device::DeviceError;

struct Layer {
    norm: Tensor,
    /// To what goes through the convolution, and to the gate.
    input: Linear,
    /// Of each position in the kernel, the oldest first, `[E]`.
    convolution: Vec<Tensor>,
    bias: Tensor,
    /// To the step's low rank, B and C.
    select: Linear,
    step: Linear,
    /// -exp(A_log), `[E][N]`
    a: Tensor,
    d: Tensor,
    output: Linear,
}

/// The weights.
pub struct Weights {
    shape: Mamba,
    embedding: Tensor,
    head: Linear,
    norm: Tensor,
    layers: Vec<Layer>,
    dtype: DType,
    device: Device,
}

impl Weights {
    pub fn load(
        shape: &Mamba,
        tensors: &Tensors,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Self, DeviceError> {
        let Mamba { vocab, hidden, inner, state, kernel, rank, layers, .. } = *shape;
        let get = |name: &str, dims: &[usize]| {
            tensors.get(&format!("backbone.{name}"), dims, dtype, device)
        };
        let embedding = get("embeddings.weight", &[vocab, hidden])?;
        let load = |layer: usize| {
            let at = |part: &str, dims: &[usize]| get(&format!("layers.{layer}.{part}"), dims);
            let product = |part: &str, outputs: usize, inputs: usize, bias: Option<Tensor>| {
                Linear::new(&at(&format!("mixer.{part}.weight"), &[outputs, inputs])?, bias)
            };
            let convolution = at("mixer.conv1d.weight", &[inner, 1, kernel])?;
            let tap = |at: usize| {
                convolution.narrow(2, at, 1).and_then(|t| t.flatten_all()?.contiguous())
            };
            Ok(Layer {
                norm: at("norm.weight", &[hidden])?,
                input: product("in_proj", 2 * inner, hidden, None)?,
                convolution: (0..kernel).map(tap).collect::<Result<_>>().map_err(failed)?,
                bias: at("mixer.conv1d.bias", &[inner])?,
                select: product("x_proj", rank + 2 * state, inner, None)?,
                step: product("dt_proj", inner, rank, Some(at("mixer.dt_proj.bias", &[inner])?))?,
                a: at("mixer.A_log", &[inner, state])?
                    .exp()
                    .and_then(|a| a.neg())
                    .map_err(failed)?,
                d: at("mixer.D", &[inner])?,
                output: product("out_proj", hidden, inner, None)?,
            })
        };
        Ok(Self {
            shape: shape.clone(),
            head: Linear::new(&embedding, None)?,
            embedding,
            norm: get("norm_f.weight", &[hidden])?,
            layers: (0..layers).map(load).collect::<std::result::Result<_, DeviceError>>()?,
            dtype,
            device: device.clone(),
        })
    }
}

/// What a layer keeps of its rows.
struct State {
    /// `[B][E][N]`
    h: Tensor,
    /// What the convolution sees, the oldest first: `[B][E]` each.
    seen: Vec<Tensor>,
}

/// Rows of a model.
pub struct Streams<W> {
    weights: W,
    batch: usize,
    layers: Vec<State>,
}

impl<W: AsRef<Weights>> Streams<W> {
    pub fn new(weights: W, batch: usize) -> Result<Self> {
        let mut out = Self { weights, batch, layers: Vec::new() };
        out.clear()?;
        Ok(out)
    }

    /// All rows begin.
    fn clear(&mut self) -> Result<()> {
        let Weights { shape, layers, dtype, device, .. } = self.weights.as_ref();
        let Mamba { inner, state, kernel, .. } = *shape;
        let zeros = || {
            let seen = Tensor::zeros((self.batch, inner), *dtype, device)?;
            Ok(State {
                h: Tensor::zeros((self.batch, inner, state), *dtype, device)?,
                seen: vec![seen; kernel],
            })
        };
        self.layers = layers.iter().map(|_| zeros()).collect::<Result<_>>()?;
        Ok(())
    }
}

impl State {
    /// `[B][hidden]` to `[B][hidden]`.
    fn step(&mut self, layer: &Layer, shape: &Mamba, x: &Tensor) -> Result<Tensor> {
        let Mamba { inner, state, rank, .. } = *shape;
        let both = layer.input.of(x)?;
        let (x, gate) =
            (both.narrow(1, 0, inner)?.contiguous()?, both.narrow(1, inner, inner)?.contiguous()?);
        self.seen.remove(0);
        self.seen.push(x);
        let mut x = layer.bias.broadcast_as(gate.shape())?.contiguous()?;
        for (seen, weight) in self.seen.iter().zip(&layer.convolution) {
            x = (x + seen.broadcast_mul(weight)?)?;
        }
        let x = silu(&x)?;
        let selected = layer.select.of(&x)?;
        let step = softplus(&layer.step.of(&selected.narrow(1, 0, rank)?.contiguous()?)?)?;
        let b = selected.narrow(1, rank, state)?.unsqueeze(1)?;
        let c = selected.narrow(1, rank + state, state)?.unsqueeze(1)?;
        let decay = step.unsqueeze(2)?.broadcast_mul(&layer.a.unsqueeze(0)?)?.exp()?;
        let added = (step * &x)?.unsqueeze(2)?.broadcast_mul(&b)?;
        self.h = ((&self.h * decay)? + added)?;
        let y = (self.h.broadcast_mul(&c)?.sum(D::Minus1)? + x.broadcast_mul(&layer.d)?)?;
        layer.output.of(&(y * silu(&gate)?)?)
    }
}

/// log(1 + e^x), without an overflow.
fn softplus(x: &Tensor) -> Result<Tensor> {
    x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?
}

impl<W: AsRef<Weights> + Send> Network for Streams<W> {
    fn prime(&mut self, ids: &[u32]) -> Result<Tensor> {
        self.clear()?;
        let length = ids.len() / self.batch;
        let step =
            |at: usize| -> Vec<u32> { ids.iter().skip(at).step_by(length).copied().collect() };
        for at in 0..length - 1 {
            self.step(&step(at), at)?;
        }
        self.step(&step(length - 1), length - 1)
    }

    fn step(&mut self, ids: &[u32], _: usize) -> Result<Tensor> {
        let Weights { shape, embedding, head, norm, layers, device, .. } = self.weights.as_ref();
        let ids = Tensor::from_slice(ids, ids.len(), device)?;
        let mut x = embedding.index_select(&ids, 0)?;
        for (layer, state) in layers.iter().zip(&mut self.layers) {
            let y = state.step(layer, shape, &rms_norm(&x, &layer.norm, shape.eps as f32)?)?;
            x = (x + y)?;
        }
        head.of(&rms_norm(&x, norm, shape.eps as f32)?)?.to_dtype(DType::F32)
    }
}

/// Bytes that the states of so many rows need.
pub fn memory(shape: &Mamba, batch: u64, dtype: DType) -> u64 {
    let Mamba { vocab, inner, state, kernel, layers, .. } = *shape;
    let [vocab, inner, state, kernel, layers] =
        [vocab, inner, state, kernel, layers].map(|n| n as u128);
    // The state is there twice for a moment, and its products with it.
    let numbers = layers * inner * (state + kernel) + 8 * inner * (state + 4);
    let row = numbers * dtype.size_in_bytes() as u128 + 12 * vocab;
    u64::try_from(u128::from(batch) * row).unwrap_or(u64::MAX)
}
