//! A model folder's files to checked [`Weights`], or to a [`Network`].
//!
//! Nothing in the files is trusted: what is missing, of another shape, not finite or contradictory
//! is an error that says so, and memory is taken only for tensors that are there.

use std::collections::HashMap;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::config::{Config, ConfigJson};
use super::engine::Network;
use super::error::ModelError;
use super::weights::{Matrix, Source, Weights};
use crate::exact::fpstate::Exact;
use crate::exact::kernel::{Int8Rows, Kernel};
use crate::vocab::{START, Vocabulary};

/// From the bytes of `config.json` and `model.safetensors`.
pub(super) fn weights(fp: Exact, config: &[u8], tensors: &[u8]) -> Result<Weights, ModelError> {
    all(fp, config, tensors, |config, file| Weights::from_source(config, &mut Copied(file)))
}

/// The same, packed for a kernel at once, without the way over [`Weights`].
pub(super) fn network(
    fp: Exact,
    config: &[u8],
    tensors: &[u8],
    vocabulary: &Vocabulary,
    kernel: Kernel,
) -> Result<Network, ModelError> {
    all(fp, config, tensors, |config, file| {
        check_vocabulary(vocabulary, config)?;
        let emb = file.matrix("emb", config.vocab, config.hidden)?.to_matrix();
        Network::from_source(config, emb, file, vocabulary, kernel)
    })
}

/// Checks that a vocabulary is that of tensors of this shape.
pub(super) fn check_vocabulary(vocabulary: &Vocabulary, config: &Config) -> Result<(), ModelError> {
    if vocabulary.len() != config.vocab {
        let (expected, found) = (config.vocab, vocabulary.len());
        let message = format!(
            "the tensors have {expected} tokens, vocab.txt {found}: they are not of one model"
        );
        return Err(ModelError::Shape(message));
    }
    if !vocabulary.token(START).is_empty() {
        let found = vocabulary.token(START).escape_ascii();
        let message = format!(
            "vocab.txt: expected an empty first line (token 0 begins a document), found {found}"
        );
        return Err(ModelError::Shape(message));
    }
    Ok(())
}

/// What is made of all tensors of a file.
fn all<T>(
    fp: Exact,
    config: &[u8],
    tensors: &[u8],
    make: impl FnOnce(&Config, &mut Tensors) -> Result<T, ModelError>,
) -> Result<T, ModelError> {
    let stated = ConfigJson::parse(fp, config)?;
    let file =
        SafeTensors::deserialize(tensors).map_err(|e| ModelError::Container(e.to_string()))?;
    let mut file =
        Tensors { tensors: file.iter().map(|(name, view)| (name.to_owned(), view)).collect() };
    let config = file.config(&stated)?;
    config.check()?;
    stated.agrees(&config)?;
    let made = make(&config, &mut file)?;
    file.tensors.retain(|name, _| !UNUSED.contains(&name.as_str()));
    match file.tensors.keys().min() {
        Some(name) => Err(ModelError::Unexpected { name: name.clone() }),
        None => Ok(made),
    }
}

/// Checkpoints may have these, but layer 0 does not use them.
const UNUSED: [&str; 5] = [
    "blocks.0.att.v0",
    "blocks.0.att.v1.weight",
    "blocks.0.att.v1.scale",
    "blocks.0.att.v2.weight",
    "blocks.0.att.v2.scale",
];

/// The tensors of a file that have not been taken yet.
struct Tensors<'a> {
    tensors: HashMap<String, TensorView<'a>>,
}

impl<'a> Tensors<'a> {
    /// The shape of the model, from the shapes of its tensors.
    fn config(&self, stated: &ConfigJson) -> Result<Config, ModelError> {
        let (vocab, hidden) = self.matrix_shape("emb.weight")?;
        let number =
            |name: &String| name.strip_prefix("blocks.")?.split('.').next()?.parse::<u16>().ok();
        let layers =
            self.tensors.keys().filter_map(number).max().map_or(0, |last| usize::from(last) + 1);
        let outputs = |name: &str| Ok::<_, ModelError>(self.matrix_shape(name)?.0);
        // The official checkpoints have r_k as [H][N].
        let r_k = self.find("blocks.0.att.r_k")?.shape();
        let head_size = match (stated.head_dim, r_k) {
            (Some(stated), _) => stated,
            (None, [_, head_size]) => *head_size,
            (None, _) => {
                return Err(ModelError::Config("expected the field head_dim, found none".into()));
            }
        };
        Ok(Config {
            activations: stated.activations()?,
            hidden,
            layers,
            head_size,
            vocab,
            intermediate: outputs("blocks.0.ffn.key.weight")?,
            decay_rank: outputs("blocks.0.att.w1.weight")?,
            a_rank: outputs("blocks.0.att.a1.weight")?,
            v_rank: if layers > 1 {
                outputs("blocks.1.att.v1.weight")?
            } else {
                stated.v_low_rank_dim.unwrap_or(0)
            },
            gate_rank: outputs("blocks.0.att.g1.weight")?,
        })
    }

    fn find(&self, name: &str) -> Result<&TensorView<'a>, ModelError> {
        self.tensors.get(name).ok_or_else(|| ModelError::Missing { name: name.to_owned() })
    }

    fn matrix_shape(&self, name: &str) -> Result<(usize, usize), ModelError> {
        let tensor = self.find(name)?;
        match tensor.shape() {
            [outputs, inputs] => Ok((*outputs, *inputs)),
            _ => Err(ModelError::Tensor {
                name: name.to_owned(),
                expected: "a matrix".into(),
                found: describe(tensor.dtype(), tensor.shape()),
            }),
        }
    }

    /// Takes a tensor's bytes if it has this type and a shape that `fits`.
    fn take(
        &mut self,
        name: &str,
        dtype: Dtype,
        shape: &[usize],
        fits: impl Fn(&[usize]) -> bool,
    ) -> Result<&'a [u8], ModelError> {
        let tensor = self.find(name)?;
        if tensor.dtype() != dtype || !fits(tensor.shape()) {
            return Err(ModelError::Tensor {
                name: name.to_owned(),
                expected: describe(dtype, shape),
                found: describe(tensor.dtype(), tensor.shape()),
            });
        }
        let data = tensor.data();
        self.tensors.remove(name);
        Ok(data)
    }

    /// A tensor of finite f32. The last of its dimensions may be split (`[H][N]`), and it may have
    /// others of 1.
    fn floats(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        let fits = |shape: &[usize]| {
            let all = shape.iter().try_fold(1usize, |all, n| all.checked_mul(*n));
            all == Some(length)
                && (shape.iter().filter(|n| **n != 1).count() <= 1 || name.ends_with(".r_k"))
        };
        let data = self.take(name, Dtype::F32, &[length], fits)?;
        let values: Vec<f32> =
            data.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
        match values.iter().position(|x| !x.is_finite()) {
            None => Ok(values),
            Some(position) => Err(ModelError::Value {
                name: name.to_owned(),
                expected: "finite numbers",
                found: values[position].to_string(),
                position,
            }),
        }
    }
}

/// A matrix whose weights are still in the file.
pub(super) struct Stored<'a> {
    weight: &'a [u8],
    scale: Vec<f32>,
    outputs: usize,
    inputs: usize,
}

impl Int8Rows for Stored<'_> {
    type Weight = u8;

    fn shape(&self) -> (usize, usize) {
        (self.outputs, self.inputs)
    }

    fn row(&self, output: usize) -> &[u8] {
        &self.weight[output * self.inputs..][..self.inputs]
    }

    fn scale(&self) -> &[f32] {
        &self.scale
    }

    fn int8(weight: u8) -> i8 {
        weight as i8
    }
}

impl Stored<'_> {
    /// A copy of it.
    pub fn to_matrix(&self) -> Matrix {
        let weight = self.weight.iter().map(|b| *b as i8).collect();
        let Self { outputs, inputs, .. } = *self;
        Matrix { weight, scale: self.scale.clone(), outputs, inputs }
    }
}

impl<'a> Source for Tensors<'a> {
    type Matrix = Stored<'a>;
    type Error = ModelError;

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        self.floats(name, length)
    }

    fn matrix(
        &mut self,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<Stored<'a>, ModelError> {
        let (weight_name, scale_name) = (format!("{name}.weight"), format!("{name}.scale"));
        let shape = [outputs, inputs];
        let weight = self.take(&weight_name, Dtype::I8, &shape, |found| found == shape)?;
        // Seldom there: looked for first, which is ten times as fast as asking where.
        if weight.contains(&0x80) {
            return Err(ModelError::Value {
                name: weight_name,
                expected: "int8 in [-127, 127]",
                found: "-128".into(),
                position: weight.iter().position(|b| *b == 0x80).unwrap_or(0),
            });
        }
        Ok(Stored { weight, scale: self.floats(&scale_name, outputs)?, outputs, inputs })
    }
}

/// Tensors that are copied out of the file.
struct Copied<'t, 'a>(&'t mut Tensors<'a>);

impl Source for Copied<'_, '_> {
    type Matrix = Matrix;
    type Error = ModelError;

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        self.0.vector(name, length)
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, ModelError> {
        Ok(self.0.matrix(name, outputs, inputs)?.to_matrix())
    }
}

/// A type and a shape, as in `F32 [192]`.
fn describe(dtype: Dtype, shape: &[usize]) -> String {
    format!("{dtype:?} {shape:?}")
}
