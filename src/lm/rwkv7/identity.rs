//! What a model is known by: a hash of everything that its output depends on, whatever file it came
//! from. The bytes that are hashed are in docs/ARITHMETIC.md, section 7.

use std::fmt;

use super::tensors::Tensor;
use super::weights::Weights;
use crate::exact::{Activations, VERSION};
use crate::vocab::{START, Vocabulary};

/// The BLAKE3 hash of a model in canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Identity(pub [u8; 32]);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Greedy segmentation, the only kind so far.
const GREEDY: u32 = 1;

impl Identity {
    /// The identity of weights, the vocabulary that goes with them, and `mixer.bin` where there is
    /// one.
    pub fn new(weights: &Weights, vocabulary: &Vocabulary, mixer: Option<&[u8]>) -> Self {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"lmz-rwkv7");
        let activations = match weights.config.activations {
            Activations::Int8 => 8,
            Activations::Int16 => 16,
        };
        for number in [VERSION, activations, weights.config.head_size as u32, START, GREEDY] {
            hasher.update(&number.to_le_bytes());
        }
        length(&mut hasher, vocabulary.len());
        for token in 0..vocabulary.len() as u32 {
            string(&mut hasher, vocabulary.token(token));
        }
        let tensors = weights.tensors();
        length(&mut hasher, tensors.len());
        for (name, tensor) in tensors {
            string(&mut hasher, name.as_bytes());
            add(&mut hasher, tensor);
        }
        // Further parts of a model.
        length(&mut hasher, mixer.iter().len());
        if let Some(bytes) = mixer {
            string(&mut hasher, b"mixer.bin");
            string(&mut hasher, bytes);
        }
        Self(hasher.finalize().into())
    }
}

fn length(hasher: &mut blake3::Hasher, length: usize) {
    hasher.update(&(length as u32).to_le_bytes());
}

fn string(hasher: &mut blake3::Hasher, bytes: &[u8]) {
    length(hasher, bytes.len());
    hasher.update(bytes);
}

/// A type (1 int8, 2 f32), the number of dimensions, the dimensions, the elements.
fn add(hasher: &mut blake3::Hasher, tensor: Tensor) {
    let mut buffer = Vec::new();
    match tensor {
        Tensor::Int8 { values, outputs, inputs } => {
            hasher.update(&[1]);
            length(hasher, 2);
            hasher.update(&(outputs as u64).to_le_bytes());
            hasher.update(&(inputs as u64).to_le_bytes());
            for part in values.chunks(1 << 14) {
                buffer.clear();
                buffer.extend(part.iter().map(|x| *x as u8));
                hasher.update(&buffer);
            }
        }
        Tensor::Float(values) => {
            hasher.update(&[2]);
            length(hasher, 1);
            hasher.update(&(values.len() as u64).to_le_bytes());
            for part in values.chunks(1 << 12) {
                buffer.clear();
                buffer.extend(part.iter().flat_map(|x| x.to_le_bytes()));
                hasher.update(&buffer);
            }
        }
    }
}
