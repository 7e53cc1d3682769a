//! RWKV-7 checkpoints as their authors publish them, in floating point, to the engine's tensors.
//!
//! Comes in: a folder of the Hugging Face hub, its tensors by the names of the reference code or those of `transformers`. Goes
//! out: the [`Weights`] that the engine computes with, quantised by the rule of docs/ARITHMETIC.md, section 8, so that a
//! checkpoint is the same model wherever it is loaded, and its archives decode anywhere.

use std::collections::HashMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::Deserialize;

use super::config::Config;
use super::error::ModelError;
use super::weights::{Matrix, Source, Weights};
use crate::exact::{Activations, fpstate, layer_norm, quantise};
use crate::vocab::Vocabulary;

/// What `config.json` says of such a checkpoint.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Stated {
    model_type: Option<String>,
    head_dim: Option<usize>,
    norm_eps: Option<f64>,
    #[serde(default)]
    tie_word_embeddings: bool,
}

impl Stated {
    /// Nothing if the file is of another kind.
    pub fn parse(json: &[u8]) -> Option<Self> {
        let stated: Self = serde_json::from_slice(json).ok()?;
        (stated.model_type.as_deref() == Some("rwkv7")).then_some(stated)
    }
}

/// A checkpoint's files.
pub(super) struct Files {
    /// `model.safetensors`, or the files that `model.safetensors.index.json` names.
    tensors: Vec<Vec<u8>>,
    vocabulary: Vec<u8>,
}

/// Where `model.safetensors.index.json` says that tensors are.
#[derive(Deserialize)]
struct Index {
    weight_map: HashMap<String, String>,
}

const TENSORS: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// The vocabulary of the "World" models.
const WORLD: &str = "rwkv_vocab_v20230424.txt";

impl Files {
    /// Reads the files of a folder.
    pub fn read(folder: &Path) -> Result<Self, ModelError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|source| ModelError::Checkpoint { path, source })
        };
        let names = if folder.join(TENSORS).exists() {
            vec![TENSORS.to_owned()]
        } else {
            let index: Index =
                serde_json::from_slice(&read(INDEX)?).map_err(|e| ModelError::Container(format!("{INDEX}: {e}")))?;
            let mut names: Vec<String> = index.weight_map.into_values().collect();
            names.sort_unstable();
            names.dedup();
            if let Some(name) = names.iter().find(|name| name.contains(['/', '\\'])) {
                return Err(ModelError::Container(format!("{INDEX}: expected names of files, found {name}")));
            }
            names
        };
        let tensors = names.iter().map(|name| read(name)).collect::<Result<_, _>>()?;
        Ok(Self { tensors, vocabulary: read(WORLD)? })
    }

    /// How many bytes they have.
    pub fn stored(&self) -> usize {
        self.tensors.iter().map(Vec::len).sum::<usize>() + self.vocabulary.len()
    }

    /// The model in them.
    pub fn model(&self, stated: &Stated) -> Result<(Weights, Vocabulary), ModelError> {
        let files = self.tensors.iter().map(|file| SafeTensors::deserialize(file));
        let files: Vec<SafeTensors> =
            files.collect::<Result<_, _>>().map_err(|e| ModelError::Container(e.to_string()))?;
        let tensors: HashMap<String, TensorView> =
            files.iter().flat_map(|file| file.iter().map(|(name, view)| (name.to_owned(), view))).collect();
        let layout =
            if tensors.contains_key("model.embeddings.weight") { Layout::Transformers } else { Layout::Reference };
        let mut checkpoint = Checkpoint { tensors, layout };
        let config = checkpoint.config(stated)?;
        config.check()?;
        let vocabulary = Vocabulary::parse_world(&self.vocabulary, config.vocab)?;
        let weights = fpstate::exact(|| Weights::from_source(&config, &mut checkpoint))?;
        Ok((weights, vocabulary))
    }
}

/// Whose names the tensors have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Layout {
    /// The reference code's: those of the engine, with low-rank matrices `[inputs][outputs]`.
    Reference,
    /// Those of `transformers`.
    Transformers,
}

/// A tensor in a checkpoint: its name, and whether it is `[inputs][outputs]`.
struct Place {
    name: String,
    transposed: bool,
}

impl Layout {
    /// Where the engine's matrix or vector of this name is.
    fn place(self, name: &str) -> Place {
        let low_rank = |part: &str| matches!(part, "w1" | "w2" | "a1" | "a2" | "v1" | "v2" | "g1" | "g2");
        let part = name.rsplit('.').next().unwrap_or(name);
        let plain = |name: String| Place { name, transposed: false };
        if self == Self::Reference {
            return match part {
                _ if low_rank(part) => Place { name: name.to_owned(), transposed: true },
                "emb" | "head" | "receptance" | "key" | "value" | "output" => plain(format!("{name}.weight")),
                _ => plain(name.to_owned()),
            };
        }
        let Some((layer, rest)) = name.strip_prefix("blocks.").and_then(|rest| rest.split_once('.')) else {
            return plain(match name {
                "emb" => "model.embeddings.weight".to_owned(),
                "head" => "lm_head.weight".to_owned(),
                _ => name.replace("ln_out", "model.norm"),
            });
        };
        let of_layer = |rest: String| plain(format!("model.layers.{layer}.{rest}"));
        if let Some(part) = rest.strip_prefix("att.") {
            let lora = |suffix: &str| of_layer(format!("attn.{}_lora.lora.{suffix}", &part[..1]));
            return match part {
                "w1" | "a1" | "v1" | "g1" => lora("0.weight"),
                "w2" | "a2" | "v2" | "g2" => lora("2.weight"),
                "w0" | "a0" | "v0" => lora("2.bias"),
                "receptance" => of_layer("attn.r_proj.weight".into()),
                "key" => of_layer("attn.k_proj.weight".into()),
                "value" => of_layer("attn.v_proj.weight".into()),
                "output" => of_layer("attn.o_proj.weight".into()),
                _ => of_layer(format!("attn.{}", part.replace("ln_x", "g_norm"))),
            };
        }
        of_layer(match rest {
            "ffn.key" | "ffn.value" => format!("{rest}.weight"),
            _ => rest.replace("ln0", "pre_norm").replace("ln1", "attn_norm").replace("ln2", "ffn_norm"),
        })
    }
}

struct Checkpoint<'a> {
    tensors: HashMap<String, TensorView<'a>>,
    layout: Layout,
}

impl Checkpoint<'_> {
    /// The shape of the model, from the shapes of its tensors.
    fn config(&self, stated: &Stated) -> Result<Config, ModelError> {
        let number = |name: &String| {
            let rest = name.strip_prefix("blocks.").or(name.strip_prefix("model.layers."))?;
            rest.split('.').next()?.parse::<u16>().ok()
        };
        let layers = self.tensors.keys().filter_map(number).max().map_or(0, |last| usize::from(last) + 1);
        let outputs = |name: &str| Ok::<_, ModelError>(self.shape(name)?.0);
        let (vocab, hidden) = self.shape("emb")?;
        let head_size = match stated.head_dim {
            Some(head_size) => head_size,
            // The reference code has r_k as [H][N].
            None => self.find("blocks.0.att.r_k")?.1.shape().last().copied().unwrap_or(0),
        };
        let wrong = |message: String| Err(ModelError::Config(message));
        if stated.tie_word_embeddings {
            return wrong("expected an embedding and a head of their own, found tie_word_embeddings".into());
        }
        // The arithmetic has both epsilons built in; that of the heads' norm is the other one's times their size.
        if stated.norm_eps.is_some_and(|eps| eps as f32 != 1e-5) || head_size != 64 {
            let eps = stated.norm_eps.unwrap_or(1e-5);
            return wrong(format!("expected head_dim 64 and norm_eps 0.00001, found {head_size} and {eps}"));
        }
        Ok(Config {
            activations: Activations::Int16,
            hidden,
            layers,
            head_size,
            vocab,
            intermediate: outputs("blocks.0.ffn.key")?,
            decay_rank: outputs("blocks.0.att.w1")?,
            a_rank: outputs("blocks.0.att.a1")?,
            v_rank: if layers > 1 { outputs("blocks.1.att.v1")? } else { 0 },
            gate_rank: outputs("blocks.0.att.g1")?,
        })
    }

    /// A tensor by the engine's name, with its place.
    fn find(&self, name: &str) -> Result<(Place, &TensorView<'_>), ModelError> {
        let place = self.layout.place(name);
        match self.tensors.get(&place.name) {
            Some(tensor) => Ok((place, tensor)),
            None => Err(ModelError::Missing { name: place.name }),
        }
    }

    /// Outputs and inputs of a matrix.
    fn shape(&self, name: &str) -> Result<(usize, usize), ModelError> {
        let (place, tensor) = self.find(name)?;
        match (tensor.shape(), place.transposed) {
            ([outputs, inputs], false) | ([inputs, outputs], true) => Ok((*outputs, *inputs)),
            _ => Err(differs(place.name, "a matrix", tensor)),
        }
    }

    /// The finite numbers of a tensor, `[length]`.
    fn floats(&self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        let (Place { name, .. }, tensor) = self.find(name)?;
        if tensor.shape().iter().try_fold(1usize, |all, n| all.checked_mul(*n)) != Some(length) {
            return Err(differs(name, &format!("of {length} elements"), tensor));
        }
        let pairs = || tensor.data().as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b));
        let values: Vec<f32> = match tensor.dtype() {
            Dtype::F32 => tensor.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect(),
            Dtype::BF16 => pairs().map(|bits| f32::from_bits(u32::from(bits) << 16)).collect(),
            Dtype::F16 => pairs().map(half).collect(),
            _ => return Err(differs(name, "F32, BF16 or F16", tensor)),
        };
        match values.iter().position(|x| !x.is_finite()) {
            None => Ok(values),
            Some(position) => {
                let found = values[position].to_string();
                Err(ModelError::Value { name, expected: "finite numbers", found, position })
            }
        }
    }
}

impl Source for Checkpoint<'_> {
    type Error = ModelError;

    fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, ModelError> {
        self.floats(name, length)
    }

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<Matrix, ModelError> {
        if self.shape(name)? != (outputs, inputs) {
            let (place, tensor) = self.find(name)?;
            return Err(differs(place.name, &format!("{outputs} outputs of {inputs} inputs"), tensor));
        }
        let mut values = self.floats(name, outputs * inputs)?;
        if self.layout.place(name).transposed {
            values = (0..outputs * inputs).map(|i| values[i % inputs * outputs + i / inputs]).collect();
        }
        if name == "emb" {
            let [weight, bias] = ["weight", "bias"].map(|part| self.floats(&format!("blocks.0.ln0.{part}"), inputs));
            let (weight, bias) = (weight?, bias?);
            values = values.chunks(inputs).flat_map(|row| layer_norm(row, &weight, &bias)).collect();
        }
        let mut matrix = Matrix { weight: Vec::with_capacity(values.len()), scale: Vec::new(), outputs, inputs };
        for row in values.chunks(inputs) {
            let row = quantise(row, Activations::Int8);
            matrix.weight.extend_from_slice(&row.low);
            matrix.scale.push(row.scale);
        }
        Ok(matrix)
    }
}

fn differs(name: String, expected: &str, tensor: &TensorView) -> ModelError {
    let found = format!("{:?} {:?}", tensor.dtype(), tensor.shape());
    ModelError::Tensor { name, expected: expected.to_owned(), found }
}

/// A number of IEEE 754 binary16.
fn half(bits: u16) -> f32 {
    let (sign, exponent, fraction) = (u32::from(bits >> 15) << 31, u32::from(bits >> 10 & 31), u32::from(bits & 1023));
    let magnitude = match exponent {
        0 => fraction as f32 / (1 << 24) as f32, // exact: ten bits and a power of two
        31 => f32::from_bits(255 << 23 | fraction << 13),
        _ => f32::from_bits((exponent + 112) << 23 | fraction << 13),
    };
    f32::from_bits(sign | magnitude.to_bits())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_sixteen_bits() {
        let known =
            [(0x0000, 0.0), (0x8000, -0.0), (0x3c00, 1.0), (0xc000, -2.0), (0x7bff, 65504.0), (0x3555, 0.333_251_95)];
        for (bits, value) in known {
            assert_eq!(half(bits).to_bits(), f32::to_bits(value), "{bits:#x}");
        }
        assert_eq!(half(0x0001), 2f32.powi(-24));
        assert_eq!(half(0x03ff), 1023.0 * 2f32.powi(-24));
        assert!(half(0x7c00).is_infinite() && half(0x7e00).is_nan());
    }

    #[test]
    fn every_tensor_has_its_place_in_both_layouts() {
        let place = |layout: Layout, name| {
            let Place { name, transposed } = layout.place(name);
            (name, transposed)
        };
        for (name, reference, transposed, transformers) in [
            ("emb", "emb.weight", false, "model.embeddings.weight"),
            ("head", "head.weight", false, "lm_head.weight"),
            ("ln_out.bias", "ln_out.bias", false, "model.norm.bias"),
            ("blocks.0.ln0.weight", "blocks.0.ln0.weight", false, "model.layers.0.pre_norm.weight"),
            ("blocks.3.ln1.weight", "blocks.3.ln1.weight", false, "model.layers.3.attn_norm.weight"),
            ("blocks.3.ln2.bias", "blocks.3.ln2.bias", false, "model.layers.3.ffn_norm.bias"),
            ("blocks.3.att.w1", "blocks.3.att.w1", true, "model.layers.3.attn.w_lora.lora.0.weight"),
            ("blocks.3.att.g2", "blocks.3.att.g2", true, "model.layers.3.attn.g_lora.lora.2.weight"),
            ("blocks.3.att.v0", "blocks.3.att.v0", false, "model.layers.3.attn.v_lora.lora.2.bias"),
            ("blocks.3.att.x_g", "blocks.3.att.x_g", false, "model.layers.3.attn.x_g"),
            ("blocks.3.att.r_k", "blocks.3.att.r_k", false, "model.layers.3.attn.r_k"),
            ("blocks.3.att.output", "blocks.3.att.output.weight", false, "model.layers.3.attn.o_proj.weight"),
            ("blocks.3.att.ln_x.bias", "blocks.3.att.ln_x.bias", false, "model.layers.3.attn.g_norm.bias"),
            ("blocks.3.ffn.x_k", "blocks.3.ffn.x_k", false, "model.layers.3.ffn.x_k"),
            ("blocks.3.ffn.value", "blocks.3.ffn.value.weight", false, "model.layers.3.ffn.value.weight"),
        ] {
            assert_eq!(place(Layout::Reference, name), (reference.to_owned(), transposed), "{name}");
            assert_eq!(place(Layout::Transformers, name), (transformers.to_owned(), false), "{name}");
        }
    }
}
