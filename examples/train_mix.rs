//! Makes what the context models begin with: `src/mix/start.bin`, and `mixer.bin` of a model folder.
//!
//!     cargo run --release --features train --example train_mix -- none DOCUMENTS src/mix/start.bin PRIMER
//!     cargo run --release --features train --example train_mix -- nano DOCUMENTS models/nano/mixer.bin
//!
//! PRIMER is a text made by `scripts/train/primer.py`, DOCUMENTS a file of documents, each followed by a NUL byte. With a model
//! the primer is that of `start.bin`.

use lmz::lm::rwkv7::Ready;
use lmz::train::{Alone, Kind, Start, learn};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, documents, out, primer @ ..] = &arguments[..] else {
        return Err("usage: train_mix none DOCUMENTS OUT PRIMER, or train_mix MODEL DOCUMENTS OUT".into());
    };
    let documents = std::fs::read(documents)?;
    let documents: Vec<&[u8]> = documents.split(|b| *b == 0).filter(|d| !d.is_empty()).collect();
    let raw: usize = documents.iter().map(|d| d.len()).sum();
    let report = |round, bytes: f64| {
        let bpb = bytes * 8.0 / raw as f64;
        println!("round {round}: {raw} bytes in {} documents to {bytes:.0}, {bpb:.4} bpb", documents.len());
    };
    let start = match (model.as_str(), primer) {
        ("none", [primer]) => {
            learn(Start::untrained(Kind::Alone, &std::fs::read(primer)?), &Alone, &documents, 4, report)
        }
        ("none", _) => return Err("none: which primer?".into()),
        _ => {
            let mut start = Start::untrained(Kind::WithModel, &[]);
            start.primer = Start::get().primer.clone();
            let mut bytes = learn(start, &Ready::find(model)?, &documents, 3, report);
            // The primer is in start.bin.
            let primer = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
            bytes.drain(2..2 + primer);
            bytes[..2].fill(0);
            bytes
        }
    };
    println!("{} bytes", start.len());
    std::fs::write(out, start)?;
    Ok(())
}
