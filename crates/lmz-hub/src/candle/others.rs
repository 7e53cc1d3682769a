//! Architectures that neither the exact engine nor lmz's own code over candle has, by the models of
//! candle-transformers.
//!
//! These keep keys and values inside, let them grow by concatenation, and most can neither be
//! cleared nor be copied. So weights are held here, and a model is made of them, which shares them,
//! whenever rows begin anew. All rows are computed together. The shapes of a step depend on its
//! position, so that encoder and decoder have the same ones; but a step cannot be computed anywhere
//! else than behind the one before it.
//!
//! In f32 alone: most compute rotary positions in the type of the weights, and bfloat16 does not
//! tell positions beyond 256 apart.

use std::collections::{BTreeMap, HashMap};

use candle_core::{DType, Device, Error, Shape, Tensor};
use candle_nn::VarBuilder;
use candle_nn::var_builder::SimpleBackend;
use candle_transformers::models::{
    bigcode, olmo, olmo2, phi, phi3, smol::smollm3, stable_lm, starcoder2,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::failed;
use super::network::{Network, Result};
use crate::config::Other;
use crate::tensors::Tensors;
use lmz::lm::device::DeviceError;

/// The weights.
pub struct Weights {
    architecture: &'static str,
    shape: Other,
    /// Positions that streams have at most.
    positions: usize,
    tensors: HashMap<String, Tensor>,
    device: Device,
}

impl Weights {
    pub fn load(
        architecture: &'static str,
        shape: &Other,
        tensors: &Tensors,
        positions: usize,
        device: &Device,
    ) -> std::result::Result<Self, DeviceError> {
        let load = |(name, dims): (&str, &[usize])| {
            Ok((name.to_owned(), tensors.get(name, dims, DType::F32, device)?))
        };
        let tensors =
            tensors.shapes().map(load).collect::<std::result::Result<_, DeviceError>>()?;
        let (shape, device) = (shape.clone(), device.clone());
        let out = Self { architecture, shape, positions, tensors, device };
        // Whether all tensors are there shows when a model is made.
        out.model().map_err(failed)?;
        Ok(out)
    }

    /// A model that has read nothing.
    fn model(&self) -> Result<Model> {
        let view = View { tensors: &self.tensors, positions: self.positions };
        let from = VarBuilder::from_backend(Box::new(view), DType::F32, self.device.clone());
        let fields = &self.shape.fields;
        Ok(match self.architecture {
            "PhiForCausalLM" => Model::Phi(phi::Model::new(&self.parse(fields)?, from)?),
            "Phi3ForCausalLM" => Model::Phi3(phi3::Model::new(&self.parse(fields)?, from)?),
            "StableLmForCausalLM" => {
                Model::StableLm(stable_lm::Model::new(&self.parse(fields)?, from)?)
            }
            "OlmoForCausalLM" => Model::Olmo(olmo::Model::new(&self.parse(fields)?, from)?),
            "Olmo2ForCausalLM" => Model::Olmo2(olmo2::Model::new(&self.parse(fields)?, from)?),
            "Starcoder2ForCausalLM" => {
                Model::Starcoder2(starcoder2::Model::new(&self.parse(fields)?, from)?)
            }
            "GPTBigCodeForCausalLM" => {
                Model::BigCode(Box::new(bigcode::GPTBigCode::load(from, self.big_code())?))
            }
            _ => Model::SmolLm3(smollm3::ModelForCausalLM::new(&self.parse(fields)?, from)?),
        })
    }

    /// The configuration as candle-transformers reads it.
    fn parse<C: DeserializeOwned>(&self, fields: &BTreeMap<&'static str, Value>) -> Result<C> {
        let mut fields = fields.clone();
        fields.insert("max_position_embeddings", json!(self.positions));
        serde_json::from_value(json!(fields)).map_err(|error| Error::Msg(error.to_string()))
    }

    fn big_code(&self) -> bigcode::Config {
        let eps = self.shape.fields.get("layer_norm_epsilon").and_then(Value::as_f64);
        bigcode::Config {
            vocab_size: self.shape.vocab,
            max_position_embeddings: self.positions,
            num_hidden_layers: self.shape.layers,
            hidden_size: self.shape.hidden,
            layer_norm_epsilon: eps.unwrap_or(1e-5),
            n_inner: Some(self.shape.intermediate),
            num_attention_heads: self.shape.heads,
            multi_query: true,
            use_cache: true,
        }
    }
}

/// The weights as a model asks for them.
struct View<'a> {
    tensors: &'a HashMap<String, Tensor>,
    positions: usize,
}

impl SimpleBackend for View<'_> {
    fn get(
        &self,
        shape: Shape,
        name: &str,
        _: candle_nn::Init,
        dtype: DType,
        device: &Device,
    ) -> Result<Tensor> {
        let mut tensor = self.get_unchecked(name, dtype, device)?;
        // Learnt positions: no more than are needed.
        if name.ends_with("wpe.weight") && tensor.dims().first() > Some(&self.positions) {
            tensor = tensor.narrow(0, 0, self.positions)?;
        }
        if *tensor.shape() != shape {
            return Err(Error::Msg(format!(
                "model.safetensors: expected {name} to have the shape {shape:?}, found {:?}",
                tensor.dims()
            )));
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        let missing = || Error::Msg(format!("model.safetensors: the tensor {name} is missing"));
        self.tensors.get(name).cloned().ok_or_else(missing)
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }
}

/// A model with what it has read.
enum Model {
    Phi(phi::Model),
    Phi3(phi3::Model),
    StableLm(stable_lm::Model),
    Olmo(olmo::Model),
    Olmo2(olmo2::Model),
    Starcoder2(starcoder2::Model),
    BigCode(Box<bigcode::GPTBigCode>),
    SmolLm3(smollm3::ModelForCausalLM),
}

impl Model {
    /// Reads tokens `[B][T]` behind as many as it has read; logits of the last, `[B][V]` with a
    /// dimension of one between in some.
    fn forward(&mut self, ids: &Tensor, position: usize) -> Result<Tensor> {
        match self {
            Self::Phi(model) => model.forward(ids),
            Self::Phi3(model) => model.forward(ids, position),
            Self::StableLm(model) => model.forward(ids, position),
            Self::Olmo(model) => model.forward(ids, position),
            Self::Olmo2(model) => model.forward(ids, position),
            Self::Starcoder2(model) => model.forward(ids, position),
            Self::BigCode(model) => model.forward(ids, position),
            Self::SmolLm3(model) => model.forward(ids, position),
        }
    }
}

/// Rows of a model.
pub struct Streams<W> {
    weights: W,
    batch: usize,
    model: Model,
    /// Tokens that each row has read.
    length: usize,
}

impl<W: AsRef<Weights>> Streams<W> {
    pub fn new(weights: W, batch: usize) -> Result<Self> {
        let model = weights.as_ref().model()?;
        Ok(Self { weights, batch, model, length: 0 })
    }

    fn forward(&mut self, ids: &[u32]) -> Result<Tensor> {
        let Weights { shape, device, .. } = self.weights.as_ref();
        let length = ids.len() / self.batch;
        let ids = Tensor::from_slice(ids, (self.batch, length), device)?;
        let logits = self.model.forward(&ids, self.length)?;
        self.length += length;
        logits.reshape((self.batch, shape.vocab))
    }
}

impl<W: AsRef<Weights> + Send> Network for Streams<W> {
    fn prime(&mut self, ids: &[u32]) -> Result<Tensor> {
        self.model = self.weights.as_ref().model()?;
        self.length = 0;
        self.forward(ids)
    }

    fn step(&mut self, ids: &[u32], position: usize) -> Result<Tensor> {
        if position != self.length {
            return Err(Error::Msg(format!(
                "expected a step at position {}, found {position}",
                self.length
            )));
        }
        self.forward(ids)
    }
}

/// Bytes that the caches of so many rows need, and a pass over `keep` tokens.
pub fn memory(shape: &Other, batch: u64, limit: u64, keep: u64) -> u64 {
    let wide = |n: usize| n as u128;
    let (batch, limit, keep) = (u128::from(batch), u128::from(limit), u128::from(keep));
    let head = wide(shape.hidden / shape.heads);
    let cache = 2 * wide(shape.layers) * batch * limit * wide(shape.kv_heads) * head;
    // Of the layer that is computed: what it had and has, and again for each head of a group.
    let copies = 4 * batch * limit * (wide(shape.kv_heads) + wide(shape.heads)) * head;
    let scores = 3 * batch * wide(shape.heads) * (keep * keep).max(limit);
    let inner = 4 * batch * keep * wide(shape.intermediate.max(shape.hidden));
    // Of each layer, and a mask of bytes of all positions.
    let tables = 6 * wide(shape.layers) * limit * head + limit * limit;
    let numbers = cache + copies + scores + inner + tables + 4 * batch * wide(shape.vocab);
    u64::try_from(numbers.saturating_mul(4)).unwrap_or(u64::MAX)
}
