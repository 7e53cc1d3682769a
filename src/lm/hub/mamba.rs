//! Mamba (Gu and Dao, 2023), as candle-transformers computes it: a state of one size, so that a stream may have any length.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::mamba::{Config, Model, State};

use super::config::Mamba;
use super::failed;
use super::network::{Network, Result};
use super::tensors::Tensors;
use crate::lm::bound::BoundError;

/// The weights.
pub struct Weights {
    config: Config,
    model: Model,
    dtype: DType,
    device: Device,
}

impl Weights {
    pub fn load(
        shape: &Mamba,
        tensors: &Tensors,
        dtype: DType,
        device: &Device,
    ) -> std::result::Result<Self, BoundError> {
        let Mamba { vocab, hidden, layers } = *shape;
        let (inner, rank) = (2 * hidden, hidden.div_ceil(16));
        let mut all = HashMap::new();
        // `there`: its name in files; `here`: in candle-transformers.
        let mut add = |there: &str, here: &str, dims: &[usize]| {
            all.insert(here.to_owned(), tensors.get(there, dims, dtype, device)?);
            Ok::<_, BoundError>(())
        };
        add("backbone.embeddings.weight", "embedding.weight", &[vocab, hidden])?;
        add("backbone.norm_f.weight", "norm_f.weight", &[hidden])?;
        for layer in 0..layers {
            for (name, dims) in [
                ("norm.weight", &[hidden][..]),
                ("mixer.in_proj.weight", &[2 * inner, hidden]),
                ("mixer.x_proj.weight", &[rank + 32, inner]),
                ("mixer.dt_proj.weight", &[inner, rank]),
                ("mixer.dt_proj.bias", &[inner]),
                ("mixer.A_log", &[inner, 16]),
                ("mixer.D", &[inner]),
                ("mixer.out_proj.weight", &[hidden, inner]),
                ("mixer.conv1d.weight", &[inner, 1, 4]),
                ("mixer.conv1d.bias", &[inner]),
            ] {
                let name = format!("layers.{layer}.{name}");
                add(&format!("backbone.{name}"), &name, dims)?;
            }
        }
        let config = Config { d_model: hidden, n_layer: layers, vocab_size: vocab, pad_vocab_size_multiple: 1 };
        let model = Model::new(&config, VarBuilder::from_tensors(all, dtype, device)).map_err(failed)?;
        Ok(Self { config, model, dtype, device: device.clone() })
    }
}

/// Rows of a model.
pub struct Streams<W> {
    weights: W,
    batch: usize,
    state: State,
}

impl<W: AsRef<Weights>> Streams<W> {
    pub fn new(weights: W, batch: usize) -> Result<Self> {
        let Weights { config, dtype, device, .. } = weights.as_ref();
        let state = State::new(batch, config, *dtype, device)?;
        Ok(Self { weights, batch, state })
    }
}

impl<W: AsRef<Weights> + Send> Network for Streams<W> {
    fn prime(&mut self, ids: &[u32]) -> Result<Tensor> {
        let Weights { config, dtype, device, .. } = self.weights.as_ref();
        self.state = State::new(self.batch, config, *dtype, device)?;
        let length = ids.len() / self.batch;
        let mut logits = Tensor::zeros((self.batch, config.vocab_size), DType::F32, device)?;
        for at in 0..length {
            let step: Vec<u32> = ids.iter().skip(at).step_by(length).copied().collect();
            logits = self.step(&step, at)?;
        }
        Ok(logits)
    }

    fn step(&mut self, ids: &[u32], _: usize) -> Result<Tensor> {
        let weights = self.weights.as_ref();
        let ids = Tensor::from_slice(ids, ids.len(), &weights.device)?;
        weights.model.forward(&ids, &mut self.state)?.to_dtype(DType::F32)
    }
}
