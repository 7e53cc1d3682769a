//! RWKV-7 checkpoints in the two layouts in which they are published, against logits computed in
//! float32 (`scripts/train/checkpoint.py` makes both).

#[path = "common/golden_archive.rs"]
mod golden_archive;
#[path = "common/tiny.rs"]
#[expect(dead_code, reason = "other tests need more of it")]
mod tiny;

use std::path::{Path, PathBuf};

use lmz::exact::Activations;
use lmz::lm::LoadedModel;
use lmz::lm::rwkv7::{Model, Oracle, Weights};
use lmz::{DecoderOptions, EncoderOptions, Predictor};
use safetensors::SafeTensors;
use tempfile::TempDir;

fn folder(layout: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/checkpoint")).join(layout)
}

#[test]
fn both_layouts_are_the_same_model() {
    let [reference, transformers] =
        ["reference", "transformers"].map(|layout| Model::open(&folder(layout)).unwrap());
    assert_eq!(reference.weights(), transformers.weights());
    assert_eq!(reference.identity(), transformers.identity());
    assert_eq!(reference.vocabulary().len(), 320);
    assert_eq!(reference.vocabulary().token(259), "é€".as_bytes());
}

/// How far the logits are from those of PyTorch: the largest difference, and the root of the mean
/// square.
fn differences(weights: &Weights) -> (f32, f64) {
    let file = std::fs::read(folder("logits.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&file).unwrap();
    let [ids, logits] = ["ids", "logits"].map(|name| file.tensor(name).unwrap());
    let ids = ids.data().as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as u32);
    let expected: Vec<f32> =
        logits.data().as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let mut oracle = Oracle::new(weights);
    let mut largest: f32 = 0.0;
    let mut squares = 0.0;
    for (id, expected) in ids.zip(expected.chunks(320)) {
        for (found, expected) in oracle.step(id).iter().zip(expected) {
            largest = largest.max((found - expected).abs());
            squares += f64::from(found - expected).powi(2);
        }
    }
    (largest, (squares / expected.len() as f64).sqrt())
}

/// Weights and embedding are the same numbers on both sides; the engine rounds activations to 16
/// bits besides, where PyTorch keeps 24. With 8 bits, for which checkpoints are not trained, the
/// logits would be much further off.
#[test]
fn logits_are_those_of_float32() {
    let mut weights = Model::open(&folder("reference")).unwrap().weights().clone();
    assert_eq!(weights.config.activations, Activations::Int16);
    let (largest, root) = differences(&weights);
    weights.config.activations = Activations::Int8;
    let eight = differences(&weights);
    println!("16 bits: {largest} at most, {root} in the root mean square; 8 bits: {eight:?}");
    assert!(largest < 0.01, "logits of up to 15 differ by {largest}");
    assert!(
        eight.0 > 20.0 * largest && eight.1 > 20.0 * root,
        "{largest} {root}, with 8 bits {eight:?}"
    );
}

/// Activations of 16 bits, and the names and numbers of published checkpoints.
#[test]
fn golden_archive() {
    let model = LoadedModel::find(folder("reference").to_str().unwrap()).unwrap();
    let raw = b"what a checkpoint has made once, every later version reads";
    let decoding = DecoderOptions::new().model(model.clone());
    golden_archive::check("checkpoint/message.txt", raw, &tiny::short_by(&model, raw), &decoding);
}

#[test]
fn text_goes_there_and_back() {
    let model = LoadedModel::find(folder("transformers").to_str().unwrap()).unwrap();
    let raw = include_bytes!("../testdata/technical.md");
    for mix in [true, false] {
        let options = EncoderOptions::new()
            .predictor(Predictor::Model(model.clone()))
            .mix(mix)
            .streams(3)
            .block_size(4000);
        let archive = lmz::compress_with(&raw[..9000], &options).unwrap();
        assert!(lmz::decompress(&archive).is_err(), "the model is needed");
        // The other layout is the same model.
        let model = LoadedModel::find(folder("reference").to_str().unwrap()).unwrap();
        let options = DecoderOptions::new().model(model);
        assert!(lmz::decompress_with(&archive, &options).unwrap() == raw[..9000]);
    }
}

#[test]
fn what_is_wrong_is_said() {
    let copy = |change: &dyn Fn(&Path)| {
        let to = TempDir::new().unwrap();
        for file in std::fs::read_dir(folder("transformers")).unwrap() {
            let file = file.unwrap();
            std::fs::copy(file.path(), to.path().join(file.file_name())).unwrap();
        }
        change(to.path());
        Model::open(to.path()).unwrap_err().to_string()
    };
    let replace = |file: &'static str, from: &'static str, to: &'static str| {
        move |folder: &Path| {
            let text = std::fs::read_to_string(folder.join(file)).unwrap();
            assert!(text.contains(from), "{file} has {from}");
            std::fs::write(folder.join(file), text.replace(from, to)).unwrap();
        }
    };
    let remove =
        |file: &'static str| move |folder: &Path| std::fs::remove_file(folder.join(file)).unwrap();
    const INDEX: &str = "model.safetensors.index.json";
    const WORLD: &str = "rwkv_vocab_v20230424.txt";
    type Case<'a> = (&'a dyn Fn(&Path), &'a str);
    let cases: [Case; 8] = [
        (&remove(INDEX), "holds config.json, model.safetensors (or its index and parts)"),
        (&remove("model-00002-of-00002.safetensors"), "model-00002-of-00002.safetensors"),
        (&remove(WORLD), WORLD),
        (
            &replace(INDEX, "model-00001", "../model-00001"),
            "expected names of files, found ../model-00001",
        ),
        (&replace("config.json", "\"head_dim\": 64", "\"head_dim\": 32"), "expected head_dim 64"),
        (&replace("config.json", "1e-05", "1e-06"), "norm_eps 0.00001, found 64 and 0.000001"),
        (&replace("config.json", "false", "true"), "tie_word_embeddings"),
        (&replace(WORLD, "257 ' the' 4", "257 ' the' 5"), "line 257"),
    ];
    for (change, words) in cases {
        let error = copy(change);
        assert!(error.contains(words), "{words} is not in {error}");
    }
    // One of the parts is another's: a tensor is missing.
    let error = copy(&|folder: &Path| {
        let part = |number: u8| folder.join(format!("model-0000{number}-of-00002.safetensors"));
        std::fs::copy(part(1), part(2)).unwrap();
    });
    assert!(error.contains("is missing"), "{error}");
}
