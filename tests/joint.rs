//! Compressing with the built-in model.
#![cfg(feature = "nano")]

#[path = "common/support.rs"]
mod support;

use std::io::Write;
use std::sync::{Arc, Mutex};

use lmz::format::Method;
use lmz::write::Encoder;
use lmz::{DecoderOptions, Dictionary, EncoderOptions};
use lmz::{
    compress_bare, compress_many, compress_with, decompress, decompress_bare, decompress_with,
};
use support::{nano, none};

const TEXT: &[u8] = include_bytes!("../testdata/technical.md");
/// Dry prose of this project, as it once was.
const MORE: &[u8] = include_bytes!("golden/definition.txt");

/// The archive, and each block's method, streams and reason.
fn explained(raw: &[u8], options: EncoderOptions) -> (Vec<u8>, Vec<(Method, usize, &'static str)>) {
    let blocks = Arc::new(Mutex::new(Vec::new()));
    let mut encoder = Encoder::with_options(Vec::new(), options).unwrap();
    let noted = Arc::clone(&blocks);
    encoder.on_block(move |b| {
        noted.lock().unwrap().push((b.method, b.streams, b.reason.unwrap().words()))
    });
    encoder.write_all(raw).unwrap();
    let archive = encoder.finish().unwrap();
    let blocks = blocks.lock().unwrap().clone();
    (archive, blocks)
}

/// Content of every kind, below 64 KiB.
fn kinds() -> Vec<Vec<u8>> {
    let every_byte: Vec<u8> = (0..=255).collect();
    let crlf = String::from_utf8_lossy(&TEXT[..3000]).replace('\n', "\r\n").into_bytes();
    let unicode = "Größe, naïve, Ελληνικά, по-русски, 日本語の文章, 🦀🦀\n".repeat(5).into_bytes();
    let binary: Vec<u8> =
        (0..800u32).flat_map(|i| i.wrapping_pow(2).wrapping_mul(7919).to_le_bytes()).collect();
    let cut = "ü".repeat(20).into_bytes()[1..].to_vec();
    let mash = b"asdkfjh aksjdhf kasjhdf kajshdf kjahsd fkjhas dkfjh aksjdhf kjahsdf kjhasd kfjha"
        .to_vec();
    let mut all = vec![
        Vec::new(),
        b"a".to_vec(),
        vec![0],
        vec![0xff],
        every_byte.clone(),
        every_byte.repeat(3),
    ];
    all.extend([
        crlf,
        unicode,
        binary,
        cut,
        mash,
        vec![b' '; 700],
        TEXT[..6000].to_vec(),
        [TEXT, &[7; 300]].concat(),
    ]);
    all
}

#[test]
fn content_of_every_kind() {
    for raw in kinds() {
        let archive = compress_with(&raw, &nano()).unwrap();
        assert_eq!(decompress(&archive).unwrap(), raw);
        assert!(
            archive.len() <= compress_with(&raw, &none()).unwrap().len(),
            "the context models alone make it smaller"
        );
        // As a bare message it is coded with the model, whatever it is.
        let coded = compress_bare(&raw, &nano()).unwrap();
        assert_eq!(decompress_bare(&coded, raw.len(), &nano()).unwrap(), raw);
    }
}

#[test]
fn a_message_is_much_smaller() {
    let message = b"The meeting has been moved to Thursday afternoon because the train from the north is late again.";
    let (archive, blocks) = explained(message, nano());
    assert_eq!(blocks, [(Method::LmCm, 1, "the model makes it smaller")]);
    // A registered model costs no more than none.
    let (bare, without) = (
        compress_bare(message, &nano()).unwrap().len(),
        compress_with(message, &none()).unwrap().len(),
    );
    assert_eq!(archive.len(), bare + 10);
    assert!(archive.len() * 100 < without * 85, "{} and {without} bytes", archive.len());
}

#[test]
fn the_archive_does_not_depend_on_threads() {
    let raw = &TEXT[..8000];
    for options in [nano(), nano().streams(5), nano().block_size(4000).streams(3)] {
        let expected = compress_with(raw, &options).unwrap();
        for threads in [2, 3] {
            let archive = compress_with(raw, &options.clone().threads(threads)).unwrap();
            assert!(archive == expected, "{threads} threads");
            let decoding = DecoderOptions::new().threads(threads);
            assert!(decompress_with(&archive, &decoding).unwrap() == raw, "{threads} threads");
        }
        assert!(decompress(&expected).unwrap() == raw);
    }
}

#[test]
fn blocks_are_judged_one_by_one() {
    let digits: Vec<u8> =
        (0..500u32).flat_map(|i| i.wrapping_pow(2).wrapping_mul(7919).to_le_bytes()).collect();
    let raw = [&TEXT[..2000], &digits, &[9; 2000]].concat();
    let (archive, blocks) = explained(&raw, nano().block_size(2000));
    let methods: Vec<Method> = blocks.iter().map(|b| b.0).collect();
    assert_eq!(methods, [Method::LmCm, Method::Cm, Method::Rle], "{blocks:?}");
    assert_eq!(decompress(&archive).unwrap(), raw);
}

#[test]
fn large_blocks_are_judged_by_pieces() {
    let raw = include_bytes!("../testdata/sources.txt");
    let (archive, blocks) = explained(raw, nano().threads(2));
    assert_eq!(blocks, [(Method::LmCm, 4, "the model makes pieces of it smaller")]);
    assert!(decompress(&archive).unwrap() == raw);
    let numbers: Vec<u8> = (0..66_000u32).flat_map(|i| (i * 7919 % 30_011).to_le_bytes()).collect();
    let (archive, blocks) = explained(&numbers, nano());
    assert_eq!(
        blocks,
        [(Method::Cm, 1, "context models alone make pieces of it smaller than with the model")]
    );
    assert!(
        archive == compress_with(&numbers, &none()).unwrap(),
        "without the model nothing of it is left"
    );
}

/// What shrinks to next to nothing would be refused as a claim that costs too much.
#[test]
fn repeats_are_not_too_much() {
    for part in [&b"ab"[..], b"                \n"] {
        let raw = part.iter().copied().cycle().take(150_000).collect::<Vec<u8>>();
        let archive = compress_with(&raw, &nano().threads(2)).unwrap();
        assert!(decompress(&archive).unwrap() == raw);
        assert!(archive.len() < 500, "{} bytes", archive.len());
    }
}

#[test]
fn after_a_dictionary() {
    let dictionary = Dictionary::new(&TEXT[..4000]).unwrap();
    let options = nano().dictionary(dictionary.clone());
    let decoding = DecoderOptions::new().dictionary(dictionary);
    let raw = &TEXT[3000..5000];
    let (archive, blocks) = explained(raw, options.clone());
    assert_eq!(blocks[0].0, Method::LmCm);
    assert_eq!(decompress_with(&archive, &decoding).unwrap(), raw);
    assert!(
        archive.len() * 10 < compress_with(raw, &nano()).unwrap().len() * 8,
        "half of it is in the dictionary"
    );
    let (archive, blocks) = explained(raw, options.block_size(700).streams(2));
    assert_eq!(
        (blocks[2].0, blocks[2].1),
        (Method::LmCm, 2),
        "none of this block is in the dictionary"
    );
    assert_eq!(decompress_with(&archive, &decoding).unwrap(), raw);
}

/// A log, cut into lines that are messages; its first half is the dictionary.
fn log() -> Vec<u8> {
    let actions = [
        "opened the door",
        "lost its connection",
        "was asked for the report",
        "has been restarted",
    ];
    let line = |i: usize| {
        let (user, action) = (i * 7919 % 313, actions[i * 31 % 4]);
        format!(
            "{{\"time\": {}, \"user\": \"u{user}\", \"message\": \"The server {action}\"}}\n",
            86_400 + i * 37
        )
    };
    (0..80).flat_map(|i| line(i).into_bytes()).collect()
}

#[test]
fn the_model_reads_a_dictionary() {
    let (raw, model) = (MORE, nano());
    let cut = 8000;
    let dictionary = Dictionary::new(&raw[..cut]).unwrap();
    let with = |options: EncoderOptions| options.dictionary(dictionary.clone());
    let size = |options: EncoderOptions| {
        raw[cut..]
            .split_inclusive(|b| *b == b'.')
            .map(|m| compress_bare(m, &options).unwrap().len())
            .sum::<usize>()
    };
    let [primed, context_models, without] =
        [with(model.clone()), with(none()), model.clone()].map(size);
    assert!(
        primed * 21 < context_models.min(without) * 20,
        "{primed}, {context_models}, {without} bytes"
    );
    // Of a long one only the end is read by the model; the mask of a first token does not depend on
    // it.
    let long = Dictionary::new(&[MORE, b"a token without an en"].concat()).unwrap();
    for raw in [&b"d"[..], b"ding"] {
        let options = model.clone().dictionary(long.clone());
        let coded = compress_bare(raw, &options).unwrap();
        assert_eq!(decompress_bare(&coded, raw.len(), &options).unwrap(), raw);
    }
}

#[test]
fn threads_after_a_dictionary() {
    let raw = log();
    let options = nano().dictionary(Dictionary::new(&raw[..3000]).unwrap()).streams(5);
    let expected = compress_with(&raw[3000..], &options).unwrap();
    for threads in [2, 3] {
        assert!(
            compress_with(&raw[3000..], &options.clone().threads(threads)).unwrap() == expected,
            "{threads} threads"
        );
    }
    let messages: Vec<&[u8]> = raw[3000..].split_inclusive(|b| *b == b'\n').collect();
    let options = options.streams(None);
    for (archive, message) in compress_many(&messages, &options).unwrap().iter().zip(messages) {
        assert!(*archive == compress_with(message, &options).unwrap());
    }
}

#[test]
fn many_messages() {
    let mut messages: Vec<Vec<u8>> =
        TEXT[..3000].split(|b| *b == b'\n').map(<[u8]>::to_vec).collect();
    messages.extend(kinds()); // among them some that are stored, and some that need no model
    let expected: Vec<Vec<u8>> =
        messages.iter().map(|m| compress_with(m, &nano()).unwrap()).collect();
    for threads in [1, 3] {
        assert!(compress_many(&messages, &nano().threads(threads)).unwrap() == expected);
    }
    for (message, archive) in messages.iter().zip(&expected) {
        assert_eq!(decompress(archive).unwrap(), *message);
    }
}
