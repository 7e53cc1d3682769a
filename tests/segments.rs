//! What of a block the built-in model reads: text, and nothing else.
#![cfg(feature = "nano")]

#[path = "common/support.rs"]
mod support;

use std::ops::Range;

use lmz::format::{BlockHead, FrameHeader, Input, Limits, Method, Segment};
use lmz::{DecoderOptions, Predictor, compress_with, decompress_with};
use support::{nano, random};

/// Prose.
fn prose() -> Vec<u8> {
    include_bytes!("../testdata/prose.txt").to_vec()
}

fn base64(bytes: usize) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = random();
    (0..bytes)
        .map(|i| if i % 77 == 76 { b'\n' } else { DIGITS[(random() >> 8) as usize % 64] })
        .collect()
}

fn utf16(text: &[u8]) -> Vec<u8> {
    String::from_utf8_lossy(text).encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// A sine and noise, 16 bits, with the header of a WAV file.
fn wav(bytes: usize) -> Vec<u8> {
    let mut random = random();
    let sample =
        |i: usize| ((i as f64 * 0.031).sin() * 9000.0 + f64::from(random() >> 8 & 255)) as i16;
    let samples: Vec<u8> = (0..(bytes - 44) / 2).map(sample).flat_map(i16::to_le_bytes).collect();
    let n = samples.len() as u32;
    [
        &b"RIFF"[..],
        &(36 + n).to_le_bytes(),
        b"WAVEfmt \x10\0\0\0\x01\0\x01\0\x44\xac\0\0\x88\x58\x01\0\x02\0\x10\0data",
    ]
    .concat()
    .into_iter()
    .chain(n.to_le_bytes())
    .chain(samples)
    .collect()
}

/// Machine code.
fn program(bytes: usize) -> &'static [u8] {
    &include_bytes!("../testdata/code.bin")[..bytes]
}

/// The method and the segments of an archive of one block in a full frame.
fn block(archive: &[u8]) -> (Method, Vec<Segment>) {
    let mut input = Input::new(archive);
    let header = FrameHeader::read(&mut input, &Limits::default()).unwrap();
    let head = BlockHead::read(&mut input, header.models.len(), &Limits::default()).unwrap();
    assert!(head.last);
    (head.method, head.layout.segments)
}

/// Compresses with any number of threads to the same archive and back; not noticeably larger than
/// without the model.
fn archive(raw: &[u8]) -> Vec<u8> {
    let archive = compress_with(raw, &nano()).unwrap();
    assert!(compress_with(raw, &nano().threads(3)).unwrap() == archive, "three threads");
    let decoded = decompress_with(&archive, &DecoderOptions::new().threads(2)).unwrap();
    assert!(decoded == raw);
    let without = compress_with(raw, &nano().predictor(Predictor::None)).unwrap().len();
    assert!(archive.len() <= without + without / 200 + 4, "{} and {without} bytes", archive.len());
    archive
}

/// How many bytes of a range are in segments with a model.
fn read_by_model(segments: &[Segment], range: Range<usize>) -> usize {
    let mut at = 0;
    let mut out = 0;
    for segment in segments {
        let end = at + segment.length as usize;
        if segment.model.is_some() {
            out += end.min(range.end).saturating_sub(at.max(range.start));
        }
        at = end;
    }
    out
}

#[test]
fn a_mail_with_an_attachment() {
    let (text, attachment) = (45_000, 70_000);
    let prose = &prose()[..text];
    let head = b"From: a@example.org\nTo: b@example.org\nSubject: the minutes\n\n";
    let raw =
        [head, prose, b"\n--next\nContent-Transfer-Encoding: base64\n\n", &base64(attachment)]
            .concat();
    let archive = archive(&raw);
    let (method, segments) = block(&archive);
    assert_eq!(method, Method::LmCm);
    assert!(read_by_model(&segments, 0..text) > text * 9 / 10, "{segments:?}");
    assert!(read_by_model(&segments, text..raw.len()) < attachment / 10, "{segments:?}");
    // No larger than the text with the model and the attachment without.
    let alone = compress_with(prose, &nano()).unwrap().len();
    let attached =
        compress_with(&raw[raw.len() - attachment..], &nano().predictor(Predictor::None))
            .unwrap()
            .len();
    assert!(
        archive.len() < alone + attached + 300,
        "{} bytes, the parts {alone} and {attached}",
        archive.len()
    );
}

#[test]
fn a_small_file_in_parts() {
    let prose = prose();
    let raw = [&prose[..20_000], program(25_000)].concat();
    let archive = archive(&raw);
    let (method, segments) = block(&archive);
    assert_eq!(method, Method::LmCm);
    assert!(
        segments[0].length.abs_diff(20_000) <= 2048 && segments[0].model.is_some(),
        "{segments:?}"
    );
    assert!(segments[1].model.is_none() && segments.len() == 2, "{segments:?}");
    let alone = compress_with(&raw, &nano().predictor(Predictor::None)).unwrap().len();
    assert!(archive.len() + archive.len() / 50 < alone, "{} and {alone} bytes", archive.len());
}

#[test]
fn what_is_no_text() {
    for (name, raw) in [
        ("utf16", utf16(&prose()[..40_000])),
        ("wav", wav(70_000)),
        ("program", program(70_000).to_vec()),
        ("small utf16", utf16(&prose()[..10_000])),
    ] {
        let (method, segments) = match archive(&raw) {
            short if short.starts_with(b"\xebL") && short[2] >= 0x80 => continue, // one segment, and the size has been looked at
            full => block(&full),
        };
        let read = read_by_model(&segments, 0..raw.len());
        assert!(
            method == Method::Cm && read == 0,
            "{name}: the model reads {read} bytes of {}",
            raw.len()
        );
    }
}

#[test]
fn all_in_one_file() {
    let prose = prose();
    let parts = [
        &prose[..40_000],
        &wav(40_000),
        &prose[40_000..80_000],
        &utf16(&prose[..20_000]),
        program(40_000),
    ];
    let raw = parts.concat();
    let (method, segments) = block(&archive(&raw));
    assert_eq!(method, Method::LmCm);
    let mut at = 0;
    for (i, part) in parts.into_iter().enumerate() {
        let read = read_by_model(&segments, at..at + part.len());
        let text = i == 0 || i == 2;
        let right = if text { read * 10 > part.len() * 8 } else { read * 10 < part.len() * 2 };
        assert!(right, "of part {i} the model reads {read} bytes of {}: {segments:?}", part.len());
        at += part.len();
    }
    assert_eq!(at, raw.len());
}
