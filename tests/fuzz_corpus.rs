//! The inputs that fuzzing found worth keeping, without a fuzzer.

#[path = "common/counting.rs"]
mod counting;
#[path = "common/fuzz.rs"]
mod fuzz;
#[path = "common/structure.rs"]
mod structure;
#[path = "common/tiny.rs"]
mod tiny;

use std::sync::{Mutex, PoisonError};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

fn each(target: &str, run: fn(&[u8])) {
    // Memory is counted of all threads.
    static ONE: Mutex<()> = Mutex::new(());
    let _alone = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = format!("{}/fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        println!("{}", path.display()); // shown if it fails
        run(&bytes);
        seen += 1;
    }
    assert!(seen > 0);
}

#[test]
fn decode() {
    each("decode", fuzz::decode);
}

#[test]
fn header() {
    each("header", fuzz::header);
}

#[test]
fn round_trip() {
    each("round_trip", fuzz::round_trip);
}

#[test]
fn structure() {
    each("structure", structure::structure);
}

/// Without a fuzzer: LMZ_FUZZ_SECONDS=600 cargo test --release --test fuzz_corpus at_random --
/// --ignored
#[test]
#[ignore = "as long as LMZ_FUZZ_SECONDS says"]
fn structure_at_random() {
    let number = |name| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let seconds = number("LMZ_FUZZ_SECONDS").unwrap_or(10);
    let mut state = number("LMZ_FUZZ_SEED").unwrap_or(1) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let (started, mut done) = (std::time::Instant::now(), 0);
    while started.elapsed().as_secs() < seconds {
        let bytes: Vec<u8> = (0..4 + next() % 60).map(|_| (next() >> 24) as u8).collect();
        if std::panic::catch_unwind(|| structure::structure(&bytes)).is_err() {
            panic!("an input that fails: {bytes:02x?}");
        }
        done += 1;
    }
    println!("{done} inputs");
}
