//! The files of tests/golden/archives and how they are compressed; on every target the same.

use lmz::{DecoderOptions, Dictionary, EncoderOptions, Predictor};

pub struct Golden {
    pub name: &'static str,
    pub options: EncoderOptions,
    pub raw: &'static [u8],
    pub archive: &'static [u8],
    /// Whether an encoder still makes this archive of the file. One that an encoder of an earlier
    /// release made is decoded for ever.
    pub written: bool,
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
            written: true,
        }
    };
}

/// As `-D message.txt` does.
fn dictionary() -> Dictionary {
    Dictionary::new(bytes!("message.txt")).expect("it is not empty")
}

pub fn decoding() -> DecoderOptions {
    DecoderOptions::new().dictionary(dictionary())
}

pub fn all() -> Vec<Golden> {
    let defaults = || EncoderOptions::new().predictor(Predictor::None);
    let primed = || defaults().dictionary(dictionary());
    let ppm = || defaults().predictor(Predictor::Ppm);
    let ppm_primed = || ppm().dictionary(dictionary());
    #[cfg_attr(not(feature = "nano"), expect(unused_mut))]
    let mut all = vec![
        golden!("empty", defaults()),
        golden!("noise.bin", defaults()),
        golden!("zeros.bin", defaults()),
        golden!("message.txt", ppm()),
        golden!("mixed.bin", ppm().block_size(1000)),
        golden!("order2.txt", ppm().block_size(4000).ppm_order(2)),
        golden!("full-memory.txt", ppm().ppm_memory(16)),
        golden!("primed.txt", ppm_primed()),
        golden!("primed-blocks.txt", ppm_primed().block_size(4000)),
        golden!("mix-message.txt", defaults()),
        golden!("mix-blocks.bin", defaults().block_size(1000)),
        golden!("mix-records.bin", defaults()),
        golden!("mix-streams.txt", defaults().streams(5)),
        golden!("mix-stripes.txt", defaults().streams(2)),
        golden!("mix-primed.txt", primed().block_size(3000)),
        golden!("mix-long.txt", defaults()),
    ];
    #[cfg(feature = "nano")]
    all.extend(joint());
    all
}

/// Codec 4, with built-in models.
#[cfg(feature = "nano")]
fn joint() -> Vec<Golden> {
    let by = |name| EncoderOptions::new().predictor(Predictor::find(name).expect("it is built in"));
    let (nano, base) = (|| by("nano"), || by("base"));
    vec![
        golden!("joint-message.txt", nano()),
        golden!("joint-streams.txt", nano().streams(5)),
        golden!("joint-stripes.txt", nano().streams(2)),
        golden!("joint-blocks.txt", nano().block_size(2500).streams(2)),
        golden!("joint-primed.txt", nano().dictionary(dictionary())),
        // Until release 1.0.1 parts were found by coding all of a block both ways.
        Golden { written: false, ..golden!("joint-segments.bin", nano().block_size(14_000)) },
        golden!("joint-parts.bin", nano().block_size(14_000)),
        golden!("unmixed.txt", nano().mix(false).streams(3)),
        golden!("unmixed-base.txt", base().mix(false)),
        golden!("joint-base-primed.txt", base().dictionary(dictionary())),
        golden!("joint-base-message.txt", base()),
        golden!("joint-base-streams.txt", base().streams(5)),
    ]
}
