//! The exact engine's RWKV-7 against candle's own.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::rwkv_v7;
use lmz::lm::rwkv7::{Model, Oracle};

fn folder(layout: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../tests/golden/checkpoint")
        .join(layout)
}

/// The reference tensors, in float32. candle wants parameters of layer 0 that the model does not
/// have.
fn tensors() -> HashMap<String, Tensor> {
    let file = folder("reference/model.safetensors");
    let mut tensors = candle_core::safetensors::load(file, &Device::Cpu).unwrap();
    for name in ["v0", "v1", "v2"] {
        let like = tensors[&format!("blocks.1.att.{name}")].zeros_like().unwrap();
        tensors.insert(format!("blocks.0.att.{name}"), like);
    }
    tensors.into_iter().map(|(name, tensor)| (name, tensor.to_dtype(DType::F32).unwrap())).collect()
}

/// Weights are the same numbers on both sides but for the embedding, which the engine rounds to 8
/// bits after its norm; and the engine rounds activations to 16 bits. Of logits up to 15 that
/// leaves 0.2 at most, 0.04 in the root mean square.
#[test]
fn logits_are_those_of_candle() {
    let config = rwkv_v7::Config {
        version: rwkv_v7::ModelVersion::V7,
        vocab_size: 320,
        hidden_size: 64,
        num_hidden_layers: 2,
        head_size: 64,
        intermediate_size: Some(128),
        rescale_every: 0,
    };
    let builder = VarBuilder::from_tensors(tensors(), DType::F32, &Device::Cpu);
    let candle = rwkv_v7::Model::new(&config, builder).unwrap();
    let mut state = rwkv_v7::State::new(&config, &Device::Cpu).unwrap();
    let model = Model::open(&folder("reference")).unwrap();
    let mut oracle = Oracle::new(model.weights());
    let (mut largest, mut squares, mut count, mut top) = (0f32, 0f64, 0, 0f32);
    for token in std::iter::once(0)
        .chain(model.vocabulary().segment(b"Some text, and the rest of it: caf\xc3\xa9!"))
    {
        let input = Tensor::new(&[[token]], &Device::Cpu).unwrap();
        let expected: Vec<f32> =
            candle.forward(&input, &mut state, &[token]).unwrap().to_vec1().unwrap();
        for (found, expected) in oracle.step(token).iter().zip(&expected) {
            let difference = (found - expected).abs();
            largest = largest.max(difference);
            squares += f64::from(difference * difference);
            count += 1;
            top = top.max(expected.abs());
        }
    }
    let root = (squares / f64::from(count)).sqrt();
    println!("largest logit {top}, largest difference {largest}, root mean square {root}");
    assert!(top > 10.0, "the model says something: {top}");
    assert!(largest < 0.2 && root < 0.04, "{largest} {root}");
}
