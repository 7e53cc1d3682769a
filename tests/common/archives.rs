//! The files of tests/golden/archives and how they are compressed; on every target the same.

use lmz::{DecodeOptions, Dictionary, Options};

pub struct Golden {
    pub name: &'static str,
    pub options: Options,
    pub raw: &'static [u8],
    pub archive: &'static [u8],
}

macro_rules! bytes {
    ($name:expr) => {
        include_bytes!(concat!("../golden/archives/", $name))
    };
}

macro_rules! golden {
    ($name:literal, $options:expr) => {
        Golden { name: $name, options: $options, raw: bytes!($name), archive: bytes!(concat!($name, ".lmz")) }
    };
}

/// As `-D message.txt` does.
fn dictionary() -> Dictionary {
    Dictionary::new(bytes!("message.txt")).expect("it is not empty")
}

pub fn decoding() -> DecodeOptions {
    DecodeOptions { dictionaries: vec![dictionary()], ..DecodeOptions::default() }
}

pub fn all() -> Vec<Golden> {
    let defaults = Options::default;
    let primed = || Options { dictionary: Some(dictionary()), ..defaults() };
    vec![
        golden!("empty", defaults()),
        golden!("message.txt", defaults()),
        golden!("noise.bin", defaults()),
        golden!("zeros.bin", defaults()),
        golden!("mixed.bin", Options { block: 1000, ..defaults() }),
        golden!("order2.txt", Options { block: 4000, ppm_order: 2, ..defaults() }),
        golden!("full-memory.txt", Options { ppm_memory: 16, ..defaults() }),
        golden!("primed.txt", primed()),
        golden!("primed-blocks.txt", Options { block: 4000, ..primed() }),
    ]
}
