//! Transformers by the exact engine: what tests/golden/transformers holds of the tiny models of
//! tests/golden/hub, by every kernel that the processor has. The vectors are by the second decoder
//! (scripts/decoder/golden.py), which decodes the archives too. None of these is ever replaced; a
//! new archive is written by LMZ_WRITE_GOLDEN=1, if there is none of its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use lmz::exact::kernel::Kernel;
use lmz::format::{FrameHeader, FrameKind, Input, Limits, Method, ModelRef, ShortFrame, start};
use lmz::lm::Found;
use lmz::lm::engine::{Engine, LmStream};
use lmz::lm::transformer::Model;
use lmz::vocab::Token;
use lmz::{
    Archive, DecoderOptions, Dictionary, EncoderOptions, Error, Predictor, compress_with,
    decompress_with,
};
use lmz_hub::{Finder, Settings};
use serde_json::Value;

const NAMES: [&str; 7] = ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3"];

fn golden(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden").join(path)
}

/// A tiny model; with another number of tokens of context than it has by itself, 64, if one is
/// given.
fn model(name: &str, context: Option<u64>) -> Model {
    let settings = Settings { context, ..Settings::default() };
    let folder = golden("hub").join(name);
    let finder = Finder { settings, ..Finder::default() };
    match finder.find(folder.to_str().expect("paths here are UTF-8")) {
        Ok(Found::Transformer(model)) => *model,
        other => panic!("{name}: {other:?}"),
    }
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// The logits `[V]` behind each token, by token, and the frequencies.
fn trace(model: &Model, context: Option<usize>, tokens: &[Token]) -> Vec<(Vec<f32>, Vec<u64>)> {
    let vocabulary = model.loaded().vocabulary();
    let mut engine = Engine::new(model.loaded().network().clone());
    let mut stream = LmStream::new(model.loaded().network(), context);
    let mut step = |token: &Token| {
        engine.step(&mut [(&mut stream, *token)]);
        let mut logits = vec![0.0; vocabulary.len()];
        let mut frequencies = vec![0; vocabulary.len()];
        let sums = stream.sums().windows(2).map(|sums| sums[1] - sums[0]);
        for ((token, logit), frequency) in vocabulary.sorted().iter().zip(stream.logits()).zip(sums)
        {
            (logits[*token as usize], frequencies[*token as usize]) = (logit, frequency);
        }
        (logits, frequencies)
    };
    tokens.iter().map(&mut step).collect()
}

fn numbers(value: &Value) -> impl Iterator<Item = u64> {
    value.as_array().unwrap().iter().map(|n| n.as_u64().unwrap())
}

/// Whether a list has the first 128 bits of a hash.
fn is_hash(held: &Value, hasher: &blake3::Hasher) -> bool {
    held.as_str().unwrap() == &hasher.finalize().to_hex()[..32]
}

/// Logits and frequencies of 181 steps, beyond the context, to the bit; and identities.
#[test]
fn golden_vectors() {
    for name in NAMES {
        let held = json(&golden("transformers").join(format!("{name}.json")));
        let context = held["context"].as_u64().filter(|context| *context > 0);
        let model = model(name, context);
        assert_eq!(model.identity().to_string(), held["identity"].as_str().unwrap(), "{name}");
        let tokens: Vec<Token> = numbers(&held["tokens"]).map(|token| token as Token).collect();
        let steps = trace(&model, context.map(|context| context as usize), &tokens);
        let together = held["together"].as_u64().unwrap() as usize;
        for (number, part) in steps.chunks(together).enumerate() {
            let [mut logits, mut frequencies] = [blake3::Hasher::new(), blake3::Hasher::new()];
            for step in part {
                step.0.iter().for_each(|x| _ = logits.update(&x.to_le_bytes()));
                step.1.iter().for_each(|x| _ = frequencies.update(&x.to_le_bytes()));
            }
            let at = number * together;
            assert!(
                is_hash(&held["logits_blake3"][number], &logits),
                "{name}: logits from {at} on"
            );
            assert!(
                is_hash(&held["frequencies_blake3"][number], &frequencies),
                "{name}: frequencies from {at} on"
            );
        }
    }
}

struct Golden {
    name: &'static str,
    model: &'static str,
    context: Option<u64>,
    options: fn(EncoderOptions) -> EncoderOptions,
    /// Whether it is a short frame.
    short: bool,
}

fn dictionary() -> Dictionary {
    let bytes = fs::read(golden("archives/message.txt")).unwrap();
    Dictionary::new(&bytes).expect("it is not empty")
}

fn archives() -> Vec<Golden> {
    let short = |name, model| Golden { name, model, context: None, options: |o| o, short: true };
    let full = |name, model, options| Golden { name, model, context: None, options, short: false };
    vec![
        short("llama-short.txt", "llama"),
        Golden {
            options: |options| options.dictionary(dictionary()),
            ..short("llama-primed.txt", "llama")
        },
        // What was read first is out of sight for most of it, but for the first tokens.
        Golden {
            context: Some(40),
            ..full("llama-rolled.txt", "llama", |options| options.mix(false).streams(1))
        },
        Golden {
            context: Some(24),
            ..full("llama-blocks.txt", "llama", |options| options.block_size(600))
        },
        short("qwen2-short.txt", "qwen2"),
        short("qwen3-full.txt", "qwen3"),
        short("gemma-short.txt", "gemma"),
        // Bytes that the model lacks, and bytes of last resort.
        short("gemma2-bytes.bin", "gemma2"),
        full("gemma3-streams.txt", "gemma3", |options| options.streams(3)),
        full("mistral-unmixed.txt", "mistral", |options| options.mix(false).streams(2)),
    ]
}

fn check(golden: &Golden) {
    let Golden { name, context, .. } = *golden;
    let model = model(golden.model, context);
    let path = self::golden("transformers").join(name);
    let raw = fs::read(&path).unwrap();
    let path = path.with_file_name(format!("{name}.lmz"));
    let predictor = Predictor::Model(model.loaded().clone());
    let options = (golden.options)(EncoderOptions::new().predictor(predictor));
    if std::env::var_os("LMZ_WRITE_GOLDEN").is_some() && !path.exists() {
        fs::write(&path, compress_with(&raw, &options).unwrap()).unwrap();
    }
    let archive = fs::read(&path).unwrap();
    assert!(
        compress_with(&raw, &options).unwrap() == archive,
        "{name} is compressed to something else"
    );
    // The archive says which context: the model is given as it is by itself.
    let own = self::model(golden.model, None).loaded().clone();
    let decoding = DecoderOptions::new().model(own).dictionary(dictionary());
    let decoded = decompress_with(&archive, &decoding);
    assert!(decoded.is_ok_and(|decoded| decoded == raw), "{name} decodes to something else");
    let identity = model.identity().0;
    if golden.short {
        assert_eq!(start(&archive), Ok(FrameKind::Short), "{name}");
        let frame = ShortFrame::read(&mut Input::new(&archive)).unwrap();
        let named = ModelRef::Transformer { identity: identity[..4].to_vec(), context: 0 };
        assert_eq!((frame.method, frame.models()), (Method::LmCm, vec![named]), "{name}");
    } else {
        let header = FrameHeader::read(&mut Input::new(&archive), &Limits::default()).unwrap();
        let context = context.unwrap_or(0);
        let named = ModelRef::Transformer { identity: identity.to_vec(), context };
        assert_eq!(header.models, [named], "{name}");
        let mut scan =
            Archive::open(std::io::Cursor::new(&archive), DecoderOptions::default()).unwrap();
        let frame = scan.frames()[0].clone();
        let method = scan.method(&frame, &frame.blocks[0]).unwrap();
        let expected = if options.get_mix() { Method::LmCm } else { Method::Modelled };
        assert_eq!(method, expected, "{name}");
    }
}

#[test]
fn golden_archives() {
    archives().iter().for_each(check);
}

/// The first of several streams begins alone, however little there is for it, and each of them with
/// what has been read by then. Threads change nothing.
#[test]
fn streams_of_any_number_and_length() {
    let model = model("llama", Some(24)).loaded().clone();
    let text = fs::read(golden("archives/joint-stripes.txt")).unwrap();
    for (length, streams) in [(1, 3), (2, 2), (3, 3), (40, 5), (700, 2), (9000, 3), (9000, 20)] {
        for mix in [true, false] {
            let options = EncoderOptions::new().predictor(Predictor::Model(model.clone()));
            let options = options.mix(mix).streams(streams);
            let archive = compress_with(&text[..length], &options.clone().threads(1)).unwrap();
            let place = format!("{length} bytes, {streams} streams, mixed: {mix}");
            let other = compress_with(&text[..length], &options.threads(5)).unwrap();
            assert!(other == archive, "{place}");
            for threads in [1, 2, 5] {
                let decoding = DecoderOptions::new().model(model.clone()).threads(threads);
                let decoded = decompress_with(&archive, &decoding).unwrap();
                assert!(decoded == text[..length], "{place}, {threads} threads");
            }
        }
    }
}

/// The kernel is chosen once for a process.
#[test]
fn golden_by_every_kernel() {
    let own = Kernel::chosen().unwrap();
    for kernel in Kernel::all_available().filter(|kernel| *kernel != own) {
        let done = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "golden_archives", "golden_vectors"])
            .env("LMZ_KERNEL", kernel.name())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && said.contains("2 passed"), "{}: {said}", kernel.name());
    }
}

/// Numbers that `transformers` computes in f32. Weights are rounded to int8 here, so logits differ
/// by some hundredths of their spread.
#[test]
fn logits_are_about_those_of_transformers() {
    for name in NAMES {
        let held = json(&golden("hub").join(name).join("logits.json"));
        let model = model(name, None);
        let (vocabulary, ids) = ids(name);
        assert_eq!(vocabulary, model.loaded().vocabulary().len());
        let token = |id: u64| ids.iter().position(|known| *known == Some(id as u32));
        let tokens: Vec<Token> = numbers(&held["ids"])
            .enumerate()
            // The first begins the document.
            .map(|(at, id)| if at == 0 { 0 } else { token(id).unwrap() as Token })
            .collect();
        let steps = trace(&model, None, &tokens);
        let every = held["every"].as_u64().unwrap();
        let (mut found, mut expected) = (Vec::new(), Vec::new());
        for (at, row) in held["rows"].as_object().unwrap() {
            let (logits, _) = &steps[at.parse::<usize>().unwrap()];
            for (i, value) in (0..).zip(row.as_array().unwrap()) {
                if let Some(token) = token(i * every) {
                    found.push(f64::from(logits[token]));
                    expected.push(value.as_f64().unwrap());
                }
            }
        }
        let (correlation, difference) = compare(&found, &expected);
        assert!(correlation > 0.999 && difference < 0.05, "{name}: {correlation} {difference}");
    }
}

/// The correlation of numbers, and the mean absolute difference by the spread of those expected.
fn compare(found: &[f64], expected: &[f64]) -> (f64, f64) {
    let n = found.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / n;
    let (a, b) = (mean(found), mean(expected));
    let pairs = || found.iter().zip(expected);
    let together: f64 = pairs().map(|(x, y)| (x - a) * (y - b)).sum();
    let [x, y] = [(found, a), (expected, b)]
        .map(|(x, mean)| x.iter().map(|x| (x - mean).powi(2)).sum::<f64>().sqrt());
    let difference = pairs().map(|(x, y)| (x - y).abs()).sum::<f64>() / n;
    (together / (x * y), difference / (y / n.sqrt()))
}

/// How many tokens a model has, and what it calls each.
fn ids(name: &str) -> (usize, Vec<Option<u32>>) {
    let folder = golden("hub").join(name);
    let config = json(&folder.join("config.json"));
    let special: Vec<u32> = ["bos_token_id", "eos_token_id", "pad_token_id"]
        .iter()
        .filter_map(|id| config[id].as_u64().map(|id| id as u32))
        .collect();
    let words = fs::read(folder.join("tokenizer.json")).unwrap();
    let logits = config["vocab_size"].as_u64().unwrap() as usize;
    let found = lmz_hub::tokenizer::HubVocabulary::parse(&words, logits, &special).unwrap();
    let count = found.vocabulary().len();
    (count, (0..count as Token).map(|token| found.id(token)).collect())
}

/// Fewer tokens than a model needs, or more than it was made for, are an error of the archive.
#[test]
fn a_context_that_cannot_be_is_refused() {
    let model = model("llama", Some(40)).loaded().clone();
    let raw = fs::read(golden("transformers/llama-rolled.txt")).unwrap();
    let archive = fs::read(golden("transformers/llama-rolled.txt.lmz")).unwrap();
    let mut input = Input::new(&archive);
    let header = FrameHeader::read(&mut input, &Limits::default()).unwrap();
    let rest = &archive[input.position()..];
    let [ModelRef::Transformer { identity, .. }] = &header.models[..] else { panic!("{header:?}") };
    for (context, fits) in [(40, true), (15, false), (65, false), (1 << 40, false)] {
        let models = vec![ModelRef::Transformer { identity: identity.clone(), context }];
        let mut changed = Vec::new();
        FrameHeader { models, ..header.clone() }.write(&mut changed);
        changed.extend(rest);
        // The length of the frame, in its trailer, differs where that of the header does.
        let found = decompress_with(&changed, &DecoderOptions::new().model(model.clone()));
        match fits {
            true => assert_eq!(found.unwrap(), raw),
            false => assert!(matches!(found, Err(Error::Format { at: 0, .. })), "{context}"),
        }
    }
}
