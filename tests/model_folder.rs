//! Model folders that are not right: each is refused with words that say what is wrong, none
//! panics.

use std::collections::HashMap;

use lmz::lm::rwkv7::{Files, Model, Oracle};
use lmz::vocab::START;
use proptest::prelude::*;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

const CONFIG: &str = include_str!("golden/tiny-model/config.json");
const VOCABULARY: &[u8] = include_bytes!("golden/tiny-model/vocab.txt");
const TENSORS: &[u8] = include_bytes!("golden/tiny-model/model.safetensors");

/// A tensor that can be changed: type, shape, bytes.
type Loose = (Dtype, Vec<usize>, Vec<u8>);
type Loosened = HashMap<String, Loose>;

/// The golden model's tensors after a change, as a file.
fn changed(change: impl FnOnce(&mut Loosened)) -> Vec<u8> {
    let file = SafeTensors::deserialize(TENSORS).unwrap();
    let loose = |t: &TensorView| (t.dtype(), t.shape().to_vec(), t.data().to_vec());
    let mut tensors: Loosened = file.iter().map(|(name, t)| (name.to_owned(), loose(&t))).collect();
    change(&mut tensors);
    let views = tensors.iter().map(|(name, (dtype, shape, data))| {
        (name, TensorView::new(*dtype, shape.clone(), data).expect("a tensor whose data fits"))
    });
    safetensors::serialize(views, None).unwrap()
}

fn parse(config: &str, vocabulary: &[u8], tensors: &[u8]) -> Result<Model, String> {
    Model::parse("tiny", &Files { config: config.as_bytes(), vocabulary, tensors, mixer: None })
        .map_err(|e| e.to_string())
}

/// The error of a folder, which must hold all these words.
fn refused(result: Result<Model, String>, words: &[&str]) {
    let error = result.expect_err(words[0]);
    for word in words {
        assert!(error.contains(word), "{error:?} does not say {word:?}");
    }
}

#[test]
fn configurations() {
    assert!(parse(CONFIG, VOCABULARY, TENSORS).is_ok());
    for (from, to, words) in [
        ("\"lmz-rwkv7\"", "\"llama\"", ["model_type", "lmz-rwkv7", "llama"]),
        ("\"arithmetic\": 1", "\"arithmetic\": 2", ["arithmetic 1", "found 2", "another version"]),
        ("  \"arithmetic\": 1,\n", "", ["arithmetic", "found none", "expected"]),
        ("\"int8\"", "\"int4\"", ["activations", "int8 or int16", "int4"]),
        ("\"hidden_size\": 64", "\"hidden_size\": 96", ["hidden_size 96", "64", "config.json"]),
        (
            "\"num_hidden_layers\": 2",
            "\"num_hidden_layers\": 3",
            ["num_hidden_layers 3", "2", "tensors"],
        ),
        ("\"head_dim\": 32", "\"head_dim\": 48", ["head_dim", "divides hidden_size 64", "48"]),
        ("\"head_dim\": 32", "\"head_dim\": 0", ["head_dim", "divides hidden_size 64", "0"]),
        ("  \"head_dim\": 32,\n", "", ["head_dim", "found none", "expected"]),
        ("\"vocab_size\": 512", "\"vocab_size\": 513", ["vocab_size 513", "512", "tensors"]),
        (
            "\"decay_low_rank_dim\": 16",
            "\"decay_low_rank_dim\": 8",
            ["decay_low_rank_dim 8", "16", "tensors"],
        ),
        ("\"norm_eps\": 1e-05", "\"norm_eps\": 1e-06", ["norm_eps", "0.00001", "0.000001"]),
        (
            "\"group_norm_eps\": 0.00064",
            "\"group_norm_eps\": 1",
            ["group_norm_eps", "0.00064", "1"],
        ),
        ("\"start_token_id\": 0", "\"start_token_id\": 1", ["start_token_id", "0", "1"]),
        ("\"greedy\"", "\"unigram\"", ["segmentation", "greedy", "unigram"]),
        ("{", "[", ["config.json", "line 2", "column"]),
        ("\"hidden_size\": 64", "\"hidden_size\": -64", ["config.json", "-64", "usize"]),
    ] {
        let config = CONFIG.replacen(from, to, 1);
        assert_ne!(config, CONFIG, "{from} is not in the configuration");
        refused(parse(&config, VOCABULARY, TENSORS), &words);
    }
}

#[test]
fn sizes_may_be_left_out() {
    let config =
        r#"{"model_type": "lmz-rwkv7", "arithmetic": 1, "activations": "int8", "head_dim": 32}"#;
    let model = parse(config, VOCABULARY, TENSORS).unwrap();
    let whole = parse(CONFIG, VOCABULARY, TENSORS).unwrap();
    assert_eq!(model.weights(), whole.weights());
    assert_eq!(model.identity(), whole.identity());
}

/// As in the official checkpoints: [1, 1, D], r_k as [H, N], no unused tensors; the same model.
#[test]
fn official_shapes() {
    let tensors = changed(|t| {
        for layer in 0..2 {
            t.get_mut(&format!("blocks.{layer}.att.r_k")).unwrap().1 = vec![2, 32];
            t.get_mut(&format!("blocks.{layer}.att.x_r")).unwrap().1 = vec![1, 1, 64];
        }
        t.remove("blocks.0.att.v0");
    });
    let config = r#"{"model_type": "lmz-rwkv7", "arithmetic": 1, "activations": "int8"}"#;
    let model = parse(config, VOCABULARY, &tensors).unwrap();
    let whole = parse(CONFIG, VOCABULARY, TENSORS).unwrap();
    assert_eq!(model.weights(), whole.weights());
    assert_eq!(model.identity(), whole.identity());
}

#[test]
fn tensors() {
    type Change = fn(&mut Loosened);
    let cases: [(Change, &[&str]); 12] = [
        (|t| drop(t.remove("blocks.1.att.v2.scale")), &["blocks.1.att.v2.scale is missing"]),
        (|t| drop(t.remove("emb.weight")), &["emb.weight is missing"]),
        (|t| drop(t.remove("blocks.0.ln1.weight")), &["blocks.0.ln1.weight is missing"]),
        (
            |t| drop(t.insert("blocks.0.att.b7".into(), (Dtype::F32, vec![1], vec![0; 4]))),
            &["blocks.0.att.b7 is no part"],
        ),
        (
            |t| t.get_mut("head.weight").unwrap().0 = Dtype::U8,
            &["head.weight", "I8 [512, 64]", "U8 [512, 64]"],
        ),
        (
            |t| t.get_mut("emb.weight").unwrap().1 = vec![512 * 64],
            &["emb.weight", "a matrix", "I8 [32768]"],
        ),
        (
            |t| t.get_mut("head.weight").unwrap().1 = vec![64, 512],
            &["head.weight", "I8 [512, 64]", "I8 [64, 512]"],
        ),
        (
            |t| t.get_mut("ln_out.bias").unwrap().1 = vec![8, 8],
            &["ln_out.bias", "F32 [64]", "F32 [8, 8]"],
        ),
        (
            |t| {
                t.get_mut("ln_out.bias").unwrap().2[12..16].copy_from_slice(&f32::NAN.to_le_bytes())
            },
            &["ln_out.bias", "finite", "NaN at position 3"],
        ),
        (
            |t| {
                t.get_mut("emb.scale").unwrap().2[..4].copy_from_slice(&f32::INFINITY.to_le_bytes())
            },
            &["emb.scale", "finite", "inf at position 0"],
        ),
        (
            |t| t.get_mut("emb.weight").unwrap().2[77] = 0x80,
            &["emb.weight", "[-127, 127]", "-128 at position 77"],
        ),
        (|t| t.retain(|name, _| !name.starts_with("blocks.1.")), &["num_hidden_layers 2", "1"]),
    ];
    for (change, words) in cases {
        refused(parse(CONFIG, VOCABULARY, &changed(change)), words);
    }
    refused(parse(CONFIG, VOCABULARY, &TENSORS[..1000]), &["model.safetensors"]);
    refused(parse(CONFIG, VOCABULARY, b""), &["model.safetensors"]);
}

#[test]
fn vocabularies() {
    let lines: Vec<&[u8]> = VOCABULARY.split_inclusive(|b| *b == b'\n').collect();
    let word = lines.iter().position(|line| line.len() > 5).unwrap(); // more than a single byte
    let without = [&lines[..word], &lines[word + 1..]].concat().concat();
    refused(parse(CONFIG, &without, TENSORS), &["512 tokens", "vocab.txt 511"]);
    let start = [b"!!".as_slice(), VOCABULARY].concat();
    refused(parse(CONFIG, &start, TENSORS), &["empty first line", "!!"]);
    refused(parse(CONFIG, b"\n", TENSORS), &["vocab.txt", "0x00 is missing"]);
    refused(
        parse(CONFIG, &VOCABULARY[..VOCABULARY.len() - 1], TENSORS),
        &["vocab.txt", "line 512", "line end"],
    );
}

#[test]
fn folders() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let open = |name: &str| Model::find(name).map_err(|e| e.to_string());
    refused(open(path), &["config.json", "a model folder holds"]);
    std::fs::write(folder.path().join("config.json"), CONFIG).unwrap();
    std::fs::write(folder.path().join("vocab.txt"), VOCABULARY).unwrap();
    refused(open(path), &["model.safetensors", "a model folder holds"]);
    std::fs::write(folder.path().join("model.safetensors"), TENSORS).unwrap();
    let model = open(path).unwrap();
    assert_eq!(model.name(), folder.path().file_name().unwrap());
    assert_eq!(model.stored(), CONFIG.len() + VOCABULARY.len() + TENSORS.len());
    refused(
        open("no-such-model"),
        &["no-such-model", if cfg!(feature = "nano") { "nano" } else { "no built-in" }],
    );
}

#[cfg(feature = "nano")]
#[test]
fn built_in() {
    assert_eq!(Model::builtin_names().collect::<Vec<_>>(), ["nano", "base"]);
    let built_in = Model::find("nano").unwrap();
    let folder = Model::find(concat!(env!("CARGO_MANIFEST_DIR"), "/models/nano")).unwrap();
    assert_eq!(built_in.identity(), folder.identity());
    assert_eq!(built_in.weights(), folder.weights());
    assert_eq!(built_in.weights().parameters(), 4_605_504); // its card counts layer 0's v0, 192 unused ones, too
}

proptest! {
    /// Bytes changed anywhere: an error, or a model that can be run.
    #[test]
    fn damage_does_not_panic(
        damage in prop::collection::vec((0usize..3, any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::weighted(0.2, (0usize..3, any::<prop::sample::Index>())),
    ) {
        let mut files = [CONFIG.as_bytes().to_vec(), VOCABULARY.to_vec(), TENSORS.to_vec()];
        for (file, at, byte) in damage {
            let file = &mut files[file];
            // Half of the damage to tensors is in their header.
            let length = if byte & 1 == 0 { file.len().min(5000) } else { file.len() };
            file[at.index(length)] = byte;
        }
        if let Some((file, at)) = cut {
            let length = at.index(files[file].len());
            files[file].truncate(length);
        }
        let [config, vocabulary, tensors] = &files;
        if let Ok(model) = Model::parse("damaged", &Files { config, vocabulary, tensors, mixer: None }) {
            let mut oracle = Oracle::new(model.weights());
            oracle.step(START);
            prop_assert_eq!(oracle.step(300).len(), 512);
        }
    }
}

/// What the context models begin with belongs to the model.
#[test]
fn the_mixer_is_part_of_the_identity() {
    let mixer = include_bytes!("../models/nano/mixer.bin");
    let parse = |mixer| {
        Model::parse(
            "tiny",
            &Files { config: CONFIG.as_bytes(), vocabulary: VOCABULARY, tensors: TENSORS, mixer },
        )
    };
    let mut other = mixer.to_vec();
    other[5000] ^= 1;
    let identities =
        [None, Some(&mixer[..]), Some(&other[..])].map(|mixer| parse(mixer).unwrap().identity());
    assert!(
        identities[0] != identities[1]
            && identities[1] != identities[2]
            && identities[0] != identities[2]
    );
    let error = parse(Some(&mixer[1..])).unwrap_err().to_string();
    assert!(error.contains("mixer.bin: expected 32940 bytes, found 32939"), "{error}");
}
