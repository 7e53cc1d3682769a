//! Files that are made here, a few tensors each, good ones and others.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::tokenizer::HubVocabulary;

/// A value as it is in a file: its type, and its bytes.
#[derive(Clone)]
struct Raw(u32, Vec<u8>);

fn u32v(n: u32) -> Raw {
    Raw(4, n.to_le_bytes().into())
}

fn f32v(x: f32) -> Raw {
    Raw(6, x.to_le_bytes().into())
}

fn flag(flag: bool) -> Raw {
    Raw(7, vec![flag.into()])
}

fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

fn text(text: &str) -> Raw {
    Raw(8, string(text.as_bytes()))
}

/// An array of values of the same type.
fn array(values: &[Raw]) -> Raw {
    let kind = values.first().map_or(4, |value| value.0);
    let count = values.len() as u64;
    let mut out = [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat();
    values.iter().for_each(|value| out.extend(&value.1));
    Raw(9, out)
}

/// A file to be.
#[derive(Clone, Default)]
struct Gguf {
    values: Vec<(String, Raw)>,
    /// Name, dimensions as in the file, type and bytes.
    tensors: Vec<(String, Vec<u64>, u32, Vec<u8>)>,
}

impl Gguf {
    fn set(mut self, name: &str, value: Raw) -> Self {
        self.values.retain(|(n, _)| n != name);
        self.values.push((name.into(), value));
        self
    }

    fn tensor(mut self, name: &str, dimensions: &[u64], kind: u32, bytes: Vec<u8>) -> Self {
        self.tensors.push((name.into(), dimensions.into(), kind, bytes));
        self
    }

    fn floats(self, name: &str, dimensions: &[u64], numbers: &[f32]) -> Self {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensor(name, dimensions, 0, bytes)
    }

    /// Numbers from 0 on.
    fn counted(self, name: &str, dimensions: &[u64]) -> Self {
        let numbers: Vec<f32> = (0..dimensions.iter().product()).map(|i: u64| i as f32).collect();
        self.floats(name, dimensions, &numbers)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut out = b"GGUF\x03\0\0\0".to_vec();
        out.extend((self.tensors.len() as u64).to_le_bytes());
        out.extend((self.values.len() as u64).to_le_bytes());
        for (name, Raw(kind, bytes)) in &self.values {
            out.extend(string(name.as_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend(bytes);
        }
        let mut data = Vec::new();
        for (name, dimensions, kind, bytes) in &self.tensors {
            out.extend(string(name.as_bytes()));
            out.extend((dimensions.len() as u32).to_le_bytes());
            dimensions.iter().for_each(|n| out.extend(n.to_le_bytes()));
            out.extend(kind.to_le_bytes());
            out.extend((data.len() as u64).to_le_bytes());
            data.extend(bytes);
            data.resize(data.len().next_multiple_of(32), 0);
        }
        out.resize(out.len().next_multiple_of(32), 0);
        [out, data].concat()
    }

    fn open(&self) -> Result<GgufFile, GgufError> {
        open(&self.bytes())
    }

    fn refused(&self) -> String {
        refused(&self.bytes())
    }
}

fn open(bytes: &[u8]) -> Result<GgufFile, GgufError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, bytes).unwrap();
    GgufFile::open(&path)
}

fn refused(bytes: &[u8]) -> String {
    let said = open(bytes).unwrap_err().to_string();
    assert!(said.contains("x.gguf: ") && !said.chars().any(char::is_control), "{said:?}");
    said
}

/// A model with two layers of two heads of four.
fn model(architecture: &str) -> Gguf {
    let mut out = Gguf::default().set("general.architecture", text(architecture));
    for (name, value) in [
        ("embedding_length", u32v(8)),
        ("block_count", u32v(2)),
        ("context_length", u32v(512)),
        ("feed_forward_length", u32v(16)),
        ("attention.head_count", u32v(2)),
        ("attention.head_count_kv", u32v(1)),
        ("attention.layer_norm_rms_epsilon", f32v(1e-6)),
        ("rope.freq_base", f32v(100_000.0)),
    ] {
        out = out.set(&format!("{architecture}.{name}"), value);
    }
    out.counted("token_embd.weight", &[8, 5])
        .counted("output_norm.weight", &[8])
        .counted("blk.0.attn_q.weight", &[8, 8])
        .counted("blk.0.attn_k.weight", &[8, 4])
        .counted("blk.0.attn_k.bias", &[4])
        .counted("blk.0.attn_norm.weight", &[8])
}

fn floats(file: &GgufFile, name: &str) -> Vec<f32> {
    file.floats(name).unwrap().unwrap()
}

#[test]
fn tensors_are_those_of_the_hub() {
    let file = model("llama").open().unwrap();
    assert_eq!(
        file.names(),
        [
            "model.embed_tokens.weight",
            "model.layers.0.input_layernorm.weight",
            "model.layers.0.self_attn.k_proj.bias",
            "model.layers.0.self_attn.k_proj.weight",
            "model.layers.0.self_attn.q_proj.weight",
            "model.norm.weight",
        ]
    );
    let query = "model.layers.0.self_attn.q_proj.weight";
    assert_eq!(file.shape("model.embed_tokens.weight"), Some(&[5, 8][..]));
    assert_eq!(file.describe(query), "F32 [8, 8]");
    // Each head's rows are in pairs in the file.
    let rows: Vec<f32> = floats(&file, query).iter().step_by(8).map(|x| x / 8.0).collect();
    assert_eq!(rows, [0.0, 2.0, 1.0, 3.0, 4.0, 6.0, 5.0, 7.0]);
    assert_eq!(floats(&file, "model.layers.0.self_attn.k_proj.bias"), [0.0, 2.0, 1.0, 3.0]);
    assert_eq!(floats(&file, "model.norm.weight")[..3], [0.0, 1.0, 2.0]);
    assert_eq!(file.floats("model.norm.bias").unwrap(), None);
    assert_eq!((file.architecture(), file.elements().iter().sum()), ("llama", 156));
    // Gemma's norms begin at 0; its rows, and Qwen's, are as they were.
    let gemma = model("gemma2").counted("blk.1.post_ffw_norm.weight", &[8]).open().unwrap();
    assert_eq!(floats(&gemma, "model.norm.weight")[..3], [-1.0, 0.0, 1.0]);
    let last = "model.layers.1.post_feedforward_layernorm.weight";
    assert_eq!(floats(&gemma, last)[..2], [-1.0, 0.0]);
    for file in [gemma, model("qwen2").open().unwrap()] {
        assert_eq!(floats(&file, query)[..3], [0.0, 1.0, 2.0]);
        assert_eq!(floats(&file, query)[8], 8.0);
    }
}

/// Blocks by hand: what is multiplied with 0.5, and 8, 16 or 1 taken off or added.
#[test]
fn quantised_tensors_are_read() {
    let half = [0x00, 0x38];
    let one = [0x00, 0x3c];
    let q8: Vec<u8> = half.into_iter().chain(0..31).chain([0xff]).collect();
    let q4: Vec<u8> = half.into_iter().chain([0xf0; 16]).collect();
    let q5: Vec<u8> =
        half.into_iter().chain(one).chain([1, 0, 0, 0x80]).chain([0x21; 16]).collect();
    let file = model("llama")
        .tensor("blk.0.ffn_up.weight", &[32, 1], 8, q8)
        .tensor("blk.0.ffn_gate.weight", &[32], 2, q4)
        .tensor("blk.0.ffn_down.weight", &[32, 2], 7, [&q5[..], &q5].concat())
        .open()
        .unwrap();
    let up = floats(&file, "model.layers.0.mlp.up_proj.weight");
    assert_eq!((up.len(), &up[..3], up[31]), (32, &[0.0, 0.5, 1.0][..], -0.5));
    let gate = floats(&file, "model.layers.0.mlp.gate_proj.weight");
    assert_eq!((gate[0], gate[15], gate[16], gate[31]), (-4.0, -4.0, 3.5, 3.5));
    let down = floats(&file, "model.layers.0.mlp.down_proj.weight");
    assert_eq!((down[0], down[1], down[16], down[31]), (9.5, 1.5, 2.0, 10.0));
    assert_eq!(down[..32], down[32..]);
    assert_eq!(file.describe("model.layers.0.mlp.down_proj.weight"), "Q5_1 [2, 32]");
}

/// Parts of a tensor are read one after the other.
#[test]
fn long_tensors_are_read_whole() {
    let count = PART / 34 * 32 * 2 + 96;
    let block = |i: usize| [&[0, 0x3c][..], &[(i % 100) as u8; 32]].concat();
    let bytes: Vec<u8> = (0..count / 32).flat_map(block).collect();
    let gguf = model("llama").tensor("output.weight", &[count as u64], 8, bytes);
    let found = floats(&gguf.open().unwrap(), "lm_head.weight");
    assert_eq!(found.len(), count);
    assert!(found.iter().enumerate().all(|(i, x)| *x == (i / 32 % 100) as f32));
}

#[test]
fn configurations_are_those_of_the_hub() {
    let llama = model("llama")
        .set("tokenizer.ggml.bos_token_id", u32v(1))
        .set("tokenizer.ggml.eos_token_id", u32v(2));
    let expected = json!({
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 8,
        "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
        "num_key_value_heads": 1, "head_dim": 4, "vocab_size": 5, "rms_norm_eps": 1e-6,
        "rope_theta": 1e5, "rope_scaling": null, "max_position_embeddings": 512,
        "tie_word_embeddings": true, "attention_bias": false, "mlp_bias": false,
        "torch_dtype": "float32", "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": null,
        "hidden_act": "silu", "sliding_window": null,
    });
    assert_eq!(llama.open().unwrap().config_json().unwrap(), expected);
    let config = |gguf: Gguf| gguf.open().unwrap().config_json().unwrap();
    let scaled = config(
        llama
            .clone()
            .set("llama.rope.scaling.type", text("linear"))
            .set("llama.rope.scaling.factor", f32v(0.1))
            .set("llama.attention.sliding_window", u32v(64))
            .counted("output.weight", &[8, 5]),
    );
    assert_eq!(
        scaled["rope_scaling"],
        json!({"rope_type": "linear", "type": "linear", "factor": 0.1})
    );
    assert_eq!(
        (&scaled["sliding_window"], &scaled["tie_word_embeddings"]),
        (&json!(64), &json!(false))
    );
    let factors = config(llama.clone().floats("rope_freqs.weight", &[2], &[1.0, 8.5]));
    assert_eq!(factors["lmz_rope_factors"], json!([1.0, 8.5]));
    let qwen = config(model("qwen2").counted("blk.0.attn_q.bias", &[8]));
    assert_eq!((&qwen["attention_bias"], &qwen["model_type"]), (&json!(true), &json!("qwen2")));
    let gemma = config(model("gemma2").set("gemma2.attention.key_length", u32v(6)));
    let known = json!({
        "head_dim": 6, "query_pre_attn_scalar": 6, "sliding_window": 4096,
        "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0,
        "layer_types": ["sliding_attention", "full_attention"],
        "hidden_activation": "gelu_pytorch_tanh", "hidden_act": "gelu_pytorch_tanh",
    });
    for (name, value) in known.as_object().unwrap() {
        assert_eq!(&gemma[name], value, "{name}");
    }
    let gemma = model("gemma3").set("gemma3.attention.sliding_window", u32v(512));
    let largest = config(gemma.clone().set("gemma3.block_count", u32v(62)));
    let full: Vec<usize> =
        (0..62).filter(|i| largest["layer_types"][i] == "full_attention").collect();
    assert_eq!(full, (5..62).step_by(6).collect::<Vec<_>>());
    assert_eq!(
        (&largest["query_pre_attn_scalar"], &largest["rope_local_base_freq"]),
        (&json!(4), &json!(1e4))
    );
    let stated = array(&[flag(false), flag(true)]);
    let stated = config(gemma.clone().set("gemma3.attention.sliding_window_pattern", stated));
    assert_eq!(stated["layer_types"], json!(["full_attention", "sliding_attention"]));
    assert_eq!(stated["architectures"], json!(["Gemma3ForCausalLM"]));
    // What sees images in the files of Ollama is left out, whatever its type.
    let sees = gemma.tensor("v.blk.0.attn_k.weight", &[8, 4], 24, vec![0; 32]).open().unwrap();
    assert_eq!(sees.elements().len(), 6);
}

#[test]
fn configurations_that_cannot_be_are_refused() {
    let refused = |gguf: Gguf| match gguf.open().and_then(|file| file.config_json()) {
        Ok(config) => panic!("{config}"),
        Err(error) => error.to_string(),
    };
    for (name, value, says) in [
        ("embedding_length", u32v(0), "embedding_length to be from 1"),
        ("embedding_length", text("x"), "found \"x\""),
        ("block_count", Raw(10, (1u64 << 60).to_le_bytes().into()), "from 1 to 1024"),
        ("attention.head_count", Raw(5, (-1i32).to_le_bytes().into()), "head_count"),
        ("attention.head_count", u32v(3), "even size"),
        ("attention.head_count_kv", array(&[u32v(1), u32v(2)]), "the same for all layers"),
        ("attention.key_length", u32v(3), "even size"),
        ("attention.value_length", u32v(6), "the same for keys and values"),
        ("rope.dimension_count", u32v(2), "all of it rotary"),
        ("attention.layer_norm_rms_epsilon", f32v(f32::NAN), "to be a number"),
        ("rope.freq_base", f32v(f32::INFINITY), "to be a number"),
        ("rope.scaling.type", text("yarn"), "yarn"),
    ] {
        let said = refused(model("qwen2").set(&format!("qwen2.{name}"), value));
        assert!(said.contains(says), "{name}: {said}");
    }
    assert!(refused(model("gemma3")).contains("sliding_window"));
    let pattern = array(&[flag(true)]);
    let said = refused(model("gemma2").set("gemma2.attention.sliding_window_pattern", pattern));
    assert!(said.contains("2 layers"), "{said}");
    let said = refused(model("llama").counted("rope_freqs.weight", &[3]));
    assert!(said.contains("2 numbers in rope_freqs.weight"), "{said}");
    let said = refused(model("llama").counted("rope_freqs.weight", &[2]));
    assert!(said.contains("above 0"), "{said}");
}

#[test]
fn what_is_not_known_is_named() {
    let said = model("mamba").refused();
    assert!(said.contains("architecture mamba") && said.contains("llama, qwen2"), "{said}");
    let said = model("llama").tensor("output.weight", &[256], 10, vec![0; 84]).refused();
    assert!(said.contains("output.weight: found the type Q2_K; known are F32"), "{said}");
    let said = model("llama").tensor("output.weight", &[256], 77, vec![0; 84]).refused();
    assert!(said.contains("the type number 77"), "{said}");
    let said = model("llama").counted("blk.0.ffn_gate_exps.weight", &[8]).refused();
    assert!(said.contains("blk.0.ffn_gate_exps.weight") && said.contains("llama"), "{said}");
    let said = model("llama").set("split.count", Raw(2, vec![3, 0])).refused();
    assert!(said.contains("llama-gguf-split --merge"), "{said}");
    let mut parts = model("llama").bytes();
    parts[4] = 1;
    assert!(refused(&parts).contains("version 2 or 3 of GGUF, found 1"));
    parts[4..8].copy_from_slice(&[0, 0, 0, 3]);
    assert!(refused(&parts).contains("big-endian"));
    assert!(refused(b"\x80\x02ckpt and more bytes").contains("expected a GGUF file"));
    parts[4..8].copy_from_slice(&[2, 0, 0, 0]);
    assert!(open(&parts).is_ok());
}

/// A file is held against its own length before memory is taken.
#[test]
fn heads_that_lie_are_refused() {
    let good = model("llama").bytes();
    let data: usize = good.len() - model("llama").open().unwrap().elements().len() * 32;
    for end in (0..data).chain([good.len() - 33]) {
        open(&good[..end]).unwrap_err();
    }
    // Counts of tensors, of values, and the length of the first name.
    for at in [8, 16, 24] {
        for lie in [1 << 60, u64::MAX, 1 << 32, good.len() as u64] {
            let mut bytes = good.clone();
            bytes[at..at + 8].copy_from_slice(&lie.to_le_bytes());
            refused(&bytes);
        }
    }
    let huge =
        |kind: u32, count: u64| Raw(9, [&kind.to_le_bytes()[..], &count.to_le_bytes()].concat());
    let mut nested = Raw(9, vec![0; 12]);
    for _ in 0..5000 {
        nested = array(&[nested]);
    }
    for value in [
        Raw(8, (1u64 << 60).to_le_bytes().into()),
        huge(8, 1 << 60),
        huge(0, 1 << 40),
        huge(10, u64::MAX),
        huge(99, 1),
        nested,
        Raw(13, vec![0; 8]),
    ] {
        refused(&model("llama").set("general.other", value).bytes());
    }
    let sizes: &[&[u64]] = &[
        &[0],
        &[8, 0],
        &[],
        &[1; 5],
        &[1 << 32, 1 << 32],
        &[u64::MAX, u64::MAX],
        &[1 << 62],
        &[u64::MAX],
        &[1 << 40],
        &[9],
    ];
    for sizes in sizes {
        for kind in [0, 1, 8, 14] {
            if *sizes == [9] && kind < 2 {
                continue;
            }
            let said = model("llama").tensor("output.weight", sizes, kind, vec![0; 9]).refused();
            assert!(said.contains("output.weight"), "{said}");
        }
    }
    let twice = model("llama").counted("output_norm.weight", &[8]);
    assert!(twice.refused().contains("output_norm.weight twice"));
    let mut twice = model("llama");
    twice.values.push(("llama.block_count".into(), u32v(2)));
    assert!(twice.refused().contains("llama.block_count twice"));
    for aligned in [0, 3, 1 << 20] {
        let said = model("llama").set("general.alignment", u32v(aligned)).refused();
        assert!(said.contains("general.alignment"), "{said}");
    }
    // The last tensor where the one before is, outside of the file, and between two places.
    let gguf = model("llama");
    let at = gguf.bytes().len() - 32 - 16 - 4 * 8 * 8;
    let head = gguf.bytes();
    let offset = (0..at).rev().find(|i| head[*i..].starts_with(b"blk.0.attn_norm.weight"));
    let offset = offset.unwrap() + "blk.0.attn_norm.weight".len() + 4 + 8 + 4;
    for (lie, says) in [
        (0, "one behind the other"),
        (1, "multiple of 32"),
        (u64::MAX - 31, "within the file"),
        (1 << 40, "download it again"),
    ] {
        let mut bytes = head.clone();
        bytes[offset..offset + 8].copy_from_slice(&lie.to_le_bytes());
        let said = refused(&bytes);
        assert!(said.contains(says), "{lie}: {said}");
    }
}

/// A file that was cut off or changed after it was opened.
#[test]
fn a_file_that_becomes_shorter_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    let bytes = model("llama").bytes();
    std::fs::write(&path, &bytes).unwrap();
    let file = GgufFile::open(&path).unwrap();
    assert_eq!((file.length(), file.path()), (bytes.len() as u64, path.as_path()));
    assert!(is_gguf(&path) && !is_gguf(folder.path()));
    std::fs::File::options().write(true).open(&path).unwrap().set_len(900).unwrap();
    let said = file.floats("model.layers.0.input_layernorm.weight").unwrap_err().to_string();
    assert!(said.contains("x.gguf"), "{said}");
}

/// What a folder's `tokenizer.json` says, as a GGUF file would say it.
fn vocabulary(name: &str) -> (Vec<u8>, Gguf) {
    let path =
        format!("{}/../../tests/golden/hub/{name}/tokenizer.json", env!("CARGO_MANIFEST_DIR"));
    let json = std::fs::read(path).unwrap();
    let file: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let mut tokens: Vec<(String, i32)> = Vec::new();
    let mut add = |id: u64, token: &str, kind: i32| {
        tokens.resize(tokens.len().max(id as usize + 1), (String::new(), 5));
        tokens[id as usize] = (token.into(), kind);
    };
    for (token, id) in file["model"]["vocab"].as_object().unwrap() {
        let byte = token.starts_with("<0x") && token.ends_with('>');
        add(id.as_u64().unwrap(), token, if byte { 6 } else { 1 });
    }
    for token in file["added_tokens"].as_array().unwrap() {
        let content = token["content"].as_str().unwrap();
        let kind = if content == "<unk>" {
            2
        } else if token["special"] == true {
            3
        } else {
            4
        };
        add(token["id"].as_u64().unwrap(), content, kind);
    }
    let merges: Vec<[String; 2]> = serde_json::from_value(file["model"]["merges"].clone()).unwrap();
    let score = |token: &str| {
        let at = merges.iter().position(|[left, right]| format!("{left}{right}") == token);
        // The first one is -0.
        at.map_or(-1e3, |at| -(at as f32))
    };
    let scores: Vec<Raw> = tokens.iter().map(|(token, _)| f32v(score(token))).collect();
    let merges: Vec<Raw> = merges.iter().map(|pair| text(&pair.join(" "))).collect();
    let kinds: Vec<Raw> =
        tokens.iter().map(|(_, kind)| Raw(5, kind.to_le_bytes().into())).collect();
    let tokens: Vec<Raw> = tokens.iter().map(|(token, _)| text(token)).collect();
    let gguf = model("llama")
        .set("tokenizer.ggml.tokens", array(&tokens))
        .set("tokenizer.ggml.token_type", array(&kinds));
    let gguf = match name {
        "llama" => gguf
            .set("tokenizer.ggml.model", text("gpt2"))
            .set("tokenizer.ggml.merges", array(&merges)),
        _ => gguf
            .set("tokenizer.ggml.model", text("llama"))
            .set("tokenizer.ggml.scores", array(&scores)),
    };
    (json, gguf)
}

const TEXTS: [&str; 7] = [
    "It was the best of times, it was the worst of times",
    "  two    four\n\n\tif x:\r\n        return 12345",
    "<|endoftext|><bos>x<unk><0x41>",
    "\0 zwölf 你好 \u{1f600}e\u{301}▁",
    "    ",
    "",
    "it's 2024, we'LL see",
];

#[test]
fn text_is_cut_as_by_the_folder() {
    for name in ["llama", "gemma"] {
        let (json, gguf) = vocabulary(name);
        let found = gguf.open().unwrap().tokenizer_json().unwrap();
        let found = HubVocabulary::parse(&found, 340, &[0]).unwrap();
        let expected = HubVocabulary::parse(&json, 340, &[0]).unwrap();
        let ids = |v: &HubVocabulary, text: &str| -> Vec<_> {
            v.segment(text.as_bytes()).iter().map(|token| v.id(*token)).collect()
        };
        for text in TEXTS {
            assert_eq!(ids(&found, text), ids(&expected, text), "{name}: {text:?}");
        }
    }
}

/// The files are the published ones, as far as they are not lists of tokens.
#[test]
fn each_way_to_cut_words_is_known() {
    let (_, gguf) = vocabulary("llama");
    let ids = |pre: &str, text_: &str| {
        let gguf = gguf.clone().set("tokenizer.ggml.pre", text(pre));
        let json = gguf.open().unwrap().tokenizer_json().unwrap();
        let found = HubVocabulary::parse(&json, 340, &[0]).unwrap();
        let tokens = found.segment(text_.as_bytes());
        (tokens.len(), serde_json::from_slice::<serde_json::Value>(&json).unwrap())
    };
    for pre in ["default", "gpt-2", "smollm", "llama-bpe", "qwen2"] {
        let (_, json) = ids(pre, TEXTS[1]);
        assert_eq!(json["model"]["ignore_merges"], pre == "llama-bpe", "{pre}");
        assert_eq!(json["normalizer"]["type"] == "NFC", pre == "qwen2", "{pre}");
        let sequence = json["pre_tokenizer"]["pretokenizers"].as_array().map_or(1, Vec::len);
        assert_eq!(sequence, if pre == "default" || pre == "gpt-2" { 1 } else { 2 }, "{pre}");
    }
    let said = gguf.clone().set("tokenizer.ggml.pre", text("tekken")).open().unwrap();
    let said = said.tokenizer_json().unwrap_err().to_string();
    assert!(said.contains("smollm, llama-bpe") && said.contains("tekken"), "{said}");
}

#[test]
fn vocabularies_that_cannot_be_are_refused() {
    let kinds = |kind: i32, count: usize| array(&vec![Raw(5, kind.to_le_bytes().into()); count]);
    for (name, field, value, says) in [
        ("llama", "model", text("bert"), "gpt2 (byte-level BPE) or llama"),
        ("llama", "tokens", u32v(1), "expected an array tokenizer.ggml.tokens"),
        ("llama", "tokens", array(&[text("a"), text("a")]), "and a type for each"),
        ("llama", "token_type", kinds(9, 331), "a type from 1 to 6"),
        ("llama", "merges", array(&[text("a")]), "merges of two tokens"),
        ("llama", "merges", array(&[text("a nothing-of-it")]), "merges of two tokens"),
        ("gemma", "scores", array(&[f32v(0.0)]), "a score for each"),
        ("gemma", "scores", array(&vec![u32v(0); 334]), "finite scores of F32"),
        ("gemma", "scores", array(&vec![f32v(f32::NAN); 334]), "finite scores of F32"),
    ] {
        let (_, gguf) = vocabulary(name);
        let file = gguf.set(&format!("tokenizer.ggml.{field}"), value).open().unwrap();
        let said = file.tokenizer_json().unwrap_err().to_string();
        assert!(said.contains(says), "{name} {field}: {said}");
    }
    let same = Gguf::default()
        .set("tokenizer.ggml.tokens", array(&[text("a"), text("b"), text("a")]))
        .set("tokenizer.ggml.token_type", kinds(1, 3))
        .set("tokenizer.ggml.model", text("gpt2"));
    let same = Gguf { values: [model("llama").values, same.values].concat(), ..model("llama") };
    let said = same.open().unwrap().tokenizer_json().unwrap_err().to_string();
    assert!(said.contains("found \"a\" as 0 and 2"), "{said}");
    let invalid = array(&[Raw(8, string(b"\xff"))]);
    let file = same
        .set("tokenizer.ggml.tokens", invalid)
        .set("tokenizer.ggml.token_type", kinds(1, 1))
        .open()
        .unwrap();
    let said = file.tokenizer_json().unwrap_err().to_string();
    assert!(said.contains("the token 0 to be text"), "{said}");
}

/// A piece of SentencePiece can be made in as many ways as it has letters.
#[test]
fn many_merges_are_refused() {
    let tokens: Vec<Raw> =
        (1..1000).flat_map(|n| ["a", "b", "c"].map(|letter| text(&letter.repeat(n)))).collect();
    let each = |value: Raw| array(&vec![value; tokens.len()]);
    let gguf = model("llama")
        .set("tokenizer.ggml.model", text("llama"))
        .set("tokenizer.ggml.tokens", array(&tokens))
        .set("tokenizer.ggml.token_type", each(u32v(1)))
        .set("tokenizer.ggml.scores", each(f32v(-1.0)));
    let said = gguf.open().unwrap().tokenizer_json().unwrap_err().to_string();
    assert!(said.contains("merges of at most"), "{said}");
}

proptest! {
    /// A few bytes of a good file changed: an error, or a file that can be asked for everything.
    #[test]
    fn damaged_files_do_not_panic(
        gemma in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        tail in any::<bool>(),
    ) {
        let mut bytes = vocabulary(if gemma { "gemma" } else { "llama" }).1.bytes();
        // What comes last in the head, or all of it.
        let from = if tail { bytes.len().saturating_sub(1200) } else { 0 };
        for (at, to) in changes {
            let at = from + at.index(bytes.len() - from);
            bytes[at] = to;
        }
        if let Ok(file) = open(&bytes) {
            let _ = (file.config_json(), file.tokenizer_json());
            for name in file.names() {
                let _ = (file.floats(name), file.describe(name));
            }
        }
    }
}
