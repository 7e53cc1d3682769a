//! What this package adds to RWKV-7 checkpoints: files that PyTorch wrote, vocabularies of
//! byte-level BPE; and the engine against candle's own RWKV-7, in float32.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use lmz::lm::LoadedModel;
use lmz::{DecoderOptions, EncoderOptions, Predictor};
use tempfile::TempDir;

#[path = "common/open.rs"]
mod open;

use open::exact;

fn folder(layout: &str) -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/golden/checkpoint")).join(layout)
}

#[test]
fn what_pytorch_wrote_is_the_same_model() {
    let safetensors = exact(&folder("reference")).unwrap();
    for path in [folder("pth"), folder("pth/rwkv7-tiny.pth")] {
        let pth = exact(&path).unwrap();
        assert_eq!(pth.weights(), safetensors.weights());
        assert_eq!(pth.identity(), safetensors.identity());
    }
}

/// In steps through the file, and as hostile as a flipped bit can be: an error or the model, no
/// panic that gets out.
#[test]
fn damage_in_what_pytorch_wrote_is_an_error() {
    let to = TempDir::new().unwrap();
    let path = to.path().join("x.pth");
    std::fs::copy(
        folder("pth/rwkv_vocab_v20230424.txt"),
        to.path().join("rwkv_vocab_v20230424.txt"),
    )
    .unwrap();
    let file = std::fs::read(folder("pth/rwkv7-tiny.pth")).unwrap();
    let open = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        exact(&path)
    };
    assert!(open(&file).is_ok());
    for cut in (0..file.len()).step_by(20_011) {
        let error = open(&file[..cut]).unwrap_err().to_string();
        assert!(error.contains("x.pth"), "{error}");
    }
    // The pickle comes first.
    for at in (0..12_000).step_by(97) {
        let mut bytes = file.clone();
        bytes[at] ^= 1 << (at % 8);
        let _ = open(&bytes);
    }
    let error = open(b"no archive").unwrap_err().to_string();
    assert!(error.contains("x.pth"), "{error}");
}

/// A checkpoint of the kind that was trained on the Pile: no World vocabulary, but
/// `tokenizer.json`.
#[test]
fn a_vocabulary_of_byte_level_bpe() {
    let to = TempDir::new().unwrap();
    std::fs::copy(folder("pth/rwkv7-tiny.pth"), to.path().join("rwkv7-pile.pth")).unwrap();
    let mut next = 0x100u32;
    let mut vocab: HashMap<String, u32> = HashMap::new();
    for byte in 0..256u32 {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let code = if printable { byte } else { next };
        next += u32::from(!printable);
        vocab.insert(char::from_u32(code).unwrap().to_string(), 2 + byte);
    }
    vocab.extend([
        ("Ġthe".to_owned(), 258),
        ("ation".to_owned(), 259),
        ("<|endoftext|>".to_owned(), 0),
    ]);
    let file = serde_json::json!({
        "model": {"type": "BPE", "vocab": vocab, "merges": []},
        "added_tokens": [
            {"id": 0, "content": "<|endoftext|>", "special": true},
            {"id": 1, "content": "<|padding|>", "special": true},
            {"id": 260, "content": "    ", "special": false},
        ],
    });
    std::fs::write(to.path().join("tokenizer.json"), file.to_string()).unwrap();
    let model = LoadedModel::new(&exact(to.path()).unwrap()).unwrap();
    let tokens: Vec<&[u8]> = [0, 1, 258, 260, 319].map(|t| model.vocabulary().token(t)).to_vec();
    assert_eq!(tokens, [&b""[..], b"", b" the", b"    ", b""]);
    assert_ne!(
        model.identity(),
        exact(&folder("pth")).unwrap().identity(),
        "another vocabulary is another model"
    );
    let raw = include_bytes!("../../../testdata/technical.md");
    let options = EncoderOptions::new()
        .predictor(Predictor::Model(model.clone()))
        .block_size(4000)
        .mix(false);
    let archive = lmz::compress_with(&raw[..9000], &options).unwrap();
    let options = DecoderOptions::new().model(model);
    assert!(lmz::decompress_with(&archive, &options).unwrap() == raw[..9000]);
    // Both there: the World vocabulary.
    std::fs::copy(
        folder("pth/rwkv_vocab_v20230424.txt"),
        to.path().join("rwkv_vocab_v20230424.txt"),
    )
    .unwrap();
    assert_eq!(exact(to.path()).unwrap().identity(), exact(&folder("pth")).unwrap().identity());
    std::fs::remove_file(to.path().join("rwkv_vocab_v20230424.txt")).unwrap();
    std::fs::remove_file(to.path().join("tokenizer.json")).unwrap();
    let error = exact(to.path()).unwrap_err().to_string();
    assert!(error.contains("rwkv_vocab_v20230424.txt (or tokenizer.json)"), "{error}");
}
