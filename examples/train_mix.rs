//! Makes `src/mix/start.bin`, what the context models begin with.
//!
//!     cargo run --release --features train --example train_mix -- PRIMER DOCUMENTS src/mix/start.bin
//!
//! PRIMER is a text made by `scripts/train/primer.py`, DOCUMENTS a file of documents, each followed by a NUL byte.

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [primer, documents, out] = &arguments[..] else {
        eprintln!("usage: train_mix PRIMER DOCUMENTS OUT");
        std::process::exit(2);
    };
    let (primer, documents) = (std::fs::read(primer)?, std::fs::read(documents)?);
    let documents: Vec<&[u8]> = documents.split(|b| *b == 0).filter(|d| !d.is_empty()).collect();
    let raw: usize = documents.iter().map(|d| d.len()).sum();
    let report = |round, bytes: f64| {
        println!(
            "round {round}: {raw} bytes in {} documents to {bytes:.0}, {:.4} bpb",
            documents.len(),
            bytes * 8.0 / raw as f64
        );
    };
    let start = lmz::train::learn(&primer, &documents, 4, report);
    println!("{} bytes", start.len());
    std::fs::write(out, start)
}
