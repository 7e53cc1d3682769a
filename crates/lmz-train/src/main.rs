//! Makes what the context models begin with: `src/mix/start.bin`, and `mixer.bin` of a model
//! folder.
//!
//!     cargo run --release -p lmz-train -- none DOCUMENTS src/mix/start.bin --primer PRIMER \
//!         --rounds 4
//!     cargo run --release -p lmz-train -- nano DOCUMENTS models/nano/mixer.bin
//!     cargo run --release -p lmz-train -- nano DOCUMENTS OUT --go-on --most 4000 --rounds 4 \
//!         --relax 2
//!     cargo run --release -p lmz-train -- SmolLM2-135M DOCUMENTS src/mix/transformer.bin
//!
//! PRIMER is a text made by `scripts/train/primer.py`, DOCUMENTS a file of documents, each followed
//! by a NUL byte. With a model the primer is that of `start.bin`.

use std::path::PathBuf;

use clap::Parser;
use lmz::Predictor;
use lmz::exact::fpstate::exact;
use lmz::mix::Prior;
use lmz::mix::observe::Kind;
use lmz_hub::Finder;
use lmz_train::{Alone, learn};

#[derive(Parser)]
struct Arguments {
    /// A built-in model, the path of a model folder or GGUF file, or none
    model: String,
    documents: PathBuf,
    out: PathBuf,
    /// The text that the context models read first; for none
    #[arg(long, required_if_eq("model", "none"))]
    primer: Option<PathBuf>,
    /// Begin with what the model begins with now
    #[arg(long)]
    go_on: bool,
    /// Bytes of each document that are used: with few, what matters is how the coder begins
    #[arg(long)]
    most: Option<usize>,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How far weights go towards what they became, on average; more than 1 needs fewer rounds
    #[arg(long, default_value_t = 1.0)]
    relax: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = Arguments::parse();
    let documents = std::fs::read(arguments.documents)?;
    let most = arguments.most.unwrap_or(usize::MAX);
    let documents = documents.split(|b| *b == 0).filter(|d| !d.is_empty());
    let documents: Vec<&[u8]> = documents.map(|d| &d[..d.len().min(most)]).collect();
    let raw: usize = documents.iter().map(|d| d.len()).sum();
    let report = |round, bytes: f64| {
        let bpb = bytes * 8.0 / raw as f64;
        println!(
            "round {round}: {raw} bytes in {} documents to {bytes:.0}, {bpb:.4} bpb",
            documents.len()
        );
    };
    let (rounds, relax) = (arguments.rounds, arguments.relax);
    let start = if let ("none", Some(primer)) = (arguments.model.as_str(), arguments.primer) {
        let primer = std::fs::read(primer)?;
        learn(
            exact(|fp| Prior::untrained(fp, Kind::Alone, &primer)),
            &Alone,
            &documents,
            rounds,
            relax,
            report,
        )
    } else {
        let Predictor::Model(model) = Finder::default().predictor(&arguments.model)? else {
            return Err(format!("expected an exact model, found {}", arguments.model).into());
        };
        let untrained = || exact(|fp| Prior::untrained(fp, model.start().kind, &[]));
        let mut start = if arguments.go_on { model.start().clone() } else { untrained() };
        start.primer.clone_from(&model.start().primer);
        let mut bytes = learn(start, &model, &documents, rounds, relax, report);
        // The primer, if there is one, is in start.bin.
        let primer = usize::from(u16::from_le_bytes([bytes[0], bytes[1]]));
        bytes.drain(2..2 + primer);
        bytes[..2].fill(0);
        bytes
    };
    println!("{} bytes", start.len());
    std::fs::write(arguments.out, start)?;
    Ok(())
}
