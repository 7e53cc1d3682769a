//! The tensors of a model as a list of names, types and shapes.

use super::weights::{Layer, Matrix, Norm, Weights};

/// A tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Tensor<'a> {
    /// `[outputs][inputs]`
    Int8 { values: &'a [i8], outputs: usize, inputs: usize },
    /// `[length]`
    Float(&'a [f32]),
}

impl Tensor<'_> {
    /// How many elements it has.
    pub fn len(&self) -> usize {
        match self {
            Self::Int8 { values, .. } => values.len(),
            Self::Float(values) => values.len(),
        }
    }

    /// Whether it has no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Weights {
    /// All tensors that the arithmetic uses, with their names in `model.safetensors`, sorted by
    /// name.
    pub fn tensors(&self) -> Vec<(String, Tensor<'_>)> {
        let mut list = List { tensors: Vec::new(), prefix: String::new() };
        list.matrix("emb", &self.emb);
        list.norm("ln_out", &self.ln_out);
        list.matrix("head", &self.head);
        for (i, layer) in self.layers.iter().enumerate() {
            list.layer(i, layer);
        }
        let mut tensors = list.tensors;
        tensors.sort_by(|a, b| a.0.cmp(&b.0));
        tensors
    }

    /// How many trained numbers the model has; the scales of matrices follow from them and are not
    /// counted.
    pub fn parameters(&self) -> usize {
        self.tensors()
            .iter()
            .filter(|(name, _)| !name.ends_with(".scale"))
            .map(|(_, tensor)| tensor.len())
            .sum()
    }
}

struct List<'a> {
    tensors: Vec<(String, Tensor<'a>)>,
    prefix: String,
}

impl<'a> List<'a> {
    fn push(&mut self, name: &str, tensor: Tensor<'a>) {
        self.tensors.push((format!("{}{name}", self.prefix), tensor));
    }

    fn matrix(&mut self, name: &str, matrix: &'a Matrix) {
        let Matrix { weight, scale, outputs, inputs } = matrix;
        self.push(
            &format!("{name}.weight"),
            Tensor::Int8 { values: weight, outputs: *outputs, inputs: *inputs },
        );
        self.push(&format!("{name}.scale"), Tensor::Float(scale));
    }

    fn norm(&mut self, name: &str, norm: &'a Norm) {
        self.push(&format!("{name}.weight"), Tensor::Float(&norm.weight));
        self.push(&format!("{name}.bias"), Tensor::Float(&norm.bias));
    }

    fn layer(&mut self, number: usize, layer: &'a Layer) {
        let Layer { ln1, att, ln2, ffn } = layer;
        self.prefix = format!("blocks.{number}.");
        self.norm("ln1", ln1);
        self.norm("ln2", ln2);
        self.prefix = format!("blocks.{number}.att.");
        self.norm("ln_x", &att.ln_x);
        let vectors = [
            ("x_r", &att.x_r),
            ("x_w", &att.x_w),
            ("x_k", &att.x_k),
            ("x_v", &att.x_v),
            ("x_a", &att.x_a),
            ("x_g", &att.x_g),
            ("w0", &att.w0),
            ("a0", &att.a0),
            ("k_k", &att.k_k),
            ("k_a", &att.k_a),
            ("r_k", &att.r_k),
        ];
        let matrices = [
            ("receptance", &att.receptance),
            ("key", &att.key),
            ("value", &att.value),
            ("output", &att.output),
            ("w1", &att.w1),
            ("w2", &att.w2),
            ("a1", &att.a1),
            ("a2", &att.a2),
            ("g1", &att.g1),
            ("g2", &att.g2),
        ];
        vectors.iter().for_each(|(name, vector)| self.push(name, Tensor::Float(vector)));
        matrices.iter().for_each(|(name, matrix)| self.matrix(name, matrix));
        if let Some(mix) = &att.value_mix {
            self.push("v0", Tensor::Float(&mix.v0));
            self.matrix("v1", &mix.v1);
            self.matrix("v2", &mix.v2);
        }
        self.prefix = format!("blocks.{number}.ffn.");
        self.push("x_k", Tensor::Float(&ffn.x_k));
        self.matrix("key", &ffn.key);
        self.matrix("value", &ffn.value);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::convert::Infallible;

    use super::super::config::Config;
    use super::super::weights::Source;
    use super::*;

    /// Makes tensors of zeros and remembers which.
    #[derive(Default)]
    struct Record(HashMap<String, Vec<usize>>);

    impl Source for Record {
        type Matrix = Matrix;
        type Error = Infallible;

        fn vector(&mut self, name: &str, length: usize) -> Result<Vec<f32>, Infallible> {
            assert_eq!(self.0.insert(name.to_owned(), vec![length]), None, "{name} twice");
            Ok(vec![0.0; length])
        }

        fn matrix(
            &mut self,
            name: &str,
            outputs: usize,
            inputs: usize,
        ) -> Result<Matrix, Infallible> {
            self.0.insert(format!("{name}.weight"), vec![outputs, inputs]);
            let scale = self.vector(&format!("{name}.scale"), outputs)?;
            Ok(Matrix { weight: vec![0; outputs * inputs], scale, outputs, inputs })
        }
    }

    /// The list has what a source is asked for: no tensor can be used and left out of the model's
    /// identity.
    #[test]
    fn the_list_is_complete() {
        let mut record = Record::default();
        let Ok(weights) = Weights::from_source(&Config::new(3, 64, 300), &mut record);
        for (name, tensor) in weights.tensors() {
            let shape = match tensor {
                Tensor::Int8 { outputs, inputs, .. } => vec![outputs, inputs],
                Tensor::Float(values) => vec![values.len()],
            };
            assert_eq!(record.0.remove(&name), Some(shape), "{name}");
        }
        assert!(record.0.is_empty(), "{:?}", record.0);
    }
}
