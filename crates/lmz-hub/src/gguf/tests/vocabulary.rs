//! Vocabularies of files, and how they cut text.

use super::*;
use crate::tokenizer::HubVocabulary;

/// What a folder's `tokenizer.json` says, as a GGUF file would say it.
pub fn vocabulary(name: &str) -> (Vec<u8>, Gguf) {
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
