//! The worked examples of docs/FORMAT.md are what the program writes, and docs/MIXING.md names the
//! file that it begins with.

use std::io::Write;

use lmz::write::Encoder;
use lmz::{EncoderOptions, Predictor, compress_with, decompress};

/// The bytes of the examples: fenced blocks after the last heading, hexadecimal up to a `#` on each
/// line.
fn examples() -> Vec<Vec<u8>> {
    let text = include_str!("../docs/FORMAT.md");
    let (_, text) = text.split_once("## An archive, byte by byte").expect("the section is there");
    let hex = |block: &str| {
        let digits = block
            .lines()
            .map(|line| line.split('#').next().unwrap_or("").replace(' ', ""))
            .collect::<String>();
        (0..digits.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).unwrap())
            .collect()
    };
    text.split("```").skip(1).step_by(2).map(hex).collect()
}

#[test]
fn worked_examples() {
    let options = EncoderOptions::new().predictor(Predictor::Ppm);
    let short = compress_with(b"to be or not to be, or to be not", &options).unwrap();
    let mut encoder = Encoder::with_options(Vec::new(), options).unwrap();
    encoder.write_all(b"to be or not to be, or to be not").unwrap();
    encoder.flush().unwrap();
    encoder.write_all(&[0; 1000]).unwrap();
    let full = encoder.finish().unwrap();
    assert_eq!(examples(), [short.clone(), full.clone()], "\nshort {short:02x?}\nfull {full:02x?}");
    assert_eq!(decompress(&short).unwrap(), b"to be or not to be, or to be not");
    assert_eq!(decompress(&full).unwrap().len(), 1032);
}

/// Another `start.bin` is another codec 3, and what a model without a `mixer.bin` begins with is
/// part of codec 4.
#[test]
fn start_files_are_those_defined() {
    let file = include_bytes!("../src/mix/start.bin");
    let text = include_str!("../docs/MIXING.md");
    let length = format!("{},{:03} bytes", file.len() / 1000, file.len() % 1000);
    let hash = format!("XXH64 (seed 0) is `{:016x}`", xxhash_rust::xxh64::xxh64(file, 0));
    assert!(
        text.contains(&length) && text.contains(&hash),
        "docs/MIXING.md does not say: {length}, {hash}"
    );
    let primer = u16::from_le_bytes([file[0], file[1]]);
    let primer = format!("the primer: {},{:03} bytes", primer / 1000, primer % 1000);
    assert!(text.contains(&primer), "docs/MIXING.md does not say: {primer}");
    let fallbacks: [(&str, &[u8]); 2] = [
        ("models/nano/mixer.bin", include_bytes!("../src/mix/mixer.bin")),
        ("src/mix/transformer.bin", include_bytes!("../src/mix/transformer.bin")),
    ];
    for (name, file) in fallbacks {
        let hash = format!("whose XXH64 (seed 0) is `{:016x}`", xxhash_rust::xxh64::xxh64(file, 0));
        assert!(text.contains(&hash), "docs/MIXING.md does not say of {name}: {hash}");
    }
}
