//! What many tests need: options, content that is made up, and damage to archives. Each test uses
//! some of it.
#![allow(dead_code)]

use std::io::Read;

use lmz::read::Decoder;
use lmz::{DecoderOptions, EncoderOptions, Predictor};

/// Context mixing alone: what the container does with blocks does not depend on what predicts, and
/// this is fast.
pub fn none() -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::None)
}

pub fn nano() -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::find("nano").unwrap())
}

/// Numbers that never come again in the same order: a little of it becomes about half as long.
pub fn numbers(n: usize) -> Vec<u8> {
    (0..).flat_map(|i: u32| format!("{} ", i * 7 % 1000).into_bytes()).take(n).collect()
}

/// A few words in any order.
pub fn words(n: usize) -> Vec<u8> {
    let words = ["alpha ", "beta ", "gamma\n", "delta ", "the ", "of ", "and "];
    let mut random = random();
    let mut out = Vec::new();
    while out.len() < n {
        out.extend(words[random() as usize % words.len()].bytes());
    }
    out.truncate(n);
    out
}

/// Bytes in which nothing can be found.
pub fn noise(n: usize) -> Vec<u8> {
    let mut random = random();
    (0..n).map(|_| (random() >> 8) as u8).collect()
}

/// Numbers that look random, the same for everybody.
pub fn random() -> impl FnMut() -> u32 {
    let mut state = 12345u64;
    move || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 33) as u32
    }
}

/// What a decoder gives of an archive, and how it ends.
pub fn read(archive: &[u8], options: DecoderOptions) -> (Vec<u8>, std::io::Result<usize>) {
    let mut found = Vec::new();
    let result = Decoder::with_options(archive, options).read_to_end(&mut found);
    (found, result)
}

/// Flips each bit of an archive of `raw` and cuts it at each byte: every time reading it fails, and
/// what came out before is right.
pub fn any_damage_is_an_error(archive: &[u8], raw: &[u8], options: &DecoderOptions) {
    let fails = |damaged: &[u8], how: &str, at: usize| {
        let (found, result) = read(damaged, options.clone());
        assert!(result.is_err(), "{how} {at} of {} bytes", archive.len());
        assert!(raw.starts_with(&found), "{how} {at}: wrong data was delivered");
    };
    for bit in 0..archive.len() * 8 {
        let mut damaged = archive.to_vec();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fails(&damaged, "bit", bit);
    }
    for n in 0..archive.len() {
        fails(&archive[..n], "cut at", n);
    }
}
