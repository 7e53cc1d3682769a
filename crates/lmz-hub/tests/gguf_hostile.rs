//! GGUF files that mean harm: an error, within memory and time. Memory is counted for the whole
//! process, so all of it is one test.

use std::time::{Duration, Instant};

use lmz_hub::gguf::{GgufError, GgufFile};

#[path = "../../../tests/common/counting.rs"]
mod counting;

#[global_allocator]
static COUNTING: counting::Counting = counting::Counting;

/// The most memory that a file may take beside its own length: what is room for the most values.
const MOST: usize = 160 << 20;

/// The error that a file is, opened and asked for all that it says.
fn refused(case: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.gguf");
    std::fs::write(&path, bytes).unwrap();
    let since = Instant::now();
    let ask = || -> Result<(), GgufError> {
        let file = GgufFile::open(&path)?;
        file.tokenizer_json()?;
        file.config_json().map(|_| ())
    };
    let (found, peak) = counting::peak(ask);
    assert!(peak <= MOST + 4 * bytes.len(), "{case}: {peak} bytes for {}", bytes.len());
    assert!(since.elapsed() < Duration::from_secs(20), "{case}: {:?}", since.elapsed());
    let said = found.expect_err(case).to_string();
    assert!(said.len() < 1000 && !said.chars().any(char::is_control), "{case}: {said:?}");
    said
}

fn string(text: &[u8]) -> Vec<u8> {
    [&(text.len() as u64).to_le_bytes(), text].concat()
}

/// A file without tensors that says that it has so many values, and has these.
fn file(count: u64, values: &[(&str, u32, Vec<u8>)]) -> Vec<u8> {
    let mut out = [&b"GGUF\x03\0\0\0"[..], &[0; 8], &count.to_le_bytes()].concat();
    for (name, kind, bytes) in values {
        out.extend(string(name.as_bytes()));
        out.extend(kind.to_le_bytes());
        out.extend(bytes);
    }
    out
}

fn array(kind: u32, count: u64, values: Vec<u8>) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &count.to_le_bytes(), &values].concat()
}

#[test]
fn files_that_mean_harm_are_refused() {
    files_that_lie_take_little();
    pieces_take_little_time();
}

fn files_that_lie_take_little() {
    let lengths = [1 << 60, u64::MAX, 1 << 40, 100 << 20];
    for length in lengths {
        let length_ = length.to_le_bytes();
        for (case, bytes) in [
            ("a name", [&file(1, &[])[..], &length_].concat()),
            ("text", file(1, &[("x", 8, length_.into())])),
            ("an array of bytes", file(1, &[("x", 9, array(0, length, vec![]))])),
            ("an array of text", file(1, &[("x", 9, array(8, length, vec![0; 64]))])),
            ("values", file(length, &[])),
            ("tensors", [&b"GGUF\x03\0\0\0"[..], &length_, &[0; 8]].concat()),
        ] {
            refused(&format!("{case} of {length}"), &bytes);
        }
    }
    // As many values as there are bytes, none of which is anything.
    let many = 8 << 20;
    refused("bytes", &file(1, &[("x", 9, array(0, many, vec![0; many as usize]))]));
    let empty = array(8, many / 8, vec![0; many as usize]);
    refused("empty texts", &file(1, &[("x", 9, empty)]));
    let mut nested = array(0, 1, vec![0]);
    for _ in 0..100_000 {
        nested = [&[9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0][..], &nested].concat();
        if nested.len() > 1 << 16 {
            break;
        }
    }
    refused("arrays in arrays", &file(1, &[("x", 9, nested)]));
    let names: Vec<u8> = (0..1u32 << 16)
        .flat_map(|i| [string(&i.to_le_bytes()), vec![7, 0, 0, 0, 1]].concat())
        .collect();
    let count = (1u64 << 16).to_le_bytes();
    let bytes = [&b"GGUF\x03\0\0\0"[..], &[0; 8], &count, &names].concat();
    refused("names that are no text", &bytes);
}

/// All the cuts of long pieces of SentencePiece, which could be merges.
fn pieces_take_little_time() {
    let text = |text: &str| (8, string(text.as_bytes()));
    let pieces: Vec<String> =
        (1..1024).flat_map(|n| ["a", "b", "c", "d"].map(|letter| letter.repeat(n))).collect();
    let count = pieces.len() as u64;
    let (kind, llama) = text("llama");
    let values = [
        ("general.architecture", kind, llama.clone()),
        ("llama.attention.head_count", 4, vec![1, 0, 0, 0]),
        ("tokenizer.ggml.model", kind, llama),
        (
            "tokenizer.ggml.tokens",
            9,
            array(8, count, pieces.iter().flat_map(|p| string(p.as_bytes())).collect()),
        ),
        ("tokenizer.ggml.token_type", 9, array(4, count, [1, 0, 0, 0].repeat(pieces.len()))),
        ("tokenizer.ggml.scores", 9, array(6, count, vec![0; 4 * pieces.len()])),
    ];
    let said = refused("pieces", &file(values.len() as u64, &values));
    assert!(said.contains("merges of at most"), "{said}");
    // Each is longer than any token.
    let pieces: Vec<String> = (2000..5000).map(|n| "a".repeat(n)).collect();
    let count = pieces.len() as u64;
    let mut values = values;
    values[3].2 = array(8, count, pieces.iter().flat_map(|p| string(p.as_bytes())).collect());
    values[4].2 = array(4, count, [1, 0, 0, 0].repeat(pieces.len()));
    values[5].2 = array(6, count, vec![0; 4 * pieces.len()]);
    refused("long pieces", &file(values.len() as u64, &values));
}
