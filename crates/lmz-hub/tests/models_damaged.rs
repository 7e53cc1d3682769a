//! Models that were damaged, or made to do damage: every field at its extremes, headers that lie,
//! parts that are missing. Each is an error or a model, within memory and time. Memory is counted
//! for the whole process, so all of it is one test.

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lmz::lm::Found;
use lmz::write::Encoder;
use lmz::{EncoderOptions, Predictor};
use lmz_hub::{Finder, Settings};
use serde_json::{Value, json};

#[path = "../../../tests/common/counting.rs"]
mod counting;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

const HUB: [&str; 8] = ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "mamba"];
/// What models may take here, and how much more is borne: the built-in model's beginnings among it.
const ALLOWED: u64 = 48 << 20;
const MORE: usize = 48 << 20;

fn golden(name: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden")).join(name)
}

/// How many changes of a configuration are tried of each model, and shares of it of other files.
const CHANGES: usize = 120;

/// A copy of a model, to be damaged; and how many were.
struct Copy {
    folder: tempfile::TempDir,
    name: String,
    tried: usize,
}

impl Copy {
    fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for file in fs::read_dir(golden(name)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
        }
        Self { folder, name: name.to_owned(), tried: 0 }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    fn read(&self, file: &str) -> Vec<u8> {
        fs::read(self.path(file)).unwrap()
    }

    /// Loads the model with other bytes in one of its files, and computes with it.
    fn with(&mut self, file: &str, bytes: &[u8], case: &str) {
        let good = self.read(file);
        fs::write(self.path(file), bytes).unwrap();
        self.load(case);
        fs::write(self.path(file), good).unwrap();
        self.tried += 1;
    }

    fn load(&self, case: &str) {
        let since = Instant::now();
        let (done, peak) = counting::peak(|| catch_unwind(AssertUnwindSafe(|| self.compute())));
        let case = format!("{}: {case}", self.name);
        let said = done.unwrap_or_else(|_| panic!("{case}: a panic"));
        assert!(peak < ALLOWED as usize + MORE, "{case}: {peak} bytes of memory, {said}");
        assert!(since.elapsed() < Duration::from_secs(20), "{case}: {:?}, {said}", since.elapsed());
        assert!(!said.chars().any(char::is_control), "{case}: {said:?}");
    }

    /// What is said of the model, or nothing if it does its work.
    fn compute(&self) -> String {
        // By the exact engine, where it computes such a model, and by candle.
        let [exact, candle] = [None, Some("f32".to_owned())].map(|dtype| self.compute_as(dtype));
        exact + &candle
    }

    fn compute_as(&self, dtype: Option<String>) -> String {
        let settings = Settings { dtype, ..Settings::default() };
        let memory = Some(ALLOWED);
        let finder = Finder { offline: true, memory, settings, ..Finder::default() };
        let predictor = match finder.find(self.folder.path().to_str().unwrap()) {
            Err(error) => return error.to_string(),
            Ok(Found::Exact(_)) => return String::new(),
            Ok(Found::Transformer(model)) => Predictor::Model(model.loaded().clone()),
            Ok(Found::DeviceBound(model)) => Predictor::DeviceBound(model),
        };
        let options =
            EncoderOptions::new().predictor(predictor).mix(false).verify(false).streams(1);
        let mut encoder = Encoder::with_options(Vec::new(), options).unwrap();
        let done = encoder.write_all(b"It was the best of times").and_then(|()| encoder.flush());
        done.map_or_else(|error| error.to_string(), |()| String::new())
    }
}

/// What stands where something else should.
fn extremes() -> Vec<Value> {
    let mut nested = json!([]);
    for _ in 0..100 {
        nested = json!([nested]);
    }
    let numbers = [0, 1, 2, 3, 7, 1 << 20, (1 << 20) + 1, 1 << 31, 1 << 32, 1 << 53, u64::MAX]
        .map(Value::from);
    let others = [
        json!(-1),
        json!(i64::MIN),
        json!(1e308),
        json!(-1e308),
        json!(1e-320),
        json!(0.5),
        json!(null),
        json!(true),
        json!(false),
        json!("x\u{1b}[2J\u{202e}"),
        json!([]),
        json!({}),
        json!([1 << 20, -1, "x"]),
        nested,
    ];
    numbers.into_iter().chain(others).collect()
}

/// The places of a JSON value, as pointers, down to some depth.
fn places(value: &Value, depth: usize, at: String, out: &mut Vec<String>) {
    if !at.is_empty() {
        out.push(at.clone());
    }
    let children: Vec<(String, &Value)> = match value {
        _ if depth == 0 => Vec::new(),
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value))
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect()
        }
        _ => Vec::new(),
    };
    // Of long lists the first and the last.
    let last = children.len().saturating_sub(3);
    for (name, value) in children
        .into_iter()
        .enumerate()
        .filter(|(i, _)| *i < 40 || *i >= last)
        .map(|(_, child)| child)
    {
        places(value, depth - 1, format!("{at}/{name}"), out);
    }
}

/// The JSON with one place changed, or without it.
fn changed(json: &Value, place: &str, to: Option<&Value>) -> Vec<u8> {
    let mut json = json.clone();
    match to {
        Some(to) => *json.pointer_mut(place).unwrap() = to.clone(),
        None => {
            let (parent, name) = place.rsplit_once('/').unwrap();
            if let Some(Value::Object(fields)) = json.pointer_mut(parent) {
                fields.remove(&name.replace("~1", "/").replace("~0", "~"));
            }
        }
    }
    json.to_string().into_bytes()
}

fn configurations(model: &mut Copy, random: &mut impl FnMut(usize) -> usize) {
    let json: Value = serde_json::from_slice(&model.read("config.json")).unwrap();
    let mut fields = Vec::new();
    places(&json, 3, String::new(), &mut fields);
    // What files of others say in these ways.
    let more = [
        "sliding_window",
        "sliding_window_pattern",
        "rope_local_base_freq",
        "rope_theta",
        "rope_scaling",
        "head_dim",
        "mlp_bias",
        "use_sliding_window",
        "query_pre_attn_scalar",
        "attn_logit_softcapping",
        "norm_eps",
    ];
    fields.extend(more.map(|field| format!("/{field}")));
    let values = extremes();
    for _ in 0..CHANGES {
        let (field, value) = (&fields[random(fields.len())], &values[random(values.len())]);
        let mut json = json.clone();
        if let Some(field) = field
            .strip_prefix('/')
            .filter(|field| json.get(*field).is_none() && !field.contains('/'))
        {
            json[field] = value.clone();
        }
        model.with(
            "config.json",
            &changed(&json, field, Some(value)),
            &format!("config.json {field} {value}"),
        );
    }
    for field in fields.iter().filter(|field| json.pointer(field).is_some()) {
        model.with(
            "config.json",
            &changed(&json, field, None),
            &format!("config.json without {field}"),
        );
    }
    // Several sizes at once.
    for size in [1u64, 2, 1 << 10, 1 << 20] {
        let mut json = json.clone();
        for field in [
            "hidden_size",
            "num_attention_heads",
            "num_key_value_heads",
            "head_dim",
            "intermediate_size",
            "vocab_size",
            "max_position_embeddings",
            "num_hidden_layers",
            "sliding_window",
            "state_size",
            "expand",
        ] {
            json[field] = size.into();
        }
        model.with("config.json", json.to_string().as_bytes(), &format!("config.json all {size}"));
        json["num_attention_heads"] = 1.into();
        json["num_key_value_heads"] = 1.into();
        json["num_hidden_layers"] = 1.into();
        model.with(
            "config.json",
            json.to_string().as_bytes(),
            &format!("config.json nearly all {size}"),
        );
    }
}

fn headers(model: &mut Copy, random: &mut impl FnMut(usize) -> usize) {
    let files = fs::read_dir(model.folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: Vec<String> = files
        .filter(|name| name.ends_with(".safetensors") && name != "logits.safetensors")
        .collect();
    for file in files {
        let bytes = model.read(&file);
        let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let json: Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
        let with = |header: &[u8]| {
            [&(header.len() as u64).to_le_bytes()[..], header, &bytes[8 + length..]].concat()
        };
        let mut all = Vec::new();
        places(&json, 3, String::new(), &mut all);
        let values = extremes();
        for _ in 0..CHANGES / 2 {
            let (place, value) = (&all[random(all.len())], &values[random(values.len())]);
            model.with(
                &file,
                &with(&changed(&json, place, Some(value))),
                &format!("{file} {place} {value}"),
            );
        }
        for _ in 0..CHANGES / 4 {
            let (place, at, cut) =
                (&all[random(all.len())], random(8 + length), random(bytes.len()));
            model.with(
                &file,
                &with(&changed(&json, place, None)),
                &format!("{file} without {place}"),
            );
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << random(8);
            model.with(&file, &flipped, &format!("{file} byte {at}"));
            model.with(&file, &bytes[..cut], &format!("{file} cut at {cut}"));
        }
        for claimed in [0, 1, u64::MAX, 1 << 40, 100_000_000, bytes.len() as u64] {
            let lies = [&claimed.to_le_bytes()[..], &bytes[8..]].concat();
            model.with(&file, &lies, &format!("{file} with a header of {claimed}"));
        }
    }
}

fn others(model: &mut Copy, random: &mut impl FnMut(usize) -> usize) {
    for (file, tries) in
        [("tokenizer.json", CHANGES / 3), ("model.safetensors.index.json", CHANGES / 8)]
    {
        let Ok(bytes) = fs::read(model.path(file)) else { continue };
        let json: Value = serde_json::from_slice(&bytes).unwrap();
        let (mut all, values) = (Vec::new(), extremes());
        places(&json, 4, String::new(), &mut all);
        for _ in 0..tries {
            let (place, value) = (&all[random(all.len())], &values[random(values.len())]);
            model.with(
                file,
                &changed(&json, place, Some(value)),
                &format!("{file} {place} {value}"),
            );
            let cut = random(bytes.len());
            model.with(file, &bytes[..cut], &format!("{file} cut at {cut}"));
        }
    }
    for file in ["vocab.txt", "rwkv_vocab_v20230424.txt", "mixer.bin"] {
        let Ok(bytes) = fs::read(model.path(file)) else { continue };
        for _ in 0..CHANGES / 6 {
            let mut changed = bytes.clone();
            let at = random(bytes.len());
            changed[at] ^= 1 << random(8);
            model.with(file, &changed, &format!("{file} byte {at}"));
            model.with(file, &bytes[..at], &format!("{file} cut at {at}"));
        }
    }
}

/// Large files of nothing, and what is no file at all, in the place of each file.
fn not_files(model: &mut Copy) {
    let names: Vec<PathBuf> =
        fs::read_dir(model.folder.path()).unwrap().map(|file| file.unwrap().path()).collect();
    for path in names.into_iter().chain([model.path("mixer.bin")]) {
        let (name, good) = (path.display().to_string(), fs::read(&path).ok());
        let _ = fs::remove_file(&path);
        fs::File::create(&path).unwrap().set_len(1 << 40).unwrap();
        model.load(&format!("a TiB of {name}"));
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        model.load(&format!("a folder {name}"));
        fs::remove_dir(&path).unwrap();
        #[cfg(unix)]
        {
            assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
            model.load(&format!("a pipe {name}"));
            fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink("nowhere", &path).unwrap();
            model.load(&format!("a link to nowhere {name}"));
            fs::remove_file(&path).unwrap();
            std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
            model.load(&format!("a link to a device {name}"));
            fs::remove_file(&path).unwrap();
        }
        good.inspect(|good| fs::write(&path, good).unwrap());
        model.tried += 5;
    }
}

#[test]
fn damage_is_an_error_within_memory_and_time() {
    let mut state = 1u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(state) * below as u128) >> 64) as usize
    };
    let hub = HUB.map(|name| format!("hub/{name}"));
    let exact =
        ["checkpoint/reference", "checkpoint/transformers", "tiny-model"].map(str::to_owned);
    let mut tried = 0;
    for name in hub.iter().chain(&exact) {
        let mut model = Copy::of(name);
        model.load("as it is");
        assert_eq!(model.compute(), "", "{name}");
        configurations(&mut model, &mut random);
        headers(&mut model, &mut random);
        others(&mut model, &mut random);
        not_files(&mut model);
        assert_eq!(model.compute(), "", "{name}: it is whole again");
        tried += model.tried;
    }
    assert!(tried > 3000, "{tried}");
}
