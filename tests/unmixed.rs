//! What the language model alone makes of a text: codec 2 with a neural model.
#![cfg(feature = "nano")]

use std::io::{Cursor, Read, Write};
use std::sync::{Arc, Mutex};

use lmz::Archive;
use lmz::format::{BlockHead, FrameHeader, Layout, Method, ModelRef, Segment, content_check};
use lmz::read::Decoder;
use lmz::recover::recover;
use lmz::write::Encoder;
use lmz::{CodecError, DecoderOptions, Dictionary, EncoderOptions, Error, Predictor};
use lmz::{
    compress_bare, compress_many, compress_with, decompress, decompress_bare, decompress_with,
};

const TEXT: &[u8] = include_bytes!("../testdata/technical.md");

fn mixed() -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::find("nano").unwrap())
}

fn unmixed() -> EncoderOptions {
    mixed().mix(false)
}

/// The archive, and its blocks' methods and numbers of streams.
fn explained(raw: &[u8], options: EncoderOptions) -> (Vec<u8>, Vec<(Method, usize)>) {
    let blocks = Arc::new(Mutex::new(Vec::new()));
    let mut encoder = Encoder::with_options(Vec::new(), options).unwrap();
    let noted = Arc::clone(&blocks);
    encoder.on_block(move |b| noted.lock().unwrap().push((b.method, b.streams)));
    encoder.write_all(raw).unwrap();
    let archive = encoder.finish().unwrap();
    let blocks = blocks.lock().unwrap().clone();
    (archive, blocks)
}

#[test]
fn content_of_every_kind() {
    let every_byte: Vec<u8> = (0..=255).collect();
    for raw in [
        &b""[..],
        b"a",
        &[0; 500],
        &every_byte,
        &TEXT[..3000],
        &[&TEXT[..900], &every_byte[..]].concat(),
    ] {
        let archive = compress_with(raw, &unmixed()).unwrap();
        assert_eq!(decompress(&archive).unwrap(), raw);
        let coded = compress_bare(raw, &unmixed()).unwrap();
        assert_eq!(decompress_bare(&coded, raw.len(), &unmixed()).unwrap(), raw);
        assert_eq!(compress_many(&[raw], &unmixed()).unwrap(), [archive]);
    }
}

#[test]
fn the_archive_does_not_depend_on_threads() {
    let raw = &TEXT[..6000];
    for (options, streams) in [(unmixed(), 1), (unmixed().streams(7), 7)] {
        let (expected, blocks) = explained(raw, options.clone());
        assert_eq!(blocks, [(Method::Modelled, streams)]);
        for threads in [2, 3] {
            assert!(
                compress_with(raw, &options.clone().threads(threads)).unwrap() == expected,
                "{threads} threads"
            );
            let decoding = DecoderOptions::new().threads(threads);
            assert!(decompress_with(&expected, &decoding).unwrap() == raw, "{threads} threads");
        }
    }
    let long = &TEXT.repeat(17)[..132_000];
    assert_eq!(explained(long, unmixed()).1, [(Method::Modelled, 4)]);
}

#[test]
fn the_mixture_is_smaller() {
    let raw = &TEXT[..8_000];
    let (alone, together) = (
        compress_bare(raw, &unmixed()).unwrap().len(),
        compress_bare(raw, &mixed()).unwrap().len(),
    );
    assert!(alone * 2 < raw.len() && together * 20 < alone * 19, "{alone} and {together} bytes");
}

#[test]
fn after_a_dictionary() {
    let dictionary = Dictionary::new(&TEXT[..3000]).unwrap();
    let raw = &TEXT[3000..3600];
    let with = unmixed().dictionary(dictionary.clone());
    assert!(
        compress_bare(raw, &with).unwrap().len() < compress_bare(raw, &unmixed()).unwrap().len()
    );
    let archive = compress_with(raw, &with).unwrap();
    assert!(matches!(decompress(&archive), Err(Error::NoDictionary { .. })));
    let decoding = DecoderOptions::new().dictionary(dictionary);
    assert_eq!(decompress_with(&archive, &decoding).unwrap(), raw);
}

#[test]
fn every_flipped_byte_is_an_error() {
    let raw = &TEXT[..60];
    let archive = compress_with(raw, &unmixed().streams(2)).unwrap();
    for at in 0..archive.len() {
        let mut damaged = archive.clone();
        damaged[at] ^= 0x10;
        let mut found = Vec::new();
        let result = Decoder::new(&damaged[..]).read_to_end(&mut found);
        assert!(result.is_err() && raw.starts_with(&found), "byte {at} of {}", archive.len());
    }
}

#[test]
fn sought_and_recovered() {
    let raw = &TEXT[..900];
    let mut archive = compress_with(raw, &unmixed().block_size(400)).unwrap();
    let mut content = Archive::open(Cursor::new(&archive), DecoderOptions::default()).unwrap();
    let frame = content.frames()[0].clone();
    assert_eq!(content.method(&frame, &frame.blocks[1]).unwrap(), Method::Modelled);
    let mut part = Vec::new();
    content.read_range(390..410, |bytes| part.write_all(bytes)).unwrap();
    assert_eq!(part, &raw[390..410]);
    archive[3] ^= 1; // the header is lost
    let mut found = Vec::new();
    recover(Cursor::new(&archive), &DecoderOptions::default(), |bytes| found.write_all(bytes))
        .unwrap();
    assert_eq!(found, raw);
}

/// An archive of one block whose head says what an encoder would not.
fn forged(
    models: Vec<ModelRef>,
    raw: u64,
    segments: &[(u64, usize)],
    streams: u64,
    coded: &[u8],
) -> Vec<u8> {
    let mut out = Vec::new();
    FrameHeader { models, ..FrameHeader::default() }.write(&mut out);
    let segments = segments
        .iter()
        .map(|(length, model)| Segment { length: *length, model: Some(*model) })
        .collect();
    let layout = Layout { segments, streams, stripe: 1 };
    BlockHead { last: true, method: Method::Modelled, raw, coded: coded.len() as u64, layout }
        .write(&mut out);
    out.extend(coded);
    out.extend(content_check(&[], coded).to_le_bytes());
    out
}

#[test]
fn claims_that_cannot_be() {
    let Predictor::Model(nano) = Predictor::find("nano").unwrap() else {
        unreachable!("it is a model")
    };
    let neural = || ModelRef::Rwkv7 { identity: nano.identity().0.to_vec() };
    let error = |models: &[ModelRef], raw, segments: &[(u64, usize)], streams, coded: &[u8]| {
        match decompress(&forged(models.to_vec(), raw, segments, streams, coded)) {
            Err(Error::Block { source, .. }) => source,
            other => panic!("{other:?}"),
        }
    };
    // Minutes of the network for a few bytes.
    assert_eq!(error(&[neural()], 1 << 20, &[(1 << 20, 0)], 1, &[0; 16]), CodecError::TooShort);
    let ppm = ModelRef::Ppm { order: 6, memory: 26 };
    // Streams of PPM; and a thousand states of the network for a few bytes.
    assert_eq!(
        error(std::slice::from_ref(&ppm), 60, &[(60, 0)], 2, &[1; 50]),
        CodecError::Streams { found: 2 }
    );
    assert_eq!(error(&[neural()], 1000, &[(1000, 0)], 1000, &[1; 900]), CodecError::TooShort);
    assert_eq!(
        error(&[neural(), ppm], 60, &[(30, 0), (30, 1)], 1, &[1; 50]),
        CodecError::WrongModel
    );
    assert!(matches!(
        error(&[neural()], 60, &[(60, 0), (0, 0)], 1, &[1; 50]),
        CodecError::NotACodeword | CodecError::TooShort
    ));
}
