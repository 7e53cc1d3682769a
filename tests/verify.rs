//! Ranges and archives that are seeked in refuse what a stream refuses: damage in blocks without
//! content, ends of frames that say something else, foreign bytes behind the last frame. Zeros
//! there are nothing.

use std::io::{Cursor, Read, Seek, SeekFrom};

use lmz::Archive;
use lmz::format::{BlockHead, Entry, FrameHeader, Index, Layout, Method, Trailer, content_check};
use lmz::read::Decoder;
use lmz::recover::recover;
use lmz::{DecoderOptions, EncoderOptions, Error, Predictor, compress_with};

fn none(block: usize) -> EncoderOptions {
    EncoderOptions::new().predictor(Predictor::None).block_size(block)
}

/// A block that is stored.
fn block(raw: &[u8], last: bool) -> Vec<u8> {
    let (length, layout) = (raw.len() as u64, Layout::default());
    let mut out = Vec::new();
    BlockHead { last, method: Method::Stored, raw: length, coded: length, layout }.write(&mut out);
    out.extend(raw);
    out.extend(content_check(raw, raw).to_le_bytes());
    out
}

/// A frame of blocks as they are given, whose index says what `index` makes of it.
fn frame(blocks: &[(&[u8], bool)], index: impl Fn(&mut Vec<Entry>)) -> Vec<u8> {
    let mut out = Vec::new();
    FrameHeader::default().write(&mut out);
    let mut entries = Vec::new();
    for (raw, last) in blocks {
        let block = block(raw, *last);
        entries.push(Entry { bytes: block.len() as u64, raw: raw.len() as u64 });
        out.extend(block);
    }
    index(&mut entries);
    let begin = out.len();
    Index(entries).write(&mut out);
    let index = (out.len() - begin) as u64;
    let frame = out.len() as u64 + 24;
    Trailer { frame, index }.write(&mut out);
    out
}

fn streamed(archive: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let well = Decoder::new(archive).read_to_end(&mut out).is_ok();
    (out, well)
}

fn seeked(archive: &[u8]) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let Ok(mut opened) = Archive::open(Cursor::new(archive), DecoderOptions::default()) else {
        return (out, false);
    };
    let well = opened.read_to_end(&mut out).is_ok();
    (out, well)
}

fn ranged(archive: &[u8], range: std::ops::Range<u64>) -> (Vec<u8>, bool) {
    let mut out = Vec::new();
    let Ok(mut opened) = Archive::open(Cursor::new(archive), DecoderOptions::default()) else {
        return (out, false);
    };
    let well = opened.read_range(range, |bytes| {
        out.extend(bytes);
        Ok(())
    });
    (out, well.is_ok())
}

/// All ways to read an archive refuse it.
fn refused(archive: &[u8], what: &str) {
    assert!(!streamed(archive).1, "{what}: the stream");
    assert!(!seeked(archive).1, "{what}: seeking");
    assert!(!ranged(archive, 0..u64::MAX).1, "{what}: the range");
}

#[test]
fn frames_as_they_should_be() {
    let archive = frame(&[(b"one", false), (b"", false), (b"two", true)], |_| ());
    for (out, well) in [streamed(&archive), seeked(&archive), ranged(&archive, 0..u64::MAX)] {
        assert!(well && out == b"onetwo");
    }
}

#[test]
fn blocks_and_index_that_disagree() {
    let parts: &[(&[u8], bool)] = &[(b"one", false), (b"two", true)];
    refused(&frame(&[(b"one", true), (b"two", true)], |_| ()), "two last blocks");
    refused(&frame(&[(b"one", true), (b"two", false)], |_| ()), "the first marked as last");
    refused(&frame(&[(b"one", false), (b"two", false)], |_| ()), "no last block");
    refused(&frame(&[], |_| ()), "no block");
    refused(&frame(parts, |index| index[0].raw += 1), "a longer block");
    refused(&frame(parts, |index| index[1].raw -= 1), "a shorter block");
    refused(
        &frame(parts, |index| index.push(Entry { bytes: 0, raw: 0 })),
        "a block that is not there",
    );
    refused(&frame(parts, |index| index.truncate(index.len() - 1)), "a block that is not listed");
    refused(
        &frame(&[(b"one", false), (b"three", true)], |index| index.swap(0, 1)),
        "blocks out of order",
    );
    let empty: &[(&[u8], bool)] = &[(b"", false), (b"one", false), (b"", true)];
    refused(
        &frame(empty, |index| index.truncate(index.len() - 1)),
        "an empty block that is not listed",
    );
    refused(
        &frame(&[(b"one", false), (b"", true), (b"", true)], |_| ()),
        "an empty block behind the last",
    );
    let joined = |index: &mut Vec<Entry>| {
        let second = index.remove(1);
        index[0].bytes += second.bytes;
        index[0].raw += second.raw;
    };
    refused(&frame(parts, joined), "two blocks listed as one");
}

#[test]
fn damage_where_no_content_is() {
    let short = |raw: &[u8]| compress_with(raw, &none(4096)).unwrap();
    let full = compress_with(&[b'a'; 3000], &none(700)).unwrap();
    // A short frame of codec 3 without content, whose check does not fit.
    let empty = [0xeb, 0x4c, 0x90, 4, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9];
    for parts in [
        vec![&empty[..], b"", b""],
        vec![&empty, &short(b"text"), b""],
        vec![&short(b"text"), &empty, b""],
        vec![&short(b"text"), &empty, &full],
        vec![&full, &short(b""), &empty],
    ] {
        refused(&parts.concat(), "an empty short frame");
    }
    let mut damaged = frame(&[(b"one", false), (b"", false), (b"two", true)], |_| ());
    let empty_check = 8 + block(b"one", false).len() + block(b"", false).len() - 1;
    damaged[empty_check] ^= 1;
    refused(&damaged, "an empty block");
    // What does not touch the damage can be read.
    assert_eq!(ranged(&damaged, 0..2), (b"on".to_vec(), true));
    assert_eq!(ranged(&damaged, 4..6), (b"wo".to_vec(), true));
    assert!(!ranged(&damaged, 2..4).1 && !ranged(&damaged, 3..3).1);
}

#[test]
fn zeros_behind_the_last_frame() {
    let full = compress_with(&[b'a'; 3000], &none(700)).unwrap();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 9, 0, 0, 0][..], &[0; 9]].concat();
    for last in [
        full.clone(),
        compress_with(b"short", &none(4096)).unwrap(),
        compress_with(b"", &none(4096)).unwrap(),
        skippable,
    ] {
        let archive = [&full[..], &last].concat();
        let (content, _) = streamed(&archive);
        for zeros in [1, 2, 3, 4, 7, 8, 23, 512, 10_240, 200_000] {
            let padded = [&archive[..], &vec![0; zeros]].concat();
            for found in [
                streamed(&padded),
                seeked(&padded),
                ranged(&padded, 0..u64::MAX),
                ranged(&padded, 0..9999),
            ] {
                assert_eq!(found, (content.clone(), true), "{zeros} zeros");
            }
            let opened = Archive::open(Cursor::new(&padded), DecoderOptions::default()).unwrap();
            assert_eq!(
                (opened.trailing_data(), opened.uncompressed_len()),
                (None, content.len() as u64)
            );
            let mut out: Vec<u8> = Vec::new();
            let found = recover(Cursor::new(&padded), &DecoderOptions::default(), |bytes| {
                out.extend(bytes);
                Ok(())
            });
            assert!(found.unwrap().holes.is_empty() && out == content, "{zeros} zeros");
            // Zeros and then something are no padding: a frame may have been lost there.
            for behind in [&b"x"[..], &full] {
                trailing(&[&padded[..], behind].concat(), &content, archive.len() as u64);
            }
        }
    }
    assert!(!streamed(&[0; 100]).1 && !seeked(&[0; 100]).1, "zeros alone are no archive");
}

/// All content comes out, and then an error that names the place.
fn trailing(archive: &[u8], content: &[u8], at: u64) {
    let mut decoder = Decoder::new(archive);
    let mut out = Vec::new();
    let error = decoder.read_to_end(&mut out).unwrap_err();
    assert_eq!((&out[..], decoder.trailing_data()), (content, Some(at)), "{error}");
    assert!(
        matches!(lmz::decompress(archive), Err(Error::TrailingData { at: found }) if found == at)
    );
    let mut opened = Archive::open(Cursor::new(archive), DecoderOptions::default()).unwrap();
    assert_eq!(opened.trailing_data(), Some(at));
    out.clear();
    let end = opened.read_range(0..u64::MAX, |bytes| {
        out.extend(bytes);
        Ok(())
    });
    assert!(out == content && matches!(end, Err(Error::TrailingData { .. })));
    let mut opened = Archive::open(Cursor::new(archive), DecoderOptions::default()).unwrap();
    out.clear();
    assert!(opened.read_to_end(&mut out).is_err() && out == content);
    // A part of the content that does not reach the end is not concerned.
    let mut opened = Archive::open(Cursor::new(archive), DecoderOptions::default()).unwrap();
    opened.read_range(0..1, |_| Ok(())).unwrap();
    opened.seek(SeekFrom::Start(5)).unwrap();
    opened.read_exact(&mut [0; 9]).unwrap();
}

#[test]
fn other_bytes_behind_the_last_frame() {
    let archive = compress_with(&[b'a'; 3000], &none(700)).unwrap();
    for behind in [&b"garbage"[..], b"x", &[0, 0, 1], b"\x01\0\0\0\0"] {
        trailing(&[&archive[..], behind].concat(), &[b'a'; 3000], archive.len() as u64);
    }
    // The beginning of another frame is not foreign: it was cut.
    for n in 1..archive.len() {
        let cut = [&archive[..], &archive[..n]].concat();
        let mut decoder = Decoder::new(&cut[..]);
        let mut out = Vec::new();
        assert!(
            decoder.read_to_end(&mut out).is_err() && decoder.trailing_data().is_none(),
            "{n} bytes"
        );
        assert!(out.starts_with(&[b'a'; 3000]));
    }
}

/// A hole of zeros in a frame is a hole, also where it reaches to the end.
#[test]
fn zeros_that_took_the_place_of_something() {
    let archive = compress_with(
        &(0..20_000u32).flat_map(u32::to_le_bytes).collect::<Vec<u8>>(),
        &none(20_000),
    )
    .unwrap();
    let mut damaged = archive.clone();
    damaged[archive.len() / 2..].fill(0);
    let found = recover(Cursor::new(&damaged), &DecoderOptions::default(), |_| Ok(())).unwrap();
    assert_eq!(found.holes.len(), 1);
    assert!(!streamed(&damaged).1 && !seeked(&damaged).1);
}
