//! Speed of greedy segmentation: `cargo bench --bench segmentation -- TEXT VOCABULARY...`
//!
//! For each vocabulary file the fastest of ten passes over the text, in 10^6 bytes a second.

use std::hint::black_box;
use std::time::{Duration, Instant};

use lmz::vocab::Vocabulary;

fn main() {
    // Cargo adds --bench, and `cargo test` may run this without a text.
    let mut files = std::env::args().skip(1).filter(|a| !a.starts_with("--"));
    let Some(path) = files.next() else {
        return println!("usage: cargo bench --bench segmentation -- TEXT VOCABULARY...");
    };
    let text = std::fs::read(&path).expect("the text can be read");
    for name in files {
        let began = Instant::now();
        let vocabulary =
            Vocabulary::parse(&std::fs::read(&name).expect("the vocabulary can be read"))
                .expect("it parses");
        let built = began.elapsed();
        let mut tokens = 0;
        let mut best = Duration::MAX;
        for _ in 0..10 {
            let began = Instant::now();
            tokens = vocabulary.segment(black_box(&text)).map(black_box).count();
            best = best.min(began.elapsed());
        }
        println!(
            "{name}: {} tokens, parsed and built in {:.1} ms; {path}: {:.3} bytes a token, {:.0} \
            MB/s",
            vocabulary.len(),
            1e3 * built.as_secs_f64(),
            text.len() as f64 / tokens as f64,
            text.len() as f64 / best.as_secs_f64() / 1e6
        );
    }
}
