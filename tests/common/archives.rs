//! The files of tests/golden/archives and how they are compressed; on every target the same.

use lmz::{DecodeOptions, Dictionary, Options, Predictor};

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
        Golden {
            name: $name,
            options: $options,
            raw: bytes!($name),
            archive: bytes!(concat!($name, ".lmz")),
        }
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
    let defaults = || Options { predictor: Predictor::None, ..Options::default() };
    let primed = || Options { dictionary: Some(dictionary()), ..defaults() };
    let ppm = || Options { predictor: Predictor::Ppm, ..defaults() };
    let ppm_primed = || Options { dictionary: Some(dictionary()), ..ppm() };
    #[cfg_attr(not(feature = "nano"), expect(unused_mut))]
    let mut all = vec![
        golden!("empty", defaults()),
        golden!("noise.bin", defaults()),
        golden!("zeros.bin", defaults()),
        golden!("message.txt", ppm()),
        golden!("mixed.bin", Options { block: 1000, ..ppm() }),
        golden!("order2.txt", Options { block: 4000, ppm_order: 2, ..ppm() }),
        golden!("full-memory.txt", Options { ppm_memory: 16, ..ppm() }),
        golden!("primed.txt", ppm_primed()),
        golden!("primed-blocks.txt", Options { block: 4000, ..ppm_primed() }),
        golden!("mix-message.txt", defaults()),
        golden!("mix-blocks.bin", Options { block: 1000, ..defaults() }),
        golden!("mix-records.bin", defaults()),
        golden!("mix-streams.txt", Options { streams: Some(5), ..defaults() }),
        golden!("mix-stripes.txt", Options { streams: Some(2), ..defaults() }),
        golden!("mix-primed.txt", Options { block: 3000, ..primed() }),
        golden!("mix-long.txt", defaults()),
    ];
    #[cfg(feature = "nano")]
    all.extend(joint());
    all
}

/// Codec 4, with built-in models.
#[cfg(feature = "nano")]
fn joint() -> Vec<Golden> {
    let by = |name| Options {
        predictor: Predictor::find(name).expect("it is built in"),
        ..Options::default()
    };
    let (nano, base) = (|| by("nano"), || by("base"));
    vec![
        golden!("joint-message.txt", nano()),
        golden!("joint-streams.txt", Options { streams: Some(5), ..nano() }),
        golden!("joint-stripes.txt", Options { streams: Some(2), ..nano() }),
        golden!("joint-blocks.txt", Options { block: 2500, streams: Some(2), ..nano() }),
        golden!("joint-primed.txt", Options { dictionary: Some(dictionary()), ..nano() }),
        golden!("joint-segments.bin", Options { block: 14_000, ..nano() }),
        golden!("unmixed.txt", Options { mix: false, streams: Some(3), ..nano() }),
        golden!("unmixed-base.txt", Options { mix: false, ..base() }),
        golden!("joint-base-primed.txt", Options { dictionary: Some(dictionary()), ..base() }),
        golden!("joint-base-message.txt", base()),
        golden!("joint-base-streams.txt", Options { streams: Some(5), ..base() }),
    ]
}
