//! Against transformers: tests/golden/hub, made by scripts/hub/golden.py.

use super::*;
use serde_json::Value;
use std::path::PathBuf;

pub fn folder(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../../tests/golden/hub", name].iter().collect()
}

const NAMES: [&str; 16] = [
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3",
    "mamba",
    "phi",
    "phi3",
    "stablelm",
    "olmo",
    "olmo2",
    "starcoder2",
    "bigcode",
    "smollm3",
];

fn rows(name: &str, batch: u64) -> LockStep {
    let Ok(model) = load(&folder(name), &Settings::default(), None) else { panic!("{name}") };
    model.lock_step(&model.entry(batch).unwrap()).unwrap()
}

/// Logits of one row.
fn row(rows: &LockStep, row: usize, batch: usize) -> &[f32] {
    let width = rows.logits().len() / batch;
    &rows.logits()[row * width..][..width]
}

/// The logits that transformers computes, by steps and in one pass, alone and in a row among
/// others.
#[test]
fn logits_are_those_of_transformers() {
    for name in NAMES {
        let golden: Value =
            serde_json::from_slice(&std::fs::read(folder(name).join("logits.json")).unwrap())
                .unwrap();
        let ids: Vec<u32> = golden["ids"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_u64().unwrap() as u32)
            .collect();
        let every = golden["every"].as_u64().unwrap() as usize;
        let expected = |at: usize| -> Option<Vec<f32>> {
            let row = golden["rows"][at.to_string()].as_array()?;
            Some(row.iter().map(|x| x.as_f64().unwrap() as f32).collect())
        };
        let compare = |found: &[f32], at: usize, how: &str| {
            let Some(expected) = expected(at) else { return };
            let largest = expected.iter().fold(0f32, |m, x| m.max(x.abs()));
            assert!(largest > 0.5, "{name}: logits that say nothing");
            for (x, y) in found.iter().step_by(every).zip(expected) {
                assert!(
                    (x - y).abs() < 2e-4 * largest.max(1.0),
                    "{name}, {how}, position {at}: {x}, not {y}"
                );
            }
        };
        let mut three = rows(name, 3);
        for (at, id) in ids.iter().enumerate() {
            // The other rows read something else.
            let tokens = [id ^ 1, *id, 7];
            if at == 0 {
                three.prime_with(&tokens).unwrap()
            } else {
                three.step_at(&tokens, at).unwrap()
            };
            compare(row(&three, 1, 3), at, "by steps");
        }
        let mut two = rows(name, 2);
        for length in [2, 3, ids.len()] {
            let other = vec![9; length];
            two.prime_with(&[&other, &ids[..length]].concat()).unwrap();
            compare(row(&two, 1, 2), length - 1, "in one pass");
        }
    }
}

/// A stream that is longer than the context goes on as one that begins with its last tokens does.
#[test]
fn streams_begin_anew_at_the_limit() {
    let settings = Settings { context: Some(16), keep: Some(5), ..Settings::default() };
    let model = load(&folder("llama"), &settings, None).unwrap_or_else(|e| panic!("{e}"));
    let entry = model.entry(2).unwrap();
    assert_eq!((entry.limit, entry.keep), (16, 5));
    let tokens: Vec<[Token; 2]> = (0..40).map(|i| [i * 7 % 300 + 1, i * 11 % 300 + 1]).collect();
    let mut rows = model.lock_step(&entry).unwrap();
    rows.begin(2, &[]).unwrap();
    // Position 16 is reached by the token behind 15 others and what a document begins with; then by
    // the 11th behind 5.
    for (at, pair) in tokens.iter().enumerate() {
        rows.step(pair).unwrap();
        if matches!(at, 15 | 27 | 39) {
            let last = &tokens[at - 4..=at];
            let ids: Vec<u32> = (0..2).flat_map(|r| last.iter().map(move |pair| pair[r])).collect();
            let ids: Vec<u32> = ids.iter().map(|t| model.vocabulary.id(*t).unwrap()).collect();
            let mut fresh = model.lock_step(&entry).unwrap();
            fresh.prime_with(&ids).unwrap();
            assert_eq!(fresh.logits(), rows.logits(), "step {at}");
        }
    }
}

/// What the number of threads could change is not changed by it: candle's products are split over
/// outputs, not over sums.
#[test]
fn the_probe_is_the_same_again() {
    for name in ["llama", "mamba", "olmo", "bigcode"] {
        let model =
            load(&folder(name), &Settings::default(), None).unwrap_or_else(|e| panic!("{e}"));
        let probe = |batch| model.probe(&model.entry(batch).unwrap()).unwrap();
        assert_eq!(probe(3), probe(3));
        assert_ne!(probe(3), probe(4));
    }
}

#[test]
fn contexts_that_cannot_be_are_refused() {
    for context in [1, 65] {
        let settings = Settings { context: Some(context), ..Settings::default() };
        assert!(
            matches!(
                load(&folder("llama"), &settings, None),
                Err(HubError::Load(ModelError::Config(_)))
            ),
            "{context}"
        );
    }
    let model =
        load(&folder("llama"), &Settings::default(), None).unwrap_or_else(|e| panic!("{e}"));
    for (limit, keep) in [(0, 1), (1, 1), (65, 1), (u64::MAX, 1), (64, 0), (64, 64), (64, u64::MAX)]
    {
        let entry = Entry { limit, keep, ..model.entry(1).unwrap() };
        assert!(matches!(model.probe(&entry), Err(DeviceError::Failed(_))), "{limit} {keep}");
    }
}

/// The version that archives name is the one that is built in.
#[test]
fn the_backend_is_named_as_it_is() {
    let lock = include_str!("../../../../Cargo.lock");
    let version = device::BACKEND.strip_prefix("candle ").unwrap();
    assert!(lock.contains(&format!("name = \"candle-core\"\nversion = \"{version}\"")));
}

/// The exact engine has the same model with weights of int8. Of so many tokens none is out of sight
/// here or there: the least window is 40.
#[test]
fn logits_of_the_exact_engine_are_about_candles() {
    for name in &NAMES[..7] {
        let exact = crate::transformer::open(&folder(name), None).unwrap();
        let (network, vocabulary) = (exact.loaded().network(), exact.loaded().vocabulary());
        let mut engine = lmz::lm::engine::Engine::new(Arc::clone(network));
        let mut stream = engine.stream();
        let model =
            load(&folder(name), &Settings::default(), None).unwrap_or_else(|e| panic!("{e}"));
        let mut rows = rows(name, 1);
        engine.step(&mut [(&mut stream, 0)]);
        rows.begin(1, &[]).unwrap();
        // What the exact engine gives, and what candle does.
        let mut pairs = Vec::new();
        for token in (0..39).map(|i| i * i * 13 % 300 + 1) {
            for (token, found) in vocabulary.sorted().iter().zip(stream.logits()) {
                if let Some(id) = model.vocabulary.id(*token) {
                    pairs.push((f64::from(found), f64::from(rows.logits()[id as usize])));
                }
            }
            engine.step(&mut [(&mut stream, token)]);
            rows.step(&[token]).unwrap();
        }
        let mean = |of: &dyn Fn(f64, f64) -> f64| {
            pairs.iter().map(|(x, y)| of(*x, *y)).sum::<f64>() / pairs.len() as f64
        };
        let (a, b) = (mean(&|x, _| x), mean(&|_, y| y));
        let (x, y) = (mean(&|x, _| (x - a).powi(2)), mean(&|_, y| (y - b).powi(2)));
        let correlation = mean(&|x, y| (x - a) * (y - b)) / (x * y).sqrt();
        let difference = mean(&|x, y| (x - y).abs()) / y.sqrt();
        assert!(correlation > 0.999 && difference < 0.05, "{name}: {correlation} {difference}");
    }
}
