//! Files that are made here, a few tensors each, good ones and others.

mod config;
mod head;
mod tensors;
mod vocabulary;

use super::*;

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
