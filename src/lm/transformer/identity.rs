//! What a transformer is known by: a hash of everything that its output depends on, whatever file it
//! came from. The bytes that are hashed are in docs/ARITHMETIC.md, section 2.7.

use super::config::{Config, Gate};
use super::weights::{Layer, Linear};
use crate::exact::wide::GroupedMatrix as Matrix;
use crate::lm::rwkv7::Identity;
use crate::vocab::Vocabulary;

/// The version of the arithmetic.
const VERSION: u32 = 2;

/// A hash of a model's parts, which come one after the other.
pub struct Hasher(blake3::Hasher);

impl Hasher {
    /// Begins with the shape and the tokens.
    pub fn new(config: &Config, vocabulary: &Vocabulary) -> Self {
        let mut out = Self(blake3::Hasher::new());
        out.0.update(b"lmz-transformer");
        let gate = match config.gate {
            Gate::Silu => 1,
            Gate::Gelu => 2,
        };
        let numbers = [
            VERSION,
            config.heads as u32,
            config.kv_heads as u32,
            config.head_size as u32,
            gate,
            config.window as u32,
            config.longest as u32,
        ];
        numbers.iter().for_each(|number| out.number(*number));
        let caps = [config.score_cap, config.logit_cap].map(|cap| cap.unwrap_or(0.0));
        let floats = [config.epsilon, config.embedding_scale, config.query_scale, caps[0], caps[1]];
        floats.iter().for_each(|float| out.number(float.to_bits()));
        out.number(config.layers() as u32);
        config.local.iter().for_each(|local| out.number(u32::from(*local)));
        for frequency in config.rotary.iter().flatten() {
            out.0.update(&frequency.to_bits().to_le_bytes());
        }
        out.number(config.absent.len() as u32);
        config.absent.iter().for_each(|token| out.number(*token));
        out.number(vocabulary.len() as u32);
        for token in 0..vocabulary.len() as u32 {
            out.string(vocabulary.token(token));
        }
        out
    }

    fn number(&mut self, number: u32) {
        self.0.update(&number.to_le_bytes());
    }

    fn string(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u32);
        self.0.update(bytes);
    }

    /// Adds a matrix: 1, outputs, inputs, int8 row by row, scales.
    pub fn matrix(&mut self, matrix: &Matrix) {
        [1, matrix.outputs as u32, matrix.inputs as u32].iter().for_each(|n| self.number(*n));
        let mut buffer = Vec::new();
        for part in matrix.weight.chunks(1 << 14) {
            buffer.clear();
            buffer.extend(part.iter().map(|x| *x as u8));
            self.0.update(&buffer);
        }
        self.floats(&matrix.scale);
    }

    /// Adds a vector: 2, its length, its numbers; or 0 for one that is not there.
    pub fn vector(&mut self, vector: Option<&[f32]>) {
        self.number(if vector.is_some() { 2 } else { 0 });
        if let Some(vector) = vector {
            self.number(vector.len() as u32);
            self.floats(vector);
        }
    }

    fn floats(&mut self, floats: &[f32]) {
        let mut buffer = Vec::new();
        for part in floats.chunks(1 << 12) {
            buffer.clear();
            buffer.extend(part.iter().flat_map(|x| x.to_le_bytes()));
            self.0.update(&buffer);
        }
    }

    /// Adds a layer.
    pub fn layer(&mut self, layer: &Layer) {
        self.vector(Some(&layer.input_norm));
        let attention = &layer.attention;
        for Linear { matrix, bias } in
            [&attention.query, &attention.key, &attention.value, &attention.output]
        {
            self.matrix(matrix);
            self.vector(bias.as_deref());
        }
        let norms = attention.head_norms.as_ref();
        (0..2).for_each(|which| self.vector(norms.map(|norms| &norms[which][..])));
        self.vector(layer.attention_norm.as_deref());
        self.vector(Some(&layer.inner_norm));
        [&layer.gate, &layer.up, &layer.down].iter().for_each(|matrix| self.matrix(matrix));
        self.vector(layer.outer_norm.as_deref());
    }

    /// The identity, once all has been added, and last what context mixing begins with beside the
    /// model, if it has something of its own.
    pub fn finish(mut self, mixer: Option<&[u8]>) -> Identity {
        self.number(mixer.iter().len() as u32);
        if let Some(mixer) = mixer {
            self.string(mixer);
        }
        Identity(self.0.finalize().into())
    }
}
